"""Projects across the antimeridian, around a pole, and in other tile matrix sets."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
import shapely
from pyproj import Transformer
from shapely.geometry import LineString, MultiPoint, Point, Polygon

from geolabel.errors import InvalidCRS, NotFound
from geolabel.labeltiles.matrix import check_fits, matrix_set, served

if TYPE_CHECKING:
    from conftest import Kit
    from shapely.geometry.base import BaseGeometry

    from geolabel.labeltiles.layer import Layer

R = 20_037_508.342789244


def covered(kit: Kit, layer: Layer, tms: str, *tile: int) -> BaseGeometry:
    """What the visible part of a tile shows of label 1, in units of the tile."""
    shape = kit.decode(kit.draw(layer, matrix_set(tms).box(*tile))).get(1, Polygon())
    return kit.mended(shape).intersection(shapely.box(0, 0, 4096, 4096))


def test_a_utm_label_across_the_antimeridian_shows_on_both_sides(kit: Kit) -> None:
    """In UTM zone 60 south a square of 20 km with the antimeridian in its middle."""
    x, y = Transformer.from_crs("OGC:CRS84", "EPSG:32760", always_xy=True).transform(180.0, -17.0)
    square = shapely.box(x - 10_000, y - 10_000, x + 10_000, y + 10_000)
    layer = kit.layer_of([square], crs="EPSG:32760", matrices=kit.web)
    z = 8
    row = int((R + math.log(math.tan(math.radians(45 + 17 / 2))) * 6_378_137) / (2 * R) * 2**z)
    west, east = (covered(kit, layer, "WebMercatorQuad", z, column, row) for column in (2**z - 1, 0))
    unit = 2 * R / 2**z / 4096 * math.cos(math.radians(17))
    assert west.bounds[2] == 4096
    assert east.bounds[0] == 0
    for half in (west, east):
        assert half.area * unit**2 == pytest.approx(20_000 * 10_000, rel=0.03)
        assert half.bounds[2] - half.bounds[0] < 400  # and does not go around the Earth
    middle = [covered(kit, layer, "WebMercatorQuad", z, column, row).area for column in range(1, 2**z - 1)]
    assert sum(middle) == 0
    world = kit.decode(kit.draw(layer, kit.web.box(0, 0, 0)))
    assert world == {} or shapely.get_num_geometries(world[1]) <= 2


@pytest.mark.parametrize("west", [170.0, -190.0])
def test_a_geographic_label_that_goes_on_beyond_180(kit: Kit, west: float) -> None:
    box = shapely.box(west, 0, west + 20, 20)
    for tms, columns in (("WebMercatorQuad", (7, 0)), ("WorldCRS84Quad", (15, 0))):
        layer = kit.layer_of([box], crs="OGC:CRS84", matrices=matrix_set(tms))
        row = 3
        halves = [covered(kit, layer, tms, 3, column, row) for column in columns]
        assert halves[0].area == pytest.approx(halves[1].area, rel=1e-3)
        assert halves[0].area > 1000
        assert halves[0].bounds[2] == 4096
        assert halves[1].bounds[0] == 0


def test_a_label_of_the_whole_earth_is_not_torn(kit: Kit) -> None:
    layer = kit.layer_of([shapely.box(-180, -85, 180, 85)], crs="EPSG:4326", matrices=kit.web)
    for place in ((0, 0, 0), (2, 1, 1), (5, 31, 16), (5, 0, 15)):
        assert covered(kit, layer, "WebMercatorQuad", *place).area > 0.99 * 4096**2


def test_lines_and_points_across_the_antimeridian(kit: Kit) -> None:
    to_utm = Transformer.from_crs("OGC:CRS84", "EPSG:32760", always_xy=True).transform
    line = LineString(np.column_stack(to_utm([179.5, -179.5], [-17, -17])))
    points = MultiPoint(np.column_stack(to_utm([179.9, -179.9], [-17, -17])))
    layer = kit.layer_of([line, points], crs="EPSG:32760", matrices=kit.web)
    for column in (255, 0):
        drawn = kit.decode(kit.draw(layer, kit.web.box(8, column, 140)))
        assert drawn[1].length < 2000
        assert shapely.get_num_coordinates(drawn[2]) == 1
    beyond = kit.layer_of([Point(181.0, 10.0)], crs="OGC:CRS84", matrices=kit.web)
    assert list(kit.decode(kit.draw(beyond, kit.web.box(8, 0, 120)))) == [1]


@pytest.mark.parametrize(("crs", "north"), [("EPSG:3413", True), ("EPSG:3031", False)])
def test_a_label_that_holds_a_pole_reaches_the_edge_of_the_map(kit: Kit, crs: str, north: bool) -> None:
    """A disc of 1,000 km around the pole with a hole of 100 km: all longitudes from 81 degrees on."""
    disc = Point(0, 0).buffer(1_000_000, quad_segs=90)
    layer = kit.layer_of([disc], crs=crs, matrices=kit.web)
    row = 0 if north else 7
    for column in range(8):
        shape = covered(kit, layer, "WebMercatorQuad", 3, column, row)
        assert shape.bounds[0] == 0
        assert shape.bounds[2] == 4096
        assert shape.bounds[3 if north else 1] == (4096 if north else 0)
        assert shape.area == pytest.approx(shapely.box(*shape.bounds).area, rel=0.02)
    ring = disc.difference(Point(0, 0).buffer(100_000, quad_segs=90))
    world = kit.layer_of([ring], crs=crs, matrices=matrix_set("WorldCRS84Quad"))
    for column in (0, 7, 15):
        shape = covered(kit, world, "WorldCRS84Quad", 3, column, 0 if north else 7)
        to_degrees = Transformer.from_crs(crs, "OGC:CRS84", always_xy=True).transform
        outer, inner = (abs(to_degrees(0, radius)[1]) for radius in (1_000_000, 100_000))
        assert shape.area / 4096**2 * 22.5 == pytest.approx(inner - outer, rel=0.001)


def test_a_polar_label_in_its_own_tile_matrix_set_is_whole(kit: Kit) -> None:
    disc = Point(2_000_000, 2_000_000).buffer(300_000, quad_segs=90)  # around the pole of EPSG:5041
    layer = kit.layer_of([disc], crs="EPSG:5041", matrices=matrix_set("UPSArcticWGS84Quad"))
    box = matrix_set("UPSArcticWGS84Quad").box(0, 0, 0)
    (shape,) = kit.decode(kit.draw(layer, box)).values()
    kit.assert_within_a_unit(shape, kit.in_tile(disc, box))


def test_long_edges_bend_as_the_projection_says(kit: Kit) -> None:
    """An edge of 400 km in UTM: every point of it is where PROJ puts it, to a tile unit."""
    edge = LineString([(300_000, 4_000_000), (700_000, 4_100_000)])
    layer = kit.layer_of([edge], crs="EPSG:32633", matrices=kit.web)
    to_web = Transformer.from_crs("EPSG:32633", "EPSG:3857", always_xy=True).transform
    x, y = to_web(*np.array([edge.interpolate(s, normalized=True).coords[0] for s in np.linspace(0, 1, 41)]).T)
    for px, py in zip(x[1:-1], y[1:-1], strict=True):
        z = 14
        column, row = int((px + R) / (2 * R) * 2**z), int((R - py) / (2 * R) * 2**z)
        box = kit.web.box(z, column, row)
        drawn = kit.decode(kit.draw(layer, box))[1]
        assert drawn.distance(kit.in_tile(Point(px, py), box)) < 1.0


def test_neighbours_share_the_vertices_of_an_edge_that_bends(kit: Kit) -> None:
    low = Polygon([(300_000, 4_000_000), (700_000, 4_000_000), (700_000, 4_200_000), (300_000, 4_100_000)])
    high = Polygon([(300_000, 4_100_000), (700_000, 4_200_000), (700_000, 4_400_000)])
    layer = kit.layer_of([low, high], crs="EPSG:32633", matrices=kit.web)
    assert len(layer.shapes.xy) > 100
    for z in (6, 9, 12):
        column, row = int((15 / 360 + 0.5) * 2**z), int(0.389 * 2**z)
        drawn = [kit.mended(g) for g in kit.decode(kit.draw(layer, kit.web.box(z, column, row))).values()]
        assert sum(g.area for g in drawn) == pytest.approx(shapely.union_all(drawn).area)


def test_every_set_that_is_served_draws_a_label_in_its_middle(kit: Kit) -> None:
    assert {"WebMercatorQuad", "WorldCRS84Quad", "UTM31WGS84Quad", "EuropeanETRS89_LAEAQuad"} <= set(served())
    for name in served():
        matrices = matrix_set(name)
        z = matrices.minzoom + 3
        left, bottom, right, top = matrices.box(z, 2, 1)
        size = right - left
        x, y = (left + right) / 2, (bottom + top) / 2
        square = shapely.box(x - size / 8, y - size / 8, x + size / 8, y + size / 8)
        layer = kit.layer_of([square], crs=matrices.crs, matrices=matrices)
        (drawn,) = kit.decode(kit.draw(layer, matrices.box(z, 2, 1))).values()
        assert drawn.bounds == (1536, 1536, 2560, 2560), name


def test_places_that_are_none() -> None:
    web = matrix_set("WebMercatorQuad")
    with pytest.raises(NotFound, match="8 columns and 8 rows at zoom 3, got x=8, y=0"):
        web.box(3, 8, 0)
    with pytest.raises(NotFound, match="zoom levels 0 to 24, got 25"):
        web.box(25, 0, 0)
    with pytest.raises(NotFound, match="There is no tile matrix set 'CDB1GlobalGrid' here; there are"):
        matrix_set("CDB1GlobalGrid")
    with pytest.raises(InvalidCRS, match="Project 'm' lies in .*, which is not on the Earth"):
        check_fits("IAU_2015:30100", "m")
    with pytest.raises(InvalidCRS, match="Project 'p' has no CRS"):
        check_fits(None, "p")


def test_labels_that_a_set_cannot_hold_are_left_out(kit: Kit) -> None:
    here = shapely.box(4, 50, 5, 51)
    there = shapely.box(-178, -60, -177, -59)  # the other side of the Earth from UTM zone 31
    layer = kit.layer_of([there, here], crs="OGC:CRS84", matrices=matrix_set("UTM31WGS84Quad"))
    assert 2 in layer.shapes.ids
    assert np.isfinite(layer.shapes.xy).all()
