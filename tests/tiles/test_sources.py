"""What is opened, what is refused and why, over every shared raster and over files made to be bad."""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.control import GroundControlPoint

from tiles.errors import SourceNotFound, SourceRefused, SourceUnreadable
from tiles.settings import TilesSettings
from tiles.sources import Source, describe, inspect, local_source, open_raster

if TYPE_CHECKING:
    from pathlib import Path

UTM = {"crs": "EPSG:32636", "transform": Affine(10, 0, 500_000, 0, -10, 4_000_000)}

# file: crs, (width, height), bands, dtype, nodata, first color interpretation, mask, alpha, overviews
TABLE = {
    "images/RGB.byte.tif": ("EPSG:32618", (791, 718), 3, "uint8", 0.0, "red", False, None, ()),
    "images/cog_cmap.tif": ("EPSG:3857", (7168, 8704), 1, "uint8", 0.0, "palette", False, None, (2, 4, 8, 16)),
    "images/cog_dateline.tif": ("EPSG:32660", (2325, 2355), 1, "uint16", None, "gray", False, None, (4, 8, 16)),
    "images/cog_gcps.tif": (None, (1280, 837), 1, "uint16", None, "gray", False, None, (2, 4, 8)),
    "images/cog_hirise_mars.tif": (None, (1118, 1683), 3, "uint8", None, "red", False, None, (2, 4)),
    "images/cog_nodata_nan.tif": ("EPSG:32610", (549, 549), 1, "float32", 0.0, "gray", False, None, (2,)),
    "images/cog_rgb_mask.tif": ("EPSG:26913", (383, 232), 3, "uint8", None, "red", True, None, ()),
    "images/cog_rgba.tif": ("EPSG:26913", (383, 232), 4, "uint8", None, "red", False, 4, ()),
    "images/landsat7_1999_8band_int16.tif": ("EPSG:32615", (250, 250), 8, "int16", -9999.0, "gray", False, None, ()),
    "images/landsat7_2002_8band_int16.tif": ("EPSG:32615", (250, 250), 8, "int16", None, "gray", False, None, ()),
    "images/m_4709963_se_14_1_20100629.tif": ("EPSG:26914", (934, 723), 4, "uint8", 0.0, "gray", False, None, (2,)),
    "images/m_4709963_se_14_1_20180716.tif": ("EPSG:26914", (934, 724), 4, "uint8", 0.0, "gray", False, None, (2,)),
    "images/mosaic_cog1.tif": ("EPSG:32618", (779, 790), 3, "uint16", 0.0, "gray", False, None, (2, 4)),
    "images/pix4d_alpha_nodata.tif": ("EPSG:32750", (686, 758), 4, "uint8", None, "red", False, 4, ()),
    "images/rotated.tif": (None, (10, 15), 1, "uint8", None, "gray", False, None, ()),
    "images/world.rgb.tif": ("EPSG:4326", (512, 256), 3, "uint8", None, "red", False, None, ()),
    "pairs/atlanta_pan16_buildings/atlanta_pan.tif": ("EPSG:32616", (900, 900), 1, "uint16", 0.0, "gray", False, None, ()),
    "pairs/beaufort_s2_landcover/s2b_20181013_b2348_uint8.tif": (
        "EPSG:4326", (2629, 2201), 4, "uint8", None, "gray", False, None, (),
    ),
    "pairs/elkton_l8_uint16_landcover/l8_elkton_pan15m.tif": ("EPSG:32617", (371, 337), 1, "uint16", None, "gray", False, None, ()),
    "pairs/elkton_l8_uint16_landcover/l8_elkton_uint16.tif": ("EPSG:32617", (186, 169), 8, "uint16", None, "gray", False, None, ()),
    "pairs/elkton_l8_uint16_landcover/labels_raster.tif": ("EPSG:32617", (186, 169), 1, "uint8", 255.0, "gray", False, None, ()),
    "pairs/kampala_rgb_buildings/kampala_z19_rgb.tif": ("EPSG:3857", (768, 512), 3, "uint8", None, "red", False, None, ()),
    "pairs/kampala_rgb_buildings/kampala_z20_rgb.tif": ("EPSG:3857", (1536, 1024), 3, "uint8", None, "red", False, None, ()),
    "pairs/osbs_rgb_treeboxes/OSBS_029.tif": ("EPSG:32617", (400, 400), 3, "uint8", 255.0, "red", False, None, ()),
    "pairs/swellendam_rgba_osm/3420B_2010_328_RGB_LATLNG.tif": (
        "EPSG:4326", (1098, 3039), 4, "uint8", None, "red", False, 4, (),
    ),
}  # fmt: skip


