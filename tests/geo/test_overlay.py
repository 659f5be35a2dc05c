"""Operations on shapes: against areas and GEOS' own predicates, on the doubles that come in."""

from __future__ import annotations

import math

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import LineString, MultiPoint, MultiPolygon, Point, Polygon, box

from geolabel.errors import InvalidGeometry
from geolabel.geo import overlay
from geolabel.geo.borders import new_vertices, weld, with_vertices

EAST, NORTH = 744_123.123456789, 3_725_987.987654321
FIELD = box(EAST, NORTH, EAST + 100.1, NORTH + 60.3)
WITH_HOLE = Polygon(FIELD.exterior, [box(EAST + 20, NORTH + 20, EAST + 40.7, NORTH + 40.3).exterior])
ACROSS = LineString([(EAST + 50.5, NORTH - 10), (EAST + 53.2, NORTH + 30), (EAST + 49.9, NORTH + 90)])


def corners(*shapes: shapely.Geometry) -> set[tuple[float, float]]:
    return set(map(tuple, shapely.get_coordinates(list(shapes)).tolist()))


@pytest.mark.parametrize("shape", [FIELD, WITH_HOLE])
def test_split_keeps_every_vertex_and_all_ground(shape):
    pieces = overlay.split(shape, ACROSS, 1e-6)
    assert [p.is_valid for p in pieces] == [True, True]
    assert pieces[0].area >= pieces[1].area
    assert corners(shape) <= corners(*pieces)
    assert (EAST + 53.2, NORTH + 30) in corners(*pieces)
    assert math.isclose(sum(p.area for p in pieces), shape.area, rel_tol=1e-12)
    assert shapely.coverage_is_valid(pieces)


def test_split_through_a_hole_and_by_a_line_that_does_not_go_through():
    through = LineString([(EAST - 5, NORTH + 30), (EAST + 200, NORTH + 30)])
    assert len(overlay.split(WITH_HOLE, through, 1e-6)) == 2
    inside = LineString([(EAST + 60, NORTH + 30), (EAST + 200, NORTH + 30)])
    assert overlay.split(WITH_HOLE, inside, 1e-6) == [WITH_HOLE]
    beside = LineString([(EAST - 5, NORTH - 5), (EAST - 5, NORTH + 5)])
    assert overlay.split(FIELD, beside, 1e-6) == [FIELD]


def test_split_of_parts_leaves_the_others_with_the_largest_piece():
    away = box(EAST + 500, NORTH, EAST + 501, NORTH + 1)
    first, second = overlay.split(MultiPolygon([FIELD, away]), ACROSS, 1e-6)
    assert first.geom_type == "MultiPolygon"
    assert away in list(first.geoms)
    assert second.geom_type == "Polygon"


def test_split_of_a_line():
    road = LineString([(EAST, NORTH, 5.0), (EAST + 30.3, NORTH + 30.3, 8.0), (EAST + 60, NORTH, 2.0)])
    pieces = overlay.split(road, LineString([(EAST, NORTH + 15), (EAST + 90, NORTH + 15)]), 1e-6)
    assert len(pieces) == 3
    assert math.isclose(sum(p.length for p in pieces), road.length, rel_tol=1e-12)
    assert all(p.has_z for p in pieces)


def test_merge_closes_what_drifted_apart_and_keeps_what_lies_apart():
    right = shapely.transform(box(EAST + 100.1, NORTH, EAST + 150, NORTH + 60.3), lambda xy: xy + np.array([3e-8, 0]))
    one = overlay.merge([FIELD, right], 1e-6)
    assert one.geom_type == "Polygon"
    assert len(one.interiors) == 0
    assert corners(FIELD) <= corners(one)
    apart = overlay.merge([FIELD, box(EAST + 900, NORTH, EAST + 901, NORTH + 1)], 1e-6)
    assert apart.geom_type == "MultiPolygon"
    road = overlay.merge([LineString([(0, 0), (1, 1)]), LineString([(5, 5), (1, 1)])], 1e-6)
    assert road.geom_type == "LineString"
    assert overlay.merge([Point(0, 0), Point(1, 1)], 1e-6).equals(MultiPoint([(0, 0), (1, 1)]))
    with pytest.raises(InvalidGeometry, match="these are lines and polygons"):
        overlay.merge([FIELD, road], 1e-6)


