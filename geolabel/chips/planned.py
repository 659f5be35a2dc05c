"""One chip before its pixels are read: small, whole in itself, fit to be sent to another process."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import groupby, pairwise
from typing import TYPE_CHECKING

import numpy as np
import shapely

from geolabel.chips.assign import into_chips, on_chips
from geolabel.chips.frame import chip_grid
from geolabel.chips.labels import ChipLabels, Drawn
from geolabel.chips.together import Together
from geolabel.geo.pixels import MapGeometry, map_to_pixel

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from geolabel.chips.frame import Frame
    from geolabel.geo.pixels import Window
    from geolabel.model import Grid, Scene

_AT_ONCE = 20_000
"""About so many annotations are shapes at one time."""


@dataclass(frozen=True, slots=True)
class Near:
    """The annotations near one chip, in order of id.

    Attributes:
        ids: int64 (n,).
        class_ids: int64 (n,).
        priorities: int64 (n,) of their classes: higher is burnt over lower.
        kept: bool (n,) it is an object of the chip.
        wkb: (n,) bytes, whole shapes in the CRS of the chip.
    """

    ids: NDArray[np.int64]
    class_ids: NDArray[np.int64]
    priorities: NDArray[np.int64]
    kept: NDArray[np.bool_]
    wkb: NDArray[np.object_]


@dataclass(frozen=True)
class PlannedChip:
    """A chip before its pixels are read.

    Attributes:
        number: its place in the plan, from 0.
        name: `{scene}_{col}_{row}`, and what tells apart chips of one place.
        split: `train`, `val`, `test`, or `fold1`...
        frame: the grid that its window is counted on, and the scenes that it shows.
        window: (col, row, width, height) on the frame's grid.
        turn: degrees by which it is turned about its centre, clockwise.
        near: the annotations near it.
        seen: (n,) ground that was seen, in pixels of the frame's grid; none where it changes nothing.
        ignored: (n,) ground to be ignored, likewise.
        ignore: the mask value that means "not to be learnt from".
    """

    number: int
    name: str
    split: str
    frame: Frame
    window: Window
    turn: float
    near: Near
    seen: NDArray[np.object_]
    ignored: NDArray[np.object_]
    ignore: int

    @property
    def scene(self) -> Scene:
        """What it is cut from; of a stack, the first."""
        return self.frame.scene

    @property
    def ids(self) -> NDArray[np.int64]:
        """Ids of its annotations, ascending; costs nothing, where `labels` cuts them."""
        return self.near.ids[self.near.kept]

    @cached_property
    def grid(self) -> Grid:
        """The chip's own pixel grid."""
        return chip_grid(self.frame.grid, self.window, self.turn)

    @property
    def labels(self) -> ChipLabels:
        """Its annotations, in its own pixels, cut to it."""
        return self._found.labels

    @property
    def drawn(self) -> Drawn:
        """What its mask is burnt from, in its own pixels: seen ground, annotations by priority and id, ignored ground."""
        return self._found.drawn

    @cached_property
    def _found(self) -> _Placed:
        return _place([self])[0]


@dataclass(frozen=True, slots=True)
class _Placed:
    """What is on a chip."""

    labels: ChipLabels
    drawn: Drawn


def placed(chips: Sequence[PlannedChip]) -> Iterator[PlannedChip]:
    """The same chips; what is on them is brought into their pixels and cut for many of them at once."""
    numbers = np.cumsum([len(chip.near.ids) for chip in chips]) // _AT_ONCE
    for number in np.unique(numbers).tolist():
        run = [chip for chip, own in zip(chips, numbers.tolist(), strict=True) if own == number]
        for chip, found in zip(run, _place(run), strict=True):
            one = replace(chip)  # what is on it goes when the chip has been built
            one.__dict__.update(grid=chip.grid, _found=found)
            yield one


def _place(chips: Sequence[PlannedChip]) -> list[_Placed]:
    near = [chip.near for chip in chips]
    shapes = _on_frames(chips)
    kept = np.concatenate([one.kept for one in near])
    pieces, truncated = on_chips(shapes[kept], *_places(chips, [int(one.kept.sum()) for one in near]))
    ends = np.cumsum([0, *(len(one.ids) for one in near)]).tolist()
    drawn: list[NDArray[np.object_]] = []
    orders = [np.lexsort((one.ids, one.priorities)) for one in near]
    for chip, order, start, end in zip(chips, orders, ends[:-1], ends[1:], strict=True):
        drawn += [chip.seen, shapes[start:end][order], chip.ignored]
    counts = [len(one.ids) + len(chip.seen) + len(chip.ignored) for one, chip in zip(near, chips, strict=True)]
    moved = into_chips(np.concatenate(drawn), *_places(chips, counts))
    grids = tuple(chip.grid for chip in chips)
    objects, objects_of = _together(pieces, [int(one.kept.sum()) for one in near], grids)
    burnt, burnt_of = _together(moved, counts, grids)
    return [
        _Placed(
            ChipLabels(one.ids[one.kept], one.class_ids[one.kept], pieces[own], truncated[own], objects, own),
            _drawn(chip, order, burnt, painted),
        )
        for chip, one, order, own, painted in zip(chips, near, orders, objects_of, burnt_of, strict=True)
    ]


def _drawn(chip: PlannedChip, order: NDArray[np.int64], shapes: Together, part: slice) -> Drawn:
    near = chip.near
    seen, ignored = (np.zeros(len(ground), dtype=np.int64) for ground in (chip.seen, chip.ignored))
    class_ids = np.concatenate((seen, near.class_ids[order], ignored + chip.ignore))
    ids = np.concatenate((seen, near.ids[order], ignored))
    return Drawn(shapes.geometries[part], class_ids, ids, shapes, part)


def _together(
    shapes: NDArray[np.object_], counts: Sequence[int], grids: tuple[Grid, ...]
) -> tuple[Together, list[slice]]:
    """Shapes of chips, so many on each, and where those of each chip are among them."""
    ends = np.cumsum([0, *counts]).tolist()
    chip = np.repeat(np.arange(len(counts)), counts)
    return Together(shapes, chip, grids), [slice(start, end) for start, end in pairwise(ends)]


def _on_frames(chips: Sequence[PlannedChip]) -> NDArray[np.object_]:
    """The annotations near chips, whole, in pixels of their frames' grids."""
    shapes = np.asarray(shapely.from_wkb(np.concatenate([chip.near.wkb for chip in chips])), dtype=object)
    found, start = [], 0
    for grid, run in groupby(chips, lambda chip: chip.frame.grid):
        end = start + sum(len(chip.near.wkb) for chip in run)
        found.append(map_to_pixel(MapGeometry(shapes[start:end], grid.crs), grid).geometries)
        start = end
    return np.concatenate(found)


def _places(chips: Sequence[PlannedChip], counts: Sequence[int]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Window and turn of the chip of each shape, so many on each chip."""
    windows = np.array([chip.window for chip in chips], dtype=np.int64)
    return np.repeat(windows, counts, axis=0), np.repeat([chip.turn for chip in chips], counts)
