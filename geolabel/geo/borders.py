"""Borders that labels share: the same vertices on both sides, to the last bit.

Two outlines that look the same on a map drift apart when each is rounded, transformed or cut on its own. So a vertex that
comes onto a neighbour's edge is put into that edge too, and one that lies on a neighbour's vertex takes its doubles.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import shapely

from geolabel.geo.edges import paths_of, rebuilt

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from shapely.geometry.base import BaseGeometry

SAME_M = 1e-6
"""Vertices nearer than this are one that went through different sums, in metres: far below any pixel."""


def new_vertices(made: NDArray[np.object_], before: NDArray[np.object_]) -> NDArray[np.float64]:
    """The vertices of shapes that none of the shapes before them has, each once, (n, 2)."""
    known = set(map(tuple, shapely.get_coordinates(before).tolist()))
    fresh = dict.fromkeys(map(tuple, shapely.get_coordinates(made).tolist()))
    return np.array([xy for xy in fresh if xy not in known], dtype=np.float64).reshape(-1, 2)


def with_vertices(shape: BaseGeometry, places: NDArray[np.float64], within: float) -> BaseGeometry:
    """Put vertices into the edges of a line or polygon that they lie on.

    Args:
        shape: its own vertices stay as they are.
        places: (n, 2); those that lie on no edge, or where there is a vertex already, change nothing.
        within: how far off an edge a place may lie, in units of the CRS.

    Returns:
        The same object when nothing was put in.
    """
    if len(places) == 0 or shapely.get_dimensions(shape) < 1:
        return shape
    points = _points(places)
    paths: list[NDArray[np.float64]] = []
    changed = False
    for path, _ in paths_of(shape):
        own = shapely.get_coordinates(path, include_z=path.has_z)
        inserts = _inserts(own, points, places, within)
        changed = changed or len(inserts) > 0
        paths.append(_inserted(own, inserts, places))
    return rebuilt(shape, paths) if changed else shape


def _inserts(
    own: NDArray[np.float64], points: NDArray[np.object_], places: NDArray[np.float64], within: float
) -> list[tuple[int, float, int]]:
    """(edge, share of it, place) of each place that becomes a vertex, in order."""
    edges: Any = shapely.linestrings(np.stack([own[:-1, :2], own[1:, :2]], axis=1))
    place, edge = shapely.STRtree(edges).query(points, predicate="dwithin", distance=within)
    found: dict[int, tuple[float, int, float]] = {}
    for p, e in zip(place.tolist(), edge.tolist(), strict=True):
        start, end = own[e, :2], own[e + 1, :2]
        if min(np.hypot(*(places[p] - start)), np.hypot(*(places[p] - end))) <= within:
            found[p] = (-1.0, -1, 0.0)  # a vertex is there
            continue
        along = end - start
        share = float((places[p] - start) @ along / (along @ along))
        away = float(np.hypot(*(start + share * along - places[p])))
        if p not in found or away < found[p][0]:
            found[p] = (away, e, share)
    return sorted((e, share, p) for p, (_, e, share) in found.items() if e >= 0)


def _inserted(
    own: NDArray[np.float64], inserts: list[tuple[int, float, int]], places: NDArray[np.float64]
) -> NDArray[np.float64]:
    rows = []
    for edge, share, place in inserts:
        z = own[edge, 2:] + share * (own[edge + 1, 2:] - own[edge, 2:])
        rows.append(np.concatenate([places[place], z]))
    return np.insert(own, [edge + 1 for edge, _, _ in inserts], rows, axis=0) if rows else own


def weld(shape: BaseGeometry, anchors: NDArray[np.float64], within: float) -> BaseGeometry:
    """Give vertices the doubles of the anchors that they lie on; Z stays.

    Args:
        shape: any kind.
        anchors: (n, 2), the vertices of neighbours.
        within: how far apart the two may be, in units of the CRS.

    Returns:
        The same object when no vertex lies on an anchor, or when all that do are equal to it.
    """
    if len(anchors) == 0:
        return shape
    own = shapely.get_coordinates(shape, include_z=shape.has_z)
    tree = shapely.STRtree(_points(anchors))
    vertex, anchor = tree.query_nearest(_points(own[:, :2]), max_distance=within, all_matches=False)
    if np.array_equal(own[vertex, :2], anchors[anchor]):
        return shape
    own[vertex, :2] = anchors[anchor]
    array = np.empty(1, dtype=object)
    array[0] = shape
    welded: BaseGeometry = shapely.set_coordinates(array, own)[0]
    return welded if welded.is_valid or not shape.is_valid else shape


def _points(xy: NDArray[np.float64]) -> NDArray[np.object_]:
    return np.asarray(shapely.points(xy), dtype=object)
