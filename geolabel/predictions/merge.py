"""Objects that the edges of chips cut: which pieces belong together, and the whole that they make."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from shapely.geometry.base import BaseGeometry

    from geolabel.predictions.objects import Objects
    from geolabel.predictions.options import BackOptions

_HAIR = 1e-6
"""In pixels: what moves by less has not moved."""

_WHOLE = 1.5
"""What no edge cuts is the whole object, unless the union of all pieces is so many times larger."""

_ALIKE = 1.01
"""Views of one object whose union is at most so many times the largest of them are alike: it stands for all."""

Pairs = tuple["NDArray[np.int64]", "NDArray[np.int64]"]


def merge(found: Objects, frames: NDArray[np.float64], options: BackOptions) -> tuple[Objects, int]:
    """Join the pieces of objects on neighbouring and overlapping chips of one lattice.

    Two pieces of a class belong together when an edge of a chip cuts at least one of them and they agree where their
    chips overlap, or meet in the line between two that only touch; or when the file says itself that they do.

    Args:
        found: objects on one picture each, in pixels of the lattice.
        frames: (n, 4) the box of each one's picture on the lattice.
        options: how far from an edge, and how much in common.

    Returns:
        The objects, in the order of their first pieces, and how many pieces went into others.
    """
    left, right = _candidates(found, frames, options)
    keyed = found.keys[left] != None  # noqa: E711 (an array)
    linked = keyed.copy()
    rest = np.flatnonzero(~keyed)
    linked[rest] = _agree(found.shapes, frames, (left[rest], right[rest]), options)
    groups = _groups(len(found), left[linked], right[linked])
    order, starts, sizes = np.unique(groups, return_index=True, return_counts=True)
    single = np.flatnonzero(sizes == 1)
    several = order[sizes > 1]
    if not len(several):
        return found, 0
    shapes, scores, pictures, boxes = (
        found.shapes.copy(),
        found.scores.copy(),
        found.pictures.copy(),
        found.boxes.copy(),
    )
    by_group = np.argsort(groups, kind="stable")
    firsts = np.searchsorted(groups[by_group], several, side="left")
    lasts = np.searchsorted(groups[by_group], several, side="right")
    for begin, end in zip(firsts.tolist(), lasts.tolist(), strict=True):
        members = by_group[begin:end]
        first = members[0]
        shapes[first] = _whole(found, frames, members, options)
        known = found.scores[members]
        scores[first] = np.nan if np.isnan(known).all() else np.nanmax(known)
        pictures[first] = frozenset().union(*found.pictures[members])
        boxes[first] = found.boxes[members].all()
    kept = np.sort(np.concatenate([starts[single], starts[sizes > 1]]))
    whole = replace(found, shapes=shapes, scores=scores, pictures=pictures, boxes=boxes)
    return whole.take(kept), len(found) - len(kept)


def _candidates(found: Objects, frames: NDArray[np.float64], options: BackOptions) -> Pairs:
    """Pairs of a class on two pictures, near each other, of which an edge cuts one; and those that have a key in common."""
    tree = shapely.STRtree(found.shapes)
    left, right = tree.query(found.shapes, predicate="dwithin", distance=2 * options.border + _HAIR)
    picture = np.array([next(iter(p)) for p in found.pictures], dtype=np.int64)
    chosen = (left < right) & (picture[left] != picture[right])
    left, right = left[chosen], right[chosen]
    cut = _cut(found.shapes, frames, options.border)
    chosen = (found.classes[left] == found.classes[right]) & (cut[left] | cut[right])
    # Of two with a key, or one with and one without, the key alone decides.
    unkeyed = found.keys == None  # noqa: E711
    chosen &= unkeyed[left] & unkeyed[right]
    by_key: dict[tuple[str, str, str], int] = {}
    pairs: list[tuple[int, int]] = []
    for row in np.flatnonzero(~unkeyed).tolist():
        first = by_key.setdefault((found.keys[row], found.classes[row], found.scenes[row]), row)
        if first != row:
            pairs.append((first, row))
    named = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    return np.concatenate([left[chosen], named[:, 0]]), np.concatenate([right[chosen], named[:, 1]])


def _cut(shapes: NDArray[np.object_], frames: NDArray[np.float64], border: float) -> NDArray[np.bool_]:
    """Which shapes end at an edge of their picture, (n,)."""
    bounds = shapely.bounds(shapes).reshape(-1, 4)
    before = bounds[:, :2] <= frames[:, :2] + border + _HAIR
    behind = bounds[:, 2:] >= frames[:, 2:] - border - _HAIR
    return np.asarray((before | behind).any(axis=1))


def _agree(
    shapes: NDArray[np.object_], frames: NDArray[np.float64], pairs: Pairs, options: BackOptions
) -> NDArray[np.bool_]:
    """Which pairs look alike where their pictures overlap, or meet."""
    left, right = pairs
    low = np.maximum(frames[left, :2], frames[right, :2])
    high = np.minimum(frames[left, 2:], frames[right, 2:])
    extent = high - low
    result = np.zeros(len(left), dtype=bool)
    over = np.flatnonzero((extent > _HAIR).all(axis=1))
    if len(over):
        zones = shapely.box(low[over, 0], low[over, 1], high[over, 0], high[over, 1])
        one, other = (_sound_intersection(shapes[side[over]], zones) for side in (left, right))
        result[over] = _share(one, other, shapely.area) >= options.same
    for axis in (0, 1):
        meet = np.flatnonzero((np.abs(extent[:, axis]) <= _HAIR) & (extent[:, 1 - axis] > _HAIR))
        if len(meet):
            line = low[meet, axis]
            one, other = (_at_edge(shapes[side[meet]], frames[side[meet]], axis, line) for side in (left, right))
            near = _reaches(shapes[left[meet]], axis, line, options) & _reaches(
                shapes[right[meet]], axis, line, options
            )
            result[meet] = near & (_share(one, other, shapely.length) >= options.same)
    return result


def _sound_intersection(shapes: NDArray[np.object_], others: NDArray[np.object_]) -> NDArray[np.object_]:
    """What each pair has in common; of shapes that cross themselves, once they are valid."""
    result: NDArray[np.object_]
    try:
        result = shapely.intersection(shapes, others)
    except shapely.GEOSException:
        result = shapely.intersection(
            shapely.make_valid(shapes, method="structure"), shapely.make_valid(others, method="structure")
        )
    return result


def _of_dimension(shapes: NDArray[np.object_], dimension: int) -> NDArray[np.object_]:
    """Shapes without what is of fewer dimensions: where a shape only touches a zone, it leaves lines and points as well."""
    mixed = np.flatnonzero(shapely.get_type_id(shapes) == shapely.GeometryType.GEOMETRYCOLLECTION)
    if not len(mixed):
        return shapes
    result = shapes.copy()
    for row in mixed.tolist():
        parts = shapely.get_parts(shapes[row])
        result[row] = shapely.union_all(parts[shapely.get_dimensions(parts) == dimension])
    return result


def _share(one: NDArray[np.object_], other: NDArray[np.object_], measure: Callable[[Any], Any]) -> NDArray[np.float64]:
    """What two have in common, as a share of the smaller one; 0 where one of them is nothing."""
    dimension = 2 if measure is shapely.area else 1
    one, other = _of_dimension(one, dimension), _of_dimension(other, dimension)
    smaller = np.minimum(measure(one), measure(other))
    both = measure(_sound_intersection(one, other))
    share: NDArray[np.float64] = np.divide(both, smaller, out=np.zeros(len(smaller)), where=smaller > 0)
    return share


def _gap(shapes: NDArray[np.object_], axis: int, line: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far each shape ends before a line, (n,)."""
    bounds = shapely.bounds(shapes).reshape(-1, 4)
    return np.minimum(np.abs(bounds[:, axis] - line), np.abs(bounds[:, axis + 2] - line))


