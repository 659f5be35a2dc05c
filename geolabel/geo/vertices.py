"""Vertices that nobody touched come back as the very doubles that were stored.

A client that reads a label in one CRS and sends it back cannot return the stored doubles: the way there and back loses
the last bits, and many clients send six decimals. So an incoming vertex that equals the vertex that was served, within
the decimals that it is written with, becomes the stored vertex again, and a vertex that was only served to bend an edge
or to cut a shape at the antimeridian (see `geolabel.geo.shown`) is dropped.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import shapely

from geolabel.geo import crs as crs_
from geolabel.geo.antimeridian import wrapped
from geolabel.geo.edges import paths_of, rebuilt
from geolabel.geo.heights import with_heights
from geolabel.geo.seam import end_of, join, snapped
from geolabel.geo.shown import shown

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from shapely.geometry.base import BaseGeometry

# A vertex with fewer decimals than these is read as if it had them: (12, 34) is a new place, not a rounded old one.
# Six decimals of a degree (11 cm) is what QGIS and GDAL send.
_LEAST_DECIMALS_GEOGRAPHIC = 6
_LEAST_DECIMALS_PROJECTED = 3
_MOST_DECIMALS = 17
# What is nearer than this is one vertex that went two ways through PROJ: a hundredth of a millimetre.
_SAME_DEGREES = 1e-10
_SAME_UNITS = 1e-5


def bring_in(
    incoming: BaseGeometry,
    crs: str,
    storage: str,
    *,
    tolerance: float | None = None,
    round_trip: float | None = None,
) -> BaseGeometry:
    """Bring a new shape to the storage CRS, in one piece where it was cut at the antimeridian.

    Args:
        incoming: (x, y) in `crs`.
        crs: CRS of `incoming`.
        storage: CRS of the result.
        tolerance: in units of `storage`: an edge that would bend by more gets vertices first.
        round_trip: in units of `storage`: refuse coordinates that do not come back within this.

    Raises:
        InvalidCRS: a coordinate has no place in `storage`.
    """
    [dense] = crs_.densify_for(one(incoming), crs, storage, tolerance)
    return _placed(dense, crs, storage, round_trip).geometry


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
        tolerance: in units of `crs`: what `current` was served with (`shown`); None for no densifying.
        round_trip: in units of `storage`: refuse coordinates that do not come back within this.

    Returns:
        `incoming` in `storage`, where each vertex that equals a served vertex of `current` has its stored doubles. It
        has Z when either has: a vertex that came without keeps its own, a new one gets one (see `with_heights`).

    Raises:
        InvalidCRS: a coordinate has no place in `storage`.
    """
    stored = shapely.get_coordinates(current, include_z=True)
    degrees = crs_.is_geographic(crs)
    [view] = shown(one(current), storage, crs, tolerance=tolerance)
    [plain] = crs_.transform_geometries(one(shapely.MultiPoint(stored[:, :2])), storage, crs)
    served, plain = _comparable(shapely.get_coordinates(view), degrees), shapely.get_coordinates(plain)
    origin = _origins(served, _comparable(plain, degrees), crs, _firsts(current))
    sent = shapely.get_coordinates(incoming, include_z=True)
    match = _match(_comparable(sent[:, :2], degrees), served, half_units(sent[:, :2], crs))
    source = np.where(match >= 0, origin[match], -1)
    only_bends = (match >= 0) & (source < 0)

    placed = _placed(incoming, crs, storage, round_trip)
    there = placed.vertex >= 0
    came_from = np.where(there, source[placed.vertex], -1)
    xy = shapely.get_coordinates(placed.geometry)
    kept = came_from >= 0
    if crs_.is_geographic(storage):
        xy[:, 0] += _turns(xy[:, 0], stored[came_from, 0], kept)
    xy[kept] = stored[came_from[kept], :2]
    flat = shapely.force_2d(placed.geometry)
    restored: BaseGeometry = shapely.set_coordinates(one(flat), xy)[0]
    if incoming.has_z or current.has_z:
        z = np.where(there, sent[placed.vertex, 2], np.nan)
        known = stored[came_from, 2]
        z = np.where(kept & ~np.isnan(known) & (np.isnan(z) | _rounded_to(z, known)), known, z)
        restored = with_heights(restored, z, stored[~np.isnan(stored[:, 2])])
    drop = there & only_bends[placed.vertex]
    restored, came_from = _without(restored, drop, came_from)
    return restored if placed.geometry_is_sent else in_order(restored, came_from)


