"""The labels of a project in the CRS of a tile matrix set, found by their boxes; edits are laid over what was packed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from geolabel.labeltiles.shapes import Room, Shapes, meeting
from geolabel.labeltiles.tree import Tree, pack

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geolabel.model import Bounds

_SPARE = 1 / 32
"""Room for edits, in parts of the labels that are there; when it is used up, everything is packed again."""


@dataclass(frozen=True, slots=True)
class Layer:
    """Labels to draw. What it shows never changes: an edit makes another one, which shares the memory.

    Attributes:
        shapes: in order of id as far as the tree reaches, then those that came or changed since.
        alive: bool (n,), labels that were neither changed nor deleted since.
        tree: of the first boxes.
        room: what the arrays of `shapes` lie in.
    """

    shapes: Shapes
    alive: NDArray[np.bool_]
    tree: Tree
    room: Room

    @property
    def nbytes(self) -> int:
        """Memory that it takes."""
        return self.room.nbytes + self.tree.nbytes + self.alive.nbytes

    def __len__(self) -> int:
        return int(np.count_nonzero(self.alive))

    @property
    def bounds(self) -> Bounds:
        """The box around all labels that are here, or were before an edit; there is at least one."""
        boxes = self.shapes.boxes
        (left, bottom), (right, top) = boxes[:, :2].min(axis=0).tolist(), boxes[:, 2:].max(axis=0).tolist()
        return left, bottom, right, top

    def find(self, box: Bounds) -> NDArray[np.int64]:
        """Rows of labels whose boxes meet a box, in order of their ids."""
        packed = len(self.tree.order)
        rows = self.tree.find(box)
        rows.sort()  # ids ascend with the rows that were packed
        meets = meeting(self.shapes.boxes[packed:], box)
        recent = np.flatnonzero(meets & self.alive[packed:]) + packed
        rows = rows[self.alive[rows]]
        if len(recent) == 0:
            return rows
        rows = np.concatenate([rows, recent])
        return rows[np.argsort(self.shapes.ids[rows])]

    def sizes(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Area of the boxes of rows (m,)."""
        boxes = self.shapes.boxes[rows]
        area: NDArray[np.float64] = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
        return area

    def boxes_of(self, ids: NDArray[np.int64]) -> NDArray[np.float64]:
        """Boxes (m, 4) of those of some labels that are here."""
        rows = np.flatnonzero(np.isin(self.shapes.ids, ids) & self.alive)
        return self.shapes.boxes[rows]

    def changed(self, gone: NDArray[np.int64], come: Shapes) -> Layer:
        """The layer after an edit; from then on this one cannot be changed.

        Args:
            gone: ids that were changed or deleted; those that are not here do not matter.
            come: what is there instead, and what is new.
        """
        packed = len(self.tree.order)
        out = np.union1d(gone, come.ids)  # a label may be here already that was written while it was read
        alive = self.alive.copy()
        rows = np.searchsorted(self.shapes.ids[:packed], out)
        here = rows < packed
        here[here] = self.shapes.ids[rows[here]] == out[here]
        alive[rows[here]] = False
        alive[packed:] &= ~np.isin(self.shapes.ids[packed:], out)
        if not self.room.has_room(come):
            return make_layer([self.shapes.take(np.flatnonzero(alive)), come])
        self.room.add(come)
        alive = np.concatenate([alive, np.ones(len(come), dtype=np.bool_)])
        return Layer(self.room.shapes(), alive, self.tree, self.room)


def make_layer(parts: list[Shapes], *, spare: float = _SPARE) -> Layer:
    """Index labels.

    Args:
        parts: the labels; no id twice. The list is empty afterwards.
        spare: room for edits; 0 for a layer that is drawn once.
    """
    room = Room(parts, spare)
    shapes = room.shapes()
    if len(shapes) > 1 and not (shapes.ids[1:] > shapes.ids[:-1]).all():
        room = Room([shapes.take(np.argsort(shapes.ids, kind="stable"))], spare)
        shapes = room.shapes()
    return Layer(shapes, np.ones(len(shapes), dtype=np.bool_), pack(shapes.boxes), room)
