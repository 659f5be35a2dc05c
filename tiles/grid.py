"""Tile matrix sets: tile <-> bounds <-> pixels, zoom range, TileJSON."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import morecantile
import numpy as np
from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError, ProjError

from tiles.errors import InvalidParameter, NotOnMap, OutsideMatrix

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tiles.sources import RasterInfo

Bounds = tuple[float, float, float, float]
"""(min x, min y, max x, max y)."""

TILE_MATRIX_SETS: Final = {"WebMercatorQuad": "EPSG:3857"}
"""What is served: the OGC's name of a tile matrix set, and its CRS."""

TILE_SIZE: Final = 256
"""Pixels along the side of a tile; `@2x` has twice as many."""

_LONLAT: Final = "OGC:CRS84"
_ZOOM_OUT: Final = 3
# Degrees: a raster that reaches over the antimeridian by a rounding error does not cross it.
_LEAST: Final = 1e-6


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
class Piece:
    """A part of a footprint that does not cross the antimeridian.

    Attributes:
        bounds: lon/lat box (CRS84), longitudes within -180..180.
        shift: what to add to a longitude of the raster's own CRS to come into this box: 0, or +-360 degrees for the part of
            a geographic raster that goes on beyond its antimeridian (190 E, or a 0..360 grid).
    """

    bounds: Bounds
    shift: int = 0


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a raster lies in a tile matrix set.

    Attributes:
        bounds: lon/lat box (CRS84) of the footprint; west > east when it crosses the antimeridian.
        pieces: the same, cut at the antimeridian.
        minzoom: a few levels further out than the zoom at which the whole raster is about one tile.
        maxzoom: the first zoom at which no detail is lost.
    """

    bounds: Bounds
    pieces: tuple[Piece, ...]
    minzoom: int
    maxzoom: int

    def shifts(self, tile: Tile) -> tuple[int, ...]:
        """Under which longitude shifts the raster's box touches the tile; empty when the tile lies outside."""
        west, south, east, north = lonlat_bounds(tile)
        touching = {
            piece.shift
            for piece in self.pieces
            if piece.bounds[0] < east and piece.bounds[2] > west and piece.bounds[1] < north and piece.bounds[3] > south
        }
        return tuple(sorted(touching))


@lru_cache(maxsize=8)
def _matrix_set(name: str) -> morecantile.TileMatrixSet:
    if name not in TILE_MATRIX_SETS:
        raise InvalidParameter(
            f"The tile matrix set {name[:64]!r} is not served; expected {' or '.join(TILE_MATRIX_SETS)}."
        )
    return morecantile.tms.get(name)


def check_tile_matrix_set(name: str) -> None:
    """Raises InvalidParameter unless a tile matrix set of that name is served."""
    _matrix_set(name)


def make_tile(tms: str, z: int, x: int, y: int) -> Tile:
    """Check an address.

    Raises:
        InvalidParameter: no such tile matrix set.
        OutsideMatrix: no such tile in it.
    """
    matrices = _matrix_set(tms)
    if not matrices.minzoom <= z <= matrices.maxzoom:
        raise OutsideMatrix(f"{tms} has the zoom levels {matrices.minzoom} to {matrices.maxzoom}, got {z}.")
    matrix = matrices.matrix(z)
    if not (0 <= x < matrix.matrixWidth and 0 <= y < matrix.matrixHeight):
        raise OutsideMatrix(
            f"{tms} has {matrix.matrixWidth} columns and {matrix.matrixHeight} rows at zoom {z}, got x={x}, y={y}."
        )
    return Tile(tms, z, x, y)


def tile_crs(tms: str) -> str:
    """Name of the CRS that the tiles are in."""
    return TILE_MATRIX_SETS[tms]


def tile_bounds(tile: Tile) -> Bounds:
    """The tile's box, in the CRS of its tile matrix set."""
    left, top, side = _corner(tile.tms, tile.z)
    return (left + tile.x * side, top - (tile.y + 1) * side, left + (tile.x + 1) * side, top - tile.y * side)


@lru_cache(maxsize=1024)
def _corner(tms: str, z: int) -> tuple[float, float, float]:
    """West and north of a matrix, and the side of its tiles, in units of its CRS."""
    matrix = _matrix_set(tms).matrix(z)
    west, north = matrix.pointOfOrigin
    return float(west), float(north), float(matrix.cellSize * matrix.tileWidth)


