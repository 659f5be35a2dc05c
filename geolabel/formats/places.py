"""Where pictures lie: by a dataset's manifest, or because they are the scenes themselves."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from geolabel.errors import InvalidInput
from geolabel.formats.strict import read_json
from geolabel.geo import crs as crs_
from geolabel.model import Grid

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from geolabel.classes import LabelClass
    from geolabel.model import Scene

_COLUMNS = ("chip", "scene", "split", "col", "row", "width", "height", "crs", "transform", "image")


@dataclass(frozen=True, slots=True)
class Place:
    """Where one picture lies.

    Attributes:
        name: of the chip, or id of the scene.
        scene: id of the scene that it was cut from.
        grid: its pixels.
        split: that it is in.
    """

    name: str
    scene: str
    grid: Grid
    split: str = ""


@dataclass(frozen=True)
class Places:
    """Where pictures lie, and what numbers of classes mean.

    Attributes:
        source: what says so, for messages.
        listed: in the order of `chips.parquet`; the first is number 1.
        classes: (id, name) in the order in which formats that count classes count them.
        numbered: whether pictures may be called by their number.
    """

    source: str
    listed: tuple[Place, ...]
    classes: tuple[tuple[int, str], ...]
    numbered: bool = True
    _by_name: dict[str, Place | None] = field(default_factory=dict, repr=False)

    def find(self, name: str | int) -> Place | None:
        """The place of a picture, by its number or by any usual spelling of its name; None when nothing is known of it."""
        if isinstance(name, int):
            return self.listed[name - 1] if self.numbered and 0 < name <= len(self.listed) else None
        path = PurePosixPath(unquote(name.partition("?d=")[2] or name.partition("?")[0]).replace("\\", "/"))
        for spelling in (str(path), path.name, path.stem):
            found = self._by_name.get(spelling)
            if found is not None:
                return found
        # Label Studio puts eight digits and a dash before the name of what is uploaded to it.
        prefix, dash, rest = path.stem.partition("-")
        return self._by_name.get(rest) if dash and len(prefix) == 8 else None

    def class_of(self, index: int) -> str | None:
        """The class that is counted so, from 0."""
        return self.classes[index][1] if 0 <= index < len(self.classes) else None

    def class_names(self) -> dict[int, str]:
        """Names by the value that masks have."""
        return dict(self.classes)

    def unknown(self, name: str | int) -> str:
        """What to say of a picture of which nothing is known."""
        some = ", ".join(place.name for place in self.listed[:3])
        more = ", ..." if len(self.listed) > 3 else ""
        return f"{self.source} knows no picture {str(name)!r:.120}; it has {some or 'none'}{more}"


def places_of(manifest: Path) -> Places:
    """Read `manifest.json` and the `chips.parquet` beside it.

    Args:
        manifest: the file, or the folder of the dataset.

    Raises:
        InvalidInput: not a manifest, or one without chips.
    """
    file = manifest / "manifest.json" if manifest.is_dir() else manifest
    if not file.is_file():
        raise InvalidInput(f"There is no manifest {file}; it lies beside chips.parquet in the folder of an export.")
    content = read_json(file)
    if not isinstance(content, dict) or not isinstance(content.get("classes"), list):
        raise InvalidInput(
            f"{file.name} is not a dataset's manifest: expected an object with the list 'classes' (/classes)."
        )
    classes = []
    for index, one in enumerate(content["classes"]):
        if not isinstance(one, dict) or type(one.get("id")) is not int or not isinstance(one.get("name"), str):
            raise InvalidInput(f"{file.name} is not a dataset's manifest: /classes/{index} has no 'id' and 'name'.")
        classes.append((one["id"], one["name"]))
    return _indexed(file.name, [_place(file.parent, row) for row in _rows(file.parent / "chips.parquet")], classes)


def _rows(file: Path) -> list[dict[str, Any]]:
    if not file.is_file():
        raise InvalidInput(
            f"There is no {file.name} beside the manifest: it says where each chip lies. Keep the two together."
        )
    try:
        table = pq.read_table(file, columns=list(_COLUMNS), use_threads=False)
        rows: list[dict[str, Any]] = table.to_pylist()
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        raise InvalidInput(f"{file.name} cannot be read: {str(error).strip().splitlines()[0]:.200}.") from error
    if not rows:
        raise InvalidInput(
            f"{file.name} lists no chips: the dataset was exported in map formats only, which need no manifest."
        )
    return [{**row, "_file": file.name, "_row": index} for index, row in enumerate(rows)]


def _place(folder: Path, row: dict[str, Any]) -> tuple[Place, list[str]]:
    del folder
    try:
        transform = tuple(float(value) for value in row["transform"])
        a, b, _, d, e, _ = transform
        sound = bool(np.isfinite(transform).all()) and a * e != b * d
        crs = None if row["crs"] is None else crs_.normalise(row["crs"])
        grid = Grid(crs, transform, int(row["width"]), int(row["height"]))  # type: ignore[arg-type]
    except (TypeError, ValueError, InvalidInput) as error:
        raise InvalidInput(f"{row['_file']}, row {row['_row']}: this is no place of a chip: {error}.") from error
    if not sound:
        raise InvalidInput(
            f"{row['_file']}, row {row['_row']}: the transform of a chip is six finite numbers with an area."
        )
    place = Place(str(row["chip"]), str(row["scene"]), grid, str(row["split"]))
    image = PurePosixPath(str(row["image"] or ""))
    return place, [place.name, str(image), image.name]


def places_of_scenes(scenes: Iterable[Scene], classes: Sequence[LabelClass]) -> Places:
    """For labels drawn on the scenes themselves: a picture is the scene of its name."""
    listed = []
    for scene in scenes:
        file = PurePosixPath(scene.href.replace("\\", "/"))
        listed.append((Place(scene.id, scene.id, scene.grid), [scene.id, file.name, file.stem]))
    return _indexed("The project", listed, [(c.id, c.name) for c in classes], numbered=False)


def _indexed(
    source: str, listed: list[tuple[Place, list[str]]], classes: list[tuple[int, str]], *, numbered: bool = True
) -> Places:
    by_name: dict[str, Place | None] = {}
    for place, names in listed:
        for name in names:
            if name and by_name.setdefault(name, place) is not place:
                by_name[name] = None  # two have it: it says nothing
    return Places(source, tuple(place for place, _ in listed), tuple(classes), numbered, by_name)
