"""Where in a TIFF each block is, so that all of a window can be asked for at once; and how large a block may become.

GDAL reads block by block, which over a network is a request for each. This reads the same tables as GDAL does, and only
to look ahead: what it gets wrong costs requests, never pixels.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

_FORMATS: Final = {1: "u1", 3: "u2", 4: "u4", 7: "u1", 13: "u4", 16: "u8", 18: "u8"}
_MOST_DIRECTORIES: Final = 64
_MOST_ENTRIES: Final = 4096
_MOST_BLOCKS: Final = 4_000_000
_WIDTH, _HEIGHT, _BITS, _SAMPLES, _ROWS, _PLANES, _TILE_WIDTH, _TILE_HEIGHT = 256, 257, 258, 277, 278, 284, 322, 323
_OFFSETS, _COUNTS, _INNER = {324, 273}, {325, 279}, 330
_COMPRESSION, _MEANING, _JPEG_TABLES = 259, 262, 347
_JPEG, _GRAY, _YCBCR = 7, 1, 6
_DAMAGED: Final = (struct.error, ValueError, OverflowError, IndexError)

Reading = Callable[[int, int], bytes]
"""Gives bytes of a file, by offset and length; fewer at its end."""


@dataclass(frozen=True, slots=True)
class Directory:
    """One image in a TIFF: the full resolution, an overview, or a mask of either.

    Attributes:
        width: in pixels.
        height: in pixels.
        block: (columns, rows) of a block.
        planes: how many times the blocks are there: once, or once per band.
        offsets: of each block in the file; row by row, plane by plane.
        counts: bytes of each block; 0 for one that is not stored.
        jpeg: what the JPEG of each block has in common, when all bands of a block are one JPEG of 8 bits, gray or YCbCr.
    """

    width: int
    height: int
    block: tuple[int, int]
    planes: int
    offsets: NDArray[np.int64]
    counts: NDArray[np.int64]
    jpeg: bytes | None = None

    def ranges(self, window: tuple[int, int, int, int], bands: tuple[int, ...]) -> list[tuple[int, int]]:
        """From where to where the blocks of a window are stored, in the order of the file.

        Args:
            window: (col, row, width, height) in pixels.
            bands: 1-based; those that are read.
        """
        columns, rows = self.block
        across, down = -(-self.width // columns), -(-self.height // rows)
        x = np.arange(max(0, window[0] // columns), min(across, -(-(window[0] + window[2]) // columns)))
        y = np.arange(max(0, window[1] // rows), min(down, -(-(window[1] + window[3]) // rows)))
        planes = [band - 1 for band in bands if band <= self.planes] if self.planes > 1 else [0]
        at = (np.array(planes)[:, None, None] * down + y[None, :, None]) * across + x[None, None, :]
        at = at.ravel()
        at = at[at < self.offsets.size]
        at = at[self.counts[at] > 0]
        starts, counts = self.offsets[at], self.counts[at]
        order = np.argsort(starts)
        return [(int(start), int(start + count)) for start, count in zip(starts[order], counts[order], strict=True)]


def read_directories(read: Reading) -> list[Directory]:
    """The images of a TIFF; none when it is not one.

    Args:
        read: gives bytes, by offset and length; fewer at the end of the file.
    """
    try:
        found = [_directory(tags) for tags in islice(_tables(read), _MOST_DIRECTORIES)]
    except _DAMAGED:  # GDAL will say how
        return []
    return [directory for directory in found if directory is not None]


def block_sizes(read: Reading) -> Iterator[int]:
    """Bytes of a decoded block of each image in a TIFF, overviews and masks among them; nothing when it is not one.

    Args:
        read: as of `read_directories`.
    """
    try:
        for tags in _tables(read):
            yield tags.block_bytes
    except _DAMAGED:  # GDAL will say how
        return


@dataclass(frozen=True, slots=True)
class _Tags:
    """What a directory says, as it is written.

    Attributes:
        entries: kind, number of values, and the values or where they are.
        order: of bytes, as struct writes it.
        big: whether it is a BigTIFF.
        read: gives bytes of the file.
    """

    entries: dict[int, tuple[int, int, bytes]]
    order: str
    big: bool
    read: Reading

    def values(self, tag: int) -> NDArray[np.int64]:
        """All values of a tag that is there."""
        kind, count, inside = self.entries[tag]
        dtype = np.dtype(f"{self.order}{_FORMATS[kind]}")
        size = dtype.itemsize * count
        if size > len(inside):
            inside = self.read(struct.unpack(self.order + ("Q" if self.big else "I"), inside)[0], size)
        return np.frombuffer(inside[:size], dtype=dtype).astype(np.int64)

    def one(self, tag: int, otherwise: int) -> int:
        """The first value of a tag."""
        return int(self.values(tag)[0]) if tag in self.entries else otherwise

    @property
    def block(self) -> tuple[int, int]:
        """(columns, rows) of a block."""
        width, height = self.one(_WIDTH, 0), self.one(_HEIGHT, 0)
        return self.one(_TILE_WIDTH, width), self.one(_TILE_HEIGHT, min(self.one(_ROWS, height), height))

    @property
    def jpeg(self) -> bytes | None:
        """See `Directory.jpeg`."""
        samples = self.one(_SAMPLES, 1)
        bits = self.values(_BITS).tolist() if _BITS in self.entries else []
        known = {1: _GRAY, 3: _YCBCR}.get(samples)
        if self.one(_COMPRESSION, 1) != _JPEG or self.one(_PLANES, 1) != 1 or set(bits) != {8}:
            return None
        if known is None or self.one(_MEANING, -1) != known:
            return None
        return self.values(_JPEG_TABLES).astype(np.uint8).tobytes() if _JPEG_TABLES in self.entries else b""

    @property
    def block_bytes(self) -> int:
        """Bytes of a decoded block; GDAL gives each value a byte at least."""
        columns, rows = self.block
        together = self.one(_SAMPLES, 1) if self.one(_PLANES, 1) == 1 else 1
        bits = self.values(_BITS) if _BITS in self.entries else np.array([1])
        widest = int(bits.max()) if bits.size else 64  # of what is not there, the worst
        return columns * rows * together * max(1, -(-widest // 8))


def _tables(read: Reading) -> Iterator[_Tags]:
    head = read(0, 16)
    order = {b"II": "<", b"MM": ">"}.get(head[:2])
    if order is None:
        return
    big = struct.unpack(f"{order}H", head[2:4])[0] == 43
    at = struct.unpack(f"{order}Q", head[8:16])[0] if big else struct.unpack(f"{order}I", head[4:8])[0]
    seen, waiting = {0}, [at]
    while waiting:
        at = waiting.pop()
        if at in seen:
            continue
        seen.add(at)
        count = struct.unpack(order + ("Q" if big else "H"), read(at, 8 if big else 2))[0]
        if count > _MOST_ENTRIES:
            continue
        step, start = (20, at + 8) if big else (12, at + 2)
        body = read(start, count * step + 8)
        entries = {}
        for i in range(count):
            entry = body[i * step : (i + 1) * step]
            tag, kind, values = struct.unpack(order + ("HHQ" if big else "HHI"), entry[: 12 if big else 8])
            if kind in _FORMATS and 0 < values <= _MOST_BLOCKS:
                entries[tag] = (kind, values, entry[12 if big else 8 :])
        tags = _Tags(entries, order, big, read)
        yield tags
        after = body[count * step : count * step + (8 if big else 4)]
        inner = tags.values(_INNER).tolist() if _INNER in entries else []
        waiting += [*inner, struct.unpack(order + ("Q" if big else "I"), after)[0]]


def _directory(tags: _Tags) -> Directory | None:
    known = tags.entries
    offsets, counts = next((t for t in _OFFSETS if t in known), None), next((t for t in _COUNTS if t in known), None)
    if offsets is None or counts is None or _WIDTH not in known or _HEIGHT not in known:
        return None
    width, height, block = tags.one(_WIDTH, 0), tags.one(_HEIGHT, 0), tags.block
    if min(width, height, *block) <= 0:
        return None
    planes = tags.one(_SAMPLES, 1) if tags.one(_PLANES, 1) == 2 else 1
    return Directory(width, height, block, planes, tags.values(offsets), tags.values(counts), tags.jpeg)
