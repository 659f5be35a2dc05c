"""Train, val and test, or folds, without shared ground. Pure.

Blocks: one grid in the project's CRS, shared by all scenes and dates; each block of ground goes to one split as a whole.
A chip that lies on blocks of different splits (or comes nearer to one than the buffer) belongs to none and is left out, so
chips that overlap, scenes that overlap and several dates of one place never leak.
Scenes and dates: those whose chips share ground go to one split together.
Attributes and areas: chips of several values are left out; where chips of different splits meet, those of the larger split
give way. `geolabel.chips.proof` proves the result from the footprints, without looking at any of this.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import shapely

from geolabel.chips.deal import deal
from geolabel.chips.proof import HAIR
from geolabel.errors import InvalidSpec
from geolabel.geo import crs as crs_

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from geolabel.chips.spec import ChipSpec

Block = tuple[int, int]
"""(column, row) of a block on the block grid, counted from its origin; may be negative."""


@dataclass(frozen=True, slots=True)
class Chips:
    """What a split has to know of chips.

    Attributes:
        footprints: (n,) outlines in the project's CRS.
        counts: int64 (n, classes) annotations on each.
        scenes: (n,) ids.
        dates: (n,) `2024-05-01`; None where the date is not known.
        values: (n,) of the attribute that their annotations have; None where they have none, a tuple where they differ.
        first: index of the first chip of each frame.
        crs: of the footprints.
    """

    footprints: NDArray[np.object_]
    counts: NDArray[np.int64]
    scenes: NDArray[np.object_]
    dates: NDArray[np.object_]
    values: NDArray[np.object_]
    first: NDArray[np.int64]
    crs: str | None

    @property
    def weights(self) -> NDArray[np.float64]:
        """(n, 1 + classes): 1 for the chip, and its annotations by class."""
        return np.column_stack((np.ones(len(self.counts)), self.counts)).astype(np.float64)


@dataclass(frozen=True, slots=True)
class BlockGrid:
    """The grid of blocks.

    Attributes:
        origin: (x, y) where blocks (0, 0), (-1, 0), (0, -1) and (-1, -1) meet, in the project's CRS.
        edge: (width, height) of a block, in units of the project's CRS.
        buffer: (x, y) ground left out on both sides of a border, likewise.
        hair: (x, y) what rounding may add, likewise.
    """

    origin: tuple[float, float]
    edge: tuple[float, float]
    buffer: tuple[float, float]
    hair: tuple[float, float]

    def blocks_of(self, bounds: NDArray[np.float64]) -> list[Block]:
        """The blocks that a box (min x, min y, max x, max y) lies on."""
        edge, hair = np.array(self.edge), np.array(self.hair)
        low = (bounds[:2] + hair - self.origin) / edge
        high = (bounds[2:] - hair - self.origin) / edge
        cols, rows = (range(int(np.floor(a)), int(np.ceil(max(a, b)))) for a, b in zip(low, high, strict=True))
        return list(product(cols or (int(np.floor(low[0])),), rows or (int(np.floor(low[1])),)))


def block_grid(chips: Chips, spec: ChipSpec) -> BlockGrid:
    """The block grid that all scenes share: laid along the chips of the scene whose chips cover the most ground."""
    boxes = shapely.bounds(chips.footprints[chips.first]).reshape(-1, 4)
    x0, y0, x1, y1 = max(boxes.tolist(), key=lambda box: float((box[2] - box[0]) * (box[3] - box[1])))
    chip = (x1 - x0, y1 - y0)
    unit = chip if spec.split_units == "chips" else _per_metre((x0, y0, x1, y1), chips.crs)
    edge, buffer = (tuple(length * part for part in unit) for length in (spec.split_block, spec.split_buffer))
    # Rows of chips go down: the upper left corner is where the chips of a north-up scene begin.
    return BlockGrid((x0, y1), (edge[0], edge[1]), (buffer[0], buffer[1]), (chip[0] * HAIR, chip[1] * HAIR))


def _per_metre(box: tuple[float, float, float, float], crs: str | None) -> tuple[float, float]:
    """Units of the CRS in a metre along x and along y, at a place; a pixel where there is no ground."""
    if crs is None:
        return (1.0, 1.0)
    x0, y0, x1, y1 = box
    wide, high = crs_.ground_length(shapely.linestrings([[(x0, y1), (x1, y1)], [(x0, y0), (x0, y1)]]), crs).tolist()
    return ((x1 - x0) / wide, (y1 - y0) / high)


def split_chips(chips: Chips, spec: ChipSpec) -> NDArray[np.object_]:
    """Give each chip its split.

    Returns:
        (n,) names; None for a chip that belongs to none.

    Raises:
        InvalidSpec: there is nothing to split by, or all of it is one group that shares its ground.
    """
    grid = block_grid(chips, spec)
    if spec.split_by == "blocks":
        return _by_blocks(chips, grid, spec)
    if spec.split_by in {"scene", "date"}:
        return _by_groups(chips, grid, spec)
    return _give_way(chips, _by_values(chips, spec), grid, spec)


def _by_blocks(chips: Chips, grid: BlockGrid, spec: ChipSpec) -> NDArray[np.object_]:
    bounds = shapely.bounds(chips.footprints).reshape(-1, 4)
    margin = np.array(grid.buffer)
    grown = bounds + np.concatenate((-margin, margin))
    centre = (bounds[:, :2] + bounds[:, 2:]) / 2
    homes = [grid.blocks_of(np.concatenate((c, c)))[0] for c in centre]
    touched = [grid.blocks_of(box) for box in grown]
    names = list(spec.splits)
    blocks = list(dict.fromkeys(homes))
    # What lies on one block alone is sure to stay, and is what the blocks are weighed by.
    sure = np.array([len(lying_on) == 1 for lying_on in touched], dtype=bool)
    weights = chips.weights * (sure[:, np.newaxis] if sure.any() else 1)
    dealt = _dealt([f"{col},{row}" for col, row in blocks], _indexed(homes, blocks), weights, spec)
    split_of = dict(zip(blocks, (names[s] for s in dealt.tolist()), strict=True))
    _fill_in(split_of, homes, touched, names)
    result = np.full(len(bounds), None, dtype=object)
    for index, lying_on in enumerate(touched):
        found = {split_of[block] for block in lying_on}
        result[index] = found.pop() if len(found) == 1 else None
    return result


def _indexed(values: Sequence[object], among: Sequence[object]) -> NDArray[np.int64]:
    place = {value: index for index, value in enumerate(among)}
    return np.array([place[value] for value in values], dtype=np.int64)


def _dealt(
    names: Sequence[str], group: NDArray[np.int64], weights: NDArray[np.float64], spec: ChipSpec
) -> NDArray[np.int64]:
    """The number of the split of each group, from what each chip weighs."""
    sums = np.zeros((len(names), weights.shape[1]))
    np.add.at(sums, group, weights)
    return deal(names, sums, np.array(list(spec.splits.values())), seed=spec.seed, stratify=spec.stratify)


def _fill_in(
    split_of: dict[Block, str], homes: Sequence[Block], touched: Sequence[Sequence[Block]], names: Sequence[str]
) -> None:
    """Give blocks in which no chip has its centre to the split whose chips reach furthest into them."""
    reach: dict[Block, dict[str, int]] = {}
    for home, blocks in zip(homes, touched, strict=True):
        for block in blocks:
            if block not in split_of:
                found = reach.setdefault(block, dict.fromkeys(names, 0))
                found[split_of[home]] += 1
    for block, found in reach.items():
        split_of[block] = max(names, key=found.__getitem__)


def _by_groups(chips: Chips, grid: BlockGrid, spec: ChipSpec) -> NDArray[np.object_]:
    """Whole scenes or dates; those whose chips share ground, or come nearer than the buffer, stay together."""
    keys = chips.scenes if spec.split_by == "scene" else chips.dates
    if spec.split_by == "date" and any(key is None for key in keys):
        lacking = ", ".join(sorted({str(s) for s, key in zip(chips.scenes, keys, strict=True) if key is None}))
        raise InvalidSpec(f"split_by='date' needs the date of every scene; {lacking} have none.")
    groups = sorted(set(keys.tolist()))
    own = _indexed(keys.tolist(), groups)
    joined = list(range(len(groups)))
    one, other = _meeting(chips.footprints, grid)
    for a, b in sorted({(int(a), int(b)) for a, b in zip(own[one], own[other], strict=True) if a < b}):
        root, gone = _root(joined, a), _root(joined, b)
        joined[max(root, gone)] = min(root, gone)
    roots = [_root(joined, group) for group in range(len(groups))]
    islands = sorted(set(roots))
    if len(islands) < 2 <= len(spec.splits):
        what = "scenes" if spec.split_by == "scene" else "dates"
        told = (
            f"All {len(groups)} {what} show the same ground"
            if len(groups) > 1
            else f"There is one {spec.split_by} only"
        )
        raise InvalidSpec(f"{told}: split_by={spec.split_by!r} cannot divide it without a leak. Use split_by='blocks'.")
    island = _indexed([roots[g] for g in own.tolist()], islands)
    names = list(spec.splits)
    if spec.split_by == "scene":
        dealt = _dealt([groups[g] for g in islands], island, chips.weights, spec)
    else:  # in the order of time: what was learnt from the past is tested on what came after it
        dealt = _in_order(np.bincount(island, minlength=len(islands)) / len(island), list(spec.splits.values()))
    return np.array([*(names[s] for s in dealt[island].tolist()), None], dtype=object)[:-1]


def _in_order(sizes: NDArray[np.float64], shares: Sequence[float]) -> NDArray[np.int64]:
    """Deal groups to splits without changing the order of either; each split gets one as long as there are enough."""
    middle = np.cumsum(sizes) - sizes / 2
    wanted = np.searchsorted(np.cumsum(shares), middle)
    dealt, last = [], -1
    for index, split in enumerate(wanted.tolist()):
        needed = len(shares) - (len(sizes) - index)
        last = min(max(split, needed, last, 0), last + 1, len(shares) - 1)
        dealt.append(last)
    return np.array(dealt, dtype=np.int64)


def _root(joined: list[int], group: int) -> int:
    while joined[group] != group:
        group = joined[group]
    return group


def _meeting(footprints: NDArray[np.object_], grid: BlockGrid) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pairs of chips that share ground, or lie nearer to each other than the buffer."""
    tree = shapely.STRtree(footprints)
    distance = 2 * max(grid.buffer)
    if distance:
        one, other = tree.query(footprints, predicate="dwithin", distance=distance)
        return one, other
    one, other = tree.query(footprints, predicate="intersects")
    areas = shapely.area(shapely.intersection(footprints[one], footprints[other]))
    real = areas > HAIR * 4 * float(shapely.area(footprints).min())
    return one[real], other[real]


