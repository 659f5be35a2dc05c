"""A bbox in one CRS on labels that rest in another.

The image of a box under a map projection is no box, and far from its home a projection folds. So the box is first cut
to where there are labels, a box around its image gives the candidates, and each of them is tested in the CRS of the box,
save those that lie in a box within the image: they meet it for certain.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import shapely
from shapely.geometry import LineString, Point

from geolabel.errors import InvalidCRS
from geolabel.geo import crs as crs_
from geolabel.geo.boxes import corners_of
from geolabel.geo.ragged import NONE
from geolabel.geo.seam import end_of
from geolabel.geo.shown import shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from shapely.geometry.base import BaseGeometry

    from geolabel.geo.placed import Placed
    from geolabel.model import Bounds


@dataclass(frozen=True, slots=True)
class Area:
    """Part of the ground.

    Attributes:
        bounds: in the storage CRS; everything that meets the area meets this box. None for no limit.
        box: the area itself, in `crs`; None when `bounds` is the area.
        crs: CRS of `box`.
        storage: CRS of `bounds` and of the labels.
        cut: of `box`, where there are labels, in `crs`.
        turn: degrees that `bounds` lies further on than the image of `cut`.
    """

    bounds: Bounds | None
    box: Bounds | None
    crs: str
    storage: str
    cut: Bounds | None = None
    turn: float = 0.0

    @property
    def inner(self) -> Bounds | None:
        """In the storage CRS; everything that lies in this box meets the area. None when no such box is known."""
        if self.box is None or self.cut is None:
            return self.bounds if self.box is None else None
        found = _inner(self.cut, self.crs, self.storage)
        return None if found is None else _shifted(found, self.turn)

    def meets(self, geometries: NDArray[np.object_]) -> NDArray[np.bool_]:
        """Which of the shapes (n,), in the storage CRS, meet the area: (n,)."""
        if self.box is None:
            return (
                shapely.intersects(box_shape(self.bounds), geometries)
                if self.bounds
                else np.ones(len(geometries), bool)
            )
        hits = np.zeros(len(geometries), bool)
        if (inner := self.inner) is not None:
            low_x, low_y, high_x, high_y = shapely.bounds(geometries).T
            hits = (low_x >= inner[0]) & (low_y >= inner[1]) & (high_x <= inner[2]) & (high_y <= inner[3])
        rest = np.flatnonzero(~hits)
        hits[rest] = self._meets(geometries[rest])
        return hits

    def _meets(self, geometries: NDArray[np.object_]) -> NDArray[np.bool_]:
        """Which of the shapes (n,) meet it as the client is shown them: cut where its CRS ends, as its boxes are."""
        if self.box is None:
            return self.meets(geometries)
        hits: NDArray[np.bool_] = shapely.intersects(box_shape(self.box), shown(geometries, self.storage, self.crs))
        return hits

    def meets_flat(self, placed: Placed) -> NDArray[np.bool_]:
        """The same for shapes as flat arrays: one with a vertex in the area meets it, and few others need a closer look."""
        box = self.bounds if self.box is None else self.box
        if box is None or len(placed) == 0:
            return np.ones(len(placed), bool)
        seen = placed.shapes if self.box is None else placed.seen(self.storage, self.crs)
        low_x, low_y, high_x, high_y = seen.bounds().T
        plain = seen.kinds != NONE
        if self.box is not None:
            # In one piece, and not beyond where a map ends: it is shown as it is.
            end = end_of(self.crs, degrees=crs_.is_geographic(self.crs)) or np.inf
            plain &= (high_x - low_x < end) & (low_x >= -end) & (high_x <= end)
        hits: NDArray[np.bool_] = (
            (low_x >= box[0]) & (high_x <= box[2]) & (low_y >= box[1]) & (high_y <= box[3]) & plain
        )
        hits |= seen.kinds == NONE  # the index found what these arrays do not hold
        near = (low_x <= box[2]) & (high_x >= box[0]) & (low_y <= box[3]) & (high_y >= box[1])
        edge = np.flatnonzero(~hits & (near | ~plain))
        if len(edge) == 0:
            return hits
        others = seen.take(edge)
        x, y = others.xy[:, 0], others.xy[:, 1]
        inside = (x >= box[0]) & (x <= box[2]) & (y >= box[1]) & (y <= box[3])
        sure = np.logical_or.reduceat(inside, others.vertices[:-1]) & plain[edge]
        hits[edge[sure]] = True
        doubtful = edge[~sure]
        if len(doubtful):
            hits[doubtful] = self._meets(placed.shapes.take(doubtful).to_shapely())
        return hits


def areas_of(boxes: Sequence[Bounds], crs: str, storage: str, extent: Bounds | None) -> list[Area]:
    """The areas of a bbox.

    Args:
        boxes: (min x, min y, max x, max y) in `crs`.
        crs: CRS of the boxes.
        storage: CRS that the labels rest in.
        extent: the box around all labels, in `storage`; None when there are none.

    Returns:
        None of them when no label can be met; one without bounds when all are.
    """
    if extent is None:
        return []
    if crs_.same(crs, storage):
        return [area for box in boxes for area in _all_around(Area(box, None, crs, storage), extent)]
    try:
        home = _split(crs_.bounds_to(extent, storage, crs))
    except InvalidCRS:  # labels that this CRS cannot hold: no box of it chooses among them
        return []
    if all(any(_holds(box, part) for box in boxes) for part in home):
        return [Area(None, None, crs, storage)]
    areas = []
    for box in boxes:
        for part in map(_grown, home):
            cut = max(box[0], part[0]), max(box[1], part[1]), min(box[2], part[2]), min(box[3], part[3])
            if cut[0] <= cut[2] and cut[1] <= cut[3]:
                areas += _all_around(Area(_grown(_outer(cut, crs, storage)), box, crs, storage, cut), extent)
    return areas


def _all_around(area: Area, extent: Bounds) -> list[Area]:
    """The area, and where labels rest in degrees the same one a turn further on: they are continuous across 180."""
    if not crs_.is_geographic(area.storage) or area.bounds is None:
        return [area]
    around = []
    for turn in (-360.0, 0.0, 360.0):
        west, south, east, north = _shifted(area.bounds, turn)
        if turn == 0 or (west <= extent[2] and east >= extent[0]):
            around.append(replace(area, bounds=(west, south, east, north), turn=turn))
    return around


def _shifted(box: Bounds, turn: float) -> Bounds:
    west, south, east, north = box
    return (west + turn, south, east + turn + (360.0 if east < west else 0.0), north)


def _split(box: Bounds) -> list[Bounds]:
    west, south, east, north = box
    return [box] if west <= east else [(west, south, 180.0, north), (-180.0, south, east, north)]


def _grown(box: Bounds) -> Bounds:
    """The box with room for the rounding of a transformation; candidates are tested exactly later."""
    room = 1e-9 * max(map(abs, (*box, 1.0)))
    return box[0] - room, box[1] - room, box[2] + room, box[3] + room


def _holds(outer: Bounds, inner: Bounds) -> bool:
    return outer[0] <= inner[0] and outer[1] <= inner[1] and outer[2] >= inner[2] and outer[3] >= inner[3]


def box_shape(box: Bounds) -> BaseGeometry:
    """A box as a prepared shape; one without width or height is a line or a point."""
    low, high = box[:2], box[2:]
    if low == high:
        shape: BaseGeometry = Point(low)
    elif low[0] == high[0] or low[1] == high[1]:
        shape = LineString([low, high])
    else:
        shape = shapely.box(*box)
    shapely.prepare(shape)
    return shape


def _outer(box: Bounds, source: str, target: str) -> Bounds:
    """A box in `target` that holds the image of a box; InvalidCRS when there is none."""
    if not crs_.is_geographic(target):
        ring = crs_.transform_coordinates(_edges(box), source, target)
        (west, south), (east, north) = corners_of(ring)
        room = _bend(ring)
        # Where edges hardly bend, points along them tell nearly as much as a search for the outermost ones.
        if room <= 0.01 * max(east - west, north - south):
            return float(west) - room, float(south) - room, float(east) + room, float(north) + room
    return crs_.bounds_to(box, source, target)


def _bend(ring: NDArray[np.float64]) -> float:
    """Between two points of `_edges` an edge bends by less than what the point between their neighbours is off the chord."""
    with np.errstate(invalid="ignore"):
        off = np.abs(ring[1:-1] - (ring[2:] + ring[:-2]) / 2)[_WITHIN_EDGES].max()
    return float(off) if np.isfinite(off) else np.inf


@lru_cache(maxsize=256)
def _inner(box: Bounds, source: str, target: str) -> Bounds | None:
    """A box in `target` whose every point lies in `box` of `source`; None when none is found.

    The image of the edges encloses the image of the box. A box inside it is the one between the innermost points of
    the four images, or, where a projection turns them, one around the middle.
    """
    ring = crs_.transform_coordinates(_edges(box), source, target)
    if not np.isfinite(ring).all():
        return None
    image = shapely.Polygon(ring)
    if not image.is_valid:
        return None
    room = _bend(ring) + 1e-9 * float(np.abs(ring).max())
    south, east, north, west = (ring[i * _STEPS : (i + 1) * _STEPS + 1] for i in range(4))
    between = west[:, 0].max(), south[:, 1].max(), east[:, 0].min(), north[:, 1].min()
    x, y = shapely.get_coordinates(image.centroid)[0]
    min_x, min_y, max_x, max_y = image.bounds
    shapely.prepare(image)
    around = [(x + s * (min_x - x), y + s * (min_y - y), x + s * (max_x - x), y + s * (max_y - y)) for s in _SHARES]
    for chosen in (between, *around):
        x0, y0, x1, y1 = map(float, chosen)
        inner = x0 + room, y0 + room, x1 - room, y1 - room
        if inner[0] < inner[2] and inner[1] < inner[3] and image.contains(shapely.box(*chosen)):
            back = crs_.transform_coordinates(_edges(inner), target, source)
            if _holds(box, (*back.min(axis=0), *back.max(axis=0))):
                return inner
    return None


_STEPS = 32
_SHARES = (0.9, 0.8, 0.7, 0.6, 0.5, 0.35, 0.2)
_WITHIN_EDGES = np.arange(1, 4 * _STEPS) % _STEPS != 0


def _edges(box: Bounds) -> NDArray[np.float64]:
    """Points along the edges of a box, from its lower left corner to the right and back to it: (4 * _STEPS + 1, 2)."""
    t = np.linspace(0.0, 1.0, _STEPS, endpoint=False)
    min_x, min_y, max_x, max_y = box
    x = np.concatenate([min_x + t * (max_x - min_x), np.full(_STEPS, max_x)])
    y = np.concatenate([np.full(_STEPS, min_y), min_y + t * (max_y - min_y)])
    xs = np.concatenate([x, min_x + max_x - x, [min_x]])
    ys = np.concatenate([y, min_y + max_y - y, [min_y]])
    return np.column_stack((xs, ys))
