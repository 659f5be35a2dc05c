"""Where the chips of a frame lie: windows on its grid, from a ChipSpec. Pure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import shapely

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from geolabel.chips.frame import Frame
    from geolabel.chips.spec import ChipSpec
    from geolabel.geo.pixels import Window

_TRIES = 100
"""Random windows drawn for each that is wanted, before it is given up."""


@dataclass(frozen=True, slots=True)
class Windows:
    """The chips of one frame.

    Attributes:
        boxes: int64 (n, 4): col, row, width, height on the frame's grid; col and row may be negative.
        turns: float64 (n,): degrees by which each is turned about its centre, clockwise.
        names: (n,) `{scene}_{col}_{row}`, and what tells apart chips of one place.
    """

    boxes: NDArray[np.int64]
    turns: NDArray[np.float64]
    names: NDArray[np.object_]

    def __len__(self) -> int:
        return len(self.boxes)

    def window(self, index: int) -> Window:
        """(col, row, width, height) of a chip."""
        col, row, width, height = self.boxes[index].tolist()
        return (col, row, width, height)

    def windows(self) -> Iterator[Window]:
        """All of them, in order."""
        return (self.window(index) for index in range(len(self)))

    def outlines(self) -> NDArray[np.object_]:
        """(n,) rectangles in pixels of the frame's grid, turned ones turned."""
        col, row, width, height = self.boxes.T.astype(np.float64)
        shapes: NDArray[np.object_] = shapely.box(col, row, col + width, row + height)
        for index in np.flatnonzero(self.turns):
            shapes[index] = _turned(shapes[index], float(self.turns[index]))
        return shapes

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> Windows:
        """Some of them, in the order given."""
        return Windows(self.boxes[rows], self.turns[rows], self.names[rows])


def _turned(box: shapely.Polygon, turn: float) -> shapely.Polygon:
    x0, y0, x1, y1 = box.bounds
    x, y, angle = (x0 + x1) / 2, (y0 + y1) / 2, np.deg2rad(turn)
    cos, sin = np.round(np.cos(angle), 15), np.round(np.sin(angle), 15)
    xy = shapely.get_coordinates(box) - (x, y)
    return shapely.Polygon(xy @ np.array([[cos, sin], [-sin, cos]]) + (x, y))


def lay(
    frame: Frame,
    spec: ChipSpec,
    bounds: NDArray[np.float64],
    ids: NDArray[np.int64],
    accept: Callable[[NDArray[np.object_]], NDArray[np.bool_]],
) -> Windows:
    """Lay chips over a frame.

    Args:
        frame: grid, and what its scene shows of it.
        spec: layout, size, stride, edges, angles.
        bounds: (n, 4) boxes of the annotations on the frame, in pixels of its grid; for chips about features.
        ids: int64 (n,) of the annotations.
        accept: which outlines of chips may be; random windows are drawn until enough of them are.

    Returns:
        Grids go row by row from the upper left, features in order of id; each chip for each angle. With `pad` and
        `shift` and a stride no longer than the size, a grid holds every pixel of the scene.
    """
    size = frame.pixels(spec.size, spec.units)
    if spec.layout == "grid":
        boxes, marks = _grid(frame, spec, size), None
    elif spec.layout == "random":
        boxes, marks = _random(frame, spec, size, accept)
    else:
        boxes, marks = _about(frame, spec, size, bounds, ids)
    return _named(frame, spec, boxes, marks)


def _grid(frame: Frame, spec: ChipSpec, size: tuple[int, int]) -> NDArray[np.int64]:
    step = size if spec.stride is None else frame.pixels(spec.stride, spec.units)
    left, upper, width, height = frame.extent
    if frame.native:
        cols, rows = (_starts(n, s, t, spec) for n, s, t in zip((width, height), size, step, strict=True))
    else:
        cols, rows = (
            _common(low, n, s, t, spec) for low, n, s, t in zip((left, upper), (width, height), size, step, strict=True)
        )
    row, col = (a.ravel() for a in np.meshgrid(rows, cols, indexing="ij"))
    return np.column_stack((col, row, np.full(len(col), size[0]), np.full(len(col), size[1])))


