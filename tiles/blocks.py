"""A window of an open raster as pixels and weights: what has no data weighs nothing."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import cv2
import numpy as np
from rasterio.windows import Window

from tiles import thin

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tiles.info import RasterInfo
    from tiles.reader import Reader
    from tiles.stack import StackReader

MAX_SIDE: Final = 16_384
"""Longest side of a window that is read at once, in pixels; a longer one is thinned while it is read (`tiles.thin`)."""

MAX_SAMPLES: Final = 32 * 2**20
"""Most values of a window that are read at once."""

SHARP: Final = 1.3
"""Up to so many pixels under one sample, the four that an interpolation looks at are enough."""

SAMPLES: Final = 2
"""How many samples are taken along each side of an output pixel that spans more than `SHARP` pixels."""

_CHANNELS: Final = 4  # more at once OpenCV does not take

# Types that OpenCV cannot interpolate, and what holds their values meanwhile.
_STAND_INS: Final = {"int8": "int16", "int32": "float64", "uint32": "float64", "int64": "float64", "uint64": "float64"}


@dataclass(frozen=True, slots=True)
class Block:
    """Pixels of a window.

    Attributes:
        data: (height, width, bands), of a type that OpenCV takes; 0 where there is no data.
        weights: (height, width) float32, how much a pixel counts, from 0 (no data) to 1; None where all count fully.
        scale: pixels of the block per pixel of the raster's full resolution, along columns and rows.
        offset: (col, row) of its upper left corner in pixels of the block, from that of the raster.
        span: how many pixels of the block an output pixel spans, along the coarser axis.
    """

    data: NDArray[Any]
    weights: NDArray[np.float32] | None
    scale: tuple[float, float]
    offset: tuple[float, float]
    span: float


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of pixels along one axis of a level, and how many it becomes.

    Attributes:
        first: pixel that is read.
        count: pixels that are read.
        before: pixels to put before them, copies of the first, so that what is averaged falls in with the output.
        after: pixels to put behind them.
        into: how many pixels all of them become.
    """

    first: int
    count: int
    before: int
    after: int
    into: int

    @property
    def factor(self) -> float:
        """Pixels that become one."""
        return (self.before + self.count + self.after) / self.into


def make_span(wanted: tuple[float, float], length: int, factor: float, anchor: float) -> Span:
    """Choose what to read along one axis.

    Args:
        wanted: from where to where, in continuous pixel coordinates of the level.
        length: of the level along this axis, in pixels.
        factor: pixels of the level that one output pixel spans; they are averaged where the samples alone would pass over some.
        anchor: where some output pixel begins, in the same coordinates: averages begin there, too, as far as whole
            pixels allow.
    """
    low, high = math.floor(wanted[0]), math.ceil(wanted[1])
    # What remains is left to the samples.
    factor /= SAMPLES
    if factor <= SHARP:
        first, last = max(0, low), min(length, high)
        return Span(first, last - first, 0, 0, last - first)
    if factor * 4 > length:  # a few pixels in all: what is copied around them would outgrow them
        return Span(0, length, 0, 0, max(1, round(length / factor)))
    begin = round(anchor - math.ceil((anchor - low) / factor) * factor)
    into = math.ceil((high - begin) / factor)
    end = begin + round(into * factor)
    first, last = max(0, begin), min(length, end)
    return Span(first, last - first, first - begin, end - last, into)


def read_block(
    dataset: Reader | StackReader,
    info: RasterInfo,
    bands: tuple[int, ...],
    window: tuple[int, int, int, int],
    grid: tuple[tuple[float, float], tuple[float, float]],
    *,
    nearest: bool,
    picture: bool = False,
) -> Block:
    """Read a window, made smaller where many pixels become one.

    Args:
        dataset: the raster, or one of its overviews.
        info: the raster's header.
        bands: 1-based, an alpha band not among them.
        window: (col, row, width, height) in pixels of the full resolution.
        grid: how many columns and rows of the full resolution an output pixel spans, and the (col, row) where one begins.
        nearest: whether values must stay as they are: no averages.
        picture: whether it is to be looked at, and a level more or less does not matter.
    """
    level = (dataset.width / info.width, dataset.height / info.height)
    (steps, anchor) = grid
    across, down = (
        make_span(
            (window[axis] * level[axis], (window[axis] + window[axis + 2]) * level[axis]),
            (dataset.width, dataset.height)[axis],
            1.0 if nearest else steps[axis] * level[axis],
            anchor[axis] * level[axis],
        )
        for axis in (0, 1)
    )
    indexes = bands if info.alpha is None else (*bands, info.alpha)
    thinning = max(
        1.0, max(across.count, down.count) / MAX_SIDE, math.sqrt(across.count * down.count * len(indexes) / MAX_SAMPLES)
    )
    if thinning == 1:
        window_ = Window(across.first, down.first, across.count, down.count)
        data, weights = _shrunk(*_read_weighed(dataset, info, bands, window_, near=True, picture=picture), across, down)
        into = (level[0] / across.factor, level[1] / down.factor)
        first = (across.first - across.before, down.first - down.before)
    else:
        factors = tuple(max(math.ceil(thinning), int(span.factor)) for span in (across, down))
        data, weights = _thinned(dataset, info, bands, (across, down), (factors[0], factors[1]), nearest=nearest)
        into = (level[0] / factors[0], level[1] / factors[1])
        first = (across.first, down.first)
    offset = (first[0] / level[0] * into[0], first[1] / level[1] * into[1])
    return Block(data, weights, into, offset, max(steps[0] * into[0], steps[1] * into[1]))


