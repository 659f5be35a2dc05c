"""Tiles of values: GeoTIFF and NumPy files, every type, many bands, scale and offset; relief under a light."""

from __future__ import annotations

import subprocess
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
import pytest
import rasterio
from affine import Affine
from fastapi.testclient import TestClient
from rasterio.io import MemoryFile

from tiles import matrix
from tiles.app import create_app
from tiles.settings import TilesSettings
from tiles.sources import inspect, local_source

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

UTM = Affine(10, 0, 500_000, 0, -10, 4_000_000)


def write(path: Path, array: np.ndarray, **profile) -> Path:
    bands, height, width = array.shape
    profile = {"crs": "EPSG:32636", "transform": UTM, **profile}
    with rasterio.open(
        path, "w", driver="GTiff", count=bands, height=height, width=width, dtype=array.dtype, **profile
    ) as out:
        out.write(array)
    return path


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[TestClient]:
    """A server of what lies in `tmp_path` by then."""
    clients: list[TestClient] = []

    def start() -> TestClient:
        clients.append(TestClient(create_app(TilesSettings(paths=(tmp_path,)))))
        return clients[-1].__enter__()

    yield start
    for client in clients:
        client.__exit__(None, None, None)


def array_of(response) -> np.ndarray:
    assert response.status_code == 200, response.text
    return np.load(BytesIO(response.content))


TYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64", "int64", "uint64")


def test_every_type_is_untouched_in_native_tiles(tmp_path: Path, serve) -> None:
    rng = np.random.default_rng(4)
    arrays = {}
    for kind in TYPES:
        limits = np.iinfo(kind) if kind[0] != "f" else None
        low, high = (max(limits.min, -(2**53)), min(limits.max, 2**53)) if limits else (-1e6, 1e6)
        draw = (
            rng.integers(low, high, (2, 300, 300)) if limits and high < 2**63 else rng.uniform(low, high, (2, 300, 300))
        )
        arrays[kind] = draw.astype(kind)
        write(tmp_path / f"{kind}.tif", arrays[kind])
    client = serve()
    for kind, array in arrays.items():
        there = array_of(client.get(f"/scenes/{kind}/tiles/native/1/0/0.npy"))
        assert (there[:2] == array[:, :256, :256]).all(), kind
        assert (there[2].astype(np.int64) & 255 == 255).all()
        edge = array_of(client.get(f"/scenes/{kind}/tiles/native/1/1/1.npy"))
        assert (edge[:2, :44, :44] == array[:, 256:, 256:]).all(), kind
        assert not edge[2, 44:].any()
        with MemoryFile(client.get(f"/scenes/{kind}/tiles/native/1/0/0.tif").content) as memory, memory.open() as tif:
            assert tif.dtypes == (kind, kind)
            assert (tif.read() == array[:, :256, :256]).all(), kind
            assert (tif.crs, tif.transform) == (rasterio.CRS.from_epsg(32636), UTM)
        assert client.get(f"/scenes/{kind}/tiles/WebMercatorQuad/9/305/200.png").status_code == 200


def test_complex_values_are_their_magnitude(tmp_path: Path, serve) -> None:
    rng = np.random.default_rng(4)
    array = (rng.normal(size=(1, 256, 256)) + 1j * rng.normal(size=(1, 256, 256))).astype("complex64")
    write(tmp_path / "sar.tif", array)
    there = array_of(serve().get("/scenes/sar/tiles/native/0/0/0.npy"))
    assert there.dtype == np.float32
    assert there[0] == pytest.approx(abs(array[0]), rel=1e-6)


def test_three_hundred_bands(tmp_path: Path, serve) -> None:
    array = np.random.default_rng(4).integers(0, 4000, (300, 200, 200), dtype=np.uint16)
    path = write(tmp_path / "hyper.tif", array, interleave="pixel", tiled=True, blockxsize=64, blockysize=64)
    client = serve()
    there = array_of(client.get("/scenes/hyper/tiles/native/0/0/0.npy"))
    assert there.shape == (301, 256, 256)
    assert (there[:300, :200, :200] == array).all()
    some = array_of(client.get("/scenes/hyper/tiles/native/0/0/0.npy?bidx=300,7,19,1,2"))
    assert (some[:5, :200, :200] == array[[299, 6, 18, 0, 1]]).all()
    picture = client.get("/scenes/hyper/tiles/native/0/0/0.png?bidx=290,120,7")
    assert picture.headers["content-type"] == "image/png"
    # A tile of another grid, out of groups of bands: each is as when it is asked for alone.
    placed = matrix.find("WebMercatorQuad")
    with rasterio.open(path) as dataset:
        left, _, _, top = rasterio.warp.transform_bounds(dataset.crs, "EPSG:3857", *dataset.bounds)
    level = placed.level(13)
    address = f"13/{int((left - level.left) / level.side)}/{int((level.top - top) / level.side)}"
    many = array_of(client.get(f"/scenes/hyper/tiles/WebMercatorQuad/{address}.npy?bidx=1,2,3,4,5,6"))
    for band in (1, 6):
        alone = array_of(client.get(f"/scenes/hyper/tiles/WebMercatorQuad/{address}.npy?bidx={band}"))
        assert (many[band - 1] == alone[0]).all()
    assert many[6].any()
    refused = client.get("/scenes/hyper/tiles/native/0/0/0@2x.npy")
    assert refused.status_code == 400
    assert (
        "300 bands of 512 x 512 pixels are more values than one tile may hold (33,554,432); name fewer with bidx"
        in refused.text
    )


