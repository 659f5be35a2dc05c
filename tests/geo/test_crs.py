from __future__ import annotations

from typing import TYPE_CHECKING

import geopandas as gpd
import numpy as np
import pyproj
import pytest
import rasterio
import shapely
from shapely.geometry import LineString, Point, box

from geolabel.errors import InvalidCRS
from geolabel.geo import crs

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("EPSG:32633", "EPSG:32633"),
        ("epsg:4326", "EPSG:4326"),
        ("OGC:CRS84", "OGC:CRS84"),
        ("http://www.opengis.net/def/crs/OGC/1.3/CRS84", "OGC:CRS84"),
        ("http://www.opengis.net/def/crs/EPSG/0/32636", "EPSG:32636"),
        ("urn:ogc:def:crs:OGC:1.3:CRS84", "OGC:CRS84"),
        ("urn:ogc:def:crs:EPSG::3857", "EPSG:3857"),
        (pyproj.CRS.from_epsg(32633).to_wkt("WKT1_GDAL"), "EPSG:32633"),
        (pyproj.CRS.from_epsg(25832).to_wkt(), "EPSG:25832"),
    ],
)
def test_every_spelling_comes_to_one(given: str, expected: str) -> None:
    assert crs.normalise(given) == expected


@pytest.mark.parametrize(
    "given",
    [
        "",
        "EPSG:999999",
        "EPSG:5773",
        "+proj=utm +zone=33",
        "/etc/passwd",
        "http://example.org/crs",
        "utm 33",
        "EPSG:4326; DROP",
        "PROJCRS[broken",
    ],
)
def test_what_is_no_crs_is_refused_with_its_name(given: str) -> None:
    with pytest.raises(InvalidCRS, match="CRS"):
        crs.normalise(given)


def test_a_crs_without_a_code_stays_wkt(data: Path) -> None:
    with rasterio.open(data / "images/cog_hirise_mars.tif") as raster:
        mars = crs.normalise(raster.crs.to_wkt())
    assert crs.normalise(mars) == mars
    assert crs.label(mars) == "Equirectangular MARS"
    assert not crs.on_earth(mars)
    assert crs.to_uri(mars) is None
    assert crs.definition(mars)[1] is None


@pytest.mark.parametrize(
    ("name", "swaps"),
    [
        ("EPSG:4326", True),
        ("OGC:CRS84", False),
        ("EPSG:32633", False),
        ("EPSG:3857", False),
        ("EPSG:3031", False),  # both axes point north; easting comes first
        ("EPSG:32661", True),  # northing first
        ("EPSG:5041", False),  # the same grid, easting first
        ("EPSG:31467", True),
        ("EPSG:2393", True),
        ("EPSG:2056", False),
    ],
)
def test_the_authoritys_axis_order_is_known(name: str, swaps: bool) -> None:
    assert crs.swaps_axes(name) is swaps


def test_the_same_crs_gives_back_the_same_objects() -> None:
    shapes = np.array([Point(1, 2), box(0, 0, 1, 1)], dtype=object)
    assert crs.transform_geometries(shapes, "EPSG:4326", "OGC:CRS84") is shapes


def test_real_labels_land_where_geopandas_puts_them(data: Path) -> None:
    frame = gpd.read_file(data / "pairs/beaufort_s2_landcover/rcr_landcover.shp")
    ours = crs.transform_geometries(np.asarray(frame.geometry.array, dtype=object), "EPSG:32618", "EPSG:4326")
    theirs = np.asarray(frame.to_crs(4326).geometry.array, dtype=object)
    assert np.array_equal(shapely.get_coordinates(ours), shapely.get_coordinates(theirs))


def test_z_is_kept() -> None:
    shapes = np.array([Point(15, 50, 7.25), Point(15, 50), LineString([(15, 50, 1), (16, 50, 2)])], dtype=object)
    moved = crs.transform_geometries(shapes, "OGC:CRS84", "EPSG:32633", tolerance=1e9)
    assert moved[0].z == 7.25
    assert not moved[1].has_z
    assert shapely.get_coordinates(moved[2], include_z=True)[:, 2].tolist() == [1, 2]