def test_subtract_and_clip_say_when_nothing_is_left():
    neighbour = box(EAST + 90, NORTH - 5, EAST + 120, NORTH + 70)
    assert math.isclose(overlay.subtract(FIELD, [neighbour]).area, 90 * 60.3, rel_tol=1e-9)
    assert math.isclose(overlay.clip(FIELD, [neighbour]).area, 10.1 * 60.3, rel_tol=1e-9)
    with pytest.raises(InvalidGeometry, match="Nothing would be left"):
        overlay.subtract(FIELD, [FIELD.buffer(1)])
    with pytest.raises(InvalidGeometry, match="Nothing would be left"):
        overlay.clip(FIELD, [box(0, 0, 1, 1)])
    # Neighbours that only touch leave no lines or points behind.
    assert overlay.subtract(FIELD, [box(EAST + 100.1, NORTH, EAST + 150, NORTH + 60.3)]).geom_type == "Polygon"


def test_simplify_keeps_neighbours_together():
    wave = [(x, 2 * math.sin(x / 3)) for x in np.linspace(0, 100, 201)]
    below, above = Polygon([*wave, (100, -50), (0, -50)]), Polygon([*wave, (100, 50), (0, 50)])
    one, other = overlay.simplify([below, above], 1.0)
    assert shapely.coverage_is_valid([one, other])
    assert shapely.get_num_coordinates([one, other]).sum() < 0.5 * shapely.get_num_coordinates([below, above]).sum()
    [alone] = overlay.simplify([below], 1.0)
    assert corners(alone) <= corners(below)


@pytest.mark.parametrize(
    ("crs", "at"), [("EPSG:32616", (EAST, NORTH)), ("EPSG:3857", (2e6, 8e6)), ("EPSG:4326", (25, 60))]
)
def test_a_buffer_is_as_wide_as_it_says_on_the_ground(crs, at):
    from geolabel.geo import crs as crs_

    round_ = overlay.buffer(Point(at), 50.0, crs)
    [area] = crs_.ground_area(np.array([round_]), crs)
    assert math.isclose(area, math.pi * 50**2, rel_tol=5e-3)  # a circle of 64 corners is 0.2 % smaller


coordinate = st.floats(0, 100, allow_nan=False, width=32).map(lambda v: float(np.float64(v) * 1.000000007))


@given(st.lists(st.tuples(coordinate, coordinate), min_size=2, max_size=6))
def test_any_line_splits_without_gap_or_overlap(places):
    field = box(10.1, 10.2, 90.3, 80.7)
    pieces = overlay.split(field, LineString(places), 1e-6)
    assert all(p.is_valid for p in pieces)
    assert math.isclose(sum(p.area for p in pieces), field.area, rel_tol=1e-9)
    assert corners(field) <= corners(*pieces)


def test_vertices_are_put_into_edges_and_welded():
    places = np.array([[EAST + 50, NORTH], [EAST + 30, NORTH], [EAST, NORTH], [EAST + 5, NORTH + 5]])
    more = with_vertices(FIELD, places, 1e-6)
    assert shapely.get_num_coordinates(more) == shapely.get_num_coordinates(FIELD) + 2
    assert more.equals(FIELD)
    assert with_vertices(FIELD, places[2:], 1e-6) is FIELD
    assert new_vertices(np.array([more]), np.array([FIELD])).tolist() == places[:2].tolist() or sorted(
        new_vertices(np.array([more]), np.array([FIELD])).tolist()
    ) == sorted(places[:2].tolist())
    drifted = shapely.transform(FIELD, lambda xy: xy + 4e-8)
    welded = weld(drifted, shapely.get_coordinates(FIELD), 1e-6)
    assert corners(welded) == corners(FIELD)
    assert weld(FIELD, shapely.get_coordinates(FIELD), 1e-6) is FIELD
