"""Proof that the pixels of a raster can be read, without reading all of them."""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING

import numpy as np
from rasterio.enums import MaskFlags
from rasterio.windows import Window

from tiles.errors import SourceUnreadable
from tiles.limits import block_bytes, pixel_interleaved

if TYPE_CHECKING:
    from pathlib import Path

    from rasterio.io import DatasetReader

PROOF_BYTES = 64 * 2**20
"""How many bytes of decoded pixels `describe` reads to believe in a file."""

REMOTE_PROOF_BYTES = 4 * 2**20
"""The same for one that is elsewhere."""

_PROOF_BLOCKS = 20_000


def _spread(count: int, most: int) -> list[int]:
    """At most `most` (at least 2) of `count` positions, evenly spread, first and last always among them, ascending."""
    if count <= most:
        return list(range(count))
    return sorted({round(i) for i in np.linspace(0, count - 1, max(most, 2))})


def check_byte_ranges(name: str, size: int, dataset: DatasetReader) -> None:
    """Hold the stored block table of a GeoTIFF against the size of its file, without reading a block.

    Raises:
        SourceUnreadable: a block lies beyond the end.
    """
    bands = [1] if pixel_interleaved(dataset) else list(dataset.indexes)
    levels = [None, *range(len(dataset.overviews(1)))]
    for level in levels:
        options = {} if level is None else {"ovr": level}
        # The overviews' own block shape is not known here; theirs is at most the full resolution's.
        rows, columns = dataset.block_shapes[0]
        factor = 1 if level is None else dataset.overviews(1)[level]
        down = math.ceil(dataset.height / factor / rows)
        across = math.ceil(dataset.width / factor / columns)
        for position in _spread(down * across * len(bands), _PROOF_BLOCKS):
            band, block = bands[position // (down * across)], position % (down * across)
            y, x = divmod(block, across)
            offset = dataset.get_tag_item(f"BLOCK_OFFSET_{x}_{y}", "TIFF", bidx=band, **options)
            length = dataset.get_tag_item(f"BLOCK_SIZE_{x}_{y}", "TIFF", bidx=band, **options)
            # A block without an entry is a hole in a sparse file: nodata, not damage.
            if offset is not None and length is not None and int(offset) + int(length) > size:
                raise SourceUnreadable(
                    f"{name!r} is cut short: a block ends at byte {int(offset) + int(length):,}, the file at byte {size:,}; copy or download it again."
                )


def check_png_end(name: str, path: Path) -> None:
    """Raises SourceUnreadable when a PNG does not end as it should; GDAL fills it up in silence."""
    with path.open("rb") as file:
        file.seek(-min(path.stat().st_size, 4096), os.SEEK_END)
        if b"IEND" not in file.read():
            raise SourceUnreadable(f"{name!r} is cut short: a PNG ends with an IEND chunk; copy or download it again.")


def decode_sample(dataset: DatasetReader, proof: int) -> None:
    """Decode blocks, evenly spread, up to so many bytes."""
    rows, columns = dataset.block_shapes[0]
    down, across = math.ceil(dataset.height / rows), math.ceil(dataset.width / columns)
    # One band decodes all of a pixel-interleaved block.
    bands = [1] if pixel_interleaved(dataset) else list(dataset.indexes)
    flags = dataset.mask_flag_enums[0]
    masked = MaskFlags.per_dataset in flags and MaskFlags.alpha not in flags
    count = down * across * len(bands)
    for position in _spread(count, proof // block_bytes(dataset)):
        band, block = bands[position // (down * across)], position % (down * across)
        y, x = divmod(block, across)
        window = Window(
            x * columns, y * rows, min(columns, dataset.width - x * columns), min(rows, dataset.height - y * rows)
        )
        dataset.read(band, window=window)
        if masked:
            dataset.read_masks(band, window=window)
