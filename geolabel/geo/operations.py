"""The one PROJ operation that leads from a CRS to another in a workspace.

Between two datums PROJ knows several ways, and which one it takes depends on its version, on the grids that are
installed and on the point. Labels that rest in one CRS and are served in another must not move when PROJ is updated. So
the first time that a workspace uses a pair of CRSs, the operation is chosen once, and the workspace keeps it in a book.
"""

from __future__ import annotations

import os
import threading
import warnings
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol

import numpy as np
from pyproj import CRS, Transformer
from pyproj.enums import TransformDirection
from pyproj.exceptions import CRSError, ProjError
from pyproj.transformer import TransformerGroup

from geolabel.errors import InvalidCRS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geolabel.model import Bounds


@dataclass(frozen=True, slots=True)
class Operation:
    """A way from one CRS to another, (x, y) to (x, y).

    Attributes:
        source: name of the CRS that it starts from.
        target: name of the CRS that it leads to.
        name: as PROJ calls it.
        pipeline: PROJ string; degrees for geographic coordinates.
        accuracy: in metres; None when it is not known.
    """

    source: str
    target: str
    name: str
    pipeline: str
    accuracy: float | None


class OperationBook(Protocol):
    """Where a workspace keeps its operations.

    Both are called once for each pair of CRSs, from any thread, also while the workspace is being written to.
    """

    def find(self, source: str, target: str) -> Operation | None:
        """The operation on record from `source` to `target`."""

    def record(self, operations: list[Operation]) -> None:
        """Keep operations that were chosen now."""


@dataclass(frozen=True, slots=True)
class Way:
    """An operation ready to be used, from any thread.

    Attributes:
        operation: what it does.
        transformer: that does it; pyproj gives each thread its own PROJ context.
        backwards: whether it is used from target to source.
    """

    operation: Operation
    transformer: Transformer
    backwards: bool

    def __call__(self, xy: NDArray[np.float64]) -> NDArray[np.float64]:
        """Coordinates (n, 2) to (n, 2); infinity where there is no image."""
        direction = TransformDirection.INVERSE if self.backwards else TransformDirection.FORWARD
        x, y = self.transformer.transform(xy[:, 0], xy[:, 1], direction=direction)
        return np.column_stack((x, y))


_lock = threading.RLock()
_books: list[OperationBook] = []
_ways: dict[tuple[str, str], Way] = {}


def use_book(book: OperationBook) -> None:
    """From now on go by this book; of several that are open, by the last. Grids are never fetched from the network."""
    os.environ["PROJ_NETWORK"] = "OFF"
    with _lock:
        _books.append(book)
        _ways.clear()


def leave_book(book: OperationBook) -> None:
    """The workspace of this book is closed."""
    with _lock:
        _books[:] = [other for other in _books if other is not book]
        _ways.clear()


def way(source: str, target: str, near: NDArray[np.float64]) -> Way:
    """The way from one CRS to another.

    Args:
        source: name of a CRS.
        target: name of another.
        near: (n, 2), coordinates in `source` that are about to go this way: they say where on the Earth it is used.

    Raises:
        InvalidCRS: none leads there, or the one on record needs a grid that is not installed.
    """
    found = _ways.get((source, target))
    if found is None:
        with _lock:
            found = _ways.get((source, target)) or _find(source, target, near)
            _ways[source, target] = found
    return found


def _find(source: str, target: str, near: NDArray[np.float64]) -> Way:
    book = _books[-1] if _books else None
    found = book and _on_record(book, source, target)
    if found:
        return found
    chosen = _choose(source, target, _degrees(near, source))
    if book:
        book.record(chosen)
    for operation in chosen:
        if operation.source == source:
            return _ready(operation, backwards=False)
    return _ready(chosen[0], backwards=True)


def _on_record(book: OperationBook, source: str, target: str) -> Way | None:
    if (operation := book.find(source, target)) is not None:
        return _ready(operation, backwards=False)
    if (operation := book.find(target, source)) is not None:
        return _ready(operation, backwards=True)
    return None


def _ready(operation: Operation, *, backwards: bool) -> Way:
    try:
        return Way(operation, Transformer.from_pipeline(operation.pipeline), backwards)
    except ProjError as error:
        raise InvalidCRS(
            f"The operation on record between {_short(operation.source)} and {_short(operation.target)}, "
            f"{operation.name!r}, cannot be used on this machine: {str(error).strip().splitlines()[0]} Install the grid that it names (package proj-data)."
        ) from error


