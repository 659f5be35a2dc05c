"""What pixel formats say: pictures and the objects on them, in pixels, before anybody knows where the pictures lie."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely

from geolabel.errors import InvalidInput, Problem

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from shapely.geometry.base import BaseGeometry

    from geolabel.formats.places import Places
    from geolabel.model import Grid

_SHOWN = 1000
_MOST_PIXELS = 16_384 * 16_384

LARGEST = 1 << 30
"""A coordinate or a size in pixels that is larger is a mistake."""


@dataclass(slots=True)
class Picture:
    """A picture, and what a file says is on it.

    Attributes:
        name: what the file calls it: a path, a name, or a number from 1 in the order of `chips.parquet`.
        pointer: where the file speaks of it, for messages.
        size: (width, height) in pixels; None where the file does not say.
        grid: where it lies, when the file says so itself.
        shapes: in continuous pixels of the picture, origin at its outer corner, y down.
        classes: their classes' names.
        scores: how sure it is of them, 0..1; NaN where it does not say.
        pointers: where in the file they are.
        keys: what pieces of one thing on several pictures have in common; None where nothing says.
        columns: what else it says of them, by name; as long as `shapes`, or shorter when the last have none.
        loose: whether shapes may reach over the picture's edge by the format's own rule (turned boxes do).
    """

    name: str | int
    pointer: str
    size: tuple[int, int] | None = None
    grid: Grid | None = None
    shapes: list[BaseGeometry] = field(default_factory=list)
    classes: list[str] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    pointers: list[str] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    columns: dict[str, list[Any]] = field(default_factory=dict)
    loose: bool = False

    def __len__(self) -> int:
        return len(self.shapes)

    def add(
        self,
        shape: BaseGeometry,
        class_name: str,
        pointer: str,
        *,
        score: float | None = None,
        key: str | None = None,
        said: dict[str, Any] | None = None,
    ) -> None:
        """Put one more object on the picture."""
        for name, value in (said or {}).items():
            column = self.columns.setdefault(name, [])
            column += [None] * (len(self.shapes) - len(column))
            column.append(value)
        self.shapes.append(shape)
        self.classes.append(class_name)
        self.scores.append(float("nan") if score is None else score)
        self.pointers.append(pointer)
        self.keys.append(key)


@dataclass(slots=True)
class Guide:
    """What a reader is told that its files do not say, and what it tells beside the pictures.

    Attributes:
        places: where pictures lie, of what size they are, and which class a number means.
        class_name: one class for all, whatever the files say; None when they say it.
        voc_base: what the first pixel is called in Pascal VOC's files: 1, or 0.
        threshold: a pixel of a probability mask belongs to a class from this value on.
        refused: objects that cannot be, with their places.
        count: how many those are.
        reasons: how many for which reason.
        left_out: what the format has and labels have not (captions, tags), with counts.
    """

    places: Places
    class_name: str | None = None
    voc_base: int = 1
    threshold: float = 0.5
    refused: list[Problem] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)

    @property
    def count(self) -> int:
        """How many objects were refused."""
        return self.reasons.total()

    def refuse(self, pointer: str, message: str, *, reason: str | None = None) -> None:
        """Leave an object out because it cannot be.

        Args:
            pointer: where in which file.
            message: what is wrong with this one.
            reason: what it has in common with others; the message when None.
        """
        self.reasons[reason or message] += 1
        if len(self.refused) < _SHOWN:
            self.refused.append(Problem(pointer, message))


def check_size(width: object, height: object, where: str) -> tuple[int, int]:
    """The size of a picture.

    Raises:
        InvalidInput: no whole numbers from 1 on, or more pixels than any chip has.
    """
    for value in (width, height):
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= LARGEST:
            raise InvalidInput(
                f"{where}: the size of a picture is two whole numbers from 1 on, got {_short(width)} x {_short(height)}."
            )
    assert isinstance(width, int)
    assert isinstance(height, int)
    return width, height


def check_mask_size(width: int, height: int, where: str) -> None:
    """Refuse a mask that would not fit into memory, before it is decoded."""
    if width * height > _MOST_PIXELS:
        raise InvalidInput(
            f"{where}: a mask of {width} x {height} pixels is larger than any chip; expected at most {_MOST_PIXELS:,} pixels."
        )


def upright(x0: float, y0: float, x1: float, y1: float) -> BaseGeometry:
    """A box of continuous pixels, from its corners in any order."""
    box: BaseGeometry = shapely.box(min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))
    return box


def numbers_of(values: Sequence[Any], *, least: int = 0) -> NDArray[np.float64] | None:
    """Finite numbers as an array; None when there is one that is none, or fewer than `least`."""
    if len(values) < least or any(type(v) is not int and type(v) is not float for v in values):
        return None
    try:
        array = np.array(values, dtype=np.float64)
    except (OverflowError, ValueError):
        return None
    return array if np.isfinite(array).all() and (np.abs(array) <= LARGEST).all() else None


def outline(xy: NDArray[np.float64]) -> BaseGeometry | None:
    """A polygon of vertices (n, 2), closed or not; None when they enclose nothing."""
    ring = xy[:-1] if len(xy) > 1 and (xy[0] == xy[-1]).all() else xy
    if len(ring) < 3:
        return None
    polygon = shapely.Polygon(ring)
    # One that crosses itself may have an area of 0 and yet enclose some.
    return polygon if shapely.area(shapely.convex_hull(polygon)) > 0 else None


def mended(polygon: BaseGeometry) -> BaseGeometry:
    """An outline that was cut open, with its holes and parts again; one that encloses nothing stays as it is."""
    if shapely.is_valid(polygon):
        return polygon
    whole: BaseGeometry = shapely.make_valid(polygon, method="structure", keep_collapsed=False)
    return polygon if shapely.is_empty(whole) else whole


def points_of(xy: NDArray[np.float64]) -> BaseGeometry:
    """A point, or several as one shape, of (n, 2), at least one."""
    return shapely.Point(xy[0]) if len(xy) == 1 else shapely.MultiPoint(xy)


def score_of(value: object) -> float | None:
    """A confidence from 0 to 1; None when it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        return None
    return float(value)


def inside(folder: Path, name: str) -> Path | None:
    """The file of that name in a folder; None when it is not there, or would lie outside."""
    if not name or "\0" in name:
        return None
    try:
        file = (folder / name).resolve()
        return file if file.is_relative_to(folder.resolve()) and file.is_file() else None
    except OSError:
        return None


def _short(value: object) -> str:
    return f"{value!r:.40}"
