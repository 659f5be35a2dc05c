"""A polygon with holes, or several polygons, as one ring: what lies apart is joined by bridges of no width."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import shapely

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from shapely.geometry import Polygon
    from shapely.geometry.base import BaseGeometry


def keyhole(polygon: Polygon) -> NDArray[np.float64]:
    """Cut a polygon open.

    Holes are taken from left to right; a bridge runs from a hole's leftmost vertex straight to the left, to the first
    edge of what is joined already. It can cross no other hole, because those further left are joined by then.

    Returns:
        (n, 2) vertices of the one ring, not closed; its area is that of the polygon.
    """
    outline = _open(polygon.exterior, ccw=True)
    holes = [_open(ring, ccw=False) for ring in polygon.interiors]
    for hole in sorted(holes, key=lambda ring: (ring[:, 0].min(), ring[ring[:, 0].argmin(), 1])):
        first = int(np.lexsort((hole[:, 1], hole[:, 0]))[0])
        turned = np.roll(hole, -first, axis=0)
        edge, meet = _to_the_left(outline, turned[0])
        bridge = np.vstack((meet, turned, turned[:1], meet))
        outline = np.vstack((outline[: edge + 1], bridge, outline[edge + 1 :]))
    return outline


def one_ring(geometry: BaseGeometry) -> NDArray[np.float64]:
    """A polygon of any kind as one ring: holes are cut open, parts joined where their vertices are nearest.

    Returns:
        (n, 2) vertices, not closed; its area is that of the shape. A plain polygon keeps its vertices in their order.
    """
    parts: list[Polygon] = list(shapely.get_parts(geometry))
    if len(parts) == 1 and not len(parts[0].interiors):
        vertices: NDArray[np.float64] = shapely.get_coordinates(parts[0].exterior)[:-1]
        return vertices
    outline, *others = (keyhole(part) for part in parts)
    for other in others:
        bridge = shapely.get_coordinates(
            shapely.shortest_line(shapely.multipoints(outline), shapely.multipoints(other))
        )
        here, there = (
            int((ring == end).all(axis=1).argmax()) for ring, end in zip((outline, other), bridge, strict=True)
        )
        turned = np.roll(other, -there, axis=0)
        outline = np.vstack((outline[: here + 1], turned, turned[:1], outline[here:]))
    return outline


def _open(ring: shapely.LinearRing, *, ccw: bool) -> NDArray[np.float64]:
    vertices: NDArray[np.float64] = shapely.get_coordinates(ring)[:-1]
    return vertices if bool(shapely.is_ccw(ring)) == ccw else vertices[::-1]


def _to_the_left(outline: NDArray[np.float64], point: NDArray[np.float64]) -> tuple[int, NDArray[np.float64]]:
    """The edge (its first vertex) that a ray to the left meets first, and where: (1, 2)."""
    x, y = point
    start, end = outline, np.roll(outline, -1, axis=0)
    # An outline runs counter-clockwise: seen from inside, the edge to the left runs down through the ray's height.
    crosses = (start[:, 1] >= y) & (end[:, 1] <= y) & (start[:, 1] != end[:, 1])
    rise = np.where(crosses, end[:, 1] - start[:, 1], 1.0)
    at = np.where(crosses, start[:, 0] + (y - start[:, 1]) / rise * (end[:, 0] - start[:, 0]), -np.inf)
    at[at > x] = -np.inf
    edge = int(np.argmax(at))
    return edge, np.array([[at[edge], y]])