def _choose(source: str, target: str, area: Bounds | None) -> list[Operation]:
    """The operation of a pair, and the same one written in the other direction where PROJ has it.

    The pair is looked at in one order, so that both directions and all workspaces come to the same operation.
    """
    one, other = sorted((source, target))
    candidates = _candidates(one, other)
    if not candidates:
        raise InvalidCRS(f"No way leads from {_short(source)} to {_short(target)}.")
    forth, where = _best(candidates, area)
    back = next((c for c, w in _candidates(other, one) if w == where and _undoes(c, forth, where)), None)
    return [forth] if back is None else [forth, back]


def _best(candidates: list[tuple[Operation, Bounds]], area: Bounds | None) -> tuple[Operation, Bounds]:
    """The most accurate one that was made for the area; PROJ's first when there is no telling."""
    if area is not None:
        # One of unknown accuracy is a ballpark figure, made for everywhere.
        fitting = [
            (c[0].accuracy, i) for i, c in enumerate(candidates) if c[0].accuracy is not None and _covers(c[1], area)
        ]
        if fitting:
            return candidates[min(fitting)[1]]
    return candidates[0]


def _covers(outer: Bounds, inner: Bounds) -> bool:
    west, south, east, north = outer
    if not (south <= inner[1] and inner[3] <= north):
        return False
    if west <= east:
        return west <= inner[0] and inner[2] <= east
    return inner[0] >= west or inner[2] <= east


@lru_cache(maxsize=256)
def _candidates(source: str, target: str) -> list[tuple[Operation, Bounds]]:
    """The operations that this PROJ has and can run backwards, its favourite first, each with the area it was made for."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that a better one lacks its grid: the accuracy on record says it
            group = TransformerGroup(source, target, always_xy=True)
    except (CRSError, ProjError) as error:
        reason = str(error).strip().splitlines()[0]
        raise InvalidCRS(f"No way leads from {_short(source)} to {_short(target)}: {reason}") from error
    found = []
    for transformer in group.transformers:
        if not transformer.has_inverse:
            continue
        accuracy = transformer.accuracy if transformer.accuracy >= 0 else None
        area = transformer.area_of_use
        operation = Operation(source, target, transformer.description, transformer.definition, accuracy)
        found.append((operation, (-180.0, -90.0, 180.0, 90.0) if area is None else area.bounds))
    return found


def _undoes(back: Operation, forth: Operation, area: Bounds) -> bool:
    """Whether two operations are one, tried where it was made for."""
    west, south, east, north = area
    middle = (west + (east - west) % 360.0 / 2 + 180) % 360.0 - 180, (south + north) / 2
    there = Transformer.from_pipeline(forth.pipeline)
    for longitude, latitude in (middle, (middle[0], south + (north - south) * 0.7)):
        start = _of_degrees(longitude, latitude, forth.source)
        image = there.transform(*start)
        again = Transformer.from_pipeline(back.pipeline).transform(*image)
        # PROJ inverts a datum shift to a centimetre or so; two different ones are decimetres apart.
        near = 1e-7 if CRS.from_user_input(forth.source).is_geographic else 1e-2
        if not np.allclose(again, start, rtol=0, atol=near):
            return False
    return True


def _of_degrees(longitude: float, latitude: float, crs: str) -> tuple[float, float]:
    """A place in a CRS, by longitude and latitude of its own datum."""
    crs_ = CRS.from_user_input(crs)
    if crs_.is_geographic or crs_.geodetic_crs is None:
        return longitude, latitude
    x, y = Transformer.from_crs(crs_.geodetic_crs, crs_, always_xy=True).transform(longitude, latitude)
    return float(x), float(y)


def _degrees(xy: NDArray[np.float64], crs: str) -> Bounds | None:
    """The box around coordinates in longitude and latitude of their own datum; None when some of them are no place."""
    crs_ = CRS.from_user_input(crs)
    corners = np.array([[0, 1], [2, 1], [2, 3], [0, 3]])
    box = np.concatenate([xy.min(axis=0), xy.max(axis=0)])[corners] if len(xy) else np.empty((0, 2))
    if not crs_.is_geographic and crs_.geodetic_crs is not None:
        x, y = Transformer.from_crs(crs_, crs_.geodetic_crs, always_xy=True).transform(box[:, 0], box[:, 1])
        box = np.column_stack((x, y))
    if not len(box) or not np.isfinite(box).all() or np.abs(box[:, 0]).max() > 180 or np.abs(box[:, 1]).max() > 90:
        return None
    west, south = box.min(axis=0).tolist()
    east, north = box.max(axis=0).tolist()
    return (west, south, east, north)


def _short(name: str) -> str:
    return name if len(name) <= 60 else repr(name[:57] + "...")
