"""Compiled: polygons to the grid, clipped, wound as the tile format wants them.

Coordinates are whole units of the tile, x to the right and y down. A vertex goes to the nearest point of a grid that
covers the whole zoom level, whichever shape it belongs to, and everything that is then left out has no area: two
shapes that share a border share it in every tile, and no gap opens between them.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from geolabel.compiled import compiled
from geolabel.labeltiles.rings import POLYGON
from geolabel.labeltiles.wire import HEAD, feature, path, whole

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Whole = NDArray[np.int64]
    View = tuple[float, float, float]


@compiled
def to_grid(
    xy: NDArray[np.float64],
    first: int,
    last: int,
    view: View,
    step: int,
    low: int,
    high: int,
    px: Whole,
    py: Whole,
) -> int:
    """Vertices first..last to the grid, without repetitions; how many.

    Of three in a row beyond the same side of the clipping square the middle one goes: what it spans lies beyond that
    side, too. So a shape of a million vertices that only crosses the tile is small from here on.
    """
    left, top, scale = view
    n = 0
    code = before = 0
    for i in range(first, last):
        x = math.floor((xy[i, 0] - left) * scale + 0.5) * step
        y = math.floor((top - xy[i, 1]) * scale + 0.5) * step
        if n > 0 and px[n - 1] == x and py[n - 1] == y:
            continue
        here = (x < low) | ((x > high) << 1) | ((y < low) << 2) | ((y > high) << 3)
        if n > 1 and here & code & before:
            px[n - 1], py[n - 1] = x, y
            code = here
            continue
        px[n], py[n] = x, y
        n += 1
        before, code = code, here
    return n


@compiled
def _clip_side(px: Whole, py: Whole, n: int, limit: int, above: bool, qx: Whole, qy: Whole) -> int:
    """Keep of a ring what lies on one side of x = limit (Sutherland and Hodgman 1974); how many vertices."""
    m = 0
    bx, by = px[n - 1], py[n - 1]
    was = (bx >= limit) if above else (bx <= limit)
    for i in range(n):
        x, y = px[i], py[i]
        now = (x >= limit) if above else (x <= limit)
        if was != now:
            # Counted from the same end whichever way the edge runs, so that neighbours get the same vertex.
            turned = bx > x or (bx == x and by > y)
            x0, y0, x1, y1 = (x, y, bx, by) if turned else (bx, by, x, y)
            qx[m] = limit
            qy[m] = math.floor(y0 + (limit - x0) / (x1 - x0) * (y1 - y0) + 0.5)
            m += 1
        if now:
            qx[m], qy[m] = x, y
            m += 1
        bx, by, was = x, y, now
    return m


@compiled
def _straighten(px: Whole, py: Whole, n: int) -> tuple[int, int]:
    """Take the vertices out of a ring that span no area: repetitions, points on a straight line, spikes.

    Returns:
        Where the ring begins in the arrays, and its number of vertices.
    """
    m = 0
    for i in range(n):
        x, y = px[i], py[i]
        while m >= 2 and (px[m - 1] - px[m - 2]) * (y - py[m - 1]) == (py[m - 1] - py[m - 2]) * (x - px[m - 1]):
            m -= 1
        if m >= 1 and px[m - 1] == x and py[m - 1] == y:
            continue
        px[m], py[m] = x, y
        m += 1
    a = 0
    while m - a >= 3:
        z = m - 1
        if (px[z] - px[z - 1]) * (py[a] - py[z]) == (py[z] - py[z - 1]) * (px[a] - px[z]):
            m -= 1
        elif (px[a] - px[z]) * (py[a + 1] - py[a]) == (py[a] - py[z]) * (px[a + 1] - px[a]):
            a += 1
        else:
            break
    return a, m - a


@compiled
def _doubled_area(px: Whole, py: Whole, first: int, n: int) -> int:
    """Twice the area of a ring by the surveyor's formula: positive when it runs clockwise on the screen."""
    area = 0
    j = first + n - 1
    for i in range(first, first + n):
        area += px[j] * py[i] - px[i] * py[j]
        j = i
    return area


