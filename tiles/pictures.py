"""Source + what is asked for -> an image file, through the caches: what the router calls, without HTTP."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tiles import grid, metrics, render, values
from tiles.cache import Cache, make_etag
from tiles.disk import DiskCache
from tiles.errors import InvalidParameter
from tiles.handles import Handles
from tiles.matrix import NATIVE
from tiles.read import Pixels, read_preview, read_tile, sample_channels
from tiles.sources import inspect
from tiles.style import needs_stretch, percentile_range

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from tiles.info import RasterInfo
    from tiles.matrix import Tile
    from tiles.render import Format
    from tiles.settings import TilesSettings
    from tiles.sources import Source
    from tiles.style import Range, Style

_HEADERS = 1024
_STRETCHES = 4096


@dataclass(frozen=True, slots=True)
class Picture:
    """An image that may not have been made yet.

    Attributes:
        etag: strong, over the source's version and all that was asked for; known without opening the raster.
        kept: the bytes when they are in the cache; None otherwise.
        peek: the same, not counted.
        content: makes the bytes, or finds them in the cache.
    """

    etag: str
    kept: Callable[[], bytes | None]
    peek: Callable[[], bytes | None]
    content: Callable[[], bytes]


class Pictures:
    """Tiles and previews of any source. For many threads.

    Headers, stretches and tiles are kept by the version of the source, so a changed file is read anew. The bytes of a
    tile outside a raster's footprint come without opening it.
    """

    def __init__(self, settings: TilesSettings) -> None:
        self._settings = settings
        self._headers: Cache[RasterInfo] = Cache(_HEADERS)
        self._placements: Cache[grid.Placement] = Cache(_HEADERS)
        self._stretches: Cache[tuple[Range, ...]] = Cache(_STRETCHES)
        self._bytes: Cache[bytes] = Cache(settings.cache_mb * 2**20, len)
        self._handles = Handles(settings.max_handles)
        self._disk: DiskCache | None = None
        if settings.disk_folder is not None:
            self.keep_on_disk(settings.disk_folder)

    def knows(self, source: Source, tms: str) -> bool:
        """Whether `info` and `placement` have their answers ready: nothing need be opened."""
        return self._headers.kept(source) is not None and self._placements.kept((source, tms)) is not None

    def keep_on_disk(self, folder: Path) -> None:
        """Keep tiles in a folder as well, unless one is chosen already or the settings leave no room."""
        if self._disk is None and self._settings.disk_mb:
            self._disk = DiskCache(folder, self._settings.disk_mb * 2**20)

    def close(self) -> None:
        """Close the rasters that wait for another tile."""
        self._handles.close()

    def info(self, source: Source) -> RasterInfo:
        """The raster's header.

        Raises:
            SourceNotFound, SourceRefused, SourceUnreadable: as `tiles.sources.inspect`.
        """
        return self._headers.get(source, lambda: inspect(source, settings=self._settings))

    def placement(self, source: Source, tms: str) -> grid.Placement:
        """Where the raster lies in a tile matrix set.

        Raises:
            NotOnMap, InvalidParameter: as `tiles.grid.place`.
        """
        return self._placements.get((source, tms), lambda: grid.place(self.info(source), tms, source.name))

    def tile(self, source: Source, tile: Tile, style: Style, fmt: Format | values.Format, *, scale: int = 1) -> Picture:
        """A tile with `scale` times the pixels of its tile matrix set along each side."""
        key = ("tile", render.VERSION, source, tile, style, fmt, scale)
        if values.is_format(fmt):
            size = self.placement(source, tile.tms).matrices.level(tile.z).size * scale
            if style.channels * size * size > values.MAX_VALUES:
                raise InvalidParameter(
                    f"{style.channels} bands of {size} x {size} pixels are more values than one tile may hold ({values.MAX_VALUES:,}); "
                    "name fewer with bidx."
                )
        return self.picture(key, lambda: self._draw_tile(source, tile, style, fmt, scale))

    def preview(self, source: Source, style: Style, fmt: Format, *, max_size: int) -> Picture:
        """The whole raster on its own grid, its longest side `max_size` pixels or less."""
        key = ("preview", render.VERSION, source, style, fmt, max_size)
        return self.picture(key, lambda: self._draw_preview(source, style, fmt, max_size))

    def stretch(self, source: Source, style: Style) -> tuple[Range, ...] | None:
        """The ranges that a style comes to on a raster: its own, the automatic ones, or None for bytes as they are."""
        if not needs_stretch(self.info(source), style):
            return style.stretch
        # Kept by what is measured: styles that differ in their colors only share it.
        key = (source, style.bands, style.expression, style.unscale, style.percentiles)
        return self._stretches.get(
            key,
            lambda: tuple(
                percentile_range(channel, style.percentiles)
                for channel in sample_channels(source, style, settings=self._settings)
            ),
        )

    def shared_stretch(self, shown: Sequence[tuple[Source, Style]]) -> tuple[Range, ...]:
        """The automatic ranges of several rasters in styles of as many channels, as if they were one."""
        key = tuple(
            (source, style.bands, style.expression, style.unscale, style.percentiles) for source, style in shown
        )

        def look() -> tuple[Range, ...]:
            samples = [sample_channels(source, style, settings=self._settings) for source, style in shown]
            together = (np.concatenate(channels) for channels in zip(*samples, strict=True))
            return tuple(percentile_range(channel, shown[0][1].percentiles) for channel in together)

        return self._stretches.get(key, look)

    def read(
        self, source: Source, placement: grid.Placement, tile: Tile, style: Style, size: int, *, exact: bool = False
    ) -> Pixels | None:
        """What a raster shows in a tile, before it is painted; None when that is nothing.

        With `exact` the pixels are GDAL's, also where another decoder is faster and differs by a level.
        """
        return read_tile(
            source,
            self.info(source),
            placement,
            tile,
            style,
            size=size,
            settings=self._settings,
            handles=self._handles,
            picture=not exact,
        )

    def picture(self, key: tuple[object, ...], draw: Callable[[], bytes]) -> Picture:
        """An image that is kept by its key: all that its bytes depend on."""
        etag = make_etag(*key)

        def kept() -> bytes | None:
            content = self._bytes.kept(etag)
            (metrics.MEMORY_MISS if content is None else metrics.MEMORY_HIT).inc()
            return content

        return Picture(
            etag, kept, lambda: self._bytes.kept(etag), lambda: self._bytes.get(etag, lambda: self._found(etag, draw))
        )

    def _found(self, etag: str, draw: Callable[[], bytes]) -> bytes:
        """On the disk, or drawn and put there."""
        if self._disk is None:
            return draw()
        content = self._disk.get(etag)
        metrics.CACHE.labels("disk", "miss" if content is None else "hit").inc()
        if content is None:
            content = draw()
            self._disk.put(etag, content)
        return content

    def _draw_tile(self, source: Source, tile: Tile, style: Style, fmt: Format | values.Format, scale: int) -> bytes:
        placement = self.placement(source, tile.tms)
        size = placement.matrices.level(tile.z).size * scale
        # In the raster's own grid, what is shown are its pixels.
        exact = values.is_format(fmt) or tile.tms == NATIVE
        pixels = self.read(source, placement, tile, style, size, exact=exact)
        if values.is_format(fmt):
            if pixels is None:
                pixels = Pixels(*values.empty(self.info(source), style, size))
            return values.write(
                fmt, pixels, self.info(source), style, values.place(placement.matrices, self.info(source), tile, size)
            )
        return render.empty(fmt, size) if pixels is None else self._encode(source, style, fmt, pixels)

    def _draw_preview(self, source: Source, style: Style, fmt: Format, max_size: int) -> bytes:
        pixels = read_preview(source, self.info(source), style, max_size=max_size, settings=self._settings)
        return self._encode(source, style, fmt, pixels)

    def _encode(self, source: Source, style: Style, fmt: Format, pixels: Pixels) -> bytes:
        palette = self.info(source).palette if style.palette else None
        painted = render.paint(pixels, stretch=self.stretch(source, style), palette=palette, look=style.look)
        return render.encode(painted, fmt)
