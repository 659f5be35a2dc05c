"""Where a place is: degrees, the project's CRS, pixels of a scene."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyproj
import pytest
import rasterio

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Api

AT = "/api/projects/atlanta/positions"
RASTER = "pairs/atlanta_pan16_buildings/atlanta_pan.tif"


def test_positions_are_those_of_proj_and_of_the_raster(api: Api, data: Path) -> None:
    degrees = np.array([[-84.48, 33.638], [-84.4791, 33.6377]])
    points = ";".join(f"{x},{y}" for x, y in degrees)
    given = api("GET", AT, params={"points": points, "scene": "atlanta_pan"}).json()
    assert given["crs"] == "EPSG:32616"
    np.testing.assert_array_equal(given["lonlat"], degrees)
    x, y = pyproj.Transformer.from_crs("OGC:CRS84", "EPSG:32616", always_xy=True).transform(*degrees.T)
    np.testing.assert_allclose(given["project"], np.column_stack([x, y]), atol=1e-6)
    with rasterio.open(data / RASTER) as raster:
        np.testing.assert_allclose(given["pixel"], np.column_stack(~raster.transform @ (x, y)), atol=1e-6)

    # And back, from the project's own coordinates and from any other CRS.
    own = ";".join(f"{x!r},{y!r}" for x, y in given["project"])
    back = api("GET", AT, params={"points": own, "crs": "project"}).json()
    np.testing.assert_allclose(back["lonlat"], degrees, atol=1e-11)
    assert back["pixel"] is None
    mercator = pyproj.Transformer.from_crs("OGC:CRS84", "EPSG:3857", always_xy=True).transform(*degrees[0])
    other = api("GET", AT, params={"points": "{!r},{!r}".format(*mercator), "crs": "EPSG:3857"}).json()
    np.testing.assert_allclose(other["lonlat"][0], degrees[0], atol=1e-11)


def test_what_a_crs_cannot_hold_is_null(api: Api) -> None:
    given = api("GET", AT, params={"points": "0,95"}).json()
    assert given["project"] == [None]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"points": "1"}, "expected 1 to 100 points such as 32.59,0.35;32.60,0.36; got '1'"),
        ({"points": "1,2;nan,3"}, "got 'nan,3'"),
        ({"points": ";".join(["1,2"] * 101)}, "got 101"),
        ({"points": "1,2", "crs": "EPSG:999999"}, "EPSG:999999"),
        ({"points": "1,2", "crs": "IAU_2015:49900"}, "it does not lie on the Earth"),
        ({"points": "1,2", "scene": "moon"}, "moon"),
        ({}, "points"),
    ],
)
def test_points_that_cannot_be_read(api: Api, query: dict[str, str], words: str) -> None:
    answer = api("GET", AT, 400, params=query).json()
    assert words in str(answer)
