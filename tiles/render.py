"""Pixels and mask -> PNG, JPEG and WebP bytes; the shared empty tile."""

from __future__ import annotations

from functools import lru_cache
from io import BytesIO
from typing import TYPE_CHECKING, Final, Literal, get_args

import numpy as np
from PIL import Image

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

VERSION: Final = 1
"""Part of every ETag: raised when the same request would give other bytes."""

_OPTIONS: Final[dict[Format, dict[str, int]]] = {
    "png": {"compress_level": 3},
    "jpg": {"quality": 85},
    # Method 0 is four times as fast as the default, for a few per cent of size.
    "webp": {"quality": 85, "method": 0},
}


def paint(
    pixels: Pixels, *, stretch: Sequence[Range] | None, palette: Sequence[tuple[int, int, int, int]] | None
) -> NDArray[np.uint8]:
    """Turn values into colors.

    Args:
        pixels: one band or three.
        stretch: values that become 0 and 255, per band; None for bytes that are shown as they are.
        palette: RGBA per value of the one band, or None.

    Returns:
        (height, width, 2 or 4): gray or red, green, blue, then alpha; all zero where there is no data.
    """
    if palette is not None:
        colors = np.array(palette, dtype=np.uint8)
        index = pixels.data[0].astype(np.int64)
        known = (index >= 0) & (index < len(colors))
        painted = colors[np.where(known, index, 0)]
        painted[~known | (pixels.mask == 0)] = 0
        return painted
    channels = (
        pixels.data
        if stretch is None
        else np.stack([_stretched(b, r) for b, r in zip(pixels.data, stretch, strict=True)])
    )
    painted = np.concatenate([channels.astype(np.uint8), pixels.mask[np.newaxis]]).transpose(1, 2, 0)
    # What lies under a hole must not leak through a client that ignores alpha, and compresses better when it is even.
    painted[pixels.mask == 0] = 0
    return painted


def _stretched(band: NDArray[np.generic], values: Range) -> NDArray[np.uint8]:
    low, high = values
    with np.errstate(invalid="ignore", over="ignore"):
        scaled = (band.astype(np.float64) - low) / (high - low) * 255
    return np.rint(np.nan_to_num(np.clip(scaled, 0, 255))).astype(np.uint8)


def encode(painted: NDArray[np.uint8], fmt: Format) -> bytes:
    """Write an image file.

    Args:
        painted: (height, width, 2 or 4), as `paint` gives it.
        fmt: JPEG shows `BACKGROUND` where there is no data.
    """
    image = Image.fromarray(painted, "LA" if painted.shape[2] == 2 else "RGBA")
    opaque = bool((painted[..., -1] == 255).all())
    if opaque:
        image = image.convert("L" if image.mode == "LA" else "RGB")
    elif fmt == "jpg":
        flat = Image.new("RGB", image.size, BACKGROUND)
        flat.paste(image.convert("RGB"), mask=image.getchannel("A"))
        image = flat
    out = BytesIO()
    image.save(out, "JPEG" if fmt == "jpg" else fmt, **_OPTIONS[fmt])
    return out.getvalue()


@lru_cache(maxsize=16)
def empty(fmt: Format, size: int) -> bytes:
    """The tile where nothing shows: transparent, for JPEG `BACKGROUND`.

    Args:
        fmt: which file.
        size: width and height, in pixels.
    """
    return encode(np.zeros((size, size, 2), dtype=np.uint8), fmt)