def _by_values(chips: Chips, spec: ChipSpec) -> NDArray[np.object_]:
    """By the value of an attribute or of areas: the split that it names, or to which it is dealt."""
    result = np.full(len(chips.values), None, dtype=object)
    clear = [v is not None and not isinstance(v, tuple) for v in chips.values]
    values = sorted({str(v) for v, is_clear in zip(chips.values, clear, strict=True) if is_clear})
    if not values:
        what = (
            f"annotations with a value of {spec.split_attribute!r}"
            if spec.split_by == "attribute"
            else "one of the split_areas"
        )
        raise InvalidSpec(f"No chip lies on {what} alone; there is nothing to split by.")
    names = list(spec.splits)
    if set(values) <= set(names):
        split_of = {value: value for value in values}
    elif spec.split is None and spec.folds is None:
        shown = ", ".join(map(repr, values[:5]))
        raise InvalidSpec(
            f"The values to split by ({shown}) are not all names of splits ({', '.join(names)}); give split, the fractions to deal "
            "them out to."
        )
    else:
        rows = np.flatnonzero(clear)
        group = _indexed([str(chips.values[i]) for i in rows], values)
        dealt = _dealt(values, group, chips.weights[rows], spec)
        split_of = {value: names[s] for value, s in zip(values, dealt.tolist(), strict=True)}
    for index, value in enumerate(chips.values):
        if value is None:
            continue
        found = {split_of.get(str(v)) for v in (value if isinstance(value, tuple) else (value,))}
        result[index] = found.pop() if len(found) == 1 else None
    return result


def _give_way(chips: Chips, splits: NDArray[np.object_], grid: BlockGrid, spec: ChipSpec) -> NDArray[np.object_]:
    """Take out chips until none of different splits meet: those of the larger split give way."""
    rank = {name: (share, -number) for number, (name, share) in enumerate(spec.splits.items())}
    given = np.flatnonzero([name is not None for name in splits])
    if not len(given):
        return splits
    one, other = _meeting(chips.footprints[given], grid)
    result = splits.copy()
    for a, b in zip(given[one].tolist(), given[other].tolist(), strict=True):
        if splits[a] != splits[b] and rank[splits[a]] > rank[splits[b]]:
            result[a] = None
    return result
