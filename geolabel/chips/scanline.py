"""Polygons to pixels, one line of pixels after the other: GDAL's own rule in compiled loops, without GDAL's objects.

Imported only by who has much to draw (see `geolabel.compiled`). The rule is that of GDALdllImageFilledPolygon in
alg/llrasterize.cpp: a line of pixels is cut at the height of its centres; each crossing is rounded to the nearest edge
between two pixels; between the first and the second crossing, the third and the fourth..., the pixels are inside. An
edge that lies on the very height of the centres fills its pixels when it runs to the left in a ring that runs clockwise (rings that do not are turned round). Arithmetic is done in the
same order, so that the result is the same to the last pixel.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from geolabel.compiled import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray


_NEAR = 1e-5
_LONGEST = 13  # characters of a number of 64 bits, five bits each


@compiled
def _fill(mask: NDArray[Any], value: int, y: int, x0: int, x1: int) -> None:
    """Set the pixels x0 to x1 - 1 of a line, as far as the mask reaches."""
    for x in range(max(x0, 0), min(x1, mask.shape[1])):
        mask[y, x] = value


@compiled
def _is_clockwise(xy: NDArray[np.float64], start: int, end: int) -> bool:
    """GDAL's idea of a closed ring's direction, y upwards: the turn at its lowest, then rightmost vertex; else its area."""
    lowest, twice = start, False
    for i in range(start + 1, end - 1):
        if xy[i, 1] < xy[lowest, 1] or (xy[i, 1] == xy[lowest, 1] and xy[i, 0] > xy[lowest, 0]):
            lowest, twice = i, False
        elif xy[i, 1] == xy[lowest, 1] and xy[i, 0] == xy[lowest, 0]:
            twice = True
    before = lowest - 1 if lowest > start else end - 2
    after = lowest + 1 if lowest + 1 < end - 1 else start
    ax, ay = xy[before, 0] - xy[lowest, 0], xy[before, 1] - xy[lowest, 1]
    bx, by = xy[after, 0] - xy[lowest, 0], xy[after, 1] - xy[lowest, 1]
    near = (abs(ax) < _NEAR and abs(ay) < _NEAR) or (abs(bx) < _NEAR and abs(by) < _NEAR)
    turn = bx * ay - ax * by
    if not twice and not near and turn != 0:
        return bool(turn < 0)
    area = xy[start, 0] * (xy[start + 1, 1] - xy[end - 1, 1])
    for i in range(start + 1, end - 1):
        area += xy[i, 0] * (xy[i + 1, 1] - xy[i - 1, 1])
    area += xy[end - 1, 0] * (xy[start, 1] - xy[end - 2, 1])
    return bool(area < 0)


@compiled
def _fill_shape(
    mask: NDArray[Any], value: int, xy: NDArray[np.float64], ends: NDArray[np.int64], first: int, last: int
) -> None:
    """Fill the polygon of the rings `first` to `last - 1`; `ends` says where in `xy` each ring ends."""
    height = mask.shape[0]
    begin = ends[first - 1] if first else 0
    low, high = np.inf, -np.inf
    for i in range(begin, ends[last - 1]):
        low, high = min(low, xy[i, 1]), max(high, xy[i, 1])
    if not (low < height and high >= 0):
        return
    top, bottom = max(int(low), 0), min(int(high), height - 1)
    count = np.zeros(bottom - top + 2, dtype=np.int64)
    crossings = np.zeros(0, dtype=np.int64)
    for drawing in range(2):  # the first time round crossings are counted, the second time written down
        if drawing:
            count[1:] = np.cumsum(count[:-1])
            count[0] = 0
            crossings = np.empty(count[-1], dtype=np.int64)
        start = begin
        for ring in range(first, last):
            end = ends[ring]
            clockwise = drawing and _is_clockwise(xy, start, end)
            for i in range(start, end):
                j = i - 1 if i > start else end - 1
                x1, y1, x2, y2 = xy[j, 0], xy[j, 1], xy[i, 0], xy[i, 1]
                if y1 == y2:
                    y = int(np.floor(y1))
                    if drawing and (x1 > x2) == clockwise and y + 0.5 == y1 and top <= y <= bottom:
                        _fill(mask, value, y, int(np.floor(min(x1, x2) + 0.5)), int(np.floor(max(x1, x2) + 0.5)))
                    continue
                if y1 > y2:
                    x1, y1, x2, y2 = x2, y2, x1, y1
                if y2 <= top or y1 > bottom + 1:
                    continue
                y = max(int(np.floor(y1 - 0.5)), top)
                while y <= bottom and y + 0.5 < y1:
                    y += 1
                while y <= bottom and y + 0.5 < y2:
                    if drawing:
                        crossing = (y + 0.5 - y1) * (x2 - x1) / (y2 - y1) + x1
                        # Beyond the mask it does not matter how far; a whole number of 64 bits does not reach everywhere.
                        crossing = min(max(crossing, -1.0), mask.shape[1] + 1.0)
                        crossings[count[y - top]] = int(np.floor(crossing + 0.5))
                        count[y - top] += 1
                    else:
                        count[y - top] += 1
                    y += 1
            start = end
    start = 0
    for row in range(bottom - top + 1):
        found = crossings[start : count[row]]
        found.sort()
        for k in range(0, len(found) - 1, 2):
            _fill(mask, value, row + top, found[k], found[k + 1])
        start = count[row]


@compiled
def fill_shapes(
    mask: NDArray[Any],
    values: NDArray[np.int64],
    xy: NDArray[np.float64],
    ends: NDArray[np.int64],
    rings: NDArray[np.int64],
) -> None:
    """Fill polygons into a mask, later ones over earlier ones.

    Args:
        mask: (height, width), changed in place.
        values: (n,) what to fill with.
        xy: (v, 2) vertices of all rings, in pixels of the mask.
        ends: (r,) where in `xy` each ring ends.
        rings: (n,) where in `ends` the rings of each polygon end.
    """
    first = 0
    for shape in range(len(values)):
        if rings[shape] > first:
            _fill_shape(mask, values[shape], xy, ends, first, rings[shape])
        first = rings[shape]


@compiled
def runs(
    xy: NDArray[np.float64], ends: NDArray[np.int64], rings: NDArray[np.int64], height: int, width: int
) -> NDArray[np.int64]:
    """COCO's counts of the mask of some polygons together: lengths of runs of 0, 1, 0, 1..., column by column, beginning with 0.

    Args:
        xy: (v, 2) vertices of all rings, in pixels of the mask, none of them beyond it.
        ends: (r,) where in `xy` each ring ends.
        rings: (n,) where in `ends` the rings of each polygon end.
        height: of the mask.
        width: of the mask.
    """
    left, upper = max(int(xy[:, 0].min()), 0), max(int(xy[:, 1].min()), 0)
    right, lower = min(int(xy[:, 0].max()) + 1, width), min(int(xy[:, 1].max()) + 1, height)
    box = np.zeros((max(lower - upper, 0), max(right - left, 0)), dtype=np.uint8)
    moved = np.empty_like(xy)
    moved[:, 0] = xy[:, 0] - left
    moved[:, 1] = xy[:, 1] - upper
    first = 0
    for polygon in range(len(rings)):
        _fill_shape(box, 1, moved, ends, first, rings[polygon])
        first = rings[polygon]
    # A line of one pixel begins and ends in each column.
    counts = np.empty((box.shape[0] + 1) * box.shape[1] + 2, dtype=np.int64)
    found, since, now = 0, 0, 0
    for x in range(box.shape[1]):
        for y in range(box.shape[0] + 1):
            pixel = box[y, x] if y < box.shape[0] else 0
            if y == box.shape[0] == height and x + 1 < box.shape[1]:
                continue  # the run goes on at the head of the next column
            if pixel != now:
                at = (x + left) * height + y + upper
                counts[found] = at - since
                found, since, now = found + 1, at, pixel
    if since < height * width or found == 0:
        counts[found] = height * width - since
        found += 1
    return counts[:found]


@compiled
def run_texts(
    xy: NDArray[np.float64],
    ends: NDArray[np.int64],
    rings: NDArray[np.int64],
    polygons: NDArray[np.int64],
    height: int,
    width: int,
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """COCO's compressed counts (see `geolabel.formats.rle`) of the masks of many shapes.

    Args:
        xy: (v, 2) vertices of all rings, in pixels of the mask, none of them beyond it.
        ends: (r,) where in `xy` each ring ends.
        rings: (p,) where in `ends` the rings of each polygon end.
        polygons: (n,) where in `rings` the polygons of each shape end.
        height: of the mask.
        width: of the mask.

    Returns:
        The characters of all, and (n,) where those of each end.
    """
    text = np.empty(64 * len(polygons) + 64, dtype=np.uint8)
    stops = np.empty(len(polygons), dtype=np.int64)
    used, first = 0, 0
    for shape in range(len(polygons)):
        last = polygons[shape]
        ring = rings[first - 1] if first else 0
        vertex = ends[ring - 1] if ring else 0
        own = ends[ring : rings[last - 1]]
        counts = runs(xy[vertex : own[-1]], own - vertex, rings[first:last] - ring, height, width)
        first = last
        needed = used + _LONGEST * len(counts)
        if needed > len(text):
            longer = np.empty(2 * needed, dtype=np.uint8)
            longer[:used] = text[:used]
            text = longer
        for i in range(len(counts)):
            rest = counts[i] - (counts[i - 2] if i > 2 else 0)
            going = True
            while going:
                bits = rest & 31
                rest >>= 5
                going = rest != (-1 if bits & 16 else 0)
                text[used] = bits + (32 if going else 0) + 48
                used += 1
        stops[shape] = used
    return text[:used], stops
