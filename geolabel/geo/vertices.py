"""Vertices that nobody touched come back as the very doubles that were stored.

A client that reads a label in one CRS and sends it back cannot return the stored doubles: the way there and back loses
the last bits, and many clients send six decimals. So an incoming vertex that equals the vertex that was served, within
the decimals that it is written with, becomes the stored vertex again, and a vertex that was only served to bend an edge
(see `geolabel.geo.crs.transform_geometries`) is dropped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import shapely
from shapely.geometry import LineString, MultiLineString, MultiPolygon, Polygon

from geolabel.geo import crs as crs_

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from shapely.geometry.base import BaseGeometry

# A vertex with fewer decimals than these is read as if it had them: (12, 34) is a new place, not a rounded old one.
# Six decimals of a degree (11 cm) is what QGIS and GDAL send.
_LEAST_DECIMALS_GEOGRAPHIC = 6
_LEAST_DECIMALS_PROJECTED = 3
_MOST_DECIMALS = 17


def restore_untouched(
    incoming: BaseGeometry,
    current: BaseGeometry,
    crs: str,
    storage: str,
    *,
    tolerance: float | None = None,
    round_trip: float | None = None,
) -> BaseGeometry:
    """Bring an edited shape to the storage CRS without moving the vertices that were not edited.

    Args:
        incoming: the shape that a client sent, (x, y) in `crs`.
        current: the stored shape that the client had read, in `storage`.
        crs: CRS of `incoming`.
        storage: CRS of `current` and of the result.
        tolerance: in units of `crs`: what `current` was served with (`transform_geometries`); None for no densifying.
        round_trip: in units of `storage`: refuse coordinates that do not come back within this.

    Returns:
        `incoming` in `storage`, where each vertex that equals a served vertex of `current` has its stored doubles.
        Z stays as it came in.

    Raises:
        InvalidCRS: a coordinate has no place in `storage`.
    """
    moved: BaseGeometry = crs_.transform_geometries(_array(incoming), crs, storage, round_trip=round_trip)[0]
    stored = shapely.get_coordinates(current)
    served = shapely.get_coordinates(crs_.transform_geometries(_array(current), storage, crs, tolerance=tolerance))
    origin = _origins(served, crs_.transform_coordinates(stored, storage, crs))
    sent = shapely.get_coordinates(incoming)
    match = _match(sent, served, _half_units(sent, crs))
    source = np.where(match >= 0, origin[match], -1)
    coordinates = shapely.get_coordinates(moved, include_z=moved.has_z)
    coordinates[source >= 0, :2] = stored[source[source >= 0]]
    restored: BaseGeometry = shapely.set_coordinates(_array(moved), coordinates)[0]
    only_bends = (match >= 0) & (origin[match] < 0)
    return _without(restored, only_bends) if only_bends.any() else restored


def decimals_used(xy: NDArray[np.float64]) -> NDArray[np.int64]:
    """The least number of decimals, at most 17, that writes both numbers of a vertex as they are, (n,)."""
    slack = 2 * np.spacing(np.abs(xy))
    used = np.full(len(xy), _MOST_DECIMALS)
    for decimals in reversed(range(_MOST_DECIMALS)):
        used[np.all(np.abs(np.round(xy, decimals) - xy) <= slack, axis=1)] = decimals
    return used


def _array(geometry: BaseGeometry) -> NDArray[np.object_]:
    array = np.empty(1, dtype=object)
    array[0] = geometry
    return array


def _half_units(sent: NDArray[np.float64], crs: str) -> NDArray[np.float64]:
    """Half of the last decimal of each vertex, in units of its CRS, with room for the rounding of doubles, (n,)."""
    least = _LEAST_DECIMALS_GEOGRAPHIC if crs_.is_geographic(crs) else _LEAST_DECIMALS_PROJECTED
    decimals = np.maximum(decimals_used(sent), least)
    half: NDArray[np.float64] = 0.5 * 10.0**-decimals * (1 + 1e-3) + 4 * np.spacing(np.abs(sent).max(axis=1))
    return half


def _origins(served: NDArray[np.float64], plain: NDArray[np.float64]) -> NDArray[np.int64]:
    """For each served vertex the index of the stored vertex that it shows, or -1 when it was added to bend an edge."""
    if len(served) == len(plain):
        return np.arange(len(served))
    _, ids = np.unique(np.concatenate([plain, served]), axis=0, return_inverse=True)
    ids = ids.ravel()
    first = np.full(ids.max() + 1, -1, dtype=np.int64)
    first[ids[: len(plain)][::-1]] = np.arange(len(plain))[::-1]
    return first[ids[len(plain) :]]


def _match(sent: NDArray[np.float64], served: NDArray[np.float64], half: NDArray[np.float64]) -> NDArray[np.int64]:
    """For each sent vertex the index of the served vertex within `half` on both axes, or -1.

    Several served vertices may lie that near (a closed ring, a coarse rounding): the one whose place in the order has
    shifted like the last sure one is taken, so that runs of vertices stay runs.
    """
    boxes = shapely.box(sent[:, 0] - half, sent[:, 1] - half, sent[:, 0] + half, sent[:, 1] + half)
    places: NDArray[np.object_] = np.asarray(shapely.points(served), dtype=object)
    at, candidate = shapely.STRtree(places).query(boxes)
    match = np.full(len(sent), -1, dtype=np.int64)
    count = np.bincount(at, minlength=len(sent))
    sure = count[at] == 1
    match[at[sure]] = candidate[sure]
    if not sure.all():
        last_sure = np.maximum.accumulate(np.where(count == 1, np.arange(len(sent)), -1))
        shift = np.where(last_sure >= 0, match[last_sure] - last_sure, 0)
        at, candidate = at[~sure], candidate[~sure]
        order = np.lexsort((candidate, np.abs(candidate - at - shift[at]), at))
        at, candidate = at[order], candidate[order]
        best = np.flatnonzero(np.diff(at, prepend=-1))
        match[at[best]] = candidate[best]
    return match


def _without(geometry: BaseGeometry, drop: NDArray[np.bool_]) -> BaseGeometry:
    """The same shape without the marked vertices; a ring or line that would have too few keeps all of its own."""
    rest = iter(np.split(drop, np.cumsum([shapely.get_num_coordinates(p) for p in _paths(geometry)])[:-1]))

    def thin(path: BaseGeometry, least: int, *, closed: bool) -> NDArray[np.float64]:
        coordinates = shapely.get_coordinates(path, include_z=path.has_z)
        kept = coordinates[~next(rest)]
        if closed and len(kept) and not np.array_equal(kept[0], kept[-1]):
            kept = np.concatenate([kept, kept[:1]])
        return kept if len(kept) >= least else coordinates

    def polygon(part: Polygon) -> Polygon:
        rings = [thin(ring, 4, closed=True) for ring in (part.exterior, *part.interiors)]
        return Polygon(rings[0], rings[1:])

    match geometry:
        case Polygon():
            return polygon(geometry)
        case MultiPolygon():
            return MultiPolygon([polygon(part) for part in geometry.geoms])
        case LineString():
            return LineString(thin(geometry, 2, closed=False))
        case MultiLineString():
            return MultiLineString([thin(part, 2, closed=False) for part in geometry.geoms])
    return geometry


def _paths(geometry: BaseGeometry) -> list[BaseGeometry]:
    """The rings and lines of a shape, in the order of its coordinates."""
    parts = shapely.get_parts(geometry)
    return [path for part in parts for path in (shapely.get_rings(part) if part.geom_type == "Polygon" else [part])]
