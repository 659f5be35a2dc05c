"""Pixels and mask -> PNG, JPEG and WebP bytes; the shared empty tile."""

from __future__ import annotations

from functools import lru_cache
from io import BytesIO
from typing import TYPE_CHECKING, Final, Literal, get_args

import cv2
import numpy as np
from PIL import Image

from tiles.look import Look, colorize, named, saturate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tiles.read import Pixels
    from tiles.style import Range

Format = Literal["png", "jpg", "webp"]
FORMATS: Final[tuple[Format, ...]] = get_args(Format)
MEDIA_TYPES: Final[dict[Format, str]] = {"png": "image/png", "jpg": "image/jpeg", "webp": "image/webp"}

BACKGROUND: Final = (255, 255, 255)
"""What shows through where JPEG, which has no transparency, has no data: white."""

VERSION: Final = 5
"""Part of every ETag: raised when the same request would give other bytes."""

_PLAIN: Final = Look()
_OPENCV_OPTIONS: Final[dict[Format, list[int]]] = {
    "png": [],  # OpenCV's own choice takes half the time of any that is named
    "jpg": [cv2.IMWRITE_JPEG_QUALITY, 85],
}
# OpenCV counts blue first.
_OPENCV_ORDER: Final = {1: None, 3: cv2.COLOR_RGB2BGR, 4: cv2.COLOR_RGBA2BGRA}


def paint(
    pixels: Pixels,
    *,
    stretch: Sequence[Range] | None,
    palette: Sequence[tuple[int, int, int, int]] | None,
    look: Look = _PLAIN,
) -> NDArray[np.uint8]:
    """Turn values into colors.

    Args:
        pixels: one band or three.
        stretch: values that become 0 and 255, per band; None for bytes that are shown as they are.
        palette: RGBA per value of the one band, or None.
        look: what happens to the colors after that.

    Returns:
        (height, width, 1 to 4): gray or red, green, blue, then alpha unless all is opaque; all zero where there is no data.
    """
    if palette is not None:
        colors = np.array(palette, dtype=np.uint8)
        index = pixels.data[0].astype(np.int64)
        known = (index >= 0) & (index < len(colors))
        painted = colors[np.where(known, index, 0)]
        painted[~known | (pixels.mask == 0)] = 0
        return painted
    colormap = look.colormap
    if colormap is not None and colormap.stops:
        return _masked(colorize(pixels.data[0], colormap.stops), pixels.mask)
    channels = (
        pixels.data
        if stretch is None
        else np.stack([_stretched(b, r) for b, r in zip(pixels.data, stretch, strict=True)])
    ).astype(np.uint8, copy=False)
    table = look.table()
    if table is not None:
        channels = table[channels]
    if look.saturation and len(channels) == 3:
        channels = saturate(channels, look.saturation)
    if colormap is not None and colormap.name is not None:
        return _masked(named(colormap.name)[channels[0]], pixels.mask)
    if (pixels.mask == 255).all():
        return np.ascontiguousarray(channels.transpose(1, 2, 0))
    painted = np.concatenate([channels, pixels.mask[np.newaxis]]).transpose(1, 2, 0)
    # What lies under a hole must not leak through a client that ignores alpha, and compresses better when it is even.
    painted[pixels.mask == 0] = 0
    return painted


def _masked(colors: NDArray[np.uint8], mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Colors (height, width, 4) with what the mask hides taken away."""
    colors[..., 3] = np.minimum(colors[..., 3], mask)
    colors[mask == 0] = 0
    return colors


def _stretched(band: NDArray[np.generic], values: Range) -> NDArray[np.uint8]:
    low, high = values
    if band.dtype.kind in "iu" and band.dtype.itemsize <= 2:
        found: NDArray[np.uint8] = _table(str(band.dtype), low, high)[band.view(f"u{band.dtype.itemsize}")]
        return found
    return _scaled(band, low, high)


@lru_cache(maxsize=256)
def _table(dtype: str, low: float, high: float) -> NDArray[np.uint8]:
    """What every value of a small type becomes, in the order of its bits."""
    kind = np.dtype(dtype)
    every = np.arange(2 ** (8 * kind.itemsize), dtype=f"u{kind.itemsize}").view(kind)
    return _scaled(every, low, high)


def _scaled(band: NDArray[np.generic], low: float, high: float) -> NDArray[np.uint8]:
    with np.errstate(invalid="ignore", over="ignore"):
        scaled = (band.astype(np.float64) - low) / (high - low) * 255
    return np.rint(np.nan_to_num(np.clip(scaled, 0, 255))).astype(np.uint8)


def encode(painted: NDArray[np.uint8], fmt: Format) -> bytes:
    """Write an image file.

    Args:
        painted: (height, width, 1 to 4), as `paint` gives it.
        fmt: JPEG shows `BACKGROUND` where there is no data.
    """
    if painted.shape[2] in {2, 4} and (painted[..., -1] == 255).all():
        painted = np.ascontiguousarray(painted[..., :-1])
    elif painted.shape[2] in {2, 4} and fmt == "jpg":
        alpha = painted[..., -1:].astype(np.uint16)
        painted = ((painted[..., :-1] * alpha + np.uint16(255) * (255 - alpha) + 127) // 255).astype(np.uint8)
    if fmt == "webp":
        return _webp(painted)
    if painted.shape[2] == 2:
        painted = painted[..., [0, 0, 0, 1]]
    order = _OPENCV_ORDER[painted.shape[2]]
    ok, data = cv2.imencode(f".{fmt}", painted if order is None else cv2.cvtColor(painted, order), _OPENCV_OPTIONS[fmt])
    assert ok
    return data.tobytes()


def _webp(painted: NDArray[np.uint8]) -> bytes:
    mode = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}[painted.shape[2]]
    out = BytesIO()
    # Method 0 is four times as fast as the default, for a few per cent of size.
    Image.fromarray(painted.squeeze(), mode).save(out, "webp", quality=85, method=0)
    return out.getvalue()


@lru_cache(maxsize=16)
def empty(fmt: Format, size: int) -> bytes:
    """The tile where nothing shows: transparent, for JPEG `BACKGROUND`.

    Args:
        fmt: which file.
        size: width and height, in pixels.
    """
    return encode(np.zeros((size, size, 2), dtype=np.uint8), fmt)
