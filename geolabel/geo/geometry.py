"""Shapes: read GeoJSON strictly, say what is wrong with a shape and where, repair it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import shapely
from shapely.geometry import (
    LineString,
    MultiLineString,
    MultiPoint,
    MultiPolygon,
    Point,
    Polygon,
)

from geolabel.errors import InvalidGeometry, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from shapely.geometry.base import BaseGeometry

    from geolabel.classes import GeometryKind

InvalidPolicy = Literal["reject", "repair", "skip"]

_KINDS: dict[str, GeometryKind] = {
    "Point": "point",
    "MultiPoint": "point",
    "LineString": "line",
    "LinearRing": "line",
    "MultiLineString": "line",
    "Polygon": "polygon",
    "MultiPolygon": "polygon",
}
_DIMENSION: dict[GeometryKind, int] = {"point": 0, "line": 1, "polygon": 2}
_MAX_VERTICES = 200_000


def kind_of(geometry: BaseGeometry) -> GeometryKind:
    """`point`, `line` or `polygon`, single or multi.

    Raises:
        InvalidGeometry: a GeometryCollection, which has no one kind.
    """
    try:
        return _KINDS[geometry.geom_type]
    except KeyError:
        raise InvalidGeometry(
            f"A label is one Point, LineString or Polygon, or a Multi of one of them; got {geometry.geom_type}.",
        ) from None


def read_geojson(value: Any, pointer: str = "/geometry") -> BaseGeometry:
    """Read a GeoJSON geometry strictly: types, nesting, closed rings, finite numbers.

    Args:
        value: the decoded `geometry` member.
        pointer: JSON pointer of it, for messages.

    Returns:
        A shapely geometry with the very doubles that were given. It may still cross itself; see `find_invalid`.

    Raises:
        InvalidGeometry: with one problem that points at the place.
    """
    if not isinstance(value, dict):
        raise _invalid(pointer, f"expected a GeoJSON geometry object, got {_name(value)}")
    kind = value.get("type")
    if not isinstance(kind, str) or kind not in _READERS:
        raise _invalid(f"{pointer}/type", f"expected one of {', '.join(_READERS)}, got {kind!r}")
    if "coordinates" not in value:
        raise _invalid(pointer, f"a {kind} needs the member 'coordinates'")
    geometry = _READERS[kind](value["coordinates"], f"{pointer}/coordinates")
    count = shapely.get_num_coordinates(geometry)
    if count > _MAX_VERTICES:
        raise _invalid(f"{pointer}/coordinates", f"a label holds at most {_MAX_VERTICES} vertices, got {count}")
    return geometry


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
    match geometry:
        case Point():
            coordinates: list[Any] = _rows(geometry)[0]
        case LineString():
            coordinates = _rows(geometry)
        case Polygon():
            coordinates = _ring_rows(geometry)
        case MultiPoint():
            coordinates = [_rows(part)[0] for part in geometry.geoms]
        case MultiLineString():
            coordinates = [_rows(part) for part in geometry.geoms]
        case MultiPolygon():
            coordinates = [_ring_rows(part) for part in geometry.geoms]
        case _:
            raise InvalidGeometry(f"A label is never a {geometry.geom_type}.")
    return {"type": geometry.geom_type, "coordinates": coordinates}


def _rows(geometry: BaseGeometry) -> list[list[float]]:
    rows: list[list[float]] = shapely.get_coordinates(geometry, include_z=geometry.has_z).tolist()
    return rows


def _ring_rows(polygon: Polygon) -> list[list[list[float]]]:
    return [_rows(ring) for ring in (polygon.exterior, *polygon.interiors)]


def swap_axes(geometry: BaseGeometry) -> BaseGeometry:
    """Exchange x and y; Z is kept. For edges that speak an authority's own axis order."""
    coordinates = shapely.get_coordinates(geometry, include_z=geometry.has_z)
    coordinates[:, [0, 1]] = coordinates[:, [1, 0]]
    swapped: BaseGeometry = shapely.set_coordinates(np.array([geometry], dtype=object), coordinates)[0]
    return swapped


def find_invalid(geometries: NDArray[np.object_]) -> dict[int, str]:
    """What is wrong with which shape: index -> a phrase with the place, in the CRS of the shapes."""
    reasons: dict[int, str] = {}
    missing = shapely.is_missing(geometries) | shapely.is_empty(geometries)
    for index in np.flatnonzero(missing):
        reasons[int(index)] = "it is empty"
    rest = np.flatnonzero(~missing)
    xyz, owner = shapely.get_coordinates(geometries[rest], return_index=True)
    unbounded = np.unique(owner[~np.isfinite(xyz).all(axis=1)])
    for index in rest[unbounded]:
        reasons[int(index)] = "it has a coordinate that is not finite"
    rest = np.delete(rest, unbounded)
    for index in rest[~shapely.is_valid(geometries[rest])]:
        reasons[int(index)] = _reason(shapely.is_valid_reason(geometries[index]))
    for index in rest[shapely.get_type_id(geometries[rest]) == 7]:
        reasons[int(index)] = "it is a GeometryCollection, which has no one kind"
    return dict(sorted(reasons.items()))


