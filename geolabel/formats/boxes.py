"""Boxes around shapes: upright in whole pixels, and turned so that they are as small as can be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import shapely

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ROUNDING = 1e-6


def inclusive_boxes(geometries: NDArray[np.object_]) -> NDArray[np.int64]:
    """Upright boxes in whole pixels counted from 1, both ends inside, as Pascal VOC counts.

    A shape on the edge of a pixel that the way through its CRS has moved by a rounding error (1e-6 pixels at most) is
    taken to be on that edge: else its box would grow by a pixel.

    Args:
        geometries: (n,) in continuous pixels.

    Returns:
        (n, 4) xmin = floor(x0) + 1, ymin = floor(y0) + 1, xmax = ceil(x1), ymax = ceil(y1).
    """
    bounds = shapely.bounds(geometries).reshape(-1, 4)
    whole = np.rint(bounds)
    snapped = np.where(np.abs(bounds - whole) <= _ROUNDING, whole, bounds)
    return np.hstack((np.floor(snapped[:, :2]) + 1, np.ceil(snapped[:, 2:]))).astype(np.int64)


def turned_boxes(geometries: NDArray[np.object_]) -> NDArray[np.float64]:
    """The smallest rectangles around shapes, turned as they need to be.

    Args:
        geometries: (n,) in continuous pixels, none of them without area.

    Returns:
        (n, 4, 2) corners, clockwise as seen on the picture (y runs down) from the uppermost, then leftmost one. They may
        lie outside the chip.
    """
    rectangles = shapely.oriented_envelope(geometries)
    # A sliver can be so thin that its rectangle is a line.
    flat = shapely.get_type_id(rectangles) != shapely.GeometryType.POLYGON
    rectangles[flat] = shapely.box(*shapely.bounds(geometries[flat]).reshape(-1, 4).T)
    corners = shapely.get_coordinates(rectangles).reshape(-1, 5, 2)[:, :4]
    onward = np.roll(corners, -1, axis=1)
    area = (corners[..., 0] * onward[..., 1] - onward[..., 0] * corners[..., 1]).sum(axis=1)
    corners[area < 0] = corners[area < 0, ::-1]
    # Corners that differ by rounding alone are at the same height, else the first one would be chosen by chance.
    order = np.round(corners / _ROUNDING) * _ROUNDING
    first = np.array([np.lexsort((row[:, 0], row[:, 1]))[0] for row in order], dtype=np.int64)
    turned: NDArray[np.float64] = corners[
        np.arange(len(corners))[:, np.newaxis], (first[:, np.newaxis] + np.arange(4)) % 4
    ]
    return turned