def write(path: Path, array: np.ndarray, **profile) -> Path:
    bands, height, width = array.shape
    with rasterio.open(
        path, "w", driver="GTiff", count=bands, height=height, width=width, dtype=array.dtype, **profile
    ) as out:
        out.write(array)
    return path


def test_the_table_names_every_shared_raster(data: Path) -> None:
    rasters = {str(path.relative_to(data)) for folder in ("images", "pairs") for path in (data / folder).rglob("*.tif")}
    assert rasters == {*TABLE, "images/corrupt.tif"}


@pytest.mark.parametrize("name", TABLE)
def test_every_shared_raster_is_described(data: Path, name: str) -> None:
    info = describe(local_source(data / name))
    first = info.bands[0]
    assert (
        info.crs, (info.width, info.height), len(info.bands), first.dtype, first.nodata, first.color_interp,
        info.has_mask, info.alpha, info.overviews,
    ) == TABLE[name]  # fmt: skip
    with rasterio.open(data / name) as oracle:
        assert info.transform == tuple(oracle.transform)[:6]
        assert info.block_shape == oracle.block_shapes[0]
        assert [band.description for band in info.bands] == list(oracle.descriptions)
        assert (rasterio.CRS.from_wkt(info.crs_wkt) if info.crs_wkt else None) == oracle.crs


def test_a_corrupt_raster_is_refused_with_a_sentence(data: Path) -> None:
    with pytest.raises(
        SourceUnreadable, match=r"'corrupt\.tif' is cut short: a block ends at byte 307,086, the file at byte 298,232"
    ):
        describe(local_source(data / "images/corrupt.tif"))


def test_ground_control_points_are_data(data: Path) -> None:
    info = inspect(local_source(data / "images/cog_gcps.tif"))
    with rasterio.open(data / "images/cog_gcps.tif") as oracle:
        points, crs = oracle.gcps
    assert info.gcps == len(points) == 210
    assert info.gcp_points[7] == (points[7].col, points[7].row, points[7].x, points[7].y)
    assert info.gcp_crs == "EPSG:4326" == crs.to_string()
    assert info.crs_wkt is None
    assert info.datetime == "2018-07-16T06:06:23"


def test_a_crs_that_is_not_exactly_an_epsg_code_is_only_wkt(data: Path) -> None:
    info = inspect(local_source(data / "images/cog_hirise_mars.tif"))
    assert info.crs is None
    assert info.crs_wkt is not None
    assert "MARS" in info.crs_wkt.upper()


def test_a_palette_is_read(data: Path) -> None:
    info = inspect(local_source(data / "images/cog_cmap.tif"))
    with rasterio.open(data / "images/cog_cmap.tif") as oracle:
        assert info.palette == tuple(oracle.colormap(1)[value] for value in range(256))


@pytest.mark.parametrize(
    "options",
    [{}, {"tiled": True, "blockxsize": 64, "blockysize": 64}, {"interleave": "pixel"}, {"compress": "deflate"}],
)
@pytest.mark.parametrize("keep", [0.05, 0.5, 0.9, 0.999])
def test_a_truncated_geotiff_is_refused(tmp_path: Path, options: dict, keep: float) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (3, 300, 300), dtype=np.uint8)
    whole = write(tmp_path / "whole.tif", noise, **UTM, **options)
    describe(local_source(whole))
    cut = tmp_path / "cut.tif"
    cut.write_bytes(whole.read_bytes()[: int(whole.stat().st_size * keep)])
    with pytest.raises(SourceUnreadable, match=r"'cut\.tif'.*cut short.*copy or download it again"):
        describe(local_source(cut))


@pytest.mark.parametrize(
    ("driver", "suffix"), [("PNG", "png"), ("JPEG", "jpg"), ("JP2OpenJPEG", "jp2"), ("WEBP", "webp")]
)
def test_other_formats_are_read_and_refused_when_truncated(
    data: Path, tmp_path: Path, driver: str, suffix: str
) -> None:
    with rasterio.open(data / "pairs/osbs_rgb_treeboxes/OSBS_029.tif") as source:
        whole = tmp_path / f"whole.{suffix}"
        with rasterio.open(whole, "w", driver=driver, count=3, width=400, height=400, dtype="uint8") as out:
            out.write(source.read())
    info = describe(local_source(whole))
    assert (info.driver, info.width, info.height, info.crs_wkt) == (driver, 400, 400, None)
    for keep in (0.3, 0.7):
        cut = tmp_path / f"cut.{suffix}"
        cut.write_bytes(whole.read_bytes()[: int(whole.stat().st_size * keep)])
        with pytest.raises(SourceUnreadable, match="cut short"):
            describe(local_source(cut))


