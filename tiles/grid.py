"""Where a raster lies in a tile matrix set: footprint, zoom range, and the way from a tile to its pixels."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from pyproj.exceptions import ProjError

from tiles import crs
from tiles.errors import NotOnMap
from tiles.georef import locate
from tiles.matrix import NATIVE, TILE_SIZE, Bounds, find, native

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tiles.georef import Georef
    from tiles.info import RasterInfo
    from tiles.matrix import MatrixSet, Tile
    from tiles.warp import Locator

_ZOOM_OUT: Final = 3
# Degrees: a raster that reaches over the antimeridian by a rounding error does not cross it.
_LEAST: Final = 1e-6
# Where Mercator's y is not infinite yet.
_NORTHMOST: Final = 89.99
_ALONG: Final = 33


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a footprint that does not cross the antimeridian.

    Attributes:
        bounds: its box, in the CRS of the tile matrix set.
        shift: what to add to a longitude of the raster's own CRS to come into this box: 0, or +-360 degrees for the part of
            a geographic raster that goes on beyond its antimeridian (190 E, or a 0..360 grid).
    """

    bounds: Bounds
    shift: int = 0


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a raster lies in a tile matrix set.

    Attributes:
        matrices: the set.
        georef: the raster's way to the map; None in the set of its own pixels.
        bounds: lon/lat box (CRS84) of the footprint; west > east when it crosses the antimeridian; None when it is not on Earth.
        pieces: what the tiles may show of it.
        minzoom: a few levels further out than the zoom at which the whole raster is about one tile.
        maxzoom: the first zoom at which no detail is lost.
    """

    matrices: MatrixSet
    georef: Georef | None
    bounds: Bounds | None
    pieces: tuple[Piece, ...]
    minzoom: int
    maxzoom: int

    def shifts(self, tile: Tile) -> tuple[int, ...]:
        """Under which longitude shifts the raster's box touches the tile; empty when the tile lies outside."""
        west, south, east, north = self.matrices.bounds(tile)
        touching = {
            piece.shift
            for piece in self.pieces
            if piece.bounds[0] < east and piece.bounds[2] > west and piece.bounds[1] < north and piece.bounds[3] > south
        }
        return tuple(sorted(touching))

    def locator(self, shift: int) -> Locator:
        """The way from the set's CRS to the raster's pixels, for the piece of that shift."""
        if self.georef is None or self.matrices.crs is None:
            return own_pixels
        return OnMap(self.georef, self.matrices.crs, shift)

    def box(self) -> Bounds:
        """Around all pieces, in the CRS of the tile matrix set."""
        west, south, east, north = (
            edge(piece.bounds[i] for piece in self.pieces) for i, edge in enumerate((min, min, max, max))
        )
        return west, south, east, north

    def limits(self, z: int) -> tuple[int, int, int, int]:
        """First and last column, first and last row of the tiles of a level that may show something."""
        level = self.matrices.level(z)
        west, south, east, north = self.box()
        first = (math.floor((west - level.left) / level.side), math.floor((level.top - north) / level.side))
        last = (math.ceil((east - level.left) / level.side) - 1, math.ceil((level.top - south) / level.side) - 1)
        columns, rows = (
            (min(max(low, 0), count - 1), min(max(high, 0), count - 1))
            for low, high, count in zip(first, last, (level.columns, level.rows), strict=True)
        )
        return (*columns, *rows)


def place(info: RasterInfo, tms: str, name: str) -> Placement:
    """Find a raster's place in a tile matrix set.

    Args:
        info: the raster.
        tms: name of the tile matrix set.
        name: what to call the raster in a message.

    Raises:
        NotOnMap: it has no CRS and no ground control points, or no way to this tile matrix set.
        InvalidParameter: there is no such set.
    """
    if tms == NATIVE:
        matrices = native(info)
        whole = Piece((0.0, -float(info.height), float(info.width), 0.0))
        return Placement(matrices, None, lonlat_box(info, name), (whole,), 0, matrices.maxzoom)
    matrices = find(tms)
    assert matrices.crs is not None
    georef = locate(info, name)
    try:
        bounds, pieces = _on_earth(info, georef)
        if matrices.cylindrical:
            pieces = tuple(Piece(_box_in(piece.bounds, matrices.crs), piece.shift) for piece in pieces)
        else:
            pieces = tuple(Piece(_outline_in(info, georef, matrices), piece.shift) for piece in pieces)
        maxzoom = _zoom_for(info, georef, matrices)
    except ProjError as error:
        raise NotOnMap(
            f"{name!r} has no place in {tms}, which is on Earth, in longitude and latitude: {crs.reason(error)}. Its own pixels "
            f"are served in the tile matrix set {NATIVE}."
        ) from error
    if not all(map(math.isfinite, bounds)):
        raise NotOnMap(f"{name!r} has no place in {tms}: its corners have no finite longitude and latitude.")
    fit = maxzoom - math.ceil(math.log2(max(info.width, info.height, TILE_SIZE) / TILE_SIZE))
    return Placement(matrices, georef, bounds, pieces, max(fit - _ZOOM_OUT, matrices.minzoom), maxzoom)


