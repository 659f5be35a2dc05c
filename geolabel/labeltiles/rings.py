"""Shapely objects as flat arrays of rings, lines and groups of points."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from geolabel.geo.ragged import from_shapely

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Coordinates: TypeAlias = NDArray[np.float64]

POINT, LINE, POLYGON = 1, 2, 3
"""Kinds of geometry, by their numbers in the tile format."""

_KINDS = np.array([POINT, LINE, LINE, POLYGON, POINT, LINE, POLYGON], dtype=np.uint8)
"""Kind by the type id of GEOS."""


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
    shapes = from_shapely(geometries)
    parts = shapes.shapes  # where each shape begins in the parts
    owner = np.repeat(np.arange(len(shapes)), np.diff(shapes.parts[parts]))
    kinds = _KINDS[shapes.kinds[owner]]
    holes = kinds == POLYGON
    holes[shapes.parts[:-1]] = False
    return Rings(shapes.xy, shapes.rings, owner, holes, kinds)
