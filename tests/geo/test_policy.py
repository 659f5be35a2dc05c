from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import GeometryCollection, LineString, MultiPoint, MultiPolygon, Point, Polygon, box

from geolabel.errors import InvalidGeometry
from geolabel.geo.geometry import kind_of, pointer_near
from geolabel.geo.policy import apply_policy, drop_m, find_invalid, invalid_place, repair


def names(index: int) -> str:
    return f"feature {index}"


def array(*shapes: shapely.Geometry | None) -> np.ndarray:
    return np.array([*shapes, None], dtype=object)[:-1]


def test_a_collection_of_one_kind_is_repaired_to_a_multi() -> None:
    parts = GeometryCollection([box(0, 0, 1, 1), MultiPolygon([box(2, 0, 3, 1), box(4, 0, 5, 1)])])
    nested = GeometryCollection([GeometryCollection([Point(1, 2)]), Point(3, 4)])
    mixed = GeometryCollection([Point(0, 0), box(0, 0, 1, 1)])
    empty = GeometryCollection([])
    checked = apply_policy(array(parts, nested, mixed, empty), "repair", names)
    assert checked.kept.tolist() == [0, 1]
    assert checked.geometries[0].equals(MultiPolygon([box(0, 0, 1, 1), box(2, 0, 3, 1), box(4, 0, 5, 1)]))
    assert checked.geometries[1].equals(MultiPoint([(1, 2), (3, 4)]))
    assert [p.pointer for p in checked.problems] == ["feature 0", "feature 1", "feature 2", "feature 3"]
    with pytest.raises(InvalidGeometry, match="GeometryCollection"):
        apply_policy(array(parts), "reject", names)
    assert len(apply_policy(array(parts), "skip", names).geometries) == 0


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_coordinates_and_heights_that_are_not_finite_are_told(number: float) -> None:
    with np.errstate(invalid="ignore"):
        solid = LineString([(0, 0, 1), (1, 1, number)])
        flat = LineString([(0, 0), (1, number)])
    assert list(find_invalid(array(Point(0, 0), solid, Point(0, 0, 1), flat))) == [1, 3]


def test_too_many_vertices_are_never_repaired() -> None:
    star = Point(0, 0).buffer(1, quad_segs=100)
    for policy in ("repair", "skip"):
        checked = apply_policy(array(star, box(0, 0, 1, 1)), policy, names, max_vertices=100)
        assert checked.kept.tolist() == [1]
        assert "401 vertices, and a label holds at most 100" in checked.problems[0].message
    with pytest.raises(InvalidGeometry, match="at most 100"):
        apply_policy(array(star), "reject", names, max_vertices=100)
    assert len(apply_policy(array(star), "reject", names).geometries) == 1


def test_measures_are_dropped_and_heights_kept() -> None:
    shapes = shapely.from_wkt(
        [
            "POINT (1 2)",
            "POINT Z (1 2 3)",
            "POINT M (1 2 9)",
            "LINESTRING ZM (1 2 3 9, 4 5 6 9)",
            "POLYGON M ((0 0 9, 1 0 9, 1 1 9, 0 0 9))",
        ]
    )
    plain, dropped = drop_m(shapes)
    assert dropped == 3
    assert shapely.to_wkt(plain).tolist() == [
        "POINT (1 2)",
        "POINT Z (1 2 3)",
        "POINT (1 2)",
        "LINESTRING Z (1 2 3, 4 5 6)",
        "POLYGON ((0 0, 1 0, 1 1, 0 0))",
    ]
    again, none = drop_m(plain)
    assert again is plain
    assert none == 0


def test_the_place_of_a_fault_is_pointed_at() -> None:
    bow_tie = Polygon([(0, 0), (2, 2), (2, 0), (0, 2)])
    assert invalid_place(bow_tie) == (1, 1)
    assert pointer_near(bow_tie, 1, 1) in {"/coordinates/0/0", "/coordinates/0/2"}
    holes = MultiPolygon([box(9, 9, 10, 10), box(0, 0, 8, 8) - box(2, 2, 3, 3)])
    assert pointer_near(holes, 2.0, 2.6) in {f"/coordinates/1/1/{i}" for i in range(4)}
    assert pointer_near(LineString([(0, 0), (5, 0), (5, 5)]), 5, 3) == "/coordinates/1"
    assert invalid_place(box(0, 0, 1, 1)) is None


@given(
    points=st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), min_size=3, max_size=12),
    holes=st.lists(st.tuples(st.integers(1, 8), st.integers(1, 8), st.integers(1, 4)), max_size=2),
)
def test_what_is_repaired_is_valid_of_its_kind_and_says_how_it_changed(
    points: list[tuple[int, int]], holes: list[tuple[int, int, int]]
) -> None:
    """Hardening row 17: bow-ties, spikes, repeated points, holes that lie anywhere."""
    shape = Polygon(points, [box(x, y, x + size, y + size).exterior for x, y, size in holes])
    fixed = repair(shape)
    if shape.is_valid:
        assert fixed is not None
        assert fixed.equals(shape)
    if fixed is None:
        assert shapely.make_valid(shape, method="structure", keep_collapsed=False).area == 0
        return
    assert fixed.is_valid
    assert kind_of(fixed) == "polygon"
    checked = apply_policy(array(shape), "repair", names)
    assert checked.geometries[0].equals(fixed)
    assert checked.repaired == (0 if shape.is_valid else 1)
    assert checked.area_change == pytest.approx(0 if shape.is_valid else abs(fixed.area - shape.area))
