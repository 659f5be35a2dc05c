from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import numpy as np
import pytest
import rasterio
import rasterio.shutil
import rasterio.transform

from geolabel.cog import write_cog
from geolabel.errors import AlreadyExists, InvalidInput, InvalidRaster
from geolabel.geo import crs
from geolabel.scenes import inspect

if TYPE_CHECKING:
    from pathlib import Path

# What registering each shared raster gives: the CRS, or the sentence.
EXPECTED = {
    "images/RGB.byte.tif": "EPSG:32618",
    "images/cog_cmap.tif": "EPSG:3857",
    "images/cog_dateline.tif": "EPSG:32660",
    "images/cog_gcps.tif": InvalidRaster("has 210 ground control points and no transform.*geolabel scene add --cog"),
    "images/cog_hirise_mars.tif": "Equirectangular MARS",
    "images/cog_nodata_nan.tif": "EPSG:32610",
    "images/cog_rgb_mask.tif": "EPSG:26913",
    "images/cog_rgba.tif": "EPSG:26913",
    "images/corrupt.tif": InvalidRaster("corrupt.tif.*cut short.*download it again"),
    "images/landsat7_1999_8band_int16.tif": "EPSG:32615",
    "images/landsat7_2002_8band_int16.tif": "EPSG:32615",
    "images/m_4709963_se_14_1_20100629.tif": "EPSG:26914",
    "images/m_4709963_se_14_1_20180716.tif": "EPSG:26914",
    "images/mosaic_cog1.tif": "EPSG:32618",
    "images/pix4d_alpha_nodata.tif": "EPSG:32750",
    "images/rotated.tif": InvalidRaster("has a transform and no CRS.*gdal_edit.py -a_srs"),
    "images/world.rgb.tif": "EPSG:4326",
    "pairs/atlanta_pan16_buildings/atlanta_pan.tif": "EPSG:32616",
    "pairs/beaufort_s2_landcover/s2b_20181013_b2348_uint8.tif": "EPSG:4326",
    "pairs/elkton_l8_uint16_landcover/l8_elkton_pan15m.tif": "EPSG:32617",
    "pairs/elkton_l8_uint16_landcover/l8_elkton_uint16.tif": "EPSG:32617",
    "pairs/elkton_l8_uint16_landcover/labels_raster.tif": "EPSG:32617",
    "pairs/kampala_rgb_buildings/kampala_z19_rgb.tif": "EPSG:3857",
    "pairs/kampala_rgb_buildings/kampala_z20_rgb.tif": "EPSG:3857",
    "pairs/osbs_rgb_treeboxes/OSBS_029.tif": "EPSG:32617",
    "pairs/swellendam_rgba_osm/3420B_2010_328_RGB_LATLNG.tif": "EPSG:4326",
}


def test_the_table_names_every_shared_raster(data: Path) -> None:
    rasters = {str(p.relative_to(data)) for folder in ("images", "pairs") for p in (data / folder).rglob("*.tif")}
    assert rasters == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_every_raster_is_registered_or_refused_with_the_right_sentence(data: Path, name: str) -> None:
    expected = EXPECTED[name]
    if isinstance(expected, InvalidRaster):
        with pytest.raises(InvalidRaster, match=str(expected)):
            inspect(data / name)
        return
    scene = inspect(data / name)
    with rasterio.open(data / name) as raster:
        code = raster.crs.to_epsg()
        assert crs.label(scene.grid.crs or "") == expected == (f"EPSG:{code}" if code else "Equirectangular MARS")
        assert scene.grid.transform == tuple(raster.transform[:6])
        assert (scene.grid.width, scene.grid.height) == (raster.width, raster.height)
        assert [b.dtype for b in scene.bands] == list(raster.dtypes)
        assert [b.nodata for b in scene.bands] == list(raster.nodatavals)
        assert [b.color for b in scene.bands] == [c.name for c in raster.colorinterp]


def test_what_it_costs_is_said(data: Path) -> None:
    beaufort = inspect(data / "pairs/beaufort_s2_landcover/s2b_20181013_b2348_uint8.tif")
    assert any("no overviews" in note and "--cog" in note for note in beaufort.warnings)
    assert inspect(data / "images/cog_cmap.tif").warnings == ()


def test_complex_values_are_shown_as_their_magnitude(tmp_path: Path) -> None:
    path = tmp_path / "radar.tif"
    transform = rasterio.transform.from_origin(500_000, 5_600_000, 10, 10)
    with rasterio.open(
        path, "w", driver="GTiff", width=8, height=8, count=1, dtype="complex64", crs="EPSG:32633", transform=transform
    ) as raster:
        raster.write(np.ones((1, 8, 8), dtype=np.complex64))
    assert inspect(path).warnings == ("Its values are complex: the map shows their magnitude.",)


