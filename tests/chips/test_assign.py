from __future__ import annotations

import numpy as np
import shapely
from hypothesis import example, given
from hypothesis import strategies as st
from shapely import affinity
from shapely.geometry import LineString, MultiPolygon, Point, Polygon, box

from geolabel.chips.spec import ChipSpec
from tests.chips.laying import assigned, frame, pieces

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
    drawn = shapes(*labels)
    found, windows = assigned(drawn, frame(*EXTENT, spec), spec)
    pairs = zip(found.chip[found.kept].tolist(), found.label[found.kept].tolist(), strict=True)
    kept = dict(zip(pairs, pieces(drawn, found, windows), strict=True))
    for number, (col, row, width, height) in enumerate(windows.windows()):
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
                assert affinity.translate(ours, col, row).symmetric_difference(piece).area < 1e-6
                assert ours.is_valid
                xy = shapely.get_coordinates(ours)
                assert (xy >= 0).all()
                assert (xy <= (width, height)).all()
    assert (np.diff(found.chip) >= 0).all()
    order = found.chip * (len(labels) + 1) + found.label
    assert (np.diff(order) > 0).all()


def test_a_polygon_cut_into_parts_stays_one_annotation() -> None:
    two_tines = Polygon([(1, 4), (3, 4), (3, 11), (6, 11), (6, 4), (8, 4), (8, 15), (1, 15)])
    spec = ChipSpec(size=10)
    found, windows = assigned(shapes(two_tines), frame(*EXTENT, spec), spec)
    upper, lower = pieces(shapes(two_tines), found, windows)
    assert isinstance(upper, MultiPolygon)
    assert upper.area == 2 * 2 * 6
    assert isinstance(lower, Polygon)


def test_what_only_touches_a_chip_is_not_on_it() -> None:
    spec = ChipSpec(size=10)
    found, _ = assigned(shapes(box(2, 2, 10, 8), LineString([(10, 1), (10, 9)])), frame(*EXTENT, spec), spec)
    on = {(int(c), int(i)) for c, i in zip(found.chip[found.kept], found.label[found.kept], strict=True)}
    assert (0, 0) in on
    assert (1, 0) not in on
    assert found.lost.small == 0
    # A line along the border, and a point on it, lie on the closed rectangles of both chips.
    assert {(0, 1), (1, 1)} <= on


def test_a_point_on_a_corner_is_on_four_chips() -> None:
    spec = ChipSpec(size=10)
    found, _ = assigned(shapes(Point(10, 10)), frame(*EXTENT, spec), spec)
    assert found.chip[found.kept].tolist() == [0, 1, 10, 11]


def test_slivers_are_counted_by_reason() -> None:
    spec = ChipSpec(size=50, min_area_px=4, min_overlap=0.25)
    labels = shapes(box(40, 10, 50.5, 11), box(30, 20, 55, 40), box(99, 79, 130, 120))
    found, _ = assigned(labels, frame(*EXTENT, spec), spec)
    assert (found.lost.small, found.lost.partial) == (1, 2)
    assert found.kept.sum() == 2


def test_a_piece_in_the_padding_is_no_object() -> None:
    spec = ChipSpec(size=64, stride=64)
    found, _ = assigned(shapes(box(105, 10, 120, 20)), frame(*EXTENT, spec), spec)
    assert found.lost.padding == 1
    assert not found.kept.any()


def test_no_labels_and_no_chips() -> None:
    spec = ChipSpec(size=10)
    assert len(assigned(shapes(), frame(*EXTENT, spec), spec)[0].chip) == 0
    spec = ChipSpec(size=200, edges="drop")
    assert len(assigned(shapes(box(0, 0, 10, 10)), frame(*EXTENT, spec), spec)[0].chip) == 0


def test_a_cut_annotation_can_be_left_out() -> None:
    spec = ChipSpec(size=10, truncated="drop")
    found, _ = assigned(shapes(box(5, 5, 15, 9), box(1, 1, 4, 4)), frame(*EXTENT, spec), spec)
    assert found.label[found.kept].tolist() == [1]
    assert found.lost.cut == 2


def test_what_lies_mostly_on_ignored_ground_is_no_object() -> None:
    spec = ChipSpec(size=50)
    labels = shapes(box(0, 0, 10, 10), box(4, 20, 14, 30), LineString([(0, 40), (20, 40)]), Point(3, 3), Point(20, 20))
    found, _ = assigned(labels, frame(*EXTENT, spec), spec, {0: box(-5, -5, 8, 60)})
    assert found.label[found.kept].tolist() == [1, 2, 4], "the middle of the second and of the line are clear of it"
    assert found.lost.ignored == 2


@given(
    turn=st.sampled_from([0.0, 90.0, 180.0, 270.0, 33.0, 301.5]), labels=st.lists(polygons(), min_size=1, max_size=4)
)
def test_a_turned_chip_holds_what_its_turned_outline_holds(turn: float, labels: list[Polygon]) -> None:
    spec = ChipSpec(size=(30, 20), rotate=(turn,), min_area_px=0)
    drawn = shapes(*labels)
    found, windows = assigned(drawn, frame(*EXTENT, spec), spec)
    outlines = windows.outlines()
    areas = dict.fromkeys(((c, i) for c in range(len(windows)) for i in range(len(labels))), 0.0)
    pairs = zip(found.chip[found.kept].tolist(), found.label[found.kept].tolist(), strict=True)
    areas |= {pair: piece.area for pair, piece in zip(pairs, pieces(drawn, found, windows), strict=True)}
    for (chip, label), area in areas.items():
        piece = outlines[chip].intersection(labels[label])
        if piece.intersects(box(0, 0, *EXTENT)):
            assert abs(area - piece.area) < 1e-6