def lonlat_box(info: RasterInfo, name: str) -> Bounds | None:
    """The lon/lat box (CRS84) of a raster, west > east across the antimeridian; None when it is not on Earth."""
    try:
        bounds, _ = _on_earth(info, locate(info, name))
    except (NotOnMap, ProjError):
        return None
    return bounds if all(map(math.isfinite, bounds)) else None


def _on_earth(info: RasterInfo, georef: Georef) -> tuple[Bounds, tuple[Piece, ...]]:
    """The box in longitude and latitude, and its pieces, there as well."""
    x, y = georef.to_map(*_edge(info))
    box = (float(x.min()), float(y.min()), float(x.max()), float(y.max()))
    # Across the antimeridian transform_bounds gives west > east; around a pole it gives all longitudes.
    bounds = crs.transformer(georef.crs, crs.LONLAT).transform_bounds(*box, densify_pts=21, errcheck=True)
    if crs.is_geographic(georef.crs) and (box[0] < -180 - _LEAST or box[2] > 180 + _LEAST):
        return _wrapped(box), _pieces_around(box)
    return bounds, _pieces(bounds)


def _edge(info: RasterInfo) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Positions (n,) around a raster's edge and across it."""
    line = np.linspace(0, 1, _ALONG)
    columns, rows = np.meshgrid(line * info.width, line * info.height)
    return columns.ravel(), rows.ravel()


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


def _box_in(bounds: Bounds, name: str) -> Bounds:
    """A lon/lat box in a cylindrical CRS, where it is a box as well."""
    west, south, east, north = bounds
    x, y = crs.transformer(crs.LONLAT, name).transform(
        [west, east], [max(south, -_NORTHMOST), min(north, _NORTHMOST)], errcheck=True
    )
    return (x[0], y[0], x[1], y[1])


def _outline_in(info: RasterInfo, georef: Georef, matrices: MatrixSet) -> Bounds:
    """The box of a raster in any other CRS; that of all tiles where some of the raster has no place there."""
    assert matrices.crs is not None
    way = crs.transformer(georef.crs, matrices.crs)
    x, y = georef.to_map(*_edge(info))
    there = way.transform(x, y)
    back = way.transform(*there, direction="INVERSE")
    step = float(np.hypot(np.ptp(x), np.ptp(y))) / 1000
    if not (np.isfinite(there).all() and np.hypot(back[0] - x, back[1] - y).max() < step):
        return matrices.extent()
    low, high = np.min(there, axis=1), np.max(there, axis=1)
    # Between the positions that were looked at, an edge may bulge.
    margin = (high - low) / _ALONG
    low, high = low - margin, high + margin
    return (float(low[0]), float(low[1]), float(high[0]), float(high[1]))


def _zoom_for(info: RasterInfo, georef: Georef, matrices: MatrixSet) -> int:
    """The first zoom at which no detail of the raster's centre is lost (to within 7 %)."""
    column, row = info.width / 2, info.height / 2
    x, y = georef.to_map(np.array([column, column + 1, column]), np.array([row, row, row + 1]))
    x, y = crs.transformer(georef.crs, str(matrices.crs)).transform(x, y)
    native_size = float(np.hypot(x[1:] - x[0], y[1:] - y[0]).min())
    if not (math.isfinite(native_size) and native_size > 0):
        return matrices.maxzoom
    # A hair of slack: a seventh of a level is not worth four times the tiles.
    fine_enough = [level.z for level in matrices.levels if level.cell <= native_size * 2**0.1]
    return fine_enough[0] if fine_enough else matrices.maxzoom


def pixel_of(info: RasterInfo, lon: float, lat: float, name: str) -> tuple[float, float]:
    """Continuous (column, row) of a place in a raster; may lie outside it.

    Raises:
        NotOnMap: the raster has no place on Earth.
    """
    georef = locate(info, name)
    x, y = _to_earth(georef, name).transform(lon, lat, direction="INVERSE")
    turns = (0, 360, -360) if crs.is_geographic(georef.crs) else (0,)
    found = [georef.to_pixels(np.asarray(x + turn), np.asarray(y)) for turn in turns]
    column, row = next((at for at in found if 0 <= at[0] < info.width), found[0])
    return float(column), float(row)


