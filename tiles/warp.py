"""Where in a raster each output pixel lies, and the raster's pixels brought there. Pure arrays: no files, no CRS.

Positions are continuous pixel coordinates (corner origin, y down) of the raster at full resolution. They are asked for
on a coarse net over the output and interpolated between its nodes: by one projective map where that is exact enough, by
one for each part of the output or by a finer net otherwise, pixel by pixel at the worst. How exact is measured, not
assumed: at nodes that the interpolation has not seen, `TOLERANCE` pixels at the most.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Protocol

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

TOLERANCE: Final = 0.01
"""How far an interpolated position may be off, in pixels of the level that is read."""

_INTERPOLATIONS: Final = {"nearest": cv2.INTER_NEAREST, "bilinear": cv2.INTER_LINEAR, "cubic": cv2.INTER_CUBIC}
_CELLS: Final = 8
# Along a side: projective maps that are tried in turn. Each part must keep nodes that its map has not seen.
_PARTS: Final = (1, 2, 4)
# So many channels OpenCV takes at once; two it would interpolate less exactly, between 32 steps of a pixel.
_TOGETHER: Final = (1, 3, 4)
# Four channels of these types it brings with vector instructions and three without: the same values in half of the time.
_PADDED: Final = ("uint8", "uint16", "float32")
# Pixels over the whole output: less than that is rounding.
_SAME: Final = 1e-3
# OpenCV keeps positions of a remap in 16 bits where it can; what lies further out than this is outside in any case.
_FAR: Final = -1e4

# One thread per tile: the server draws several at once.
cv2.setNumThreads(1)


class Locator(Protocol):
    """The way from an output pixel to the raster."""

    def __call__(self, x: NDArray[np.float64], y: NDArray[np.float64], /) -> NDArray[np.float64]:
        """Positions (2, ...) in the raster, columns first, of points of the output's CRS; not finite where there is none."""


@dataclass(frozen=True, slots=True)
class Net:
    """Positions at the nodes of a square net over an output of `size` x `size` pixels.

    Attributes:
        nodes: (2, n + 1, n + 1) columns and rows in the raster; [:, 0, 0] under the output's upper left corner.
        hull: (min column, min row, max column, max row) of all nodes; None when some have no place in the raster's CRS.
        bounds: (min x, min y, max x, max y) of the output, in its CRS.
        size: of the output, in pixels.
        locator: finds more of them.
    """

    nodes: NDArray[np.float64]
    hull: tuple[float, float, float, float] | None
    bounds: tuple[float, float, float, float]
    size: int
    locator: Locator

    @property
    def cells(self) -> int:
        """Cells along a side."""
        return int(self.nodes.shape[1]) - 1

    def steps(self, width: int, height: int) -> tuple[float, float]:
        """How many columns and how many rows of a raster one output pixel spans, in the middle of what shows of it.

        Args:
            width: of the raster.
            height: of the raster.

        Returns:
            (2.0, 2.0) where two by two pixels become one; NaN where nothing of the raster shows.
        """
        nodes = self.nodes
        across, down = nodes[:, :-1, 1:] - nodes[:, :-1, :-1], nodes[:, 1:, :-1] - nodes[:, :-1, :-1]
        steps = np.hypot(across, down).reshape(2, -1)
        if not self.within(width, height):
            shown = self._cells_within(width, height).ravel() & np.isfinite(steps).all(axis=0)
            if not shown.any():
                return float("nan"), float("nan")
            steps = steps[:, shown]
        columns, rows = _medians(steps) / (self.size / self.cells)
        return float(columns), float(rows)

    def _cells_within(self, width: int, height: int) -> NDArray[np.bool_]:
        corners = np.stack([self.nodes[:, i : i + self.cells, j : j + self.cells] for i in (0, 1) for j in (0, 1)])
        with np.errstate(invalid="ignore"):
            low, high = corners.min(axis=0), corners.max(axis=0)
            shown: NDArray[np.bool_] = (low[0] < width) & (low[1] < height) & (high[0] > 0) & (high[1] > 0)
        return shown

    def within(self, width: int, height: int) -> bool:
        """Whether every node lies in the raster; then all of the output does."""
        if self.hull is None:
            return False
        left, top, right, bottom = self.hull
        return left >= 0 and top >= 0 and right <= width and bottom <= height

    def window(self, width: int, height: int, margin: float) -> tuple[int, int, int, int] | None:
        """The part of the raster that shows: (col, row, width, height); None when nothing does.

        Args:
            width: of the raster.
            height: of the raster.
            margin: pixels more on each side, for the interpolation.
        """
        if self.hull is None:  # nobody knows what lies between the nodes that have a place
            return (0, 0, width, height) if np.isfinite(self.nodes).all(axis=0).any() else None
        left, top = (max(0, math.floor(low - margin)) for low in self.hull[:2])
        right, bottom = (
            min(end, math.ceil(high + margin)) for end, high in zip((width, height), self.hull[2:], strict=True)
        )
        return (left, top, right - left, bottom - top) if left < right and top < bottom else None


