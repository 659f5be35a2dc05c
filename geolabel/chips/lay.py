"""The chips of one frame with the annotations that lie on them, as flat arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import shapely

from geolabel.chips.assign import Assignment, Lost, assign, place
from geolabel.chips.cover import Cover, cover_of, holding, matching
from geolabel.chips.grid import Windows, lay
from geolabel.chips.knobs import MAX_SIZE
from geolabel.errors import InvalidCRS, InvalidSpec
from geolabel.geo import crs as crs_
from geolabel.geo.pixels import MapGeometry, PixelGeometry, footprint, map_to_pixel, pixel_size, pixel_to_map

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from shapely.geometry.base import BaseGeometry

    from geolabel.chips.frame import Frame
    from geolabel.chips.labels import Labels
    from geolabel.chips.spec import ChipSpec
    from geolabel.model import Grid, Project

AT_ONCE = 50_000
"""So many annotations are shapes at one time; the others rest as bytes."""

MOST_CHIPS = 2_000_000

_HAIR = 1e-9


@dataclass(frozen=True, slots=True)
class Asked:
    """What chips are laid for.

    Attributes:
        project: with the classes of the dataset.
        labels: all annotations that go into it.
        spec: how.
    """

    project: Project
    labels: Labels
    spec: ChipSpec


@dataclass(frozen=True, slots=True)
class Laid:
    """One frame's chips and what lies on them.

    Attributes:
        windows: the chips.
        starts: int64 (chips + 1,) where the pairs of each chip begin in
        rows: int64 (m,) positions in ALL annotations, ascending within a chip, and
        kept: bool (m,) it is an object of the chip.
        cover: seen and ignored ground on the chips.
        telling: bool (chips,) there is something to learn from on it.
        looked_at: bool (chips,) the coverage calls a part of it seen.
        footprints: (chips,) outlines in the project's CRS.
        inside: bool (n,) which of ALL annotations touch the scene, and
        matched: bool (n,) which may be on its chips.
        lost: pieces that are no objects.
        area: chips that do not lie where they should.
    """

    windows: Windows
    starts: NDArray[np.int64]
    rows: NDArray[np.int64]
    kept: NDArray[np.bool_]
    cover: Cover
    telling: NDArray[np.bool_]
    looked_at: NDArray[np.bool_]
    footprints: NDArray[np.object_]
    inside: NDArray[np.bool_]
    matched: NDArray[np.bool_]
    lost: Lost
    area: int

    def __len__(self) -> int:
        return len(self.windows)

    def near(self, chip: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Positions of the annotations near a chip, and which of them are its objects."""
        pairs = slice(int(self.starts[chip]), int(self.starts[chip + 1]))
        return self.rows[pairs], self.kept[pairs]

    def chip_of_pairs(self) -> NDArray[np.int64]:
        """(m,) the chip of each pair."""
        return np.repeat(np.arange(len(self)), np.diff(self.starts))

    def counts(self, labels: Labels, project: Project) -> NDArray[np.int64]:
        """(chips, classes) objects on each chip by class, in the order of the project's classes."""
        index = {c.id: number for number, c in enumerate(project.classes)}
        column = np.array([index[c] for c in labels.class_ids[self.rows[self.kept]].tolist()], dtype=np.int64)
        flat = self.chip_of_pairs()[self.kept] * len(index) + column
        return np.bincount(flat, minlength=len(self) * len(index)).reshape(len(self), len(index))

    def used_rows(self) -> NDArray[np.int64]:
        """Positions of the annotations near any chip, ascending."""
        return np.unique(self.rows)


