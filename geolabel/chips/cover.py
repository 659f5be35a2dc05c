"""What a chip may be learnt from: labels that hold at its scene's date, ground that was seen, ground to be ignored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import shapely

from geolabel.errors import InvalidInput
from geolabel.moments import PAST_END, read_moment

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray
    from shapely.geometry.base import BaseGeometry

    from geolabel.chips.spec import ChipSpec
    from geolabel.model import Scene


@dataclass(frozen=True, slots=True)
class Cover:
    """Coverage on one frame, and where on it each chip lies.

    Attributes:
        shapes: (n,) in pixels of the frame's grid: seen ground first, ignored ground behind it.
        seen: how many of them are seen ground.
        starts: int64 (chips + 1,) where the shapes of each chip begin in
        touching: int64 (m,) index of the shape.
        only_seen: whether ground that was not seen is unknown; otherwise all is known that is not ignored.
        outlines: (chips,) of the chips.
        region: what chips may be learnt from at all; None for everything.
    """

    shapes: NDArray[np.object_]
    seen: int
    starts: NDArray[np.int64]
    touching: NDArray[np.int64]
    only_seen: bool
    outlines: NDArray[np.object_]
    region: BaseGeometry | None = None

    def on(self, chip: int) -> tuple[NDArray[np.object_], NDArray[np.object_]]:
        """The seen and the ignored shapes that touch a chip; no seen ones where they change nothing."""
        seen, ignored = self._touching(chip)
        beyond = self._beyond(chip)
        if beyond is not None:
            ignored = np.append(ignored, np.array([beyond, None], dtype=object)[:1])
        return (seen if self.only_seen else seen[:0]), ignored

    def _touching(self, chip: int) -> tuple[NDArray[np.object_], NDArray[np.object_]]:
        found = self.touching[self.starts[chip] : self.starts[chip + 1]]
        return self.shapes[found[found < self.seen]], self.shapes[found[found >= self.seen]]

    def _beyond(self, chip: int) -> BaseGeometry | None:
        """What of a chip, and a pixel around it, lies beyond the region."""
        if self.region is None or shapely.covers(self.region, self.outlines[chip]):
            return None
        beyond: BaseGeometry = shapely.difference(
            shapely.buffer(self.outlines[chip], 1, join_style="mitre"), self.region
        )
        return beyond

    def blocked(self) -> dict[int, BaseGeometry]:
        """Ground to be ignored, by the chips that have some."""
        ignoring = np.zeros(len(self.outlines), dtype=bool)
        ignoring[np.repeat(np.arange(len(self.outlines)), np.diff(self.starts))[self.touching >= self.seen]] = True
        if self.region is not None:
            ignoring |= ~shapely.covers(self.region, self.outlines)
        return {chip: shapely.union_all(self.on(chip)[1]) for chip in np.flatnonzero(ignoring).tolist()}

    def known(self) -> NDArray[np.bool_]:
        """(chips,) whether there is ground on each that says something without a label on it."""
        known = np.full(len(self.outlines), not self.only_seen)
        for chip in np.flatnonzero(np.diff(self.starts)).tolist():
            seen, ignored = self.on(chip)
            outline = self.outlines[chip]
            ground = shapely.intersection(shapely.union_all(seen), outline) if self.only_seen else outline
            left = shapely.difference(ground, shapely.union_all(ignored)) if len(ignored) else ground
            known[chip] = shapely.area(left) > 0
        return known

    def looked_at(self) -> NDArray[np.bool_]:
        """(chips,) whether a part of each was called seen."""
        return np.array([len(self._touching(chip)[0]) > 0 for chip in range(len(self.outlines))], dtype=bool)


def cover_of(
    seen: NDArray[np.object_],
    ignored: NDArray[np.object_],
    outlines: NDArray[np.object_],
    *,
    only_seen: bool,
    region: BaseGeometry | None = None,
) -> Cover:
    """Put coverage on chips.

    Args:
        seen: (n,) polygons in pixels of the frame's grid.
        ignored: likewise.
        outlines: (chips,) of the chips, likewise.
        only_seen: whether ground that was not seen is unknown.
        region: what chips may be learnt from at all, likewise; None for everything.
    """
    shapes = np.concatenate([seen, ignored])
    chips, touching = shapely.STRtree(shapes).query(outlines, predicate="intersects")
    order = np.lexsort((touching, chips))
    starts = np.searchsorted(chips[order], np.arange(len(outlines) + 1))
    if region is not None:
        shapely.prepare(region)
    return Cover(shapes, len(seen), starts, touching[order], only_seen, outlines, region)


def holding(
    scenes: Sequence[Scene], spans: Sequence[tuple[str | None, str | None]] | None, spec: ChipSpec, count: int
) -> NDArray[np.bool_]:
    """Which of `count` pieces of coverage hold at the date of any of the scenes; all when the spec takes labels of any date."""
    if spans is None or spec.match == "all":
        return np.ones(count, dtype=bool)
    starts, ends = ([span[side] for span in spans] for side in (0, 1))
    moments = [_moment(scene) for scene in scenes]
    return np.asarray(np.any([_valid(moment, starts, ends, count) for moment in moments], axis=0))


def matching(
    scenes: Sequence[Scene], columns: Mapping[str, NDArray[np.object_]], spec: ChipSpec, count: int
) -> NDArray[np.bool_]:
    """Which of `count` labels the chips of a scene, or of a stack of scenes, take.

    By `date`: those that hold at the date of any of the scenes, and all when either has no time. By `scene`: those drawn on any.
    """
    if spec.match == "all":
        return np.ones(count, dtype=bool)
    if spec.match == "scene":
        ids = {scene.id for scene in scenes}
        return np.array([name in ids for name in columns["scene"]], dtype=bool)
    starts, ends = columns.get("valid_from"), columns.get("valid_to")
    return np.asarray(np.any([_valid(_moment(scene), starts, ends, count) for scene in scenes], axis=0))


def _valid(
    moment: str | None, starts: Iterable[str | None] | None, ends: Iterable[str | None] | None, count: int
) -> NDArray[np.bool_]:
    """What holds at a moment: from its start to its end, a date being its whole day."""
    held = np.ones(count, dtype=bool)
    if moment is None:
        return held
    if starts is not None:
        held &= np.array([start is None or start <= moment + PAST_END for start in starts], dtype=bool)
    if ends is not None:
        held &= np.array([end is None or end + PAST_END >= moment for end in ends], dtype=bool)
    return held


def _moment(scene: Scene) -> str | None:
    try:
        return None if scene.datetime is None else read_moment(scene.datetime)
    except InvalidInput:  # a scene registered long ago, by a program that was less strict
        return None
