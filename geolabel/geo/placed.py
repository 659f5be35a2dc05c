"""Shapes as flat arrays where they rest, and as they look in other CRSs: each way there is gone once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from geolabel.geo import crs as crs_
from geolabel.geo import ragged

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from geolabel.geo.ragged import Ragged

_WORTH_TWO = 4_000
"""Vertices from which on somebody else is asked to help: PROJ takes a tenth of a microsecond for each, without the interpreter."""

_helpers = ThreadPoolExecutor(2, thread_name_prefix="placing")


@dataclass(frozen=True, slots=True)
class Placed:
    """Shapes (n,).

    Attributes:
        shapes: in the CRS that they rest in.
        images: their coordinates (m, 2) in other CRSs, by name, as far as somebody asked for them.
    """

    shapes: Ragged
    images: dict[str, NDArray[np.float64]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.shapes)

    def seen(self, storage: str, crs: str) -> Ragged:
        """The shapes, which rest in `storage`, as they look in a CRS: each vertex by itself, and nothing cut."""
        if crs_.same(storage, crs):
            return self.shapes
        if crs not in self.images:
            self.images[crs] = _by_two(self.shapes.xy, storage, crs)
        return replace(self.shapes, xy=self.images[crs])

    def take(self, rows: NDArray[np.int64]) -> Placed:
        """The shapes at these positions, in the order given."""
        shapes, vertices = self.shapes.take_with_vertices(rows)
        return Placed(shapes, {crs: xy[vertices] for crs, xy in self.images.items()})


def join(pieces: Sequence[Placed]) -> Placed:
    """One after the other."""
    some = [piece for piece in pieces if len(piece)]
    return some[0] if len(some) == 1 else Placed(ragged.join([piece.shapes for piece in pieces]))


def _by_two(xy: NDArray[np.float64], source: str, target: str) -> NDArray[np.float64]:
    """`transform_coordinates` in two threads at once: whoever looks at a map waits for it."""
    if len(xy) < _WORTH_TWO:
        return crs_.transform_coordinates(xy, source, target)
    half = len(xy) // 2
    rest = _helpers.submit(crs_.transform_coordinates, xy[half:], source, target)
    first = crs_.transform_coordinates(xy[:half], source, target)
    return np.concatenate((first, rest.result()))
