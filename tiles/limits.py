"""How large a raster may claim to be: held against its header before a pixel is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from rasterio.enums import Interleaving

from tiles.errors import SourceRefused
from tiles.tiff import block_sizes

if TYPE_CHECKING:
    from rasterio.io import DatasetReader

    from tiles.settings import TilesSettings
    from tiles.tiff import Reading

CODECS = frozenset(
    [
        "raw",
        "none",
        "uncompressed",
        "packbits",
        "lzw",
        "deflate",
        "adobe_deflate",
        "zstd",
        "lerc",
        "lerc_deflate",
        "lerc_zstd",
        "jpeg",
        "webp",
        "ccittrle",
        "ccittfax3",
        "ccittfax4",
        "jpeg2000",
        "lossless",
        "lossy",
        "png",
    ]
)
"""Compressions that are decoded: each has been looked at for what a few bytes can make it allocate. LZMA takes four gigabytes if a file says so."""

MAX_IMAGES = 1024
"""Most images in one TIFF that are looked at."""

MAX_SEQUENTIAL = 2**28
"""Most pixels of a raster that has no blocks (PNG, JPEG, WebP): any part of it is read by decoding all that stands before."""


def check_header(name: str, dataset: DatasetReader, settings: TilesSettings) -> None:
    """Raises SourceRefused when the header of a raster claims more than the limits.

    Args:
        name: of the raster, for messages.
        dataset: that has just been opened.
        settings: the limits.
    """
    pixels = dataset.width * dataset.height
    if pixels > settings.max_pixels:
        raise SourceRefused(
            f"{name!r} claims {dataset.width} x {dataset.height} = {pixels:,} pixels, more than the limit of "
            f"{settings.max_pixels:,}; raise TILES_MAX_PIXELS if that is right."
        )
    if dataset.count == 0:
        raise SourceRefused(f"{name!r} has no bands of its own; expected a raster with at least one.")
    if dataset.count > settings.max_bands:
        raise SourceRefused(
            f"{name!r} claims {dataset.count:,} bands, more than the limit of {settings.max_bands:,}; raise TILES_MAX_BANDS if that is right."
        )
    codec = dataset.compression
    if codec is not None and codec.value.lower() not in CODECS:
        raise SourceRefused(
            f"{name!r} is compressed with {codec.value}, which is not decoded here; rewrite it with another (gdal_translate -of COG INPUT OUTPUT.tif)."
        )
    if dataset.driver in {"PNG", "JPEG", "WEBP"} and pixels > MAX_SEQUENTIAL:
        raise SourceRefused(
            f"{name!r} has {pixels:,} pixels in one piece, more than the {MAX_SEQUENTIAL:,} that a {dataset.driver} may have; "
            "rewrite it in tiles (gdal_translate -of COG INPUT OUTPUT.tif)."
        )
    _check_block(name, block_bytes(dataset), settings)


def check_images(name: str, read: Reading, settings: TilesSettings) -> None:
    """Raises SourceRefused when a block of any image in a TIFF is larger than the limit.

    GDAL decodes overviews and masks as it needs them, and says nothing of their blocks before.

    Args:
        name: of the raster, for messages.
        read: gives bytes of the file.
        settings: the limits.
    """
    for number, size in enumerate(block_sizes(read), 1):
        if number > MAX_IMAGES:
            raise SourceRefused(
                f"{name!r} holds more than {MAX_IMAGES:,} images, overviews and masks among them; write the one that you want to a file of its own."
            )
        _check_block(name, size, settings)


def _check_block(name: str, size: int, settings: TilesSettings) -> None:
    if size > settings.max_block_mb * 2**20:
        raise SourceRefused(
            f"A single block of {name!r} takes {size / 2**20:,.0f} MiB, more than the limit of {settings.max_block_mb} MiB; "
            f"rewrite it in tiles (gdal_translate -of COG INPUT OUTPUT.tif) or raise TILES_MAX_BLOCK_MB."
        )


def block_bytes(dataset: DatasetReader) -> int:
    """Decoded bytes of one stored block: all bands of it when they are stored together."""
    rows, columns = dataset.block_shapes[0]
    together = dataset.count if pixel_interleaved(dataset) else 1
    # Complex integers have no numpy type; the largest is as wide as a complex64.
    item = max(8 if name.startswith("complex_") else np.dtype(name).itemsize for name in dataset.dtypes)
    return int(rows * columns * together * item)


def pixel_interleaved(dataset: DatasetReader) -> bool:
    """Whether all bands of a block are stored together."""
    return bool(dataset.count > 1 and dataset.interleaving != Interleaving.band)
