"""Annotations in pixel space -> masks. GDAL's rules, by GDAL: a polygon owns the pixels whose centres it covers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import rasterio.features
from affine import Affine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from shapely.geometry.base import BaseGeometry

    from geolabel.classes import LabelClass
    from geolabel.geo.pixels import Window

Value = TypeVar("Value", bound="np.integer[Any]")


def mask_type(classes: Sequence[LabelClass]) -> tuple[type[np.uint8 | np.uint16], int]:
    """The dtype that holds the ids of the classes, and the value that means "ignore" in it."""
    if max((c.id for c in classes), default=0) > 254:
        return np.uint16, 65535
    return np.uint8, 255


def burn(
    geometries: NDArray[np.object_],
    values: NDArray[np.int64],
    window: Window,
    *,
    dtype: type[Value],
    background: int = 0,
) -> NDArray[Value]:
    """Burn shapes into a window, later ones over earlier ones.

    A polygon owns a pixel when it covers the pixel's centre, a line owns the pixels that it runs through (one pixel
    wide), a point the pixel that it lies in. The shapes are burnt whole, not cut to the window, so that
    a line takes the same pixels whatever the window is.

    Args:
        geometries: (n,) shapes in continuous pixels of the grid that the window is counted on.
        values: (n,) what to burn.
        window: (col, row, width, height).
        dtype: of the mask.
        background: where nothing is burnt.

    Returns:
        (height, width).
    """
    col, row, width, height = window
    if len(geometries) == 0:
        return np.full((height, width), background, dtype=dtype)
    mask: NDArray[Value] = rasterio.features.rasterize(
        zip(geometries, values.tolist(), strict=True),
        out_shape=(height, width),
        fill=background,
        transform=Affine.translation(col, row),
        dtype=dtype,
    )
    return mask


def burn_one(geometry: BaseGeometry, width: int, height: int) -> NDArray[np.uint8]:
    """The mask of one shape alone, (height, width), 1 where it is."""
    shapes = np.array([geometry], dtype=object)
    return burn(shapes, np.ones(1, dtype=np.int64), (0, 0, width, height), dtype=np.uint8)
