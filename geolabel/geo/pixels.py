"""Map space to pixel space and back. A `MapGeometry` is never a `PixelGeometry`.

Pixel coordinates are continuous: the origin is the outer corner of the first pixel, x to the right, y down; pixel
(col, row) covers [col, col+1) x [row, row+1) and its centre is (col + 0.5, row + 0.5). This is GDAL's and COCO's
convention. The transform is the full affine: rotated, sheared, south-up and anisotropic grids are all as good as any.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import shapely
from affine import Affine
from shapely.geometry import GeometryCollection, Polygon

from geolabel.errors import InvalidCRS, InvalidInput
from geolabel.geo import crs as crs_
from geolabel.model import Grid

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from shapely.geometry.base import BaseGeometry

Window = tuple[int, int, int, int]
"""(col, row, width, height) on a grid, in whole pixels; col and row may be negative."""

DENSIFY_PX = 0.25
"""An edge that would bend by more pixels than this on its way into pixel space gets vertices first."""

_HAIR = 1e-9
"""In pixels: closer to the edge of a box than this is on it."""


@dataclass(frozen=True, slots=True)
class MapGeometry:
    """Shapes on the ground.

    Attributes:
        geometries: (n,) shapely objects, (x, y) in the units of `crs`.
        crs: their CRS; None in a pixel project, whose map space is the pixel grid itself.
    """

    geometries: NDArray[np.object_]
    crs: str | None


@dataclass(frozen=True, slots=True)
class PixelGeometry:
    """Shapes on a pixel grid.

    Attributes:
        geometries: (n,) shapely objects, (x, y) in continuous pixels of `grid`, y down.
        grid: what the pixels are.
    """

    geometries: NDArray[np.object_]
    grid: Grid


def pixel_size(grid: Grid) -> float:
    """Length of the shorter edge of a pixel, in units of the grid's CRS."""
    a, b, _, d, e, _ = grid.transform
    return float(min(np.hypot(a, d), np.hypot(b, e)))


def pixel_area(grid: Grid) -> float:
    """Area of a pixel, in square units of the grid's CRS."""
    a, b, _, d, e, _ = grid.transform
    return float(abs(a * e - b * d))


def map_to_pixel(labels: MapGeometry, grid: Grid, *, tolerance_px: float = DENSIFY_PX) -> PixelGeometry:
    """Bring shapes onto a pixel grid: the CRS first (edges densified), then the inverse affine.

    Args:
        labels: in any CRS.
        grid: target.
        tolerance_px: an edge that would bend by more gets vertices first.

    Raises:
        InvalidCRS: a coordinate that the grid's CRS cannot hold; or one side has a CRS and the other has none.
    """
    geometries = labels.geometries
    if labels.crs is not None and grid.crs is not None:
        geometries = crs_.transform_geometries(
            geometries, labels.crs, grid.crs, tolerance=tolerance_px * pixel_size(grid)
        )
    elif labels.crs != grid.crs:
        raise InvalidCRS("Labels with a CRS and a scene without one (or the other way round) have no common ground.")
    return PixelGeometry(_through(~_affine(grid), geometries), grid)


def pixel_to_map(labels: PixelGeometry, crs: str | None = None) -> MapGeometry:
    """Bring shapes from a pixel grid to the ground.

    Args:
        labels: on a pixel grid.
        crs: wanted; None keeps the grid's own. Edges are not densified: vertices stay the ones given.
    """
    geometries = _through(_affine(labels.grid), labels.geometries)
    if crs is None or labels.grid.crs is None:
        return MapGeometry(geometries, labels.grid.crs)
    return MapGeometry(crs_.transform_geometries(geometries, labels.grid.crs, crs), crs)


def _affine(grid: Grid) -> Affine:
    affine = Affine(*grid.transform)
    if affine.is_degenerate:
        raise InvalidInput(f"The transform {grid.transform} maps every pixel onto a line; expected one with an area.")
    return affine


def _through(affine: Affine, geometries: NDArray[np.object_]) -> NDArray[np.object_]:
    """Apply an affine to all coordinates of all shapes at once."""
    if len(geometries) == 0:
        return geometries
    moved: NDArray[np.object_] = shapely.transform(geometries, lambda xy: _apply(affine, xy))
    return moved


def _apply(affine: Affine, xy: NDArray[np.float64]) -> NDArray[np.float64]:
    a, b, c, d, e, f = affine[:6]
    x, y = xy[:, 0], xy[:, 1]
    return np.column_stack((a * x + b * y + c, d * x + e * y + f))


def footprint(grid: Grid) -> Polygon:
    """Outline of the grid in its own CRS, counter-clockwise on the pixel grid's corners."""
    a, b, c, d, e, f = grid.transform
    corners = [(0, 0), (0, grid.height), (grid.width, grid.height), (grid.width, 0)]
    return Polygon([(a * x + b * y + c, d * x + e * y + f) for x, y in corners])


