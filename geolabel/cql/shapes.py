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


def read_shape(value: Any, *, swaps: bool, collections: bool) -> list[BaseGeometry]:
    """Read a geometry literal.

    Args:
        value: a GeoJSON geometry, or `{"bbox": [...]}`.
        swaps: whether positions are written y first; they come back x first.
        collections: whether a GeometryCollection is taken; it comes back as its members.

    Raises:
        InvalidInput: it is none, or not a valid one.
    """
    if isinstance(value, Mapping) and "bbox" in value:
        return [_box(value["bbox"], swaps=swaps)]
    if not isinstance(value, Mapping) or not isinstance(value.get("type"), str):
        raise InvalidInput("A spatial function takes a geometry such as POINT(1 2), or BBOX(west, south, east, north).")
    if value["type"] == "GeometryCollection":
        members = value.get("geometries")
        if not collections:
            raise InvalidInput(
                "A GEOMETRYCOLLECTION goes into S_INTERSECTS and S_DISJOINT only: give its members apart."
            )
        if not isinstance(members, list) or not members:
            raise InvalidInput("A GEOMETRYCOLLECTION has a list of geometries that is not empty.")
        return [shape for member in members for shape in read_shape(member, swaps=swaps, collections=False)]
    shape = shapely.force_2d(read_geojson(dict(value), ""))
    if shape.is_empty:
        raise InvalidInput(f"The {value['type']} of the filter is empty.")
    if shapely.get_num_coordinates(shape) > MAX_VERTICES:
        raise InvalidInput(f"A geometry of a filter has at most {MAX_VERTICES:,} vertices.")
    if not shape.is_valid:
        raise InvalidInput(f"The {value['type']} of the filter is not valid: {shapely.is_valid_reason(shape)}.")
    return [swap_axes(shape) if swaps else shape]


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
