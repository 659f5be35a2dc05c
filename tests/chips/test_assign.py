from __future__ import annotations

import numpy as np
import shapely
from hypothesis import example, given
from hypothesis import strategies as st
from shapely.geometry import LineString, MultiPolygon, Point, Polygon, box

from geolabel.chips.assign import assign
from geolabel.chips.grid import chip_grid
from geolabel.chips.spec import ChipSpec
from geolabel.model import Grid

GRID = Grid("EPSG:32633", (1.0, 0.0, 0.0, 0.0, -1.0, 0.0), 100, 80)
EXTENT = (100, 80)
PLACE = st.floats(-20, 120, allow_nan=False)


def shapes(*geometries: object) -> np.ndarray:
    made = np.empty(len(geometries), dtype=object)
    made[:] = geometries
    return made


@st.composite
def polygons(draw: st.DrawFn) -> Polygon:
    x, y = draw(PLACE), draw(PLACE)
    radius, hole = draw(st.floats(0.5, 40)), draw(st.floats(0, 0.9))
    corners = draw(st.integers(3, 9))
    angles = np.sort(np.linspace(0, 2 * np.pi, corners, endpoint=False) + draw(st.floats(0, 1)))
    ring = np.column_stack((x + radius * np.cos(angles), y + radius * np.sin(angles)))
    inner = [((ring - (x, y)) * hole * 0.5 + (x, y))] if hole > 0.2 else []
    return Polygon(ring, inner)


# Its tip and its hole's lie three and less than one billionth of a pixel beside the first chip's edge.
_TURN = np.array([1e-9, 1e-9 + 2 * np.pi / 3, 1e-9 + 4 * np.pi / 3])
_TIP = 3 * np.column_stack((np.cos(_TURN), np.sin(_TURN)))


@example(labels=[Polygon(_TIP, [_TIP / 4])], size=5, stride=5, edges="pad", min_overlap=0.0)
@given(
    labels=st.lists(polygons(), max_size=8),
    size=st.integers(5, 60),
    stride=st.integers(5, 70),
    edges=st.sampled_from(["pad", "shift", "drop"]),
    min_overlap=st.sampled_from([0.0, 0.3]),
)
def test_against_every_chip_and_every_label_one_by_one(
    labels: list[Polygon], size: int, stride: int, edges: str, min_overlap: float
) -> None:
    spec = ChipSpec(size=size, stride=stride, edges=edges, min_overlap=min_overlap, min_area_px=2.0)
    grid = chip_grid(GRID, spec)
    found = assign(shapes(*labels), grid, spec, EXTENT)
    kept = {
        (int(c), int(i)): p for c, i, p, k in zip(found.chip, found.label, found.pieces, found.kept, strict=True) if k
    }
    for number, (col, row, width, height) in enumerate(grid.windows()):
        window = box(col, row, col + width, row + height)
        for index, label in enumerate(labels):
            piece = label.intersection(window)
            share = piece.area / label.area
            if abs(piece.area - 2.0) < 1e-6 or abs(share - min_overlap) < 1e-9:
                continue
            there = piece.area >= 2.0 and share >= min_overlap and piece.intersects(box(0, 0, *EXTENT))
            assert ((number, index) in kept) == there
            if there:
                ours = kept[number, index]
                assert ours.symmetric_difference(piece).area < 1e-6
                assert ours.is_valid
                xy = shapely.get_coordinates(ours)
                assert (xy >= (col, row)).all()
                assert (xy <= (col + width, row + height)).all()
    assert (np.diff(found.chip) >= 0).all()
    order = found.chip * (len(labels) + 1) + found.label
    assert (np.diff(order) > 0).all()


def test_a_polygon_cut_into_parts_stays_one_annotation() -> None:
    two_tines = Polygon([(1, 4), (3, 4), (3, 11), (6, 11), (6, 4), (8, 4), (8, 15), (1, 15)])
    spec = ChipSpec(size=10)
    found = assign(shapes(two_tines), chip_grid(GRID, spec), spec, EXTENT)
    upper, lower = found.pieces[found.kept]
    assert isinstance(upper, MultiPolygon)
    assert upper.area == 2 * 2 * 6
    assert isinstance(lower, Polygon)
    assert found.truncated.all()


def test_what_only_touches_a_chip_is_not_on_it() -> None:
    spec = ChipSpec(size=10)
    found = assign(shapes(box(2, 2, 10, 8), LineString([(10, 1), (10, 9)])), chip_grid(GRID, spec), spec, EXTENT)
    on = {(int(c), int(i)) for c, i in zip(found.chip[found.kept], found.label[found.kept], strict=True)}
    assert (0, 0) in on
    assert (1, 0) not in on
    assert found.small == 0
    # A line along the border, and a point on it, lie on the closed rectangles of both chips.
    assert {(0, 1), (1, 1)} <= on


def test_a_point_on_a_corner_is_on_four_chips() -> None:
    spec = ChipSpec(size=10)
    found = assign(shapes(Point(10, 10)), chip_grid(GRID, spec), spec, EXTENT)
    assert found.chip[found.kept].tolist() == [0, 1, 10, 11]
    assert not found.truncated[found.kept].any()


def test_slivers_are_counted_by_reason() -> None:
    spec = ChipSpec(size=50, min_area_px=4, min_overlap=0.25)
    labels = shapes(box(40, 10, 50.5, 11), box(30, 20, 55, 40), box(99, 79, 130, 120))
    found = assign(labels, chip_grid(GRID, spec), spec, EXTENT)
    assert (found.small, found.partial) == (1, 2)
    assert found.kept.sum() == 2


def test_a_piece_in_the_padding_is_no_object() -> None:
    spec = ChipSpec(size=64, stride=64)
    found = assign(shapes(box(105, 10, 120, 20)), chip_grid(GRID, spec), spec, EXTENT)
    assert found.padding == 1
    assert not found.kept.any()


def test_no_labels_and_no_chips() -> None:
    spec = ChipSpec(size=10)
    assert len(assign(shapes(), chip_grid(GRID, spec), spec, EXTENT).chip) == 0
    spec = ChipSpec(size=200, edges="drop")
    assert len(assign(shapes(box(0, 0, 10, 10)), chip_grid(GRID, spec), spec, EXTENT).chip) == 0