@compiled
def _drawn(
    xy: NDArray[np.float64], first: int, last: int, view: View, square: tuple[int, int, int], clip: bool
) -> tuple[Whole, Whole, int, int, int]:
    """A ring on the grid: its vertices, which of them count (the first and how many), and twice its area."""
    step, low, high = square
    ax, ay = np.empty(last - first, dtype=np.int64), np.empty(last - first, dtype=np.int64)
    n = to_grid(xy, first, last, view, step, low, high, ax, ay)
    for side in range(4):
        if not clip or n < 3:
            break
        # A pass adds at most half of the vertices again.
        bx, by = np.empty(n + n // 2 + 2, dtype=np.int64), np.empty(n + n // 2 + 2, dtype=np.int64)
        limit = low if side % 2 == 0 else high
        if side < 2:
            n = _clip_side(ax, ay, n, limit, side % 2 == 0, bx, by)
        else:
            n = _clip_side(ay, ax, n, limit, side % 2 == 0, by, bx)
        ax, ay = bx, by
    begin, n = _straighten(ax, ay, n)
    return ax, ay, begin, n, _doubled_area(ax, ay, begin, n) if n > 2 else 0


@compiled
def _geometry(
    rings: Whole,
    starts: Whole,
    holes: NDArray[np.bool_],
    xy: NDArray[np.float64],
    row: int,
    view: View,
    square: tuple[int, int, int],
    clip: bool,
    words: Whole,
) -> int:
    """Put the geometry of a polygon into the words; where it ends, -1 when it has no room."""
    cursor, home = np.zeros(2, dtype=np.int64), np.zeros(2, dtype=np.int64)
    end = begin = whole(HEAD)
    left_over = 0  # area of the part so far
    for ring in range(rings[row], rings[row + 1]):
        hole = holes[ring]
        if hole and left_over == 0:
            continue
        px, py, first, n, area = _drawn(xy, starts[ring], starts[ring + 1], view, square, clip)
        if not hole:
            left_over = max(area, 0)
            begin = end
            home[:] = cursor
        elif area < 0:
            left_over = max(left_over + area, 0)
        if left_over == 0:
            end = begin  # nothing, or all of it is a hole
            cursor[:] = home
        elif (area < 0) == hole and area != 0:  # a ring that the grid turned inside out is thinner than the grid
            end = path(px, py, first, n, True, words, end, cursor)
            if end < 0:
                break
    return end


@compiled
def encode(
    rows: Whole,
    ids: Whole,
    classes: NDArray[np.int32],
    statuses: NDArray[np.int32],
    rings: Whole,
    starts: Whole,
    holes: NDArray[np.bool_],
    xy: NDArray[np.float64],
    boxes: NDArray[np.float64],
    window: View,
    square: tuple[int, int, int],
    class_values: Whole,
    status_values: Whole,
    value: int,
    budget: int,
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], int, int]:
    """Write polygons.

    Args:
        rows: which, in this order.
        ids: these and the following as in `geolabel.labeltiles.shapes.Shapes`.
        classes: of each shape.
        statuses: of each shape.
        rings: of each shape.
        starts: of each ring.
        holes: which rings.
        xy: vertices.
        boxes: of each shape.
        window: left and top of the tile in the units of `xy`, and tile units per such unit.
        square: width of the grid in tile units, and on both axes where the clipping square begins and ends.
        class_values: by number of class, the index of its name in the layer's values.
        status_values: the same for the statuses.
        value: index in the layer's values of the id of the first feature.
        budget: most bytes.

    Returns:
        The features and the values of their ids, as fields of a layer, how many features, and how many rows were
        looked at: fewer than given when the rest does not fit.
    """
    step, low, high = square
    left, top = window[0], window[1]
    scale = window[2] / step
    view = (left, top, scale)
    out = np.empty(budget, dtype=np.uint8)
    known = np.empty(budget, dtype=np.uint8)
    words = np.empty(budget + HEAD, dtype=np.int64)
    ends = np.zeros(2, dtype=np.int64)
    count = 0
    for i in range(len(rows)):
        row = rows[i]
        min_x = math.floor((boxes[row, 0] - left) * scale + 0.5) * step
        max_x = math.floor((boxes[row, 2] - left) * scale + 0.5) * step
        min_y = math.floor((top - boxes[row, 3]) * scale + 0.5) * step
        max_y = math.floor((top - boxes[row, 1]) * scale + 0.5) * step
        if min_x == max_x or min_y == max_y or max_x < low or min_x > high or max_y < low or min_y > high:
            continue  # thinner than the grid, or beside the tile
        clip = min_x < low or max_x > high or min_y < low or max_y > high
        end = _geometry(rings, starts, holes, xy, row, view, square, clip, words)
        if end == HEAD:
            continue
        numbers = (class_values[classes[row]], value + count, status_values[statuses[row]])
        if end < 0 or not feature(whole(POLYGON), ids[row], numbers, words, end, out, known, ends):
            return out[: ends[0]], known[: ends[1]], count, i
        count += 1
    return out[: ends[0]], known[: ends[1]], count, len(rows)
