"""Where in a TIFF each block is, so that all of a window can be asked for at once.

GDAL reads block by block, which over a network is a request for each. This reads the same tables as GDAL does, and only
to look ahead: what it gets wrong costs requests, never pixels.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

_FORMATS: Final = {1: "u1", 3: "u2", 4: "u4", 16: "u8"}
_MOST_DIRECTORIES: Final = 64
_MOST_BLOCKS: Final = 4_000_000
_WIDTH, _HEIGHT, _SAMPLES, _ROWS, _PLANES, _TILE_WIDTH, _TILE_HEIGHT = 256, 257, 277, 278, 284, 322, 323
_OFFSETS, _COUNTS = {324, 273}, {325, 279}


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
    """

    width: int
    height: int
    block: tuple[int, int]
    planes: int
    offsets: NDArray[np.int64]
    counts: NDArray[np.int64]

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


def read_directories(read: Callable[[int, int], bytes]) -> list[Directory]:
    """The images of a TIFF; none when it is not one.

    Args:
        read: gives bytes, by offset and length; fewer at the end of the file.
    """
    try:
        return _directories(read)
    except (struct.error, ValueError, OverflowError):  # damaged: GDAL will say how
        return []


def _directories(read: Callable[[int, int], bytes]) -> list[Directory]:
    head = read(0, 16)
    order = {b"II": "<", b"MM": ">"}.get(head[:2])
    if order is None:
        return []
    big = struct.unpack(f"{order}H", head[2:4])[0] == 43
    at = struct.unpack(f"{order}Q", head[8:16])[0] if big else struct.unpack(f"{order}I", head[4:8])[0]
    found: list[Directory] = []
    seen: set[int] = set()
    while at and at not in seen and len(seen) < _MOST_DIRECTORIES:
        seen.add(at)
        count = struct.unpack(order + ("Q" if big else "H"), read(at, 8 if big else 2))[0]
        if count > 1000:
            break
        step, start = (20, at + 8) if big else (12, at + 2)
        body = read(start, count * step + 8)
        tags = {}
        for i in range(count):
            entry = body[i * step : (i + 1) * step]
            tag, kind, values = struct.unpack(order + ("HHQ" if big else "HHI"), entry[: 12 if big else 8])
            if kind in _FORMATS and values <= _MOST_BLOCKS:
                tags[tag] = (kind, values, entry[12 if big else 8 :])
        after = body[count * step : count * step + (8 if big else 4)]
        at = struct.unpack(order + ("Q" if big else "I"), after)[0]
        directory = _directory(tags, order, big, read)
        if directory is not None:
            found.append(directory)
    return found


def _directory(
    tags: dict[int, tuple[int, int, bytes]], order: str, big: bool, read: Callable[[int, int], bytes]
) -> Directory | None:
    def values(tag: int) -> NDArray[np.int64]:
        kind, count, inside = tags[tag]
        dtype = np.dtype(f"{order}{_FORMATS[kind]}")
        size = dtype.itemsize * count
        if size > len(inside):
            inside = read(struct.unpack(order + ("Q" if big else "I"), inside)[0], size)
        return np.frombuffer(inside[:size], dtype=dtype).astype(np.int64)

    def one(tag: int, otherwise: int) -> int:
        return int(values(tag)[0]) if tag in tags else otherwise

    offsets, counts = next((t for t in _OFFSETS if t in tags), None), next((t for t in _COUNTS if t in tags), None)
    if offsets is None or counts is None or _WIDTH not in tags or _HEIGHT not in tags:
        return None
    width, height = one(_WIDTH, 0), one(_HEIGHT, 0)
    block = (one(_TILE_WIDTH, width), one(_TILE_HEIGHT, min(one(_ROWS, height), height)))
    if min(width, height, *block) <= 0:
        return None
    planes = one(_SAMPLES, 1) if one(_PLANES, 1) == 2 else 1
    return Directory(width, height, block, planes, values(offsets), values(counts))
