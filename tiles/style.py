"""How a raster is shown: which bands, stretched how, sampled how."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

import numpy as np

from tiles.errors import InvalidParameter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tiles.sources import RasterInfo

Resampling = Literal["nearest", "bilinear", "cubic"]
RESAMPLINGS: Final[tuple[Resampling, ...]] = get_args(Resampling)

Range = tuple[float, float]
"""The values that become black and white."""

PERCENTILES: Final = (2, 98)
"""What the automatic stretch makes black and white."""

# Band names as Sentinel-2 and Landsat 8/9 products give them, and plain words.
_TRUE_COLOR: Final = (("red", "green", "blue"), ("b4", "b3", "b2"), ("b04", "b03", "b02"))


@dataclass(frozen=True, slots=True)
class Style:
    """How a raster is shown.

    Attributes:
        bands: one (gray, or through the palette) or three (red, green, blue), 1-based.
        stretch: values that become 0 and 255, per band; None for the bytes of an 8-bit raster as they are, and for the
            automatic stretch of any other.
        palette: whether the one band goes through the file's palette.
        resampling: how pixels are sampled where the tile's grid is not the raster's.
    """

    bands: tuple[int, ...]
    stretch: tuple[Range, ...] | None
    palette: bool
    resampling: Resampling


def default_bands(info: RasterInfo) -> tuple[int, ...]:
    """What is shown unless asked otherwise.

    Red, green and blue by the file's color interpretation; else by the bands' names (`red`, `B4`/`B04`: Sentinel-2 and
    Landsat 8/9); else the first three; else the first. An alpha band is never among them.
    """
    shown = [band for band in info.bands if band.color_interp != "alpha"] or list(info.bands)
    by_color = {band.color_interp: band.index for band in reversed(shown)}
    by_name = {(band.description or "").strip().lower(): band.index for band in reversed(shown)}
    for names, index in ((_TRUE_COLOR[0], by_color), *((names, by_name) for names in _TRUE_COLOR)):
        if all(name in index for name in names):
            return tuple(index[name] for name in names)
    return tuple(band.index for band in (shown[:3] if len(shown) >= 3 else shown[:1]))


def make_style(
    info: RasterInfo, *, bidx: Sequence[str] = (), rescale: Sequence[str] = (), resampling: Sequence[str] = ()
) -> Style:
    """Read a style from query parameters, each as the list of its values.

    Args:
        info: the raster.
        bidx: band numbers from 1, `3,2,1` or one value each: one for gray, three for red, green, blue.
        rescale: `min,max` for all bands, or one pair per band.
        resampling: one of `RESAMPLINGS`; bilinear unless given, nearest for a palette.

    Raises:
        InvalidParameter: a value that cannot be used.
    """
    bands = _bands(info, bidx) if bidx else default_bands(info)
    stretch = _ranges(rescale, len(bands)) if rescale else None
    palette = info.palette is not None and bands == (1,) and stretch is None
    return Style(
        bands, stretch, palette, _resampling(resampling) if resampling else "nearest" if palette else "bilinear"
    )


def _bands(info: RasterInfo, values: Sequence[str]) -> tuple[int, ...]:
    texts = [text.strip() for value in values for text in value.split(",")]
    expected = f"expected one band or three, numbered 1 to {len(info.bands)}, like bidx=1 or bidx=3,2,1"
    if not all(re.fullmatch(r"[0-9]{1,5}", text) for text in texts) or len(texts) not in {1, 3}:
        raise InvalidParameter(f"bidx cannot be used: {expected}; got {','.join(values)[:64]!r}.")
    bands = tuple(int(text) for text in texts)
    if not all(1 <= band <= len(info.bands) for band in bands):
        raise InvalidParameter(f"bidx names a band that the raster does not have: {expected}; got {','.join(texts)}.")
    return bands


def _ranges(values: Sequence[str], count: int) -> tuple[Range, ...]:
    expected = f"expected min,max with min < max, once or {count} times, like rescale=0,3000"
    try:
        numbers = [float(text) for value in values for text in value.split(",")]
    except ValueError:
        numbers = []
    pairs = tuple(zip(numbers[::2], numbers[1::2], strict=False))
    usable = all(math.isfinite(low) and math.isfinite(high) and low < high for low, high in pairs)
    if len(numbers) % 2 or len(pairs) not in {1, count} or not usable:
        raise InvalidParameter(f"rescale cannot be used: {expected}; got {' '.join(values)[:64]!r}.")
    return pairs * count if len(pairs) == 1 else pairs


def _resampling(values: Sequence[str]) -> Resampling:
    for known in RESAMPLINGS:
        if list(values) == [known]:
            return known
    raise InvalidParameter(
        f"resampling cannot be used: expected one of {', '.join(RESAMPLINGS)}; got {','.join(values)[:64]!r}."
    )


def needs_stretch(info: RasterInfo, style: Style) -> bool:
    """Whether the style leaves the stretch to the pixels: not 8-bit, no palette, no range given."""
    return (
        style.stretch is None
        and not style.palette
        and any(info.bands[band - 1].dtype != "uint8" for band in style.bands)
    )


def percentile_range(values: NDArray[Any]) -> Range:
    """The automatic stretch of one band.

    Args:
        values: (n,) valid pixels.

    Returns:
        Their 2nd and 98th percentile; (0, 1) without any, and a range around the value when there is only one.
    """
    if values.size == 0:
        return (0.0, 1.0)
    low, high = (float(v) for v in np.percentile(values, PERCENTILES))
    return (low, high) if low < high else (low - 0.5, low + 0.5)