def laid_on(asked: Asked, frame: Frame) -> Laid:
    """Lay the chips of a frame and put the annotations on them.

    Raises:
        InvalidSpec: more chips than a dataset can have, or one larger than a chip can be.
    """
    project, labels, spec = asked.project, asked.labels, asked.spec
    region = _region(asked, frame)
    inside, matched, bounds = _touching(asked, frame)
    rows = np.flatnonzero(inside & matched)
    laid = lay(frame, spec, bounds[rows], labels.ids[rows], lambda outlines: _lies_in(outlines, frame, region, spec))
    if len(laid) > MOST_CHIPS:
        raise InvalidSpec(
            f"Scene {frame.scene.id!r} would give {len(laid):,} chips; more than {MOST_CHIPS:,} are too many."
        )
    if len(laid) and laid.boxes[:, 2:].max() > MAX_SIZE:
        name = laid.names[laid.boxes[:, 2:].max(axis=1).argmax()]
        raise InvalidSpec(
            f"Chip {name} would be larger than {MAX_SIZE:,} px; set a smaller size or margin, or a coarser resolution."
        )
    outlines = laid.outlines()
    on_ground = shapely.area(shapely.intersection(outlines, frame.ground)) > _HAIR
    good = on_ground & _lies_in(outlines, frame, region, spec)
    windows, outlines = laid.take(good), outlines[good]
    cover = _cover(asked, frame, outlines, region)
    at = place(windows, frame.ground, cover.blocked())
    parts = [
        (rows[part], assign(shapes, at, spec))
        for part, shapes in ((p, _pixels(labels.shapes(rows[p]), project.crs, frame.grid)) for p in _parts(len(rows)))
    ]
    chip, row, present, kept = _joined(parts)
    starts = np.searchsorted(chip, np.arange(len(windows) + 1))
    lying = np.bincount(chip[present], minlength=len(windows)) > 0
    return Laid(
        windows,
        starts,
        row,
        kept,
        cover,
        cover.known() | lying,
        cover.looked_at(),
        footprints_of(outlines, frame, project.crs),
        inside,
        matched,
        sum((found.lost for _, found in parts), Lost()),
        int((on_ground & ~good).sum()),
    )


def _parts(count: int) -> Iterator[slice]:
    return (slice(start, start + AT_ONCE) for start in range(0, count, AT_ONCE))


def _joined(
    parts: list[tuple[NDArray[np.int64], Assignment]],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_], NDArray[np.bool_]]:
    """The pairs of all parts by chip, then by annotation: chip, row, present, kept."""
    if not parts:
        none = np.array([], dtype=np.int64)
        return none, none, none.astype(bool), none.astype(bool)
    chip = np.concatenate([found.chip for _, found in parts])
    row = np.concatenate([rows[found.label] for rows, found in parts])
    order = np.lexsort((row, chip))
    present, kept = (
        np.concatenate(flags)[order] for flags in zip(*((f.present, f.kept) for _, f in parts), strict=True)
    )
    return chip[order], row[order], present, kept


def _touching(asked: Asked, frame: Frame) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.float64]]:
    """Which of all annotations touch the scene, which may be on its chips, and their boxes in pixels of the frame's grid."""
    project, labels, spec = asked.project, asked.labels, asked.spec
    inside = np.zeros(len(labels), dtype=bool)
    bounds = np.full((len(labels), 4), np.nan)
    box = near_scene(project, frame)
    for part in _parts(len(labels)):
        shapes = labels.shapes(part)
        near = np.flatnonzero(_meets(shapes, box))
        rows = part.start + near
        moved = _pixels(shapes[near], project.crs, frame.grid)
        inside[rows] = shapely.intersects(moved, frame.ground)
        bounds[rows] = shapely.bounds(moved).reshape(-1, 4)
    return inside, matching(frame.scenes, labels.columns, spec, len(labels)), bounds


def _pixels(shapes: NDArray[np.object_], crs: str | None, grid: Grid) -> NDArray[np.object_]:
    return map_to_pixel(MapGeometry(shapes, crs), grid).geometries


def in_crs_of(shapes: NDArray[np.object_], crs: str | None, grid: Grid) -> NDArray[np.object_]:
    """Shapes in the CRS of a grid, with the vertices that they have in its pixels."""
    if crs is None or grid.crs is None:
        return shapes
    return crs_.transform_geometries(shapes, crs, grid.crs, tolerance=0.25 * pixel_size(grid))