def pixels_of(info: RasterInfo, bounds: Bounds, name: str) -> Bounds:
    """The box (min column, min row, max column, max row) in a raster of a lon/lat box; west > east crosses the antimeridian.

    Raises:
        NotOnMap: the raster has no place on Earth.
    """
    west, south, east, north = bounds
    line = np.linspace(0, 1, _ALONG)
    lon, lat = np.meshgrid(west + line * ((east - west) % 360 or 360.0), south + line * (north - south))
    georef = locate(info, name)
    x, y = _to_earth(georef, name).transform(lon, lat, direction="INVERSE")
    turns = (0, 360, -360) if crs.is_geographic(georef.crs) else (0,)
    boxes = []
    for turn in turns:
        columns, rows = georef.to_pixels(np.asarray(x) + turn, np.asarray(y))
        known = np.isfinite(columns) & np.isfinite(rows)
        if known.any():
            boxes.append((columns[known].min(), rows[known].min(), columns[known].max(), rows[known].max()))
    showing = [box for box in boxes if box[0] < info.width and box[2] > 0 and box[1] < info.height and box[3] > 0]
    if not showing:
        return (0.0, 0.0, 0.0, 0.0)
    low, high = np.min(showing, axis=0), np.max(showing, axis=0)
    return (
        max(float(low[0]), 0.0),
        max(float(low[1]), 0.0),
        min(float(high[2]), float(info.width)),
        min(float(high[3]), float(info.height)),
    )


def lonlat_of(info: RasterInfo, pixels: NDArray[np.float64], name: str) -> NDArray[np.float64]:
    """Longitude and latitude (n, 2) of continuous (column, row) positions (n, 2) in a raster.

    Raises:
        NotOnMap: the raster has no place on Earth.
    """
    georef = locate(info, name)
    return np.stack(_to_earth(georef, name).transform(*georef.to_map(pixels[:, 0], pixels[:, 1])), axis=1)


def _to_earth(georef: Georef, name: str) -> Any:
    try:
        return crs.transformer(georef.crs, crs.LONLAT)
    except ProjError as error:
        raise NotOnMap(f"{name!r} has no place on Earth: {crs.reason(error)}.") from error


@dataclass(frozen=True, slots=True)
class OnMap:
    """The way from the CRS of a tile matrix set to a raster's pixels, by PROJ: `tiles.warp.Locator`.

    Attributes:
        georef: the raster's.
        crs: of the set.
        shift: of the piece that is drawn, in degrees of longitude (see Piece).
    """

    georef: Georef
    crs: str
    shift: int

    def __call__(self, x: NDArray[np.float64], y: NDArray[np.float64], /) -> NDArray[np.float64]:
        """Continuous positions (2, ...) in the raster, columns first; not finite where it has no place."""
        x, y = crs.transformer(self.crs, self.georef.crs).transform(x, y)
        return np.stack(self.georef.to_pixels(x - self.shift, y))


def own_pixels(x: NDArray[np.float64], y: NDArray[np.float64], /) -> NDArray[np.float64]:
    """The way to the pixels from the set of a raster's own: `tiles.warp.Locator`."""
    return np.stack([x, -y])


def tilejson(placement: Placement, template: str, name: str) -> dict[str, Any]:
    """The TileJSON 3.0.0 document of a raster.

    Bounds in TileJSON must not wrap around the antimeridian: a raster that crosses it gets all longitudes. One that is not
    on Earth has none.

    Args:
        placement: where it lies.
        template: absolute URL with `{z}`, `{x}` and `{y}`.
        name: as people read it.
    """
    document: dict[str, Any] = {
        "tilejson": "3.0.0",
        "name": name,
        "scheme": "xyz",
        "tiles": [template],
        "minzoom": placement.minzoom,
        "maxzoom": placement.maxzoom,
    }
    if placement.bounds is None:
        return document
    west, south, east, north = placement.bounds
    crosses = west > east
    # Web Mercator ends at this latitude.
    south, north = max(south, -85.051129), min(north, 85.051129)
    lon = (west + (east + 360 if crosses else east)) / 2
    document["bounds"] = [-180.0 if crosses else west, south, 180.0 if crosses else east, north]
    zoom = min(placement.minzoom + _ZOOM_OUT, placement.maxzoom)
    document["center"] = [(lon + 180) % 360 - 180, (south + north) / 2, zoom]
    return document
