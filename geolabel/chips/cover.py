"""What a chip may be learnt from: labels that hold at its scene's date, ground that was seen, ground to be ignored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import shapely

from geolabel.errors import InvalidInput
from geolabel.moments import PAST_END, read_moment

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from geolabel.chips.spec import ChipSpec
    from geolabel.model import Scene


@dataclass(frozen=True, slots=True)
class Cover:
    """Coverage on one scene, and where on it each chip lies.

    Attributes:
        shapes: (n,) in pixels of the scene: seen ground first, ignored ground behind it.
        seen: how many of them are seen ground.
        starts: int64 (chips + 1,) where the shapes of each chip begin in
        touching: int64 (m,) index of the shape.
        only_seen: whether ground that was not seen is unknown; otherwise all is known that is not ignored.
    """

    shapes: NDArray[np.object_]
    seen: int
    starts: NDArray[np.int64]
    touching: NDArray[np.int64]
    only_seen: bool

    def on(self, chip: int) -> tuple[NDArray[np.object_], NDArray[np.object_]]:
        """The seen and the ignored shapes that touch a chip; no seen ones where they change nothing."""
        found = self.touching[self.starts[chip] : self.starts[chip + 1]]
        seen = found[found < self.seen] if self.only_seen else found[:0]
        return self.shapes[seen], self.shapes[found[found >= self.seen]]

    def known(self, boxes: NDArray[np.object_]) -> NDArray[np.bool_]:
        """Whether there is ground in each box (n,) that says something without a label on it."""
        known = np.full(len(boxes), not self.only_seen)
        for chip in np.flatnonzero(np.diff(self.starts)).tolist():
            seen, ignored = self.on(chip)
            ground = shapely.intersection(shapely.union_all(seen), boxes[chip]) if self.only_seen else boxes[chip]
            left = shapely.difference(ground, shapely.union_all(ignored)) if len(ignored) else ground
            known[chip] = shapely.area(left) > 0
        return known


def cover_of(
    seen: NDArray[np.object_], ignored: NDArray[np.object_], boxes: NDArray[np.object_], *, only_seen: bool
) -> Cover:
    """Put coverage on chips.

    Args:
        seen: (n,) polygons in pixels of the scene.
        ignored: likewise.
        boxes: (chips,) windows of the chips, likewise.
        only_seen: whether ground that was not seen is unknown.
    """
    shapes = np.concatenate([seen, ignored])
    chips, touching = shapely.STRtree(shapes).query(boxes, predicate="intersects")
    order = np.lexsort((touching, chips))
    starts = np.searchsorted(chips[order], np.arange(len(boxes) + 1))
    return Cover(shapes, len(seen), starts, touching[order], only_seen)


def matching(scene: Scene, columns: Mapping[str, NDArray[np.object_]], spec: ChipSpec, count: int) -> NDArray[np.bool_]:
    """Which of `count` labels a scene's chips take.

    By `date`: those that hold at the scene's date, and all when either has no time. By `scene`: those drawn on it.
    """
    if spec.match == "scene":
        return np.array([name == scene.id for name in columns["scene"]], dtype=bool)
    moment = _moment(scene)
    if spec.match == "all" or moment is None:
        return np.ones(count, dtype=bool)
    always = np.full(count, None, dtype=object)
    starts = [start is None or start <= moment + PAST_END for start in columns.get("valid_from", always)]
    ends = [end is None or end + PAST_END >= moment for end in columns.get("valid_to", always)]
    return np.logical_and(starts, ends)


def _moment(scene: Scene) -> str | None:
    try:
        return None if scene.datetime is None else read_moment(scene.datetime)
    except InvalidInput:  # a scene registered long ago, by a program that was less strict
        return None
