"""Scenes, annotations and a ChipSpec -> a plan: every chip, its annotations and its split, before a pixel is read."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import shapely

from geolabel.chips.assign import assign
from geolabel.chips.burn import mask_type
from geolabel.chips.cover import Cover, cover_of, matching
from geolabel.chips.grid import chip_grid, chip_name
from geolabel.chips.labels import ChipLabels, Drawn
from geolabel.chips.read import chosen_bands
from geolabel.chips.split import block_grid, draw, shared_ground, split_chips
from geolabel.errors import GeolabelError, InvalidCRS, InvalidInput, InvalidSpec
from geolabel.geo import crs as crs_
from geolabel.geo.pixels import (
    MapGeometry,
    PixelGeometry,
    footprint,
    map_to_pixel,
    pixel_to_map,
    window_grid,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from geolabel.chips.labels import Labels
    from geolabel.chips.spec import ChipSpec
    from geolabel.geo.pixels import Window
    from geolabel.model import Coverage, Grid, Project, Scene


@dataclass(frozen=True, slots=True)
class PlannedChip:
    """A chip before its pixels are read.

    Attributes:
        name: `{scene}_{col}_{row}`.
        scene: what it is cut from.
        window: (col, row, width, height) on the scene's grid.
        split: `train`, `val` or `test`.
        labels: its annotations, in pixels of the SCENE.
        drawn: what its mask is burnt from.
    """

    name: str
    scene: Scene
    window: Window
    split: str
    labels: ChipLabels
    drawn: Drawn

    @property
    def grid(self) -> Grid:
        """The chip's own pixel grid."""
        return window_grid(self.scene.grid, self.window)


@dataclass(frozen=True, slots=True)
class Tally:
    """What the plan left out, and why.

    Attributes:
        annotations: all in the project.
        outside: touch no scene of the project.
        unused: touch a scene, and are on no chip.
        padding: pieces that lie in the padding of a chip as a whole, left out of it.
        small: pieces under `min_area_px`, left out of chips.
        partial: pieces under `min_overlap`, left out of chips.
        unmatched: touch a scene, and belong to none that they touch (`match`).
        negatives: chips without annotations, left out because of `negatives`.
        unseen: chips without annotations, left out because nobody has looked at their ground, or it is to be ignored.
        straddling: chips left out because they lie on, or too near to, ground of two splits.
        scenes_without_labels: ids.
        scenes_without_chips: ids of scenes smaller than a chip, with `drop`.
        shared_ground: ground that chips of different splits share, in chips; proven 0.
    """

    annotations: int
    outside: int
    unused: int
    padding: int
    small: int
    partial: int
    unmatched: int
    negatives: int
    unseen: int
    straddling: int
    scenes_without_labels: tuple[str, ...]
    scenes_without_chips: tuple[str, ...]
    shared_ground: float


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that is known before a pixel is read: a pure function of project, scenes, labels and spec.

    Attributes:
        chips: by scene in the project's order, then row by row.
        tally: what was left out.
    """

    project: Project
    scenes: tuple[Scene, ...]
    spec: ChipSpec
    chips: tuple[PlannedChip, ...]
    tally: Tally
    digest: str


def make_plan(project: Project, scenes: Sequence[Scene], labels: Labels, spec: ChipSpec) -> Plan:
    """Lay out the chips, put the annotations on them, choose, split.

    Raises:
        InvalidInput: the project has no scenes.
        InvalidSpec: no chip is left, or a band that a scene does not have.
    """
    if not scenes:
        raise InvalidInput(f"Project {project.id!r} has no scenes to cut chips from; add one, or export a map format.")
    for scene in scenes:
        chosen_bands(scene, spec.bands)
    laid = [_lay(project, scene, labels, spec) for scene in scenes]
    chips = [chip for one in laid for chip in one.chips]
    if not chips and any(one.unseen for one in laid):
        raise InvalidSpec(
            f"No chip of project {project.id!r} holds anything to learn from: there are no labels, and all ground is unseen or to "
            "be ignored. Draw seen ground in its coverage, or let unlabelled ground be background.",
        )
    if not chips:
        raise InvalidSpec(
            f"No chip of {spec.size} px fits into any of the {len(scenes)} scenes; take a smaller size, or edges='pad'.",
        )
    footprints = np.concatenate([one.footprints for one in laid])
    chips, footprints, straddling = _split(project, laid, chips, footprints, spec)
    chips, footprints, negatives = _choose(chips, footprints, spec)
    shared = shared_ground(footprints, np.array([c.split for c in chips], dtype=object))
    if shared > 0:
        raise GeolabelError(
            f"The splits share the ground of {shared:.3g} chips, which must not be; nothing was written."
        )
    inside = np.logical_or.reduce([one.inside for one in laid])
    matched = np.logical_or.reduce([one.inside & one.matched for one in laid])
    used = np.isin(labels.ids, np.concatenate([c.labels.ids for c in chips]) if chips else [])
    tally = Tally(
        annotations=len(labels),
        outside=int((~inside).sum()),
        unused=int((matched & ~used).sum()),
        padding=sum(one.padding for one in laid),
        small=sum(one.small for one in laid),
        partial=sum(one.partial for one in laid),
        unmatched=int((inside & ~matched).sum()),
        negatives=negatives,
        unseen=sum(one.unseen for one in laid),
        straddling=straddling,
        scenes_without_labels=tuple(s.id for s, one in zip(scenes, laid, strict=True) if not one.inside.any()),
        scenes_without_chips=tuple(s.id for s, one in zip(scenes, laid, strict=True) if not (one.chips or one.unseen)),
        shared_ground=shared,
    )
    return Plan(project, tuple(scenes), spec, tuple(chips), tally, labels.digest)


def plan_without_chips(project: Project, scenes: Sequence[Scene], labels: Labels, spec: ChipSpec) -> Plan:
    """The plan of an export in map formats only."""
    tally = Tally(len(labels), 0, 0, 0, 0, 0, 0, 0, 0, 0, (), (), 0.0)
    return Plan(project, tuple(scenes), spec, (), tally, labels.digest)


@dataclass(frozen=True, slots=True)
class _Laid:
    """One scene's chips; `inside` says which of ALL annotations touch the scene, `matched` which may be on its chips."""

    chips: list[PlannedChip]
    footprints: NDArray[np.object_]
    inside: NDArray[np.bool_]
    matched: NDArray[np.bool_]
    unseen: int
    padding: int
    small: int
    partial: int