def _starts(length: int, size: int, step: int, spec: ChipSpec) -> NDArray[np.int64]:
    rest = length - size
    if spec.edges == "drop":
        return np.arange(0, rest + 1, step, dtype=np.int64)
    # As many as are needed to reach the end, but none that begins beyond it (a stride longer than the size can).
    count = min(-(-max(rest, 0) // step) + 1, -(-length // step))
    starts = np.arange(count, dtype=np.int64) * step
    if spec.edges == "shift":
        return np.unique(np.minimum(starts, max(rest, 0)))
    beyond = max(int(starts[-1]) + size - length, 0)
    return starts - {"end": 0, "start": beyond, "both": beyond // 2}[spec.pad_side]


def _common(low: int, length: int, size: int, step: int, spec: ChipSpec) -> NDArray[np.int64]:
    """Starts at multiples of the step, counted from the origin of the CRS: those that meet the scene, or lie in it."""
    if spec.edges == "drop":
        first, last = -(-low // step), (low + length - size) // step
    else:
        first, last = (low - size) // step + 1, -(-(low + length) // step) - 1
    return np.arange(first, last + 1, dtype=np.int64) * step


def _random(
    frame: Frame,
    spec: ChipSpec,
    size: tuple[int, int],
    accept: Callable[[NDArray[np.object_]], NDArray[np.bool_]],
) -> tuple[NDArray[np.int64], list[str]]:
    """Windows by lot inside the scene; one that is larger than the scene begins at its corner."""
    left, upper, width, height = frame.extent
    found: list[NDArray[np.int64]] = []
    total = drawn = 0
    while total < spec.count and drawn < _TRIES * spec.count:
        lots = _lots(spec.seed, frame.scene.id, drawn, spec.count)
        edges = np.tile(size, (spec.count, 1))
        if spec.size_range is not None:
            (low, low_y), (high, high_y) = (frame.pixels(edge, spec.units) for edge in spec.size_range)
            span = np.array((high - low + 1, high_y - low_y + 1))
            edges = np.array((low, low_y)) + (lots[:, 2:] * span).astype(np.int64)
        room = np.maximum(np.array((width, height)) - edges, 0)
        corners = np.array((left, upper)) + (lots[:, :2] * (room + 1)).astype(np.int64)
        boxes = np.hstack((corners, edges)).astype(np.int64)
        outlines = shapely.box(*corners.T, *(corners + edges).T)
        good = boxes[accept(outlines)]
        found.append(good)
        total, drawn = total + len(good), drawn + spec.count
    boxes = np.concatenate(found)[: spec.count]
    return boxes, [f"n{number}" for number in range(len(boxes))]


def _lots(seed: int, scene: str, start: int, count: int) -> NDArray[np.float64]:
    """(count, 4) numbers in [0, 1): the same on every machine and in every version of every library. The last two are one."""
    texts = (f"{seed}:{scene}:{number}" for number in range(start, start + count))
    raw = b"".join(hashlib.sha256(text.encode()).digest()[:24] for text in texts)
    lots = (np.frombuffer(raw, dtype="<u8").reshape(count, 3) >> np.uint64(11)) * 2.0**-53
    return np.asarray(lots[:, [0, 1, 2, 2]])


def _about(
    frame: Frame, spec: ChipSpec, size: tuple[int, int], bounds: NDArray[np.float64], ids: NDArray[np.int64]
) -> tuple[NDArray[np.int64], list[str]]:
    """A window for each annotation: of one size about the middle of its box, or its box with a margin."""
    if spec.layout == "features":
        edges = np.tile(np.array(size, dtype=np.int64), (len(bounds), 1))
        corners = np.floor((bounds[:, :2] + bounds[:, 2:]) / 2 - edges / 2 + 0.5).astype(np.int64)
    else:
        margin = np.array(frame.metres) ** -1 * spec.margin if spec.units == "m" else np.array((spec.margin,) * 2)
        corners = np.floor(bounds[:, :2] - margin).astype(np.int64)
        edges = np.maximum(np.ceil(bounds[:, 2:] + margin).astype(np.int64) - corners, 1)
    left, upper, width, height = frame.extent
    low, high = np.array((left, upper)), np.array((left + width, upper + height))
    if spec.edges == "shift":
        corners = np.maximum(np.minimum(corners, high - edges), low)
    boxes = np.hstack((corners, edges))
    marks = np.array([f"a{number}" for number in ids.tolist()], dtype=object)
    if spec.edges == "drop":
        inside = np.all(corners >= low, axis=1) & np.all(corners + edges <= high, axis=1)
        boxes, marks = boxes[inside], marks[inside]
    return boxes, marks.tolist()


def _named(frame: Frame, spec: ChipSpec, boxes: NDArray[np.int64], marks: list[str] | None) -> Windows:
    """Every window for every angle, with its name."""
    angles = spec.rotate
    scene = frame.scene.id
    names = [f"{scene}_{col}_{row}" for col, row in boxes[:, :2].tolist()]
    if marks is not None:
        names = [f"{name}_{mark}" for name, mark in zip(names, marks, strict=True)]
    every = [f"{name}_r{angle:g}" if angle else name for name in names for angle in angles]
    turns = np.tile(np.array(angles), len(boxes))
    found = Windows(np.repeat(boxes, len(angles), axis=0), turns, np.array([*every, None], dtype=object)[:-1])
    if spec.edges != "drop" or not turns.any():
        return found
    left, upper, width, height = frame.extent
    return found.take(
        shapely.covers(
            shapely.box(left - 1e-6, upper - 1e-6, left + width + 1e-6, upper + height + 1e-6), found.outlines()
        )
    )
