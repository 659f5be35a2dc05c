from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import LineString, MultiPolygon, Point, Polygon, box

from geolabel.errors import InvalidCRS, InvalidInput
from geolabel.geo.pixels import (
    MapGeometry,
    PixelGeometry,
    clip,
    footprint,
    map_to_pixel,
    pixel_area,
    pixel_to_map,
    window_grid,
)
from geolabel.model import Grid

if TYPE_CHECKING:
    from pathlib import Path

GRIDS = {
    "utm": Grid("EPSG:32633", (10.0, 0.0, 500_000.0, 0.0, -10.0, 5_600_000.0), 1000, 800),
    "rotated": Grid(
        "EPSG:32633",
        tuple((Affine.translation(5e5, 5.6e6) @ Affine.rotation(33) @ Affine.scale(0.3, -0.3))[:6]),
        900,
        700,
    ),
    "sheared": Grid("EPSG:32633", (0.5, 0.2, 5e5, 0.1, -0.7, 5.6e6), 900, 700),
    "south-up": Grid("EPSG:32733", (1.0, 0.0, 4e5, 0.0, 1.0, 9.1e6), 512, 512),
    "anisotropic": Grid("EPSG:3034", (30.0, 0.0, 4.3e6, 0.0, -10.0, 3.1e6), 640, 640),
    "geographic": Grid("EPSG:4326", (2.5e-5, 0.0, 20.4, 0.0, -2.5e-5, -34.0), 1098, 3039),
    "polar": Grid("EPSG:3413", (60.0, 0.0, -100_000.0, 0.0, -60.0, 90_000.0), 3000, 3000),
    "web mercator": Grid("EPSG:3857", (0.149, 0.0, 3.6e6, 0.0, -0.149, 39_100.0), 1536, 1024),
    "antimeridian": Grid("EPSG:32660", (100.0, 0.0, 650_000.0, 0.0, -100.0, -1_600_000.0 + 9_000_000.0), 2325, 2355),
    "no CRS": Grid(None, (1.0, 0.0, 0.0, 0.0, 1.0, 0.0), 100, 100),
}
UNIT = st.floats(-0.2, 1.2, allow_nan=False)


@pytest.mark.parametrize("name", GRIDS)
@given(shares=st.lists(st.tuples(UNIT, UNIT), min_size=1, max_size=20))
def test_pixel_to_map_to_pixel_returns_within_a_millionth(name: str, shares: list[tuple[float, float]]) -> None:
    grid = GRIDS[name]
    points = np.array([Point(x * grid.width, y * grid.height) for x, y in shares], dtype=object)
    there = pixel_to_map(PixelGeometry(points, grid))
    back = map_to_pixel(there, grid)
    error = shapely.get_coordinates(back.geometries) - shapely.get_coordinates(points)
    assert np.abs(error).max() <= 1e-6


@pytest.mark.parametrize("name", [n for n in GRIDS if n != "no CRS"])
@given(shares=st.lists(st.tuples(UNIT, UNIT), min_size=1, max_size=20))
def test_a_way_through_longitude_and_latitude_returns_within_a_millionth(
    name: str, shares: list[tuple[float, float]]
) -> None:
    grid = GRIDS[name]
    points = np.array([Point(x * grid.width, y * grid.height) for x, y in shares], dtype=object)
    in_degrees = pixel_to_map(PixelGeometry(points, grid), "OGC:CRS84")
    back = map_to_pixel(in_degrees, grid)
    error = shapely.get_coordinates(back.geometries) - shapely.get_coordinates(points)
    assert np.abs(error).max() <= 1e-6


def test_an_equal_area_grid_returns_as_exactly_as_proj_inverts_it() -> None:
    """PROJ's inverse of the Lambert azimuthal equal-area projection is good to 0.4 mm, in any library that uses it."""
    grid = Grid("EPSG:3035", (1.0, 0.0, 4.3e6, 0.0, -1.0, 3.1e6), 640, 640)
    points = np.array([Point(0, 0), Point(640, 640), Point(100.25, 320.5)], dtype=object)
    back = map_to_pixel(pixel_to_map(PixelGeometry(points, grid), "OGC:CRS84"), grid)
    error = np.abs(shapely.get_coordinates(back.geometries) - shapely.get_coordinates(points))
    assert error.max() <= 1e-3


def test_the_corner_of_the_first_pixel_is_the_origin(data: Path) -> None:
    with rasterio.open(data / "pairs/osbs_rgb_treeboxes/OSBS_029.tif") as raster:
        grid = Grid(str(raster.crs), tuple(raster.transform[:6]), raster.width, raster.height)
        centre = raster.xy(3, 5)  # rasterio's own idea of the centre of row 3, column 5
    pixel = map_to_pixel(MapGeometry(np.array([Point(centre)], dtype=object), grid.crs), grid).geometries[0]
    assert pixel.x == pytest.approx(5.5, abs=1e-6)
    assert pixel.y == pytest.approx(3.5, abs=1e-6)


