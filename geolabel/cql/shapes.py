"""Geometry literals of a filter: GeoJSON or a box; valid, two-dimensional, in the filter's CRS, x first."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import shapely
from shapely.geometry import LineString, MultiPolygon, Point

from geolabel.errors import InvalidInput
from geolabel.geo.geometry import read_geojson, swap_axes

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

MAX_VERTICES = 10_000
MAX_MEMBERS = 100


def read_shape(value: Any, *, swaps: bool, apart: bool) -> list[BaseGeometry]:
    """Read a geometry literal.

    Args:
        value: a GeoJSON geometry, or `{"bbox": [...]}`.
        swaps: whether positions are written y first; they come back x first.
        apart: whether the members of a GeometryCollection may be looked at one by one; otherwise they must be of one
            dimension, and are made one.

    Raises:
        InvalidInput: it is none, or not a valid one.
    """
    if isinstance(value, Mapping) and "bbox" in value:
        return [_box(value["bbox"], swaps=swaps)]
    if not isinstance(value, Mapping) or not isinstance(value.get("type"), str):
        raise InvalidInput("A spatial function takes a geometry such as POINT(1 2), or BBOX(west, south, east, north).")
    if value["type"] == "GeometryCollection":
        return _collection(value.get("geometries"), swaps=swaps, apart=apart)
    shape = shapely.force_2d(read_geojson(dict(value), ""))
    if shape.is_empty:
        raise InvalidInput(f"The {value['type']} of the filter is empty.")
    if shapely.get_num_coordinates(shape) > MAX_VERTICES:
        raise InvalidInput(f"A geometry of a filter has at most {MAX_VERTICES:,} vertices.")
    if not shape.is_valid:
        raise InvalidInput(f"The {value['type']} of the filter is not valid: {shapely.is_valid_reason(shape)}.")
    return [swap_axes(shape) if swaps else shape]


def _collection(members: Any, *, swaps: bool, apart: bool) -> list[BaseGeometry]:
    if not isinstance(members, list) or not 0 < len(members) <= MAX_MEMBERS:
        raise InvalidInput(f"A GEOMETRYCOLLECTION has a list of 1 to {MAX_MEMBERS} geometries.")
    if any(isinstance(member, Mapping) and member.get("type") == "GeometryCollection" for member in members):
        raise InvalidInput("A GEOMETRYCOLLECTION holds no other one.")
    shapes = [shape for member in members for shape in read_shape(member, swaps=swaps, apart=True)]
    if apart:
        return shapes
    if len({int(shapely.get_dimensions(shape)) for shape in shapes}) > 1:
        raise InvalidInput(
            "Points, lines and polygons in one GEOMETRYCOLLECTION go into S_INTERSECTS and S_DISJOINT only."
        )
    return [shapely.union_all(shapes)]


def _box(numbers: Any, *, swaps: bool) -> BaseGeometry:
    if not isinstance(numbers, list) or len(numbers) not in {4, 6}:
        raise InvalidInput("BBOX takes four numbers (or six, with heights): west, south, east, north.")
    if not all(isinstance(n, int | float) and not isinstance(n, bool) and math.isfinite(n) for n in numbers):
        raise InvalidInput("BBOX takes finite numbers.")
    west, south, east, north = numbers if len(numbers) == 4 else (numbers[i] for i in (0, 1, 3, 4))
    if swaps:
        west, south, east, north = south, west, north, east
    if south > north:
        raise InvalidInput(f"The lower edge {south:g} of the BBOX lies above its upper edge {north:g}.")
    if west > east and abs(west) <= 180 and abs(east) <= 180:  # across the antimeridian
        return MultiPolygon([shapely.box(west, south, 180, north), shapely.box(-180, south, east, north)])
    if west > east:
        raise InvalidInput(f"The left edge {west:g} of the BBOX lies right of its right edge {east:g}.")
    if west == east and south == north:
        return Point(west, south)
    if west == east or south == north:
        return LineString([(west, south), (east, north)])
    return shapely.box(west, south, east, north)
