"""Edges between vertices: straight in one CRS, bent in another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import shapely
from shapely.geometry import LineString, MultiLineString, MultiPolygon, Polygon

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from shapely.geometry.base import BaseGeometry

    from geolabel.model import Bounds

    Image = Callable[[NDArray[np.float64]], NDArray[np.float64]]
    """Coordinates (n, 2) of one CRS to those of another."""
_TURN = 360.0
_PROBES = 5
_SAFETY = 8.0
"""Between two probes in a small place the bend of an edge changes by less than this factor."""

_DIRECTIONS = np.array([(1.0, 0.0), (0.0, 1.0), (0.70710678, 0.70710678), (0.70710678, -0.70710678)])


def densify(
    geometries: NDArray[np.object_], image: Image, tolerance: float, *, period: float | None = None
) -> NDArray[np.object_]:
    """Add vertices to the shapes with an edge that bends.

    Args:
        geometries: (n,) shapely objects.
        image: leads to the other CRS.
        tolerance: in units of the other CRS: an edge whose image bends by more is cut into equal pieces.
        period: the x after which the other CRS begins anew (360 in degrees): going over its end is no bend. None: never.

    Returns:
        (n,), still in the CRS that they came in; the very objects where nothing bends.
    """
    lines, owner = linework(geometries)
    if len(lines) == 0:
        return geometries
    xy, line = shapely.get_coordinates(lines, return_index=True)
    inner = line[:-1] == line[1:]
    start, end = xy[:-1][inner], xy[1:][inner]
    if len(start) == 0:
        return geometries
    bend = _bends(start, end, image, period)
    edge_owner = owner[line[:-1][inner]]
    # A smooth edge cut in n bends n squared times less; a quarter of an edge more keeps the estimate safe.
    pieces = np.ceil(np.sqrt(np.where(np.isfinite(bend), bend, 0.0) / tolerance) * 1.25)
    needed = pieces > 1
    if not needed.any():
        return geometries
    longest = np.full(len(geometries), np.inf)
    lengths = np.hypot(*(end - start).T)
    np.minimum.at(longest, edge_owner[needed], lengths[needed] / pieces[needed])
    chosen = np.isfinite(longest) & (longest > 0)
    result = np.array(geometries, dtype=object)
    for row in np.flatnonzero(chosen):
        result[row] = _cut(result[row], float(longest[row]))
    return result


def _cut(shape: BaseGeometry, longest: float) -> BaseGeometry:
    """A shape with its edges cut into equal pieces no longer than that.

    Not by GEOS: it would make a single shape of a Multi with one part, and drop parts of a polygon that crosses itself.
    """
    paths = []
    for path, _ in paths_of(shape):
        begin = shapely.get_coordinates(path, include_z=path.has_z)
        step = np.diff(begin, axis=0)
        pieces = np.maximum(np.ceil(np.hypot(step[:, 0], step[:, 1]) / longest), 1).astype(np.int64)
        edge = np.repeat(np.arange(len(pieces)), pieces)
        number = np.arange(len(edge)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
        cut = begin[edge] + (number / pieces[edge])[:, None] * step[edge]
        paths.append(np.concatenate([cut, begin[-1:]]))
    return rebuilt(shape, paths)


def may_bend(place: Bounds, longest: float, image: Image, tolerance: float, widest: float) -> bool:
    """Whether an edge in some place may bend by more than the tolerance on its way to degrees; a quick look.

    Args:
        place: min x, min y, max x, max y, in a projected CRS.
        longest: no edge is longer.
        image: leads to longitudes and latitudes.
        tolerance: in degrees.
        widest: of a place that is small enough for a look at some edges to tell of all, in the units of the CRS.
    """
    low, high = np.array(place[:2]), np.array(place[2:])
    if not (high - low).max() <= widest or longest > 0.1 * widest:
        return True
    corners = image(np.array([low, high, (low[0], high[1]), (high[0], low[1])]))
    if not np.isfinite(corners).all() or np.abs(corners[:, 1]).max() > 80 or np.ptp(corners[:, 0]) > 90:
        return True
    return longest > 0 and longest_straight(low, high, longest, image, tolerance) < longest


def longest_step(xy: NDArray[np.float64], owner: NDArray[np.int64]) -> float:
    """What no edge of some shapes is longer than: of their vertices (m, 2), and whose they are (m,)."""
    steps = np.abs(np.diff(xy, axis=0))[owner[1:] == owner[:-1]]  # those from ring to ring are no edges, but not longer
    return float(np.hypot(*steps.max(axis=0, initial=0.0)))


def longest_straight(
    low: NDArray[np.float64], high: NDArray[np.float64], longest: float, image: Image, tolerance: float
) -> float:
    """How long an edge between two corners may be to bend by less than the tolerance for certain; infinity for any.

    Edges of the greatest length that there is are tried, in four directions all over the place.
    """
    if longest == 0.0:
        return np.inf
    across = np.linspace(low, high, _PROBES)
    places = np.array([(x, y) for x in across[:, 0] for y in across[:, 1]])
    half = 0.5 * longest * np.tile(_DIRECTIONS, (len(places), 1))
    middles = np.repeat(places, len(_DIRECTIONS), axis=0)
    begin, middle, end = np.split(image(np.concatenate([middles - half, middles, middles + half])), 3)
    with np.errstate(invalid="ignore"):
        worst = _SAFETY * float(np.hypot(*(middle - 0.5 * (begin + end)).T).max())
    if not np.isfinite(worst):
        return 0.0
    return np.inf if worst <= tolerance else longest * float(np.sqrt(tolerance / worst))


def _bends(
    start: NDArray[np.float64], end: NDArray[np.float64], image: Image, period: float | None
) -> NDArray[np.float64]:
    """How far the image of each edge lies from the straight line between the images of its ends, (n,)."""
    begin, finish = image(start), image(end)
    bend = np.zeros(len(start))
    with np.errstate(invalid="ignore"):  # points without an image are refused where the result is read
        before = begin
        quarters = []
        for share in (0.25, 0.5, 0.75):
            before = _beside(image(start + share * (end - start)), before, period)
            quarters.append((share, before))
        finish = _beside(finish, before, period)
        for share, quarter in quarters:
            off = quarter - (begin + share * (finish - begin))
            if period == _TURN:  # towards the poles a degree of longitude is less and less ground
                off[:, 0] *= np.cos(np.radians(quarter[:, 1]))
            bend = np.maximum(bend, np.hypot(*off.T))
    return bend


def _beside(xy: NDArray[np.float64], others: NDArray[np.float64], period: float | None) -> NDArray[np.float64]:
    """The same points within half a period of the others, (n, 2)."""
    if period is None:
        return xy
    periods = np.round((others[:, 0] - xy[:, 0]) / period)
    return np.column_stack((xy[:, 0] + periods * period, xy[:, 1]))


def linework(geometries: NDArray[np.object_]) -> tuple[NDArray[np.object_], NDArray[np.int64]]:
    """Rings and lines of the shapes in the order of their coordinates by kind, and which shape each belongs to."""
    parts, part_owner = shapely.get_parts(geometries, return_index=True)
    kinds = shapely.get_type_id(parts)
    is_polygon, is_line = kinds == 3, (kinds == 1) | (kinds == 2)
    rings, ring_owner = shapely.get_rings(parts[is_polygon], return_index=True)
    lines = np.concatenate([rings, parts[is_line]])
    return lines, np.concatenate([part_owner[is_polygon][ring_owner], part_owner[is_line]]).astype(np.int64)


def paths_of(geometry: BaseGeometry) -> list[tuple[BaseGeometry, bool]]:
    """The rings, lines and points of one shape in the order of its coordinates, and which of them are closed rings."""
    return [
        (path, part.geom_type == "Polygon")
        for part in shapely.get_parts(geometry)
        for path in (shapely.get_rings(part) if part.geom_type == "Polygon" else [part])
    ]


def rebuilt(geometry: BaseGeometry, paths: list[NDArray[np.float64]]) -> BaseGeometry:
    """A line, a polygon or a Multi of them with other vertices on each of its `paths_of`, (n, 2 or 3) each."""
    rest = iter(paths)

    def polygon(part: Polygon) -> Polygon:
        outline, *holes = [next(rest) for _ in range(1 + len(part.interiors))]
        return Polygon(outline, holes)

    match geometry:
        case Polygon():
            return polygon(geometry)
        case MultiPolygon():
            return MultiPolygon([polygon(part) for part in geometry.geoms])
        case LineString():
            return LineString(next(rest))
        case MultiLineString():
            return MultiLineString([next(rest) for _ in geometry.geoms])
    return geometry
