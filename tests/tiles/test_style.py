from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tiles.bands import default_bands
from tiles.errors import InvalidParameter
from tiles.info import BandInfo, RasterInfo
from tiles.sources import inspect, local_source
from tiles.style import Style, make_style, needs_stretch, percentile_range

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def elkton(data: Path) -> RasterInfo:
    return inspect(local_source(data / "pairs/elkton_l8_uint16_landcover/l8_elkton_uint16.tif"))


@pytest.mark.parametrize(
    ("name", "bands"),
    [
        ("pairs/kampala_rgb_buildings/kampala_z20_rgb.tif", (1, 2, 3)),
        ("pairs/swellendam_rgba_osm/3420B_2010_328_RGB_LATLNG.tif", (1, 2, 3)),
        ("pairs/atlanta_pan16_buildings/atlanta_pan.tif", (1,)),
        (
            "pairs/beaufort_s2_landcover/s2b_20181013_b2348_uint8.tif",
            (3, 2, 1),
        ),  # its bands are called B02, B03, B04, B08
        ("pairs/elkton_l8_uint16_landcover/l8_elkton_uint16.tif", (4, 3, 2)),  # B1..B7, B9
        ("images/landsat7_1999_8band_int16.tif", (1, 2, 3)),
        ("images/m_4709963_se_14_1_20180716.tif", (1, 2, 3)),
        ("images/cog_cmap.tif", (1,)),
    ],
)
def test_default_bands(data: Path, name: str, bands: tuple[int, ...]) -> None:
    assert default_bands(inspect(local_source(data / name))) == bands


@pytest.mark.parametrize(
    ("colors", "names", "bands"),
    [
        (["blue", "green", "red", "undefined"], [], (3, 2, 1)),
        (["gray", "alpha"], [], (1,)),
        (["undefined", "undefined"], [], (1,)),
        (["undefined"] * 4, ["Red", " green ", "BLUE", "nir"], (1, 2, 3)),
        (["alpha"], [], (1,)),
    ],
)
def test_default_bands_by_color_and_name(
    elkton: RasterInfo, colors: list[str], names: list[str], bands: tuple[int, ...]
) -> None:
    names = names or [None] * len(colors)
    made = tuple(
        BandInfo(i, "uint8", name, None, color) for i, (color, name) in enumerate(zip(colors, names, strict=True), 1)
    )
    assert default_bands(dataclasses.replace(elkton, bands=made)) == bands


def test_a_style_is_read_from_parameters(elkton: RasterInfo) -> None:
    assert make_style(elkton) == Style((4, 3, 2), None, palette=False, resampling="bilinear")
    assert make_style(elkton, bidx=["5,4,3"]).bands == make_style(elkton, bidx=["5", "4", "3"]).bands == (5, 4, 3)
    assert make_style(elkton, rescale=["0,3000"]).stretch == ((0, 3000),) * 3
    assert (
        make_style(elkton, rescale=["0,1,0,2,0,3"]).stretch
        == make_style(elkton, rescale=["0,1", "0,2", "0,3"]).stretch
        == ((0, 1), (0, 2), (0, 3))
    )
    assert make_style(elkton, bidx=["2"], rescale=["-1.5,1e4"], resampling=["cubic"]) == Style(
        (2,), ((-1.5, 1e4),), palette=False, resampling="cubic"
    )


def test_a_palette_is_used_unless_a_range_is_given(data: Path) -> None:
    info = inspect(local_source(data / "images/cog_cmap.tif"))
    assert make_style(info) == Style((1,), None, palette=True, resampling="nearest")
    assert make_style(info, rescale=["0,12"]) == Style((1,), ((0, 12),), palette=False, resampling="bilinear")


@pytest.mark.parametrize(
    "values",
    [["0"], ["9"], ["1,2"], ["1,2,3,4"], [""], ["a"], ["-1"], ["1.0"], ["+1"], ["1" * 5000], ["1,2,99"], ["²"]],
)
def test_bands_that_cannot_be_used(elkton: RasterInfo, values: list[str]) -> None:
    with pytest.raises(
        InvalidParameter, match=r"expected one band or three, numbered 1 to 8, like bidx=1 or bidx=3,2,1; got "
    ):
        make_style(elkton, bidx=values)


@pytest.mark.parametrize(
    "values", [["5"], ["5,1"], ["1,1"], ["nan,1"], ["0,inf"], ["0,1", "0,1"], ["a,b"], [""], ["0,1,2"], ["0;1"]]
)
def test_ranges_that_cannot_be_used(elkton: RasterInfo, values: list[str]) -> None:
    with pytest.raises(
        InvalidParameter,
        match=r"rescale cannot be used: expected min,max with min < max, once or 3 times, like rescale=0,3000; got ",
    ):
        make_style(elkton, rescale=values)


def test_resampling_that_cannot_be_used(elkton: RasterInfo) -> None:
    with pytest.raises(InvalidParameter, match="resampling cannot be used: expected it once; got it 2 times"):
        make_style(elkton, resampling=["nearest", "nearest"])
    for values in (["lanczos"], [""]):
        with pytest.raises(InvalidParameter, match="expected one of nearest, bilinear, cubic"):
            make_style(elkton, resampling=values)


def test_only_what_is_not_8_bit_is_stretched(data: Path, elkton: RasterInfo) -> None:
    kampala = inspect(local_source(data / "pairs/kampala_rgb_buildings/kampala_z20_rgb.tif"))
    assert not needs_stretch(kampala, make_style(kampala))
    assert needs_stretch(elkton, make_style(elkton))
    assert not needs_stretch(elkton, make_style(elkton, rescale=["0,1"]))


def test_percentiles() -> None:
    assert percentile_range(np.arange(101)) == (2, 98)
    assert percentile_range(np.array([])) == (0, 1)
    assert percentile_range(np.full(9, 7.0)) == (6.5, 7.5)
