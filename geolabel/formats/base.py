"""What a format is: a name, where its code is, and the protocols that the code follows."""

from __future__ import annotations

from dataclasses import dataclass
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
import shapely

from geolabel.errors import InvalidGeometry
from geolabel.geo.ragged import NONE

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence
    from contextlib import ExitStack
    from pathlib import Path
    from typing import BinaryIO

    from numpy.typing import NDArray
    from shapely.geometry.base import BaseGeometry

    from geolabel.chips.build import Chip
    from geolabel.chips.labels import Labels
    from geolabel.chips.spec import ChipSpec
    from geolabel.classes import LabelClass
    from geolabel.errors import Problem
    from geolabel.geo.ragged import Ragged
    from geolabel.model import LabelBatch, Project, Scene


@dataclass(frozen=True, slots=True)
class Format:
    """One entry of the registry.

    Attributes:
        name: as `--format` takes it.
        space: `map` for coordinates on the ground, `pixel` for files beside chips.
        description: a phrase for people.
        writer: `module:Class` of a `ChipWriter` (pixel) or a `MapWriter` (map), called with a `Context`; or None.
        reader: `module:function` that takes (path, format_name, crs, layer) and gives a `LabelStream`, or a `LabelFile`;
            or None.
    """

    name: str
    space: Literal["map", "pixel"]
    description: str
    writer: str | None = None
    reader: str | None = None

    def make_writer(self, context: Context) -> Any:
        """The writer, ready for its first chip or batch.

        Raises:
            InvalidSpec: the format cannot hold this project; nothing has been written.
        """
        assert self.writer is not None
        return resolve_name(self.writer)(context)

    def read(self, path: Path, *, crs: str | None, layer: str | None) -> LabelStream | LabelFile:
        """Begin to read labels with the format's reader."""
        assert self.reader is not None
        labels: LabelStream | LabelFile = resolve_name(self.reader)(path, format_name=self.name, crs=crs, layer=layer)
        return labels


@dataclass(frozen=True, slots=True)
class Context:
    """What a writer knows before the first chip.

    Attributes:
        project: the project that is exported; its classes are in mask order by id.
        scenes: its scenes, in the project's order.
        spec: how chips are cut and written.
        out: the folder to write into; it is renamed when everything is whole.
        splits: names of the splits that chips fall in.
        files: closes what `open` opened, also when the work fails.
        labels: all annotations of the project; a chip names those on it by id.
    """

    project: Project
    scenes: tuple[Scene, ...]
    spec: ChipSpec
    out: Path
    splits: tuple[str, ...]
    files: ExitStack
    labels: Labels

    def open(self, path: str) -> BinaryIO:
        """A new file to write, `path` relative to `out`; the folders above it are made."""
        file = self.out / path
        file.parent.mkdir(parents=True, exist_ok=True)
        return self.files.enter_context(file.open("wb"))

    def class_of(self, class_id: int) -> LabelClass:
        """The class of that id."""
        return next(c for c in self.project.classes if c.id == class_id)

    def attribute(self, chip: Chip, *names: str) -> list[Any]:
        """The value of the first attribute that the project has of these names, by annotation of the chip; None is none."""
        name = next((name for name in names if name in self.labels.columns), None)
        if name is None:
            return [None] * len(chip.labels)
        values: list[Any] = self.labels.columns[name][np.searchsorted(self.labels.ids, chip.labels.ids)].tolist()
        return values

    def image_path(self, chip: Chip) -> str:
        """Where the chip's image is, relative to `out`."""
        return f"images/{chip.split}/{chip.name}.{self.spec.image_format}"


class ChipWriter(Protocol):
    """Writes a pixel-space format: chip after chip in the order of the plan, then `close`."""

    def __init__(self, context: Context) -> None: ...

    def add(self, chip: Chip) -> Sequence[str]:
        """Write what belongs to one chip; give the paths, relative to `out`, of files that are this chip's alone."""

    def close(self) -> Sequence[str]:
        """Finish the files; give a sentence for everything that the format could not hold, with counts."""