def _medians(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of each row, as `numpy.median`, which takes four times as long for so few."""
    ordered, count = np.sort(values, axis=1), values.shape[1]
    middle: NDArray[np.float64] = (ordered[:, (count - 1) // 2] + ordered[:, count // 2]) / 2
    return middle


def cast(locator: Locator, bounds: tuple[float, float, float, float], size: int) -> Net:
    """Throw a net over an output.

    Args:
        locator: the way to the raster.
        bounds: (min x, min y, max x, max y) of the output, in its CRS.
        size: its width and height, in pixels.
    """
    nodes = _nodes(locator, bounds, _CELLS)
    low, high = nodes.min(axis=(1, 2)).tolist(), nodes.max(axis=(1, 2)).tolist()
    known = all(map(math.isfinite, (*low, *high)))
    return Net(nodes, (low[0], low[1], high[0], high[1]) if known else None, bounds, size, locator)


def _nodes(locator: Locator, bounds: tuple[float, float, float, float], cells: int) -> NDArray[np.float64]:
    left, bottom, right, top = bounds
    points = np.empty((2, cells + 1, cells + 1))
    line, _ = _line(cells)
    points[0] = left + line * (right - left)
    points[1] = (top + line * (bottom - top))[:, np.newaxis]
    return locator(points[0], points[1])


@dataclass(frozen=True, slots=True)
class Warp:
    """A net turned into something that brings pixels to their place; `maps` or `positions` is there.

    Attributes:
        size: of the output, in pixels.
        samples: along each side of an output pixel; their mean is its value.
        maps: (n, n, 3, 3) projective, one for each of n x n equal parts of the output, rows of parts first: from the
            part's own sample indexes to positions of pixel centres, as OpenCV counts; or None.
        positions: (size x samples, size x samples) columns and rows, as OpenCV counts; or None.
    """

    size: int
    samples: int
    maps: NDArray[np.float64] | None
    positions: tuple[NDArray[np.float32], NDArray[np.float32]] | None

    @property
    def shift(self) -> tuple[int, int] | None:
        """(columns, rows) when output pixels are pixels of what was read, only counted from elsewhere."""
        if self.maps is None or len(self.maps) > 1 or self.samples > 1:
            return None
        project = self.maps[0, 0]
        if abs(project[0, 0] - 1) > _SAME:  # as of nearly all
            return None
        move = np.rint(project[:2, 2])
        plain = np.array([[1, 0, move[0]], [0, 1, move[1]], [0, 0, 1]])
        same = abs(project[:, :2] - plain[:, :2]).max() * self.size + abs(project - plain).max() < _SAME
        return (int(move[0]), int(move[1])) if same else None

    def bring(self, pixels: NDArray[Any], resampling: str) -> NDArray[Any]:
        """Sample pixels under every output pixel's centre; beyond the edge, the pixel at the edge.

        Args:
            pixels: (height, width, channels).
            resampling: `nearest`, `bilinear` or `cubic`.

        Returns:
            (size, size, channels); without the last axis when there is one channel.
        """
        shift = self.shift
        if shift is not None:
            return _cut(pixels, shift, self.size)
        if pixels.shape[2] == _TOGETHER[1] and str(pixels.dtype) in _PADDED:
            there = self.bring(cv2.cvtColor(pixels, cv2.COLOR_RGB2RGBA), resampling)
            return cv2.cvtColor(there, cv2.COLOR_RGBA2RGB)
        if pixels.shape[2] not in _TOGETHER:
            parts = [self.bring(np.ascontiguousarray(group), resampling) for group in _groups(pixels)]
            return np.concatenate([part if part.ndim == 3 else part[..., np.newaxis] for part in parts], axis=2)
        kind, edge = _INTERPOLATIONS[resampling], cv2.BORDER_REPLICATE
        if self.maps is None:
            assert self.positions is not None
            return self._mean(cv2.remap(pixels, *self.positions, kind, borderMode=edge))
        side = self.size * self.samples // len(self.maps)
        kind |= cv2.WARP_INVERSE_MAP
        return _joined(
            self._mean(cv2.warpPerspective(pixels, one, (side, side), flags=kind, borderMode=edge))
            for one in self.maps.reshape(-1, 3, 3)
        )

    def _mean(self, samples: NDArray[Any]) -> NDArray[Any]:
        if self.samples == 1:
            return samples
        size = (samples.shape[1] // self.samples, samples.shape[0] // self.samples)
        return cv2.resize(samples, size, interpolation=cv2.INTER_AREA)

    def inside(self, box: tuple[float, float, float, float]) -> NDArray[np.uint8]:
        """(size, size) 255 where an output pixel's centre lies in a box of the block, 0 elsewhere.

        Args:
            box: (left, top, right, bottom) in continuous pixel coordinates of what was read.
        """
        if self.maps is not None:
            centres = (np.arange(self.size // len(self.maps)) + 0.5) * self.samples - 0.5
            there = np.stack(_mapped(self.maps.reshape(-1, 3, 3), centres, centres), axis=-1)
            columns, rows = np.moveaxis(_joined(there), -1, 0)
        else:
            assert self.positions is not None
            # Between the first and the last sample of each output pixel.
            first, last = slice(None, None, self.samples), slice(self.samples - 1, None, self.samples)
            columns, rows = (
                (plane[first, first] + plane[last, last]).astype(np.float64) / 2 for plane in self.positions
            )
        left, top, right, bottom = (edge - 0.5 for edge in box)
        return np.where((columns > left) & (columns < right) & (rows > top) & (rows < bottom), 255, 0).astype(np.uint8)


def _joined(parts: Iterable[NDArray[Any]]) -> NDArray[Any]:
    """Squares (side, side, ...), row by row, as one."""
    squares = list(parts)
    across = math.isqrt(len(squares))
    if across == 1:
        return squares[0]
    rows = [np.concatenate(squares[at : at + across], axis=1) for at in range(0, len(squares), across)]
    return np.concatenate(rows, axis=0)


def _groups(pixels: NDArray[Any]) -> list[NDArray[Any]]:
    """Channels (height, width, n) in groups that are brought together."""
    ends = [*range(4, pixels.shape[2], 4), pixels.shape[2]]
    if pixels.shape[2] % 4 == 2:
        ends.insert(-1, ends[-1] - 1)
    return np.split(pixels, ends[:-1], axis=2)


def _cut(pixels: NDArray[Any], shift: tuple[int, int], size: int) -> NDArray[Any]:
    """A square of pixels as they are; beyond the edge, the pixel at the edge."""
    (left, top), (height, width) = shift, pixels.shape[:2]
    if left >= 0 and top >= 0 and left + size <= width and top + size <= height:
        there = pixels[top : top + size, left : left + size]
    else:
        rows = np.clip(np.arange(top, top + size), 0, height - 1)
        columns = np.clip(np.arange(left, left + size), 0, width - 1)
        there = pixels[np.ix_(rows, columns)]
    return there if there.shape[2] > 1 else there[..., 0]


def make_warp(net: Net, scale: tuple[float, float], offset: tuple[float, float], samples: int = 1) -> Warp:
    """Interpolate a net to every output pixel.

    Args:
        net: positions at full resolution.
        scale: pixels of the level that is read per pixel of full resolution, along columns and rows.
        offset: (col, row) of the upper left pixel that was read, at that level.
        samples: to take along each side of an output pixel.
    """
    nodes = _at_level(net.nodes, scale, offset)
    if np.isfinite(nodes).all():
        maps = _projective(nodes, net.size * samples, net.size)
        if maps is not None:
            return Warp(net.size, samples, maps, None)
    return Warp(net.size, samples, None, _positions(net, scale, offset, net.size * samples))


def _at_level(
    nodes: NDArray[np.float64], scale: tuple[float, float], offset: tuple[float, float]
) -> NDArray[np.float64]:
    """Positions as OpenCV counts: whole numbers are pixel centres."""
    there = np.empty_like(nodes)
    for axis in (0, 1):
        np.multiply(nodes[axis], scale[axis], out=there[axis])
    there[0] -= offset[0] + 0.5
    there[1] -= offset[1] + 0.5
    return there


def _projective(nodes: NDArray[np.float64], side: int, size: int) -> NDArray[np.float64] | None:
    """Projective maps of as few parts of an output as it takes for all nodes to lie on them: (n, n, 3, 3).

    Args:
        nodes: (2, cells + 1, cells + 1) positions.
        side: samples along a side of the output.
        size: pixels along it: no part has half a pixel.
    """
    for parts in _PARTS:
        if size % parts or (nodes.shape[1] - 1) % parts:
            return None
        try:
            maps, off = _fitted(nodes, side, parts)
        except ZeroDivisionError:  # corners on a line
            return None
        if off <= TOLERANCE:
            return maps.reshape(parts, parts, 3, 3)
        # Halves of a smooth map are off by a quarter as much: no use to try what is far from it.
        if not off <= TOLERANCE * 5 * (_PARTS[-1] / parts) ** 2:
            return None
    return None


def _fitted(nodes: NDArray[np.float64], side: int, parts: int) -> tuple[NDArray[np.float64], float]:
    """The projective map through the four corners of each part, (n², 3, 3), and how far off the worst node is.

    Raises:
        ZeroDivisionError: Corners lie on a line.
    """
    cells = (nodes.shape[1] - 1) // parts
    there = (
        nodes[np.newaxis]
        if parts == 1
        else np.stack(
            [
                nodes[:, down : down + cells + 1, right : right + cells + 1]
                for down in range(0, parts * cells, cells)
                for right in range(0, parts * cells, cells)
            ]
        )
    )
    origins = there[:, :, 0, 0]
    away = there - origins[:, :, np.newaxis, np.newaxis]
    quads = [_quad(xs, ys) for xs, ys in away[:, :, [0, -1, -1], [-1, -1, 0]].tolist()]
    line, room = _line(cells)
    terms = np.array(quads)[..., np.newaxis, np.newaxis]
    with np.errstate(
        divide="ignore", invalid="ignore"
    ):  # beyond its horizon there is no place, and NaN is not within any bound
        sums = terms[:, ::2] * line + terms[:, 1::2] * line[:, np.newaxis]
        off = sums[:, :2] / (sums[:, 2:] + 1) - away
        # Between the corners, which it meets, it is off to one side: moved back by the mean, it is off by less everywhere.
        back = (off * room).sum(axis=(-2, -1))
        off -= back[:, :, np.newaxis, np.newaxis]
        worst = float(np.hypot(off[:, 0], off[:, 1]).max())
    moved = zip(quads, (origins - back).tolist(), strict=True)
    return np.array([_of_samples(quad, x, y, side // parts) for quad, (x, y) in moved]), worst


_Quad = tuple[float, float, float, float, float, float]
"""(a, b, c, d, g, h): (u, v) of the unit square comes to ((a u + b v) / w, (c u + d v) / w) with w = g u + h v + 1."""


def _quad(xs: list[float], ys: list[float]) -> _Quad:
    """The projective map of the unit square to a quadrilateral: (0, 0) stays, (1, 0), (1, 1), (0, 1) come to the three places.

    In closed form (Heckbert 1989, Fundamentals of Texture Mapping and Image Warping).

    Raises:
        ZeroDivisionError: Corners lie on a line.
    """
    (x1, x2, x3), (y1, y2, y3) = xs, ys
    right, below = (x1 - x2, y1 - y2), (x3 - x2, y3 - y2)
    skew = (x2 - x1 - x3, y2 - y1 - y3)
    area = right[0] * below[1] - below[0] * right[1]
    g = (skew[0] * below[1] - below[0] * skew[1]) / area
    h = (right[0] * skew[1] - skew[0] * right[1]) / area
    return x1 * (1 + g), x3 * (1 + h), y1 * (1 + g), y3 * (1 + h), g, h


def _of_samples(quad: _Quad, x: float, y: float, side: int) -> list[list[float]]:
    """The map (3, 3) that brings samples, counted by their centres along the sides of the unit square, and moves them by x and y."""
    a, b, c, d, g, h = (term / side for term in quad)
    w = 1 + (g + h) / 2
    rows = ((a + x * g, b + x * h, (a + b) / 2 + x * w), (c + y * g, d + y * h, (c + d) / 2 + y * w), (g, h, w))
    return [[term / w for term in row] for row in rows]


@lru_cache(maxsize=64)
def _line(cells: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Where nodes lie along a side of the unit square, and the share of it that each node (row, column) stands for: at the rim half as much."""
    share = np.full(cells + 1, 1 / cells)
    share[[0, -1]] /= 2
    return np.arange(cells + 1) / cells, np.outer(share, share)


def _mapped(
    maps: NDArray[np.float64], x: NDArray[Any], y: NDArray[Any]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Where projective maps (n, 3, 3) bring the points of a grid, every x with every y: (n, y, x). Products of matrices would start threads."""
    across, down, ahead = (maps[..., i, np.newaxis, np.newaxis] for i in range(3))
    a, b, c = np.moveaxis(across * x + down * y[:, np.newaxis] + ahead, 1, 0)
    with np.errstate(divide="ignore", invalid="ignore"):  # on the horizon of the map, where it is not used
        return a / c, b / c


def _positions(
    net: Net, scale: tuple[float, float], offset: tuple[float, float], size: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Positions of every output pixel: from the coarsest net that is exact enough, halved until it is one."""
    nodes = _at_level(net.nodes, scale, offset)
    cells = net.cells
    while cells < size // 2:
        finer = _at_level(_nodes(net.locator, net.bounds, 2 * cells), scale, offset)
        guess = _refined(nodes)
        with np.errstate(invalid="ignore"):
            off = np.hypot(*(guess - finer))
        nodes, cells = finer, 2 * cells
        # A quarter: halving the cells of a smooth map leaves a quarter of the error.
        if np.isfinite(off).all() and off.max() <= 4 * TOLERANCE:
            return _dense(nodes, size)
    left, bottom, right, top = net.bounds
    middles = (np.arange(size) + 0.5) / size
    x, y = np.meshgrid(left + middles * (right - left), top + middles * (bottom - top))
    exact = _at_level(net.locator(x, y), scale, offset)
    exact = np.where(np.isfinite(exact).all(axis=0), exact, _FAR)
    return exact[0].astype(np.float32), exact[1].astype(np.float32)


def _refined(nodes: NDArray[np.float64]) -> NDArray[np.float64]:
    """A net with twice as many cells, interpolated."""
    n = nodes.shape[1]
    finer = np.empty((2, 2 * n - 1, 2 * n - 1))
    finer[:, ::2, ::2] = nodes
    finer[:, 1::2, ::2] = (nodes[:, 1:] + nodes[:, :-1]) / 2
    finer[:, :, 1::2] = (finer[:, :, 2::2] + finer[:, :, :-2:2]) / 2
    return finer


def _dense(nodes: NDArray[np.float64], size: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Bilinear between the nodes, at the centre of every output pixel."""
    step = (nodes.shape[1] - 1) / size
    # From output pixel to node: both are whole numbers at their own place.
    matrix = np.array([[step, 0, step / 2], [0, step, step / 2]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    # Single precision is interpolated exactly; others between 32 steps of a pixel, which here is a whole cell.
    single = nodes.astype(np.float32)
    columns, rows = (cv2.warpAffine(plane, matrix, (size, size), flags=flags) for plane in single)
    return np.asarray(columns, dtype=np.float32), np.asarray(rows, dtype=np.float32)
