"""Source + tile + style -> pixels and mask.

One window of the overview that is just finer than the tile is read (`tiles.blocks`) and brought to the tile's grid
(`tiles.warp`). What has no data weighs nothing in an interpolation: beside a hole, values are those of the pixels that
are there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from rio_tiler.reader import read

from tiles import grid, warp
from tiles.blocks import SAMPLES, SHARP, read_block
from tiles.errors import SourceRefused
from tiles.expression import evaluate
from tiles.sources import lend_raster, open_raster

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from rio_tiler.models import ImageData

    from tiles.blocks import Block
    from tiles.handles import Handles
    from tiles.settings import TilesSettings
    from tiles.sources import RasterInfo, Source
    from tiles.style import Style

SAMPLE_SIZE: Final = 1024
"""Longest side, in pixels, of what the automatic stretch looks at."""

# Less weight than this is rounding, not data.
_TRACE: Final = 1e-4


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
    handles: Handles,
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
        handles: open rasters.

    Returns:
        None when nothing of the raster shows there.

    Raises:
        SourceNotFound, SourceRefused, SourceUnreadable: as `tiles.sources.open_raster`.
    """
    _check_type(source, info)
    seen: Pixels | None = None
    for shift in placement.shifts(tile):
        net = warp.cast(grid.Locator(info, tile.tms, shift), grid.tile_bounds(tile), size)
        steps = net.steps(info.width, info.height)
        if math.isnan(min(steps)):
            continue
        level = _overview(info, min(steps))
        reach = 2.0 * (max(steps) + (1 if level is None else info.overviews[level]))
        window = net.window(info.width, info.height, reach)
        if window is None:
            continue
        corner = (float(net.nodes[0, 0, 0]), float(net.nodes[1, 0, 0]))
        with lend_raster(handles, source, overview=level, settings=settings) as dataset:
            nearest = style.resampling == "nearest"
            block = read_block(dataset, info, style.bands, window, (steps, corner), nearest=nearest)
        seen = _over(seen, _draw(_computed(block, style), info, net, style))
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


def read_sample(
    source: Source, bands: tuple[int, ...], *, settings: TilesSettings
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Bands, thinned to at most `SAMPLE_SIZE` along the longest side: what the stretch and statistics look at.

    Returns:
        (bands, height, width) values, and where each is one: finite, and no nodata, mask or alpha hides it.

    Raises:
        SourceNotFound, SourceRefused, SourceUnreadable: as `tiles.sources.open_raster`.
    """
    with open_raster(source, settings=settings) as dataset:
        factor = max(dataset.width, dataset.height, SAMPLE_SIZE) / SAMPLE_SIZE
        shape = (math.ceil(dataset.height / factor), math.ceil(dataset.width / factor))
        values = dataset.read(bands, out_shape=shape)
        seen = dataset.read_masks(bands, out_shape=shape) > 0
    return values, seen & np.isfinite(values)


def sample_channels(source: Source, style: Style, *, settings: TilesSettings) -> list[NDArray[Any]]:
    """Valid values (n,) of each channel that a style shows, from a sample of the raster.

    Raises:
        SourceNotFound, SourceRefused, SourceUnreadable: as `tiles.sources.open_raster`.
    """
    values, valid = read_sample(source, style.bands, settings=settings)
    if style.expression is None:
        return [band[seen] for band, seen in zip(values, valid, strict=True)]
    seen = valid.all(axis=0)
    bands = {band: plane[seen] for band, plane in zip(style.bands, values, strict=True)}
    return [made[np.isfinite(made)] for made in (evaluate(node, bands) for node in style.expression)]


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


def _computed(block: Block, style: Style) -> Block:
    """What the expression makes of the bands; where it has no value, there is no data."""
    if style.expression is None:
        return block
    bands = {band: block.data[..., i] for i, band in enumerate(style.bands)}
    values = np.stack([evaluate(node, bands) for node in style.expression], axis=-1).astype(np.float32)
    known = np.isfinite(values).all(axis=-1)
    if known.all():
        return replace(block, data=values)
    values[~known] = 0
    weights = known if block.weights is None else known * block.weights
    return replace(block, data=values, weights=np.asarray(weights, dtype=np.float32))


def _draw(block: Block, info: RasterInfo, net: warp.Net, style: Style) -> Pixels:
    """Bring a block to the net's place."""
    few = style.resampling == "nearest" or block.span <= SHARP
    moved = warp.make_warp(net, block.scale, block.offset, samples=1 if few else SAMPLES)

    def bring(pixels: NDArray[Any]) -> NDArray[Any]:
        """(height, width, bands) to (bands, size, size)."""
        there = moved.bring(pixels, style.resampling)
        return there[np.newaxis] if there.ndim == 2 else there.transpose(2, 0, 1)

    inside = None
    if not net.within(info.width, info.height):
        left, top = -block.offset[0], -block.offset[1]
        inside = moved.inside((left, top, left + info.width * block.scale[0], top + info.height * block.scale[1]))
    if block.weights is None:
        mask = np.full((net.size, net.size), 255, dtype=np.uint8) if inside is None else inside
        return Pixels(_typed(bring(block.data), info, style), mask)
    weights = block.weights[..., np.newaxis]
    there = bring(weights)
    summed = bring(block.data * weights.astype(np.result_type(block.data.dtype, np.float32)))
    values = np.divide(summed, there, out=np.zeros_like(summed), where=there > _TRACE)
    shown = there[0]
    if info.alpha is None:  # a mask says yes or no; an alpha band may be soft
        shown = (shown >= 0.5).astype(np.float32)
    mask = np.clip(np.rint(shown * 255), 0, 255).astype(np.uint8)
    return Pixels(_typed(values, info, style), mask if inside is None else np.minimum(mask, inside))


def _typed(values: NDArray[Any], info: RasterInfo, style: Style) -> NDArray[Any]:
    """Values in the one type that holds those of all the style's bands."""
    kind = np.result_type(*(info.bands[band - 1].dtype for band in style.bands))
    if values.dtype == kind or style.expression is not None:
        return values
    if kind.kind in "iu":
        limits = np.iinfo(kind)
        values = np.clip(np.rint(values), limits.min, limits.max)
    return values.astype(kind)


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
    if style.expression is None:
        return Pixels(data, mask)
    bands = dict(zip(style.bands, data, strict=True))
    values = np.stack([evaluate(node, bands) for node in style.expression]).astype(np.float32)
    mask[~np.isfinite(values).all(axis=0)] = 0
    return Pixels(values, mask)


def _over(below: Pixels | None, above: Pixels) -> Pixels:
    """Both parts of a raster that shows twice in a tile."""
    if below is None:
        return above
    return Pixels(np.where(above.mask > 0, above.data, below.data), np.maximum(above.mask, below.mask))
