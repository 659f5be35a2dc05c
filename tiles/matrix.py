"""Tile matrix sets: those that everybody knows, and the grid of a raster's own pixels."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import morecantile

from tiles.crs import is_cylindrical, metres
from tiles.errors import InvalidParameter, OutsideMatrix

if TYPE_CHECKING:
    from tiles.info import RasterInfo

Bounds = tuple[float, float, float, float]
"""(min x, min y, max x, max y)."""

TILE_SIZE: Final = 256
"""Pixels along the side of a tile, unless its set says otherwise; `@2x` has twice as many."""

TWICE: Final = "x2"
"""How the name of a set ends whose tiles are those of another one, with twice as many pixels along each side."""

NATIVE: Final = "native"
"""The name of the set whose tiles are cut from a raster's own pixels: each raster has its own."""

_UTM: Final = re.compile(r"UTM(0[1-9]|[1-5][0-9]|60)WGS84Quad\Z")


@dataclass(frozen=True, slots=True)
class Tile:
    """One cell of a tile matrix set.

    Attributes:
        tms: name of the tile matrix set.
        z: matrix (zoom level).
        x: column, from the west.
        y: row, from the north.
    """

    tms: str
    z: int
    x: int
    y: int


@dataclass(frozen=True, slots=True)
class Level:
    """One matrix of a set.

    Attributes:
        z: its name.
        cell: side of a pixel, in units of the set's CRS.
        left: x of the upper left corner.
        top: y of the upper left corner.
        size: pixels along the side of a tile.
        columns: of tiles.
        rows: of tiles.
        denominator: of the scale, with the pixels of 0.28 mm that the OGC supposes.
        wider: (first row, last row, how many columns become one) where tiles are wider, towards the poles.
    """

    z: int
    cell: float
    left: float
    top: float
    size: int
    columns: int
    rows: int
    denominator: float
    wider: tuple[tuple[int, int, int], ...] = ()

    @property
    def side(self) -> float:
        """Side of a tile, in units of the set's CRS."""
        return self.cell * self.size


@dataclass(frozen=True, slots=True)
class MatrixSet:
    """A tile matrix set.

    Attributes:
        id: its name in an address.
        title: as people read it.
        crs: name or WKT of its CRS; None for the pixels of a raster: x = column, y = -row.
        levels: the matrices, coarsest first.
        cylindrical: whether it goes around the world, so that a raster may show at both its edges.
    """

    id: str
    title: str
    crs: str | None
    levels: tuple[Level, ...]
    cylindrical: bool

    @property
    def minzoom(self) -> int:
        """Its coarsest level."""
        return self.levels[0].z

    @property
    def maxzoom(self) -> int:
        """Its finest level."""
        return self.levels[-1].z

    def level(self, z: int) -> Level:
        """The level of that name, which it must have."""
        return self.levels[z - self.levels[0].z]

    def tile(self, z: int, x: int, y: int) -> Tile:
        """Check an address.

        Raises:
            OutsideMatrix: no such tile in it.
        """
        if not self.minzoom <= z <= self.maxzoom:
            raise OutsideMatrix(f"{self.id} has the zoom levels {self.minzoom} to {self.maxzoom}, got {z}.")
        level = self.level(z)
        if not (0 <= x < level.columns and 0 <= y < level.rows):
            raise OutsideMatrix(
                f"{self.id} has {level.columns} columns and {level.rows} rows at zoom {z}, got x={x}, y={y}."
            )
        return Tile(self.id, z, x, y)

    def bounds(self, tile: Tile) -> Bounds:
        """A tile's box, in the set's CRS."""
        level = self.level(tile.z)
        side, x, across = level.side, tile.x, 1
        for first, last, columns in level.wider:
            if first <= tile.y <= last:
                x, across = x - x % columns, columns
        left, top = level.left + x * side, level.top - tile.y * side
        return (left, level.top - (tile.y + 1) * side, level.left + (x + across) * side, top)

    def extent(self) -> Bounds:
        """The box of all its tiles, at its coarsest level."""
        level = self.levels[0]
        right, bottom = level.left + level.columns * level.side, level.top - level.rows * level.side
        return (level.left, bottom, right, level.top)


