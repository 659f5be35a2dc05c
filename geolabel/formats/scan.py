"""Features of GeoJSON text to flat arrays, in compiled code.

What is written in the usual way (GDAL, QGIS, GeoPandas, geolabel) is read here, strictly. Everything else, right or wrong,
is only delimited, and left to the reader that knows all of GeoJSON and what to say about it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray  # noqa: TC002 (numba reads no annotations, but NamedTuple keeps them)

from geolabel.compiled import compiled
from geolabel.formats.decimals import EXACT, powers_of_ten, read_number

UNKNOWN, NULL = -2, -1
"""In place of a kind of geometry: a feature in an unusual form, and one without a geometry."""

MORE, END, WRONG = 0, 1, 2
"""How a scan ended: more bytes are needed, the list of features was closed, a feature was expected and is not there."""

POWERS = powers_of_ten()


class Found(NamedTuple):
    """Room for what a scan finds; the first rows of each array are filled.

    Attributes:
        kinds: (n,) GEOS type of the geometry, NULL or UNKNOWN.
        spans: (n, 6) begin and end of the feature, of its properties (-1 when null) and of its id (-1 when it has none).
        xy: (m, 2) doubles.
        z: (m,) doubles; NaN where a position has none.
        rings: (r + 1,) where each line of positions ends in `xy`, from 0.
        parts: (p + 1,) where each part ends in `rings`.
        shapes: (n + 1,) where each feature ends in `parts`.
    """

    kinds: NDArray[np.int8]
    spans: NDArray[np.int64]
    xy: NDArray[np.float64]
    z: NDArray[np.float64]
    rings: NDArray[np.int64]
    parts: NDArray[np.int64]
    shapes: NDArray[np.int64]


def room_for(size: int) -> Found:
    """Arrays for the features of so many bytes: untouched memory costs nothing."""
    features, positions = size // 2 + 2, size // 5 + 2
    offsets = [np.empty(length + 1, np.int64) for length in (positions, positions, features)]
    for one in offsets:
        one[0] = 0
    return Found(
        np.empty(features, np.int8),
        np.empty((features, 6), np.int64),
        np.empty((positions, 2), np.float64),
        np.empty(positions, np.float64),
        *offsets,
    )


_TYPE = np.frombuffer(b'"type"', np.uint8)
_ID = np.frombuffer(b'"id"', np.uint8)
_GEOMETRY = np.frombuffer(b'"geometry"', np.uint8)
_PROPERTIES = np.frombuffer(b'"properties"', np.uint8)
_COORDINATES = np.frombuffer(b'"coordinates"', np.uint8)
_FEATURE = np.frombuffer(b'"Feature"', np.uint8)
_NULL_TEXT = np.frombuffer(b"null", np.uint8)
_POINT = np.frombuffer(b'"Point"', np.uint8)
_LINE = np.frombuffer(b'"LineString"', np.uint8)
_POLYGON = np.frombuffer(b'"Polygon"', np.uint8)
_MULTI_POINT = np.frombuffer(b'"MultiPoint"', np.uint8)
_MULTI_LINE = np.frombuffer(b'"MultiLineString"', np.uint8)
_MULTI_POLYGON = np.frombuffer(b'"MultiPolygon"', np.uint8)


@compiled
def _skip_space(text: NDArray[np.uint8], at: int) -> int:
    while text[at] in (32, 10, 13, 9):
        at += 1
    return at


@compiled
def _starts(text: NDArray[np.uint8], at: int, word: NDArray[np.uint8]) -> bool:
    for i in range(len(word)):
        if text[at + i] != word[i]:
            return False
    return True


@compiled
def end_of_value(text: NDArray[np.uint8], at: int, end: int) -> int:
    """Where the object or list that begins at `at` ends, in text that is JSON; -1 when it does not end before `end`."""
    depth = 0
    while at < end:
        byte = text[at]
        if byte == 34:
            at += 1
            while at < end and text[at] != 34:
                at += 2 if text[at] == 92 else 1
        elif byte in (123, 91):
            depth += 1
        elif byte in (125, 93):
            depth -= 1
            if depth == 0:
                return at + 1
        at += 1
    return -1


@compiled
def _kind(text: NDArray[np.uint8], at: int) -> tuple[int, int, int]:
    """GEOS type, depth of its lists, and where the word ends; the depth is 0 for another word."""
    if _starts(text, at, _POLYGON):
        return 3, 3, at + 9
    if _starts(text, at, _MULTI_POLYGON):
        return 6, 4, at + 14
    if _starts(text, at, _POINT):
        return 0, 1, at + 7
    if _starts(text, at, _LINE):
        return 1, 2, at + 12
    if _starts(text, at, _MULTI_POINT):
        return 4, 2, at + 12
    if _starts(text, at, _MULTI_LINE):
        return 5, 3, at + 17
    return 0, 0, at


@compiled
def _coordinates(
    text: NDArray[np.uint8], at: int, found: Found, n_xy: int, n_rings: int, n_parts: int
) -> tuple[int, int, int, int, int]:
    """Read nested lists of positions.

    Returns:
        Where they end (-1: unusual), how deep they are nested, and how many positions, rings and parts there are now.
    """
    first_ring, first_part = n_rings, n_parts
    xy, z = found.xy, found.z
    depth, deepest, dimensions = 0, 0, 0
    while True:
        at = _skip_space(text, at)
        if text[at] == 91:
            depth += 1
            if depth > 4 or (deepest and depth > deepest):
                return -1, 0, n_xy, n_rings, n_parts
            at += 1
            continue
        if deepest == 0:
            deepest = depth
        if depth != deepest or depth == 0:
            return -1, 0, n_xy, n_rings, n_parts
        # A position: its list was just opened.
        at, state, x = read_number(text, at, POWERS)
        if state != EXACT:
            return -1, 0, n_xy, n_rings, n_parts
        at = _skip_space(text, at)
        if text[at] != 44:
            return -1, 0, n_xy, n_rings, n_parts
        at, state, y = read_number(text, _skip_space(text, at + 1), POWERS)
        if state != EXACT:
            return -1, 0, n_xy, n_rings, n_parts
        at = _skip_space(text, at)
        size, height = 2, np.nan
        if text[at] == 44:
            at, state, height = read_number(text, _skip_space(text, at + 1), POWERS)
            if state != EXACT:
                return -1, 0, n_xy, n_rings, n_parts
            at = _skip_space(text, at)
            size = 3
        if dimensions == 0:
            dimensions = size
        if text[at] != 93 or size != dimensions:
            return -1, 0, n_xy, n_rings, n_parts
        xy[n_xy, 0], xy[n_xy, 1], z[n_xy] = x, y, height
        at += 1
        depth -= 1
        n_xy += 1
        # What closes behind it, up to the comma before the next one.
        while depth:
            at = _skip_space(text, at)
            if text[at] == 44:
                at += 1
                break
            if text[at] != 93:
                return -1, 0, n_xy, n_rings, n_parts
            if depth == deepest - 1:
                n_rings += 1
                found.rings[n_rings] = n_xy
            elif depth == deepest - 2:
                n_parts += 1
                found.parts[n_parts] = n_rings
            at += 1
            depth -= 1
        if depth == 0:
            break
    if n_rings == first_ring:  # one position
        n_rings += 1
        found.rings[n_rings] = n_xy
    if n_parts == first_part:
        n_parts += 1
        found.parts[n_parts] = n_rings
    return at, deepest, n_xy, n_rings, n_parts


@compiled
def _whole(found: Found, kind: int, first_ring: int, n_rings: int) -> bool:
    """Whether lines have two positions, and rings four of which the last is the first."""
    if kind in (0, 4):
        return True
    for ring in range(first_ring, n_rings):
        begin, end = found.rings[ring], found.rings[ring + 1]
        if kind in (1, 5):
            if end - begin < 2:
                return False
        elif end - begin < 4:
            return False
        else:
            same = found.xy[begin, 0] == found.xy[end - 1, 0] and found.xy[begin, 1] == found.xy[end - 1, 1]
            flat = np.isnan(found.z[begin])
            if not same or not (flat or found.z[begin] == found.z[end - 1]):
                return False
    return True


@compiled
def _geometry(
    text: NDArray[np.uint8], at: int, found: Found, n_xy: int, n_rings: int, n_parts: int
) -> tuple[int, int, int, int, int]:
    """Read a geometry object: where it ends (-1: unusual), its kind, and the counts after it."""
    first_ring = n_rings
    kind, wanted, deepest = 0, 0, 0
    at = _skip_space(text, at + 1)
    while True:
        if wanted == 0 and _starts(text, at, _TYPE):
            at = _skip_space(text, at + 6)
            if text[at] != 58:
                return -1, 0, n_xy, n_rings, n_parts
            kind, wanted, at = _kind(text, _skip_space(text, at + 1))
            if wanted == 0:
                return -1, 0, n_xy, n_rings, n_parts
        elif deepest == 0 and _starts(text, at, _COORDINATES):
            at = _skip_space(text, at + 13)
            if text[at] != 58:
                return -1, 0, n_xy, n_rings, n_parts
            at, deepest, n_xy, n_rings, n_parts = _coordinates(text, at + 1, found, n_xy, n_rings, n_parts)
            if at < 0:
                return -1, 0, n_xy, n_rings, n_parts
        else:
            return -1, 0, n_xy, n_rings, n_parts
        at = _skip_space(text, at)
        if text[at] == 125:
            break
        if text[at] != 44:
            return -1, 0, n_xy, n_rings, n_parts
        at = _skip_space(text, at + 1)
    if wanted == 0 or deepest != wanted or not _whole(found, kind, first_ring, n_rings):
        return -1, 0, n_xy, n_rings, n_parts
    return at + 1, kind, n_xy, n_rings, n_parts


@compiled
def _id(text: NDArray[np.uint8], at: int) -> int:
    """Where an id ends, a number or plain text; -1 when it is neither."""
    if text[at] == 34:
        at += 1
        while text[at] != 34:
            if text[at] < 32 or text[at] > 126 or text[at] == 92:
                return -1
            at += 1
        return at + 1
    end, state, _ = read_number(text, at, POWERS)
    return end if state == EXACT else -1


@compiled
def _feature(
    text: NDArray[np.uint8], at: int, end: int, found: Found, row: int, n_xy: int, n_rings: int, n_parts: int
) -> tuple[int, int, int, int]:
    """Read a feature: where it ends (-1: unusual, or not whole), and the counts after it."""
    spans = found.spans[row]
    spans[0] = at
    spans[2:6] = -1
    typed, properties, geometry = False, False, False
    at = _skip_space(text, at + 1)
    while True:
        if not typed and _starts(text, at, _TYPE):
            at = _skip_space(text, at + 6)
            if text[at] != 58:
                return -1, n_xy, n_rings, n_parts
            at = _skip_space(text, at + 1)
            if not _starts(text, at, _FEATURE):
                return -1, n_xy, n_rings, n_parts
            at += 9
            typed = True
        elif not properties and _starts(text, at, _PROPERTIES):
            at = _skip_space(text, at + 12)
            if text[at] != 58:
                return -1, n_xy, n_rings, n_parts
            at = _skip_space(text, at + 1)
            if text[at] == 123:
                spans[2] = at
                at = end_of_value(text, at, end)
                if at < 0:
                    return -1, n_xy, n_rings, n_parts
                spans[3] = at
            elif _starts(text, at, _NULL_TEXT):
                at += 4
            else:
                return -1, n_xy, n_rings, n_parts
            properties = True
        elif not geometry and _starts(text, at, _GEOMETRY):
            at = _skip_space(text, at + 10)
            if text[at] != 58:
                return -1, n_xy, n_rings, n_parts
            at = _skip_space(text, at + 1)
            if text[at] == 123:
                at, found.kinds[row], n_xy, n_rings, n_parts = _geometry(text, at, found, n_xy, n_rings, n_parts)
                if at < 0:
                    return -1, n_xy, n_rings, n_parts
            elif _starts(text, at, _NULL_TEXT):
                found.kinds[row] = NULL
                at += 4
            else:
                return -1, n_xy, n_rings, n_parts
            geometry = True
        elif spans[4] < 0 and _starts(text, at, _ID):
            at = _skip_space(text, at + 4)
            if text[at] != 58:
                return -1, n_xy, n_rings, n_parts
            at = _skip_space(text, at + 1)
            spans[4] = at
            at = _id(text, at)
            if at < 0:
                return -1, n_xy, n_rings, n_parts
            spans[5] = at
        else:
            return -1, n_xy, n_rings, n_parts
        at = _skip_space(text, at)
        if text[at] == 125:
            break
        if text[at] != 44:
            return -1, n_xy, n_rings, n_parts
        at = _skip_space(text, at + 1)
    if not (typed and geometry):
        return -1, n_xy, n_rings, n_parts
    spans[1] = at + 1
    return at + 1, n_xy, n_rings, n_parts


@compiled
def scan(
    text: NDArray[np.uint8], end: int, separated: bool, after_one: bool, found: Found
) -> tuple[int, int, int, bool]:
    """Read features from the start of `text`.

    Args:
        text: bytes (uint8) with at least 32 zeros behind `end`.
        end: how many of them are text.
        separated: commas stand between the features and `]` behind them; otherwise space, or the record separator.
        after_one: a feature stands before the text, so that a comma comes next.
        found: `room_for(end)`; filled.

    Returns:
        Why it stopped (MORE, END, WRONG), where, how many features were found, and `after_one` for the text that follows.
    """
    at, row, n_xy, n_rings, n_parts = 0, 0, 0, 0, 0
    stopped = 0
    while True:
        at = _skip_space(text, at)
        while not separated and text[at] == 30:
            at = _skip_space(text, at + 1)
        stopped = at
        if at >= end:
            return MORE, stopped, row, after_one
        if separated:
            if text[at] == 93:
                return END, at + 1, row, after_one
            if after_one:
                if text[at] != 44:
                    return WRONG, at, row, after_one
                at = _skip_space(text, at + 1)
                if at >= end:
                    return MORE, stopped, row, after_one
        if text[at] != 123:
            return WRONG, at, row, after_one
        behind, xy_, rings_, parts_ = _feature(text, at, end, found, row, n_xy, n_rings, n_parts)
        if behind < 0:
            behind = end_of_value(text, at, end)
            if behind < 0:
                return MORE, stopped, row, after_one
            found.kinds[row] = UNKNOWN
            found.spans[row, 0] = at
            found.spans[row, 1] = behind
            found.spans[row, 2:6] = -1
        else:
            n_xy, n_rings, n_parts = xy_, rings_, parts_
        row += 1
        found.shapes[row] = n_parts
        after_one = True
        at = behind
