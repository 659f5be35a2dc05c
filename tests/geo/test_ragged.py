"""Shapes as flat arrays, held against shapely, GEOS and PROJ through `geolabel.geo.crs`."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from geolabel.errors import InvalidCRS
from geolabel.geo import crs as crs_
from geolabel.geo.ragged import NONE, from_shapely, join
from geolabel.geo.reproject import reproject
from geolabel.geo.simple import certainly_valid
from geolabel.geo.tolerance import Tolerance
from geolabel.geo.wkb import write_wkb
from geolabel.store.blob import WORTH_COMPILED, encode, encode_ragged

ALL_KINDS = shapely.from_wkt(
    [
        "POINT (1 2)",
        "POINT Z (1 2 3)",
        "LINESTRING (0 0, 1 1)",
        None,
        "MULTIPOINT (1 1, 2 2)",
        "MULTILINESTRING Z ((0 0 1, 1 1 2), (2 2 3, 3 3 4, 4 4 5))",
        "MULTIPOLYGON (((0 0, 1 0, 1 1, 0 0)), ((2 2, 9 2, 9 9, 2 2), (5 3, 6 3, 6 4, 5 3)))",
        "POLYGON EMPTY",
        "POLYGON Z ((0 0 1, 1 0 1, 1 1 1, 0 0 1))",
        "GEOMETRYCOLLECTION (POINT (1 1))",
        "MULTIPOINT Z (1 1 2, 2 2 3)",
        "POLYGON ((0 0, 9 0, 9 9, 0 9, 0 0), (1 1, 2 1, 2 2, 1 1), (4 4, 5 4, 5 5, 4 4))",
    ],
)
HELD = np.array([0, 1, 2, 4, 5, 6, 8, 10, 11])


def test_every_kind_goes_there_and_back() -> None:
    ragged = from_shapely(ALL_KINDS)
    assert np.flatnonzero(ragged.kinds != NONE).tolist() == HELD.tolist()
    back = ragged.to_shapely()
    assert [g is None for g in back] == [i not in HELD for i in range(len(back))]
    assert shapely.equals_identical(back[HELD], ALL_KINDS[HELD]).all()
    assert np.array_equal(ragged.bounds()[HELD], shapely.bounds(ALL_KINDS[HELD]))
    assert np.isnan(ragged.bounds()[3]).all()


@given(st.lists(st.sampled_from(range(len(ALL_KINDS))), max_size=12), st.randoms(use_true_random=False))
def test_shapes_are_taken_joined_and_replaced(rows: list[int], random: object) -> None:
    del random
    ragged = from_shapely(ALL_KINDS)
    taken = ragged.take(np.array(rows, dtype=np.int64))
    expected = ragged.to_shapely()[rows]
    assert [g and g.wkb_hex for g in taken.to_shapely()] == [g and g.wkb_hex for g in expected]
    twice = join([taken, ragged])
    assert [g and g.wkb_hex for g in twice.to_shapely()] == [g and g.wkb_hex for g in (*expected, *ragged.to_shapely())]
    where = np.array(sorted(set(rows)), dtype=np.int64)
    points = from_shapely(np.array([shapely.Point(i, i) for i in where] + [None], dtype=object)[:-1])
    replaced = ragged.with_rows(where, points).to_shapely()
    for row, shape in enumerate(replaced):
        before = ragged.to_shapely()[row]
        assert (shape and shape.wkt) == (f"POINT ({row} {row})" if row in where else before and before.wkt)


def test_compiled_wkb_is_that_of_geos() -> None:
    ragged = from_shapely(ALL_KINDS).take(HELD)
    written, begins = write_wkb(ragged, np.full((len(HELD), 3), 7, dtype=np.uint8))
    raw = written.tobytes()
    got = [raw[a:b] for a, b in pairwise(begins.tolist())]
    assert got == [b"\7\7\7" + body for body in shapely.to_wkb(ALL_KINDS[HELD], output_dimension=3, flavor="iso")]


def test_blobs_of_a_million_vertices_are_those_of_few() -> None:
    shapes = np.tile(ALL_KINDS[HELD], 1 + 2 * WORTH_COMPILED // 40)
    ragged = from_shapely(shapes)
    assert len(ragged.xy) > WORTH_COMPILED
    assert encode_ragged(ragged, 32616) == encode(shapes, 32616)


grid = st.integers(0, 6).map(float)
near = st.floats(0, 1, width=32)


@st.composite
def polygons(draw: st.DrawFn) -> shapely.Polygon:
    """Mostly wrong ones: on a coarse grid vertices, edges and rings meet in every way."""
    number = draw(st.sampled_from([grid, near]))
    rings = []
    for _ in range(draw(st.integers(1, 3))):
        ring = draw(st.lists(st.tuples(number, number), min_size=3, max_size=7))
        rings.append([*ring, ring[0]])
    return shapely.Polygon(rings[0], rings[1:])


@given(st.lists(polygons(), min_size=1, max_size=20))
def test_what_is_certainly_valid_is_valid(shapes: list[shapely.Polygon]) -> None:
    given_ = np.array([*shapes, None], dtype=object)[:-1]
    certain = certainly_valid(from_shapely(given_))
    assert shapely.is_valid(given_[certain]).all()


def test_usual_shapes_are_told_to_be_valid_without_geos() -> None:
    centre = shapely.points(np.random.default_rng(1).uniform(0, 1000, (300, 2)))
    round_ = shapely.buffer(centre, 10.0)
    ringed = shapely.difference(round_, shapely.buffer(centre, 3.0))
    assert certainly_valid(from_shapely(round_)).all()
    assert certainly_valid(from_shapely(ringed)).all()
    bow_tie = shapely.Polygon([(0, 0), (2, 2), (2, 0), (0, 2)])
    hole_outside = shapely.Polygon([(0, 0), (2, 0), (2, 2)], [[(5, 5), (6, 5), (6, 6)]])
    assert not certainly_valid(from_shapely(np.array([bow_tie, hole_outside]))).any()


@pytest.mark.parametrize("target", ["EPSG:32633", "EPSG:3857", "EPSG:3413", "EPSG:4326"])
@pytest.mark.parametrize("size", [1e-4, 0.2, 3.0])
def test_reprojected_as_one_by_one(target: str, size: float) -> None:
    generator = np.random.default_rng(3)
    centre = generator.uniform((9, 60), (17, 70), (200, 2))
    corners = centre[:, None] + generator.uniform(-size, size, (200, 5, 2))
    shapes = np.array([shapely.Polygon(c).convex_hull for c in corners], dtype=object)
    tolerance = Tolerance(0.5)
    fast = reproject(from_shapely(shapes), "OGC:CRS84", target, tolerance)
    slow = crs_.transform_geometries(
        shapes,
        "OGC:CRS84",
        target,
        tolerance=tolerance.bend(target),
        round_trip=tolerance.round_trip("OGC:CRS84", target),
    )
    assert shapely.equals_identical(fast.to_shapely(), slow).all()


def test_a_coordinate_without_a_place_is_refused() -> None:
    far = from_shapely(np.array([shapely.Point(15, 50), shapely.Point(4000, 50)], dtype=object))
    with pytest.raises(InvalidCRS, match=r"The point \(4000, 50\)"):
        reproject(far, "OGC:CRS84", "EPSG:32633", Tolerance(0.1))
    with pytest.raises(InvalidCRS, match="nowhere on the Earth"):
        reproject(from_shapely(np.array([shapely.Point(20, 100)])), "EPSG:4326", "EPSG:4326", Tolerance(0.1))
