"""What is said of a picture in tiles, whichever standard says it: its sets of tiles, their limits, and addresses."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from tiles import matrix
from tiles.crs import uri
from tiles.errors import NotOnMap
from tiles.grid import lonlat_box, place

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tiles.grid import Placement
    from tiles.info import RasterInfo
    from tiles.matrix import Bounds, MatrixSet

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


def twice(tileset: Tileset) -> Tileset:
    """The same in tiles of twice as many pixels, which show all detail a level earlier."""
    first, *more = tileset.limits
    limits = {z: tileset.limits[z] for z in (first, *more[:-1])}
    return Tileset(matrix.twice(tileset.matrices), limits, tileset.uri, tileset.box)


def definition(tms: str) -> str:
    """URI of the definition of a set that everybody knows."""
    return f"http://www.opengis.net/def/tilematrixset/OGC/1.0/{tms}"


def common(placements: Sequence[Placement]) -> Tileset:
    """Several pictures, laid over each other, in the one set in which they are placed."""
    matrices = placements[0].matrices
    boxes = np.array([placement.box() for placement in placements])
    levels = range(min(one.minzoom for one in placements), max(one.maxzoom for one in placements) + 1)
    limits = {}
    for z in levels:
        left, right, top, bottom = np.array([placement.limits(z) for placement in placements]).T
        limits[z] = (int(left.min()), int(right.max()), int(top.min()), int(bottom.max()))
    low, high = boxes.min(axis=0), boxes.max(axis=0)
    box = (float(low[0]), float(low[1]), float(high[2]), float(high[3]))
    return Tileset(matrices, limits, definition(matrices.id), box)


def around(boxes: Sequence[Bounds]) -> Bounds | None:
    """The lon/lat box around several; all longitudes when one of them crosses the antimeridian and another does not."""
    if not boxes:
        return None
    south, north = min(box[1] for box in boxes), max(box[3] for box in boxes)
    crossing = [box for box in boxes if box[0] > box[2]]
    if crossing and len(crossing) < len(boxes):
        return (-180.0, south, 180.0, north)
    return (min(box[0] for box in boxes), south, max(box[2] for box in boxes), north)


def crs_uri(matrices: MatrixSet) -> str | None:
    """URI of a set's CRS, where it has one."""
    return None if matrices.crs is None else uri(matrices.crs)