def test_a_tif_of_a_web_map_tile_lies_where_the_tile_is(data: Path, client: TestClient) -> None:
    info = inspect(local_source(data / "images/cog_nodata_nan.tif"))
    document = client.get("/scenes/cog_nodata_nan/WebMercatorQuad/tilejson.json").json()
    z = document["maxzoom"]
    [x], [y] = rasterio.warp.transform("EPSG:4326", "EPSG:3857", [document["center"][0]], [document["center"][1]])
    level = matrix.find("WebMercatorQuad").level(z)
    tile = matrix.find("WebMercatorQuad").tile(z, int((x - level.left) / level.side), int((level.top - y) / level.side))
    url = f"/scenes/cog_nodata_nan/tiles/WebMercatorQuad/{z}/{tile.x}/{tile.y}.tif"
    response = client.get(url)
    assert response.headers["content-type"] == "image/tiff; application=geotiff"
    with MemoryFile(response.content) as memory, memory.open() as tif:
        assert tif.crs == rasterio.CRS.from_epsg(3857)
        assert tuple(tif.bounds) == pytest.approx(matrix.find("WebMercatorQuad").bounds(tile), abs=1e-6)
        assert tif.nodata == info.bands[0].nodata == 0
        assert tif.dtypes == ("float32",)
        assert tif.read(1).any()
    with MemoryFile(client.get(url.replace(".tif", "@2x.tif")).content) as memory, memory.open() as tif:
        assert tif.shape == (512, 512)
    for refused in ("rescale=0,9", "colormap=viridis", "gamma=2"):
        answer = client.get(f"{url}?{refused}")
        assert answer.status_code == 400
        assert "tif and npy hold the values themselves" in answer.json()["detail"]


def test_a_mask_goes_along(client: TestClient, data: Path) -> None:
    with rasterio.open(data / "images/cog_rgb_mask.tif") as dataset:
        mask = dataset.read_masks(1)
    with MemoryFile(client.get("/scenes/cog_rgb_mask/tiles/native/1/0/0.tif").content) as memory, memory.open() as tif:
        assert tif.nodata is None
        assert ((tif.read_masks(1)[:232] > 0) == (mask[:, :256] > 0)).all()
        assert not tif.read_masks(1)[232:].any()


def test_nan_is_no_data_where_nothing_else_is_said(tmp_path: Path, serve) -> None:
    array = np.ones((1, 256, 256), np.float32)
    array[0, :9] = np.nan
    write(tmp_path / "a.tif", array)
    with MemoryFile(serve().get("/scenes/a/tiles/native/0/0/0.tif").content) as memory, memory.open() as tif:
        assert np.isnan(tif.nodata)
        assert np.isnan(tif.read(1)[:9]).all()
        assert (tif.read(1)[9:] == 1).all()


def test_scale_and_offset_are_shown_and_used_when_asked(tmp_path: Path, serve) -> None:
    array = np.arange(256 * 256, dtype=np.uint16).reshape(1, 256, 256) % 10_000 + 1000
    path = write(tmp_path / "boa.tif", array, nodata=0)
    with rasterio.open(path, "r+") as out:
        out.scales, out.offsets, out.units = (0.0001,), (-0.1,), ("reflectance",)
    client = serve()
    [channel] = client.get("/scenes/boa/statistics").json()["channels"]
    assert (channel["scale"], channel["offset"], channel["unit"]) == (0.0001, -0.1, "reflectance")
    assert channel["max"] == 10_999
    [unscaled] = client.get("/scenes/boa/statistics?unscale=true").json()["channels"]
    assert unscaled["max"] == pytest.approx(0.9999, abs=1e-6)
    there = array_of(client.get("/scenes/boa/tiles/native/0/0/0.npy?unscale=true"))
    assert there[0] == pytest.approx(array[0] * 0.0001 - 0.1, abs=1e-6)
    [lon], [lat] = rasterio.warp.transform("EPSG:32636", "OGC:CRS84", [500_005], [3_999_995])
    point = client.get(f"/scenes/boa/point/{lon},{lat}").json()
    assert (point["values"], point["scaled"]) == ([1000.0], [pytest.approx(0.0)])
    assert point["bands"] == [{"index": 1, "name": None, "unit": "reflectance", "scale": 0.0001, "offset": -0.1}]
    refused = client.get("/scenes/boa/statistics?unscale=1")
    assert refused.status_code == 400
    assert "unscale cannot be used: expected true or false; got '1'" in refused.text