def decimals_used(xy: NDArray[np.float64]) -> NDArray[np.int64]:
    """The least number of decimals, at most 17, that writes both numbers of a vertex as they are, (n,)."""
    slack = 2 * np.spacing(np.abs(xy))
    used = np.full(len(xy), _MOST_DECIMALS)
    for decimals in reversed(range(_MOST_DECIMALS)):
        used[np.all(np.abs(np.round(xy, decimals) - xy) <= slack, axis=1)] = decimals
    return used


def one(geometry: BaseGeometry) -> NDArray[np.object_]:
    """An array of one shape."""
    array = np.empty(1, dtype=object)
    array[0] = geometry
    return array


def half_units(sent: NDArray[np.float64], crs: str) -> NDArray[np.float64]:
    """Half of the last decimal of each vertex, in units of its CRS, with room for the rounding of doubles, (n,)."""
    least = _LEAST_DECIMALS_GEOGRAPHIC if crs_.is_geographic(crs) else _LEAST_DECIMALS_PROJECTED
    decimals = np.maximum(decimals_used(sent), least)
    half: NDArray[np.float64] = 0.5 * 10.0**-decimals * (1 + 1e-3) + 4 * np.spacing(np.abs(sent).max(axis=1))
    return half


@dataclass(frozen=True, slots=True)
class _Placed:
    """A shape in the storage CRS, and which sent vertex each of its vertices is (-1 for none)."""

    geometry: BaseGeometry
    vertex: NDArray[np.int64]
    geometry_is_sent: bool


def _placed(sent: BaseGeometry, crs: str, storage: str, round_trip: float | None) -> _Placed:
    """A sent shape in the storage CRS, joined where it was cut at the end of its own."""
    degrees, stays_degrees = crs_.is_geographic(crs), crs_.is_geographic(storage)
    end = end_of(crs, degrees=degrees)
    side = np.zeros(shapely.get_num_coordinates(sent), dtype=np.int8)
    given = sent
    if end is not None and end_of(storage, degrees=stays_degrees) in {None, 180.0}:
        xyz = shapely.get_coordinates(sent, include_z=sent.has_z)
        if degrees:
            xyz[:, 0] -= 360 * _part_turns(sent)
        side = snapped(xyz[:, :2], half_units(xyz[:, :2], crs), end)
        if (side > 0).any() and (side < 0).any():
            # On the ground both ends are one meridian; in degrees a part beyond it is put beside the other below.
            xyz[:, 0] = np.where(side != 0, end * (side if stays_degrees else 1), xyz[:, 0])
        given = shapely.set_coordinates(one(sent), xyz)[0]
    [moved] = crs_.transform_geometries(one(given), crs, storage, round_trip=round_trip)
    joined = join(moved, side, 360.0 if stays_degrees else 0.0)
    return _Placed(joined.geometry, joined.vertex, joined.geometry is moved)


def _part_turns(geometry: BaseGeometry) -> NDArray[np.float64]:
    """By how many turns the part of each vertex lies east of where its west is in [-180, 180), (n,)."""
    parts = shapely.get_parts(geometry)
    turns = np.floor((shapely.bounds(parts)[:, 0] + 180) / 360)
    points = shapely.get_type_id(parts) == 0
    return np.repeat(
        np.where(points & (np.abs(shapely.bounds(parts)[:, 0]) <= 180), 0.0, turns), shapely.get_num_coordinates(parts)
    )


def _comparable(xy: NDArray[np.float64], degrees: bool) -> NDArray[np.float64]:
    """Coordinates by which vertices are told apart: a longitude means the same a turn further on."""
    return np.column_stack((wrapped(xy[:, 0]), xy[:, 1])) if degrees else xy