def test_the_ground_size_of_a_pixel_is_on_the_ground(data: Path) -> None:
    assert inspect(data / "images/cog_cmap.tif").resolution == pytest.approx(
        1.194 * 0.767, rel=0.01
    )  # Web Mercator at 40 N
    assert inspect(data / "pairs/osbs_rgb_treeboxes/OSBS_029.tif").resolution == pytest.approx(0.1, rel=1e-3)


def test_a_scene_over_the_antimeridian_has_west_above_east(data: Path) -> None:
    west, _, east, _ = inspect(data / "images/cog_dateline.tif").bounds or (0, 0, 0, 0)
    assert west > 177 > -178 > east


def test_the_version_follows_the_file(data: Path, tmp_path: Path) -> None:
    copy = tmp_path / "scene.tif"
    shutil.copy(data / "images/RGB.byte.tif", copy)
    before = inspect(copy).version
    assert inspect(copy).version == before
    with rasterio.open(copy, "r+") as raster:
        raster.update_tags(note="touched")
    assert inspect(copy).version != before


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("2018-10-13", "2018-10-13T00:00:00Z"),
        ("2018-10-13T10:20:30", "2018-10-13T10:20:30Z"),
        ("2018-10-13T12:20:30+02:00", "2018-10-13T10:20:30Z"),
    ],
)
def test_dates_become_utc(data: Path, given: str, expected: str) -> None:
    assert inspect(data / "images/RGB.byte.tif", datetime=given).datetime == expected


def test_a_date_that_is_none_is_refused(data: Path) -> None:
    with pytest.raises(InvalidInput, match="'13 Oct 2018' cannot be read: expected '2018-10-13'"):
        inspect(data / "images/RGB.byte.tif", datetime="13 Oct 2018")


@pytest.mark.parametrize(
    ("content", "message"), [(b"", "empty"), (b"hello, I am no raster", "not"), (None, "cannot be found")]
)
def test_what_is_no_raster_is_refused(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "thing.tif"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InvalidRaster, match=message):
        inspect(path)


def test_a_cog_beside_the_raster_has_its_pixels(data: Path, tmp_path: Path) -> None:
    from rio_cogeo.cogeo import cog_validate

    original = tmp_path / "swellendam.tif"
    shutil.copy(data / "pairs/swellendam_rgba_osm/3420B_2010_328_RGB_LATLNG.tif", original)
    cog = write_cog(original)
    assert cog == tmp_path / "swellendam.cog.tif"
    assert cog_validate(str(cog))[0]
    with rasterio.open(original) as before, rasterio.open(cog) as after:
        assert np.array_equal(before.read(), after.read())
        assert before.colorinterp == after.colorinterp
    assert inspect(cog).grid == inspect(original).grid
    assert inspect(cog).warnings == ()
    with pytest.raises(AlreadyExists, match=r"swellendam\.cog\.tif is already there"):
        write_cog(original)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["swellendam.cog.tif", "swellendam.tif"]


def test_a_jpeg_2000_is_a_scene_and_becomes_a_cog(data: Path, tmp_path: Path) -> None:
    original = tmp_path / "kampala.jp2"
    tif = data / "pairs/kampala_rgb_buildings/kampala_z20_rgb.tif"
    rasterio.shutil.copy(tif, original, driver="JP2OpenJPEG", QUALITY=100, REVERSIBLE="YES")
    assert inspect(original).grid == inspect(tif).grid
    cog = write_cog(original)
    assert inspect(cog).grid == inspect(tif).grid
    with rasterio.open(tif) as before, rasterio.open(cog) as after:
        assert np.array_equal(before.read(), after.read())
        assert after.overviews(1) or max(after.shape) <= 512


def test_a_cog_of_a_broken_raster_leaves_nothing(data: Path, tmp_path: Path) -> None:
    broken = tmp_path / "corrupt.tif"
    shutil.copy(data / "images/corrupt.tif", broken)
    with pytest.raises(InvalidRaster, match="cut short"):
        write_cog(broken)
    assert [p.name for p in tmp_path.iterdir()] == ["corrupt.tif"]


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+10:00", "9999-12-31T23:59:59-10:00"])
def test_a_moment_beyond_the_calendar_is_refused(data: Path, moment: str) -> None:
    with pytest.raises(InvalidInput, match="cannot be read"):
        inspect(data / "images/RGB.byte.tif", datetime=moment)


def test_one_pixel_may_be_the_whole_earth(tmp_path: Path) -> None:
    path = tmp_path / "earth.tif"
    whole = {"crs": "EPSG:4326", "transform": rasterio.Affine(360, 0, -180, 0, -180, 90)}
    with rasterio.open(path, "w", driver="GTiff", width=1, height=1, count=1, dtype="uint8", **whole) as raster:
        raster.write(np.ones((1, 1, 1), "uint8"))
    assert inspect(path).resolution == pytest.approx(2.8e7, rel=0.02)
