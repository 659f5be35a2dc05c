"""A large window of a raster, made smaller while it is read: part by part, each block decoded about once.

Left to itself, GDAL decodes a row of large blocks again for every few lines of the output, when the row does not fit into
its cache; and nothing can stop it. Here each part is blocks as they are stored, and work that was given up ends behind
the part that it is at.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import cv2
import numpy as np
from rasterio.windows import Window

from tiles import stopping

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

PART: Final = 8 * 2**20
"""Most values of a part, unless a single block has more."""

_CHANNELS: Final = 4  # more at once OpenCV does not take

Weighed = tuple["NDArray[Any]", "NDArray[np.float32] | None"]
"""(height, width, bands) and (height, width) weights; None where all count fully."""


@dataclass(frozen=True, slots=True)
class Cells:
    """Cells along one axis, and what of them some pixels leave open.

    Attributes:
        first: the first cell.
        end: the one behind the last.
        before: pixels of the first cell that lie before the given ones.
        after: pixels of the last cell that lie behind them.
        factor: pixels of a cell.
    """

    first: int
    end: int
    before: int
    after: int
    factor: int

    @property
    def count(self) -> int:
        """How many cells."""
        return self.end - self.first

    def sizes(self) -> NDArray[np.int64]:
        """Pixels that are given of each cell."""
        sizes = np.full(self.count, self.factor)
        sizes[0] -= self.before
        sizes[-1] -= self.after
        return sizes


def pick(
    read: Callable[[Window], NDArray[Any]],
    block: tuple[int, int],
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    bands: int,
) -> NDArray[Any]:
    """Values (bands, rows, columns) where some rows and columns cross; blocks that hold none of them are not read.

    Args:
        read: gives (bands, height, width) of a window.
        block: (rows, columns) of a stored block.
        rows: ascending.
        columns: ascending.
        bands: how many `read` gives.
    """
    together = max(1, PART // (block[0] * block[1] * bands)) * block[1]
    picked: NDArray[Any] | None = None
    for down in _groups(rows // block[0]):
        for across in _groups(columns // together):
            stopping.check()
            at, left = rows[down], columns[across]
            part = read(Window(left[0], at[0], left[-1] - left[0] + 1, at[-1] - at[0] + 1))
            if picked is None:
                picked = np.empty((len(part), rows.size, columns.size), part.dtype)
            picked[:, down, across] = part[:, at - at[0]][:, :, left - left[0]]
    assert picked is not None
    return picked


def _groups(numbers: NDArray[np.int64]) -> Iterator[slice]:
    """Stretches of equal numbers."""
    ends = [0, *(np.flatnonzero(np.diff(numbers)) + 1), numbers.size]
    return (slice(int(first), int(last)) for first, last in pairwise(ends))


def average(
    read: Callable[[Window], Weighed],
    block: tuple[int, int],
    window: tuple[int, int, int, int],
    factors: tuple[int, int],
    bands: int,
) -> Weighed:
    """Means of cells of `factors` columns and rows, as far as their pixels count; weights are how many do, from 0 to 1.

    Args:
        read: gives pixels and weights of a window.
        block: (rows, columns) of a stored block.
        window: (col, row, width, height), not empty; cells begin at its corner.
        factors: columns and rows of a cell; those at the end may have fewer.
        bands: how many `read` gives.
    """
    left, top, width, height = window
    size = (-(-height // factors[1]), -(-width // factors[0]))
    sums, shares = np.zeros((*size, bands)), np.zeros(size)
    kind, whole = np.dtype(np.uint8), True
    across = max(1, PART // (block[0] * block[1] * bands)) * block[1]
    down = max(1, PART // (block[0] * min(across, width + block[1]) * bands)) * block[0]
    for y, rows in _parts(top, height, down):
        for x, columns in _parts(left, width, across):
            stopping.check()
            pixels, weights = read(Window(x, y, columns, rows))
            kind, whole = pixels.dtype, whole and weights is None
            # A single block may be much; what is made of it is more.
            for at, count in _parts(y, rows, max(1, PART // (columns * bands))):
                piece = slice(at - y, at - y + count)
                cells = (_cells(at - top, count, factors[1]), _cells(x - left, columns, factors[0]))
                _add(sums, shares, pixels[piece], None if weights is None else weights[piece], cells)
    means = np.divide(sums, shares[..., np.newaxis], out=np.zeros_like(sums), where=shares[..., np.newaxis] > 0)
    data = (np.rint(means) if kind.kind in "iu" else means).astype(kind)
    if whole:
        return data, None
    full = np.outer(
        *(np.minimum(f, n - np.arange(0, n, f)) for f, n in zip(factors[::-1], (height, width), strict=True))
    )
    return data, (shares / full).astype(np.float32)


def _parts(first: int, count: int, step: int) -> Iterator[tuple[int, int]]:
    """Where parts begin and how long they are; all but the first begin at a multiple of the step."""
    at, end = first, first + count
    while at < end:
        following = min(end, (at // step + 1) * step)
        yield at, following - at
        at = following


def _cells(first: int, count: int, factor: int) -> Cells:
    """The cells along one axis in which some pixels lie."""
    cell, end = first // factor, -(-(first + count) // factor)
    return Cells(cell, end, first - cell * factor, end * factor - first - count, factor)


def _add(
    sums: NDArray[np.float64],
    shares: NDArray[np.float64],
    pixels: NDArray[Any],
    weights: NDArray[np.float32] | None,
    cells: tuple[Cells, Cells],
) -> None:
    """Add what counts of some pixels, and how much of it there is, to the cells (down, across) in which they lie."""
    down, across = cells
    at = (slice(down.first, down.end), slice(across.first, across.end))
    narrow = pixels.dtype.itemsize < 4 or pixels.dtype == np.float32
    kind = np.float32 if narrow else np.float64
    if weights is None:
        shares[at] += np.outer(down.sizes(), across.sizes())
    else:
        shares[at] += _summed(weights, None, cells, kind)
    for band in range(0, pixels.shape[2], _CHANNELS):
        some = slice(band, band + _CHANNELS)
        found = _summed(np.ascontiguousarray(pixels[..., some]), weights, cells, kind)
        sums[(*at, some)] += found.reshape(down.count, across.count, -1)


def _summed(
    pixels: NDArray[Any], weights: NDArray[np.float32] | None, cells: tuple[Cells, Cells], kind: type[np.floating[Any]]
) -> NDArray[np.float64]:
    wide = _padded(pixels, cells).astype(kind)
    if weights is not None:
        shown = _padded(weights, cells)
        wide *= shown if wide.ndim == 2 else shown[..., np.newaxis]
    down, across = cells
    means = cv2.resize(wide, (across.count, down.count), interpolation=cv2.INTER_AREA)
    return np.asarray(means, dtype=np.float64) * (down.factor * across.factor)


def _padded(pixels: NDArray[Any], cells: tuple[Cells, Cells]) -> NDArray[Any]:
    """With zeros around, up to the ends of the cells."""
    down, across = cells
    margins = (down.before, down.after, across.before, across.after)
    return cv2.copyMakeBorder(pixels, *margins, cv2.BORDER_CONSTANT, value=0) if any(margins) else pixels
