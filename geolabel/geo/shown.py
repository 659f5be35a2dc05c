"""Labels as a client of a CRS sees them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import shapely

from geolabel.compiled import when_ready
from geolabel.geo import antimeridian, seam
from geolabel.geo import crs as crs_
from geolabel.geo.edges import linework, longest_step
from geolabel.geo.ragged import from_shapely
from geolabel.model import CRS84

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geolabel.geo.placed import Placed
    from geolabel.geo.ragged import Ragged

WORTH_COMPILED = 2_000
"""Vertices in a page of labels from which on the next pages are worth compiled code."""


def shown(
    geometries: NDArray[np.object_], storage: str, edge: str, *, tolerance: float | None = None
) -> NDArray[np.object_]:
    """Shapes in the CRS of a client, cut where that CRS ends.

    Args:
        geometries: (n,) shapely objects, in `storage`.
        storage: CRS that they rest in.
        edge: CRS that the client speaks.
        tolerance: in units of `edge`: a straight edge whose image bends by more gets vertices added. None adds none.

    Returns:
        (n,) in `edge`. In the storage CRS they are the very objects, uncut; in CRS84, which is GeoJSON's own, shapes
        across the antimeridian are cut there also when labels rest in it (RFC 7946).

    Raises:
        InvalidCRS: a coordinate that the client's CRS cannot hold.
    """
    if storage == edge and edge != CRS84:
        return geometries
    degrees = crs_.is_geographic(edge)
    end = seam.end_of(edge, degrees=degrees)
    result = crs_.transform_geometries(geometries, storage, edge, tolerance=tolerance)
    if degrees:
        return antimeridian.cut(result)
    if end is None or len(result) == 0:
        return result
    crossing = _crossing(geometries, storage, result, end)
    if len(crossing):
        bend = None if tolerance is None else tolerance / crs_.METRES_PER_DEGREE
        whole = crs_.transform_geometries(geometries[crossing], storage, CRS84, tolerance=bend)
        result = np.array(result, dtype=object)
        result[crossing] = crs_.transform_geometries(antimeridian.cut(whole), CRS84, edge)
    return result


def shown_and_measured(
    geometries: NDArray[np.object_], storage: str, edge: str, *, tolerance: float | None = None
) -> tuple[NDArray[np.object_], NDArray[np.float64]]:
    """Shapes as `shown` gives them and their areas as `ground_area` does, (n,) each.

    When the client speaks the degrees in which areas are measured, which is the usual case, the way there is gone once.
    """
    base = crs_.geodetic(storage)
    if base is None or crs_.is_geographic(storage) or not crs_.same(base, edge):
        return shown(geometries, storage, edge, tolerance=tolerance), crs_.ground_area(geometries, storage)
    degrees = crs_.transform_geometries(geometries, storage, edge)
    areas = crs_.area_of_degrees(degrees, storage)
    if crs_.densify_for(geometries, storage, edge, tolerance) is geometries:
        return antimeridian.cut(degrees), areas
    return shown(geometries, storage, edge, tolerance=tolerance), areas


def page(
    placed: Placed, storage: str, edge: str, *, tolerance: float | None = None
) -> tuple[Ragged, NDArray[np.float64]]:
    """What `shown_and_measured` gives, for flat arrays; without an object for each shape where nothing odd can happen to it."""
    quick = _without_objects(placed, storage, edge, tolerance)
    if quick is not None:
        return quick
    visible, areas = shown_and_measured(placed.shapes.to_shapely(), storage, edge, tolerance=tolerance)
    return from_shapely(visible), areas


def _without_objects(
    placed: Placed, storage: str, edge: str, tolerance: float | None
) -> tuple[Ragged, NDArray[np.float64]] | None:
    shapes = placed.shapes
    base = crs_.geodetic(storage)
    ellipsoid = crs_.ellipsoid(storage)
    if (
        len(shapes) == 0
        or base is None
        or ellipsoid is None
        or crs_.is_geographic(storage)
        or not crs_.same(base, edge)
    ):
        return None
    kernels = when_ready("geolabel.geo.flat_areas", worth=len(shapes.xy) >= WORTH_COMPILED)
    if kernels is None:
        return None

    def longest() -> float:
        return longest_step(shapes.xy, shapes.owners())

    if not crs_.stay_straight(shapes.bounds(), longest, storage, edge, tolerance):
        return None
    degrees = placed.seen(storage, edge)
    bounds = degrees.bounds()
    west, east = bounds[:, 0], bounds[:, 2]
    # What goes over 180 degrees lies at both ends, and infinity at none.
    if not ((west >= -180) & (east <= 180) & (east - west <= 180)).all() or not np.isfinite(degrees.xy).all():
        return None
    areas = kernels.small_areas(degrees, bounds, *ellipsoid)
    rest = np.flatnonzero(np.isnan(areas))
    if len(rest):
        areas[rest] = crs_.area_of_degrees(degrees.take(rest).to_shapely(), storage)
    return degrees, areas


def _crossing(
    geometries: NDArray[np.object_], storage: str, result: NDArray[np.object_], end: float
) -> NDArray[np.int64]:
    """Which shapes go over the end of a map of the whole world."""
    if crs_.is_geographic(storage):
        west, _, east, _ = shapely.bounds(geometries).T
        return np.flatnonzero((west < -180) | (east > 180))
    lines, owner = linework(result)
    xy, line = shapely.get_coordinates(lines, return_index=True)
    jumps = (np.abs(np.diff(xy[:, 0])) > end) & (line[1:] == line[:-1])
    return np.unique(owner[line[:-1][jumps]])
