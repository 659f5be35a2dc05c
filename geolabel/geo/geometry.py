"""Shapes: their kinds, and GeoJSON read strictly and written with every digit."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from shapely.geometry import (
    GeometryCollection,
    LineString,
    MultiLineString,
    MultiPoint,
    MultiPolygon,
    Point,
    Polygon,
)

from geolabel.errors import InvalidGeometry, Problem
from geolabel.geo.ragged import Ragged, from_shapely

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray
    from shapely.geometry.base import BaseGeometry

    from geolabel.classes import GeometryKind

KINDS: dict[str, GeometryKind] = {
    "Point": "point",
    "MultiPoint": "point",
    "LineString": "line",
    "LinearRing": "line",
    "MultiLineString": "line",
    "Polygon": "polygon",
    "MultiPolygon": "polygon",
}
DIMENSION: dict[GeometryKind, int] = {"point": 0, "line": 1, "polygon": 2}
MAX_VERTICES = 200_000
"""Vertices of one label that comes over HTTP, unless the settings say otherwise."""

_COLLECTION = "GeometryCollection"


def kind_of(geometry: BaseGeometry) -> GeometryKind:
    """`point`, `line` or `polygon`, single or multi.

    Raises:
        InvalidGeometry: a GeometryCollection, which has no one kind.
    """
    try:
        return KINDS[geometry.geom_type]
    except KeyError:
        raise InvalidGeometry(
            f"A label is one Point, LineString or Polygon, or a Multi of one of them; got {geometry.geom_type}.",
        ) from None


def read_geojson(
    value: Any, pointer: str = "/geometry", *, max_vertices: int = MAX_VERTICES, collections: bool = False
) -> BaseGeometry:
    """Read a GeoJSON geometry strictly: types, nesting, closed rings, finite numbers.

    Args:
        value: the decoded `geometry` member.
        pointer: JSON pointer of it, for messages.
        max_vertices: a geometry with more is refused.
        collections: whether a GeometryCollection is read, too: for those who can make one shape of it.

    Returns:
        A shapely geometry with the very doubles that were given. It may still cross itself; see `find_invalid`.

    Raises:
        InvalidGeometry: with one problem that points at the place.
    """
    if not isinstance(value, dict):
        raise _invalid(pointer, f"expected a GeoJSON geometry object, got {_name(value)}")
    kind = value.get("type")
    if collections and kind == _COLLECTION:
        return _collection(value, pointer, max_vertices)
    if not isinstance(kind, str) or kind not in _READERS:
        raise _invalid(f"{pointer}/type", f"expected one of {', '.join(_READERS)}, got {kind!r}")
    if "coordinates" not in value:
        raise _invalid(pointer, f"a {kind} needs the member 'coordinates'")
    geometry = _READERS[kind](value["coordinates"], f"{pointer}/coordinates")
    count = shapely.get_num_coordinates(geometry)
    if count > max_vertices:
        raise _invalid(f"{pointer}/coordinates", f"a label holds at most {max_vertices} vertices, got {count}")
    return geometry


def _collection(value: dict[str, Any], pointer: str, max_vertices: int) -> BaseGeometry:
    members = _list(value.get("geometries"), f"{pointer}/geometries", "a list of geometries")
    return GeometryCollection(
        [read_geojson(m, f"{pointer}/geometries/{i}", max_vertices=max_vertices) for i, m in enumerate(members)]
    )


def _invalid(pointer: str, message: str) -> InvalidGeometry:
    return InvalidGeometry(f"The geometry cannot be read: {message} (at {pointer}).", [Problem(pointer, message)])


def _name(value: Any) -> str:
    return "null" if value is None else type(value).__name__


def _list(value: Any, pointer: str, what: str) -> list[Any]:
    if not isinstance(value, list) or not value:
        raise _invalid(pointer, f"expected {what}, got {'an empty list' if value == [] else _name(value)}")
    return value


def _positions(value: Any, pointer: str, least: int, what: str) -> NDArray[np.float64]:
    """Positions as (n, 2) or (n, 3)."""
    rows = _list(value, pointer, f"a list of positions for {what}")
    dimensions = len(rows[0]) if isinstance(rows[0], list) else 0
    for index, row in enumerate(rows):
        _check_position(row, f"{pointer}/{index}")
        if len(row) != dimensions:
            raise _invalid(
                f"{pointer}/{index}", f"positions of one {what} have the same length, got {len(row)} and {dimensions}"
            )
    if len(rows) < least:
        raise _invalid(pointer, f"{what} needs at least {least} positions, got {len(rows)}")
    return np.asarray(rows, dtype=np.float64)


def _check_position(row: Any, pointer: str) -> None:
    if not isinstance(row, list) or len(row) not in {2, 3}:
        got = f"{len(row)} values" if isinstance(row, list) else _name(row)
        raise _invalid(pointer, f"a position is [x, y] or [x, y, z], got {got}")
    for axis, number in enumerate(row):
        if isinstance(number, bool) or not isinstance(number, int | float):
            raise _invalid(f"{pointer}/{axis}", f"a coordinate is a number, got {_name(number)}")
        try:
            finite = math.isfinite(number)
        except OverflowError:  # an integer too large for a double
            finite = False
        if not finite:
            raise _invalid(f"{pointer}/{axis}", "a coordinate is a finite number")


def _point(value: Any, pointer: str) -> Point:
    _check_position(value, pointer)
    return Point(value)


def _line(value: Any, pointer: str) -> LineString:
    return LineString(_positions(value, pointer, 2, "a LineString"))


def _ring(value: Any, pointer: str) -> NDArray[np.float64]:
    ring = _positions(value, pointer, 4, "a ring")
    if not np.array_equal(ring[0], ring[-1]):
        raise _invalid(pointer, "a ring ends where it starts: its first and last positions differ")
    return ring


def _polygon(value: Any, pointer: str) -> Polygon:
    rings = [_ring(r, f"{pointer}/{i}") for i, r in enumerate(_list(value, pointer, "a list of rings for a Polygon"))]
    if len({ring.shape[1] for ring in rings}) > 1:
        raise _invalid(pointer, "the rings of one Polygon all have z or none has")
    return Polygon(rings[0], rings[1:])


def _multi_point(value: Any, pointer: str) -> MultiPoint:
    return MultiPoint(_positions(value, pointer, 1, "a MultiPoint"))


def _multi_line(value: Any, pointer: str) -> MultiLineString:
    parts = _list(value, pointer, "a list of lines for a MultiLineString")
    return MultiLineString([_line(part, f"{pointer}/{i}") for i, part in enumerate(parts)])


def _multi_polygon(value: Any, pointer: str) -> MultiPolygon:
    parts = _list(value, pointer, "a list of polygons for a MultiPolygon")
    return MultiPolygon([_polygon(part, f"{pointer}/{i}") for i, part in enumerate(parts)])


_READERS: dict[str, Callable[[Any, str], BaseGeometry]] = {
    "Point": _point,
    "LineString": _line,
    "Polygon": _polygon,
    "MultiPoint": _multi_point,
    "MultiLineString": _multi_line,
    "MultiPolygon": _multi_polygon,
}


def to_geojson(geometry: BaseGeometry) -> dict[str, Any]:
    """The GeoJSON object with the full doubles, in the order in which the vertices are stored."""
    if geometry.geom_type not in KINDS:
        raise InvalidGeometry(f"A label is never a {geometry.geom_type}.")
    shapes = from_shapely(np.array([geometry, None], dtype=object)[:-1])
    return next(_ragged_to_geojson(shapes, _positions_with_z(shapes)))


def all_to_geojson(geometries: NDArray[np.object_]) -> list[dict[str, Any]]:
    """The same for (n,) shapes, none of them empty or a collection; their vertices are taken out all at once.

    Positions without Z are arrays (m, 2), for a point (2,), which orjson writes as it writes lists.
    """
    result: list[dict[str, Any]] = [{}] * len(geometries)
    solid = shapely.has_z(geometries)
    plain = (shapely.get_type_id(geometries) == _POLYGON) & (shapely.get_num_interior_rings(geometries) == 0) & ~solid
    rows = np.flatnonzero(plain)
    flat = shapely.get_coordinates(geometries[rows])
    end = 0
    for row, count in zip(rows.tolist(), shapely.get_num_coordinates(geometries[rows]).tolist(), strict=True):
        result[row] = {"type": "Polygon", "coordinates": [flat[end : end + count]]}
        end += count
    for chosen in (~plain & ~solid, solid):
        rows = np.flatnonzero(chosen)
        if len(rows):
            shapes = from_shapely(geometries[rows])
            positions = shapes.xy if shapes.z is None else _positions_with_z(shapes)
            for row, made in zip(rows.tolist(), _ragged_to_geojson(shapes, positions), strict=True):
                result[row] = made
    return result


def _positions_with_z(shapes: Ragged) -> list[list[float]]:
    """Lists of two numbers, or of three where there is Z."""
    flat: list[list[float]] = shapes.xy.tolist()
    if shapes.z is None:
        return flat
    return [[*xy, z] if z == z else xy for xy, z in zip(flat, shapes.z.tolist(), strict=True)]  # noqa: PLR0124 (NaN)


def _ragged_to_geojson(shapes: Ragged, positions: NDArray[np.float64] | list[list[float]]) -> Iterator[dict[str, Any]]:
    rings, parts, begins = shapes.rings.tolist(), shapes.parts.tolist(), shapes.shapes.tolist()
    for kind, first, last in zip(shapes.kinds.tolist(), begins[:-1], begins[1:], strict=True):
        lines = [positions[rings[r] : rings[r + 1]] for r in range(parts[first], parts[last])]
        coordinates: Any = lines
        if kind == 0:
            coordinates = lines[0][0]
        elif kind in {1, 4}:
            coordinates = lines[0]
        elif kind == 6:
            at = parts[first]
            coordinates = [lines[parts[p] - at : parts[p + 1] - at] for p in range(first, last)]
        yield {"type": _NAMES[kind], "coordinates": coordinates}


_POLYGON = 3
_NAMES = ("Point", "LineString", "", "Polygon", "MultiPoint", "MultiLineString", "MultiPolygon")


def pointer_near(geometry: BaseGeometry, x: float, y: float) -> str:
    """JSON pointer, below the geometry, to the vertex where the edge nearest to a place begins: `/coordinates/0/3`."""
    if kind_of(geometry) == "point":
        return "/coordinates"
    place = Point(x, y)
    parts = shapely.get_parts(geometry)
    best: tuple[float, str] = (math.inf, "/coordinates")
    for number, part in enumerate(parts):
        for ring, path in enumerate(shapely.get_rings(part) if part.geom_type == "Polygon" else [part]):
            vertices = shapely.get_coordinates(path)
            edges = shapely.linestrings(np.stack([vertices[:-1], vertices[1:]], axis=1))
            distances = np.atleast_1d(shapely.distance(edges, place))
            edge = int(np.argmin(distances))
            names = [str(number)] if geometry.geom_type.startswith("Multi") else []
            names += [str(ring)] if part.geom_type == "Polygon" else []
            best = min(best, (float(distances[edge]), "/".join(["/coordinates", *names, str(edge)])))
    return best[1]


def swap_axes(geometry: BaseGeometry) -> BaseGeometry:
    """Exchange x and y; Z is kept. For edges that speak an authority's own axis order."""
    coordinates = shapely.get_coordinates(geometry, include_z=geometry.has_z)
    coordinates[:, [0, 1]] = coordinates[:, [1, 0]]
    swapped: BaseGeometry = shapely.set_coordinates(np.array([geometry], dtype=object), coordinates)[0]
    return swapped
