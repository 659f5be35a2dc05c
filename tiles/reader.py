"""An open raster that reads no more at once than one request may."""

from __future__ import annotations

import math
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np
import rasterio
from rasterio.io import DatasetReader
from rasterio.windows import Window

from tiles import decoded
from tiles.errors import TooMuch
from tiles.pins import GDAL_ENVIRONMENT

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from numpy.typing import NDArray

    from tiles.settings import TilesSettings


class Reader(DatasetReader):  # type: ignore[misc]
    """As DatasetReader in the pinned GDAL environment, with `limit`: most values that one call may have GDAL read.

    `jpegs` decodes a window (col, row, width, height) of all bands to (height, width, bands), or None when GDAL should.
    `key` is of the file's version and the level; None when its blocks are not kept. `worth` is of those (`tiles.decoded`).
    """

    limit: float = math.inf
    shown: str = ""
    jpegs: Callable[[tuple[int, int, int, int], int], NDArray[np.uint8] | None] | None = None
    key: Hashable = None
    worth: float = 1

    def bind(self, name: str, settings: TilesSettings) -> None:
        """Set the limit, and what to call the raster in a message."""
        self.limit, self.shown = settings.max_read_mpx * 1e6, PurePosixPath(name).name

    def read(self, indexes: Any = None, *more: Any, **options: Any) -> Any:
        """As of DatasetReader.

        Raises:
            TooMuch: it would be more than the limit.
        """
        self.check(indexes, **options)
        with rasterio.Env(**GDAL_ENVIRONMENT):
            return super().read(indexes, *more, **options)

    def read_near(self, indexes: tuple[int, ...], window: Any, out_dtype: str) -> NDArray[Any]:
        """As `read` of a window, by blocks that are kept for the windows beside it where that pays.

        Raises:
            TooMuch: it would be more than the limit.
        """
        place, block, kind = self.place(window), self.block_shapes[0], np.dtype(out_dtype)
        if self.key is None or not decoded.worth_keeping(block, place, kind.itemsize * len(indexes)):
            plain: NDArray[Any] = self.read(indexes, window=window, out_dtype=out_dtype)
            return plain
        self.check(indexes, window=window)

        def decode(down: int, right: int) -> NDArray[Any]:
            row, col = down * block[0], right * block[1]
            whole = Window(col, row, min(block[1], self.width - col), min(block[0], self.height - row))
            with rasterio.Env(**GDAL_ENVIRONMENT):
                planes: NDArray[Any] = DatasetReader.read(self, indexes, window=whole, out_dtype=out_dtype)
            return planes.transpose(1, 2, 0)

        key, like = (self.key, indexes, out_dtype), (len(indexes), kind)
        pixels = decoded.assemble(key, decode, block, place, like, worth=self.worth, planar=True)
        return pixels.transpose(2, 0, 1)

    def read_picture(self, indexes: tuple[int, ...], window: Any) -> NDArray[np.uint8] | None:
        """Bands (height, width, bands) of a window for a picture, in the fastest way there is; None when `read` is that.

        Raises:
            TooMuch: it would be more than the limit.
        """
        if self.jpegs is None or tuple(indexes) != tuple(self.indexes):
            return None
        self.check(indexes, window=window)
        return self.jpegs(self.place(window), len(indexes))

    def read_masks(self, indexes: Any = None, *more: Any, **options: Any) -> Any:
        """As of DatasetReader.

        Raises:
            TooMuch: it would be more than the limit.
        """
        self.check(indexes, **options)
        with rasterio.Env(**GDAL_ENVIRONMENT):
            return super().read_masks(indexes, *more, **options)

    def place(self, window: Any) -> tuple[int, int, int, int]:
        """A window of rasterio as (col, row, width, height), whole pixels."""
        if window is None:
            return 0, 0, self.width, self.height
        if isinstance(window, tuple):
            window = Window.from_slices(*window, height=self.height, width=self.width)
        return int(window.col_off), int(window.row_off), math.ceil(window.width), math.ceil(window.height)

    def bands(self, indexes: Any) -> tuple[int, ...]:
        """Indexes of bands as they may be given to `read`."""
        return self.indexes if indexes is None else (indexes,) if isinstance(indexes, int) else tuple(indexes)

    def check(self, indexes: Any, *, window: Any = None, out_shape: Any = None, **_more: Any) -> None:
        """Raises TooMuch when a call would read more than the limit."""
        _, _, width, height = self.place(window)
        count = width * height * len(self.bands(indexes))
        if count <= self.limit:
            return
        # With an overview, GDAL reads that one.
        thinned = width / max(1, out_shape[-1]) if out_shape is not None else 1
        factor = max((f for f in self.overviews(1) if f <= thinned * 1.2), default=1)
        if count / factor**2 > self.limit:
            raise TooMuch(
                f"This would read {count / factor**2 / 1e6:,.0f} million values of {self.shown!r} at once, more than the limit of {self.limit / 1e6:,.0f}: "
                "it has no overview that is small enough. Write them (gdal_translate -of COG INPUT OUTPUT.tif), or raise TILES_MAX_READ_MPX."
            )
