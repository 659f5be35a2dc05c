"""The pixel grids that chips are counted on: a scene's own, or one that scenes share. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import shapely
from affine import Affine

from geolabel.errors import GeolabelError, InvalidSpec
from geolabel.geo import crs as crs_
from geolabel.geo.pixels import MapGeometry, footprint, map_to_pixel, pixel_size
from geolabel.model import Grid

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from shapely.geometry import Point
    from shapely.geometry.base import BaseGeometry

    from geolabel.chips.spec import ChipSpec, Length
    from geolabel.geo.pixels import Window
    from geolabel.model import Scene

MAX_PIXELS = 2**40
"""On the longest side of a grid: finer ones count pixels that no double tells apart."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A pixel grid, and the scenes whose pixels come onto it.

    Attributes:
        scenes: the first gives chips their names; of a stack, the bands of all follow one another.
        grid: the first scene's own; or the grid of all chips, whose corner (0, 0) is the origin of its CRS.
        native: whether it is the first scene's own.
        extent: (col, row, width, height) of what the first scene shows, on the grid.
        ground: outline of that, in pixels of the grid.
        metres: (width, height) of a pixel on the ground, in metres; (1, 1) where there is no ground.
        masks: for each scene, the one whose first band is not 0 on clouds, or None.
    """

    scenes: tuple[Scene, ...]
    grid: Grid
    native: bool
    extent: Window
    ground: BaseGeometry
    metres: tuple[float, float]
    masks: tuple[Scene | None, ...] = ()

    @property
    def scene(self) -> Scene:
        """The first scene."""
        return self.scenes[0]

    def pixels(self, length: Length, units: str) -> tuple[int, int]:
        """A length, or a pair of them, as whole pixels of the grid (width, height), at least 1."""
        pair = length if isinstance(length, tuple) else (length, length)
        if units == "px":
            return int(pair[0]), int(pair[1])
        wide, high = (max(round(part / metre), 1) for part, metre in zip(pair, self.metres, strict=True))
        return wide, high


def chip_transform(grid: Grid, window: Window, turn: float) -> Affine:
    """The affine from the pixels of a chip to the map: its window, turned clockwise about its centre by `turn` degrees."""
    col, row, width, height = window
    affine = Affine(*grid.transform) @ Affine.translation(col, row)
    if not turn:
        return affine
    return affine @ turning(width, height, turn)


def turning(width: int, height: int, turn: float) -> Affine:
    """The affine from the pixels of a turned chip to those of its window; exact for quarter turns."""
    quarter = {90.0: (0.0, 1.0), 180.0: (-1.0, 0.0), 270.0: (0.0, -1.0)}
    cos, sin = quarter.get(turn, (math.cos(math.radians(turn)), math.sin(math.radians(turn))))
    x, y = width / 2, height / 2
    return Affine(cos, -sin, x - cos * x + sin * y, sin, cos, y - sin * x - cos * y)


def chip_grid(grid: Grid, window: Window, turn: float) -> Grid:
    """The chip's own pixel grid."""
    a, b, c, d, e, f = (float(v) for v in chip_transform(grid, window, turn)[:6])
    return Grid(grid.crs, (a, b, c, d, e, f), window[2], window[3])


def frames(scenes: Sequence[Scene], spec: ChipSpec, masks: Mapping[str, Scene] | None = None) -> list[Frame]:
    """The grids on which the scenes of a project are cut.

    Args:
        scenes: of the project, in its order.
        spec: how.
        masks: scenes that say where clouds are, by the scene that they are for.

    Raises:
        InvalidSpec: a stack names a scene that the project does not have; a CRS that a scene has no place in.
    """
    groups = _groups(scenes, spec)
    grids = _common_grid(groups, spec) if spec.aligned else [_native(group) for group in groups]
    found = masks or {}
    return [replace(one, masks=tuple(found.get(scene.id) for scene in one.scenes)) for one in grids]


