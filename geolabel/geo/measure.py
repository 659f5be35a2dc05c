"""Areas of many small shapes at once, as geodesics bound them.

On the plane that touches the ellipsoid beside a small shape, seen from straight above, geodesics are straight and areas
are true, both to the square of size over radius: 500 m are six parts in a thousand million.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
import shapely

if TYPE_CHECKING:
    from numpy.typing import NDArray

SMALL_M = 500.0
"""Across so many metres a shape is small."""

SMALL_TURN = 1e-3
"""Half the angle, in radians, from the middle to a vertex of a small shape: 12 km, and less to the east near the poles."""


_POLYGON = 3  # shapely's number of the kind


def small_areas(degrees: NDArray[np.object_], semi_major: float, flattening: float) -> NDArray[np.float64]:
    """Areas in m2 of polygons, (n,), holes subtracted; NaN for large ones, and 0 for what has no area.

    Args:
        degrees: (n,) shapely objects, longitude and latitude.
        semi_major: axis of the ellipsoid, in metres.
        flattening: of the ellipsoid.
    """
    return Rings.of(degrees).small_areas(semi_major, flattening)


@dataclass(frozen=True, slots=True)
class Rings:
    """Rings of polygons as flat arrays.

    Attributes:
        count: of the shapes that they are of.
        xy: (v, 2) vertices of all rings, one ring after the other.
        sizes: (r,) vertices of each ring.
        owner: (r,) whose ring it is.
        outline: bool (r,) whether it is an outline, and no hole.
    """

    count: int
    xy: NDArray[np.float64]
    sizes: NDArray[np.int64]
    owner: NDArray[np.int64]
    outline: NDArray[np.bool_]

    @classmethod
    def of(cls, shapes: NDArray[np.object_]) -> Self:
        """Those of (n,) shapes; lines and points have none."""
        rings, owner, outline = _rings(shapes)
        sizes = shapely.get_num_coordinates(rings).astype(np.int64)
        return cls(len(shapes), shapely.get_coordinates(rings), sizes, owner, outline)

    def small_areas(self, semi_major: float, flattening: float) -> NDArray[np.float64]:
        """See `small_areas`; the vertices are longitudes and latitudes."""
        result = np.zeros(self.count)
        if len(self.sizes) == 0:
            return result
        xy, owner = self.xy, self.owner
        starts = np.cumsum(self.sizes) - self.sizes
        low, high = np.full((self.count, 2), np.inf), np.full((self.count, 2), -np.inf)
        np.minimum.at(low, owner, np.minimum.reduceat(xy, starts))
        np.maximum.at(high, owner, np.maximum.reduceat(xy, starts))
        # What the ellipsoid has at the middle of each shape, and then at each vertex.
        longitude, latitude = (0.5 * (low[owner] + high[owner])).T
        turned = np.radians(latitude)
        with np.errstate(invalid="ignore"):
            place = np.stack((longitude, latitude, np.sin(turned), np.cos(turned)))
        along = np.repeat(place, self.sizes, axis=1)
        with np.errstate(invalid="ignore", over="ignore"):  # what is nowhere comes out as NaN
            east, north, turn = _on_the_ground(xy, along, semi_major, flattening)
            near = (np.abs(east) < SMALL_M / 2) & (np.abs(north) < SMALL_M / 2) & (turn < SMALL_TURN)
        twice = np.zeros(len(xy))
        twice[:-1] = east[:-1] * north[1:] - east[1:] * north[:-1]
        twice[starts[1:] - 1] = 0.0  # from one ring to the next
        areas = 0.5 * np.abs(np.add.reduceat(twice, starts))
        np.add.at(result, owner, np.where(self.outline, areas, -areas))
        result[owner[~np.logical_and.reduceat(near, starts)]] = np.nan
        return result


def polygons_of(shapes: NDArray[np.object_]) -> tuple[NDArray[np.object_], NDArray[np.int64]]:
    """The polygons that (n,) shapes are made of, and whose each is; those of shapes that are all polygons are not copied."""
    kinds = shapely.get_type_id(shapes)
    if (kinds == _POLYGON).all():
        return shapes, np.arange(len(shapes))
    parts, owner = shapely.get_parts(shapes, return_index=True)
    kept = shapely.get_type_id(parts) == _POLYGON
    return parts[kept], owner[kept].astype(np.int64)


def _rings(
    degrees: NDArray[np.object_],
) -> tuple[NDArray[np.object_], NDArray[np.int64], NDArray[np.bool_]]:
    """Rings of polygons, whose shape each is, and which are outlines; one without holes stands for its only ring."""
    parts, part_owner = polygons_of(degrees)
    kept = ~shapely.is_empty(parts)
    if not kept.all():
        parts, part_owner = parts[kept], part_owner[kept]
    plain = shapely.get_num_interior_rings(parts) == 0
    rings, polygon = shapely.get_rings(parts[~plain], return_index=True)
    return (
        np.concatenate([parts[plain], rings]),
        np.concatenate([part_owner[plain], part_owner[~plain][polygon]]).astype(np.int64),
        np.concatenate([np.ones(int(plain.sum()), dtype=bool), np.diff(polygon, prepend=-1) != 0]),
    )


def _on_the_ground(
    xy: NDArray[np.float64], along: NDArray[np.float64], semi_major: float, flattening: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Metres east and north of a centre on the plane that touches the ellipsoid there, and radians from it: (m,) each.

    `along` is longitude and latitude of the centre, and sine and cosine of its latitude, (4, m). Half the angles go
    into the first terms of the sine's and the cosine's series: for a small shape the next ones are below rounding.
    """
    longitude, latitude, sin0, cos0 = along
    half_e = np.radians(xy[:, 0] - longitude) * 0.5
    half_n = np.radians(xy[:, 1] - latitude) * 0.5
    e2, n2 = half_e * half_e, half_n * half_n
    sin_e, sin_n = half_e * (1.0 - e2 / 6.0), half_n * (1.0 - n2 / 6.0)
    cos_n = 1.0 - n2 * 0.5
    # Differences of cartesian coordinates, written so that nothing large is subtracted from something large.
    d_sin = 2.0 * sin_n * (cos0 * cos_n - sin0 * sin_n)
    d_cos = -2.0 * sin_n * (sin0 * cos_n + cos0 * sin_n)
    sin1, cos1 = sin0 + d_sin, cos0 + d_cos
    squared = flattening * (2.0 - flattening)
    radius0 = semi_major / np.sqrt(1.0 - squared * sin0 * sin0)
    radius1 = semi_major / np.sqrt(1.0 - squared * sin1 * sin1)
    d_radius = (radius1 * radius0 / semi_major) ** 2 * squared * d_sin * (sin1 + sin0) / (radius1 + radius0)
    d_axis = radius1 * d_cos + d_radius * cos0
    d_height = (1.0 - squared) * (radius1 * d_sin + d_radius * sin0)
    across = radius1 * cos1 * 2.0 * sin_e
    east = across * (1.0 - e2 * 0.5)
    north = -sin0 * (d_axis - across * sin_e) + cos0 * d_height
    return east, north, np.maximum(np.abs(half_e), np.abs(half_n))
