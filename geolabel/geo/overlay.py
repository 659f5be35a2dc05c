"""Shapes made of other shapes: split, merge, union, subtract, clip, simplify, buffer.

All of it happens on the stored doubles in the storage CRS. GEOS moves no vertex of its inputs here: only the places where
two outlines cross are new.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import shapely
from shapely.geometry import LineString, MultiLineString, MultiPoint, MultiPolygon

from geolabel.errors import InvalidGeometry
from geolabel.geo import crs as crs_
from geolabel.geo.borders import with_vertices
from geolabel.geo.geometry import DIMENSION, kind_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from numpy.typing import NDArray
    from shapely.geometry.base import BaseGeometry

    from geolabel.classes import GeometryKind

_MULTI: dict[GeometryKind, Callable[[Any], BaseGeometry]] = {
    "point": MultiPoint,
    "line": MultiLineString,
    "polygon": MultiPolygon,
}
_COLLAPSED = "Nothing would be left of it."
_PROBE_M = 100.0


def of_kind(shape: BaseGeometry, kind: GeometryKind) -> BaseGeometry | None:
    """The parts of a kind in one shape, without what is of another kind; None when there are none."""
    parts = [p for p in shapely.get_parts(shapely.get_parts(shape)) if shapely.get_dimensions(p) == DIMENSION[kind]]
    parts = [part for part in parts if not part.is_empty]
    if not parts:
        return None
    return parts[0] if len(parts) == 1 else _MULTI[kind](parts)


def split(shape: BaseGeometry, blade: BaseGeometry, within: float) -> list[BaseGeometry]:
    """Cut a polygon or a line by a line.

    Args:
        shape: parts of it that the blade does not cut stay together with the largest piece.
        blade: a line.
        within: what counts as the same place, in units of the CRS.

    Returns:
        The pieces, the largest first; only the shape itself when the blade does not cut it in two.
    """
    cut, whole = [], []
    for part in shapely.get_parts(shape):
        pieces = _faces(part, blade) if part.geom_type == "Polygon" else _lengths(part, blade, within)
        (cut.append(pieces) if len(pieces) > 1 else whole.append(part))
    if not cut:
        return [shape]
    size = shapely.area if kind_of(shape) == "polygon" else shapely.length
    pieces = sorted((piece for group in cut for piece in group), key=size, reverse=True)
    first = _MULTI[kind_of(shape)]([pieces[0], *whole]) if whole else pieces[0]
    return [first, *pieces[1:]]


def _faces(polygon: BaseGeometry, blade: BaseGeometry) -> list[BaseGeometry]:
    if not shapely.intersects(polygon, blade):
        return [polygon]
    shapely.prepare(polygon)
    edges = shapely.union(shapely.boundary(shapely.force_2d(polygon)), shapely.force_2d(blade))
    faces = shapely.get_parts(shapely.polygonize(shapely.get_parts(edges)))
    inside = shapely.covers(polygon, shapely.point_on_surface(faces))
    return list(faces[inside]) if inside.sum() > 1 else [polygon]


def _lengths(line: BaseGeometry, blade: BaseGeometry, within: float) -> list[BaseGeometry]:
    places = shapely.get_coordinates(shapely.intersection(line, blade))
    whole = with_vertices(line, places, within)
    xy = shapely.get_coordinates(whole, include_z=whole.has_z)
    if len(places) == 0:
        return [line]
    near = np.hypot(*(xy[:, None, :2] - places[None]).transpose(2, 0, 1)).min(axis=1) <= within
    stops = [0, *(np.flatnonzero(near[1:-1]) + 1).tolist(), len(xy) - 1]
    return [LineString(xy[a : b + 1]) for a, b in pairwise(stops)]


def merge(shapes: Sequence[BaseGeometry], within: float) -> BaseGeometry:
    """One shape of several of one kind; those that do not touch become its parts.

    Lines that meet end to end become one line. Borders that drifted apart by less than `within` (units of the CRS) are
    closed, so that no sliver is left between.

    Raises:
        InvalidGeometry: they are of several kinds.
    """
    kinds = {kind_of(shape) for shape in shapes}
    if len(kinds) > 1:
        raise InvalidGeometry(
            f"Labels that are merged are of one kind; these are {' and '.join(f'{kind}s' for kind in sorted(kinds))}."
        )
    kind = kinds.pop()
    parts = shapely.get_parts(np.array([*shapes, None], dtype=object)[:-1])
    if kind == "point":
        return _of(kind, shapely.union_all(parts))
    if kind == "line":
        return _of(kind, shapely.line_merge(MultiLineString(list(parts))))
    first, *others = shapes
    for other in others:
        first = shapely.union(first, _closed_up(other, first, within))
    return _of(kind, first)


def _closed_up(shape: BaseGeometry, to: BaseGeometry, within: float) -> BaseGeometry:
    """The shape, on the other's border where the two drifted apart."""
    snapped = shapely.snap(shape, to, within)
    return snapped if snapped.is_valid else shape


