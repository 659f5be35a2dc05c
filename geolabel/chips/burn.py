"""Annotations in pixel space -> masks, by GDAL's rules: a polygon owns the pixels whose centres it covers.

GDAL itself does a few masks, compiled loops do many (`scanline`); no pixel differs.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Self, TypeVar

import numpy as np
import rasterio.features
import shapely
from affine import Affine

from geolabel.geo.measure import polygons_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

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
    flat: Callable[[], Flat] | None = None,
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
        flat: gives the rings of the shapes, which are all areas, where they are at hand.

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

    rings = Flat.of(geometries) if flat is None else flat()
    counts = np.diff(rings.polygons, prepend=0)
    fill_shapes(mask, np.repeat(values, counts), rings.xy - (col, row), rings.ends, rings.rings)
    return mask


def encode_many(polygons: NDArray[np.object_], width: int, height: int) -> list[str]:
    """The mask of each polygon alone as COCO's string of counts (see `formats.rle`).

    Args:
        polygons: (n,) polygons and multipolygons, in pixels of the mask.
        width: of the mask.
        height: likewise.
    """
    from geolabel.chips.scanline import run_texts  # noqa: PLC0415 (numba is heavy)

    flat = Flat.of(polygons)
    characters, ends = run_texts(flat.xy, flat.ends, flat.rings, flat.polygons, height, width)
    text = characters.tobytes().decode("ascii")
    starts = [0, *ends.tolist()]
    return [text[start:end] for start, end in pairwise(starts)]


def burn_one(geometry: BaseGeometry, width: int, height: int) -> NDArray[np.uint8]:
    """The mask of one shape alone, (height, width), 1 where it is."""
    shapes = np.array([geometry], dtype=object)
    return burn(shapes, np.ones(1, dtype=np.int64), (0, 0, width, height), dtype=np.uint8)


def is_worth_compiling(more: int = 0) -> bool:
    """Whether this process has so much to burn, and so many `more`, that it pays to load the compiled loops."""
    return _used.count + more > _FEW


def get_ready() -> None:
    """Load the compiled loops at once, in a process that will have many masks to burn."""
    _used.count = _FEW
    dot = shapely.box(0, 0, 1, 1)
    burn_one(dot, 1, 1)
    encode_many(np.array([dot, None], dtype=object)[:1], 1, 1)


@dataclass(frozen=True, slots=True)
class Flat:
    """Areas as flat arrays, which compiled loops take.

    Attributes:
        xy: (v, 2) vertices of all rings.
        ends: int64 (r,) where in `xy` each ring ends.
        rings: int64 (p,) where in `ends` the rings of each polygon end.
        polygons: int64 (n,) where in `rings` the polygons of each shape end.
    """

    xy: NDArray[np.float64]
    ends: NDArray[np.int64]
    rings: NDArray[np.int64]
    polygons: NDArray[np.int64]

    @classmethod
    def of(cls, shapes: NDArray[np.object_]) -> Self:
        """The rings of (n,) polygons and multipolygons; of anything else there are none."""
        parts, part_of = polygons_of(shapes)
        rings, ring_of = shapely.get_rings(parts, return_index=True)
        ends = np.cumsum(shapely.get_num_coordinates(rings), dtype=np.int64)
        return cls(shapely.get_coordinates(rings), ends, _last(ring_of, len(parts)), _last(part_of, len(shapes)))

    def some(self, part: slice) -> Flat:
        """Those of some of the shapes, one after the other."""
        polygons, first = _cut_off(self.polygons, part)
        rings, ring = _cut_off(self.rings, first)
        ends, vertices = _cut_off(self.ends, ring)
        return Flat(self.xy[vertices], ends, rings, polygons)


def _last(owner: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    return np.cumsum(np.bincount(owner, minlength=count), dtype=np.int64)


def _cut_off(ends: NDArray[np.int64], part: slice) -> tuple[NDArray[np.int64], slice]:
    """Some ends, counted from the first of theirs, and what lies between."""
    start = int(ends[part.start - 1]) if part.start else 0
    stop = int(ends[part.stop - 1]) if part.stop > part.start else start
    return ends[part] - start, slice(start, stop)


class _Used(threading.local):
    count = 0


_used = _Used()