def test_a_long_edge_is_densified_so_that_it_bends_with_the_ground() -> None:
    grid = Grid("EPSG:3035", (10.0, 0.0, 4e6, 0.0, -10.0, 4e6), 10_000, 10_000)
    edge = LineString([(5.0, 50.0), (15.0, 50.0)])
    pixels = map_to_pixel(MapGeometry(np.array([edge], dtype=object), "OGC:CRS84"), grid)
    fine = shapely.segmentize(edge, 1e-3)
    truth = map_to_pixel(MapGeometry(np.array([fine], dtype=object), "OGC:CRS84"), grid).geometries[0]
    assert shapely.get_num_coordinates(pixels.geometries[0]) > 10
    assert shapely.hausdorff_distance(pixels.geometries[0], truth) <= 0.25


def test_a_short_edge_gets_no_vertices(data: Path) -> None:
    import geopandas as gpd

    labels = gpd.read_file(data / "pairs/kampala_rgb_buildings/buildings.geojson")
    shapes = np.asarray(labels.geometry.array, dtype=object)
    pixels = map_to_pixel(MapGeometry(shapes, "OGC:CRS84"), GRIDS["web mercator"])
    assert (shapely.get_num_coordinates(pixels.geometries) == shapely.get_num_coordinates(shapes)).all()


def test_labels_with_a_crs_do_not_fall_on_a_scene_without_one() -> None:
    labels = MapGeometry(np.array([Point(1, 2)], dtype=object), "OGC:CRS84")
    with pytest.raises(InvalidCRS, match="no common ground"):
        map_to_pixel(labels, GRIDS["no CRS"])


def test_a_transform_without_area_is_refused() -> None:
    flat = Grid("EPSG:32633", (1.0, 2.0, 0.0, 2.0, 4.0, 0.0), 10, 10)
    with pytest.raises(InvalidInput, match="onto a line"):
        map_to_pixel(MapGeometry(np.array([Point(1, 2)], dtype=object), "EPSG:32633"), flat)


WINDOW = (10, 20, 40, 30)
COORDINATE = st.floats(-5, 75, allow_nan=False)


@st.composite
def triangles(draw: st.DrawFn) -> Polygon:
    shape = Polygon([(draw(COORDINATE), draw(COORDINATE)) for _ in range(3)])
    return shape if shape.area > 1e-3 else box(12, 22, 15, 24)


@given(shapes=st.lists(triangles(), min_size=1, max_size=12))
def test_clipping_keeps_exactly_the_area_inside(shapes: list[Polygon]) -> None:
    labels = PixelGeometry(np.array(shapes, dtype=object), GRIDS["utm"])
    clipped = clip(labels, WINDOW)
    window = box(10, 20, 50, 50)
    for piece, index, cut in zip(clipped.labels.geometries, clipped.kept, clipped.truncated, strict=True):
        assert piece.area == pytest.approx(shapes[index].intersection(window).area, abs=1e-6)
        assert box(0, 0, 40, 30).buffer(1e-9).covers(piece)
        assert cut == (not window.covers(shapes[index]))
    lost = set(range(len(shapes))) - set(clipped.kept.tolist())
    assert sum(shapes[i].intersection(window).area for i in lost) <= 1e-6


def test_a_polygon_cut_into_parts_stays_one_annotation() -> None:
    comb = Polygon([(0, 25), (60, 25), (60, 60), (45, 60), (45, 40), (15, 40), (15, 60), (0, 60)]).difference(
        box(0, 20, 60, 45)
    )
    labels = PixelGeometry(np.array([comb], dtype=object), GRIDS["utm"])
    clipped = clip(labels, (10, 20, 40, 30))
    assert len(clipped.labels.geometries) == 1
    assert isinstance(clipped.labels.geometries[0], MultiPolygon)
    assert clipped.truncated.tolist() == [True]


def test_what_only_touches_the_window_leaves_nothing() -> None:
    beside = [box(50, 20, 60, 30), LineString([(0, 20), (10, 20)]), box(0, 0, 10, 20)]
    labels = PixelGeometry(np.array(beside, dtype=object), GRIDS["utm"])
    assert len(clip(labels, WINDOW).kept) == 0
    on_edge = PixelGeometry(np.array([Point(50, 50), Point(50.1, 50)], dtype=object), GRIDS["utm"])
    assert clip(on_edge, WINDOW).kept.tolist() == [0]


def test_a_windows_grid_counts_from_its_own_corner() -> None:
    grid = window_grid(GRIDS["rotated"], (-3, 7, 16, 16))
    a, b, c, d, e, f = GRIDS["rotated"].transform
    assert grid.transform[2] == pytest.approx(a * -3 + b * 7 + c, abs=1e-9)
    assert grid.transform[5] == pytest.approx(d * -3 + e * 7 + f, abs=1e-9)
    assert (grid.width, grid.height) == (16, 16)


@pytest.mark.parametrize("name", GRIDS)
def test_the_footprint_has_the_area_of_all_pixels(name: str) -> None:
    grid = GRIDS[name]
    assert math.isclose(footprint(grid).area, pixel_area(grid) * grid.width * grid.height, rel_tol=1e-9)
