"""The JPEG blocks of a GeoTIFF as they lie in the file, for chips that are whole blocks: nothing is decoded or lost."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import simplejpeg
from rasterio.enums import Compression, Interleaving, PhotometricInterp

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from rasterio.io import DatasetReader

    from geolabel.geo.pixels import Window

_FRAMES = {0xC0, 0xC1, 0xC2}
_START, _END = b"\xff\xd8", b"\xff\xd9"
_COLORS = {"YCBCR": "RGB", "MINISBLACK": "GRAY"}


@dataclass(frozen=True, slots=True)
class Stored:
    """Blocks of a window, row by row.

    Attributes:
        blocks: JPEG streams without tables.
        shape: (height, width) of a block.
        tables: a JPEG stream of the tables that all of them use.
        subsampling: of the colours, (across, down).
        photometric: `YCBCR`, `RGB` or `MINISBLACK`, as GDAL names it.
        columns: how many blocks lie side by side.
    """

    blocks: tuple[bytes, ...]
    shape: tuple[int, int]
    tables: bytes
    subsampling: tuple[int, int]
    photometric: str
    columns: int

    def sight(self) -> NDArray[np.uint8] | None:
        """The pixels for statistics and eyes, (bands, height, width); None where only GDAL can tell what they are."""
        first = self._decoded(self.blocks[0])
        if first is None or len(self.blocks) == 1:
            return None if first is None else np.moveaxis(first, -1, 0)
        high, wide = self.shape
        rows = len(self.blocks) // self.columns
        pixels = np.empty((rows * high, self.columns * wide, first.shape[2]), dtype=np.uint8)
        for number, block in enumerate(self.blocks):
            part = self._decoded(block)
            if part is None or part.shape != first.shape:
                return None
            row, column = divmod(number, self.columns)
            pixels[row * high : (row + 1) * high, column * wide : (column + 1) * wide] = part
        return np.moveaxis(pixels, -1, 0)

    def _decoded(self, block: bytes) -> NDArray[np.uint8] | None:
        colors = _COLORS.get(self.photometric)
        whole = self.tables.startswith(_START) and self.tables.endswith(_END)
        if colors is None or not whole or not _is_plain(block):
            return None
        try:
            pixels: NDArray[np.uint8] = simplejpeg.decode_jpeg(self.tables[:-2] + block[2:], colorspace=colors)
        except ValueError:  # damaged: GDAL says how
            return None
        return pixels if pixels.shape[:2] == self.shape else None


def are_stored(dataset: DatasetReader, bands: tuple[int, ...]) -> bool:
    """Whether a file holds JPEG blocks that can be taken as they are for these bands."""
    return (
        dataset.driver == "GTiff"
        and dataset.compression is Compression.jpeg
        and _photometric(dataset) is not None
        and bool(dataset.profile.get("tiled"))
        and bands == tuple(dataset.indexes)
        and (len(bands) == 1 or (len(bands) == 3 and dataset.interleaving is Interleaving.pixel))
        and set(dataset.dtypes) == {"uint8"}
        and Path(dataset.name).is_file()
    )


def stored_blocks(dataset: DatasetReader, window: Window) -> Stored | None:
    """The blocks of a window; None when it is not made of whole blocks, or one is not in the file.

    Args:
        dataset: for which `are_stored` holds.
        window: (col, row, width, height).
    """
    col, row, width, height = window
    high, wide = dataset.block_shapes[0]
    beyond = min(col, row) < 0 or col + width > dataset.width or row + height > dataset.height
    if beyond or col % wide or row % high or width % wide or height % high:
        return None
    tables = dataset.get_tag_item("JPEGTABLES", "TIFF", bidx=1)
    if tables is None:
        return None
    blocks = []
    with Path(dataset.name).open("rb") as file:
        for y in range(row // high, (row + height) // high):
            for x in range(col // wide, (col + width) // wide):
                offset = dataset.get_tag_item(f"BLOCK_OFFSET_{x}_{y}", "TIFF", bidx=1)
                size = dataset.get_tag_item(f"BLOCK_SIZE_{x}_{y}", "TIFF", bidx=1)
                if offset is None or size is None:
                    return None
                file.seek(int(offset))
                blocks.append(file.read(int(size)))
    subsampling = {_subsampling(block) for block in blocks}
    found = subsampling.pop()
    if subsampling or found is None:
        return None
    photometric = _photometric(dataset)
    assert photometric is not None
    return Stored(tuple(blocks), (high, wide), bytes.fromhex(tables), found, photometric, width // wide)


def _photometric(dataset: DatasetReader) -> str | None:
    """What the numbers in the blocks are. GDAL says it of YCbCr; the others follow from what the bands are."""
    if dataset.photometric is not None:
        return "YCBCR" if dataset.photometric is PhotometricInterp.ycbcr else None
    colors = tuple(color.name for color in dataset.colorinterp)
    return {("red", "green", "blue"): "RGB", ("gray",): "MINISBLACK"}.get(colors)


def _subsampling(block: bytes) -> tuple[int, int] | None:
    """What the head of a JPEG stream says: how many pixels share a colour, across and down."""
    at = _segments(block).get("frame")
    return None if at is None else (block[at + 11] >> 4, block[at + 11] & 15)


def _is_plain(block: bytes) -> bool:
    """Whether a JPEG stream says of its colours no more than the file around it, and has its end."""
    found = _segments(block)
    return "frame" in found and "application" not in found and block.startswith(_START) and block.endswith(_END)


def _segments(block: bytes) -> dict[str, int]:
    """Where in a JPEG stream, up to its frame, segments are that matter."""
    found: dict[str, int] = {}
    at = 2
    while at + 12 <= len(block) and block[at] == 0xFF:
        marker, length = block[at + 1], struct.unpack_from(">H", block, at + 2)[0]
        if marker in _FRAMES:
            return {**found, "frame": at}
        if 0xE0 <= marker <= 0xEF:
            found["application"] = at
        at += 2 + length
    return found
