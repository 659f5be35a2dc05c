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
from rasterio.windows import Window

from tiles import grid, relief, thin, warp
from tiles.blocks import SAMPLES, SHARP, check_amount, fit, pick_values, read_block
from tiles.expression import evaluate
from tiles.sources import inspect, lend_raster, open_raster

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tiles.blocks import Block
    from tiles.expression import Node
    from tiles.handles import Handles
    from tiles.info import RasterInfo
    from tiles.matrix import Bounds, Tile
    from tiles.settings import TilesSettings
    from tiles.sources import Source
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
    tile: Tile,
    style: Style,
    *,
    size: int,
    settings: TilesSettings,
    handles: Handles,
    picture: bool = False,
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
        picture: whether it is to be looked at, and a level more or less of a JPEG does not matter.

    Returns:
        None when nothing of the raster shows there.

    Raises:
        SourceNotFound, SourceRefused, SourceUnreadable: as `tiles.sources.open_raster`.
    """
    seen: Pixels | None = None
    for shift in placement.shifts(tile):
        net = warp.cast(placement.locator(shift), placement.matrices.bounds(tile), size)
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
            block = read_block(dataset, info, style.bands, window, (steps, corner), nearest=nearest, picture=picture)
        seen = _over(seen, _draw(_computed(block, info, style, source.name), info, net, style))
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
    factor = max(1.0, max(info.width, info.height) / max_size)
    width, height = (max(1, min(max_size, round(side / factor))) for side in (info.width, info.height))
    steps = (info.width / width, info.height / height)
    whole = (0, 0, info.width, info.height)
    with open_raster(source, overview=_overview(info, min(steps)), settings=settings) as dataset:
        block = read_block(dataset, info, style.bands, whole, (steps, (0.0, 0.0)), nearest=style.palette)
    if style.palette:  # values stay as they are
        rows, columns = (np.arange(n) * size // n for n, size in zip((height, width), block.data.shape, strict=False))
        weights = None if block.weights is None else block.weights[np.ix_(rows, columns)]
        block = replace(block, data=block.data[np.ix_(rows, columns)], weights=weights)
    block = _computed(fit(block, width, height), info, style, source.name)
    mask = np.full((height, width), 255, dtype=np.uint8) if block.weights is None else _mask(block.weights, info)
    return Pixels(_typed(block.data.transpose(2, 0, 1), info, style), mask)


def read_sample(
    source: Source,
    bands: tuple[int, ...],
    *,
    settings: TilesSettings,
    box: Bounds | None = None,
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Bands, thinned to at most `SAMPLE_SIZE` along the longest side: what the stretch and statistics look at.

    Args:
        source: the raster.
        bands: 1-based.
        settings: limits for opening.
        box: (min column, min row, max column, max row) to look at; the whole raster when None.

    Returns:
        (bands, height, width) values, and where each is one: finite, and no nodata, mask or alpha hides it.

    Raises:
        SourceNotFound, SourceRefused, SourceUnreadable: as `tiles.sources.open_raster`.
    """
    info = inspect(source, settings=settings)
    left, top, right, bottom = (0, 0, info.width, info.height) if box is None else _whole_pixels(box, info)
    if left >= right or top >= bottom:
        empty = np.zeros((len(bands), 0, 0))
        return empty, empty > 0
    factor = max(right - left, bottom - top, SAMPLE_SIZE) / SAMPLE_SIZE
    with open_raster(source, overview=_overview(info, factor), settings=settings) as dataset:
        level = (dataset.width / info.width, dataset.height / info.height)
        columns, rows = (
            _picked(low * scale, high * scale, math.ceil((high - low) / factor), length)
            for low, high, scale, length in (
                (left, right, level[0], dataset.width),
                (top, bottom, level[1], dataset.height),
            )
        )
        check_amount(dataset, bands, Window(columns[0], rows[0], columns[-1] - columns[0] + 1, rows[-1] - rows[0] + 1))
        values, _ = pick_values(dataset, info, bands, rows, columns, masked=False)
        block = dataset.block_shapes[0]
        masks = thin.pick(lambda part: dataset.read_masks(bands, window=part), block, rows, columns, len(bands))
    return values, (masks > 0) & np.isfinite(values)


def _picked(low: float, high: float, count: int, length: int) -> NDArray[np.int64]:
    """The pixels under the middles of `count` equal stretches."""
    middles = low + (np.arange(count) + 0.5) * (high - low) / count
    return np.clip(middles.astype(np.int64), 0, length - 1)


