"""Duplicates on overlapping chips: of two that say the same, the surer one stays."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import shapely

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geolabel.predictions.objects import Objects
    from geolabel.predictions.options import BackOptions


def duplicates(found: Objects, options: BackOptions) -> NDArray[np.bool_]:
    """Which objects are duplicates of surer ones, (n,).

    Greedy, by class and scene: from the surest on (of two alike the larger, then the first), each object that stays
    takes those away that share more than `options.iou` of the union with it, or more than `options.ios` of the smaller
    one. What one and the same chip says twice is left alone: a model means it so.

    Args:
        found: areas, lines and points; only areas can be duplicates.
        options: the shares.
    """
    gone = np.zeros(len(found), dtype=bool)
    areas = np.flatnonzero(shapely.get_dimensions(found.shapes) == 2)
    if len(areas) < 2:
        return gone
    shapes = found.shapes[areas]
    left, right = shapely.STRtree(shapes).query(shapes, predicate="intersects")
    one, other = areas[left], areas[right]
    chosen = (
        (one < other)
        & (found.classes[one] == found.classes[other])
        & (found.scenes[one] == found.scenes[other])
        & _different(found, one, other)
    )
    one, other = one[chosen], other[chosen]
    if not len(one):
        return gone
    size = shapely.area(found.shapes)
    common = _common(found.shapes[one], found.shapes[other])
    union = size[one] + size[other] - common
    alike = (common > options.iou * union) | (common > options.ios * np.minimum(size[one], size[other]))
    one, other = one[alike], other[alike]
    sureness = np.nan_to_num(found.scores, nan=0.0)
    rank = np.empty(len(found), dtype=np.int64)
    rank[np.lexsort((np.arange(len(found)), -size, -sureness))] = np.arange(len(found))
    swap = rank[one] > rank[other]
    better, worse = np.where(swap, other, one), np.where(swap, one, other)
    for row in np.lexsort((rank[worse], rank[better])).tolist():
        if not gone[better[row]]:
            gone[worse[row]] = True
    return gone


def _different(found: Objects, one: NDArray[np.int64], other: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether two were seen on different chips, and nothing says that they are two things."""
    keyed = (found.keys[one] != None) & (found.keys[other] != None)  # noqa: E711
    apart = np.array(
        [a.isdisjoint(b) for a, b in zip(found.pictures[one], found.pictures[other], strict=True)], dtype=bool
    )
    different: NDArray[np.bool_] = apart & ~(keyed & (found.keys[one] != found.keys[other]))
    return different


def _common(one: NDArray[np.object_], other: NDArray[np.object_]) -> NDArray[np.float64]:
    """Area of the intersection of each pair."""
    try:
        common = shapely.intersection(one, other)
    except shapely.GEOSException:
        common = shapely.intersection(
            shapely.make_valid(one, method="structure"), shapely.make_valid(other, method="structure")
        )
    area: NDArray[np.float64] = shapely.area(common)
    return area
