"""Compiled: labels too small to be told apart, pooled into cells: which class lies where, and how much of the ground it takes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from geolabel.compiled import compiled
from geolabel.labeltiles.rings import POLYGON

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Whole = NDArray[np.int64]
    Sums = NDArray[np.float32]
    View = tuple[float, float, float]

LEAST, FULL = 0.3, 0.65
"""How strong the colour of a cell is that labels hardly touch, and of one that they fill."""

_LINE = 12.0
"""Tile units: a line covers ground as if it were 1.5 pixels wide."""


@compiled
def _area(kind: int, rings: Whole, starts: Whole, xy: NDArray[np.float64], row: int) -> float:
    """What a shape covers, in the units of the map: of polygons their area, of lines their length."""
    found = 0.0
    for ring in range(rings[row], rings[row + 1]):
        first, last = starts[ring], starts[ring + 1]
        for i in range(first + (0 if kind == POLYGON else 1), last):
            j = i - 1 if i > first else last - 1
            if kind == POLYGON:
                # From the ring's first vertex, so that large coordinates cost no digits; outer rings run clockwise.
                found += (xy[i, 0] - xy[first, 0]) * (xy[j, 1] - xy[first, 1])
                found -= (xy[j, 0] - xy[first, 0]) * (xy[i, 1] - xy[first, 1])
            else:
                found += math.hypot(xy[i, 0] - xy[j, 0], xy[i, 1] - xy[j, 1])
    return found / 2 if kind == POLYGON else found


@compiled
def spread(
    rows: Whole,
    groups: Whole,
    kinds: NDArray[np.uint8],
    rings: Whole,
    starts: Whole,
    xy: NDArray[np.float64],
    boxes: NDArray[np.float64],
    window: View,
    cell: int,
    sums: Sums,
) -> None:
    """Add to each cell what lies in it of each shape, as if the shape filled its box evenly.

    Args:
        rows: which shapes.
        groups: the group (m,) of each of them.
        kinds: these and the following as in `geolabel.labeltiles.shapes.Shapes`.
        rings: of each shape.
        starts: of each ring.
        xy: vertices.
        boxes: of each shape.
        window: left and top of the tile in the units of `xy`, and tile units per such unit.
        cell: side of a cell in tile units.
        sums: (groups, cells, cells), shares of the cells' area; added to.
    """
    left, top, scale = window
    cells = sums.shape[1]
    for i in range(len(rows)):
        row = rows[i]
        x0, x1 = (boxes[row, 0] - left) * scale, (boxes[row, 2] - left) * scale
        y0, y1 = (top - boxes[row, 3]) * scale, (top - boxes[row, 1]) * scale
        area = _area(kinds[row], rings, starts, xy, row) * scale
        area *= scale if kinds[row] == POLYGON else _LINE
        # What is thinner than a unit still takes a place.
        if x1 - x0 < 1:
            x0, x1 = (x0 + x1 - 1) / 2, (x0 + x1 + 1) / 2
        if y1 - y0 < 1:
            y0, y1 = (y0 + y1 - 1) / 2, (y0 + y1 + 1) / 2
        density = area / ((x1 - x0) * (y1 - y0)) / cell / cell
        for cy in range(max(math.floor(y0 / cell), 0), min(math.floor(y1 / cell), cells - 1) + 1):
            high = min(y1, (cy + 1.0) * cell) - max(y0, float(cy) * cell)
            for cx in range(max(math.floor(x0 / cell), 0), min(math.floor(x1 / cell), cells - 1) + 1):
                wide = min(x1, (cx + 1.0) * cell) - max(x0, float(cx) * cell)
                sums[groups[i], cy, cx] += np.float32(density * high * wide)


@compiled
def paint(sums: Sums, colors: NDArray[np.uint8], weights: NDArray[np.float64]) -> NDArray[np.uint8]:
    """The colour of the group that takes most of a cell, the stronger the more of the cell is taken.

    Args:
        sums: (groups, cells, cells), shares of the cells' area.
        colors: (groups, 3), red, green and blue.
        weights: (groups,), how strong each is, 0..1.

    Returns:
        (cells, cells, 4) of red, green, blue and alpha; transparent where nothing is.
    """
    groups, rows, columns = sums.shape
    found = np.zeros((rows, columns, 4), dtype=np.uint8)
    for y in range(rows):
        for x in range(columns):
            best, all_ = 0, 0.0
            for g in range(groups):
                all_ += sums[g, y, x]
                if sums[g, y, x] > sums[best, y, x]:
                    best = g
            if all_ > 0:
                for band in range(3):
                    found[y, x, band] = colors[best, band]
                strength = (LEAST + (FULL - LEAST) * min(all_, 1.0)) * weights[best]
                found[y, x, 3] = np.uint8(strength * 255 + 0.5)
    return found
