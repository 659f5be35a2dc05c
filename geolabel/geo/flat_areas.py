"""Areas of many small shapes as flat arrays, in compiled code: the doubles that `geolabel.geo.measure` gives, to the last bit.

For that every sum is taken in the order in which numpy takes it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from geolabel.compiled import compiled, compiled_for_vectors
from geolabel.geo.measure import SMALL_M, SMALL_TURN

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geolabel.geo.ragged import Ragged

_RADIANS = math.pi / 180.0
_REACH = SMALL_M / 2
_LONGEST = 129
"""Vertices of a ring up to which numpy's sum of its parts has one level."""


def small_areas(
    degrees: Ragged, bounds: NDArray[np.float64], semi_major: float, flattening: float
) -> NDArray[np.float64]:
    """Areas in m2 of shapes (n,), holes subtracted; NaN for large ones and those of long rings, 0 for what has no area.

    Args:
        degrees: longitude and latitude.
        bounds: (n, 4) of the shapes.
        semi_major: axis of the ellipsoid, in metres.
        flattening: of the ellipsoid.
    """
    middles = 0.5 * (bounds[:, :2] + bounds[:, 2:])
    turned = np.radians(middles[:, 1])
    places = np.column_stack((middles, np.sin(turned), np.cos(turned)))
    result = np.zeros(len(degrees))
    arrays = (degrees.kinds, degrees.xy, degrees.rings, degrees.parts, degrees.shapes)
    _measure(*arrays, places, semi_major, flattening, result)
    return result


def warm_up() -> None:
    """Compile what is here, or load it when it was compiled before."""
    none, one = np.zeros(1, dtype=np.int64), np.empty((0, 4))
    _measure(np.empty(0, np.int8), np.empty((0, 2)), none, none, none, one, 1.0, 0.0, np.empty(0))


@compiled
def _measure(
    kinds: NDArray[np.int8],
    xy: NDArray[np.float64],
    rings: NDArray[np.int64],
    parts: NDArray[np.int64],
    shapes: NDArray[np.int64],
    places: NDArray[np.float64],
    semi_major: float,
    flattening: float,
    result: NDArray[np.float64],
) -> None:
    ground = np.empty((2, _LONGEST))
    for shape in range(len(kinds)):
        if kinds[shape] not in (3, 6):
            continue
        first, last = shapes[shape], shapes[shape + 1]
        total = 0.0
        # First the parts without holes, then the rest, as numpy has them.
        for holed in (False, True):
            for part in range(first, last):
                if (parts[part + 1] - parts[part] > 1) != holed:
                    continue
                for ring in range(parts[part], parts[part + 1]):
                    area = _ring(xy[rings[ring] : rings[ring + 1]], places[shape], semi_major, flattening, ground)
                    total += area if ring == parts[part] else -area
        result[shape] = total


@compiled
def _ring(
    xy: NDArray[np.float64],
    place: NDArray[np.float64],
    semi_major: float,
    flattening: float,
    ground: NDArray[np.float64],
) -> float:
    """The area of a ring; NaN when a vertex is far from the middle, or there are too many."""
    count = len(xy)
    if count > _LONGEST or not _to_the_ground(xy, place, semi_major, flattening, ground):
        return np.nan
    twice = ground[0]
    for i in range(count - 1):
        twice[i] = ground[0, i] * ground[1, i + 1] - ground[0, i + 1] * ground[1, i]
    twice[count - 1] = 0.0
    area: float = 0.5 * abs(twice[0] + _sum(twice, 1, count - 1))
    return area


@compiled
def _sum(values: NDArray[np.float64], begin: int, count: int) -> float:
    """The sum of at most 128 numbers, in numpy's order."""
    if count < 8:
        few = 0.0
        for i in range(begin, begin + count):
            few += values[i]
        return few
    r0, r1, r2, r3 = values[begin], values[begin + 1], values[begin + 2], values[begin + 3]
    r4, r5, r6, r7 = values[begin + 4], values[begin + 5], values[begin + 6], values[begin + 7]
    whole = count - count % 8
    for i in range(begin + 8, begin + whole, 8):
        r0 += values[i]
        r1 += values[i + 1]
        r2 += values[i + 2]
        r3 += values[i + 3]
        r4 += values[i + 4]
        r5 += values[i + 5]
        r6 += values[i + 6]
        r7 += values[i + 7]
    total: float = ((r0 + r1) + (r2 + r3)) + ((r4 + r5) + (r6 + r7))
    for i in range(begin + whole, begin + count):
        total += values[i]
    return total


@compiled_for_vectors
def _to_the_ground(
    xy: NDArray[np.float64],
    place: NDArray[np.float64],
    semi_major: float,
    flattening: float,
    ground: NDArray[np.float64],
) -> bool:
    """See `geolabel.geo.measure`; False when a vertex is far."""
    x0, y0, sin0, cos0 = place[0], place[1], place[2], place[3]
    squared = flattening * (2.0 - flattening)
    radius0 = semi_major / math.sqrt(1.0 - squared * sin0 * sin0)
    near = 0
    for i in range(len(xy)):
        half_e = (xy[i, 0] - x0) * _RADIANS * 0.5
        half_n = (xy[i, 1] - y0) * _RADIANS * 0.5
        e2, n2 = half_e * half_e, half_n * half_n
        sin_e, sin_n = half_e * (1.0 - e2 / 6.0), half_n * (1.0 - n2 / 6.0)
        cos_n = 1.0 - n2 * 0.5
        d_sin = 2.0 * sin_n * (cos0 * cos_n - sin0 * sin_n)
        d_cos = -2.0 * sin_n * (sin0 * cos_n + cos0 * sin_n)
        sin1, cos1 = sin0 + d_sin, cos0 + d_cos
        radius1 = semi_major / math.sqrt(1.0 - squared * sin1 * sin1)
        share = radius1 * radius0 / semi_major
        d_radius = share * share * squared * d_sin * (sin1 + sin0) / (radius1 + radius0)
        d_axis = radius1 * d_cos + d_radius * cos0
        d_height = (1.0 - squared) * (radius1 * d_sin + d_radius * sin0)
        across = radius1 * cos1 * 2.0 * sin_e
        east = across * (1.0 - e2 * 0.5)
        north = -sin0 * (d_axis - across * sin_e) + cos0 * d_height
        ground[0, i] = east
        ground[1, i] = north
        near += (abs(east) < _REACH) & (abs(north) < _REACH) & (abs(half_e) < SMALL_TURN) & (abs(half_n) < SMALL_TURN)
    return near == len(xy)
