"""Shapes as flat arrays in the CRS of a tile matrix set: what is kept in memory and written into tiles."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from geolabel.labeltiles.rings import starts_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geolabel.model import Bounds


@dataclass(frozen=True, slots=True)
class Shapes:
    """Labels as flat arrays: n labels with r rings (or lines, or groups of points) and v vertices.

    Attributes:
        ids: int64 (n,), of the annotations.
        classes: int32 (n,), number of the class in the list of names that the owner keeps.
        statuses: int32 (n,), number of the status in the owner's list.
        kinds: uint8 (n,), 1 points, 2 lines, 3 polygons: the numbers of the tile format.
        rings: int64 (n + 1,), where the rings of each label begin, and the end.
        starts: int64 (r + 1,), where the vertices of each ring begin, and the end.
        holes: bool (r,), whether the ring is a hole of the outer ring before it.
        xy: float64 (v, 2), x to the right and y up. Polygon rings do not repeat their first vertex; outer rings run
            clockwise and holes the other way, as the tile format wants it.
        boxes: float64 (n, 4), min x, min y, max x, max y.
    """

    ids: NDArray[np.int64]
    classes: NDArray[np.int32]
    statuses: NDArray[np.int32]
    kinds: NDArray[np.uint8]
    rings: NDArray[np.int64]
    starts: NDArray[np.int64]
    holes: NDArray[np.bool_]
    xy: NDArray[np.float64]
    boxes: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def nbytes(self) -> int:
        """Memory that the arrays take."""
        return sum(getattr(self, field.name).nbytes for field in fields(self))

    def take(self, rows: NDArray[np.int64]) -> Shapes:
        """Some of the labels, in the order of `rows`."""
        rings, ring_starts = _members(self.rings, rows)
        vertices, vertex_starts = _members(self.starts, rings)
        return Shapes(
            ids=self.ids[rows],
            classes=self.classes[rows],
            statuses=self.statuses[rows],
            kinds=self.kinds[rows],
            rings=ring_starts,
            starts=vertex_starts,
            holes=self.holes[rings],
            xy=self.xy[vertices],
            boxes=self.boxes[rows],
        )


def _members(starts: NDArray[np.int64], rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """What starts[i]..starts[i + 1] of each row i hold, one after the other, and where each then begins."""
    counts = starts[rows + 1] - starts[rows]
    begins = starts_of(counts)
    return np.arange(begins[-1]) + np.repeat(starts[rows] - begins[:-1], counts), begins


NOTHING = Shapes(
    ids=np.empty(0, np.int64),
    classes=np.empty(0, np.int32),
    statuses=np.empty(0, np.int32),
    kinds=np.empty(0, np.uint8),
    rings=np.zeros(1, np.int64),
    starts=np.zeros(1, np.int64),
    holes=np.empty(0, np.bool_),
    xy=np.empty((0, 2)),
    boxes=np.empty((0, 4)),
)
"""No labels at all."""


class Room:
    """Arrays with room at their end, so that some labels more do not cost a copy of a million.

    What was given out stays as it is when labels are added behind it.

    Args:
        parts: the labels to begin with; they are taken out of the list one by one, for a million of them are needed once.
        spare: room for so many labels more, in parts of what there is.
    """

    def __init__(self, parts: list[Shapes], spare: float = 0.0) -> None:
        self._labels = self._rings = self._vertices = 0
        labels, rings, vertices = (
            int(sum(sizes) * (1 + spare)) + (1024 if spare else 0)
            for sizes in zip(*(_sizes(part) for part in (NOTHING, *parts)), strict=True)
        )
        self._all = Shapes(
            ids=np.empty(labels, np.int64),
            classes=np.empty(labels, np.int32),
            statuses=np.empty(labels, np.int32),
            kinds=np.empty(labels, np.uint8),
            rings=np.zeros(labels + 1, np.int64),
            starts=np.zeros(rings + 1, np.int64),
            holes=np.empty(rings, np.bool_),
            xy=np.empty((vertices, 2)),
            boxes=np.empty((labels, 4)),
        )
        while parts:
            self.add(parts.pop(0))

    @property
    def nbytes(self) -> int:
        """Memory that all of it takes."""
        return self._all.nbytes

    def has_room(self, more: Shapes) -> bool:
        """Whether so many labels more fit."""
        labels, rings, vertices = _sizes(more)
        return (
            self._labels + labels <= len(self._all.ids)
            and self._rings + rings <= len(self._all.holes)
            and self._vertices + vertices <= len(self._all.xy)
        )

    def add(self, more: Shapes) -> None:
        """Put labels behind those that are there."""
        everything = self._all
        labels, rings, vertices = _sizes(more)
        to_labels = slice(self._labels, self._labels + labels)
        for name in ("ids", "classes", "statuses", "kinds", "boxes"):
            getattr(everything, name)[to_labels] = getattr(more, name)
        everything.holes[self._rings : self._rings + rings] = more.holes
        everything.xy[self._vertices : self._vertices + vertices] = more.xy
        everything.rings[self._labels + 1 : self._labels + labels + 1] = more.rings[1:] + self._rings
        everything.starts[self._rings + 1 : self._rings + rings + 1] = more.starts[1:] + self._vertices
        self._labels, self._rings, self._vertices = (
            self._labels + labels,
            self._rings + rings,
            self._vertices + vertices,
        )

    def shapes(self) -> Shapes:
        """What is there now."""
        views: dict[str, Any] = {
            name: getattr(self._all, name)[: self._labels] for name in ("ids", "classes", "statuses", "kinds", "boxes")
        }
        return Shapes(
            **views,
            rings=self._all.rings[: self._labels + 1],
            starts=self._all.starts[: self._rings + 1],
            holes=self._all.holes[: self._rings],
            xy=self._all.xy[: self._vertices],
        )


def _sizes(shapes: Shapes) -> tuple[int, int, int]:
    return len(shapes.ids), len(shapes.holes), len(shapes.xy)


def meeting(boxes: NDArray[np.float64], box: Bounds) -> NDArray[np.bool_]:
    """Which boxes (n, 4) meet a box."""
    found: NDArray[np.bool_] = (
        (boxes[:, 0] <= box[2]) & (boxes[:, 2] >= box[0]) & (boxes[:, 1] <= box[3]) & (boxes[:, 3] >= box[1])
    )
    return found


def join(parts: list[Shapes]) -> Shapes:
    """The labels of several, one after the other; the list may be empty afterwards."""
    return parts[0] if len(parts) == 1 else Room(parts).shapes()


def largest(parts: list[Shapes], nbytes: int) -> Shapes:
    """The labels with the largest boxes, as many as take no more memory than that, in their order; see `join`."""
    shapes = join(parts)
    size = np.hypot(*(shapes.boxes[:, 2:] - shapes.boxes[:, :2]).T)
    order = np.argsort(-size, kind="stable")
    vertices = np.diff(shapes.starts[shapes.rings])
    weight = np.cumsum((vertices * 16 + shapes.nbytes // max(len(shapes), 1))[order])
    return shapes.take(np.sort(order[: np.searchsorted(weight, nbytes)]))