def lonlat_bounds(tile: Tile) -> Bounds:
    """The tile's lon/lat box (CRS84)."""
    left, bottom, right, top = tile_bounds(tile)
    lon, lat = _transformer(tile_crs(tile.tms), _LONLAT).transform([left, right], [bottom, top])
    return (lon[0], lat[0], lon[1], lat[1])


@lru_cache(maxsize=256)
def _transformer(source: str, target: str) -> Transformer:
    # Kept per pair; pyproj gives every thread its own copy inside.
    return Transformer.from_crs(source, target, always_xy=True)


def _pixel_to_map(info: RasterInfo, columns: Any, rows: Any) -> tuple[Any, Any]:
    a, b, c, d, e, f = info.transform
    return a * columns + b * rows + c, d * columns + e * rows + f


def place(info: RasterInfo, tms: str, name: str) -> Placement:
    """Find a raster's place in a tile matrix set.

    Args:
        info: the raster.
        tms: name of the tile matrix set.
        name: what to call the raster in a message.

    Raises:
        NotOnMap: it has no CRS, only ground control points, or a CRS that has no way to this tile matrix set.
    """
    if info.crs_wkt is None:
        why = (
            f"it is placed by {info.gcps} ground control points only; warp it first (gdalwarp -t_srs EPSG:n INPUT OUTPUT.tif)"
            if info.gcps
            else "it has no coordinate reference system; give it one (gdal_edit.py -a_srs EPSG:n FILE) if you know which"
        )
        raise NotOnMap(f"{name!r} has no place on the map: {why}.")
    corners = _pixel_to_map(info, np.array([0, info.width, info.width, 0]), np.array([0, 0, info.height, info.height]))
    box = (float(corners[0].min()), float(corners[1].min()), float(corners[0].max()), float(corners[1].max()))
    try:
        # Across the antimeridian transform_bounds gives west > east; around a pole it gives all longitudes.
        bounds = _transformer(info.crs_wkt, _LONLAT).transform_bounds(*box, densify_pts=21, errcheck=True)
        goes_around = CRS.from_wkt(info.crs_wkt).is_geographic and (box[0] < -180 - _LEAST or box[2] > 180 + _LEAST)
    except (CRSError, ProjError) as error:
        raise NotOnMap(
            f"{name!r} has no place in {tms}, which is on Earth, in longitude and latitude: {_reason(error)}."
        ) from error
    if not all(map(math.isfinite, bounds)):
        raise NotOnMap(f"{name!r} has no place in {tms}: its corners have no finite longitude and latitude.")
    pieces = _pieces_around(box) if goes_around else _pieces(bounds)
    maxzoom = _zoom_for(info, tms)
    fit = maxzoom - math.ceil(math.log2(max(info.width, info.height, TILE_SIZE) / TILE_SIZE))
    return Placement(_wrapped(box) if goes_around else bounds, pieces, max(fit - _ZOOM_OUT, 0), maxzoom)


def _reason(error: Exception) -> str:
    """PROJ's own sentence, without the names of its functions and its hints on environment variables."""
    text = re.split(r"proj_\w+: ", str(error))[-1]
    return text.split(". You may")[0].rstrip(".) ") + (")" if "(" in text else "")


def _pieces(bounds: Bounds) -> tuple[Piece, ...]:
    west, south, east, north = bounds
    if west <= east:
        return (Piece(bounds),)
    return (Piece((west, south, 180.0, north)), Piece((-180.0, south, east, north)))


def _pieces_around(box: Bounds) -> tuple[Piece, ...]:
    """The pieces of a geographic raster that goes on beyond longitude 180: 170..190, or 0..360."""
    west, south, east, north = box
    shifted = ((max(west + shift, -180.0), min(east + shift, 180.0), shift) for shift in (-360, 0, 360))
    return tuple(Piece((left, south, right, north), shift) for left, right, shift in shifted if right - left > _LEAST)


def _wrapped(box: Bounds) -> Bounds:
    """The same, as a box within -180..180; west > east across the antimeridian."""
    west, south, east, north = box
    if east - west >= 360:
        return (-180.0, south, 180.0, north)
    return ((west + 180) % 360 - 180, south, (east + 180) % 360 - 180, north)


