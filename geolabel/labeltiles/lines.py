"""Compiled: lines to the grid and clipped; see `geolabel.labeltiles.polygons`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from geolabel.compiled import compiled
from geolabel.labeltiles.polygons import to_grid
from geolabel.labeltiles.rings import LINE
from geolabel.labeltiles.wire import HEAD, feature, path, whole

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Whole = NDArray[np.int64]
    View = tuple[float, float, float]


@compiled
def _shares(ax: int, ay: int, bx: int, by: int, low: int, high: int) -> tuple[float, float]:
    """From which to which share of its length a segment lies in the square (Liang and Barsky 1984); (1, 0) for none."""
    begin, end = 0.0, 1.0
    dx, dy = bx - ax, by - ay
    for p, q in ((-dx, ax - low), (dx, high - ax), (-dy, ay - low), (dy, high - ay)):
        if p == 0:
            if q < 0:
                return 1.0, 0.0
        elif p < 0:
            begin = max(begin, q / p)
        else:
            end = min(end, q / p)
    return begin, end


@compiled
def _add(qx: Whole, qy: Whole, m: int, x: int, y: int) -> int:
    """Put a point behind the m of a line, unless it is the last one again; straight on, it takes the place of the last."""
    if x == qx[m - 1] and y == qy[m - 1]:
        return m
    if m > 1:
        ux, uy = qx[m - 1] - qx[m - 2], qy[m - 1] - qy[m - 2]
        vx, vy = x - qx[m - 1], y - qy[m - 1]
        if ux * vy == uy * vx and ux * vx + uy * vy > 0:
            m -= 1
    qx[m], qy[m] = x, y
    return m + 1


@compiled
def _clip_and_write(px: Whole, py: Whole, n: int, low: int, high: int, words: Whole, at: int, cursor: Whole) -> int:
    """Write what of a line lies in the square, as several lines when it leaves it; where the bytes end, or -1."""
    qx = np.empty(n + 1, dtype=np.int64)
    qy = np.empty(n + 1, dtype=np.int64)
    m = whole(0)
    for i in range(n - 1):
        begin, end = _shares(px[i], py[i], px[i + 1], py[i + 1], low, high)
        dx, dy = px[i + 1] - px[i], py[i + 1] - py[i]
        if (begin > end or begin > 0.0) and m > 0:
            if m > 1:
                at = path(qx, qy, whole(0), m, False, words, at, cursor)
                if at < 0:
                    return -1
            m = whole(0)
        if begin > end:
            continue
        if m == 0:
            qx[0] = math.floor(px[i] + begin * dx + 0.5)
            qy[0] = math.floor(py[i] + begin * dy + 0.5)
            m = whole(1)
        x = math.floor(px[i] + end * dx + 0.5)
        y = math.floor(py[i] + end * dy + 0.5)
        m = _add(qx, qy, m, x, y)
    if m > 1:
        at = path(qx, qy, whole(0), m, False, words, at, cursor)
    return at


@compiled
def encode(
    rows: Whole,
    ids: Whole,
    classes: NDArray[np.int32],
    statuses: NDArray[np.int32],
    rings: Whole,
    starts: Whole,
    xy: NDArray[np.float64],
    window: View,
    square: tuple[int, int, int],
    class_values: Whole,
    status_values: Whole,
    value: int,
    budget: int,
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], int, int]:
    """Write lines; arguments and result as of `geolabel.labeltiles.polygons.encode`."""
    step, low, high = square
    view = (window[0], window[1], window[2] / step)
    out = np.empty(budget, dtype=np.uint8)
    known = np.empty(budget, dtype=np.uint8)
    words = np.empty(budget + HEAD, dtype=np.int64)
    ends = np.zeros(2, dtype=np.int64)
    cursor = np.empty(2, dtype=np.int64)
    count = 0
    for i in range(len(rows)):
        row = rows[i]
        end = whole(HEAD)
        cursor[:] = 0
        for part in range(rings[row], rings[row + 1]):
            first, last = starts[part], starts[part + 1]
            px = np.empty(last - first, dtype=np.int64)
            py = np.empty(last - first, dtype=np.int64)
            n = to_grid(xy, first, last, view, step, low, high, px, py)
            end = _clip_and_write(px, py, n, low, high, words, end, cursor)
            if end < 0:
                return out[: ends[0]], known[: ends[1]], count, i
        if end == HEAD:
            continue
        numbers = (class_values[classes[row]], value + count, status_values[statuses[row]])
        if not feature(whole(LINE), ids[row], numbers, words, end, out, known, ends):
            return out[: ends[0]], known[: ends[1]], count, i
        count += 1
    return out[: ends[0]], known[: ends[1]], count, len(rows)
