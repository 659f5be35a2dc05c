"""What a format is: a name, where its code is, and the protocols that the code follows."""

from __future__ import annotations

from dataclasses import dataclass
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import ExitStack
    from pathlib import Path
    from typing import BinaryIO

    import numpy as np
    from numpy.typing import NDArray

    from geolabel.chips.build import Chip
    from geolabel.chips.spec import ChipSpec
    from geolabel.classes import LabelClass
    from geolabel.model import LabelBatch, Project, Scene


@dataclass(frozen=True, slots=True)
class Format:
    """One entry of the registry.

    Attributes:
        name: as `--format` takes it.
        space: `map` for coordinates on the ground, `pixel` for files beside chips.
        description: a phrase for people.
        writer: `module:Class` of a `ChipWriter` (pixel) or a `MapWriter` (map), called with a `Context`; or None.
        reader: `module:function` that takes (path, format_name, crs, layer) and gives a `LabelFile`; or None.
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

    def read(self, path: Path, *, crs: str | None, layer: str | None) -> LabelFile:
        """Read labels with the format's reader."""
        assert self.reader is not None
        labels: LabelFile = resolve_name(self.reader)(path, format_name=self.name, crs=crs, layer=layer)
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
    """

    project: Project
    scenes: tuple[Scene, ...]
    spec: ChipSpec
    out: Path
    splits: tuple[str, ...]
    files: ExitStack

    def open(self, path: str) -> BinaryIO:
        """A new file to write, `path` relative to `out`; the folders above it are made."""
        file = self.out / path
        file.parent.mkdir(parents=True, exist_ok=True)
        return self.files.enter_context(file.open("wb"))

    def class_of(self, class_id: int) -> LabelClass:
        """The class of that id."""
        return next(c for c in self.project.classes if c.id == class_id)

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