def _zoom_for(info: RasterInfo, tms: str) -> int:
    """The first zoom at which no detail of the raster's centre is lost (to within 7 %)."""
    matrices = _matrix_set(tms)
    column, row = info.width / 2, info.height / 2
    x, y = _pixel_to_map(info, np.array([column, column + 1, column]), np.array([row, row, row + 1]))
    x, y = _transformer(info.crs_wkt or "", tile_crs(tms)).transform(x, y)
    native = float(np.hypot(x[1:] - x[0], y[1:] - y[0]).min())
    if not (math.isfinite(native) and native > 0):
        return int(matrices.maxzoom)
    zoom = math.ceil(math.log2(float(matrices.matrix(0).cellSize) / native) - 0.1)
    return min(max(zoom, 0), int(matrices.maxzoom))


def pixel_of(info: RasterInfo, lon: float, lat: float, name: str) -> tuple[float, float]:
    """Continuous (column, row) of a place in a raster; may lie outside it.

    Raises:
        NotOnMap: the raster has no place on Earth.
    """
    x, y = _to_earth(info, name).transform(lon, lat, direction="INVERSE")
    a, b, c, d, e, f = info.transform
    columns = []
    for turn in (0, 360, -360) if info.crs_wkt and CRS.from_wkt(info.crs_wkt).is_geographic else (0,):
        u, v = x + turn - c, y - f
        columns.append(((e * u - b * v) / (a * e - b * d), (a * v - d * u) / (a * e - b * d)))
    return next(((i, j) for i, j in columns if 0 <= i < info.width), columns[0])


def lonlat_of(info: RasterInfo, pixels: NDArray[np.float64], name: str) -> NDArray[np.float64]:
    """Longitude and latitude (n, 2) of continuous (column, row) positions (n, 2) in a raster.

    Raises:
        NotOnMap: the raster has no place on Earth.
    """
    x, y = _pixel_to_map(info, pixels[:, 0], pixels[:, 1])
    return np.stack(_to_earth(info, name).transform(x, y), axis=1)


def _to_earth(info: RasterInfo, name: str) -> Transformer:
    if info.crs_wkt is None:
        raise NotOnMap(f"{name!r} has no place on Earth: it has no coordinate reference system.")
    try:
        return _transformer(info.crs_wkt, _LONLAT)
    except (CRSError, ProjError) as error:
        raise NotOnMap(f"{name!r} has no place on Earth: {_reason(error)}.") from error


@dataclass(frozen=True, slots=True)
class Locator:
    """The way from the CRS of a tile matrix set to a raster's pixels, by PROJ: `tiles.warp.Locator`.

    Attributes:
        info: the raster.
        tms: name of the tile matrix set.
        shift: of the piece that is drawn, in degrees of longitude (see Piece).
    """

    info: RasterInfo
    tms: str
    shift: int

    def __call__(self, x: NDArray[np.float64], y: NDArray[np.float64], /) -> NDArray[np.float64]:
        """Continuous positions (2, ...) in the raster, columns first; not finite where it has no place."""
        x, y = _transformer(tile_crs(self.tms), self.info.crs_wkt or "").transform(x, y)
        a, b, c, d, e, f = self.info.transform
        x, y = x - self.shift - c, y - f
        determinant = a * e - b * d
        with np.errstate(invalid="ignore"):  # infinite where PROJ knows no way
            return np.stack([(e * x - b * y) / determinant, (a * y - d * x) / determinant])


def tilejson(placement: Placement, template: str, name: str) -> dict[str, Any]:
    """The TileJSON 3.0.0 document of a raster.

    Bounds in TileJSON must not wrap around the antimeridian: a raster that crosses it gets all longitudes.

    Args:
        placement: where it lies.
        template: absolute URL with `{z}`, `{x}` and `{y}`.
        name: as people read it.
    """
    west, south, east, north = placement.bounds
    crosses = west > east
    # Web Mercator ends at this latitude.
    south, north = max(south, -85.051129), min(north, 85.051129)
    lon = (west + (east + 360 if crosses else east)) / 2
    return {
        "tilejson": "3.0.0",
        "name": name,
        "scheme": "xyz",
        "tiles": [template],
        "minzoom": placement.minzoom,
        "maxzoom": placement.maxzoom,
        "bounds": [-180.0 if crosses else west, south, 180.0 if crosses else east, north],
        "center": [(lon + 180) % 360 - 180, (south + north) / 2, min(placement.minzoom + _ZOOM_OUT, placement.maxzoom)],
    }
