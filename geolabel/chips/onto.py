"""Pixels of scenes on a chip's grid: copied where it is the scene's own, turned or resampled where it is not."""

from __future__ import annotations

import math
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from affine import Affine
from rasterio.crs import CRS
from rasterio.enums import Resampling
from rasterio.warp import reproject
from rasterio.windows import Window as RasterWindow

from geolabel.chips.clouds import finders
from geolabel.chips.frame import chip_grid
from geolabel.chips.read import open_scene
from geolabel.chips.values import values_of
from geolabel.errors import InvalidCRS
from geolabel.geo.pixels import MapGeometry, footprint, map_to_pixel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from geolabel.chips.clouds import CloudFinder
    from geolabel.chips.frame import Frame
    from geolabel.chips.read import SceneReader
    from geolabel.chips.spec import ChipSpec
    from geolabel.chips.stored import Stored
    from geolabel.chips.values import Values
    from geolabel.geo.pixels import Window
    from geolabel.model import Grid

_FLAT = CRS.from_epsg(3857)
"""In place of the CRS where there is none, or one on both sides: only the affines count."""

_DECIMATE = 8
"""From so many pixels of the scene to one of the chip, along an edge, fewer are read: averages of blocks, a fourth as wide."""


@dataclass(frozen=True, slots=True)
class FrameReader:
    """Open scenes of one frame. It belongs to the thread that opened it.

    Attributes:
        frame: the grid.
        scenes: readers, in the order of the frame's scenes.
        resampling: GDAL's name.
        padding: what chips are filled up with; None for the first scene's nodata, or 0.
        values: what becomes of the pixels of each scene.
        masks: readers of where clouds are, for each scene that has one.
        finder: what finds clouds, and all bands of each scene for it; None when nothing does.
    """

    frame: Frame
    scenes: tuple[SceneReader, ...]
    resampling: str
    padding: float | None
    values: tuple[Values, ...]
    masks: tuple[SceneReader, ...] = ()
    finder: CloudFinder | None = None

    @property
    def bands(self) -> tuple[int, ...]:
        """1-based bands, those of all scenes one after the other."""
        return tuple(band for reader in self.scenes for band in reader.bands)

    @property
    def nodata(self) -> float | None:
        """The value that means "no data"; None without one, and where the scenes of a stack differ."""
        found = {values.nodata(reader.nodata) for values, reader in zip(self.values, self.scenes, strict=True)}
        return found.pop() if len(found) == 1 else None

    @property
    def colors(self) -> tuple[str, ...]:
        """What each band says it is; the bands of a stack say nothing."""
        if len(self.scenes) > 1:
            return ("undefined",) * len(self.bands)
        return self.scenes[0].colors

    @property
    def shown(self) -> tuple[int, ...]:
        """Which of the bands, counted from 0, people look at: those of the first scene."""
        return self.scenes[0].shown

    @property
    def palette(self) -> dict[int, tuple[int, int, int, int]] | None:
        """RGBA per pixel value, when the one band is a palette's."""
        return self.scenes[0].palette if len(self.scenes) == 1 else None

    @property
    def is_whole(self) -> bool:
        """Whether all pixels of the scenes are real."""
        return all(reader.is_whole for reader in self.scenes)

    def read(self, window: Window, turn: float = 0.0) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Read a chip, which may reach beyond the scene.

        Returns:
            Pixels (bands, height, width), padding filled; and (height, width) True where there is data: in any
            band that was asked for, and in every scene of a stack.
        """
        images, valids = zip(*(self._one(reader, window, turn) for reader in self.scenes), strict=True)
        images = tuple(values.of(*pixels) for values, *pixels in zip(self.values, images, valids, strict=True))
        image: NDArray[Any] = images[0] if len(images) == 1 else np.concatenate(images)
        valid: NDArray[np.bool_] = valids[0] if len(valids) == 1 else np.logical_and.reduce(valids)
        if self.padding is not None:
            grid = chip_grid(self.frame.grid, window, turn)
            beyond = ~_shown(self.frame, grid)
            image[:, beyond] = np.array(self.padding).astype(image.dtype)
        return image, valid

    def valid(self, window: Window, turn: float) -> NDArray[np.bool_]:
        """Where there is data on a chip, (height, width)."""
        return np.asarray(np.logical_and.reduce([self._one(reader, window, turn)[1] for reader in self.scenes]))

    def clouds(self, window: Window, turn: float) -> NDArray[np.bool_]:
        """Where clouds hide the ground of a chip in any of its scenes, (height, width)."""
        grid = chip_grid(self.frame.grid, window, turn)
        found = np.zeros((grid.height, grid.width), dtype=bool)
        for mask in self.masks:
            image, valid = resampled(mask, grid, "nearest")
            found |= valid & (image[0] != 0)
        for reader in self.scenes if self.finder is not None else ():
            assert self.finder is not None
            every = replace(reader, bands=tuple(band.index for band in reader.scene.bands))
            image, valid = self._one(every, window, turn)
            found |= self.finder(image, valid, reader.scene.bands, reader.scene)
        return found

    def stored(self, window: Window, turn: float) -> Stored | None:
        """The very blocks of the file that a chip is made of, where it is made of whole ones."""
        if not self.frame.native or len(self.scenes) > 1 or turn or self.padding is not None:
            return None
        return self.scenes[0].stored(window)

    def _one(self, reader: SceneReader, window: Window, turn: float) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        if self.frame.native and reader.scene is self.frame.scene:
            straight = _straight(window, turn)
            if straight is not None:
                image, valid = reader.read(straight)
                quarters = round(turn / 90)
                return np.rot90(image, quarters, axes=(1, 2)), np.rot90(valid, quarters)
        return resampled(reader, chip_grid(self.frame.grid, window, turn), self.resampling)


def _straight(window: Window, turn: float) -> Window | None:
    """The window that holds the pixels of a turned one, where they are the same; None where they are not."""
    col, row, width, height = window
    if turn % 90:
        return None
    if not (turn / 90) % 2:
        return window
    if (width - height) % 2:
        return None
    return (col + (width - height) // 2, row + (height - width) // 2, height, width)


@contextmanager
def open_frame(frame: Frame, spec: ChipSpec) -> Iterator[FrameReader]:
    """Open the scenes of a frame to read chips from.

    Raises:
        InvalidRaster: a file is gone, damaged, or not the one that was registered.
        InvalidSpec: a band that a scene does not have.
    """
    with ExitStack() as files:
        readers = tuple(files.enter_context(open_scene(scene, spec.bands)) for scene in frame.scenes)
        masks = tuple(files.enter_context(open_scene(mask, (1,))) for mask in frame.masks if mask is not None)
        finder = finders()[spec.cloud_mask] if isinstance(spec.cloud_mask, str) else None
        values = tuple(values_of(reader, spec) for reader in readers)
        yield FrameReader(frame, readers, spec.resampling, spec.padding, values, masks, finder)


def resampled(reader: SceneReader, grid: Grid, resampling: str) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Bring a scene onto a grid, by GDAL's warper with an exact transformation; pixels without data weigh nothing.

    Args:
        reader: the open scene.
        grid: of the chip.
        resampling: GDAL's name; palettes always take the nearest pixel.
    """
    dataset = reader.dataset
    kind = Resampling.nearest if reader.palette is not None else Resampling[resampling]
    image = np.full((len(reader.bands), grid.height, grid.width), reader.nodata or 0, dtype=reader.dtype)
    valid = np.zeros((grid.height, grid.width), dtype=bool)
    part, step = _source_window(reader, grid)
    if part is None:
        return image, valid
    own = reader.scene.grid
    factor = int(step / 4) if step >= _DECIMATE else 1
    shape = (math.ceil(part.height / factor), math.ceil(part.width / factor))
    how = Resampling.nearest if kind in {Resampling.nearest, Resampling.mode} else Resampling.average
    pixels = dataset.read(reader.bands, window=part, out_shape=(len(reader.bands), *shape), resampling=how)
    real = (dataset.read_masks(reader.data_bands, window=part, out_shape=(len(reader.data_bands), *shape)) > 0).any(
        axis=0
    )
    if pixels.dtype.kind in "fc":
        real &= ~np.isnan(pixels).any(axis=0)
    same = own.crs is None or own.crs == grid.crs
    scale = Affine.scale(part.width / shape[1], part.height / shape[0])
    place = {
        "src_transform": Affine(*own.transform) @ Affine.translation(part.col_off, part.row_off) @ scale,
        "src_crs": _FLAT if same else CRS.from_user_input(own.crs),
        "dst_transform": Affine(*grid.transform),
        "dst_crs": _FLAT if same else CRS.from_user_input(grid.crs),
        "tolerance": 0,
        # GDAL takes the scale from the boxes around both sides: for a turned chip it would smooth what is not reduced.
        "XSCALE": min(factor / step, 1.0),
        "YSCALE": min(factor / step, 1.0),
    }
    seen = np.zeros(valid.shape, dtype=np.uint8)
    reproject(real.astype(np.uint8), seen, resampling=Resampling.nearest, **place)
    valid = seen > 0
    values = _weighed(pixels, real, valid.shape, kind, place)
    image[:, valid] = _typed(values, image.dtype)[:, valid]
    return image, valid


