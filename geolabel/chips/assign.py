"""Which annotations fall on which chip, and what is too little to keep. Pure, vectorised."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np
import shapely

from geolabel.chips.frame import turning
from geolabel.geo.pixels import cut

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray
    from shapely.geometry.base import BaseGeometry

    from geolabel.chips.grid import Windows
    from geolabel.chips.spec import ChipSpec

BLOCKED = 0.5
"""An annotation of which more than this share of what lies on a chip is on ignored ground is no object there."""


@dataclass(frozen=True, slots=True)
class Lost:
    """Pieces of annotations that are no objects of a chip, by the reason.

    Attributes:
        padding: all of it lies beyond the scene.
        small: smaller than `min_area_px`.
        partial: less than `min_overlap` of the annotation.
        cut: the chip's edge cuts it, and such are to be dropped.
        ignored: most of it lies on ground that is to be ignored.
    """

    padding: int = 0
    small: int = 0
    partial: int = 0
    cut: int = 0
    ignored: int = 0

    def __add__(self, other: Lost) -> Lost:
        return Lost(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))


@dataclass(frozen=True, slots=True)
class Assignment:
    """Pairs of a chip and an annotation near it, by chip, then by annotation.

    Attributes:
        chip: int64 (m,) number of the chip.
        label: int64 (m,) position of the annotation among those given.
        present: bool (m,) something of it lies on the chip; of the others no more than a touch.
        kept: bool (m,) it is an object of the chip; of the others there may be pixels in the masks.
        lost: how many are none, and why.
    """

    chip: NDArray[np.int64]
    label: NDArray[np.int64]
    present: NDArray[np.bool_]
    kept: NDArray[np.bool_]
    lost: Lost


@dataclass(frozen=True, slots=True)
class Place:
    """What `assign` has to know of the chips.

    Attributes:
        windows: the chips.
        tree: of their outlines.
        ground: outline of the scene, by the number of each chip that reaches beyond it.
        blocked: ignored ground by the number of each chip that has some.

    Both in pixels of the frame's grid.
    """

    windows: Windows
    tree: shapely.STRtree
    ground: Mapping[int, BaseGeometry]
    blocked: Mapping[int, BaseGeometry]


def place(windows: Windows, ground: BaseGeometry, blocked: Mapping[int, BaseGeometry]) -> Place:
    """Make chips ready to have annotations assigned to them.

    Args:
        windows: the chips.
        ground: outline of what the scene shows, in pixels of the frame's grid.
        blocked: ignored ground by the number of each chip that has some, likewise.
    """
    outlines = windows.outlines()
    shapely.prepare(ground)
    beyond = np.flatnonzero(~shapely.covers(ground, outlines)).tolist()
    return Place(windows, shapely.STRtree(outlines), dict.fromkeys(beyond, ground), blocked)


def assign(geometries: NDArray[np.object_], at: Place, spec: ChipSpec) -> Assignment:
    """Find the chips of each annotation, and look at what of it lies on them.

    Args:
        geometries: (n,) shapes in pixels of the frame's grid, in order of annotation id.
        at: the chips.
        spec: the smallest area and the smallest overlap that stay.
    """
    label, chip = at.tree.query(geometries)
    order = np.lexsort((label, chip))
    chip, label = chip[order].astype(np.int64), label[order].astype(np.int64)
    boxes, turns = at.windows.boxes[chip], at.windows.turns[chip]
    bounds = shapely.bounds(geometries).reshape(-1, 4)[label]
    inside = (turns == 0) & np.all(bounds[:, :2] >= boxes[:, :2], axis=1)
    inside &= np.all(bounds[:, 2:] <= boxes[:, :2] + boxes[:, 2:], axis=1)
    dimension = shapely.get_dimensions(geometries).astype(np.int64)
    whole = sizes(geometries, dimension)
    size, present, truncated = whole[label], np.ones(len(chip), dtype=bool), np.zeros(len(chip), dtype=bool)
    crossing = np.flatnonzero(~inside)
    pieces = np.full(len(chip), None, dtype=object)
    pieces[crossing], truncated[crossing] = on_chips(geometries[label[crossing]], boxes[crossing], turns[crossing])
    present[crossing] = ~shapely.is_missing(pieces[crossing])
    size[crossing] = sizes(pieces[crossing], dimension[label[crossing]])
    pairs = _Pairs(geometries, label, chip, pieces, at)
    padding = present & pairs.elsewhere()
    left = present & ~padding
    small = left & (dimension[label] == 2) & (size < spec.min_area_px)
    left &= ~small
    share = np.where(whole[label] > 0, size / np.where(whole[label] > 0, whole[label], 1), 1.0)
    partial = left & (share < spec.min_overlap)
    left &= ~partial
    truncated &= left & (spec.truncated == "drop")
    left &= ~truncated
    ignored = left & pairs.blocked(size, dimension[label])
    counts = (int(found.sum()) for found in (padding, small, partial, truncated, ignored))
    return Assignment(chip, label, present, left & ~ignored, Lost(*counts))


def on_chips(
    geometries: NDArray[np.object_], boxes: NDArray[np.int64], turns: NDArray[np.float64]
) -> tuple[NDArray[np.object_], NDArray[np.bool_]]:
    """Bring each shape into the pixels of a chip and cut it there.

    Args:
        geometries: (n,) in pixels of the frame's grid.
        boxes: int64 (n, 4) col, row, width, height of the chip's window.
        turns: (n,) degrees.

    Returns:
        As `geo.pixels.cut`: the pieces in pixels of the chip, and whether the edge cut something off.
    """
    frames = np.hstack((np.zeros((len(boxes), 2), dtype=np.int64), boxes[:, 2:]))
    return cut(into_chips(geometries, boxes, turns), frames)


def into_chips(
    geometries: NDArray[np.object_], boxes: NDArray[np.int64], turns: NDArray[np.float64]
) -> NDArray[np.object_]:
    """Bring each shape into the pixels of a chip, whole. Arguments as `on_chips`."""
    if not len(geometries):
        return geometries
    xy, owner = shapely.get_coordinates(geometries, return_index=True)
    xy = xy - boxes[owner, :2]
    for turn in np.unique(turns[turns != 0]).tolist():
        for width, height in {(w, h) for w, h in boxes[turns == turn, 2:].tolist()}:
            chosen = ((turns == turn) & (boxes[:, 2] == width) & (boxes[:, 3] == height))[owner]
            a, b, c, d, e, f = (~turning(width, height, turn))[:6]
            x, y = xy[chosen].T
            xy[chosen] = np.column_stack((a * x + b * y + c, d * x + e * y + f))
    moved: NDArray[np.object_] = shapely.set_coordinates(shapely.force_2d(geometries), xy)
    return moved


def sizes(geometries: NDArray[np.object_], dimension: NDArray[np.int64]) -> NDArray[np.float64]:
    """(n,) areas of polygons, lengths of lines, numbers of points; 0 for None."""
    points = shapely.get_num_geometries(geometries).astype(np.float64)
    lengths, areas = shapely.length(geometries), shapely.area(geometries)
    return np.asarray(np.nan_to_num(np.choose(np.clip(dimension, 0, 2), [points, lengths, areas])))


@dataclass(frozen=True, slots=True)
class _Pairs:
    """Annotations on chips: `pieces` are in pixels of the chip, None for those that are whole, or not on it at all."""

    geometries: NDArray[np.object_]
    label: NDArray[np.int64]
    chip: NDArray[np.int64]
    pieces: NDArray[np.object_]
    at: Place

    def elsewhere(self) -> NDArray[np.bool_]:
        """Whether a piece lies beyond the scene as a whole."""
        found = np.zeros(len(self.chip), dtype=bool)
        index = np.flatnonzero(np.isin(self.chip, list(self.at.ground)))
        if len(index):
            found[index] = ~shapely.intersects(self._pieces_of(index), self._on_chips(self.at.ground, index))
        return found

    def blocked(self, size: NDArray[np.float64], dimension: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether most of a piece lies on ignored ground."""
        found = np.zeros(len(self.chip), dtype=bool)
        index = np.flatnonzero(np.isin(self.chip, list(self.at.blocked)))
        if len(index):
            hidden = shapely.intersection(self._pieces_of(index), self._on_chips(self.at.blocked, index))
            hidden_size = np.where(shapely.is_empty(hidden), 0, sizes(hidden, dimension[index]))
            found[index] = hidden_size > BLOCKED * size[index]
        return found

    def _pieces_of(self, index: NDArray[np.int64]) -> NDArray[np.object_]:
        """The pieces of some pairs, in pixels of their chips: those that are whole were not made before."""
        found = self.pieces[index]
        missing = np.flatnonzero(shapely.is_missing(found))
        pairs, windows = index[missing], self.at.windows
        shapes, chip = self.geometries[self.label[pairs]], self.chip[pairs]
        found[missing] = into_chips(shapes, windows.boxes[chip], windows.turns[chip])
        return found

    def _on_chips(self, ground: Mapping[int, BaseGeometry], index: NDArray[np.int64]) -> NDArray[np.object_]:
        """The ground of each pair's chip, in pixels of that chip."""
        numbers = np.unique(self.chip[index])
        shapes = np.array([*(ground[n] for n in numbers.tolist()), None], dtype=object)[:-1]
        moved = into_chips(shapes, self.at.windows.boxes[numbers], self.at.windows.turns[numbers])
        return np.asarray(moved[np.searchsorted(numbers, self.chip[index])])