def _read_weighed(
    dataset: Reader | StackReader,
    info: RasterInfo,
    bands: tuple[int, ...],
    window: Window,
    *,
    near: bool = False,
    picture: bool = False,
) -> tuple[NDArray[Any], NDArray[np.float32] | None]:
    """Pixels (height, width, bands) of a window as they are stored, and their weights; `near` others that are read soon."""
    indexes = bands if info.alpha is None else (*bands, info.alpha)
    quick = dataset.read_picture(indexes, window) if picture else None
    if quick is not None:
        values: NDArray[Any] = quick.transpose(2, 0, 1)
    else:
        values = read_values(dataset, info, indexes, window, near=near)
    mask = dataset.read_masks(bands[0], window=window) if info.has_mask else None
    return _weigh(values, mask, info, bands)


def _thinned(
    dataset: Reader | StackReader,
    info: RasterInfo,
    bands: tuple[int, ...],
    spans: tuple[Span, Span],
    factors: tuple[int, int],
    *,
    nearest: bool,
) -> tuple[NDArray[Any], NDArray[np.float32] | None]:
    """The same, smaller by whole factors: the means of cells, or the pixel in the middle of each."""
    across, down = spans
    indexes = bands if info.alpha is None else (*bands, info.alpha)
    window = (across.first, down.first, across.count, down.count)
    check_amount(dataset, indexes, Window(*window))
    if not nearest:
        return thin.average(
            lambda part: _read_weighed(dataset, info, bands, part),
            dataset.block_shapes[0],
            window,
            factors,
            len(indexes),
        )
    columns, rows = (
        np.minimum(span.first + np.arange(0, span.count, factor) + factor // 2, span.first + span.count - 1)
        for span, factor in zip(spans, factors, strict=True)
    )
    return _weigh(*pick_values(dataset, info, indexes, rows, columns, masked=info.has_mask), info, bands)


def check_amount(dataset: Reader | StackReader, indexes: tuple[int, ...], window: Window) -> None:
    """Raises TooMuch when all parts of a window together are more than one request may read."""
    dataset.check(indexes, window=window)


def pick_values(
    dataset: Reader | StackReader,
    info: RasterInfo,
    indexes: tuple[int, ...],
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    *,
    masked: bool,
) -> tuple[NDArray[Any], NDArray[np.uint8] | None]:
    """Bands (n, rows, columns) where some rows and columns cross, and the mask of the first of them (rows, columns).

    Args:
        dataset: the raster, or one of its overviews.
        info: the raster's header.
        indexes: 1-based.
        rows: ascending.
        columns: ascending.
        masked: whether the mask is asked for.
    """
    block = dataset.block_shapes[0]
    values = thin.pick(lambda part: read_values(dataset, info, indexes, part), block, rows, columns, len(indexes))
    if not masked:
        return values, None
    mask = thin.pick(lambda part: dataset.read_masks(indexes[:1], window=part), block, rows, columns, 1)
    return values, mask[0]


def read_values(
    dataset: Reader | StackReader, info: RasterInfo, indexes: tuple[int, ...], window: Window, *, near: bool = False
) -> NDArray[Any]:
    """Bands (n, height, width) in the one type that holds the values of all; complex ones as their magnitude.

    Args:
        dataset: the raster, or one of its overviews.
        info: the raster's header.
        indexes: 1-based.
        window: of the dataset.
        near: whether windows beside it are read soon.
    """
    kinds = [info.bands[index - 1].dtype for index in indexes]
    magnitudes = any(kind.startswith("complex") for kind in kinds)
    kind = "complex64" if magnitudes else str(np.result_type(*kinds))
    if near:
        values: NDArray[Any] = dataset.read_near(indexes, window, kind)
    else:
        values = dataset.read(indexes, out_dtype=kind, window=window)
    return np.abs(values) if magnitudes else values


def _weigh(
    values: NDArray[Any], mask: NDArray[np.uint8] | None, info: RasterInfo, bands: tuple[int, ...]
) -> tuple[NDArray[Any], NDArray[np.float32] | None]:
    count = len(bands)
    known = _known(values[:count], [info.bands[band - 1].nodata for band in bands])
    weights = _opacity(values[count] if len(values) > count else mask, info)
    data = _interleaved(values[:count].astype(_STAND_INS.get(str(values.dtype), values.dtype), copy=False))
    if known is None:
        return data, weights
    if values.dtype.kind == "f":
        np.nan_to_num(data, copy=False, nan=0, posinf=0, neginf=0)
    # A pixel counts when any of its bands has a value: black in one band of three is not a hole.
    there = known.any(axis=0)
    data[~there] = 0
    shown = np.asarray(there, dtype=np.float32)
    return data, shown if weights is None else np.asarray(weights * shown)


def _known(values: NDArray[Any], nodata: list[float | None]) -> NDArray[np.bool_] | None:
    """(bands, height, width) where there is a value; None where there is one everywhere."""
    known = np.isfinite(values) if values.dtype.kind == "f" else None
    for band, missing in enumerate(nodata):
        if missing is not None and not math.isnan(missing):
            known = np.ones(values.shape, dtype=bool) if known is None else known
            known[band] &= values[band] != missing
    return None if known is None or known.all() else known


def _opacity(alpha: NDArray[Any] | None, info: RasterInfo) -> NDArray[np.float32] | None:
    """0 to 1, of an alpha band in the type that the other bands came in, or of a mask; None where all is opaque."""
    if alpha is None:
        return None
    kind = np.dtype(info.bands[info.alpha - 1].dtype if info.alpha is not None else np.uint8)
    opaque = np.iinfo(kind).max if kind.kind in "iu" else 1
    if (alpha >= opaque).all():
        return None
    opacity: NDArray[np.float32] = np.clip(np.nan_to_num(alpha.astype(np.float32)) / np.float32(opaque), 0, 1)
    return opacity


def _interleaved(planes: NDArray[Any]) -> NDArray[Any]:
    """(bands, height, width) to (height, width, bands), contiguous."""
    turned = planes.transpose(1, 2, 0)
    if turned.flags.c_contiguous:
        return turned
    if len(planes) == 1:
        return np.ascontiguousarray(planes[0])[..., np.newaxis]
    if len(planes) > _CHANNELS:
        return np.ascontiguousarray(np.moveaxis(planes, 0, -1))
    merged: NDArray[Any] = cv2.merge(list(planes))
    return merged


def _shrunk(
    data: NDArray[Any], weights: NDArray[np.float32] | None, across: Span, down: Span
) -> tuple[NDArray[Any], NDArray[np.float32] | None]:
    """Averages of what is there: where part is missing, the sum is divided by the rest."""
    if across.factor == down.factor == 1:
        return data, weights
    if weights is None:
        return _averaged(data, across, down), None
    shares = _averaged(weights[..., np.newaxis], across, down)
    sums = _averaged(data * weights[..., np.newaxis].astype(np.float64), across, down)
    means = np.divide(sums, shares, out=np.zeros_like(sums), where=shares > 0)
    return (np.rint(means) if data.dtype.kind in "iu" else means).astype(data.dtype), shares[..., 0]


def fit(block: Block, width: int, height: int) -> Block:
    """Bring a block of a whole raster to a size, by averages or between pixels."""
    if block.data.shape[:2] == (height, width):
        return block
    across, down = (Span(0, n, 0, 0, into) for n, into in zip(block.data.shape[1::-1], (width, height), strict=True))
    data, weights = _shrunk(block.data, block.weights, across, down)
    return replace(block, data=data, weights=weights)


def _averaged(pixels: NDArray[Any], across: Span, down: Span) -> NDArray[Any]:
    if pixels.shape[2] > _CHANNELS:
        groups = (pixels[..., i : i + _CHANNELS] for i in range(0, pixels.shape[2], _CHANNELS))
        return np.concatenate([_averaged(np.ascontiguousarray(group), across, down) for group in groups], axis=2)
    if across.before or across.after or down.before or down.after:
        pixels = cv2.copyMakeBorder(pixels, down.before, down.after, across.before, across.after, cv2.BORDER_REPLICATE)
    smaller = cv2.resize(pixels, (across.into, down.into), interpolation=cv2.INTER_AREA)
    return smaller if smaller.ndim == 3 else smaller[..., np.newaxis]
