"""The annotations that go into a dataset: of the whole project, and of one chip."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import shapely

from geolabel.model import BATCH_COLUMNS, RARE_COLUMNS, Coverage, Status

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    from geolabel.model import LabelBatch, Project

EXPORTED = (Status.LABELLED.value, Status.ACCEPTED.value)
"""What goes into a dataset: a suggestion is nobody's label yet, and a rejected one is none."""


@dataclass(frozen=True, slots=True)
class Labels:
    """The annotations of a project that go into a dataset, in order of id.

    Attributes:
        ids: int64 (n,).
        class_ids: int64 (n,).
        geometries: (n,) in the project's CRS.
        columns: (n,) each, by the names of `BATCH_COLUMNS` and of the project's attributes; `RARE_COLUMNS` that are
            empty are not there.
        left_out: how many were left out, by status.
        digest: sha256 over ids, classes, columns and exact geometries: the same labels give the same digest.
        coverage: ground that was seen, and ground to be ignored.
    """

    ids: NDArray[np.int64]
    class_ids: NDArray[np.int64]
    geometries: NDArray[np.object_]
    columns: Mapping[str, NDArray[np.object_]]
    left_out: Mapping[str, int]
    digest: str
    coverage: Coverage

    def __len__(self) -> int:
        return len(self.ids)

    def sentences(self) -> list[str]:
        """What was left out, for the report."""
        return [
            f"{count:,} annotations with the status {status!r} left out." for status, count in self.left_out.items()
        ]


def gather(project: Project, batches: Iterable[LabelBatch], coverage: Coverage | None = None) -> Labels:
    """Bring together the annotations that go into a dataset.

    Args:
        project: with the schema that they have.
        batches: its annotations.
        coverage: its ground; None when nobody has drawn any.

    Raises:
        UnknownClass: an annotation of a class that the project does not have.
    """
    id_of = {c.name: c.id for c in project.classes}
    names = (*BATCH_COLUMNS, *(attribute.name for attribute in project.attributes))
    digest = hashlib.sha256()
    left_out: Counter[str] = Counter()
    parts = []
    for batch in batches:
        for name in set(batch.class_names) - set(id_of):
            project.class_named(name)
        status = batch.columns["status"]
        wanted = np.isin(status, EXPORTED)
        left_out.update(status[~wanted])
        ids, geometries = batch.ids[wanted], batch.geometries[wanted]
        class_ids = np.array([id_of[name] for name in batch.class_names[wanted]], dtype=np.int64)
        nothing = np.full(len(batch.ids), None, dtype=object)
        columns = [batch.columns.get(name, nothing)[wanted] for name in names]
        for annotation, class_id, wkb, *rest in zip(ids, class_ids, shapely.to_wkb(geometries), *columns, strict=True):
            digest.update(f"{annotation} {class_id} {rest!r} {len(wkb)} ".encode() + wkb)
        parts.append((ids, class_ids, geometries, *columns))
    none = np.array([], dtype=object)
    empty = (none.astype(np.int64), none.astype(np.int64), none, *(none for _ in names))
    ids, class_ids, geometries, *rest = (np.concatenate(arrays) for arrays in zip(empty, *parts, strict=True))
    found = {
        name: column
        for name, column in zip(names, rest, strict=True)
        if name not in RARE_COLUMNS or any(value is not None for value in column)
    }
    ground = coverage or Coverage(none, none)
    for mark, shapes in (("seen", ground.seen), ("ignore", ground.ignored)):
        for wkb in shapely.to_wkb(shapes):
            digest.update(f"{mark} {len(wkb)} ".encode() + wkb)
    return Labels(ids, class_ids, geometries, found, dict(sorted(left_out.items())), digest.hexdigest(), ground)


@dataclass(frozen=True, slots=True)
class ChipLabels:
    """Annotations on one chip, in order of id.

    Attributes:
        ids: int64 (n,).
        class_ids: int64 (n,).
        geometries: (n,) in continuous pixels, cut to the chip; a shape cut into parts is one Multi shape.
        truncated: bool (n,) the chip's edge cut something off.
    """

    ids: NDArray[np.int64]
    class_ids: NDArray[np.int64]
    geometries: NDArray[np.object_]
    truncated: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, slots=True)
class Drawn:
    """What a mask of a chip is burnt from: whole shapes near it, in the order in which they are drawn.

    Attributes:
        geometries: (n,) in pixels of the SCENE: seen ground, annotations, ignored ground.
        class_ids: int64 (n,); 0 for seen ground, the mask's "ignore" for ignored ground.
        ids: int64 (n,) of the annotations; 0 for ground, which is none.
    """

    geometries: NDArray[np.object_]
    class_ids: NDArray[np.int64]
    ids: NDArray[np.int64]