class MapWriter(Protocol):
    """Writes a map-space format: batch after batch in order of id, then `close`."""

    def __init__(self, context: Context) -> None: ...

    def add(self, batch: LabelBatch) -> None:
        """Write the annotations of one batch."""

    def close(self) -> Sequence[str]:
        """Finish the files; give a sentence for everything that the format could not hold, with counts."""


@dataclass(frozen=True, slots=True)
class Features:
    """Some features of a file, one after the other; nothing has been checked but that they could be read.

    Attributes:
        shapes: (n,) what the arrays can hold; NONE for the others.
        odd: shapes that they cannot hold (collections), by row.
        unreadable: what is wrong with geometries that could not even be read, by row; `pointer` says where.
        columns: the attributes by name, (n,) values each; None where a feature has none.
        numbers: (n,) what messages call them.
        ids: (n,) the features' own ids as text, None where one has none; None when the format has no such ids.
        share: how much of the file has been read now, 0..1.
        measures: how many shapes had measures (M), which are left out.
    """

    shapes: Ragged
    odd: Mapping[int, BaseGeometry]
    unreadable: Mapping[int, Problem]
    columns: Mapping[str, Sequence[Any]]
    numbers: Sequence[int]
    ids: Sequence[str | None] | None
    share: float
    measures: int = 0

    def __len__(self) -> int:
        return len(self.shapes)

    def geometries(self) -> NDArray[np.object_]:
        """(n,) shapely objects; None where there is no shape."""
        result = self.shapes.to_shapely()
        for row, shape in self.odd.items():
            result[row] = shape
        return result


def odd_shapes(geometries: NDArray[np.object_], kinds: NDArray[np.int8]) -> dict[int, BaseGeometry]:
    """By row, the shapes that flat arrays do not hold: collections. `kinds` (n,) are those of the arrays."""
    held = (kinds == NONE) & ~shapely.is_missing(geometries) & ~shapely.is_empty(geometries)
    return {int(row): geometries[row] for row in np.flatnonzero(held)}


@dataclass(frozen=True, slots=True)
class LabelStream:
    """Labels on their way in: as many at once as fit into little memory, each batch once and in order.

    Attributes:
        name: of the file, for messages.
        crs: CRS of the coordinates, always x first.
        batches: closes the file at its end, and when it is closed itself.
        fingerprint: what changes when the file does; None when there is no file.
    """

    name: str
    crs: str
    batches: Generator[Features]
    fingerprint: str | None = None

    def whole(self) -> LabelFile:
        """All of it at once.

        Raises:
            InvalidGeometry: geometries that could not be read.
        """
        read = list(self.batches)
        unreadable = [problem for features in read for problem in features.unreadable.values()]
        if unreadable:
            raise cannot_be_read(self.name, unreadable)
        names = dict.fromkeys(name for features in read for name in features.columns)
        columns = {name: np.empty(sum(map(len, read)), dtype=object) for name in names}
        for name, column in columns.items():
            column[:] = [v for f in read for v in (f.columns[name] if name in f.columns else [None] * len(f))]
        geometries = np.concatenate([features.geometries() for features in read])
        return LabelFile(self.name, self.crs, geometries, columns, np.concatenate([f.numbers for f in read]))


def cannot_be_read(name: str, problems: Sequence[Problem], count: int | None = None) -> InvalidGeometry:
    """What to say of geometries that are none; `count` when there are more than the problems listed."""
    first = problems[0]
    return InvalidGeometry(
        f"{name} cannot be read: {first.message} at {first.pointer} ({count or len(problems)} such places).", problems
    )


@dataclass(frozen=True, slots=True)
class LabelFile:
    """Labels as they were read; nothing has been checked but that they are there.

    Attributes:
        name: of the file, for messages.
        crs: CRS of the coordinates, always x first.
        geometries: (n,) shapely objects; None where a feature has none.
        columns: the attributes by name, (n,) each, in the order of the file.
        feature_ids: (n,) the file's own ids, or the position from 0.
    """

    name: str
    crs: str
    geometries: NDArray[np.object_]
    columns: Mapping[str, NDArray[Any]]
    feature_ids: NDArray[Any]
