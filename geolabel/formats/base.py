"""What a format is: a name, where its code is, and the protocols that the code follows."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
import shapely

from geolabel.errors import InvalidGeometry
from geolabel.geo.ragged import NONE

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from shapely.geometry.base import BaseGeometry

    from geolabel.batches import LabelBatch
    from geolabel.chips.build import Chip
    from geolabel.chips.planned import PlannedChip
    from geolabel.chips.spec import ChipSpec
    from geolabel.classes import LabelClass
    from geolabel.errors import Problem
    from geolabel.formats.files import Files
    from geolabel.geo.ragged import Ragged
    from geolabel.model import Project, Scene


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
        pictures: `module:function` of a reader of pixels, that takes (path, guide) and gives `Picture` after `Picture`
            (see `geolabel.formats.pictures`); or None.
        attributes: whether what is written holds the project's attributes beside the class.
    """

    name: str
    space: Literal["map", "pixel"]
    description: str
    writer: str | None = None
    reader: str | None = None
    pictures: str | None = None
    attributes: bool = True

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
    """What a writer knows, in whatever process it works.

    Attributes:
        project: the project that is exported; its classes are in mask order by id.
        scenes: its scenes, in the project's order.
        spec: how chips are cut and written.
        splits: names of the splits that chips fall in.
        files: where the files of the dataset are written; paths are relative to it.
    """

    project: Project
    scenes: tuple[Scene, ...]
    spec: ChipSpec
    splits: tuple[str, ...]
    files: Files

    def class_of(self, class_id: int) -> LabelClass:
        """The class of that id."""
        return next(c for c in self.project.classes if c.id == class_id)

    def attribute(self, chip: Chip, *names: str) -> list[Any]:
        """The value of the first attribute that the project has of these names, by annotation of the chip; None is none."""
        name = next((name for name in names if name in chip.columns), None)
        return [None] * len(chip.labels) if name is None else chip.columns[name].tolist()

    def image_path(self, chip: Chip | PlannedChip) -> str:
        """Where the chip's image is, relative to the dataset."""
        return f"images/{chip.split}/{chip.name}.{self.spec.image_format}"


@dataclass(frozen=True, slots=True)
class Piece:
    """What one chip gives to the files of the whole dataset, when its own files have been written: small, fit to travel.

    Attributes:
        masks: paths of the chip's masks, relative to the dataset: `chips.parquet` names them.
        lines: bytes by the path of the file that they go into, behind those of the chips before.
        counts: how often something happened that `close` has a sentence for; they are added up over all chips.
    """

    masks: tuple[str, ...] = ()
    lines: Mapping[str, bytes] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)


class ChipWriter:
    r"""Writes a pixel-space format. Derive from it, and write what the format has to say.

    Chips are built by several processes at once. `write` runs in any of them, in any order, and may depend on its chip
    alone: it writes the files that belong to this chip only, and gives what the files of the whole dataset need of it.
    `begin`, `add` and `close` run in one process, `add` in the order of the plan, so that the dataset is the same
    whoever built the chips:

        class NamesWriter(ChipWriter):
            def begin(self) -> None:
                self.context.files.open("names.txt").write(b"The chips:\n")

            def write(self, chip: Chip) -> Piece:
                self.context.files.write(f"names/{chip.name}.txt", b"")
                return Piece(lines={"names.txt": f"{chip.name}\n".encode()}, counts={"empty": not len(chip.labels)})

            def close(self) -> tuple[str, ...]:
                return (f"{self.counts['empty']} chips are empty.",)

    Attributes:
        context: what the writer knows.
        counts: what the pieces counted, added up; whole when `close` is called.
    """

    def __init__(self, context: Context) -> None:
        """Refuse what the format cannot hold (`InvalidSpec`); called in every process, so nothing is written yet."""
        self.context = context
        self.counts: Counter[str] = Counter()

    def begin(self) -> None:
        """Write what does not come from chips: folders, lists of classes, heads of files. Once, before the first chip."""

    def write(self, chip: Chip) -> Piece:
        """Write the files that are this chip's alone, in any process and in any order."""
        raise NotImplementedError

    def add(self, chip: PlannedChip, piece: Piece) -> None:
        """Take what `write` gave for a chip, in the order of the plan; the lines go to the end of their files."""
        del chip
        for path, lines in piece.lines.items():
            self.context.files.open(path).write(lines)
        self.counts.update(piece.counts)

    def close(self) -> Sequence[str]:
        """Finish; give a sentence for everything that the format could not hold, with counts."""
        return ()


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
    numbers: Sequence[int | str]
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
