"""Compiled: features as bytes. Source: Mapbox Vector Tile Specification 2.1, sections 4.2 to 4.4.

A feature is first put together as whole numbers, which one loop then writes as varints: that compiles in a third of the
time of a call for each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np

from geolabel.compiled import compiled

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Whole = NDArray[np.int64]
    Bytes = NDArray[np.uint8]

whole = cast("Callable[[int], int]", np.int64)
"""A number as any other: for numba each literal has a type of its own, and what takes it is compiled once more for it."""

HEAD = 24
"""Where the geometry begins in the numbers of a feature: what stands before it takes less."""

_LARGEST_VALUE = 16
MOVE_TO, _LINE_TO, _CLOSE_PATH = 1, 2, 7


@compiled
def path(px: Whole, py: Whole, first: int, count: int, close: bool, words: Whole, at: int, cursor: Whole) -> int:
    """Put MoveTo, LineTo and perhaps ClosePath behind a geometry; where it then ends, -1 when it has no room."""
    if at + 2 * count + 3 > len(words):
        return -1
    x, y = cursor[0], cursor[1]
    for i in range(count):
        if i < 2:
            words[at] = (1 << 3 | MOVE_TO) if i == 0 else ((count - 1) << 3 | _LINE_TO)
            at += 1
        dx, dy = px[first + i] - x, py[first + i] - y
        words[at] = (dx << 1) ^ (dx >> 63)
        words[at + 1] = (dy << 1) ^ (dy >> 63)
        at += 2
        x, y = px[first + i], py[first + i]
    if close:
        words[at] = 1 << 3 | _CLOSE_PATH
        at += 1
    cursor[0], cursor[1] = x, y
    return at


@compiled
def _size(words: Whole, first: int, last: int) -> int:
    size = last - first
    for i in range(first, last):
        value = words[i] >> 7
        while value > 0:
            value >>= 7
            size += 1
    return size


@compiled
def _write(words: Whole, first: int, last: int, out: Bytes, at: int) -> int:
    for i in range(first, last):
        value = words[i]
        while value > 127:
            out[at] = (value & 127) | 128
            at += 1
            value >>= 7
        out[at] = value
        at += 1
    return at


@compiled
def feature(
    kind: int, number: int, values: tuple[int, int, int], words: Whole, end: int, out: Bytes, ids: Bytes, ends: Whole
) -> bool:
    """Write a feature, and its id as one of the layer's values; whether there was room for them.

    Args:
        kind: of geometry.
        number: its id.
        values: indices of its properties among the layer's values: class, id, status.
        words: whose geometry lies in HEAD..end.
        end: of the geometry.
        out: the features, as fields of a layer.
        ids: the values of their ids, as fields of a layer.
        ends: where both end; moved on.
    """
    geometry = _size(words, whole(HEAD), end)
    # Backwards from the geometry: its length, type, tags with their length, id.
    words[HEAD - 1] = geometry
    words[HEAD - 2] = 4 << 3 | 2
    words[HEAD - 3] = kind
    words[HEAD - 4] = 3 << 3
    for i in range(3):
        words[HEAD - 6 - 2 * i] = 2 - i
        words[HEAD - 5 - 2 * i] = values[2 - i]
    words[HEAD - 11] = _size(words, whole(HEAD - 10), whole(HEAD - 4))
    words[HEAD - 12] = 2 << 3 | 2
    words[HEAD - 13] = number
    words[HEAD - 14] = 1 << 3
    words[HEAD - 15] = _size(words, whole(HEAD - 14), whole(HEAD)) + geometry
    words[HEAD - 16] = 2 << 3 | 2
    size = _size(words, whole(HEAD - 16), whole(HEAD)) + geometry
    if ends[0] + ends[1] + size + _LARGEST_VALUE > len(out):
        return False
    ends[0] = _write(words, whole(HEAD - 16), end, out, ends[0])
    words[3] = number
    words[2] = 5 << 3
    words[1] = _size(words, whole(2), whole(4))
    words[0] = 4 << 3 | 2
    ends[1] = _write(words, whole(0), whole(4), ids, ends[1])
    return True
