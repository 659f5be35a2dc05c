from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import (
    GeometryCollection,
    LineString,
    MultiLineString,
    MultiPoint,
    MultiPolygon,
    Point,
    Polygon,
    box,
)

from geolabel.errors import InvalidGeometry
from geolabel.geo.geometry import kind_of, read_geojson, swap_axes, to_geojson
from geolabel.geo.policy import apply_policy, find_invalid, repair

BOW_TIE = Polygon([(0, 0), (2, 2), (2, 0), (0, 2)])
NUMBER = st.floats(-1e7, 1e7, allow_nan=False)
SHAPES = [
    Point(0.1, 0.2),
    Point(0.1, 0.2, 3.5),
    LineString([(0, 0), (1 / 3, 1e-17)]),
    box(0, 0, 1, 1) - box(0.25, 0.25, 0.5, 0.5),
    MultiPoint([(0, 0), (1, 1)]),
    MultiLineString([[(0, 0), (1, 1)], [(2, 2), (3, 3.000000000000001)]]),
    MultiPolygon([box(0, 0, 1, 1) - box(0.25, 0.25, 0.5, 0.5), box(5, 5, 6, 6)]),
    Polygon([(0, 0, 1), (1, 0, 2), (1, 1, 3)]),
]


@pytest.mark.parametrize("shape", SHAPES, ids=lambda s: s.wkt[:20])
def test_geojson_keeps_every_double(shape: shapely.Geometry) -> None:
    again = read_geojson(to_geojson(shape))
    assert again.equals_exact(shape, 0)
    assert shapely.to_wkb(again) == shapely.to_wkb(shape)


@given(rows=st.lists(st.tuples(NUMBER, NUMBER), min_size=3, max_size=30))
def test_rings_keep_every_double(rows: list[tuple[float, float]]) -> None:
    ring = [*map(list, rows), list(rows[0])]
    assert to_geojson(read_geojson({"type": "Polygon", "coordinates": [ring]}))["coordinates"] == [ring]


RING = [[0, 0], [1, 0], [1, 1], [0, 0]]


@pytest.mark.parametrize(
    ("value", "pointer", "message"),
    [
        (None, "/geometry", "got null"),
        ([], "/geometry", "got list"),
        ({"type": "Circle"}, "/geometry/type", "got 'Circle'"),
        ({"type": "GeometryCollection", "geometries": []}, "/geometry/type", "expected one of"),
        ({"type": "Point"}, "/geometry", "needs the member 'coordinates'"),
        ({"type": "Point", "coordinates": [1]}, "/geometry/coordinates", "got 1 values"),
        ({"type": "Point", "coordinates": [1, "2"]}, "/geometry/coordinates/1", "got str"),
        ({"type": "Point", "coordinates": [1, True]}, "/geometry/coordinates/1", "got bool"),
        ({"type": "Point", "coordinates": [1, math.nan]}, "/geometry/coordinates/1", "finite"),
        ({"type": "Point", "coordinates": [10**400, 1]}, "/geometry/coordinates/0", "finite"),
        ({"type": "Point", "coordinates": [1, 2, 3, 4]}, "/geometry/coordinates", "got 4 values"),
        ({"type": "LineString", "coordinates": [[0, 0]]}, "/geometry/coordinates", "at least 2"),
        ({"type": "LineString", "coordinates": [[0, 0], [1, 1, 1]]}, "/geometry/coordinates/1", "same length"),
        ({"type": "Polygon", "coordinates": []}, "/geometry/coordinates", "an empty list"),
        ({"type": "Polygon", "coordinates": RING}, "/geometry/coordinates/0/0", "got int"),
        ({"type": "Polygon", "coordinates": [RING[:3]]}, "/geometry/coordinates/0", "at least 4"),
        ({"type": "Polygon", "coordinates": [[*RING[:3], [0, 1]]]}, "/geometry/coordinates/0", "ends where it starts"),
        ({"type": "MultiPolygon", "coordinates": [[RING], [[[0, 0]]]]}, "/geometry/coordinates/1/0", "at least 4"),
    ],
)
def test_what_is_no_geometry_is_pointed_at(value: Any, pointer: str, message: str) -> None:
    with pytest.raises(InvalidGeometry, match="cannot be read") as caught:
        read_geojson(value)
    assert [p.pointer for p in caught.value.problems] == [pointer]
    assert message in caught.value.problems[0].message


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=5),
    max_leaves=30,
)