def _turns(x: NDArray[np.float64], stored: NDArray[np.float64], kept: NDArray[np.bool_]) -> NDArray[np.float64]:
    """What brings longitudes beside the stored ones: each vertex goes with the last one before it that was kept, (n,)."""
    if not kept.any():
        return np.zeros(len(x))
    turns = np.where(kept, 360 * np.round((stored - x) / 360), 0.0)
    last = np.maximum.accumulate(np.where(kept, np.arange(len(x)), -1))
    brought: NDArray[np.float64] = turns[np.where(last < 0, np.argmax(kept), last)]
    return brought


def _rounded_to(z: NDArray[np.float64], stored: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which heights are the stored ones, as written with fewer decimals, (n,)."""
    sent = np.nan_to_num(np.column_stack((z, z)))
    decimals = np.maximum(decimals_used(sent), _LEAST_DECIMALS_PROJECTED)
    same: NDArray[np.bool_] = np.abs(z - stored) <= 0.5 * 10.0**-decimals * (1 + 1e-3) + 4 * np.spacing(
        np.abs(sent[:, 0])
    )
    return same


def _origins(
    served: NDArray[np.float64], plain: NDArray[np.float64], crs: str, first: NDArray[np.int64]
) -> NDArray[np.int64]:
    """For each served vertex the index of the stored vertex that it shows, or -1 when it was added (a bend, a cut).

    A cut ring begins elsewhere: `first` says which vertex the last one of a stored ring repeats.
    """
    if np.array_equal(served, plain):
        return np.arange(len(served))
    near = _SAME_DEGREES if crs_.is_geographic(crs) else _SAME_UNITS
    match = _match(served, plain, np.full(len(served), near))
    return np.where(match >= 0, first[match], -1)


def _firsts(geometry: BaseGeometry) -> NDArray[np.int64]:
    """For each vertex its index; for the last one of a ring that of the first, (n,)."""
    firsts = np.arange(shapely.get_num_coordinates(geometry))
    begin = 0
    for path, closed in paths_of(geometry):
        end = begin + int(shapely.get_num_coordinates(path))
        if closed:
            firsts[end - 1] = begin
        begin = end
    return firsts


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


def _without(
    geometry: BaseGeometry, drop: NDArray[np.bool_], came_from: NDArray[np.int64]
) -> tuple[BaseGeometry, NDArray[np.int64]]:
    """The same shape without the marked vertices; a ring or line that would have too few keeps all of its own."""
    if not drop.any():
        return geometry, came_from
    paths: list[NDArray[np.float64]] = []
    origins: list[NDArray[np.int64]] = []
    begin = 0
    for path, closed in paths_of(geometry):
        coordinates = shapely.get_coordinates(path, include_z=path.has_z)
        here = slice(begin, begin + len(coordinates))
        begin = here.stop
        rest = np.flatnonzero(~drop[here])
        if closed and len(rest) and not np.array_equal(coordinates[rest[0]], coordinates[rest[-1]]):
            rest = np.append(rest, rest[0])
        if len(rest) < (4 if closed else 2):
            rest = np.arange(len(coordinates))
        paths.append(coordinates[rest])
        origins.append(came_from[here][rest])
    return rebuilt(geometry, paths), np.concatenate(origins)


def in_order(geometry: BaseGeometry, came_from: NDArray[np.int64]) -> BaseGeometry:
    """Rings that were joined from parts, beginning and running as the stored ones do, in the order of the stored ones."""
    paths: list[NDArray[np.float64]] = []
    begin = 0
    for path, closed in paths_of(geometry):
        coordinates = shapely.get_coordinates(path, include_z=path.has_z)
        origin = came_from[begin : begin + len(coordinates)]
        begin += len(coordinates)
        known = np.flatnonzero(origin[:-1] >= 0)
        if closed and len(known):
            first = known[np.argmin(origin[known])]
            ring, origin = np.roll(coordinates[:-1], -first, axis=0), np.roll(origin[:-1], -first)
            steps = np.diff(origin[origin >= 0])
            if (steps < 0).sum() > (steps > 0).sum():
                ring = np.concatenate([ring[:1], ring[:0:-1]])
            coordinates = np.concatenate([ring, ring[:1]])
        paths.append(coordinates)
    return rebuilt(geometry, paths)
