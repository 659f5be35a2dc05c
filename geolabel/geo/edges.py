"""Edges between vertices: straight in one CRS, bent in another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import shapely

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Image = Callable[[NDArray[np.float64]], NDArray[np.float64]]
    """Coordinates (n, 2) of one CRS to those of another."""


def densify(geometries: NDArray[np.object_], image: Image, tolerance: float, *, degrees: bool) -> NDArray[np.object_]:
    """Add vertices to the shapes with an edge that bends.

    Args:
        geometries: (n,) shapely objects.
        image: leads to the other CRS.
        tolerance: in units of the other CRS: an edge whose image bends by more is cut into equal pieces.
        degrees: whether the other CRS has longitudes: crossing the antimeridian is no bend.

    Returns:
        (n,), still in the CRS that they came in; the very objects where nothing bends.
    """
    lines, owner = linework(geometries)
    if len(lines) == 0:
        return geometries
    xy, line = shapely.get_coordinates(lines, return_index=True)
    inner = line[:-1] == line[1:]
    start, end = xy[:-1][inner], xy[1:][inner]
    if len(start) == 0:
        return geometries
    bend = _bends(start, end, image, degrees=degrees)
    edge_owner = owner[line[:-1][inner]]
    # A smooth edge cut in n bends n squared times less; a quarter of an edge more keeps the estimate safe.
    pieces = np.ceil(np.sqrt(np.where(np.isfinite(bend), bend, 0.0) / tolerance) * 1.25)
    needed = pieces > 1
    if not needed.any():
        return geometries
    longest = np.full(len(geometries), np.inf)
    lengths = np.hypot(*(end - start).T)
    np.minimum.at(longest, edge_owner[needed], lengths[needed] / pieces[needed])
    chosen = np.isfinite(longest) & (longest > 0)
    result = np.array(geometries, dtype=object)
    result[chosen] = shapely.segmentize(result[chosen], longest[chosen])
    return result


def _bends(start: NDArray[np.float64], end: NDArray[np.float64], image: Image, *, degrees: bool) -> NDArray[np.float64]:
    """How far the image of each edge lies from the straight line between the images of its ends, (n,)."""
    begin, finish = image(start), image(end)
    bend = np.zeros(len(start))
    with np.errstate(invalid="ignore"):  # points without an image are refused where the result is read
        before = begin
        quarters = []
        for share in (0.25, 0.5, 0.75):
            quarter = image(start + share * (end - start))
            before = beside(quarter, before) if degrees else quarter
            quarters.append((share, before))
        finish = beside(finish, before) if degrees else finish
        for share, quarter in quarters:
            chord = begin + share * (finish - begin)
            bend = np.maximum(bend, np.hypot(*(quarter - chord).T))
    return bend


def beside(degrees: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same points with longitudes within half a turn of the others', (n, 2)."""
    turns = np.round((others[:, 0] - degrees[:, 0]) / 360.0)
    return degrees + np.column_stack((turns * 360.0, np.zeros(len(degrees))))


def linework(geometries: NDArray[np.object_]) -> tuple[NDArray[np.object_], NDArray[np.int64]]:
    """Rings and lines of the shapes in the order of their coordinates by kind, and which shape each belongs to."""
    parts, part_owner = shapely.get_parts(geometries, return_index=True)
    kinds = shapely.get_type_id(parts)
    is_polygon, is_line = kinds == 3, (kinds == 1) | (kinds == 2)
    rings, ring_owner = shapely.get_rings(parts[is_polygon], return_index=True)
    lines = np.concatenate([rings, parts[is_line]])
    return lines, np.concatenate([part_owner[is_polygon][ring_owner], part_owner[is_line]]).astype(np.int64)
