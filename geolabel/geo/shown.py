"""Labels as a client of a CRS sees them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import shapely

from geolabel.geo import antimeridian, seam
from geolabel.geo import crs as crs_
from geolabel.geo.edges import linework
from geolabel.model import CRS84

if TYPE_CHECKING:
    from numpy.typing import NDArray


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
