"""Compiled: points to the grid; see `geolabel.labeltiles.polygons`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from geolabel.compiled import compiled
from geolabel.labeltiles.rings import POINT
from geolabel.labeltiles.wire import HEAD, MOVE_TO, feature, whole

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Whole = NDArray[np.int64]
    View = tuple[float, float, float]


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
    """Write points; arguments and result as of `geolabel.labeltiles.polygons.encode`.

    On a grid coarser than the tile units only the first of several at the same place is written.
    """
    step, low, high = square
    left, top = window[0], window[1]
    scale = window[2] / step
    cells = (high - low) // step + 1 if step > 1 else 0
    taken = np.zeros((cells, cells), dtype=np.bool_)
    out = np.empty(budget, dtype=np.uint8)
    known = np.empty(budget, dtype=np.uint8)
    words = np.empty(budget + HEAD, dtype=np.int64)
    ends = np.zeros(2, dtype=np.int64)
    count = 0
    for i in range(len(rows)):
        row = rows[i]
        first, last = starts[rings[row]], starts[rings[row + 1]]
        end = whole(HEAD + 1)
        before_x = before_y = whole(0)
        for j in range(first, last):
            x = math.floor((xy[j, 0] - left) * scale + 0.5) * step
            y = math.floor((top - xy[j, 1]) * scale + 0.5) * step
            if x < low or x > high or y < low or y > high:
                continue
            if cells > 0:
                if taken[(y - low) // step, (x - low) // step]:
                    continue
                taken[(y - low) // step, (x - low) // step] = True
            if end + 2 > len(words):
                return out[: ends[0]], known[: ends[1]], count, i
            dx, dy = x - before_x, y - before_y
            words[end], words[end + 1] = (dx << 1) ^ (dx >> 63), (dy << 1) ^ (dy >> 63)
            before_x, before_y = x, y
            end += 2
        if end == HEAD + 1:
            continue
        words[HEAD] = (end - HEAD - 1) // 2 << 3 | MOVE_TO
        numbers = (class_values[classes[row]], value + count, status_values[statuses[row]])
        if not feature(whole(POINT), ids[row], numbers, words, end, out, known, ends):
            return out[: ends[0]], known[: ends[1]], count, i
        count += 1
    return out[: ends[0]], known[: ends[1]], count, len(rows)