# Relief.


def dem(path: Path, **profile) -> Path:
    y, x = np.mgrid[:256, :256]
    rng = np.random.default_rng(4)
    heights = 300 * np.sin(x / 30) * np.cos(y / 40) + rng.normal(size=x.shape) * 3
    heights[100:110, 100:120] = -9999
    return write(path, heights[np.newaxis].astype(np.float32), nodata=-9999, **profile)


@pytest.mark.parametrize(
    ("profile", "options", "style"),
    [
        ({}, [], "preset=hillshade"),
        ({}, ["-az", "90", "-alt", "30", "-z", "2.5"], "hillshade=90,30,2.5"),
        (
            {"crs": "EPSG:4326", "transform": Affine(0.0001, 0, 30, 0, -0.0001, 1.28)},
            ["-s", "111195"],
            "preset=hillshade",
        ),
    ],
)
def test_hillshade_is_that_of_gdal(tmp_path: Path, serve, profile: dict, options: list[str], style: str) -> None:
    path = dem(tmp_path / "dem.tif", **profile)
    subprocess.run(
        ["gdaldem", "hillshade", *options, path, tmp_path / "oracle.img", "-of", "HFA"], check=True, capture_output=True
    )
    with rasterio.open(tmp_path / "oracle.img") as dataset:
        expected = dataset.read(1).astype(int)
    there = array_of(serve().get("/scenes/dem/tiles/native/0/0/0.npy"))  # heights themselves: colors play no part
    assert there.dtype == np.float32
    from PIL import Image

    picture = np.asarray(
        Image.open(BytesIO(serve().get(f"/scenes/dem/tiles/native/0/0/0.png?{style}").content)).convert("LA")
    )
    known = expected > 0  # gdaldem leaves out the rim of the raster and of holes
    off = abs(picture[..., 0].astype(int) - expected)[known]
    assert known.mean() > 0.95
    assert off.max() <= 1
    assert (picture[..., 1] == 0).sum() == 200


@pytest.mark.parametrize("text", ["315", "a,b", "400,45", "315,91", "315,45,0", "1,2,3,4"])
def test_a_light_that_cannot_be(client: TestClient, text: str) -> None:
    response = client.get(f"/scenes/atlanta_pan/tiles/WebMercatorQuad/0/0/0.png?hillshade={text}")
    assert response.status_code == 400
    assert "hillshade cannot be used: expected azimuth (0 to 360), altitude (0 to 90)" in response.json()["detail"]


def test_percentiles_of_the_view(client: TestClient, data: Path) -> None:
    """Statistics of a part of the raster, for a stretch of what is on the screen, are those of its pixels."""
    with rasterio.open(data / "pairs/atlanta_pan16_buildings/atlanta_pan.tif") as dataset:
        window = rasterio.windows.Window(200, 300, 250, 200)
        values = dataset.read(1, window=window)
        box = rasterio.warp.transform_bounds(dataset.crs, "OGC:CRS84", *dataset.window_bounds(window))
    bbox = ",".join(map(str, box))
    [channel] = client.get(f"/scenes/atlanta_pan/statistics?bbox={bbox}&percentiles=5,95").json()["channels"]
    assert channel["count"] == pytest.approx(values.size, rel=0.15)  # the box in degrees leans
    assert channel["stretch"] == pytest.approx(np.percentile(values, (5, 95)), rel=0.05)
    [everything] = client.get("/scenes/atlanta_pan/statistics").json()["channels"]
    assert everything["stretch"] == [everything["percentile_2"], everything["percentile_98"]]
    [nothing] = client.get("/scenes/atlanta_pan/statistics?bbox=0,0,1,1").json()["channels"]
    assert nothing["count"] == 0
    for wrong in ("1,2,3", "a,b,c,d", "0,5,1,2", "0,-91,1,2"):
        refused = client.get(f"/scenes/atlanta_pan/statistics?bbox={wrong}")
        assert refused.status_code == 400
        assert "bbox cannot be used: expected west,south,east,north in degrees" in refused.json()["detail"]


def test_jpeg_2000_without_loss_is_untouched(data: Path, tmp_path: Path, serve) -> None:
    with rasterio.open(data / "images/m_4709963_se_14_1_20180716.tif") as source:
        array, profile = source.read((1, 2, 3)), source.profile
    with rasterio.open(
        tmp_path / "a.jp2", "w", driver="JP2OpenJPEG", count=3, width=profile["width"], height=profile["height"], dtype="uint8",
        crs=profile["crs"], transform=profile["transform"], QUALITY="100", REVERSIBLE="YES",
    ) as out:  # fmt: skip
        out.write(array)
    client = serve()
    there = array_of(client.get("/scenes/a/tiles/native/2/1/2.npy"))
    assert (there[:3, :212] == array[:, 512:724, 256:512]).all()
    assert client.get("/scenes/a/WebMercatorQuad/tilejson.json").status_code == 200
