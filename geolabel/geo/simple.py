"""Shapes that are valid for certain, found in compiled code: GEOS need only look at the others.

Two edges are apart when their boxes are, or when the sign of an orientation that exceeds its rounding error says so.
Error bound: J. R. Shewchuk, Adaptive Precision Floating-Point Arithmetic and Fast Robust Geometric Predicates, 1997.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from geolabel.compiled import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geolabel.geo.ragged import Ragged

_ROUNDING = (3.0 + 16.0 * 2.0**-53) * 2.0**-53
_MOST_EDGES = 256  # every edge is held against every other: beyond this GEOS is quicker
_MOST_HOLES = 16


def certainly_valid(shapes: Ragged) -> NDArray[np.bool_]:
    """Which shapes (n,) are valid beyond doubt. False says nothing; it also stands where there is no shape."""
    result = np.zeros(len(shapes), dtype=np.bool_)
    _prove(shapes.kinds, shapes.xy, shapes.rings, shapes.parts, shapes.shapes, result)
    return result


@compiled
def _prove(
    kinds: NDArray[np.int8],
    xy: NDArray[np.float64],
    rings: NDArray[np.int64],
    parts: NDArray[np.int64],
    shapes: NDArray[np.int64],
    result: NDArray[np.bool_],
) -> None:
    for shape in range(len(kinds)):
        kind = kinds[shape]
        if kind in (3, 6):
            if shapes[shape + 1] - shapes[shape] == 1:
                part = shapes[shape]
                result[shape] = _polygon(xy, rings, parts[part], parts[part + 1])
        elif kind >= 0:
            first, last = rings[parts[shapes[shape]]], rings[parts[shapes[shape + 1]]]
            good = True
            for vertex in range(first, last):
                good &= np.isfinite(xy[vertex, 0]) and np.isfinite(xy[vertex, 1])
            if kind in (1, 5):
                for ring in range(parts[shapes[shape]], parts[shapes[shape + 1]]):
                    good &= _moves(xy, rings[ring], rings[ring + 1])
            result[shape] = good


@compiled
def _moves(xy: NDArray[np.float64], begin: int, end: int) -> bool:
    """Whether a line has two different vertices."""
    for vertex in range(begin + 1, end):
        if xy[vertex, 0] != xy[begin, 0] or xy[vertex, 1] != xy[begin, 1]:
            return True
    return False


@compiled
def _side(ax: float, ay: float, bx: float, by: float, px: float, py: float) -> int:
    """On which side of the line a-b the point is, 1 or -1; 0 when rounding leaves it open (or a value is not finite)."""
    left, right = (ax - px) * (by - py), (ay - py) * (bx - px)
    turn = left - right
    bound = _ROUNDING * (abs(left) + abs(right))
    if turn > bound:
        return 1
    if -turn > bound:
        return -1
    return 0


@compiled
def _polygon(xy: NDArray[np.float64], rings: NDArray[np.int64], first: int, last: int) -> bool:
    """Whether the polygon of these rings is certainly valid."""
    begin, end = rings[first], rings[last]
    if last == first or end - begin - (last - first) > _MOST_EDGES or last - first - 1 > _MOST_HOLES:
        return False
    for ring in range(first, last):
        a, b = rings[ring], rings[ring + 1] - 1
        if b - a < 3 or xy[a, 0] != xy[b, 0] or xy[a, 1] != xy[b, 1]:
            return False
    for ring in range(first, last):
        for edge in range(rings[ring], rings[ring + 1] - 1):
            if not _apart_from_later(xy, rings, ring, edge, last):
                return False
    # No two rings meet, so one vertex tells where a whole ring is.
    for hole in range(first + 1, last):
        if _inside(xy, rings[first], rings[first + 1], rings[hole]) != 1:
            return False
        for other in range(first + 1, last):
            if other != hole and _inside(xy, rings[other], rings[other + 1], rings[hole]) != -1:
                return False
    return True


@compiled
def _apart_from_later(xy: NDArray[np.float64], rings: NDArray[np.int64], ring: int, edge: int, last: int) -> bool:
    """Whether an edge goes on from the one before, and meets none of those that follow but its neighbours."""
    ax, ay, bx, by = xy[edge, 0], xy[edge, 1], xy[edge + 1, 0], xy[edge + 1, 1]
    if not (np.isfinite(ax) and np.isfinite(ay)) or (ax == bx and ay == by):
        return False
    low_x, high_x = min(ax, bx), max(ax, bx)
    low_y, high_y = min(ay, by), max(ay, by)
    begin, end = rings[ring], rings[ring + 1]
    following = edge + 1 if edge + 2 < end else begin
    cx, cy = xy[following + 1, 0], xy[following + 1, 1]
    if _side(ax, ay, bx, by, cx, cy) == 0:
        # In line: fine when it goes on, for certain; turning back it would lie on itself.
        forward = (bx - ax) * (cx - bx) + (by - ay) * (cy - by)
        if not forward > 1e-9 * (abs(bx - ax) + abs(by - ay)) * (abs(cx - bx) + abs(cy - by)):
            return False
    for other in range(ring, last):
        start = edge + 2 if other == ring else rings[other]
        stop = rings[other + 1] - 1
        if other == ring and edge == begin:
            stop -= 1  # the last edge is the neighbour of the first
        for o in range(start, stop):
            px, py, qx, qy = xy[o, 0], xy[o, 1], xy[o + 1, 0], xy[o + 1, 1]
            if max(px, qx) < low_x or min(px, qx) > high_x or max(py, qy) < low_y or min(py, qy) > high_y:
                continue
            if _side(ax, ay, bx, by, px, py) * _side(ax, ay, bx, by, qx, qy) == 1:
                continue
            if _side(px, py, qx, qy, ax, ay) * _side(px, py, qx, qy, bx, by) == 1:
                continue
            return False
    return True


@compiled
def _inside(xy: NDArray[np.float64], begin: int, end: int, vertex: int) -> int:
    """Whether a vertex lies in a ring (1) or outside (-1); 0 when rounding leaves it open."""
    x, y = xy[vertex, 0], xy[vertex, 1]
    inside = False
    for edge in range(begin, end - 1):
        ax, ay, bx, by = xy[edge, 0], xy[edge, 1], xy[edge + 1, 0], xy[edge + 1, 1]
        if (ay > y) != (by > y):
            side = _side(ax, ay, bx, by, x, y)
            if side == 0:
                return 0
            if (side == 1) == (by > ay):
                inside = not inside
    return 1 if inside else -1