def window_grid(grid: Grid, window: Window) -> Grid:
    """The grid of a window of a grid: the same pixels, counted from the window's corner."""
    col, row, width, height = window
    shifted = _affine(grid) @ Affine.translation(col, row)
    return Grid(grid.crs, tuple(float(v) for v in shifted[:6]), width, height)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Clipped:
    """Shapes cut to a window, in pixels of the window.

    Attributes:
        labels: (m,) shapes on the window's own grid; a shape cut into parts stays one (Multi) shape.
        kept: (m,) which of the given shapes they are; those that left nothing are gone.
        truncated: (m,) whether the window's edge cut something off.
    """

    labels: PixelGeometry
    kept: NDArray[np.int64]
    truncated: NDArray[np.bool_]


def clip(labels: PixelGeometry, window: Window) -> Clipped:
    """Cut shapes to a window, on the closed rectangle [0, width] x [0, height].

    What only touches the rectangle leaves nothing: polygons keep polygons, lines keep lines, points on the closed
    rectangle are kept.
    """
    col, row, width, height = window
    grid = window_grid(labels.grid, window)
    boxes = np.broadcast_to(np.array([col, row, col + width, row + height]), (len(labels.geometries), 4))
    pieces, truncated = cut(labels.geometries, boxes)
    kept = np.flatnonzero(~shapely.is_missing(pieces))
    return Clipped(PixelGeometry(shift(pieces[kept], col, row), grid), kept, truncated[kept])


def cut(geometries: NDArray[np.object_], boxes: NDArray[np.int64]) -> tuple[NDArray[np.object_], NDArray[np.bool_]]:
    """Cut each shape to a closed box of its own; all in the pixels of one grid.

    Args:
        geometries: (n,) shapely objects.
        boxes: (n, 4) min x, min y, max x, max y, in whole pixels.

    Returns:
        The pieces, (n,): the very same object where nothing was cut off, None where nothing of the shape's own
        dimension is left, one (Multi) shape otherwise, no coordinate of which lies outside its box. And whether the
        box cut something off, (n,).
    """
    bounds = shapely.bounds(geometries).reshape(-1, 4)
    inside = np.all(bounds[:, :2] >= boxes[:, :2], axis=1) & np.all(bounds[:, 2:] <= boxes[:, 2:], axis=1)
    apart = np.any(bounds[:, :2] > boxes[:, 2:], axis=1) | np.any(bounds[:, 2:] < boxes[:, :2], axis=1)
    pieces = np.array(geometries, dtype=object)
    pieces[apart] = None
    crossing = np.flatnonzero(~inside & ~apart)
    if len(crossing):
        shapes, frames = geometries[crossing], boxes[crossing]
        try:
            parts = shapely.intersection(shapes, shapely.box(*frames.T))
        except shapely.GEOSException:  # rounding on the way into pixels can make a valid shape cross itself by a hair
            crossed = ~shapely.is_valid(shapes)
            shapes[crossed] = shapely.make_valid(shapes[crossed], method="structure")
            parts = shapely.intersection(shapes, shapely.box(*frames.T))
        for index, part, dimension in zip(crossing, parts, shapely.get_dimensions(shapes), strict=True):
            pieces[index] = _of_dimension(part, int(dimension))
        pieces[crossing] = _into_boxes(pieces[crossing], frames)
    return pieces, ~inside


def _into_boxes(geometries: NDArray[np.object_], boxes: NDArray[np.int64]) -> NDArray[np.object_]:
    """Put the coordinates that rounding left a hair beside an edge of the box exactly on it."""
    xy, owner = shapely.get_coordinates(geometries, return_index=True)
    if len(xy) == 0:
        return geometries
    low, high = boxes[owner, :2].astype(np.float64), boxes[owner, 2:].astype(np.float64)
    snapped = np.where(np.abs(xy - low) < _HAIR, low, xy)
    snapped = np.where(np.abs(snapped - high) < _HAIR, high, snapped)
    present = np.flatnonzero(~shapely.is_missing(geometries))
    result = geometries.copy()
    result[present] = shapely.set_coordinates(geometries[present].copy(), snapped)
    # A spike thinner than a hair folds onto itself: its coordinates only stay inside the box.
    inside = shapely.set_coordinates(geometries[present].copy(), np.clip(xy, low, high))
    folded = ~shapely.is_valid(result[present])
    result[present[folded]] = inside[folded]
    return result


def shift(geometries: NDArray[np.object_], col: int, row: int) -> NDArray[np.object_]:
    """Count the pixels from another corner: (col, row) becomes (0, 0)."""
    if len(geometries) == 0:
        return geometries
    moved: NDArray[np.object_] = shapely.transform(geometries, lambda xy: xy - (col, row))
    return moved


def _of_dimension(geometry: BaseGeometry, dimension: int) -> BaseGeometry | None:
    """The parts of one dimension, joined into one shape; None when there are none."""
    if geometry.is_empty:
        return None
    if shapely.get_dimensions(geometry) == dimension and not isinstance(geometry, GeometryCollection):
        return geometry
    parts = [p for p in shapely.get_parts(geometry) if shapely.get_dimensions(p) == dimension]
    if not parts:
        return None
    return shapely.union_all(parts) if len(parts) > 1 else parts[0]