def _whole_pixels(box: Bounds, info: RasterInfo) -> tuple[int, int, int, int]:
    left, top, right, bottom = math.floor(box[0]), math.floor(box[1]), math.ceil(box[2]), math.ceil(box[3])
    return max(left, 0), max(top, 0), min(right, info.width), min(bottom, info.height)


def sample_channels(
    source: Source, style: Style, *, settings: TilesSettings, box: Bounds | None = None
) -> list[NDArray[Any]]:
    """Valid values (n,) of each channel that a style shows, from a sample of the raster or of a box (see `read_sample`).

    Raises:
        SourceNotFound, SourceRefused, SourceUnreadable: as `tiles.sources.open_raster`.
    """
    values, valid = read_sample(source, style.bands, settings=settings, box=box)
    if style.unscale is not None:
        values = np.moveaxis(_unscaled(np.moveaxis(values, 0, -1), style.unscale), -1, 0)
    if style.expression is None:
        return [band[seen] for band, seen in zip(values, valid, strict=True)]
    seen = valid.all(axis=0)
    bands = {band: plane[seen] for band, plane in zip(style.bands, values, strict=True)}
    return [made[np.isfinite(made)] for made in (evaluate(node, bands) for node in style.expression)]


def _overview(info: RasterInfo, step: float) -> int | None:
    """The coarsest overview that still has a pixel for every output pixel; None for the full resolution."""
    # A hair of slack, so that overviews made of the tile grid itself are found.
    fine_enough = [level for level, factor in enumerate(info.overviews) if factor <= step * 1.01]
    return fine_enough[-1] if fine_enough else None


def _computed(block: Block, info: RasterInfo, style: Style, name: str) -> Block:
    """What the style makes of the bands before they are moved: values in their unit, an expression, shades of relief."""
    if style.unscale is not None:
        block = replace(block, data=_unscaled(block.data, style.unscale))
    if style.expression is not None:
        block = _evaluated(block, style.expression, style.bands)
    if style.light is not None:
        middle = [(block.offset[i] + block.data.shape[1 - i] / 2) / block.scale[i] for i in (0, 1)]
        steps = relief.ground_steps(info, (middle[0], middle[1]), name) / np.reshape(block.scale, (2, 1))
        shades = relief.shade(block.data[..., 0], block.weights, steps, style.light)
        block = replace(block, data=shades[..., np.newaxis])
    return block


def _unscaled(data: NDArray[Any], pairs: tuple[tuple[float, float], ...]) -> NDArray[np.float32]:
    """Stored values (..., bands) in their unit."""
    scale, offset = (np.array(part) for part in zip(*pairs, strict=True))
    values: NDArray[np.float32] = (data * scale + offset).astype(np.float32)
    return values


def _evaluated(block: Block, nodes: tuple[Node, ...], bands: tuple[int, ...]) -> Block:
    """What the expression makes of the bands; where it has no value, there is no data."""
    planes = {band: block.data[..., i] for i, band in enumerate(bands)}
    values = np.stack([evaluate(node, planes) for node in nodes], axis=-1).astype(np.float32)
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
    mask = _mask(there[0], info)
    return Pixels(_typed(values, info, style), mask if inside is None else np.minimum(mask, inside))


def _mask(opacity: NDArray[np.float32], info: RasterInfo) -> NDArray[np.uint8]:
    """0 to 255: a mask or nodata says yes or no; an alpha band may be soft."""
    if info.alpha is None:
        return np.where(opacity >= 0.5, np.uint8(255), np.uint8(0))
    return np.clip(np.rint(opacity * 255), 0, 255).astype(np.uint8)


def _typed(values: NDArray[Any], info: RasterInfo, style: Style) -> NDArray[Any]:
    """Values in the one type that holds those of all the style's bands."""
    kinds = [info.bands[band - 1].dtype for band in style.bands]
    made = style.expression is not None or style.unscale is not None or style.light is not None
    if made or any(kind.startswith("complex") for kind in kinds):
        return values
    kind = np.result_type(*kinds)
    if values.dtype == kind:
        return values
    if kind.kind in "iu":
        limits = np.iinfo(kind)
        values = np.clip(np.rint(values), limits.min, limits.max)
    return values.astype(kind)


def _over(below: Pixels | None, above: Pixels) -> Pixels:
    """Both parts of a raster that shows twice in a tile."""
    if below is None:
        return above
    return Pixels(np.where(above.mask > 0, above.data, below.data), np.maximum(above.mask, below.mask))
