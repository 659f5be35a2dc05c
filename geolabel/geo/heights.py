"""Z of a shape whose client edits it flat."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import shapely

from geolabel.geo.edges import paths_of

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from shapely.geometry.base import BaseGeometry


def with_heights(flat: BaseGeometry, z: NDArray[np.float64], stored: NDArray[np.float64]) -> BaseGeometry:
    """Give a shape its Z.

    A vertex without one lies on the way between its neighbours on the same ring or line that have one: it is
    interpolated by length. On a ring or line where none has, each takes that of the nearest stored vertex.

    Args:
        flat: the shape; a Z that it has is passed over.
        z: (n,) of its vertices, NaN where there is none.
        stored: (m, 3), x, y, z of the vertices that the shape had before.

    Returns:
        The shape with Z.
    """
    xy = shapely.get_coordinates(flat)
    filled = z.copy()
    begin = 0
    for path, closed in paths_of(flat):
        here = slice(begin, begin + int(shapely.get_num_coordinates(path)))
        begin = here.stop
        filled[here] = _along(xy[here], z[here], stored, closed=closed)
    solid: BaseGeometry = shapely.set_coordinates(
        np.array([shapely.force_3d(flat)], dtype=object), np.column_stack((xy, filled))
    )[0]
    return solid


def _along(
    xy: NDArray[np.float64], z: NDArray[np.float64], stored: NDArray[np.float64], *, closed: bool
) -> NDArray[np.float64]:
    known = ~np.isnan(z)
    if known.all():
        return z
    if not known.any():
        if not len(stored):
            return np.zeros(len(z))
        places: NDArray[np.object_] = np.asarray(shapely.points(stored[:, :2]), dtype=object)
        nearest = shapely.STRtree(places).nearest(shapely.points(xy))
        found: NDArray[np.float64] = stored[nearest, 2]
        return found
    at = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(xy, axis=0).T))])
    filled = np.interp(at, at[known], z[known], period=at[-1] if closed and at[-1] > 0 else None)
    return np.where(known, z, filled)
