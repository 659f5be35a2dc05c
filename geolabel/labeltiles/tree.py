"""Compiled: a packed tree of boxes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from geolabel.compiled import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geolabel.model import Bounds

FAN_OUT = 16
"""Children of a node."""


@dataclass(frozen=True, slots=True)
class Tree:
    """Boxes (n, 4) of min x, min y, max x, max y, to be found by where they are.

    Attributes:
        boxes: float64 (n, 4).
        order: int64 (n,), rows in the order of the leaves.
        nodes: float64 (m, 4), the box of each node, the leaves' level first: node i of a level holds the 16 below it
            from 16 i on.
        levels: int64, where each level begins in `nodes`, and the end.
    """

    boxes: NDArray[np.float64]
    order: NDArray[np.int64]
    nodes: NDArray[np.float64]
    levels: NDArray[np.int64]

    @property
    def nbytes(self) -> int:
        """Memory that it takes beside the boxes."""
        return self.order.nbytes + self.nodes.nbytes + self.levels.nbytes

    def find(self, box: Bounds) -> NDArray[np.int64]:
        """Rows whose boxes meet a box, in no particular order."""
        if len(self.nodes):
            all_ = self.nodes[-1]
            if box[0] <= all_[0] and box[1] <= all_[1] and box[2] >= all_[2] and box[3] >= all_[3]:
                return np.arange(len(self.order))
        return _search(self.boxes, self.order, self.nodes, self.levels, np.array(box, dtype=np.float64))


def pack(boxes: NDArray[np.float64]) -> Tree:
    """Make the tree of boxes (n, 4)."""
    order = np.argsort(_along_a_curve(boxes), kind="stable")
    counts = [len(order)]
    while counts[-1] > 1 or len(counts) == 1:
        counts.append(-(-counts[-1] // FAN_OUT))
    levels = np.cumsum([0, *counts[1:]]).astype(np.int64)
    nodes = np.empty((levels[-1], 4))
    if len(order):
        _fill(boxes, order, nodes)
    return Tree(boxes, order, nodes, levels)


def _along_a_curve(boxes: NDArray[np.float64]) -> NDArray[np.uint64]:
    """Place of each box's middle on a Z-order curve through all of them."""
    if len(boxes) == 0:
        return np.empty(0, dtype=np.uint64)
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    low, high = middle.min(axis=0), middle.max(axis=0)
    cells = ((middle - low) / np.where(high > low, high - low, 1.0) * 0xFFFFFF).astype(np.uint64)
    return _spread(cells[:, 0]) | (_spread(cells[:, 1]) << np.uint64(1))


def _spread(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """24 bits to every second one of 48."""
    for shift, mask in (
        (16, 0x0000FFFF0000FFFF),
        (8, 0x00FF00FF00FF00FF),
        (4, 0x0F0F0F0F0F0F0F0F),
        (2, 0x3333333333333333),
        (1, 0x5555555555555555),
    ):
        values = (values | (values << np.uint64(shift))) & np.uint64(mask)
    return values


@compiled
def _fill(boxes: NDArray[np.float64], order: NDArray[np.int64], nodes: NDArray[np.float64]) -> None:
    count = len(order)
    below = 0  # where the level below begins in `nodes`; the first level lies on the boxes themselves
    written = 0
    first = True
    while True:
        level = written
        for begin in range(0, count, FAN_OUT):
            low_x = low_y = np.inf
            high_x = high_y = -np.inf
            for i in range(begin, min(begin + FAN_OUT, count)):
                box = boxes[order[i]] if first else nodes[below + i]
                low_x, low_y = min(low_x, box[0]), min(low_y, box[1])
                high_x, high_y = max(high_x, box[2]), max(high_y, box[3])
            nodes[written, 0], nodes[written, 1], nodes[written, 2], nodes[written, 3] = low_x, low_y, high_x, high_y
            written += 1
        count = written - level
        below, first = level, False
        if count <= 1:
            return


@compiled
def _search(
    boxes: NDArray[np.float64],
    order: NDArray[np.int64],
    nodes: NDArray[np.float64],
    levels: NDArray[np.int64],
    window: NDArray[np.float64],
) -> NDArray[np.int64]:
    found = np.zeros(min(1, len(nodes)), dtype=np.int64)
    for level in range(len(levels) - 2, -1, -1):
        hits = np.empty(len(found) * FAN_OUT, dtype=np.int64)
        n = 0
        below = len(order) if level == 0 else levels[level] - levels[level - 1]
        for node in found:
            box = nodes[levels[level] + node]
            if box[0] > window[2] or box[2] < window[0] or box[1] > window[3] or box[3] < window[1]:
                continue
            for child in range(node * FAN_OUT, min((node + 1) * FAN_OUT, below)):
                hits[n] = child
                n += 1
        found = hits[:n]
    rows = np.empty(len(found), dtype=np.int64)
    n = 0
    for leaf in found:
        box = boxes[order[leaf]]
        if box[0] <= window[2] and box[2] >= window[0] and box[1] <= window[3] and box[3] >= window[1]:
            rows[n] = order[leaf]
            n += 1
    return rows[:n]