_REASONS = {
    "Self-intersection": "its outline crosses itself",
    "Ring Self-intersection": "its outline touches or crosses itself",
    "Hole lies outside shell": "a hole lies outside it",
    "Holes are nested": "a hole lies inside a hole",
    "Nested shells": "one part lies inside another",
    "Interior is disconnected": "a hole cuts it in two",
    "Too few points in geometry component": "it has too few different points",
    "Duplicate Rings": "a ring appears twice",
}


def _reason(text: str) -> str:
    """GEOS says `Self-intersection[3.5 4]`; people read 'its outline crosses itself at (3.5, 4)'."""
    name, _, place = text.partition("[")
    numbers = place.rstrip("]").split()
    where = f" at ({', '.join(numbers[:2])})" if numbers else ""
    return _REASONS.get(name.strip(), name.strip().lower()) + where


def repair(geometry: BaseGeometry) -> BaseGeometry | None:
    """Make a shape valid (GEOS, structure method), keeping its kind; None when nothing of that kind is left."""
    kind = kind_of(geometry)
    fixed = shapely.make_valid(geometry, method="structure", keep_collapsed=False)
    parts = [
        p
        for p in shapely.get_parts(shapely.get_parts(fixed))
        if shapely.get_dimensions(p) == _DIMENSION[kind] and not p.is_empty
    ]
    if not parts:
        return None
    if len(parts) == 1:
        single: BaseGeometry = parts[0]
        return single
    joined: dict[GeometryKind, Callable[[Any], BaseGeometry]] = {
        "point": MultiPoint,
        "line": MultiLineString,
        "polygon": MultiPolygon,
    }
    return joined[kind](parts)


@dataclass(frozen=True, slots=True)
class Checked:
    """Shapes after a policy.

    Attributes:
        geometries: (m,) valid shapes.
        kept: (m,) which of the given ones they are.
        repaired: how many were changed to become valid.
        area_change: sum over the repaired of |area after - area before|, in square units of their CRS.
        problems: one entry per shape that was repaired or skipped, saying which.
    """

    geometries: NDArray[np.object_]
    kept: NDArray[np.int64]
    repaired: int
    area_change: float
    problems: tuple[Problem, ...]


def apply_policy(
    geometries: NDArray[np.object_], policy: InvalidPolicy, names: Sequence[str] | Callable[[int], str]
) -> Checked:
    """Reject, repair or skip invalid shapes.

    Args:
        geometries: (n,) shapely objects; missing ones count as invalid.
        policy: what to do with an invalid one.
        names: how to point at shape i (`feature 12`, `/features/12/geometry`).

    Raises:
        InvalidGeometry: the policy is `reject` and a shape is invalid; the problems list all of them.
    """
    name = names if callable(names) else names.__getitem__
    reasons = find_invalid(geometries)
    if reasons and policy == "reject":
        problems = [Problem(name(i), reason) for i, reason in reasons.items()]
        first = problems[0]
        more = f" and {len(problems) - 1} more" if len(problems) > 1 else ""
        of, cure = f" of {first.pointer}", "Mend it, or import with on-invalid repair or skip."
        if first.pointer.startswith("/"):  # one shape that somebody just drew
            of, cure = "", "Move the vertex there."
        raise InvalidGeometry(f"The shape{of} was refused: {first.message}{more}. {cure}", problems)
    result = np.array(geometries, dtype=object)
    kept = np.ones(len(result), dtype=bool)
    notes: list[Problem] = []
    repaired, area_change = 0, 0.0
    for index, reason in reasons.items():
        fixed = None
        if (
            policy == "repair"
            and reason not in {"it is empty", "it has a coordinate that is not finite"}
            and result[index].geom_type in _KINDS
        ):
            fixed = repair(result[index])
        if fixed is None:
            kept[index] = False
            notes.append(Problem(name(index), f"skipped: {reason}"))
            continue
        before, after = result[index].area, fixed.area
        area_change += abs(after - before)
        repaired += 1
        share = f"{after / before - 1:+.2%}" if before else f"to {after:.6g}"
        notes.append(Problem(name(index), f"repaired: {reason}; its area changed {share}"))
        result[index] = fixed
    return Checked(result[kept], np.flatnonzero(kept), repaired, area_change, tuple(notes))
