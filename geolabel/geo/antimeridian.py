"""The meridian of 180 degrees: shapes that cross it, and shapes that hold a pole.

Inside, a shape has continuous longitudes: 179 to 181, west of its own box in [-180, 180). On the way out to GeoJSON it
is cut at the antimeridian (RFC 7946, section 3.1.9); on the way in cut shapes are joined again (`geolabel.geo.seam`).
All work is done on the few shapes that need it.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from shapely.geometry import (
    LinearRing,
    LineString,
    MultiLineString,
    MultiPolygon,
    Polygon,
)

from geolabel.geo.edges import linework

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from shapely.geometry.base import BaseGeometry

    from geolabel.geo.edges import Image

_SAMPLES = np.linspace(0.0, 1.0, 65)[1:-1]
_HAIR = 1e-11  # degrees: rounding of an intersection with the meridian; a micrometre


def unroll(degrees: NDArray[np.object_], given: NDArray[np.object_], image: Image) -> NDArray[np.object_]:
    """Make longitudes continuous that a transformation wrapped into [-180, 180].

    Args:
        degrees: (n,) shapes as they were transformed.
        given: (n,) the same shapes before, vertex for vertex.
        image: what transformed them.

    Returns:
        (n,) with continuous longitudes; the very objects where nothing was wrapped. A polygon that holds a pole is given
        the pole's edge and the antimeridian as its border, as RFC 7946 has it.
    """
    west, _, east, _ = shapely.bounds(degrees).T
    if not (east - west > 180).any():
        return degrees
    lines, owner = linework(degrees)
    if len(lines) == 0:
        return degrees
    xy, line = shapely.get_coordinates(lines, return_index=True)
    jumps = (np.abs(np.diff(xy[:, 0])) > 180) & (line[1:] == line[:-1])
    if not jumps.any():
        return degrees
    result = np.array(degrees, dtype=object)
    for index in np.unique(owner[line[:-1][jumps]]):
        result[index] = _rebuilt(degrees[index], given[index], image)
    return result


def _rebuilt(degrees: BaseGeometry, given: BaseGeometry, image: Image) -> BaseGeometry:
    match degrees:
        case Polygon():
            return _polygon(degrees, given, image)
        case MultiPolygon():
            pairs = zip(shapely.get_parts(degrees), shapely.get_parts(given), strict=True)
            parts = [part for d, g in pairs for part in shapely.get_parts(_polygon(d, g, image))]
            return MultiPolygon(parts)
        case LineString():
            return LineString(_home(_path(degrees, given, image)[0]))
        case MultiLineString():
            pairs = zip(shapely.get_parts(degrees), shapely.get_parts(given), strict=True)
            return MultiLineString([_home(_path(d, g, image)[0]) for d, g in pairs])
    return degrees


def _path(degrees: BaseGeometry, given: BaseGeometry, image: Image) -> tuple[NDArray[np.float64], int]:
    """The vertices with continuous longitudes, (n, 2 or 3), and how often the path goes around the Earth eastward."""
    xyz = shapely.get_coordinates(degrees, include_z=degrees.has_z)
    steps = np.diff(xyz[:, 0])
    source = shapely.get_coordinates(given)
    for edge in np.flatnonzero(np.abs(steps) > 180):
        # Which way round an edge goes is seen on the way.
        between = image(source[edge] + _SAMPLES[:, None] * (source[edge + 1] - source[edge]))[:, 0]
        small = np.diff(np.concatenate([xyz[edge, :1], between, xyz[edge + 1, :1]]))
        steps[edge] = ((small + 180) % 360 - 180).sum()
    along = xyz[0, 0] + np.concatenate([[0.0], np.cumsum(steps)])
    # Only whole turns are added, so that the doubles stay the same where none is.
    turns = np.round((along - xyz[:, 0]) / 360)
    xyz[:, 0] += 360 * turns
    return xyz, int(turns[-1])


def _home(xyz: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same path with its westernmost longitude in [-180, 180)."""
    xyz[:, 0] -= 360 * np.floor((xyz[:, 0].min() + 180) / 360)
    return xyz


def _polygon(degrees: Any, given: Any, image: Image) -> BaseGeometry:
    outline, *holes = [
        (*_path(ring, source, image), LinearRing(source).is_ccw)
        for ring, source in zip([degrees.exterior, *degrees.interiors], [given.exterior, *given.interiors], strict=True)
    ]
    path, turns, ccw = outline
    if turns:
        shape: BaseGeometry = _around_pole(path, turns, ccw=ccw)
        for ring, around, side in holes:
            hole = _around_pole(ring, around, ccw=side) if around else Polygon(_home(ring))
            shape = shapely.difference(cut_one(shape), cut_one(hole))
        return shape
    path = _home(path)
    middle = (path[:, 0].min() + path[:, 0].max()) / 2
    for ring, _, _ in holes:
        ring[:, 0] += 360 * np.round((middle - (ring[:, 0].min() + ring[:, 0].max()) / 2) / 360)
    return Polygon(path, [ring for ring, _, _ in holes])


