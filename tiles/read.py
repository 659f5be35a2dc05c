"""Source + tile + style -> pixels and mask.

The warp is GDAL's, through rio-tiler's low-level reader, straight onto the tile's own grid and from the overview level
that is just finer than the tile. `read_tile` is the seam: another reader of the same signature can take its place.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from affine import Affine
from rasterio.crs import CRS
from rio_tiler.reader import read

from tiles import grid
from tiles.errors import SourceRefused
from tiles.sources import open_raster

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from rasterio.io import DatasetReader
    from rio_tiler.models import ImageData

    from tiles.settings import TilesSettings
    from tiles.sources import RasterInfo, Source
    from tiles.style import Style

SAMPLE_SIZE: Final = 1024
"""Longest side, in pixels, of what the automatic stretch looks at."""

# Pixels of the source: how far GDAL's linear approximation of the projection may be off. Its default is 0.125.
_TOLERANCE: Final = 0.01


@dataclass(frozen=True, slots=True)
class Pixels:
    """What was read.

    Attributes:
        data: (bands, height, width), in the raster's type, in the order of the style's bands.
        mask: (height, width) uint8: 0 where there is no data, 255 where there is, between for a soft alpha band.
    """

    data: NDArray[Any]
    mask: NDArray[np.uint8]


def read_tile(
    source: Source,
    info: RasterInfo,
    placement: grid.Placement,
    tile: grid.Tile,
    style: Style,
    *,
    size: int,
    settings: TilesSettings,
) -> Pixels | None:
    """Read what a raster shows in a tile.

    Args:
        source: the raster.
        info: its header.
        placement: where it lies in the tile's matrix set.
        tile: which one.
        style: bands and resampling; the stretch is not applied here.
        size: width and height, in pixels.
        settings: limits for opening.

    Returns:
        None when nothing of the raster shows there.

    Raises:
        SourceNotFound, SourceRefused, SourceUnreadable: as `tiles.sources.open_raster`.
    """
    _check_type(source, info)
    seen: Pixels | None = None
    for shift in placement.shifts(tile):
        level = _overview(info, grid.source_step(info, placement, tile, size, shift))
        with open_raster(source, overview=level, settings=settings) as dataset:
            seen = _over(seen, _warp(dataset, tile, _indexes(info, style), style, size=size, shift=shift))
    return seen if seen is not None and seen.mask.any() else None


def read_preview(source: Source, info: RasterInfo, style: Style, *, max_size: int, settings: TilesSettings) -> Pixels:
    """Read the whole raster on its own grid, smaller; needs no CRS.

    Args:
        source: the raster.
        info: its header.
        style: bands and resampling; the stretch is not applied here.
        max_size: longest side, in pixels.
        settings: limits for opening.

    Raises:
        SourceNotFound, SourceRefused, SourceUnreadable: as `tiles.sources.open_raster`.
    """
    _check_type(source, info)
    with open_raster(source, settings=settings) as dataset:
        image = read(dataset, max_size=max_size, indexes=_indexes(info, style), resampling_method=style.resampling)
        return _pixels(image, style)


def read_sample(source: Source, band: int, *, settings: TilesSettings) -> NDArray[Any]:
    """Valid pixels of one band, thinned to at most `SAMPLE_SIZE` along the longest side: what the stretch looks at.

    Returns:
        (n,) finite values that no nodata, mask or alpha hides.

    Raises:
        SourceNotFound, SourceRefused, SourceUnreadable: as `tiles.sources.open_raster`.
    """
    with open_raster(source, settings=settings) as dataset:
        factor = max(dataset.width, dataset.height, SAMPLE_SIZE) / SAMPLE_SIZE
        shape = (math.ceil(dataset.height / factor), math.ceil(dataset.width / factor))
        values = dataset.read(band, out_shape=shape)
        seen = dataset.read_masks(band, out_shape=shape) > 0
    valid: NDArray[Any] = values[seen & np.isfinite(values)]
    return valid


def _check_type(source: Source, info: RasterInfo) -> None:
    if info.bands[0].dtype.startswith("complex"):
        raise SourceRefused(
            f"{source.name!r} holds complex values, which are not drawn; export their magnitude as a real raster."
        )


def _overview(info: RasterInfo, step: float) -> int | None:
    """The coarsest overview that still has a pixel for every output pixel; None for the full resolution."""
    # A hair of slack, so that overviews made of the tile grid itself are found.
    fine_enough = [level for level, factor in enumerate(info.overviews) if factor <= step * 1.01]
    return fine_enough[-1] if fine_enough else None


def _indexes(info: RasterInfo, style: Style) -> tuple[int, ...]:
    """The style's bands, and the alpha band where rio-tiler would pass over it because there is a nodata value too."""
    return (*style.bands, info.alpha) if info.alpha is not None and info.bands[0].nodata is not None else style.bands


def _warp(
    dataset: DatasetReader, tile: grid.Tile, indexes: tuple[int, ...], style: Style, *, size: int, shift: int
) -> Pixels:
    left, bottom, right, top = grid.tile_bounds(tile)
    options: dict[str, Any] = {
        "transform": Affine((right - left) / size, 0, left, 0, (bottom - top) / size, top),
        "width": size,
        "height": size,
        "tolerance": _TOLERANCE,
    }
    if len(indexes) > len(style.bands):
        # With both, GDAL would take the alpha band for data and lift nodata values to the next valid one.
        options |= {"src_nodata": None, "nodata": None}
    if shift:
        a, b, c, d, e, f = dataset.transform[:6]
        options["src_transform"] = Affine(a, b, c + shift, d, e, f)
    image = read(
        dataset,
        dst_crs=CRS.from_string(grid.tile_crs(tile.tms)),
        width=size,
        height=size,
        indexes=indexes,
        vrt_options=options,
        reproject_method=style.resampling,
    )
    return _pixels(image, style)


def _pixels(image: ImageData, style: Style) -> Pixels:
    count = len(style.bands)
    data = image.array.data[:count]
    valid = np.isfinite(data)
    alpha = image.alpha_mask
    if alpha is None:
        valid &= ~np.ma.getmaskarray(image.array)[:count]
        alpha = image.array.data[count] if len(image.array) > count else None
    mask = np.full(data.shape[1:], 255, dtype=np.uint8)
    if alpha is not None:
        opaque = np.iinfo(alpha.dtype).max if np.issubdtype(alpha.dtype, np.integer) else 1
        mask = (np.clip(alpha / opaque, 0, 1) * 255).astype(np.uint8)
    # A pixel shows when any of its bands has a value: black in one band of three is not a hole.
    mask[~valid.any(axis=0)] = 0
    return Pixels(data, mask)


def _over(below: Pixels | None, above: Pixels) -> Pixels:
    """Both parts of a raster that shows twice in a tile."""
    if below is None:
        return above
    return Pixels(np.where(above.mask > 0, above.data, below.data), np.maximum(above.mask, below.mask))
