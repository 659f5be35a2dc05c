"""A bbox in one CRS on labels that rest in another.

The image of a box under a map projection is no box, and far from its home a projection folds. So the box is first cut
to where there are labels, its image gives the candidates, and each candidate is tested in the CRS of the box.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import shapely

from geolabel.errors import InvalidCRS
from geolabel.geo import crs as crs_

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from geolabel.model import Annotation, Bounds


@dataclass(frozen=True, slots=True)
class Area:
    """Part of the ground.

    Attributes:
        bounds: in the storage CRS; everything that meets the area meets this box. None for no limit.
        box: the area itself, in `crs`; None when `bounds` is the area.
        crs: CRS of `box`.
        storage: CRS of `bounds` and of the labels.
    """

    bounds: Bounds | None
    box: Bounds | None
    crs: str
    storage: str

    def choose(self, candidates: Sequence[Annotation]) -> list[Annotation]:
        """Those of the candidates (that meet `bounds`) that meet the area."""
        if self.box is None:
            return list(candidates)
        stored: NDArray[np.object_] = np.array([*(a.geometry for a in candidates), None], dtype=object)[:-1]
        seen = crs_.transform_geometries(stored, self.storage, self.crs)
        hits = shapely.intersects(shapely.box(*self.box), seen)
        if crs_.is_geographic(self.crs):
            # A shape across the antimeridian comes out as a band around the Earth: its candidate's box decides.
            west, _, east, _ = shapely.bounds(seen).T
            hits |= east - west > 180
        return [annotation for annotation, hit in zip(candidates, hits, strict=True) if hit]


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
        return [Area(box, None, crs, storage) for box in boxes]
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
                areas.append(Area(_grown(crs_.bounds_to(cut, crs, storage)), box, crs, storage))
    return areas


def _split(box: Bounds) -> list[Bounds]:
    west, south, east, north = box
    return [box] if west <= east else [(west, south, 180.0, north), (-180.0, south, east, north)]


def _grown(box: Bounds) -> Bounds:
    """The box with room for the rounding of a transformation; candidates are tested exactly later."""
    room = 1e-9 * max(map(abs, (*box, 1.0)))
    return box[0] - room, box[1] - room, box[2] + room, box[3] + room


def _holds(outer: Bounds, inner: Bounds) -> bool:
    return outer[0] <= inner[0] and outer[1] <= inner[1] and outer[2] >= inner[2] and outer[3] >= inner[3]
