"""What is said of a picture in tiles, whichever standard says it: its sets of tiles, their limits, and addresses."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from tiles import matrix
from tiles.crs import uri
from tiles.errors import NotOnMap
from tiles.grid import lonlat_box, place

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tiles.matrix import Bounds, MatrixSet
    from tiles.sources import RasterInfo

Limits = tuple[int, int, int, int]
"""First and last column, first and last row."""

USUAL: Final = ("WebMercatorQuad", "WorldCRS84Quad")


@dataclass(frozen=True, slots=True)
class Tileset:
    """A picture in one tile matrix set.

    Attributes:
        matrices: the set, in the units of its CRS.
        limits: of the tiles that may show something, by level; from the first that is worth a look to the one where all detail is there.
        uri: of the set's definition.
        box: around the picture, in the set's CRS.
    """

    matrices: MatrixSet
    limits: dict[int, Limits]
    uri: str
    box: Bounds


@dataclass(frozen=True, slots=True)
class Layer:
    """A picture in tiles.

    Attributes:
        id: its name in an address.
        title: as people read it.
        tilesets: where it is to be had.
        bounds: lon/lat box (CRS84), west > east across the antimeridian; None when it is not on Earth.
        template: absolute URL of a tile with `{TileMatrixSet}`, `{TileMatrix}`, `{TileCol}`, `{TileRow}` and `{format}`.
        formats: how the names of its tiles may end.
        date: RFC 3339, or None.
        members: ids of the scenes in it, in the order in which they lie.
    """

    id: str
    title: str
    tilesets: tuple[Tileset, ...]
    bounds: Bounds | None
    template: str
    formats: tuple[str, ...]
    date: str | None = None
    members: tuple[str, ...] = field(default=())

    def tile_url(self, matrices: str, fmt: str) -> str:
        """Absolute URL of the tiles in a set and a format, with `{TileMatrix}`, `{TileCol}` and `{TileRow}`."""
        return self.template.replace("{TileMatrixSet}", matrices).replace("{format}", fmt)


def tilesets_of(info: RasterInfo, name: str, native_uri: str) -> tuple[Tileset, ...]:
    """Where a raster is to be had: the usual sets, those of its own region, and its own pixels.

    Args:
        info: the raster.
        name: what to call it in a message.
        native_uri: of the definition of its own set.
    """
    box = lonlat_box(info, name)
    named = () if box is None else (*USUAL, *nearby(box))
    found = [tileset for tms in named if (tileset := _tileset(info, tms, name)) is not None]
    own = matrix.on_map(info)
    limits = {level.z: (0, level.columns - 1, 0, level.rows - 1) for level in own.levels}
    cell, left, top = own.levels[-1].cell, own.levels[0].left, own.levels[0].top
    around = (left, top - info.height * cell, left + info.width * cell, top)
    return (*found, Tileset(own, limits, native_uri, around))


def nearby(box: Bounds) -> tuple[str, ...]:
    """Sets of a zone or a pole that fit a lon/lat box: the UTM zone of its middle, or the polar set beyond 80 degrees."""
    west, south, east, north = box
    middle = (west + (east + 360 if west > east else east)) / 2
    span = (east - west) % 360
    if south >= 60:
        return ("UPSArcticWGS84Quad",)
    if north <= -60:
        return ("UPSAntarcticWGS84Quad",)
    # Their tiles begin at the equator.
    if span <= 12 and south >= 0 and north <= 84:
        return (f"UTM{int((middle + 180) % 360 // 6) + 1:02d}WGS84Quad",)
    return ()


def _tileset(info: RasterInfo, tms: str, name: str) -> Tileset | None:
    try:
        placement = place(info, tms, name)
    except NotOnMap:
        return None
    limits = {z: placement.limits(z) for z in range(placement.minzoom, placement.maxzoom + 1)}
    return Tileset(placement.matrices, limits, definition(tms), placement.box())


def definition(tms: str) -> str:
    """URI of the definition of a set that everybody knows."""
    return f"http://www.opengis.net/def/tilematrixset/OGC/1.0/{tms}"


def joined(tilesets: Iterable[tuple[Tileset, ...]]) -> tuple[Tileset, ...]:
    """The sets that hold several pictures laid over each other, with limits around all of them; no one's own pixels."""
    found: dict[str, Tileset] = {}
    for tileset in (one for several in tilesets for one in several if one.matrices.id != matrix.NATIVE):
        known = found.get(tileset.matrices.id)
        if known is not None:
            west, south, east, north = zip(known.box, tileset.box, strict=True)
            box = (min(west), min(south), max(east), max(north))
            tileset = Tileset(tileset.matrices, _around(known, tileset), tileset.uri, box)  # noqa: PLW2901
        found[tileset.matrices.id] = tileset
    return tuple(found.values())


def _around(one: Tileset, other: Tileset) -> dict[int, Limits]:
    levels = {*one.limits, *other.limits}
    around = {}
    for z in range(min(levels), max(levels) + 1):
        level = one.matrices.level(z)
        boxes = [tileset.limits.get(z) or _scaled(tileset, z, level.columns, level.rows) for tileset in (one, other)]
        low, high = zip(*boxes, strict=True), zip(*boxes, strict=True)
        first, last = [min(edge) for edge in low], [max(edge) for edge in high]
        around[z] = (first[0], last[1], first[2], last[3])
    return around


def _scaled(tileset: Tileset, z: int, columns: int, rows: int) -> Limits:
    """Limits at a level that a picture has none for: those of its nearest level, larger or smaller."""
    nearest = min(tileset.limits, key=lambda level: abs(level - z))
    here, there = tileset.matrices.level(z), tileset.matrices.level(nearest)
    share = there.side / here.side
    left, right, top, bottom = tileset.limits[nearest]
    return (
        min(int(left * share), columns - 1),
        min(int((right + 1) * share - 1e-9), columns - 1),
        min(int(top * share), rows - 1),
        min(int((bottom + 1) * share - 1e-9), rows - 1),
    )


def crs_uri(matrices: MatrixSet) -> str | None:
    """URI of a set's CRS, where it has one."""
    return None if matrices.crs is None else uri(matrices.crs)
