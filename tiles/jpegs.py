"""Windows of a TIFF whose blocks are JPEGs, decoded with vector instructions, for pictures.

rasterio's wheel carries a decoder without them, which takes more than half of the time of a tile. The two agree in
lightness to a level or two; colors, of which a JPEG mostly holds a quarter, they bring to full size in different ways,
so that at sharp edges a channel may be ten levels off, and 0.1 on average. Values are always GDAL's for that reason.
What is odd about a block is left to GDAL as well: it knows how to say so.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

import numpy as np
import simplejpeg

from tiles import decoded
from tiles.cache import Cache
from tiles.tiff import read_directories

if TYPE_CHECKING:
    from collections.abc import Hashable

    from numpy.typing import NDArray

    from tiles.tiff import Directory, Reading

_FILES: Final = 256
_START, _END, _BASELINE, _SCAN = b"\xff\xd8", b"\xff\xd9", 0xC0, 0xDA
_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}

_directories: Cache[dict[tuple[int, int], Directory]] = Cache(_FILES)


class _Odd(Exception):
    """A block that only GDAL reads."""


def read_window(
    key: Hashable,
    read: Reading,
    size: tuple[int, int],
    window: tuple[int, int, int, int],
    bands: int,
    *,
    worth: float = 1,
) -> NDArray[np.uint8] | None:
    """Pixels of a window; None when GDAL is to read it.

    Args:
        key: of the file and its version.
        read: gives bytes of the file, by offset and length.
        size: (width, height) of the level that is read: the full resolution or an overview.
        window: (col, row, width, height) in its pixels, inside of it.
        bands: how many it has, all of which are read.
        worth: as `tiles.decoded.assemble`.

    Returns:
        (height, width, bands)
    """
    levels = _directories.get(key, lambda: _find(read))
    level = levels.get(size)
    if level is None or level.jpeg is None or bands not in {1, 3}:
        return None
    columns, rows = level.block
    across = -(-level.width // columns)
    try:
        return decoded.assemble(
            (key, size, "jpeg"),
            lambda down, right: _decode(read, level, down * across + right, bands),
            (rows, columns),
            window,
            (bands, np.dtype(np.uint8)),
            worth=worth,
        )
    except _Odd:
        return None


def _find(read: Reading) -> dict[tuple[int, int], Directory]:
    found: dict[tuple[int, int], Directory] = {}
    for directory in read_directories(read):
        if directory.jpeg is not None:
            found.setdefault((directory.width, directory.height), directory)
    return found


def _decode(read: Reading, level: Directory, at: int, bands: int) -> NDArray[np.uint8]:
    """One block, (rows, columns, bands)."""
    if at >= level.counts.size or level.jpeg is None or not level.counts[at]:
        raise _Odd
    raw = read(int(level.offsets[at]), int(level.counts[at]))
    tables = level.jpeg
    columns, rows = level.block
    if _frame(raw) != (rows, columns, bands) or not raw.endswith(_END):
        raise _Odd
    if tables:
        if not (tables.startswith(_START) and tables.endswith(_END)):
            raise _Odd
        raw = tables[:-2] + raw[2:]
    try:
        pixels: NDArray[np.uint8] = simplejpeg.decode_jpeg(raw, colorspace="GRAY" if bands == 1 else "RGB")
    except ValueError as error:  # damaged, and be it a little
        raise _Odd from error
    return pixels


def _frame(raw: bytes) -> tuple[int, int, int] | None:
    """(rows, columns, components) of a baseline JPEG of 8 bits that says nothing else of its colors; None of any other."""
    at = 2
    frame: tuple[int, int, int] | None = None
    while raw[:2] == _START and at + 10 <= len(raw) and raw[at] == 0xFF:
        kind, length = raw[at + 1], struct.unpack_from(">H", raw, at + 2)[0]
        if kind == _SCAN:
            return frame
        if 0xE0 <= kind <= 0xEF:
            return None
        if kind in _FRAMES:
            bits, rows, columns, components = struct.unpack_from(">BHHB", raw, at + 4)
            if kind != _BASELINE or bits != 8 or frame is not None:
                return None
            frame = rows, columns, components
        at += 2 + length
    return None
