"""Where rasters lie in the tile matrix set, against PROJ and the definition of Web Mercator."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Transformer

from tiles import grid, matrix, warp
from tiles.errors import InvalidParameter, NotOnMap, OutsideMatrix
from tiles.info import RasterInfo
from tiles.sources import inspect, local_source

if TYPE_CHECKING:
    from pathlib import Path

TMS = "WebMercatorQuad"
HALF = 20037508.342789244


def raster(crs: str | None, transform: tuple[float, ...], width: int = 1000, height: int = 1000) -> RasterInfo:
    """A header without a file."""
    return RasterInfo(
        driver="GTiff", width=width, height=height, crs_wkt=rasterio.CRS.from_string(crs).to_wkt() if crs else None, crs=crs,
        transform=transform, gcps=0, gcp_points=(), gcp_crs=None, rpcs=False, bands=(), is_tiled=True, block_shape=(256, 256),
        overviews=(), has_mask=False, interleave="band", compression=None, palette=None, datetime=None, sidecars=(),
    )  # fmt: skip


GRIDS = {
    "utm": raster("EPSG:32636", (10, 0, 500_000, 0, -10, 4_000_000)),
    "utm south, south-up": raster("EPSG:32736", (10, 0, 500_000, 0, 10, 6_000_000)),
    "rotated": raster(
        "EPSG:32636", tuple(Affine.translation(500_000, 4_000_000) @ Affine.rotation(30) @ Affine.scale(10, -10))[:6]
    ),
    "geographic": raster("EPSG:4326", (0.001, 0, 20, 0, -0.001, -34)),
    "anisotropic": raster("EPSG:4326", (0.01, 0, 20, 0, -0.001, -34)),
    "nad27": raster("EPSG:4267", (0.0001, 0, -100, 0, -0.0001, 40)),
    "polar": raster("EPSG:3413", (1000, 0, -500_000, 0, -1000, -1_000_000)),
    "round the pole": raster("EPSG:3413", (1000, 0, -500_000, 0, -1000, 500_000)),
    "utm over the antimeridian": raster("EPSG:32660", (100, 0, 650_000, 0, -100, 5_800_000)),
    "geographic past 180": raster("EPSG:4326", (0.02, 0, 170, 0, -0.02, 10)),
    "geographic before -180": raster("EPSG:4326", (0.02, 0, -190, 0, -0.02, 10)),
    "0 to 360": raster("EPSG:4326", (0.36, 0, 0, 0, -0.18, 90)),
    "world": raster("EPSG:4326", (0.36, 0, -180, 0, -0.18, 90)),
}


@given(z=st.integers(0, 24), x=st.integers(), y=st.integers())
def test_addresses_are_those_of_the_matrix(z: int, x: int, y: int) -> None:
    n = 2**z
    tile = matrix.find(TMS).tile(z, x % n, y % n)
    side = 2 * HALF / n
    left, bottom, right, top = matrix.find(TMS).bounds(tile)
    assert (left, top) == pytest.approx((-HALF + tile.x * side, HALF - tile.y * side), abs=1e-6)
    assert (right, bottom) == pytest.approx((left + side, top - side), abs=1e-6)
    for wrong in ((x % n + n, y % n), (x % n, y % n + n), (-1 - x % n, y % n), (x % n, -1 - y % n)):
        with pytest.raises(
            OutsideMatrix, match=f"{TMS} has {n} columns and {n} rows at zoom {z}, got x={wrong[0]}, y={wrong[1]}"
        ):
            matrix.find(TMS).tile(z, *wrong)


@pytest.mark.parametrize("z", [-1, 25, 30, 10**9])
def test_zoom_levels_end(z: int) -> None:
    with pytest.raises(OutsideMatrix, match=f"zoom levels 0 to 24, got {z}"):
        matrix.find(TMS).tile(z, 0, 0)


def test_an_unknown_tile_matrix_set_names_the_known() -> None:
    with pytest.raises(
        InvalidParameter, match="'Nope' is not served; expected native, WebMercatorQuad, WorldCRS84Quad,"
    ):
        matrix.find("Nope")


@pytest.mark.parametrize("name", GRIDS)
@given(u=st.floats(0.001, 0.999), v=st.floats(0.001, 0.999), z=st.integers(0, 22))
def test_no_pixel_lies_outside_the_placement(name: str, u: float, v: float, z: int) -> None:
    info = GRIDS[name]
    placement = grid.place(info, TMS, name)
    a, b, c, d, e, f = info.transform
    column, row = u * info.width, v * info.height
    # always_xy, from PROJ itself: the oracle.
    lon, lat = Transformer.from_crs(info.crs, "EPSG:4326", always_xy=True).transform(
        a * column + b * row + c, d * column + e * row + f
    )
    lon = (lon + 180) % 360 - 180
    if abs(lat) > 85:
        return
    n = 2**z
    x = min(int((lon + 180) / 360 * n), n - 1)
    y = min(int((1 - math.asinh(math.tan(math.radians(lat))) / math.pi) / 2 * n), n - 1)
    assert placement.shifts(matrix.find(TMS).tile(z, x, y))


@pytest.mark.parametrize(
    ("name", "bounds"),
    [
        ("utm over the antimeridian", (179.16, 51.35, -179.33, 52.35)),
        ("geographic past 180", (170, -10, -170, 10)),
        ("geographic before -180", (170, -10, -170, 10)),
        ("0 to 360", (-180, -90, 180, 90)),
        ("round the pole", (-180, 83.5, 180, 90)),
    ],
)
def test_bounds_at_the_antimeridian_and_the_pole(name: str, bounds: tuple[float, ...]) -> None:
    assert grid.place(GRIDS[name], TMS, name).bounds == pytest.approx(bounds, abs=0.05)


def test_the_shared_dateline_scene_lies_on_both_sides(data: Path) -> None:
    placement = grid.place(inspect(local_source(data / "images/cog_dateline.tif")), TMS, "it")
    assert placement.bounds == pytest.approx((177.9986, 50.5819, -178.5138, 52.7737), abs=1e-3)
    assert placement.shifts(matrix.find(TMS).tile(7, 127, 42)) == (0,)
    assert placement.shifts(matrix.find(TMS).tile(7, 0, 42)) == (0,)
    assert placement.shifts(matrix.find(TMS).tile(7, 64, 42)) == ()
    assert placement.shifts(matrix.find(TMS).tile(7, 1, 42)) == ()


def test_tilejson_bounds_do_not_wrap(data: Path) -> None:
    placement = grid.place(inspect(local_source(data / "images/cog_dateline.tif")), TMS, "it")
    document = grid.tilejson(placement, "http://x/{z}/{x}/{y}.webp", "it")
    assert document["bounds"] == [-180, pytest.approx(50.58, abs=0.01), 180, pytest.approx(52.77, abs=0.01)]
    assert document["center"][:2] == [pytest.approx(179.74, abs=0.01), pytest.approx(51.68, abs=0.01)]


@pytest.mark.parametrize(
    ("name", "maxzoom"),
    [
        ("pairs/kampala_rgb_buildings/kampala_z19_rgb.tif", 19),  # made of tiles of that zoom
        ("pairs/kampala_rgb_buildings/kampala_z20_rgb.tif", 20),
        ("images/cog_cmap.tif", 17),
        (
            "pairs/osbs_rgb_treeboxes/OSBS_029.tif",
            21,
        ),  # 0.1 m / cos(29.7) = 0.115 m, between zoom 20 (0.149) and 21 (0.075)
        ("images/world.rgb.tif", 1),
    ],
)
def test_the_native_zoom(data: Path, name: str, maxzoom: int) -> None:
    placement = grid.place(inspect(local_source(data / name)), TMS, name)
    assert placement.maxzoom == maxzoom
    assert 0 <= placement.minzoom <= maxzoom


@pytest.mark.parametrize(
    "name",
    [
        "utm",
        "utm south, south-up",
        "rotated",
        "geographic",
        "polar",
        "utm over the antimeridian",
        "geographic past 180",
    ],
)
def test_source_step_is_the_finer_side(name: str) -> None:
    info = GRIDS[name]
    placement = grid.place(info, TMS, name)
    a, b, c, d, e, f = info.transform
    to_tiles = Transformer.from_crs(info.crs, "EPSG:3857", always_xy=True)
    shift = placement.pieces[0].shift
    west, south, east, north = placement.pieces[0].bounds
    n = 2**placement.maxzoom
    x, y = (west + east) / 2, (south + north) / 2
    tile = matrix.find(TMS).tile(placement.maxzoom, int((x + HALF) / (2 * HALF) * n), int((HALF - y) / (2 * HALF) * n))
    net = warp.cast(placement.locator(shift), matrix.find(TMS).bounds(tile), 256)
    step = min(net.steps(info.width, info.height))
    middle = np.array([info.width * 0.4, info.height / 2])
    columns, rows = middle[0] + np.array([0, 1, 0]), middle[1] + np.array([0, 0, 1])
    x, y = to_tiles.transform(a * columns + b * rows + c, d * columns + e * rows + f)
    sides = np.hypot(x[1:] - x[0], y[1:] - y[0])
    assert step == pytest.approx(2 * HALF / n / 256 / sides.max(), rel=0.05)
    assert 0.45 < step < 1.1


def test_no_place_on_the_map_says_why(data: Path) -> None:
    expected = {
        "rotated.tif": r"'it' has no place on the map: it has no coordinate reference system; give it one",
        "cog_hirise_mars.tif": r"'it' has no place in WebMercatorQuad, which is on Earth.*same celestial body \(Mars vs Earth\)\. Its own pixels are served in the tile matrix set native\.$",
    }
    for name, sentence in expected.items():
        with pytest.raises(NotOnMap, match=sentence):
            grid.place(inspect(local_source(data / "images" / name)), TMS, "it")