def _weighed(
    pixels: NDArray[Any], real: NDArray[np.bool_], shape: tuple[int, int], kind: Resampling, place: dict[str, Any]
) -> NDArray[Any]:
    exact = kind in {Resampling.nearest, Resampling.mode}
    if pixels.dtype.kind == "c":
        parts = [_weighed(part, real, shape, kind, place) for part in (pixels.real, pixels.imag)]
        return np.asarray(parts[0] + 1j * parts[1])
    # Whole numbers of 16 bits fit into 32-bit floats with room for the weights.
    smooth = np.float32 if pixels.dtype.kind in "iu" and pixels.dtype.itemsize <= 2 else np.float64
    source = pixels if exact else np.where(real, pixels, 0).astype(smooth)
    values = np.zeros((len(pixels), *shape), dtype=source.dtype)
    reproject(source, values, resampling=kind, **place)
    if exact or real.all():
        return values
    weights = np.zeros(shape, dtype=smooth)
    reproject(real.astype(smooth), weights, resampling=kind, **place)
    return np.asarray(values / np.where(np.abs(weights) > 1e-6, weights, 1))


def _typed(values: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    if dtype.kind not in "iu" or values.dtype == dtype:
        return values.astype(dtype)
    limits = np.iinfo(dtype)
    return np.asarray(np.clip(np.rint(values), limits.min, limits.max).astype(dtype))


def _source_window(reader: SceneReader, grid: Grid) -> tuple[RasterWindow | None, float]:
    """The pixels of the scene that a grid may show (None when there are none), and how many there are for one of the grid, along an edge."""
    outline = shapely.segmentize(np.array([footprint(grid)], dtype=object), shapely.length(footprint(grid)) / 64)
    try:
        there = map_to_pixel(MapGeometry(outline, grid.crs), reader.scene.grid).geometries
    except InvalidCRS:  # the chip reaches to where the scene's CRS does not
        there = np.array([shapely.box(0, 0, reader.dataset.width, reader.dataset.height)], dtype=object)
    step = max(math.sqrt(float(shapely.area(there)[0]) / (grid.width * grid.height)), 1e-9)
    x0, y0, x1, y1 = shapely.bounds(there)[0]
    reach = 4 + 2 * max((x1 - x0) / grid.width, (y1 - y0) / grid.height)
    left, upper = max(math.floor(x0 - reach), 0), max(math.floor(y0 - reach), 0)
    right, lower = min(math.ceil(x1 + reach), reader.dataset.width), min(math.ceil(y1 + reach), reader.dataset.height)
    found = RasterWindow(left, upper, right - left, lower - upper) if left < right and upper < lower else None
    return found, step


def _shown(frame: Frame, grid: Grid) -> NDArray[np.bool_]:
    """(height, width) whether the centre of a pixel is on the first scene."""
    own = frame.scene.grid
    col, row = np.meshgrid(np.arange(grid.width) + 0.5, np.arange(grid.height) + 0.5)
    a, b, c, d, e, f = grid.transform
    points = shapely.points(a * col.ravel() + b * row.ravel() + c, d * col.ravel() + e * row.ravel() + f)
    there = shapely.get_coordinates(map_to_pixel(MapGeometry(points, grid.crs), own).geometries)
    inside = (there >= 0).all(axis=1) & (there[:, 0] < own.width) & (there[:, 1] < own.height)
    return inside.reshape(grid.height, grid.width)
