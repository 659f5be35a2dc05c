"""Pixels of a scene on a chip's window, and which of them are real."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.windows import Window as RasterWindow

from geolabel.chips.stored import are_stored, stored_blocks
from geolabel.errors import InvalidRaster, InvalidSpec
from tiles.bands import default_bands
from tiles.errors import TilesError
from tiles.sources import find_source, inspect, open_raster

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray
    from rasterio.io import DatasetReader

    from geolabel.chips.stored import Stored
    from geolabel.geo.pixels import Window
    from geolabel.model import Scene


@dataclass(frozen=True, slots=True)
class SceneReader:
    """An open scene. It belongs to the thread that opened it.

    Attributes:
        scene: as it was registered.
        bands: 1-based bands to read, in the order wanted.
        dtype: numpy's name of the type of the pixels.
        nodata: the value that means "no data", or None; what padding is filled with (0 without one).
        colors: what each band says it is, in the order of `bands`: `red`, `alpha`, `undefined`...
        shown: which of `bands`, counted from 0, people look at: red, green and blue as the web map chooses them, else
            the first three, else the first.
        palette: RGBA per pixel value, when the one band is a palette's; None otherwise.
        data_bands: 1-based bands whose masks say what is real: `bands` without alpha.
        dataset: the file.
        is_whole: whether all pixels of all bands are real, so that there is no mask to read.
        is_stored: whether its blocks can be copied as they are.
    """

    scene: Scene
    bands: tuple[int, ...]
    dtype: str
    nodata: float | None
    colors: tuple[str, ...]
    shown: tuple[int, ...]
    palette: dict[int, tuple[int, int, int, int]] | None
    data_bands: tuple[int, ...]
    dataset: DatasetReader
    is_whole: bool
    is_stored: bool

    def stored(self, window: Window) -> Stored | None:
        """The file's own JPEG blocks of a window, where it is made of them and nothing else."""
        return stored_blocks(self.dataset, window) if self.is_stored else None

    def read(self, window: Window) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Read a window, which may reach beyond the scene.

        Returns:
            Pixels (bands, height, width), padding filled with nodata; and (height, width) True where any band
            that was asked for has data: not nodata, not NaN, not transparent, not masked, not padding.
        """
        col, row, width, height = window
        left, upper = max(col, 0), max(row, 0)
        right, lower = min(col + width, self.dataset.width), min(row + height, self.dataset.height)
        if (right - left, lower - upper) == (width, height):
            return self._inside(RasterWindow(*window))
        image = np.full((len(self.bands), height, width), self.nodata or 0, dtype=self.dtype)
        valid = np.zeros((height, width), dtype=bool)
        if left < right and upper < lower:
            inside = (slice(upper - row, lower - row), slice(left - col, right - col))
            part = RasterWindow(left, upper, right - left, lower - upper)
            image[:, *inside], valid[inside] = self._inside(part)
        return image, valid

    def _inside(self, part: RasterWindow) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """The same of a window that lies on the scene."""
        image = self.dataset.read(self.bands, window=part).astype(self.dtype, copy=False)
        if self.is_whole:
            return image, np.ones(image.shape[1:], dtype=bool)
        real = self.dataset.read_masks(self.data_bands, window=part) > 0
        if image.dtype.kind in "fc":  # not a number is no data, whether the file says so or not
            real &= ~np.isnan(image[[self.bands.index(b) for b in self.data_bands]])
        return image, real.any(axis=0)


def chosen_bands(scene: Scene, bands: Sequence[int] | None) -> tuple[int, ...]:
    """The bands to read of a scene.

    Raises:
        InvalidSpec: a band that the scene does not have.
    """
    have = tuple(band.index for band in scene.bands)
    for band in bands or ():
        if band not in have:
            raise InvalidSpec(f"Band {band} was asked for, but scene {scene.id!r} has bands 1 to {len(have)}.")
    return tuple(bands) if bands else have


def _shown(bands: tuple[int, ...], data: tuple[int, ...], on_the_map: tuple[int, ...]) -> tuple[int, ...]:
    """Places in `bands` of those that are shown on the map, if all of them are among them."""
    some = data or bands[:1]
    chosen = on_the_map if set(on_the_map) <= set(bands) else some[:3] if len(some) >= 3 else some[:1]
    return tuple(bands.index(band) for band in chosen)


@contextmanager
def open_scene(scene: Scene, bands: Sequence[int] | None) -> Iterator[SceneReader]:
    """Open a scene to read chips from.

    Args:
        scene: as it was registered.
        bands: 1-based; None reads all.

    Raises:
        InvalidRaster: the file is gone, damaged, or not the one that was registered.
        InvalidSpec: a band that the scene does not have.
    """
    wanted = chosen_bands(scene, bands)
    try:
        source = find_source(scene.href)
        if source.version != scene.version:
            raise InvalidRaster(
                f"The file of scene {scene.id!r} ({source.name}) changed after it was registered. If it is the same "
                f"place and grid, say so: geolabel scene relink {scene.id} {source.name}",
            )
        with open_raster(source) as dataset:
            colors = [color.name for color in dataset.colorinterp]
            data_bands = tuple(b for b in wanted if dataset.colorinterp[b - 1] is not ColorInterp.alpha)
            is_palette = len(wanted) == 1 and dataset.colorinterp[wanted[0] - 1] is ColorInterp.palette
            yield SceneReader(
                scene,
                wanted,
                # numpy has no complex integers: rasterio reads them as complex64.
                str(np.result_type(*(dataset.dtypes[b - 1].replace("complex_int16", "complex64") for b in wanted))),
                dataset.nodatavals[wanted[0] - 1],
                tuple(colors[b - 1] for b in wanted),
                _shown(wanted, data_bands, default_bands(inspect(source))),
                dataset.colormap(wanted[0]) if is_palette else None,
                data_bands or wanted,
                dataset,
                is_whole=np.dtype(dataset.dtypes[0].replace("complex_int16", "complex64")).kind in "iu"
                and all(dataset.mask_flag_enums[b - 1] == [MaskFlags.all_valid] for b in data_bands or wanted),
                is_stored=are_stored(dataset, wanted),
            )
    except TilesError as error:
        raise InvalidRaster(str(error)) from error