def subtract(shape: BaseGeometry, others: Sequence[BaseGeometry]) -> BaseGeometry:
    """The shape without what the others cover.

    Raises:
        InvalidGeometry: nothing would be left.
    """
    return _of(kind_of(shape), shapely.difference(shape, shapely.union_all(list(others))))


def clip(shape: BaseGeometry, outline: Sequence[BaseGeometry]) -> BaseGeometry:
    """What of the shape lies on the others.

    Raises:
        InvalidGeometry: nothing would be left.
    """
    return _of(kind_of(shape), shapely.intersection(shape, shapely.union_all(list(outline))))


def simplify(shapes: Sequence[BaseGeometry], tolerance: float) -> list[BaseGeometry]:
    """Leave out vertices that matter less than a tolerance, in units of the CRS; no vertex is moved.

    Polygons that border on each other are simplified together, so that they still do. A shape that would fall in on
    itself stays as it is.
    """
    given = np.array([*shapes, None], dtype=object)[:-1]
    simple = shapely.simplify(given, tolerance, preserve_topology=True)
    if len(given) > 1 and np.isin(shapely.get_type_id(given), (3, 6)).all() and shapely.coverage_is_valid(given):
        simple = shapely.coverage_simplify(given, tolerance)
    good = shapely.is_valid(simple) & ~shapely.is_empty(simple)
    return [made if ok else before for before, made, ok in zip(shapes, simple, good.tolist(), strict=True)]


def buffer(shape: BaseGeometry, distance: float, crs: str) -> BaseGeometry:
    """All ground within a distance of the shape; with a negative one, what lies deeper inside a polygon than that.

    Args:
        shape: in `crs`, as large as labels are: the scale of the CRS is taken at its middle.
        distance: in metres on the ground; in units of the CRS where there is no ground.
        crs: its CRS.

    Raises:
        InvalidGeometry: nothing would be left.
    """
    scale = units_per_metre(shape, crs)
    metres = shapely.buffer(shapely.transform(shapely.force_2d(shape), lambda xy: xy / scale), distance, quad_segs=16)
    return _of("polygon", shapely.transform(metres, lambda xy: xy * scale))


def units_per_metre(shape: BaseGeometry, crs: str) -> NDArray[np.float64]:
    """How many units of the CRS a metre on the ground is, along x and along y, in the middle of a shape, (2,)."""
    unit = crs_.unit_metres(crs)
    middle = np.array(shapely.get_coordinates(shapely.centroid(shapely.envelope(shape)))[0])
    half = np.eye(2) * _PROBE_M / unit / 2
    probes = np.array([LineString([middle - step, middle + step]) for step in half])
    lengths = crs_.ground_length(probes, crs)
    ground = np.where(np.isfinite(lengths) & (lengths > 0), lengths, _PROBE_M)
    return np.asarray(_PROBE_M / unit / ground, dtype=np.float64)


def _of(kind: GeometryKind, shape: BaseGeometry) -> BaseGeometry:
    found = of_kind(shape, kind)
    if found is None:
        raise InvalidGeometry(_COLLAPSED)
    return found
