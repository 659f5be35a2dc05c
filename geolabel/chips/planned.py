"""One chip before its pixels are read: small, whole in itself, fit to be sent to another process."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import shapely

from geolabel.chips.assign import into_chips, on_chips
from geolabel.chips.frame import chip_grid
from geolabel.chips.labels import ChipLabels, Drawn
from geolabel.geo.pixels import MapGeometry, map_to_pixel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geolabel.chips.frame import Frame
    from geolabel.geo.pixels import Window
    from geolabel.model import Grid, Scene


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

    @cached_property
    def labels(self) -> ChipLabels:
        """Its annotations, in its own pixels, cut to it."""
        near, kept = self.near, self.near.kept
        boxes, turns = self._places(int(kept.sum()))
        pieces, truncated = on_chips(self._on_frame[kept], boxes, turns)
        return ChipLabels(near.ids[kept], near.class_ids[kept], pieces, truncated)

    @cached_property
    def drawn(self) -> Drawn:
        """What its mask is burnt from, in its own pixels: seen ground, annotations by priority and id, ignored ground."""
        near = self.near
        order = np.lexsort((near.ids, near.priorities))
        seen, ignored = (np.zeros(len(ground), dtype=np.int64) for ground in (self.seen, self.ignored))
        shapes = np.concatenate((self.seen, self._on_frame[order], self.ignored))
        return Drawn(
            into_chips(shapes, *self._places(len(shapes))),
            np.concatenate((seen, near.class_ids[order], ignored + self.ignore)),
            np.concatenate((seen, near.ids[order], ignored)),
        )

    @cached_property
    def _on_frame(self) -> NDArray[np.object_]:
        """The annotations near it, whole, in pixels of the frame's grid."""
        grid = self.frame.grid
        shapes = np.asarray(shapely.from_wkb(self.near.wkb), dtype=object)
        return map_to_pixel(MapGeometry(shapes, grid.crs), grid).geometries

    def _places(self, count: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        return np.tile(np.array(self.window, dtype=np.int64), (count, 1)), np.full(count, self.turn)
