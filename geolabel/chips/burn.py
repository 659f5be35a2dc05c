"""Annotations in pixel space -> masks, by GDAL's rules: a polygon owns the pixels whose centres it covers.

GDAL itself does a few masks, compiled loops do many (`scanline`); no pixel differs.
"""

from __future__ import annotations

import threading
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import rasterio.features
import shapely
from affine import Affine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from shapely.geometry.base import BaseGeometry

    from geolabel.classes import LabelClass
    from geolabel.geo.pixels import Window

_FEW = 64
"""So many masks are burnt by GDAL before numba and the compiled loops, which give the same, are loaded."""

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
    touched: NDArray[np.bool_] | None = None,
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
        touched: (n,) shapes that own every pixel that they touch; None for none.

    Returns:
        (height, width).
    """
    col, row, width, height = window
    mask = np.full((height, width), background, dtype=dtype)
    if not len(geometries):
        return mask
    if touched is not None and touched.any():
        for run in np.split(np.arange(len(touched)), np.flatnonzero(np.diff(touched)) + 1):
            rasterio.features.rasterize(
                zip(geometries[run], values[run].tolist(), strict=True),
                out=mask,
                transform=Affine.translation(col, row),
                all_touched=bool(touched[run[0]]),
            )
        return mask
    _used.count += 1
    if _used.count <= _FEW or not (shapely.get_dimensions(geometries) == 2).all():
        rasterio.features.rasterize(
            zip(geometries, values.tolist(), strict=True), out=mask, transform=Affine.translation(col, row)
        )
        return mask
    from geolabel.chips.scanline import fill_shapes  # noqa: PLC0415 (numba is heavy)

    parts, owner = shapely.get_parts(geometries, return_index=True)
    fill_shapes(mask, values[owner], *flat_rings(parts, col, row))
    return mask


def encode_many(polygons: NDArray[np.object_], width: int, height: int) -> list[str]:
    """The mask of each polygon alone as COCO's string of counts (see `formats.rle`).

    Args:
        polygons: (n,) polygons and multipolygons, in pixels of the mask.
        width: of the mask.
        height: likewise.
    """
    from geolabel.chips.scanline import run_texts  # noqa: PLC0415 (numba is heavy)

    parts, owner = shapely.get_parts(polygons, return_index=True)
    last = np.searchsorted(owner, np.arange(len(polygons)), side="right").astype(np.int64)
    characters, ends = run_texts(*flat_rings(parts, 0, 0), last, height, width)
    text = characters.tobytes().decode("ascii")
    starts = [0, *ends.tolist()]
    return [text[start:end] for start, end in pairwise(starts)]


def burn_one(geometry: BaseGeometry, width: int, height: int) -> NDArray[np.uint8]:
    """The mask of one shape alone, (height, width), 1 where it is."""
    shapes = np.array([geometry], dtype=object)
    return burn(shapes, np.ones(1, dtype=np.int64), (0, 0, width, height), dtype=np.uint8)


def is_worth_compiling() -> bool:
    """Whether this process has so much to burn that it pays to load the compiled loops."""
    return _used.count > _FEW


def get_ready() -> None:
    """Load the compiled loops at once, in a process that will have many masks to burn."""
    _used.count = _FEW
    dot = shapely.box(0, 0, 1, 1)
    burn_one(dot, 1, 1)
    encode_many(np.array([dot, None], dtype=object)[:1], 1, 1)


def flat_rings(
    polygons: NDArray[np.object_], col: int, row: int
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """Vertices of all rings, counted from a pixel; where each ring ends in them, and the rings of each polygon in these."""
    rings, owner = shapely.get_rings(polygons, return_index=True)
    ends = np.cumsum(shapely.get_num_coordinates(rings), dtype=np.int64)
    last = np.searchsorted(owner, np.arange(len(polygons)), side="right").astype(np.int64)
    return shapely.get_coordinates(rings) - (col, row), ends, last


class _Used(threading.local):
    count = 0


_used = _Used()
