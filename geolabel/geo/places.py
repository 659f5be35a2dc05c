"""Is a label where the project's imagery is? Swapped coordinates are told apart from labels that lie far away."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import shapely

from geolabel.errors import InvalidCRS, InvalidGeometry, Problem
from geolabel.geo import crs as crs_
from geolabel.geo import pixels
from geolabel.model import CRS84

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray
    from shapely.geometry.base import BaseGeometry

    from geolabel.model import Grid, Scene

_POINTER = "/geometry/coordinates"
_ROOM = 1e-9  # degrees
# The corners, the middles of the edges and the centre of a box, as shares of its width and height.
_SHARES = np.array([(x, y) for x in (0.0, 0.5, 1.0) for y in (0.0, 0.5, 1.0)])


@dataclass(frozen=True, slots=True)
class Ground:
    """What the scenes of a project cover.

    Attributes:
        outline: in `crs`; empty when there are no scenes.
        crs: its CRS.
    """

    outline: BaseGeometry
    crs: str

    def holds(self, boxes: NDArray[np.float64], crs: str) -> NDArray[np.bool_]:
        """Which boxes meet the ground, (n,); a box that has no place in the CRS of the ground meets nothing.

        Args:
            boxes: (n, 4) min x, min y, max x, max y, in `crs`.
            crs: CRS of the boxes.
        """
        low, size = boxes[:, None, :2], boxes[:, None, 2:] - boxes[:, None, :2]
        try:
            xy = crs_.transform_coordinates((low + size * _SHARES).reshape(-1, 2), crs, self.crs)
        except InvalidCRS:
            return np.zeros(len(boxes), dtype=bool)
        xy = np.where(np.isfinite(xy), xy, np.nan).reshape(len(boxes), len(_SHARES), 2)
        found = ~np.isnan(xy).any(axis=(1, 2))
        here = np.zeros(len(boxes), dtype=bool)
        spans = np.concatenate([xy[found].min(axis=1), xy[found].max(axis=1)], axis=1)
        turns = (-360.0, 0.0, 360.0) if crs_.is_geographic(self.crs) else (0.0,)
        for turn in turns:  # longitudes a turn apart name the same meridian
            here[found] |= shapely.intersects(self.outline, shapely.box(*(spans + np.array([turn, 0, turn, 0])).T))
        return here

    def swapped(self, boxes: NDArray[np.float64], crs: str) -> NDArray[np.bool_]:
        """Which boxes meet the ground only when x and y are exchanged, (n,). Arguments as of `holds`."""
        wrong = ~self.holds(boxes, crs)
        wrong[wrong] = self.holds(boxes[wrong][:, [1, 0, 3, 2]], crs)
        return wrong


def ground_of(scenes: Iterable[Scene], crs: str) -> Ground:
    """What scenes cover, in a CRS; those that have no place in it count for nothing."""
    return _ground(tuple(scene.grid for scene in scenes), crs)


@lru_cache(maxsize=64)
def _ground(grids: tuple[Grid, ...], crs: str) -> Ground:
    outlines = []
    for grid in grids:
        own = grid.crs or crs_.PIXELS
        if crs_.same(own, crs) or crs_.one_body(own, crs):
            outline = np.array([pixels.footprint(grid)], dtype=object)
            # A thousandth of its longer side: enough to tell where a scene is.
            rough = max(grid.width, grid.height) * 1e-3 * pixels.pixel_size(grid)
            tolerance = rough * crs_.unit_metres(own) / crs_.unit_metres(crs)
            outlines.append(crs_.transform_geometries(outline, own, crs, tolerance=tolerance)[0])
    ground = shapely.union_all(outlines)
    shapely.prepare(ground)
    return Ground(ground, crs)


def refuse_misplaced(geometry: BaseGeometry, crs: str, ground: Ground) -> None:
    """Refuse coordinates that can be no place, or that are one only when x and y are exchanged.

    A label outside every scene is accepted: imagery may come later.

    Args:
        geometry: (x, y) in `crs`.
        crs: its CRS.
        ground: of the project.

    Raises:
        InvalidGeometry: a latitude beyond 90 degrees, a longitude beyond 360, or coordinates that are swapped.
    """
    west, south, east, north = geometry.bounds
    if crs_.is_geographic(crs) and (south < -90 or north > 90 or west < -360 or east > 360):
        message = (
            f"expected longitudes (x) from -180 to 180 and latitudes (y) from -90 to 90, got x from {west:g} to {east:g} "
            f"and y from {south:g} to {north:g}"
        )
        hint = "; x and y look swapped" if abs(west) <= 90 and abs(east) <= 90 else ""
        raise InvalidGeometry(
            f"The label is nowhere on {crs_.body(crs)}: {message}{hint}.", [Problem(_POINTER, message + hint)]
        )
    if ground.swapped(np.array([geometry.bounds]), crs)[0]:
        message = (
            f"x and y look swapped: ({west:g}, {south:g}) lies outside every scene of the project, "
            f"and ({south:g}, {west:g}) lies inside one"
        )
        raise InvalidGeometry(
            f"The label was not saved: {message}. Send x (easting, longitude) first, or name the CRS whose axis order "
            "you use in Content-Crs.",
            [Problem(_POINTER, message)],
        )


def outside_area_of_use(geometry: BaseGeometry, crs: str) -> bool:
    """Whether a shape in a CRS lies, at least in part, outside the area that the CRS was made for."""
    area = crs_.area_of_use(crs) if crs_.on_earth(crs) else None
    if area is None:
        return False
    west, south, east, north = area
    degrees = crs_.transform_coordinates(shapely.get_coordinates(geometry), crs, CRS84)
    x, y = degrees.T
    x = (x - west) % 360 + west
    inside = (x <= east + (360 if east < west else 0) + _ROOM) & (y >= south - _ROOM) & (y <= north + _ROOM)
    return not bool(inside.all())