@given(
    kind=st.sampled_from(["Point", "LineString", "Polygon", "MultiPoint", "MultiLineString", "MultiPolygon"]),
    coordinates=JSON,
)
def test_no_coordinates_whatever_raise_anything_else(kind: str, coordinates: Any) -> None:
    try:
        shape = read_geojson({"type": kind, "coordinates": coordinates})
    except InvalidGeometry:
        return
    assert np.isfinite(shapely.get_coordinates(shape)).all()


def test_the_vertex_limit_is_said() -> None:
    ring = [[i * 1e-5, 0.0] for i in range(200_001)]
    with pytest.raises(InvalidGeometry, match="at most 200000 vertices, got 200001"):
        read_geojson({"type": "LineString", "coordinates": ring})


def test_invalid_shapes_are_told_with_their_place() -> None:
    shapes = np.array(
        [
            box(0, 0, 1, 1),
            BOW_TIE,
            None,
            Polygon(),
            Point(math.inf, 0),
            GeometryCollection([Point(0, 0)]),
            LineString([(1, 1), (1, 1)]),
        ],
        dtype=object,
    )
    reasons = find_invalid(shapes)
    assert sorted(reasons) == [1, 2, 3, 4, 5, 6]
    assert reasons[1] == "its outline crosses itself at (1, 1)"
    assert reasons[2] == reasons[3] == "it is empty"
    assert "not finite" in reasons[4]
    assert "GeometryCollection" in reasons[5]
    assert "too few" in reasons[6]


def test_reject_lists_all() -> None:
    shapes = np.array([BOW_TIE, box(0, 0, 1, 1), BOW_TIE], dtype=object)
    with pytest.raises(
        InvalidGeometry, match=r"feature 0 was refused: its outline crosses itself at .* and 1 more"
    ) as caught:
        apply_policy(shapes, "reject", lambda i: f"feature {i}")
    assert [p.pointer for p in caught.value.problems] == ["feature 0", "feature 2"]


def test_repair_keeps_the_kind_and_tells_the_area() -> None:
    shapes = np.array([box(0, 0, 1, 1), BOW_TIE, Polygon([(0, 0), (1, 1), (2, 2)])], dtype=object)
    checked = apply_policy(shapes, "repair", lambda i: f"feature {i}")
    assert checked.kept.tolist() == [0, 1]  # a flat polygon has nothing left
    assert checked.repaired == 1
    assert checked.geometries[1].is_valid
    assert kind_of(checked.geometries[1]) == "polygon"
    assert checked.area_change == pytest.approx(2.0)
    assert [p.pointer for p in checked.problems] == ["feature 1", "feature 2"]


def test_skip_leaves_the_rest_alone() -> None:
    shapes = np.array([BOW_TIE, box(0, 0, 1, 1)], dtype=object)
    checked = apply_policy(shapes, "skip", lambda i: f"feature {i}")
    assert checked.kept.tolist() == [1]
    assert checked.geometries[0] is shapes[1]


def test_repair_of_nothing_is_nothing() -> None:
    assert repair(Polygon([(0, 0), (1, 1), (2, 2)])) is None


def test_swap_keeps_z() -> None:
    assert swap_axes(Point(1, 2, 3)).equals_exact(Point(2, 1, 3), 0)
    assert swap_axes(Point(1, 2, 3)).z == 3
