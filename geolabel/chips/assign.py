"""Which annotations fall on which chip, what is left of them there, and what is too little to keep. Pure, vectorised."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import shapely

from geolabel.geo.pixels import cut

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geolabel.chips.grid import ChipGrid
    from geolabel.chips.spec import ChipSpec


@dataclass(frozen=True, slots=True)
class Assignment:
    """Pairs of a chip and an annotation near it, by chip, then by annotation.

    Attributes:
        chip: int64 (m,) number of the chip in its grid.
        label: int64 (m,) position of the annotation among those given.
        pieces: (m,) what lies on the chip, in pixels of the scene; None when it is nothing of the shape's own dimension.
        truncated: bool (m,) the chip's edge cut something off.
        kept: bool (m,) the piece is there and large enough.
        padding: pieces left out because all of them lies in the padding beyond the scene.
        small: pieces left out because they are smaller than `min_area_px`.
        partial: pieces left out because less than `min_overlap` of the annotation lies on the chip.
    """

    chip: NDArray[np.int64]
    label: NDArray[np.int64]
    pieces: NDArray[np.object_]
    truncated: NDArray[np.bool_]
    kept: NDArray[np.bool_]
    padding: int
    small: int
    partial: int


def assign(geometries: NDArray[np.object_], grid: ChipGrid, spec: ChipSpec, extent: tuple[int, int]) -> Assignment:
    """Find the chips of each annotation and cut it to them.

    Args:
        geometries: (n,) shapes in pixels of the scene, in order of annotation id.
        grid: the scene's chips; each is a closed rectangle, so that a point on the edge between two is on both.
        spec: the smallest area and the smallest overlap that stay.
        extent: (width, height) of the scene in pixels.
    """
    chip, label = _pairs(geometries, grid)
    if not len(chip):
        nothing = np.array([], dtype=bool)
        return Assignment(chip, label, np.array([], dtype=object), nothing, nothing, 0, 0, 0)
    corner = np.column_stack((grid.cols[chip % len(grid.cols)], grid.rows[chip // len(grid.cols)]))
    pieces, truncated = cut(geometries[label], np.hstack((corner, corner + grid.size)))
    present = ~shapely.is_missing(pieces)
    padding = present & ~_on_scene(pieces, extent)
    is_polygon = shapely.get_dimensions(geometries)[label] == 2
    small = present & ~padding & is_polygon & (shapely.area(pieces) < spec.min_area_px)
    partial = present & ~padding & ~small & (_share(geometries, label, pieces) < spec.min_overlap)
    kept = present & ~padding & ~small & ~partial
    return Assignment(chip, label, pieces, truncated, kept, int(padding.sum()), int(small.sum()), int(partial.sum()))


def _on_scene(pieces: NDArray[np.object_], extent: tuple[int, int]) -> NDArray[np.bool_]:
    """Whether a piece touches the scene; only those that reach beyond it need a closer look."""
    bounds = shapely.bounds(pieces).reshape(-1, 4)
    on = np.ones(len(pieces), dtype=bool)
    beyond = np.flatnonzero(np.any(bounds[:, 2:] > extent, axis=1) | np.any(bounds[:, :2] < 0, axis=1))
    on[beyond] = shapely.intersects(pieces[beyond], shapely.box(0, 0, *extent))
    return on


def _pairs(geometries: NDArray[np.object_], grid: ChipGrid) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Every chip with every annotation whose box touches it."""
    bounds = shapely.bounds(geometries).reshape(-1, 4)
    first_col = np.searchsorted(grid.cols + grid.size, bounds[:, 0], side="left")
    first_row = np.searchsorted(grid.rows + grid.size, bounds[:, 1], side="left")
    across = np.maximum(np.searchsorted(grid.cols, bounds[:, 2], side="right") - first_col, 0)
    down = np.maximum(np.searchsorted(grid.rows, bounds[:, 3], side="right") - first_row, 0)
    count = across * down
    label = np.repeat(np.arange(len(geometries)), count)
    nth = np.arange(len(label)) - np.repeat(np.cumsum(count) - count, count)
    row, col = np.divmod(nth, np.maximum(across[label], 1))
    chip = (first_row[label] + row) * len(grid.cols) + first_col[label] + col
    order = np.lexsort((label, chip))
    return chip[order].astype(np.int64), label[order].astype(np.int64)


def _share(
    geometries: NDArray[np.object_], label: NDArray[np.int64], pieces: NDArray[np.object_]
) -> NDArray[np.float64]:
    """How much of each annotation its piece is: by area, by length for lines, by number for points."""
    dimension = shapely.get_dimensions(geometries)[label]
    whole = _size(geometries[label], dimension)
    return np.where(whole > 0, _size(pieces, dimension) / np.where(whole > 0, whole, 1), 1.0)


def _size(geometries: NDArray[np.object_], dimension: NDArray[np.int32]) -> NDArray[np.float64]:
    points = shapely.get_num_geometries(geometries).astype(np.float64)
    lengths, areas = shapely.length(geometries), shapely.area(geometries)
    return np.asarray(np.nan_to_num(np.choose(np.clip(dimension, 0, 2), [points, lengths, areas])))
