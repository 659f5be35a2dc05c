"""Points and lines become areas: a distance in metres on the ground, whatever the CRS."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import shapely

from geolabel.geo import crs as crs_

if TYPE_CHECKING:
    from numpy.typing import NDArray


def widen(geometries: NDArray[np.object_], crs: str | None, metres: float) -> NDArray[np.object_]:
    """Give points and lines the area that reaches `metres` around them; polygons stay.

    Args:
        geometries: (n,) shapes in `crs`.
        crs: their CRS; None for a pixel project, where a metre is a pixel.
        metres: on the ground, with the scale that the CRS has at the middle of each shape.
    """
    thin = np.flatnonzero(shapely.get_dimensions(geometries) < 2)
    if not metres or not len(thin):
        return geometries
    shapes = shapely.force_2d(geometries[thin])
    scale = _metres_per_unit(shapes, crs)
    _, owner = shapely.get_coordinates(shapes, return_index=True)
    flat = shapely.set_coordinates(shapes.copy(), shapely.get_coordinates(shapes) * scale[owner])
    areas = shapely.buffer(flat, metres, quad_segs=16)
    xy, owner = shapely.get_coordinates(areas, return_index=True)
    result = geometries.copy()
    result[thin] = shapely.set_coordinates(areas, xy / scale[owner])
    return result


def _metres_per_unit(shapes: NDArray[np.object_], crs: str | None) -> NDArray[np.float64]:
    """(n, 2): metres of one unit along x and along y, at the middle of each shape."""
    if crs is None:
        return np.ones((len(shapes), 2))
    bounds = shapely.bounds(shapes).reshape(-1, 4)
    middle = (bounds[:, :2] + bounds[:, 2:]) / 2
    step = 1e-4 if crs_.is_geographic(crs) else 10.0
    columns = []
    for axis in range(2):
        ends = np.repeat(middle[:, np.newaxis], 2, axis=1)
        ends[:, 0, axis] -= step / 2
        ends[:, 1, axis] += step / 2
        columns.append(crs_.ground_length(np.asarray(shapely.linestrings(ends)), crs) / step)
    scale = np.column_stack(columns)
    return np.where(np.isfinite(scale) & (scale > 0), scale, crs_.unit_metres(crs))
