"""Many annotations at once as arrays, and what has become of them since a moment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray


RARE_COLUMNS = ("valid_from", "valid_to", "track")
"""Properties that a dataset has only when a label has them."""


BATCH_COLUMNS = ("note", "status", "source", "confidence", "scene", "version", *RARE_COLUMNS)
"""Properties of an annotation that go into datasets: no people and no clock times."""


@dataclass(frozen=True, slots=True)
class LabelBatch:
    """Annotations as arrays, in order of id: what the chip builder takes.

    Attributes:
        ids: int64 (n,).
        class_names: str objects (n,).
        geometries: shapely objects (n,), in the project's CRS.
        columns: what else map formats carry, (n,) each, by the names of `BATCH_COLUMNS` and of the project's attributes.
    """

    ids: NDArray[np.int64]
    class_names: NDArray[np.object_]
    geometries: NDArray[np.object_]
    columns: Mapping[str, NDArray[np.object_]]


@dataclass(frozen=True, slots=True)
class LabelsState:
    """What the annotations of a project are at one moment: two that are equal have the same annotations.

    Attributes:
        key: number of the project in the database, never given out twice.
        created_at: when the project was made: another workspace may give out the same numbers.
        crs: of the project.
        changes: number of its last change.
        changed_at: when the last one that is seen was made; a workspace that was restored from a backup goes on with the
            same numbers.
        hidden: numbers of the changes that nobody sees yet: imports at work.
    """

    key: int
    created_at: str
    crs: str | None
    changes: int
    changed_at: str | None = None
    hidden: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class LabelChanges:
    """What happened to the annotations of a project since a state.

    Attributes:
        state: after it.
        gone: int64 (n,), ids of those that were deleted.
        come: those that were made or changed, as they are now.
    """

    state: LabelsState
    gone: NDArray[np.int64]
    come: tuple[LabelBatch, ...]