def test_a_damaged_block_is_found(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (1, 512, 512), dtype=np.uint8)
    path = write(tmp_path / "a.tif", noise, compress="deflate", tiled=True, blockxsize=128, blockysize=128, **UTM)
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 2000] = b"\xff" * 2000
    path.write_bytes(content)
    with pytest.raises(SourceUnreadable, match=r"pixels of 'a\.tif' cannot be read"):
        describe(local_source(path))


def test_a_sparse_geotiff_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "sparse.tif"
    with rasterio.open(
        path, "w", driver="GTiff", count=1, width=4096, height=4096, dtype="uint8", tiled=True, SPARSE_OK=True, **UTM
    ):
        pass
    assert describe(local_source(path)).width == 4096


def test_what_is_not_a_file(tmp_path: Path) -> None:
    with pytest.raises(SourceNotFound, match=r"Expected a raster file at .*missing\.tif.*No such file"):
        local_source(tmp_path / "missing.tif")
    with pytest.raises(SourceRefused, match="it is a folder"):
        local_source(tmp_path)
    with pytest.raises(SourceNotFound, match="cannot be found"):
        local_source("nul\0.tif")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(SourceNotFound):
        local_source(tmp_path / "loop")
    (tmp_path / "empty.tif").touch()
    with pytest.raises(SourceUnreadable, match=r"'empty\.tif' is empty \(0 bytes\)"):
        local_source(tmp_path / "empty.tif")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SourceRefused, match="not a file"):
        local_source(tmp_path / "pipe")


@pytest.mark.parametrize(
    "name",
    [
        "s3://bucket/a.tif",
        "https://example.com/a.tif",
        "/vsicurl/https://example.com/a.tif",
        "/vsimem/a.tif",
        "zip:///tmp/a.zip!b.tif",
    ],
)
def test_names_that_gdal_would_resolve_are_only_paths(name: str) -> None:
    with pytest.raises(SourceNotFound):
        local_source(name)


@pytest.mark.parametrize("name", ["a:b.tif", "a?b#c.tif", "a!b.tif", "ü tif.tif", "GTIFF_DIR:1:x.tif", "%41.tif"])
def test_odd_file_names_are_taken_literally(data: Path, tmp_path: Path, name: str) -> None:
    shutil.copy(data / "images/cog_rgb_mask.tif", tmp_path / name)
    assert describe(local_source(tmp_path / name)).width == 383


VRT = '<VRTDataset rasterXSize="512" rasterYSize="256"><VRTRasterBand dataType="Byte" band="1"><SimpleSource><SourceFilename>{}</SourceFilename></SimpleSource></VRTRasterBand></VRTDataset>'
WMS = '<GDAL_WMS><Service name="TMS"><ServerUrl>file://{}</ServerUrl></Service><DataWindow/></GDAL_WMS>'


