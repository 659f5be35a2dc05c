"""Many shapes into another CRS: what `crs.transform_geometries` does, at the price of one transformation for most shapes.

A shape takes the short way when nothing can happen to it there: its vertices lie where the other CRS is at home, and edges
as long as its longest bend by far less than the tolerance everywhere around. All others take the long way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from geolabel.geo import crs as crs_
from geolabel.geo.boxes import corners_of
from geolabel.geo.edges import longest_straight
from geolabel.geo.ragged import Ragged, from_shapely
from geolabel.model import CRS84

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geolabel.geo.tolerance import Tolerance

_WIDEST = 10.0  # degrees: small enough for `longest_straight`


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
        round_trip=tolerance.round_trip(source, target),
    )
    crs_.refuse_nowhere(slow, target)
    return moved.with_rows(far, from_shapely(slow))


def _short_way(shapes: Ragged, source: str, target: str, tolerance: Tolerance) -> tuple[Ragged, NDArray[np.int64]]:
    """The transformed shapes, and which of them must take the long way."""
    home = crs_.area_of_use(target)
    low, high = corners_of(shapes.xy)
    near = crs_.is_geographic(source) and not crs_.is_geographic(target) and (high - low).max() <= _WIDEST
    if home is None or home[0] >= home[2] or not near:
        return shapes, np.flatnonzero(shapes.kinds >= 0)
    moved = crs_.transform_coordinates(shapes.xy, source, target)
    west, south, east, north = home
    away = ~(np.isfinite(moved[:, 0]) & np.isfinite(moved[:, 1]))
    if low[0] < west or low[1] < south or high[0] > east or high[1] > north:
        x, y = shapes.xy.T
        away |= (x < west) | (x > east) | (y < south) | (y > north)
    edges = np.hypot(*np.diff(shapes.xy, axis=0).T)
    edges[shapes.rings[1:-1] - 1] = 0.0  # from the end of one ring to the start of the next is no edge
    limit = longest_straight(
        low,
        high,
        float(edges.max(initial=0.0)),
        lambda xy: crs_.transform_coordinates(xy, source, target),
        tolerance.bend(target),
    )
    away[:-1] |= edges > limit
    owners = np.searchsorted(shapes.vertices, np.flatnonzero(away), side="right") - 1
    result = Ragged(shapes.kinds, moved, shapes.z, shapes.rings, shapes.parts, shapes.shapes)
    return result, np.unique(owners)


def _refuse_nowhere(shapes: Ragged, crs: str) -> None:
    base = crs_.geodetic(crs)
    if base is not None:
        degrees = crs_.transform_coordinates(shapes.xy, crs, CRS84 if crs_.on_earth(crs) else base)
        if ((np.abs(degrees[:, 0]) <= 360) & (np.abs(degrees[:, 1]) <= 90)).all():
            return
    crs_.refuse_nowhere(shapes.take(np.flatnonzero(shapes.kinds >= 0)).to_shapely(), crs)