def _reaches(
    shapes: NDArray[np.object_], axis: int, line: NDArray[np.float64], options: BackOptions
) -> NDArray[np.bool_]:
    near: NDArray[np.bool_] = _gap(shapes, axis, line) <= options.border + _HAIR
    return near


def _at_edge(
    shapes: NDArray[np.object_], frames: NDArray[np.float64], axis: int, line: NDArray[np.float64]
) -> NDArray[np.object_]:
    """What of each shape lies half a pixel inside its end towards a line, moved onto the line."""
    inward = np.where(np.abs(frames[:, axis] - line) <= _HAIR, 1.0, -1.0)
    offset = inward * (_gap(shapes, axis, line) + 0.5)
    ends = np.empty((len(shapes), 2, 2))
    ends[:, :, axis] = (line + offset)[:, np.newaxis]
    ends[:, :, 1 - axis] = frames[:, [1 - axis, 3 - axis]]
    lines: NDArray[np.object_] = np.asarray(shapely.linestrings(ends), dtype=object)
    pieces = _sound_intersection(shapes, lines)
    xy, owner = shapely.get_coordinates(pieces, return_index=True)
    xy[:, axis] = line[owner]
    moved: NDArray[np.object_] = shapely.set_coordinates(pieces, xy)
    return moved


