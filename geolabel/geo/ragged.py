"""Many shapes as a few flat arrays: what bulk work moves about, without an object for each shape."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import shapely

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

NONE = -1
"""In place of a kind: no shape, or one that the arrays do not hold (empty, a collection)."""

_HELD = (0, 1, 3, 4, 5, 6)


@dataclass(frozen=True, slots=True)
class Ragged:
    """Shapes, each of parts, each of rings (or lines, or runs of points), each of vertices.

    A Point is one part of one ring of one vertex; a LineString one part of one ring; a Polygon one part, its outline
    first; a MultiPoint one part of one ring; a MultiLineString one part of a ring for each line; a MultiPolygon a part
    for each polygon.

    Attributes:
        kinds: int8 (n,), the type ids of GEOS (0 Point, 1 LineString, 3 Polygon, 4 MultiPoint, 5 MultiLineString,
            6 MultiPolygon), or NONE, which has no parts.
        xy: float64 (m, 2), x first.
        z: float64 (m,), NaN at the vertices of shapes without Z; None when no shape has it.
        rings: int64 (r + 1,), where each ring begins in `xy`.
        parts: int64 (p + 1,), where each part begins in `rings`.
        shapes: int64 (n + 1,), where each shape begins in `parts`.
    """

    kinds: NDArray[np.int8]
    xy: NDArray[np.float64]
    z: NDArray[np.float64] | None
    rings: NDArray[np.int64]
    parts: NDArray[np.int64]
    shapes: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.kinds)

    @property
    def vertices(self) -> NDArray[np.int64]:
        """int64 (n + 1,), where each shape begins in `xy`."""
        begins: NDArray[np.int64] = self.rings[self.parts[self.shapes]]
        return begins

    def bounds(self) -> NDArray[np.float64]:
        """(n, 4): min x, min y, max x, max y of each shape; NaN where there is none."""
        result = np.full((len(self), 4), np.nan)
        begins = self.vertices
        there = np.flatnonzero(np.diff(begins))
        if len(there):
            for column, (axis, pick) in enumerate(((0, np.minimum), (1, np.minimum), (0, np.maximum), (1, np.maximum))):
                result[there, column] = pick.reduceat(self.xy[:, axis], begins[there])
        return result

    def owners(self) -> NDArray[np.int64]:
        """int64 (m,): which shape each vertex belongs to."""
        return np.repeat(np.arange(len(self)), np.diff(self.vertices))

    def take(self, rows: NDArray[np.int64]) -> Ragged:
        """The shapes at these positions, in the order given."""
        return self.take_with_vertices(rows)[0]

    def take_with_vertices(self, rows: NDArray[np.int64]) -> tuple[Ragged, NDArray[np.int64]]:
        """The same, and where their vertices were in `xy`."""
        shapes, part_rows = _gather(self.shapes, rows)
        parts, ring_rows = _gather(self.parts, part_rows)
        rings, vertices = _gather(self.rings, ring_rows)
        z = None if self.z is None else self.z[vertices]
        return Ragged(self.kinds[rows], self.xy[vertices], z, rings, parts, shapes), vertices

    def with_rows(self, rows: NDArray[np.int64], others: Ragged) -> Ragged:
        """The same with other shapes at the positions `rows` (k,), those of `others` in order."""
        if len(rows) == 0:
            return self
        order = np.arange(len(self))
        order[rows] = len(self) + np.arange(len(rows))
        return join([self, others]).take(order)

    def to_shapely(self) -> NDArray[np.object_]:
        """(n,) shapely objects; None where there is no shape."""
        result = np.full(len(self), None, dtype=object)
        flat = np.ones(len(self), dtype=bool)
        there = np.flatnonzero(np.diff(self.vertices))
        if self.z is not None:
            flat[there] = np.isnan(self.z[self.vertices[there]])
        for kind in _HELD:
            for is_flat in (True, False):
                rows = np.flatnonzero((self.kinds == kind) & (flat == is_flat))
                if len(rows):
                    one = self if len(rows) == len(self) else self.take(rows)
                    xy = one.xy if is_flat else np.column_stack((one.xy, one.z))  # type: ignore[arg-type]
                    offsets = {
                        0: None,
                        1: (one.rings,),
                        3: (one.rings, one.parts),
                        4: (one.rings,),
                        5: (one.rings, one.parts),
                        6: (one.rings, one.parts, one.shapes),
                    }[kind]
                    result[rows] = shapely.from_ragged_array(shapely.GeometryType(kind), xy, offsets)
        return result


def from_shapely(geometries: NDArray[np.object_]) -> Ragged:
    """Take apart shapely objects (n,).

    None, empty shapes and collections are NONE in the result; M is left out.
    """
    kinds = np.asarray(shapely.get_type_id(geometries), dtype=np.int8)
    kinds[kinds == 2] = 1  # a bare ring is a line
    kinds[shapely.is_missing(geometries) | shapely.is_empty(geometries) | ~np.isin(kinds, _HELD)] = NONE
    found = [(kind, np.flatnonzero(kinds == kind)) for kind in (NONE, *_HELD)]
    pieces = [(rows, _of_one_kind(geometries[rows], kind)) for kind, rows in found if len(rows) or kind == NONE]
    there = [piece for rows, piece in pieces if len(rows)]
    if len(there) <= 1:
        return there[0] if there else pieces[0][1]
    order = np.empty(len(geometries), dtype=np.int64)
    order[np.concatenate([rows for rows, _ in pieces])] = np.arange(len(geometries))
    return join([piece for _, piece in pieces]).take(order)


def _of_one_kind(geometries: NDArray[np.object_], kind: int) -> Ragged:
    count = len(geometries)
    kinds = np.full(count, kind, dtype=np.int8)
    ones, none = np.arange(count + 1), np.zeros(1, dtype=np.int64)
    if kind == NONE:
        return Ragged(kinds, np.empty((0, 2)), None, none, none, np.zeros(count + 1, dtype=np.int64))
    solid = bool(shapely.has_z(geometries).any())
    _, xy, offsets = shapely.to_ragged_array(geometries, include_z=solid, include_m=False)
    levels = [np.asarray(offset, dtype=np.int64) for offset in offsets or ()]
    rings = levels[0] if levels else ones
    parts = levels[1] if len(levels) > 1 else ones
    shapes = levels[2] if len(levels) > 2 else ones
    flat = np.ascontiguousarray(xy[:, :2])
    return Ragged(kinds, flat, xy[:, 2].copy() if solid else None, rings, parts, shapes)


def join(pieces: Sequence[Ragged]) -> Ragged:
    """One after the other."""
    if len(some := [piece for piece in pieces if len(piece)]) == 1:
        return some[0]
    z = None
    if any(piece.z is not None for piece in pieces):
        z = np.concatenate([np.full(len(p.xy), np.nan) if p.z is None else p.z for p in pieces])
    return Ragged(
        np.concatenate([p.kinds for p in pieces]),
        np.concatenate([p.xy for p in pieces]),
        z,
        _chain([p.rings for p in pieces]),
        _chain([p.parts for p in pieces]),
        _chain([p.shapes for p in pieces]),
    )


def _chain(offsets: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    lengths = np.concatenate([np.diff(o) for o in offsets])
    return np.concatenate(([0], np.cumsum(lengths)))


def _gather(offsets: NDArray[np.int64], rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Offsets of the chosen runs laid one after the other, and where their items were."""
    lengths = np.diff(offsets)[rows]
    begins = np.concatenate(([0], np.cumsum(lengths)))
    items = np.repeat(offsets[rows] - begins[:-1], lengths) + np.arange(begins[-1])
    return begins, items


NO_SHAPES = from_shapely(np.empty(0, dtype=object))
"""None at all."""
