"""No ground in two splits: proven from the footprints of chips, without looking at how they were split. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import shapely

from geolabel.geo import crs as crs_

if TYPE_CHECKING:
    from numpy.typing import NDArray

HAIR = 1e-6
"""Of a chip: footprints that share no more than a strip this wide only touch; it is what rounding leaves."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What a look at all chips of different splits showed.

    Attributes:
        shared: ground that chips of different splits share, in areas of the smallest chip.
        pairs: chips of different splits whose boxes meet, and whose shared ground was measured.
        nearest: smallest distance between chips of different splits, in units of the project's CRS; None with one split.
    """

    shared: float
    pairs: int
    nearest: float | None


def prove(footprints: NDArray[np.object_], splits: NDArray[np.object_]) -> Proof:
    """Measure the ground that chips of different splits share.

    Args:
        footprints: (n,) outlines in one CRS.
        splits: (n,) names.
    """
    names = sorted(set(splits.tolist()))
    if len(names) < 2:
        return Proof(0.0, 0, None)
    shared, pairs, nearest = 0.0, 0, np.inf
    smallest = float(shapely.area(footprints).min())
    seen = np.zeros(len(footprints), dtype=bool)
    for name in names[:-1]:
        seen |= splits == name
        own, others = footprints[splits == name], footprints[~seen]
        tree = shapely.STRtree(own)
        other, one = tree.query(others)
        areas = shapely.area(shapely.intersection(others[other], own[one]))
        shared += float(areas[areas > smallest * HAIR * 4].sum())
        pairs += len(one)
        _, distance = tree.query_nearest(others, all_matches=False, return_distance=True)
        nearest = min(nearest, float(distance.min()))
    return Proof(shared / smallest, pairs, nearest)


def shared_ground(footprints: NDArray[np.object_], splits: NDArray[np.object_]) -> float:
    """Ground that chips of different splits share, in areas of the smallest chip; 0 when none do."""
    return prove(footprints, splits).shared


def continuous(footprints: NDArray[np.object_], crs: str | None) -> NDArray[np.object_]:
    """The same outlines, those in degrees put side by side across the antimeridian: 179 to 181, wherever -179 stood."""
    if crs is None or not crs_.is_geographic(crs) or not len(footprints):
        return footprints
    bounds = shapely.bounds(footprints).reshape(-1, 4)
    middle = (bounds[:, 0] + bounds[:, 2]) / 2
    turns = np.round((middle - middle[0]) / 360.0)
    if not turns.any():
        return footprints
    xy, owner = shapely.get_coordinates(footprints, return_index=True)
    xy[:, 0] -= 360.0 * turns[owner]
    moved: NDArray[np.object_] = shapely.set_coordinates(footprints.copy(), xy)
    return moved


def class_gap(counts: NDArray[np.int64], splits: NDArray[np.object_]) -> float | None:
    """By how much the share of a class differs between splits, at most, 0..1; None where there is nothing to compare.

    Args:
        counts: (n, classes) annotations on each chip.
        splits: (n,) names.
    """
    sums = np.array([counts[splits == name].sum(axis=0) for name in sorted(set(splits.tolist()))])
    sums = sums[sums.sum(axis=1) > 0] if len(sums) else sums
    if len(sums) < 2:
        return None
    mixture = sums / sums.sum(axis=1, keepdims=True)
    return float((mixture.max(axis=0) - mixture.min(axis=0)).max())