def _lay(project: Project, scene: Scene, labels: Labels, spec: ChipSpec) -> _Laid:
    """The chips of one scene with their annotations, all in `train` for now."""
    grid = chip_grid(scene.grid, spec)
    near = np.flatnonzero(_near(project, scene, labels.geometries))
    shapes = map_to_pixel(MapGeometry(labels.geometries[near], project.crs), scene.grid).geometries
    extent = shapely.box(0, 0, scene.grid.width, scene.grid.height)
    inside = np.zeros(len(labels), dtype=bool)
    inside[near] = shapely.intersects(shapes, extent)
    matched = matching(scene, labels.columns, spec, len(labels))
    taken = inside[near] & matched[near]
    shapes, near = shapes[taken], near[taken]
    found = assign(shapes, grid, spec, (scene.grid.width, scene.grid.height))
    starts = np.searchsorted(found.chip, np.arange(len(grid) + 1))
    priority = {c.id: c.priority for c in project.classes}
    ids, class_ids = labels.ids[near], labels.class_ids[near]
    rank = np.array([priority[int(c)] for c in class_ids], dtype=np.int64)
    corners = np.array(list(grid.windows()), dtype=np.float64).reshape(-1, 4)
    boxes = shapely.box(corners[:, 0], corners[:, 1], corners[:, 0] + grid.size, corners[:, 1] + grid.size)
    cover = _cover(project, scene, labels.coverage, boxes)
    _, ignore = mask_type(project.classes)
    chips = []
    for index, window in enumerate(grid.windows()):
        pairs = slice(int(starts[index]), int(starts[index + 1]))
        label, kept = found.label[pairs], found.kept[pairs]
        on = label[kept]
        order = label[np.lexsort((ids[label], rank[label]))]
        seen, ignored = cover.on(index)
        on_seen, on_ignored = (np.zeros(len(ground), dtype=np.int64) for ground in (seen, ignored))
        drawn = (
            (seen, on_seen, on_seen),
            (shapes[order], class_ids[order], ids[order]),
            (ignored, on_ignored + ignore, on_ignored),
        )
        chips.append(
            PlannedChip(
                chip_name(scene.id, window),
                scene,
                window,
                "train",
                ChipLabels(ids[on], class_ids[on], found.pieces[pairs][kept], found.truncated[pairs][kept]),
                Drawn(*(np.concatenate(column) for column in zip(*drawn, strict=True))),
            )
        )
    telling = cover.known(boxes) | (np.diff(starts) > 0)
    footprints = pixel_to_map(PixelGeometry(boxes[telling], scene.grid), project.crs).geometries
    chips = [chip for chip, tells in zip(chips, telling.tolist(), strict=True) if tells]
    unseen = int((~telling).sum())
    return _Laid(chips, footprints, inside, matched, unseen, found.padding, found.small, found.partial)


