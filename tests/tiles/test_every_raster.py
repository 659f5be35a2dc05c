"""Every shared raster, and headers of every odd kind, in every sort of tile matrix set: positions against PROJ, native pixels against the file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import rasterio
from affine import Affine
from pyproj import CRS, Transformer
from rasterio.control import GroundControlPoint
from rasterio.transform import GCPTransformer
from rasterio.windows import Window

from tiles import gcp, georef, grid, matrix, warp
from tiles.errors import NotOnMap, OutsideMatrix
from tiles.handles import Handles
from tiles.info import RasterInfo
from tiles.read import read_tile
from tiles.settings import TilesSettings
from tiles.sources import inspect, local_source
from tiles.style import make_style

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

SETTINGS = TilesSettings()
HANDLES = Handles(4)
OFF_MAP = {"rotated.tif", "cog_hirise_mars.tif"}

Positions = tuple["NDArray[np.float64]", "NDArray[np.float64]"]


def every(data: Path) -> list[Path]:
    found = [path for folder in ("images", "pairs") for path in sorted((data / folder).rglob("*.tif"))]
    return [path for path in found if path.name != "corrupt.tif"]


def header(crs: str, transform: tuple[float, ...], width: int = 1000, height: int = 800) -> RasterInfo:
    return RasterInfo(
        driver="GTiff", width=width, height=height, crs_wkt=rasterio.CRS.from_string(crs).to_wkt(), crs=crs,
        transform=transform, gcps=0, gcp_points=(), gcp_crs=None, rpcs=False, bands=(), is_tiled=True, block_shape=(256, 256),
        overviews=(), has_mask=False, interleave="band", compression=None, palette=None, datetime=None, sidecars=(),
    )  # fmt: skip


HEADERS = {
    "utm": header("EPSG:32636", (10, 0, 500_000, 0, -10, 4_000_000)),
    "south-up": header("EPSG:32736", (10, 0, 500_000, 0, 10, 6_000_000)),
    "rotated": header("EPSG:32636", tuple(Affine(8.66, 5, 500_000, 5, -8.66, 4_000_000))[:6]),
    "sheared": header("EPSG:32636", (10, 3, 500_000, 1, -8, 4_000_000)),
    "anisotropic": header("EPSG:4326", (0.0003, 0, 20, 0, -0.0001, -34)),
    "axes swapped": header("EPSG:32636", (0, 10, 500_000, 10, 0, 4_000_000)),
    "polar": header("EPSG:3413", (100, 0, 300_000, 0, -100, -2_000_000)),
    "round the pole": header("EPSG:3413", (1000, 0, -500_000, 0, -1000, 500_000)),
    "south pole": header("EPSG:3031", (1000, 0, -500_000, 0, -1000, 500_000)),
    "antimeridian": header("EPSG:32660", (100, 0, 650_000, 0, -100, 5_800_000)),
    "past 180": header("EPSG:4326", (0.01, 0, 176, 0, -0.01, 4)),
    "0 to 360": header("EPSG:4326", (0.36, 0, 0, 0, -0.18, 72)),
    "conic": header("EPSG:5070", (30, 0, 1_000_000, 0, -30, 1_500_000)),
    "new zealand": header("EPSG:2193", (15, 0, 1_700_000, 0, -15, 5_400_000)),
}
SETS = ("WebMercatorQuad", "WorldCRS84Quad", "WorldMercatorWGS84Quad", "WGS1984Quad", "GNOSISGlobalGrid")
ELSEWHERE = {
    "polar": ("UPSArcticWGS84Quad",),
    "round the pole": ("UPSArcticWGS84Quad",),
    "south pole": ("UPSAntarcticWGS84Quad",),
    "utm": ("UTM36WGS84Quad", "UTM35WGS84Quad"),
    "rotated": ("UTM36WGS84Quad",),
    "antimeridian": ("UTM60WGS84Quad", "UTM01WGS84Quad"),
    "new zealand": ("NZTM2000Quad",),
    "conic": ("CanadianNAD83_LCC",),
}


def oracle(info: RasterInfo, tms: str, bounds: tuple[float, ...], size: int) -> Positions:
    """(column, row) of the raster under every output pixel's centre: PROJ pixel by pixel, and GDAL's spline."""
    left, bottom, right, top = bounds
    middles = (np.arange(size) + 0.5) / size
    x, y = np.meshgrid(left + middles * (right - left), top - middles * (top - bottom))
    if tms == "native":
        return x, -y
    source = info.gcp_crs if info.gcps else info.crs_wkt
    x, y = Transformer.from_crs(matrix.find(tms).crs, source, always_xy=True).transform(x, y)
    if info.gcps:
        points = [GroundControlPoint(row, col, x, y) for col, row, x, y in info.gcp_points]
        with GCPTransformer(points, tps=True) as fit:
            rows, columns = fit.rowcol(x.ravel(), y.ravel(), op=lambda v: v)
        return np.reshape(columns, x.shape), np.reshape(rows, x.shape)
    if CRS.from_wkt(info.crs_wkt).is_geographic:  # the turn that lies in the raster
        west = info.transform[2]
        x = west + (x - west) % 360
    a, b, c, d, e, f = tuple(~Affine(*info.transform))[:6]
    return a * x + b * y + c, d * x + e * y + f


def tiles_of(placement: grid.Placement, info: RasterInfo, zoom: int) -> list[matrix.Tile]:
    """The tiles under nine positions of the raster, found by PROJ."""
    level = placement.matrices.level(zoom)
    columns, rows = (
        v.ravel() for v in np.meshgrid(*(np.array([0.02, 0.5, 0.97]) * n for n in (info.width, info.height)))
    )
    if placement.georef is None:
        x, y = columns, -rows
    elif info.gcps:
        points = [GroundControlPoint(row, col, x, y) for col, row, x, y in info.gcp_points]
        with GCPTransformer(points, tps=True) as fit:
            lon, lat = fit.xy(rows, columns, offset="ul")
        x, y = Transformer.from_crs(info.gcp_crs, placement.matrices.crs, always_xy=True).transform(lon, lat)
    else:
        a, b, c, d, e, f = info.transform
        way = Transformer.from_crs(info.crs_wkt, placement.matrices.crs, always_xy=True)
        x, y = way.transform(a * columns + b * rows + c, d * columns + e * rows + f)
    if placement.matrices.cylindrical:
        west, _, east, _ = placement.matrices.extent()
        x = west + (np.asarray(x) - west) % (east - west)
    i, j = (
        ((np.asarray(x) - level.left) / level.side).astype(int),
        ((level.top - np.asarray(y)) / level.side).astype(int),
    )
    found = {
        placement.matrices.tile(zoom, int(a), int(b))
        for a, b in zip(i, j, strict=True)
        if 0 <= a < level.columns and 0 <= b < level.rows
    }
    return sorted(found, key=repr)


def sampled(moved: warp.Warp) -> Positions:
    """Where a warp samples, in continuous pixel coordinates of the level that it is for."""
    if moved.maps is not None:
        side = moved.size // len(moved.maps)
        x, y = np.meshgrid(np.arange(side), np.arange(side))
        parts = [[np.tensordot(one, np.stack([x, y, np.ones_like(x)]), axes=1) for one in row] for row in moved.maps]
        u, v, w = np.concatenate([np.concatenate(row, axis=2) for row in parts], axis=1)
        return u / w + 0.5, v / w + 0.5
    assert moved.positions is not None
    return moved.positions[0] + 0.5, moved.positions[1] + 0.5


def check_positions(info: RasterInfo, tms: str, name: str, most: int = 4) -> int:
    """Compare where tiles sample with where PROJ says they should, and that no tile is missed; the number of positions compared."""
    placement = grid.place(info, tms, name)
    compared = 0
    for zoom in sorted({placement.maxzoom, max(placement.maxzoom - 2, placement.minzoom), placement.minzoom}):
        size = placement.matrices.level(zoom).size
        for tile in tiles_of(placement, info, zoom)[:most]:
            bounds = placement.matrices.bounds(tile)
            columns, rows = oracle(info, tms, bounds, size)
            inside = (columns > 0) & (columns < info.width) & (rows > 0) & (rows < info.height)
            found = np.zeros_like(inside)
            for shift in placement.shifts(tile):
                net = warp.cast(placement.locator(shift), bounds, size)
                steps = net.steps(info.width, info.height)
                if np.isnan(min(steps)):
                    continue
                level = max([1, *(factor for factor in (2, 4, 8, 16) if factor <= min(steps) * 1.01)])
                u, v = sampled(warp.make_warp(net, (1 / level, 1 / level), (0, 0)))
                near = inside & (abs(u * level - columns) < info.width / 2)
                error = np.hypot(u - columns / level, v - rows / level)[near]
                assert error.size == 0 or error.max() <= 0.05, (name, tms, tile, error.max())
                found |= near
            assert found[inside].all(), (name, tms, tile, "a part that shows is not drawn")
            compared += int(inside.sum())
    return compared


def test_positions_of_every_shared_raster(data: Path) -> None:
    for path in every(data):
        info = inspect(local_source(path))
        names = ("native",) if path.name in OFF_MAP else ("native", "WebMercatorQuad", "WorldCRS84Quad")
        for tms in names:
            assert check_positions(info, tms, path.name, most=2) > 100, (path.name, tms)


@pytest.mark.parametrize("name", HEADERS)
def test_positions_of_every_kind(name: str) -> None:
    for tms in ("native", *SETS, *ELSEWHERE.get(name, ())):
        if tms in {"WebMercatorQuad", "WorldMercatorWGS84Quad"} and "pole" in name:
            continue  # ends at 85 degrees; tested with the pictures
        assert check_positions(HEADERS[name], tms, name) > 5000, tms


def test_native_tiles_are_the_pixels_of_the_file(data: Path) -> None:
    """At the finest level, bit for bit, with the mask of the file; at the edge, what is beyond is not there."""
    for path in every(data):
        source = local_source(path)
        info = inspect(source)
        placement = grid.place(info, "native", path.name)
        style = make_style(info)
        with rasterio.open(path) as dataset:
            for x in range(placement.matrices.levels[-1].columns):
                for y in sorted({0, placement.matrices.levels[-1].rows - 1}):
                    tile = placement.matrices.tile(placement.maxzoom, x, y)
                    pixels = read_tile(
                        source, info, placement, tile, style, size=256, settings=SETTINGS, handles=HANDLES
                    )
                    window = Window(x * 256, y * 256, 256, 256).intersection(Window(0, 0, info.width, info.height))
                    values = dataset.read(style.bands, window=window)
                    valid = (dataset.read_masks(style.bands, window=window) > 0).any(axis=0) & np.isfinite(values).any(
                        axis=0
                    )
                    if pixels is None:
                        assert not valid.any(), (path.name, tile)
                        continue
                    high, wide = values.shape[1:]
                    assert pixels.data.dtype == values.dtype
                    assert ((pixels.mask[:high, :wide] > 0) == valid).all(), (path.name, tile)
                    assert (pixels.data[:, :high, :wide][:, valid] == values[:, valid]).all(), (path.name, tile)
                    assert not pixels.mask[high:].any()
                    assert not pixels.mask[:, wide:].any()


def test_the_native_set_has_the_whole_raster_in_its_first_tile() -> None:
    info = header("EPSG:32636", (10, 0, 0, 0, -10, 0), 1000, 300)
    matrices = matrix.native(info)
    assert [(level.z, level.columns, level.rows, level.cell) for level in matrices.levels] == [(0, 1, 1, 4), (1, 2, 1, 2), (2, 4, 2, 1)]  # fmt: skip
    assert matrices.bounds(matrices.tile(2, 3, 1)) == (768, -512, 1024, -256)
    with pytest.raises(OutsideMatrix, match="native has 4 columns and 2 rows at zoom 2, got x=4, y=0"):
        matrices.tile(2, 4, 0)


def test_bounds_are_those_of_morecantile() -> None:
    import morecantile

    for name in matrix.names():
        ours, theirs = matrix.find(name), morecantile.tms.get(name)
        for z in {ours.minzoom, ours.minzoom + 2, ours.maxzoom}:
            level = ours.level(z)
            for x, y in {(0, 0), (level.columns - 1, level.rows - 1), (level.columns // 3, level.rows // 3)}:
                expected = theirs.xy_bounds(x, y, z)
                assert ours.bounds(ours.tile(z, x, y)) == pytest.approx(tuple(expected), rel=1e-9, abs=1e-6), (
                    name,
                    z,
                    x,
                    y,
                )


def spread(
    count: int, warped: Callable[[float, float], tuple[float, float]]
) -> list[tuple[float, float, float, float]]:
    line = np.linspace(0, 1000, count)
    return [(c, r, *warped(c, r)) for c in line for r in line]


def test_a_fit_says_how_far_it_may_be_off() -> None:
    """Points that lie on a smooth map predict each other; one that was clicked beside its place stands out."""
    points = spread(5, lambda c, r: (500_000 + 10 * c + 1e-4 * c * r, 4_000_000 - 10 * r + 2e-4 * c * c))
    pixels, places = gcp.arrange(points, degrees=False)
    smooth = gcp.fit(places, pixels)
    inner = (pixels > 0).all(axis=1) & (pixels < 1000).all(axis=1)
    assert smooth.left_out[inner].max() < 0.3
    moved = places.copy()
    moved[12] += 300
    assert gcp.fit(moved, pixels).left_out.argmax() == 12
    # Leave-one-out by its definition.
    without = gcp.fit(np.delete(places, 12, 0), np.delete(pixels, 12, 0))
    there = np.array(without(places[12, 0], places[12, 1]))
    assert smooth.left_out[12] == pytest.approx(np.hypot(*(there - pixels[12])), rel=1e-6)


def test_points_that_make_no_fit_say_why() -> None:
    line = np.stack([np.arange(5.0), np.arange(5.0)], axis=1)
    with pytest.raises(
        NotOnMap, match="5 ground control points do not span a plane: expected three or more, not on one line"
    ):
        gcp.fit(line, line)
    with pytest.raises(NotOnMap, match="2 ground control points do not span a plane"):
        gcp.fit(line[:2], line[:2])


def test_points_on_both_sides_of_the_antimeridian_are_neighbours() -> None:
    points = [
        (c, r, (179 + c / 500 + 180) % 360 - 180, 50 - r / 500) for c in (0.0, 500.0, 1000.0) for r in (0.0, 1000.0)
    ]
    info = HEADERS["utm"]
    info = RasterInfo(
        **{name: getattr(info, name) for name in info.__slots__}
        | {"crs_wkt": None, "gcps": len(points), "gcp_points": tuple(points), "gcp_crs": "EPSG:4326"}
    )
    placement = grid.place(info, "WebMercatorQuad", "it")
    west, south, east, north = placement.bounds
    assert (west, east) == pytest.approx((179, -179), abs=1e-6)
    assert (south, north) == pytest.approx((48.4, 50), abs=1e-6)
    assert isinstance(placement.georef, georef.ByPoints)
    assert {shift for piece in placement.pieces for shift in [piece.shift]} == {0, -360}
