"""Areas of many small shapes at once, as geodesics bound them.

On the plane that touches the ellipsoid beside a small shape, seen from straight above, geodesics are straight and areas
are true, both to the square of size over radius: 500 m are six parts in a thousand million.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import shapely

if TYPE_CHECKING:
    from numpy.typing import NDArray

SMALL_M = 500.0
"""Across so many metres a shape is small."""


def small_areas(degrees: NDArray[np.object_], semi_major: float, flattening: float) -> NDArray[np.float64]:
    """Areas in m2 of polygons, (n,), holes subtracted; NaN for large ones, and 0 for what has no area.

    Args:
        degrees: (n,) shapely objects, longitude and latitude.
        semi_major: axis of the ellipsoid, in metres.
        flattening: of the ellipsoid.
    """
    result = np.zeros(len(degrees))
    rings, owner, outline = _rings(degrees)
    if len(rings) == 0:
        return result
    xy, ring = shapely.get_coordinates(rings, return_index=True)
    starts = np.flatnonzero(np.diff(ring, prepend=-1))
    west, south, east_, north_ = shapely.bounds(degrees).T
    centre = np.column_stack((0.5 * (west + east_), 0.5 * (south + north_)))
    east, north = _on_the_ground(xy, centre[owner[ring]], semi_major, flattening)
    twice = np.zeros(len(xy))
    twice[:-1] = east[:-1] * north[1:] - east[1:] * north[:-1]
    twice[starts[1:] - 1] = 0.0  # from one ring to the next
    areas = 0.5 * np.abs(np.add.reduceat(twice, starts))
    np.add.at(result, owner, np.where(outline, areas, -areas))
    size = np.zeros(len(degrees))
    np.maximum.at(size, owner, np.maximum.reduceat(np.maximum(np.abs(east), np.abs(north)), starts))
    result[~(size < SMALL_M / 2)] = np.nan
    return result


def _rings(
    degrees: NDArray[np.object_],
) -> tuple[NDArray[np.object_], NDArray[np.int64], NDArray[np.bool_]]:
    """Rings of polygons, whose shape each is, and which are outlines; one without holes stands for its only ring."""
    parts, part_owner = shapely.get_parts(degrees, return_index=True)
    kept = (shapely.get_type_id(parts) == 3) & ~shapely.is_empty(parts)
    parts, part_owner = parts[kept], part_owner[kept]
    plain = shapely.get_num_interior_rings(parts) == 0
    rings, polygon = shapely.get_rings(parts[~plain], return_index=True)
    return (
        np.concatenate([parts[plain], rings]),
        np.concatenate([part_owner[plain], part_owner[~plain][polygon]]).astype(np.int64),
        np.concatenate([np.ones(int(plain.sum()), dtype=bool), np.diff(polygon, prepend=-1) != 0]),
    )


def _on_the_ground(
    xy: NDArray[np.float64], centre: NDArray[np.float64], semi_major: float, flattening: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Metres east and north of a centre on the plane that touches the ellipsoid there, (m,) each."""
    squared = flattening * (2.0 - flattening)
    latitude = np.radians(centre[:, 1])
    d_longitude, d_latitude = np.radians(xy[:, 0] - centre[:, 0]), np.radians(xy[:, 1] - centre[:, 1])
    there = latitude + d_latitude
    sin0, cos0, sin1, cos1 = np.sin(latitude), np.cos(latitude), np.sin(there), np.cos(there)
    radius0 = semi_major / np.sqrt(1.0 - squared * sin0**2)
    radius1 = semi_major / np.sqrt(1.0 - squared * sin1**2)
    # Differences of cartesian coordinates, written so that nothing large is subtracted from something large.
    half = 2.0 * np.sin(0.5 * d_longitude) ** 2
    d_sin = 2.0 * np.cos(latitude + 0.5 * d_latitude) * np.sin(0.5 * d_latitude)
    d_cos = -2.0 * np.sin(latitude + 0.5 * d_latitude) * np.sin(0.5 * d_latitude)
    d_radius = radius1 * radius0**2 / semi_major**2 * squared * d_sin * (sin1 + sin0) * radius1 / (radius1 + radius0)
    d_axis = radius1 * d_cos + d_radius * cos0
    d_height = (1.0 - squared) * (radius1 * d_sin + d_radius * sin0)
    east = radius1 * cos1 * np.sin(d_longitude)
    north = -sin0 * (d_axis - radius1 * cos1 * half) + cos0 * d_height
    return east, north