def footprints_of(outlines: NDArray[np.object_], frame: Frame, crs: str | None) -> NDArray[np.object_]:
    """Outlines of chips in a CRS; edges that would bend have vertices."""
    grid = frame.grid
    if crs is None or grid.crs is None or crs_.same(crs, grid.crs):
        return pixel_to_map(PixelGeometry(outlines, grid), crs).geometries
    longest = shapely.length(outlines) / 32
    return pixel_to_map(PixelGeometry(shapely.segmentize(outlines, longest), grid), crs).geometries


def _region(asked: Asked, frame: Frame) -> BaseGeometry | None:
    """Where chips may lie, in pixels of the frame's grid; None for everywhere."""
    project, labels, spec = asked.project, asked.labels, asked.spec
    if spec.within is None:
        return None
    if spec.within == "coverage":
        held = holding(frame.scenes, labels.coverage.seen_times, spec, len(labels.coverage.seen))
        shapes, crs = labels.coverage.seen[held], project.crs
    else:
        shapes, crs = spec.within.geometries, spec.within.crs
        if frame.grid.crs is None:  # a picture: its pixels are its only place
            crs = None
    region = shapely.union_all(_pixels(shapes[_meets(shapes, _box_of(frame, crs))], crs, frame.grid))
    shapely.prepare(region)
    return region


def _lies_in(
    outlines: NDArray[np.object_], frame: Frame, region: BaseGeometry | None, spec: ChipSpec
) -> NDArray[np.bool_]:
    """Whether enough of a chip's ground lies in the region."""
    if region is None:
        return np.ones(len(outlines), dtype=bool)
    shown = shapely.intersection(outlines, frame.ground)
    areas = shapely.area(shown)
    # A share of 1 allows for the hair by which a region in another CRS misses a line of the grid.
    enough = areas * spec.within_share - 1e-6 * np.sqrt(np.maximum(areas, 1))
    return np.asarray((areas > 0) & (shapely.area(shapely.intersection(shown, region)) >= enough))


def _cover(asked: Asked, frame: Frame, outlines: NDArray[np.object_], region: BaseGeometry | None) -> Cover:
    """The project's coverage on the chips of a frame."""
    project, coverage = asked.project, asked.labels.coverage
    box = near_scene(project, frame)
    grounds = []
    for shapes, spans in ((coverage.seen, coverage.seen_times), (coverage.ignored, coverage.ignored_times)):
        held = shapes[holding(frame.scenes, spans, asked.spec, len(shapes))]
        grounds.append(_pixels(held[_meets(held, box)], project.crs, frame.grid))
    seen, ignored = grounds
    return cover_of(seen, ignored, outlines, only_seen=project.unlabelled == "ignore", region=region)


def near_scene(project: Project, frame: Frame) -> tuple[float, float, float, float] | None:
    """A box in the project's CRS around a scene: what lies beyond it cannot touch it. None for everywhere."""
    return _box_of(frame, project.crs)


def _box_of(frame: Frame, crs: str | None) -> tuple[float, float, float, float] | None:
    grid = frame.scene.grid
    if crs is None or grid.crs is None or crs_.same(crs, frame.grid.crs or grid.crs):
        return None
    try:
        x0, y0, x1, y1 = crs_.bounds_to(footprint(grid).bounds, grid.crs, crs)
    except InvalidCRS:
        return None
    if x0 > x1:  # across the antimeridian
        x0, x1 = -np.inf, np.inf
    margin_x, margin_y = (x1 - x0) * 0.01, (y1 - y0) * 0.01
    return (x0 - margin_x, y0 - margin_y, x1 + margin_x, y1 + margin_y)


def _meets(shapes: NDArray[np.object_], box: tuple[float, float, float, float] | None) -> NDArray[np.bool_]:
    """Whether the box of each shape meets another: only these are brought into a CRS which may not reach the others."""
    if box is None:
        return np.ones(len(shapes), dtype=bool)
    bounds = shapely.bounds(shapes).reshape(-1, 4)
    x0, y0, x1, y1 = box
    return np.asarray((bounds[:, 2] >= x0) & (bounds[:, 0] <= x1) & (bounds[:, 3] >= y0) & (bounds[:, 1] <= y1))