def _groups(count: int, left: NDArray[np.int64], right: NDArray[np.int64]) -> NDArray[np.int64]:
    """The first member of the group that each belongs to, (count,)."""
    parent = list(range(count))

    def root(node: int) -> int:
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    for one, other in zip(left.tolist(), right.tolist(), strict=True):
        a, b = root(one), root(other)
        parent[max(a, b)] = min(a, b)
    return np.array([root(node) for node in range(count)], dtype=np.int64)


def _whole(
    found: Objects, frames: NDArray[np.float64], members: NDArray[np.int64], options: BackOptions
) -> BaseGeometry:
    """The one shape of some pieces."""
    pieces, own = found.shapes[members], frames[members]
    # Pieces that the file itself puts together are exact.
    border = 0.0 if found.keys[members[0]] is not None else options.border
    union = _union(_to_edges(pieces, own, border) if border else pieces)
    uncut = found.shapes[members[~_cut(pieces, own, border)]]
    if len(uncut) and shapely.area(union) <= _WHOLE * shapely.area(seen := _union(uncut)):
        best: BaseGeometry = uncut[np.argmax(shapely.area(uncut))]
        return best if shapely.area(seen) <= _ALIKE * shapely.area(best) else seen
    if found.boxes[members].all():
        box: BaseGeometry = shapely.envelope(union)
        return box
    # Vertices that cutting has put on straight edges go again.
    clean: BaseGeometry = shapely.simplify(union, _HAIR)
    return clean


def _union(pieces: NDArray[np.object_]) -> BaseGeometry:
    union: BaseGeometry
    try:
        union = shapely.union_all(pieces)
    except shapely.GEOSException:
        union = shapely.union_all(shapely.make_valid(pieces, method="structure"))
    return shapely.line_merge(union) if shapely.get_dimensions(union) == 1 else union


def _to_edges(pieces: NDArray[np.object_], frames: NDArray[np.float64], border: float) -> NDArray[np.object_]:
    """Pieces that end a little before the line where their picture meets that of another piece, drawn to it.

    Else a slit would stay between them.
    """
    bounds = shapely.bounds(pieces).reshape(-1, 4)
    gap = np.abs(bounds - frames)
    opposite = frames[:, [2, 3, 0, 1]]
    meets = (np.abs(frames[:, np.newaxis, :] - opposite[np.newaxis, :, :]) <= _HAIR).any(axis=1)
    near = (gap > _HAIR) & (gap <= border) & meets
    result = pieces.copy()
    for row in np.flatnonzero(near.any(axis=1)).tolist():
        xy = shapely.get_coordinates(pieces[row])
        for side in np.flatnonzero(near[row]).tolist():
            xy[np.abs(xy[:, side % 2] - bounds[row, side]) <= _HAIR, side % 2] = frames[row, side]
        drawn = shapely.set_coordinates(shapely.transform(pieces[row], lambda v: v), xy)
        if shapely.is_valid(drawn):
            result[row] = drawn
    return result
