"""Many tiles of one scene at once: drawn ahead for a server's cache, or into one PMTiles file for where there is no network."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs

from pmtiles.tile import Compression, TileType, zxy_to_tileid
from pmtiles.writer import Writer

from tiles import render
from tiles.errors import InvalidParameter
from tiles.style import PARAMETERS, Style, make_style

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from tiles.grid import Placement
    from tiles.info import RasterInfo
    from tiles.matrix import Tile
    from tiles.pictures import Pictures
    from tiles.render import Format
    from tiles.sources import Source

    Progress = Callable[[int, int], None]

TMS: Final = "WebMercatorQuad"
"""The tile matrix set that maps ask for, and the only one that PMTiles holds."""

_TYPES: Final = {"png": TileType.PNG, "jpg": TileType.JPEG, "webp": TileType.WEBP}
_BATCH: Final = 64


def read_zooms(text: str | None, placement: Placement) -> range:
    """Zoom levels: `8-14`, `12`, or all that show the scene when None.

    Raises:
        InvalidParameter: not of that form, or beyond the tile matrix set.
    """
    if text is None:
        return range(placement.minzoom, placement.maxzoom + 1)
    first, _, last = text.partition("-")
    matrices = placement.matrices
    if not (first.isdigit() and (last or first).isdigit() and len(text) <= 5):
        raise InvalidParameter(
            f"The zoom levels {text[:32]!r} cannot be read: expected one, or first-last, such as 8-14."
        )
    low, high = int(first), int(last or first)
    if not matrices.minzoom <= low <= high <= matrices.maxzoom:
        raise InvalidParameter(
            f"The zoom levels {text!r} cannot be used: expected {matrices.minzoom} to {matrices.maxzoom}, the first not above the last."
        )
    return range(low, high + 1)


def read_look(info: RasterInfo, query: str) -> Style:
    """A style as the query of a tile's address has it: `preset=ndvi&colormap=rdylgn`.

    Raises:
        InvalidParameter: a parameter that does not exist, or a value that cannot be used.
    """
    given = parse_qs(query, keep_blank_values=True, strict_parsing=False)
    unknown = sorted(set(given) - set(PARAMETERS))
    if unknown:
        raise InvalidParameter(
            f"The parameter {unknown[0][:64]!r} is not known; expected any of {', '.join(PARAMETERS)}."
        )
    wanted: dict[str, Any] = {name: given.get(name, []) for name in PARAMETERS}
    return make_style(info, **wanted)


def count_tiles(placement: Placement, zooms: Iterable[int]) -> int:
    """How many tiles at most show a scene."""
    total = 0
    for z in zooms:
        left, right, top, bottom = placement.limits(z)
        total += (right - left + 1) * (bottom - top + 1)
    return total


def _cover(placement: Placement, zooms: Iterable[int]) -> Iterator[Tile]:
    for z in zooms:
        left, right, top, bottom = placement.limits(z)
        places = ((x, y) for y in range(top, bottom + 1) for x in range(left, right + 1))
        # In the order of a PMTiles file: neighbours stand together there.
        for x, y in sorted(places, key=lambda place, z=z: zxy_to_tileid(z, *place)):  # type: ignore[misc]
            tile = placement.matrices.tile(z, x, y)
            if placement.shifts(tile):
                yield tile


def draw(
    pictures: Pictures, source: Source, style: Style, fmt: Format, *, zooms: range, progress: Progress
) -> Iterator[tuple[Tile, bytes]]:
    """Draw, or find in the caches, every tile that may show a scene, on all cores.

    Args:
        pictures: draws and keeps.
        source: the raster.
        style: as it is shown.
        fmt: of the files.
        zooms: levels.
        progress: called with how many are done, and of how many.

    Raises:
        NotOnMap, SourceNotFound, SourceRefused, SourceUnreadable: as of a tile.
    """
    placement = pictures.placement(source, TMS)
    total, done = count_tiles(placement, zooms), 0
    progress(0, total)
    tiles = _cover(placement, zooms)
    with ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="offline") as threads:
        while batch := list(islice(tiles, _BATCH)):
            yield from zip(
                batch, threads.map(lambda tile: pictures.tile(source, tile, style, fmt).content(), batch), strict=True
            )
            done += len(batch)
            progress(done, total)
    progress(total, total)


def write_pmtiles(
    path: Path, tiles: Iterable[tuple[Tile, bytes]], placement: Placement, name: str, fmt: Format
) -> tuple[int, int]:
    """Write tiles into one PMTiles file; where nothing shows there is no tile.

    Args:
        path: of the file; it is there only when it is whole.
        tiles: of `TMS`.
        placement: of the scene.
        name: as people read it.
        fmt: of the tiles.

    Returns:
        How many tiles it holds, and its size in bytes.

    Raises:
        InvalidParameter: nothing shows at these zooms.
        OSError: it cannot be written.
    """
    empty = render.empty(fmt, placement.matrices.levels[0].size)
    west, south, east, north = placement.bounds or (-180.0, -85.0, 180.0, 85.0)
    if west > east:  # over the antimeridian
        west, east = -180.0, 180.0
    count, lowest, highest = 0, 99, 0
    staged = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with staged.open("wb") as file:
            writer: Any = Writer(file)  # type: ignore[no-untyped-call]
            for tile, content in tiles:
                if content != empty:
                    writer.write_tile(zxy_to_tileid(tile.z, tile.x, tile.y), content)
                    count, lowest, highest = count + 1, min(lowest, tile.z), max(highest, tile.z)
            if not count:
                raise InvalidParameter("Nothing of the scene shows at these zoom levels; there is no file to write.")
            header = {
                "tile_type": _TYPES[fmt],
                "tile_compression": Compression.NONE,
                "min_lon_e7": round(west * 1e7),
                "min_lat_e7": round(south * 1e7),
                "max_lon_e7": round(east * 1e7),
                "max_lat_e7": round(north * 1e7),
                "center_zoom": min(lowest + 3, highest),
                "center_lon_e7": round((west + east) / 2 * 1e7),
                "center_lat_e7": round((south + north) / 2 * 1e7),
            }
            writer.finalize(
                header, {"name": name, "type": "overlay", "format": fmt, "minzoom": lowest, "maxzoom": highest}
            )
            file.flush()
            os.fsync(file.fileno())
        staged.replace(path)
    finally:
        staged.unlink(missing_ok=True)
    return count, path.stat().st_size
