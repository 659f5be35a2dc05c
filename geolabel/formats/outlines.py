"""Masks -> polygons whose edges are those of the pixels, holes kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import rasterio.features
import shapely
from affine import Affine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from shapely.geometry.base import BaseGeometry


def areas_of(mask: NDArray[Any], ignore: frozenset[int] = frozenset({0})) -> Iterator[tuple[int, BaseGeometry]]:
    """The connected areas of one value each, as polygons in the mask's pixels.

    Pixels are neighbours when they share an edge: an area that only touches itself in a corner is two.

    Args:
        mask: (height, width) whole numbers.
        ignore: values that are nothing.

    Yields:
        A value, and a valid polygon whose edges run along those of pixels; by place from top to bottom.
    """
    wanted = ~np.isin(mask, list(ignore))
    if not wanted.any():
        return
    rows, cols = np.flatnonzero(wanted.any(axis=1)), np.flatnonzero(wanted.any(axis=0))
    top, left = int(rows[0]), int(cols[0])
    window = (slice(top, int(rows[-1]) + 1), slice(left, int(cols[-1]) + 1))
    values = np.ascontiguousarray(mask[window])
    # GDAL compares 32-bit numbers: larger ones are renumbered.
    names, small = np.unique(values, return_inverse=True)
    found = rasterio.features.shapes(
        small.reshape(values.shape).astype(np.int32),
        mask=wanted[window],
        connectivity=4,
        transform=Affine.translation(left, top),
    )
    for rings, value in found:
        shell, *holes = rings["coordinates"]
        yield int(names[int(value)]), shapely.Polygon(shell, holes)


def outline_of(mask: NDArray[Any]) -> BaseGeometry | None:
    """All pixels that are not 0 as one polygon of one or several parts; None when there is none."""
    parts: list[Any] = [shape for _, shape in areas_of((np.asarray(mask) != 0).astype(np.uint8))]
    if len(parts) > 1:
        return shapely.MultiPolygon(parts)
    return parts[0] if parts else None
