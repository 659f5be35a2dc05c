"""Many shapes into another CRS: what `crs.transform_geometries` does, at the price of one transformation for most shapes.

A shape takes the short way when nothing can happen to it there: its vertices lie where the other CRS is at home, and edges
as long as its longest bend by far less than the tolerance everywhere around. All others take the long way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from geolabel.geo import crs as crs_
from geolabel.geo.ragged import Ragged, from_shapely
from geolabel.model import CRS84

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geolabel.geo.tolerance import Tolerance

_PROBES = 9
_WIDEST = 10.0  # degrees: on less, the bend of an edge changes by less than _SAFETY between two probes
_SAFETY = 8.0


def reproject(shapes: Ragged, source: str, target: str, tolerance: Tolerance) -> Ragged:
    """Bring shapes into another CRS; edges that bend get vertices, Z is kept.

    Args:
        shapes: (n,), finite, in `source`.
        source: their CRS.
        target: CRS wanted.
        tolerance: how far an edge may bend, and how near a coordinate must come back.

    Returns:
        (n,) in `target`; the very coordinates when both mean the same.

    Raises:
        InvalidCRS: a coordinate that `target` cannot hold, or that is nowhere on the Earth.
    """
    if len(shapes.xy) == 0:
        return shapes
    if crs_.same(source, target):
        _refuse_nowhere(shapes, target)
        return shapes
    moved, far = _short_way(shapes, source, target, tolerance)
    if len(far) == 0:
        return moved
    slow = crs_.transform_geometries(
        shapes.take(far).to_shapely(),
        source,
        target,
        tolerance=tolerance.bend(target),
        round_trip=tolerance.round_trip(target),
    )
    crs_.refuse_nowhere(slow, target)
    return moved.with_rows(far, from_shapely(slow))


def _short_way(shapes: Ragged, source: str, target: str, tolerance: Tolerance) -> tuple[Ragged, NDArray[np.int64]]:
    """The transformed shapes, and which of them must take the long way."""
    home = crs_.area_of_use(target)
    low, high = shapes.xy.min(axis=0), shapes.xy.max(axis=0)
    near = crs_.is_geographic(source) and not crs_.is_geographic(target) and (high - low).max() <= _WIDEST
    if home is None or home[0] >= home[2] or not near:
        return shapes, np.flatnonzero(shapes.kinds >= 0)
    moved = crs_.transform_coordinates(shapes.xy, source, target)
    west, south, east, north = home
    away: NDArray[np.bool_] = ~np.isfinite(moved).all(axis=1)
    if low[0] < west or low[1] < south or high[0] > east or high[1] > north:
        x, y = shapes.xy.T
        away |= (x < west) | (x > east) | (y < south) | (y > north)
    limit = _longest_straight(low, high, source, target, tolerance.bend(target) / _SAFETY, shapes)
    if np.isfinite(limit):
        edges = np.hypot(*np.diff(shapes.xy, axis=0).T)
        edges[shapes.rings[1:-1] - 1] = 0.0  # from the end of one ring to the start of the next is no edge
        away[:-1] |= edges > limit
    owners = np.searchsorted(shapes.vertices, np.flatnonzero(away), side="right") - 1
    result = Ragged(shapes.kinds, moved, shapes.z, shapes.rings, shapes.parts, shapes.shapes)
    return result, np.unique(owners)


def _longest_straight(
    low: NDArray[np.float64], high: NDArray[np.float64], source: str, target: str, bend: float, shapes: Ragged
) -> float:
    """How long an edge between two corners may be, in units of `source`, to bend by no more than `bend`; infinity for any."""
    longest = float(np.hypot(*np.abs(np.diff(shapes.xy, axis=0)).max(axis=0))) if len(shapes.xy) > 1 else 0.0
    longest = min(longest, float(np.hypot(*(high - low))))
    if longest == 0.0:
        return np.inf
    across = np.linspace(low, high, _PROBES)
    places = np.array([(x, y) for x in across[:, 0] for y in across[:, 1]])
    turns = np.array([(1.0, 0.0), (0.0, 1.0), (0.70710678, 0.70710678), (0.70710678, -0.70710678)])
    half = 0.5 * longest * np.tile(turns, (len(places), 1))
    middles = np.repeat(places, len(turns), axis=0)
    begin, middle, end = (
        crs_.transform_coordinates(middles + share * half, source, target) for share in (-1.0, 0.0, 1.0)
    )
    with np.errstate(invalid="ignore"):
        worst = float(np.hypot(*(middle - 0.5 * (begin + end)).T).max())
    if not np.isfinite(worst):
        return 0.0
    return np.inf if worst <= bend else longest * float(np.sqrt(bend / worst))


def _refuse_nowhere(shapes: Ragged, crs: str) -> None:
    base = crs_.geodetic(crs)
    if base is not None:
        degrees = crs_.transform_coordinates(shapes.xy, crs, CRS84 if crs_.on_earth(crs) else base)
        if ((np.abs(degrees[:, 0]) <= 360) & (np.abs(degrees[:, 1]) <= 90)).all():
            return
    crs_.refuse_nowhere(shapes.take(np.flatnonzero(shapes.kinds >= 0)).to_shapely(), crs)
