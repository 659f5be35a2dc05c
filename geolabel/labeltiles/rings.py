"""Shapely objects as flat arrays of rings, lines and groups of points."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import shapely

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Coordinates: TypeAlias = NDArray[np.float64]

POINT, LINE, POLYGON = 1, 2, 3
"""Kinds of geometry, by their numbers in the tile format."""

_KINDS = np.array([POINT, LINE, LINE, POLYGON, POINT, LINE, POLYGON, 0], dtype=np.uint8)
"""Kind by shapely's type id; a collection has none."""


@dataclass(frozen=True, slots=True)
class Rings:
    """Rings, lines and groups of points.

    Attributes:
        xy: float64 (v, 2), x first; polygon rings end where they begin.
        starts: int64 (r + 1,), where each ring's vertices begin, and the end.
        owner: int64 (r,), which label it is of; ascending.
        holes: bool (r,), whether it is a hole of the outer ring before it.
        kinds: uint8 (r,), of the label.
    """

    xy: Coordinates
    starts: NDArray[np.int64]
    owner: NDArray[np.int64]
    holes: NDArray[np.bool_]
    kinds: NDArray[np.uint8]

    def edges(self) -> NDArray[np.bool_]:
        """Which vertices (v - 1,) are joined to the next one."""
        joined = np.repeat(self.kinds != POINT, np.diff(self.starts))[:-1]
        joined[self.starts[1:-1] - 1] = False
        return joined

    def keep(self, kept: NDArray[np.bool_]) -> Rings:
        """Some of the rings (r,)."""
        counts = np.diff(self.starts)
        return Rings(
            self.xy[np.repeat(kept, counts)],
            starts_of(counts[kept]),
            self.owner[kept],
            self.holes[kept],
            self.kinds[kept],
        )


def starts_of(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where runs of these lengths begin, and the end (n + 1,)."""
    starts = np.zeros(len(counts) + 1, dtype=np.int64)
    np.cumsum(counts, out=starts[1:])
    return starts


def flatten(geometries: NDArray[np.object_]) -> Rings:
    """Points, lines and polygons, single or multi (n,), to flat arrays; Z is left out, and so are collections."""
    parts, part_owner = shapely.get_parts(geometries, return_index=True)
    part_kinds = _KINDS[shapely.get_type_id(parts)]
    is_polygon = part_kinds == POLYGON
    rings, ring_part = shapely.get_rings(parts[is_polygon], return_index=True)
    holes = np.zeros(len(rings), dtype=np.bool_)
    holes[1:] = ring_part[1:] == ring_part[:-1]
    others = (part_kinds == POINT) | (part_kinds == LINE)
    pieces = np.concatenate([rings, parts[others]])
    owner = np.concatenate([part_owner[is_polygon][ring_part], part_owner[others]])
    holes = np.concatenate([holes, np.zeros(np.count_nonzero(others), dtype=np.bool_)])
    kinds = np.concatenate([np.full(len(rings), POLYGON, dtype=np.uint8), part_kinds[others]])
    order = np.argsort(owner, kind="stable")
    pieces, owner, holes, kinds = pieces[order], owner[order], holes[order], kinds[order]
    xy, piece = shapely.get_coordinates(pieces, return_index=True)
    ends = np.cumsum(np.bincount(piece, minlength=len(pieces)))
    # The points of one label are one piece.
    last = np.ones(len(pieces), dtype=np.bool_)
    last[:-1] = (owner[1:] != owner[:-1]) | (kinds[:-1] != POINT)
    starts = np.concatenate([[0], ends[last]]).astype(np.int64)
    return Rings(xy, starts, owner[last].astype(np.int64), holes[last], kinds[last])