def _around_pole(path: NDArray[np.float64], turns: int, *, ccw: bool) -> Polygon:
    """The planar polygon of a ring that goes around a pole: opened where it crosses 180 nearest to the pole."""
    # Projections keep the sides: what lies left of a ring that runs counter-clockwise is inside.
    pole = 90.0 if (turns > 0) == ccw else -90.0
    ring = path[:-1]
    ahead = np.concatenate([ring[1:], ring[:1] + np.eye(1, path.shape[1]) * 360 * turns])
    best = None
    for edge, (a, b) in enumerate(zip(ring, ahead, strict=True)):
        low, high = min(a[0], b[0]), max(a[0], b[0])
        for meridian in np.arange(np.ceil((low - 180) / 360), np.floor((high - 180) / 360) + 1) * 360 + 180:
            share = 0.0 if a[0] == b[0] else (meridian - a[0]) / (b[0] - a[0])
            point = a + share * (b - a)
            point[0] = meridian
            if best is None or abs(point[1] - pole) < abs(best[1][1] - pole):
                best = (edge, point)
    assert best is not None, "a ring around a pole crosses every meridian"
    edge, start = best
    turn = np.eye(1, path.shape[1]) * 360 * turns
    along = np.concatenate([start[None], ring[edge + 1 :], ring[: edge + 1] + turn, start[None] + turn])
    caps = along[[-1, 0]]
    caps[:, 1] = pole
    along = np.concatenate([along, caps])
    along[:, 0] -= along[-2:, 0].min() + 180
    return Polygon(along)


def cut(geometries: NDArray[np.object_]) -> NDArray[np.object_]:
    """Cut the shapes that go beyond 180 degrees there, and bring all parts into [-180, 180].

    Args:
        geometries: (n,), with continuous longitudes.

    Returns:
        (n,): the very objects of shapes that stay inside; of the others a Multi, its parts from west to east (a line's
        in its own order). No vertex moves but by whole turns.
    """
    west, _, east, _ = shapely.bounds(geometries).T
    beyond = np.flatnonzero((west < -180) | (east > 180))
    if len(beyond) == 0:
        return geometries
    result = np.array(geometries, dtype=object)
    for index in beyond:
        result[index] = cut_one(result[index])
    return result


def cut_one(geometry: BaseGeometry) -> BaseGeometry:
    """The same for one shape."""
    west, _, east, _ = geometry.bounds
    if west >= -180 and east <= 180:
        return geometry
    match geometry:
        case Polygon() | MultiPolygon():
            parts: list[Any] = [part for polygon in shapely.get_parts(geometry) for part in _cut_polygon(polygon)]
            return parts[0] if len(parts) == 1 else MultiPolygon(parts)
        case LineString() | MultiLineString():
            lines = [part for line in shapely.get_parts(geometry) for part in _cut_line(line)]
            return lines[0] if len(lines) == 1 else MultiLineString(lines)
    xyz = shapely.get_coordinates(geometry, include_z=geometry.has_z)
    xyz[:, 0] = wrapped(xyz[:, 0])
    points: BaseGeometry = shapely.set_coordinates(np.array([geometry], dtype=object), xyz)[0]
    return points


def wrapped(longitude: NDArray[np.float64]) -> NDArray[np.float64]:
    """Longitudes in [-180, 180]; those that are stay the same doubles."""
    beyond = np.abs(longitude) > 180
    return np.where(beyond, longitude - 360 * np.round(longitude / 360), longitude)


def _turned(geometry: BaseGeometry, turn: int) -> BaseGeometry:
    """A part moved west by whole turns, its border with its neighbours exactly on the antimeridian."""
    xyz = shapely.get_coordinates(geometry, include_z=geometry.has_z)
    xyz[:, 0] = _snapped(xyz[:, 0] - 360 * turn)
    turned: BaseGeometry = shapely.set_coordinates(np.array([geometry], dtype=object), xyz)[0]
    return turned


def _cut_polygon(polygon: BaseGeometry) -> list[BaseGeometry]:
    west, _, east, _ = polygon.bounds
    if not shapely.is_valid(polygon):  # rounding on the way into degrees can make a shape cross itself by a hair
        polygon = shapely.make_valid(polygon, method="structure")
    found: list[BaseGeometry] = []
    for turn in range(int(np.floor((west + 180) / 360)), int(np.ceil((east - 180) / 360)) + 1):
        window = shapely.box(-180 + 360 * turn, -90, 180 + 360 * turn, 90)
        parts = shapely.get_parts(shapely.intersection(polygon, window))
        areas = [part for part in parts if part.geom_type == "Polygon" and not part.is_empty]
        found += [_turned(shapely.orient_polygons(part), turn) for part in areas]
    return found


def _snapped(longitude: NDArray[np.float64]) -> NDArray[np.float64]:
    """The rounding of an intersection taken off those that lie on the antimeridian."""
    return np.where(np.abs(np.abs(longitude) - 180) < _HAIR, np.copysign(180.0, longitude), longitude)


def _cut_line(line: LineString) -> list[LineString]:
    xyz = shapely.get_coordinates(line, include_z=line.has_z)
    pieces: list[list[Any]] = [[xyz[0]]]
    for a, b in pairwise(xyz):
        low, high = sorted((a[0], b[0]))
        meridians = np.arange(np.floor((low + 180) / 360) + 1, np.ceil((high + 180) / 360)) * 360 - 180
        for meridian in meridians if a[0] < b[0] else meridians[::-1]:
            point = a + (meridian - a[0]) / (b[0] - a[0]) * (b - a)
            point[0] = meridian
            pieces[-1].append(point)
            pieces.append([point])
        pieces[-1].append(b)
    found = []
    for piece in pieces:
        path = np.array(piece)
        turn = np.round((path[:, 0].min() + path[:, 0].max()) / 720)
        path[:, 0] -= 360 * turn
        if not (path == path[0]).all() or len(pieces) == 1:
            found.append(LineString(path))
    return found