def about_how_many(scenes: Sequence[Scene], spec: ChipSpec) -> tuple[int, int]:
    """How many chips there will be, and of how many pixels, roughly and before anything is read; no chips where that depends on the labels.

    Args:
        scenes: of the project.
        spec: how.
    """
    if spec.layout not in {"grid", "random"} or not scenes:
        return 0, 0
    try:
        grids = frames(scenes, spec)
    except GeolabelError:  # the plan says what is wrong
        return 0, 0
    most = spec.size if spec.size_range is None else spec.size_range[1]
    wide, high = grids[0].pixels(most, spec.units)
    if spec.layout == "random":
        return spec.count * len(grids), wide * high
    total = 0
    for one in grids:
        across, down = one.pixels(spec.size if spec.stride is None else spec.stride, spec.units)
        total += (one.extent[2] // across) * (one.extent[3] // down)
    return total * len(spec.rotate), wide * high


def _common_grid(groups: Sequence[tuple[Scene, ...]], spec: ChipSpec) -> list[Frame]:
    crs = groups[0][0].grid.crs if spec.crs == "native" else spec.crs
    if crs is None:
        raise InvalidSpec(
            f"Scene {groups[0][0].id!r} has no place on a map: resolution and crs cannot be given, only its own pixels."
        )
    for scene in (group[0] for group in groups):
        own = scene.grid.crs
        if own is None or not (crs_.same(own, crs) or crs_.one_body(own, crs)):
            raise InvalidSpec(f"Scene {scene.id!r} has no place in {crs_.label(crs)}; take another crs for the chips.")
    resolution = spec.resolution or _resolution(groups[0][0], crs)
    lattice = Grid(crs, (resolution, 0.0, 0.0, 0.0, -resolution, 0.0), 0, 0)
    outlines = [_on_lattice(group[0], lattice) for group in groups]
    metres = _metres(lattice, shapely.union_all(outlines).centroid)
    return [_aligned(group, lattice, ground, metres) for group, ground in zip(groups, outlines, strict=True)]


def _groups(scenes: Sequence[Scene], spec: ChipSpec) -> list[tuple[Scene, ...]]:
    if not spec.stack:
        return [(scene,) for scene in scenes]
    by_id = {scene.id: scene for scene in scenes}
    for name in (name for group in spec.stack for name in group):
        if name not in by_id:
            raise InvalidSpec(f"stack names scene {name!r}; the project has {', '.join(by_id)}.")
    return [tuple(by_id[name] for name in group) for group in spec.stack]


def _native(scenes: tuple[Scene, ...]) -> Frame:
    grid = scenes[0].grid
    for other in scenes[1:]:
        one, two = grid.crs, other.grid.crs
        if one is None or two is None or not (crs_.same(one, two) or crs_.one_body(one, two)):
            raise InvalidSpec(
                f"Scenes {scenes[0].id!r} and {other.id!r} have no common ground: they cannot be stacked."
            )
    ground = shapely.box(0, 0, grid.width, grid.height)
    return Frame(scenes, grid, True, (0, 0, grid.width, grid.height), ground, _metres(grid, ground.centroid))


def _on_lattice(scene: Scene, lattice: Grid) -> BaseGeometry:
    """Outline of a scene in pixels of the common grid."""
    outline = np.array([footprint(scene.grid)], dtype=object)
    try:
        ground: BaseGeometry = map_to_pixel(MapGeometry(outline, scene.grid.crs), lattice, tolerance_px=0.5).geometries[
            0
        ]
    except GeolabelError as error:
        assert lattice.crs is not None
        raise InvalidSpec(f"Scene {scene.id!r} has no place in {crs_.label(lattice.crs)}: {error}") from error
    return ground


def _aligned(scenes: tuple[Scene, ...], lattice: Grid, ground: BaseGeometry, metres: tuple[float, float]) -> Frame:
    left, upper, right, lower = ground.bounds
    # A scene that ends on the grid's lines but for rounding ends there.
    hair = 1e-6
    col, row = math.floor(left + hair), math.floor(upper + hair)
    width, height = math.ceil(right - hair) - col, math.ceil(lower - hair) - row
    if max(abs(col), abs(row), width, height) > MAX_PIXELS:
        raise InvalidSpec(f"resolution={lattice.transform[0]:g} is too fine for {lattice.crs}; take a larger one.")
    return Frame(scenes, lattice, False, (col, row, width, height), ground, metres)


def _resolution(scene: Scene, crs: str) -> float:
    """A pixel's edge in another CRS that keeps about as many pixels as the scene has."""
    assert scene.grid.crs is not None
    if crs_.same(scene.grid.crs, crs):
        return pixel_size(scene.grid)
    outline = crs_.transform_geometries(np.array([footprint(scene.grid)], dtype=object), scene.grid.crs, crs)
    exact = math.sqrt(float(shapely.area(outline)[0]) / (scene.grid.width * scene.grid.height))
    return float(f"{exact:.4g}")


def _metres(grid: Grid, at: Point) -> tuple[float, float]:
    """Width and height of the pixel at a place of the grid, on the ground."""
    if grid.crs is None:
        return (1.0, 1.0)
    x, y = at.x, at.y
    corners = np.array([(x, y), (x + 1, y), (x, y), (x, y + 1)])
    a, b, c, d, e, f = grid.transform
    xy = np.column_stack((a * corners[:, 0] + b * corners[:, 1] + c, d * corners[:, 0] + e * corners[:, 1] + f))
    wide, high = crs_.ground_length(np.asarray(shapely.linestrings(xy.reshape(2, 2, 2))), grid.crs)
    if not (math.isfinite(wide) and math.isfinite(high) and wide > 0 and high > 0):
        size = pixel_size(grid) * crs_.unit_metres(grid.crs)
        return (size, size)
    return (float(wide), float(high))
