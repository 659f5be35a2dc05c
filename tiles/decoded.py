"""Decoded blocks of local files, kept for the tiles beside them, whichever handle read them.

GDAL keeps blocks for each handle apart: two threads that draw two halves of one view would decode all of it twice.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from tiles.cache import Cache

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from numpy.typing import NDArray

MEMORY: Final = 144 * 2**20
"""Bytes of decoded blocks that are kept, in all."""

LARGEST: Final = 1024
"""Longest side of a block that is kept, in pixels: strips of a whole row have no neighbours worth waiting for."""

_SHARE: Final = 4  # a window that alone would take more than a quarter of the memory leaves it to others

_blocks: Cache[NDArray[Any]] = Cache(MEMORY, lambda block: block.nbytes)


def assemble(
    key: Hashable,
    decode: Callable[[int, int], NDArray[Any]],
    block: tuple[int, int],
    window: tuple[int, int, int, int],
    like: tuple[int, np.dtype[Any]],
    *,
    worth: float = 1,
    planar: bool = False,
) -> NDArray[Any]:
    """Pixels of a window, of blocks that are kept or decoded now.

    Args:
        key: of the file, its version, the level and what is decoded of it.
        decode: gives (height, width, bands) of the block in a row of blocks and a column of them; raises what it likes,
            which goes to all who wait for the block.
        block: (rows, columns) of a block.
        window: (col, row, width, height) in pixels of the level, inside of it.
        like: how many bands, and their type.
        worth: how much longer than those of the full resolution its blocks are kept: one of an overview shows more ground,
            and more tiles need it.
        planar: whether bands lie one behind the other in memory, in what `decode` gives and in what comes back.

    Returns:
        (height, width, bands)
    """
    col, row, width, height = window
    rows, columns = block
    bands, kind = like
    out = (
        np.empty((bands, height, width), kind).transpose(1, 2, 0) if planar else np.empty((height, width, bands), kind)
    )
    for down in range(row // rows, -(-(row + height) // rows)):
        for right in range(col // columns, -(-(col + width) // columns)):
            pixels = _blocks.get((key, down, right), partial(decode, down, right), worth)
            left, top = right * columns - col, down * rows - row
            x, y = max(left, 0), max(top, 0)
            part = pixels[y - top : height - top, x - left : width - left]
            out[y : y + part.shape[0], x : x + part.shape[1]] = part
    return out


def worth_keeping(block: tuple[int, int], window: tuple[int, int, int, int], size: int) -> bool:
    """Whether the blocks under a window are of a kind that is kept, and few enough.

    Args:
        block: (rows, columns) of a block.
        window: (col, row, width, height) in pixels of the level.
        size: bytes of a pixel.
    """
    col, row, width, height = window
    rows, columns = block
    across = -(-(col + width) // columns) - col // columns
    down = -(-(row + height) // rows) - row // rows
    return max(block) <= LARGEST and across * down * rows * columns * size <= MEMORY // _SHARE
