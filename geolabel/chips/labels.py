"""The annotations that go into a dataset: of the whole project, and of one chip."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import shapely

from geolabel.batches import BATCH_COLUMNS, RARE_COLUMNS
from geolabel.chips.resting import Resting
from geolabel.chips.schema import dataset_schema
from geolabel.chips.spec import ChipSpec
from geolabel.chips.widen import widen
from geolabel.model import Coverage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from geolabel.batches import LabelBatch
    from geolabel.chips.together import Together
    from geolabel.model import Project

    Values = TypeVar("Values", NDArray[Any], list[Any])


@dataclass(frozen=True, slots=True)
class Labels:
    """The annotations of a project that go into a dataset, in order of id.

    Shapes rest on the disk.

    Attributes:
        ids: int64 (n,).
        class_ids: int64 (n,), in the dataset's schema.
        wkb: (n,) in the project's CRS; `wkb[rows]` reads some.
        columns: (n,) each, by the names of `BATCH_COLUMNS` and of the project's attributes; `RARE_COLUMNS` that are
            empty are not there.
        left_out: how many were left out, by a sentence's words.
        digest: sha256 over ids, classes, columns and exact geometries: the same labels give the same digest.
        coverage: ground that was seen, and ground to be ignored.
    """

    ids: NDArray[np.int64]
    class_ids: NDArray[np.int64]
    wkb: Resting
    columns: Mapping[str, NDArray[np.object_]]
    left_out: Mapping[str, int]
    digest: str
    coverage: Coverage

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def geometries(self) -> NDArray[np.object_]:
        """(n,) all of them, made anew; `shapes` makes some."""
        return self.shapes(slice(None))

    def shapes(self, rows: slice | NDArray[np.int64]) -> NDArray[np.object_]:
        """(m,) the shapes at some positions, in the project's CRS."""
        return np.asarray(shapely.from_wkb(self.wkb[rows]))

    def sentences(self) -> list[str]:
        """What was left out, for the report."""
        return [f"{count:,} annotations {words} left out." for words, count in self.left_out.items()]


def gather(
    project: Project,
    batches: Iterable[LabelBatch],
    coverage: Coverage | None = None,
    spec: ChipSpec | None = None,
    folder: Path | None = None,
) -> Labels:
    """Bring together the annotations that go into a dataset.

    Args:
        project: with the schema that they have.
        batches: its annotations.
        coverage: its ground; None when nobody has drawn any.
        spec: which status and classes go in, what they are called, how far points and lines reach.
        folder: where their shapes rest (see `Resting`).

    Raises:
        UnknownClass: an annotation of a class that the project does not have.
        InvalidSpec: the spec names a class that the project does not have.
    """
    spec = spec or ChipSpec()
    _, id_of = dataset_schema(project, spec)
    known = {c.name for c in project.classes}
    names = (*BATCH_COLUMNS, *(attribute.name for attribute in project.attributes))
    digest = hashlib.sha256()
    left_out: Counter[str] = Counter()
    parts = []
    resting = Resting(folder=folder)
    same: dict[object, object] = {}
    for batch in batches:
        for name in set(batch.class_names) - known:
            project.class_named(name)
        status = batch.columns["status"]
        wanted = np.isin(status, spec.status)
        left_out.update(f"with the status {value!r}" for value in status[~wanted])
        in_schema = np.array([name in id_of for name in batch.class_names], dtype=bool)
        left_out.update(f"of the class {name!r}" for name in batch.class_names[wanted & ~in_schema])
        wanted &= in_schema
        ids, geometries = batch.ids[wanted], widen(batch.geometries[wanted], project.crs, spec.buffer)
        class_ids = np.array([id_of[name] for name in batch.class_names[wanted]], dtype=np.int64)
        nothing = np.full(len(batch.ids), None, dtype=object)
        columns = [_shared(batch.columns.get(name, nothing)[wanted], same) for name in names]
        wkb = shapely.to_wkb(geometries).tolist()
        resting.append(wkb)
        for annotation, class_id, shape, *rest in zip(ids, class_ids, wkb, *columns, strict=True):
            digest.update(f"{annotation} {class_id} {rest!r} {len(shape)} ".encode() + shape)
        parts.append((ids, class_ids, *columns))
    none = np.array([], dtype=object)
    empty = (none.astype(np.int64), none.astype(np.int64), *(none for _ in names))
    ids, class_ids, *rest = (np.concatenate(arrays) for arrays in zip(empty, *parts, strict=True))
    found = {
        name: column
        for name, column in zip(names, rest, strict=True)
        if name not in RARE_COLUMNS or any(value is not None for value in column)
    }
    ground = coverage or Coverage(none, none)
    for mark, shapes, times in (
        ("seen", ground.seen, ground.seen_times),
        ("ignore", ground.ignored, ground.ignored_times),
    ):
        for number, shape in enumerate(shapely.to_wkb(shapes)):
            when = "" if times is None or times[number] == (None, None) else f"{times[number]!r} "
            digest.update(f"{mark} {when}{len(shape)} ".encode() + shape)
    return Labels(ids, class_ids, resting, found, dict(sorted(left_out.items())), digest.hexdigest(), ground)


def _shared(values: NDArray[np.object_], same: dict[object, object]) -> NDArray[np.object_]:
    """The same texts as the same objects: a million rows that say `labelled` say it once."""
    return np.array([same.setdefault(v, v) if isinstance(v, str) else v for v in values] + [None], dtype=object)[:-1]


@dataclass(frozen=True, slots=True)
class ChipLabels:
    """Annotations on one chip, in order of id.

    Attributes:
        ids: int64 (n,).
        class_ids: int64 (n,).
        geometries: (n,) in continuous pixels of the chip, cut to it; a shape cut into parts is one Multi shape.
        truncated: bool (n,) the chip's edge cut something off.
        together: the shapes of all chips that are built at once, and
        part: which of them are these.
    """

    ids: NDArray[np.int64]
    class_ids: NDArray[np.int64]
    geometries: NDArray[np.object_]
    truncated: NDArray[np.bool_]
    together: Together
    part: slice

    def __len__(self) -> int:
        return len(self.ids)

    def each(self, function: Callable[[Together], Values]) -> Values:
        """What a function gives for each annotation, (n,); it is called once for all chips that are built together.

        Args:
            function: gives an array or a list, in the order of the shapes that it is given.
        """
        return self.together.known(function)[self.part]


@dataclass(frozen=True, slots=True)
class Drawn:
    """What a mask of a chip is burnt from: whole shapes near it, in the order in which they are drawn.

    Attributes:
        geometries: (n,) in pixels of the CHIP, not cut to it: seen ground, annotations, ignored ground.
        class_ids: int64 (n,); 0 for seen ground, the mask's "ignore" for ignored ground.
        ids: int64 (n,) of the annotations; 0 for ground, which is none.
        together: the shapes of all chips that are built at once, and
        part: which of them are these.
    """

    geometries: NDArray[np.object_]
    class_ids: NDArray[np.int64]
    ids: NDArray[np.int64]
    together: Together
    part: slice