def names() -> tuple[str, ...]:
    """The sets that everybody knows, the most used first.

    `UTM01WGS84Quad` to `UTM60WGS84Quad` are found as well, and each of them with `x2` behind its name.
    """
    first = ("WebMercatorQuad", "WorldCRS84Quad")
    return (*first, *(name for name in sorted(morecantile.tms.list()) if name not in first))


@lru_cache(maxsize=128)
def find(name: str) -> MatrixSet:
    """The set of that name.

    Raises:
        InvalidParameter: there is none.
    """
    if name.endswith(TWICE) and not name.removesuffix(TWICE).endswith(TWICE):
        return twice(find(name.removesuffix(TWICE)))
    zone = _UTM.match(name)
    if zone is None and name not in morecantile.tms.list():
        raise InvalidParameter(
            f"The tile matrix set {name[:64]!r} is not served; expected {NATIVE}, {', '.join(names())} or that of another UTM zone."
        )
    # The OGC defines the sets of all zones alike.
    found = morecantile.tms.get("UTM31WGS84Quad" if zone else name)
    crs = f"EPSG:326{zone[1]}" if zone else ":".join(found.crs._pyproj_crs.to_authority())  # noqa: SLF001 - it has no other name for it
    levels = []
    for matrix in found.tileMatrices:
        z = int(matrix.id)
        # morecantile knows in which order each set writes its corner.
        left, top = found._matrix_origin(matrix)  # noqa: SLF001 - the bounds of a tile, which it gives, are rounded
        wider = tuple((row.minTileRow, row.maxTileRow, row.coalesce) for row in matrix.variableMatrixWidths or ())
        levels.append(
            Level(
                z,
                float(matrix.cellSize),
                float(left),
                float(top),
                int(matrix.tileWidth),
                int(matrix.matrixWidth),
                int(matrix.matrixHeight),
                float(matrix.scaleDenominator),
                wider,
            )
        )
    title = f"Universal Transverse Mercator zone {int(zone[1])}" if zone else str(found.title or name)
    return MatrixSet(name, title, crs, tuple(sorted(levels, key=lambda level: level.z)), is_cylindrical(crs))


def twice(matrices: MatrixSet) -> MatrixSet:
    """The same tiles with twice as many pixels along each side: 512 where there were 256."""
    levels = tuple(
        replace(level, cell=level.cell / 2, size=level.size * 2, denominator=level.denominator / 2)
        for level in matrices.levels
    )
    title = f"{matrices.title}, tiles of {levels[0].size} pixels"
    return replace(matrices, id=matrices.id + TWICE, title=title, levels=levels)


def native(info: RasterInfo) -> MatrixSet:
    """The grid of a raster's own pixels: at the finest level a tile is a window of the file, untouched.

    Level z shows 2^(finest - z) by as many pixels as one; at level 0 the whole raster is one tile.
    """
    finest = math.ceil(math.log2(max(info.width, info.height, TILE_SIZE) / TILE_SIZE))
    levels = []
    for z in range(finest + 1):
        cell = 2 ** (finest - z)
        columns, rows = (math.ceil(side / (cell * TILE_SIZE)) for side in (info.width, info.height))
        levels.append(Level(z, float(cell), 0.0, 0.0, TILE_SIZE, columns, rows, cell / 0.28e-3))
    return MatrixSet(NATIVE, "The pixels of the scene", None, tuple(levels), cylindrical=False)


def is_upright(info: RasterInfo) -> bool:
    """Whether a raster's pixels are square and its rows run from west to east, the northern first."""
    a, b, _, d, e, _ = info.transform
    return info.crs_wkt is not None and not info.gcps and b == d == 0 and a > 0 and abs(a + e) <= 1e-9 * a


def on_map(info: RasterInfo) -> MatrixSet:
    """The same set as `native` gives, in the raster's CRS where that can be said: when it is upright."""
    own = native(info)
    if not is_upright(info):
        return own
    pixel, _, left, _, _, top = info.transform
    name = info.crs or str(info.crs_wkt)
    levels = tuple(
        replace(
            level, cell=level.cell * pixel, left=left, top=top, denominator=level.cell * pixel * metres(name) / 0.28e-3
        )
        for level in own.levels
    )
    return replace(own, crs=name, levels=levels)