def _cover(project: Project, scene: Scene, coverage: Coverage, boxes: NDArray[np.object_]) -> Cover:
    """The project's coverage on the chips of a scene."""
    seen, ignored = (
        map_to_pixel(MapGeometry(shapes[_near(project, scene, shapes)], project.crs), scene.grid).geometries
        for shapes in (coverage.seen, coverage.ignored)
    )
    return cover_of(seen, ignored, boxes, only_seen=project.unlabelled == "ignore")


def _near(project: Project, scene: Scene, shapes: NDArray[np.object_]) -> NDArray[np.bool_]:
    """Which shapes may touch the scene: only these are brought into its CRS, which may not reach the others."""
    if project.crs is None or scene.grid.crs is None or crs_.same(project.crs, scene.grid.crs):
        return np.ones(len(shapes), dtype=bool)
    try:
        x0, y0, x1, y1 = crs_.bounds_to(footprint(scene.grid).bounds, scene.grid.crs, project.crs)
    except InvalidCRS:
        return np.ones(len(shapes), dtype=bool)
    if x0 > x1:  # across the antimeridian
        x0, x1 = -np.inf, np.inf
    margin_x, margin_y = (x1 - x0) * 0.01, (y1 - y0) * 0.01
    bounds = shapely.bounds(shapes).reshape(-1, 4)
    return np.asarray(
        (bounds[:, 2] >= x0 - margin_x)
        & (bounds[:, 0] <= x1 + margin_x)
        & (bounds[:, 3] >= y0 - margin_y)
        & (bounds[:, 1] <= y1 + margin_y)
    )


def _split(
    project: Project,
    laid: Sequence[_Laid],
    chips: list[PlannedChip],
    footprints: NDArray[np.object_],
    spec: ChipSpec,
) -> tuple[list[PlannedChip], NDArray[np.object_], int]:
    """Give the chips their splits; those between two are gone, and counted."""
    if spec.split is None:
        return chips, footprints, 0
    splits = split_chips(footprints, block_grid([one.footprints for one in laid], spec), spec)
    keep = np.flatnonzero(splits != None)  # noqa: E711 - elementwise
    if not len(keep):
        raise InvalidSpec(
            f"With split_block={spec.split_block} and split_buffer={spec.split_buffer:g} every chip of {project.id!r} lies "
            "between two splits; take larger blocks or a smaller buffer.",
        )
    return [replace(chips[i], split=splits[i]) for i in keep], footprints[keep], len(chips) - len(keep)


def _choose(
    chips: list[PlannedChip], footprints: NDArray[np.object_], spec: ChipSpec
) -> tuple[list[PlannedChip], NDArray[np.object_], int]:
    """Keep as many chips without annotations as were asked for, in each split; count the others."""
    if spec.negatives == "all":
        return chips, footprints, 0
    ratio = 0.0 if isinstance(spec.negatives, str) else spec.negatives
    positives = Counter(c.split for c in chips if len(c.labels))
    kept: set[str] = set()
    for split in {c.split for c in chips}:
        empty = [c.name for c in chips if c.split == split and not len(c.labels)]
        kept |= draw(empty, int(positives[split] * ratio + 0.5), spec.seed)
    keep = [i for i, c in enumerate(chips) if len(c.labels) or c.name in kept]
    if not keep:
        raise InvalidSpec(f"No chip has annotations on it, and negatives={spec.negatives!r} leaves none without them.")
    return [chips[i] for i in keep], footprints[keep], len(chips) - len(keep)
