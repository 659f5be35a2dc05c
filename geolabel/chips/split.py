"""Train, val and test without shared ground: blocks on one grid in the project's CRS. Pure.

Each block of ground goes to one split as a whole. A chip that lies on blocks of different splits (or comes nearer to
one than the buffer) belongs to none and is left out, so chips that overlap, scenes that overlap and several dates of
one place never leak. `shared_ground` proves it from the footprints, without looking at the blocks.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import shapely

from geolabel.chips.spec import SPLITS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from geolabel.chips.spec import ChipSpec

Block = tuple[int, int]
"""(column, row) of a block on the block grid, counted from its origin; may be negative."""

_HAIR = 1e-6
"""Of a chip: footprints that share no more than a strip this wide only touch; it is what rounding leaves."""


@dataclass(frozen=True, slots=True)
class BlockGrid:
    """The grid of blocks.

    Attributes:
        origin: (x, y) where blocks (0, 0), (-1, 0), (0, -1) and (-1, -1) meet, in the project's CRS.
        chip: (width, height) of one chip on the ground, in units of the project's CRS.
        chips: edge of a block, in chips.
    """

    origin: tuple[float, float]
    chip: tuple[float, float]
    chips: int

    def blocks_of(self, bounds: NDArray[np.float64]) -> list[Block]:
        """The blocks that a box (min x, min y, max x, max y) lies on."""
        edge = np.array(self.chip) * self.chips
        low = (bounds[:2] - self.origin) / edge + _HAIR / self.chips
        high = (bounds[2:] - self.origin) / edge - _HAIR / self.chips
        cols, rows = (range(int(np.floor(a)), int(np.ceil(max(a, b)))) for a, b in zip(low, high, strict=True))
        return list(product(cols or (int(np.floor(low[0])),), rows or (int(np.floor(low[1])),)))


def block_grid(footprints: Sequence[NDArray[np.object_]], spec: ChipSpec) -> BlockGrid:
    """The block grid that all scenes share: laid along the chips of the scene whose chips cover the most ground.

    Args:
        footprints: the chips of each scene, outlines in the project's CRS, the chip of the scene's origin first.
        spec: the size of a block.
    """
    boxes = [shapely.bounds(chips[0]) for chips in footprints if len(chips)]
    x0, y0, x1, y1 = max(boxes, key=lambda box: float((box[2] - box[0]) * (box[3] - box[1])))
    # Rows of chips go down: the upper left corner is where the chips of a north-up scene begin.
    return BlockGrid((float(x0), float(y1)), (float(x1 - x0), float(y1 - y0)), spec.split_block)


def split_chips(footprints: NDArray[np.object_], grid: BlockGrid, spec: ChipSpec) -> NDArray[np.object_]:
    """Give each chip its split.

    Args:
        footprints: (n,) outlines of the chips in the project's CRS.
        grid: the blocks.
        spec: fractions, buffer and seed.

    Returns:
        (n,) `train`, `val`, `test`; None for a chip that lies on, or too near to, blocks of different splits.
    """
    assert spec.split is not None
    bounds = shapely.bounds(footprints).reshape(-1, 4)
    margin = np.array(grid.chip) * spec.split_buffer
    grown = bounds + np.concatenate((-margin, margin))
    centre = (bounds[:, :2] + bounds[:, 2:]) / 2
    homes = [grid.blocks_of(np.concatenate((c, c)))[0] for c in centre]
    touched = [grid.blocks_of(box) for box in grown]
    split_of = _deal(Counter(homes), spec.split, spec.seed)
    _fill_in(split_of, homes, touched)
    result = np.full(len(footprints), None, dtype=object)
    for index, blocks in enumerate(touched):
        names = {split_of[block] for block in blocks}
        result[index] = names.pop() if len(names) == 1 else None
    return result


def _deal(chips: Mapping[Block, int], shares: Sequence[float], seed: int) -> dict[Block, str]:
    """Deal the blocks out, in an order drawn by lot, each to the split that lacks the most chips.

    A split that was asked for gets a block as long as there are blocks enough.
    """
    wanted = {name: share * sum(chips.values()) for name, share in zip(SPLITS, shares, strict=True) if share > 0}
    empty = set(wanted)
    order = sorted(chips, key=lambda block: _lot(seed, f"{block[0]},{block[1]}"))
    split_of: dict[Block, str] = {}
    for dealt, block in enumerate(order):
        open_to = empty if len(order) - dealt <= len(empty) else wanted
        name = max((n for n in wanted if n in open_to), key=wanted.__getitem__)
        split_of[block] = name
        wanted[name] -= chips[block]
        empty.discard(name)
    return split_of


def _fill_in(split_of: dict[Block, str], homes: Sequence[Block], touched: Sequence[Sequence[Block]]) -> None:
    """Give blocks in which no chip has its centre to the split whose chips reach furthest into them."""
    reach: dict[Block, Counter[str]] = {}
    for home, blocks in zip(homes, touched, strict=True):
        for block in blocks:
            if block not in split_of:
                reach.setdefault(block, Counter())[split_of[home]] += 1
    for block, names in reach.items():
        split_of[block] = max(SPLITS, key=lambda name: names[name])


def _lot(seed: int, name: str) -> bytes:
    """A number by lot for a name: the same on every machine and in every version of every library."""
    return hashlib.sha256(f"{seed}:{name}".encode()).digest()


def draw(names: Sequence[str], count: int, seed: int) -> set[str]:
    """`count` of the names, by lot."""
    return set(sorted(names, key=lambda name: _lot(seed, name))[:count])


def shared_ground(footprints: NDArray[np.object_], splits: NDArray[np.object_]) -> float:
    """Ground that chips of different splits share, in areas of the smallest chip; 0 when none do.

    Args:
        footprints: (n,) outlines in one CRS.
        splits: (n,) names.
    """
    if len(set(splits)) < 2:
        return 0.0
    tree = shapely.STRtree(footprints)
    one, other = tree.query(footprints, predicate="intersects")
    apart = (one < other) & (splits[one] != splits[other])
    areas = shapely.area(shapely.intersection(footprints[one[apart]], footprints[other[apart]]))
    smallest = float(shapely.area(footprints).min())
    return float(areas[areas > smallest * _HAIR * 4].sum()) / smallest