def test_a_densified_edge_stays_within_the_tolerance() -> None:
    edge = np.array([LineString([(-5.0, 60.0), (25.0, 60.0)])], dtype=object)
    truth = crs.transform_geometries(shapely.segmentize(edge, 1e-3), "OGC:CRS84", "EPSG:3035")[0]
    for tolerance in (10.0, 1000.0):
        bent = crs.transform_geometries(edge, "OGC:CRS84", "EPSG:3035", tolerance=tolerance)[0]
        assert shapely.hausdorff_distance(bent, truth) <= tolerance


def test_the_given_vertices_survive_densifying() -> None:
    ring = np.array([box(-5, 40, 25, 60)], dtype=object)
    dense = crs.transform_geometries(ring, "OGC:CRS84", "EPSG:3035", tolerance=1000.0)[0]
    plain = crs.transform_geometries(ring, "OGC:CRS84", "EPSG:3035")[0]
    kept = set(map(tuple, shapely.get_coordinates(dense).tolist()))
    assert set(map(tuple, shapely.get_coordinates(plain).tolist())) <= kept


@pytest.mark.parametrize(("x", "y"), [(10.0, 95.0), (float("nan"), 1.0), (1e308, 1.0)])
def test_a_point_that_the_target_cannot_hold_is_named(x: float, y: float) -> None:
    with pytest.raises(InvalidCRS, match="has no place in EPSG:32632"):
        crs.transform_geometries(np.array([Point(x, y)], dtype=object), "OGC:CRS84", "EPSG:32632")


def test_a_point_that_does_not_come_back_is_refused() -> None:
    far = np.array([Point(129.0, 10.0)], dtype=object)  # the Swiss grid folds the far side of the Earth onto itself
    with pytest.raises(InvalidCRS, match="Check the CRS"):
        crs.transform_geometries(far, "OGC:CRS84", "EPSG:2056", round_trip=1e-3)


def test_a_box_over_the_antimeridian_has_west_above_east(data: Path) -> None:
    with rasterio.open(data / "images/cog_dateline.tif") as raster:
        west, _, east, _ = crs.bounds_to(tuple(raster.bounds), str(raster.crs), "OGC:CRS84")
    assert west > 0 > east


def test_ground_measures_follow_the_ellipsoid() -> None:
    degree = np.array([box(0, 0, 1, 1), box(0, 0, 1, 1) - box(0.2, 0.2, 0.8, 0.8)], dtype=object)
    areas = crs.ground_area(degree, "OGC:CRS84")
    geod = pyproj.Geod(ellps="WGS84")
    assert areas[0] == pytest.approx(geod.geometry_area_perimeter(degree[0])[0], rel=1e-12)
    assert areas[1] == pytest.approx(areas[0] * 0.64, rel=1e-3)
    utm = np.array([box(500_000, 5_600_000, 500_100, 5_600_100)], dtype=object)
    assert crs.ground_area(utm, "EPSG:32633")[0] == pytest.approx(1e4 / 0.9996**2, rel=1e-6)
    line = np.array([LineString([(0, 0), (1, 0)]), Point(0, 0)], dtype=object)
    assert crs.ground_length(line, "OGC:CRS84").tolist() == [pytest.approx(crs.METRES_PER_DEGREE, rel=1e-9), 0.0]


def test_crossing_the_antimeridian_is_no_bend() -> None:
    square = box(700_000, 5_790_000, 780_000, 5_800_000)  # 180 degrees lie in its middle
    [moved] = crs.transform_geometries(np.array([square]), "EPSG:32660", "OGC:CRS84", tolerance=1e-5)
    xy = shapely.get_coordinates(moved)
    assert 179 < xy[:, 0].min() < 180 < xy[:, 0].max() < 182
    assert len(xy) < 100