@pytest.mark.parametrize(
    "text", [VRT, WMS, '{{"type": "FeatureCollection", "features": []}}', "id,x,y\n1,2,3\n", "<html>{}</html>"]
)
@pytest.mark.parametrize("suffix", ["tif", "png", "jp2", "vrt"])
def test_files_that_open_other_files_are_refused(data: Path, tmp_path: Path, text: str, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    path.write_text(text.format(data / "images/world.rgb.tif"))
    with pytest.raises(
        SourceRefused,
        match=rf"'a\.{suffix}' is not a raster of a format that is opened here; expected GeoTIFF, JPEG 2000, PNG",
    ):
        inspect(local_source(path))


def test_limits_hold_before_the_first_read(tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.tif"
    with rasterio.open(
        bomb,
        "w",
        driver="GTiff",
        count=1,
        width=1_000_000,
        height=1_000_000,
        dtype="uint8",
        tiled=True,
        blockxsize=8192,
        blockysize=8192,
        SPARSE_OK=True,
    ):
        pass
    with pytest.raises(
        SourceRefused,
        match=r"claims 1000000 x 1000000 = 1,000,000,000,000 pixels, more than the limit of 250,000,000,000.*TILES_MAX_PIXELS",
    ):
        inspect(local_source(bomb))
    bands = write(tmp_path / "bands.tif", np.zeros((12, 4, 4), np.uint8), **UTM)
    with pytest.raises(SourceRefused, match=r"claims 12 bands, more than the limit of 10; raise TILES_MAX_BANDS"):
        inspect(local_source(bands), settings=TilesSettings(max_bands=10))
    block = write(
        tmp_path / "block.tif",
        np.zeros((3, 1024, 1024), np.uint8),
        interleave="pixel",
        blockysize=1024,
        compress="deflate",
        **UTM,
    )
    with pytest.raises(
        SourceRefused,
        match=r"A single block of 'block\.tif' takes 3 MiB, more than the limit of 2 MiB; rewrite it in tiles",
    ):
        inspect(local_source(block), settings=TilesSettings(max_block_mb=2))


def test_limits_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TILES_MAX_PIXELS", "1000")
    monkeypatch.setenv("TILES_CACHE_MB", "0")
    assert (TilesSettings().max_pixels, TilesSettings().cache_mb) == (1000, 0)


def test_files_beside_a_raster_are_named_and_not_read(data: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", np.full((1, 512, 512), 7, np.uint8), tiled=True, **UTM)
    before = describe(local_source(path))
    (tmp_path / "a.tif.aux.xml").write_text(
        '<PAMDataset><SRS>EPSG:4326</SRS><PAMRasterBand band="1"><NoDataValue>7</NoDataValue></PAMRasterBand></PAMDataset>'
    )
    (tmp_path / "a.tfw").write_text("1\n0\n0\n-1\n0\n0\n")
    shutil.copy(data / "images/world.rgb.tif", tmp_path / "a.tif.ovr")
    after = describe(local_source(path))
    assert after.sidecars == ("a.tfw", "a.tif.aux.xml", "a.tif.ovr")
    assert dataclasses.replace(after, sidecars=()) == before
    assert not before.overviews


def test_nothing_is_written_beside_a_raster(data: Path, tmp_path: Path) -> None:
    shutil.copy(data / "images/RGB.byte.tif", tmp_path / "a.tif")
    source = local_source(tmp_path / "a.tif")
    describe(source)
    with open_raster(source) as dataset:
        dataset.stats(indexes=1)
    assert [path.name for path in tmp_path.iterdir()] == ["a.tif"]


def test_gdal_is_pinned_against_its_environment(data: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", np.ones((1, 64, 64), np.uint8), **UTM)
    shutil.copy(data / "images/world.rgb.tif", tmp_path / "a.tif.ovr")
    code = f"from tiles.sources import *; print(describe(local_source({str(path)!r})).overviews)"
    environment = {
        **os.environ,
        "GDAL_DISABLE_READDIR_ON_OPEN": "FALSE",
        "GDAL_PAM_ENABLED": "YES",
        "GDAL_SKIP": "",
        "PYTHONPATH": ".",
    }
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert run.stdout == "()\n"


def test_the_version_follows_the_file(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", np.ones((1, 8, 8), np.uint8), **UTM)
    first = local_source(path)
    assert first == local_source(path)
    os.utime(path, ns=(1, 1))
    second = local_source(path)
    assert second.href == first.href
    assert second.version != first.version
    (tmp_path / "link.tif").symlink_to(path)
    assert local_source(tmp_path / "link.tif") == second


def test_a_file_that_has_gone(tmp_path: Path) -> None:
    with pytest.raises(SourceNotFound, match=r"'gone\.tif' is not there any more"):
        inspect(Source(str(tmp_path / "gone.tif"), "1"))


def test_damage_met_inside_the_block_is_typed(data: Path) -> None:
    with (
        pytest.raises(SourceUnreadable, match=r"'corrupt\.tif' cannot be read"),
        open_raster(local_source(data / "images/corrupt.tif")) as dataset,
    ):
        dataset.read()


def test_rotated_and_points_of_a_geotiff_without_crs_are_data(tmp_path: Path) -> None:
    rotated = Affine.rotation(30) @ Affine(10, 0, 500_000, 0, -10, 4_000_000)
    info = describe(
        local_source(write(tmp_path / "a.tif", np.ones((1, 8, 8), np.uint8), crs="EPSG:32636", transform=rotated))
    )
    assert info.transform == pytest.approx(tuple(rotated)[:6])
    points = [GroundControlPoint(row, col, 30 + col, 40 - row) for row in (0, 8) for col in (0, 8)]
    info = describe(local_source(write(tmp_path / "b.tif", np.ones((1, 8, 8), np.uint8), gcps=points, crs="EPSG:4326")))
    assert (info.gcps, info.gcp_points[1], info.gcp_crs, info.crs) == (4, (8.0, 0.0, 38.0, 40.0), "EPSG:4326", None)


def test_sources_needs_no_web_framework() -> None:
    code = "import sys, tiles, tiles.sources; tiles.describe; print(sorted({'fastapi', 'starlette', 'rio_tiler', 'geolabel'} & set(sys.modules)))"
    run = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": "."}, capture_output=True, text=True, check=True
    )
    assert run.stdout == "[]\n"
