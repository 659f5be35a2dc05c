from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from geolabel.chips.frame import about_how_many, chip_grid, frames
from geolabel.chips.spec import ChipSpec
from geolabel.errors import InvalidSpec
from tests.chips.laying import frame, laid, scene

LENGTHS = st.integers(1, 300)


def covered(starts: list[int], size: int, length: int) -> int:
    return len({p for s in starts for p in range(s, s + size) if p < length})


@given(
    width=LENGTHS,
    height=LENGTHS,
    size=st.integers(1, 120),
    stride=st.integers(1, 150),
    edges=st.sampled_from(["pad", "shift"]),
)
def test_every_pixel_is_on_a_chip_unless_the_stride_leaves_gaps(
    width: int, height: int, size: int, stride: int, edges: str
) -> None:
    spec = ChipSpec(size=size, stride=stride, edges=edges)
    boxes = laid(frame(width, height, spec), spec).boxes
    cols, rows = (np.unique(boxes[:, axis]).tolist() for axis in (0, 1))
    if stride <= size:
        assert covered(cols, size, width) == width
        assert covered(rows, size, height) == height
    for starts, length in ((cols, width), (rows, height)):
        assert starts == sorted(set(starts))
        assert starts[0] == 0
        assert starts[-1] < length
        if edges == "shift":
            assert starts[-1] + size <= max(length, size)
        # Not one more than needed: without the last chip something would be missing.
        if edges == "pad" and len(starts) > 1 and stride <= size:
            assert starts[-2] + size < length


@given(width=LENGTHS, height=LENGTHS, size=st.integers(1, 120), stride=st.integers(1, 150))
def test_drop_keeps_exactly_the_chips_that_fit(width: int, height: int, size: int, stride: int) -> None:
    spec = ChipSpec(size=size, stride=stride, edges="drop")
    found = laid(frame(width, height, spec), spec)
    expected = [
        (c, r, size, size)
        for r in range(0, height, stride)
        for c in range(0, width, stride)
        if c + size <= width and r + size <= height
    ]
    assert list(found.windows()) == expected
    assert len(found) == len(expected)


def test_the_name_of_a_chip_is_scene_and_offset() -> None:
    spec = ChipSpec(size=256, pad_side="both", rotate=(0, 45))
    assert laid(frame(512, 300, spec), spec).names.tolist()[:4] == [
        "s_0_-106",
        "s_0_-106_r45",
        "s_256_-106",
        "s_256_-106_r45",
    ]


@given(length=LENGTHS, size=st.integers(1, 120), stride=st.integers(1, 150), side=st.sampled_from(["start", "both"]))
def test_padding_goes_where_it_was_asked_for(length: int, size: int, stride: int, side: str) -> None:
    end, other = (ChipSpec(size=size, stride=stride, pad_side=s) for s in ("end", side))
    ours = laid(frame(length, 1, other), other).boxes[:, 0]
    theirs = laid(frame(length, 1, end), end).boxes[:, 0]
    assert len(ours) == len(theirs)
    beyond = max(int(theirs[-1]) + size - length, 0)
    assert (theirs - ours == (beyond if side == "start" else beyond // 2)).all()


@given(
    col=st.integers(-2000, 2000),
    row=st.integers(-2000, 2000),
    size=st.integers(8, 64),
    stride=st.integers(8, 64),
    edges=st.sampled_from(["pad", "drop"]),
)
def test_chips_of_neighbours_and_dates_coincide(col: int, row: int, size: int, stride: int, edges: str) -> None:
    spec = ChipSpec(size=size, stride=stride, resolution=2.0, edges=edges)
    one = scene(200, 160, name="one", transform=(1.0, 0.0, 500_000.0, 0.0, -1.0, 4_000_000.0))
    two = scene(170, 190, name="two", transform=(1.5, 0.0, 500_000.3 + col, 0.0, -1.5, 4_000_000.7 + row))
    grids = frames([one, two], spec)
    assert grids[0].grid == grids[1].grid
    boxes = [laid(of, spec) for of in grids]
    for of, found in zip(grids, boxes, strict=True):
        assert (found.boxes[:, :2] % stride == 0).all()
        if edges == "drop":
            assert shapely.covers(of.ground.buffer(1), found.outlines()).all()
        elif stride <= size:
            assert shapely.covers(shapely.union_all(found.outlines()).buffer(1e-6), of.ground)
    # The same place gives the same grid, whichever scene it is cut from.
    for window in {*boxes[0].windows()} & {*boxes[1].windows()}:
        assert chip_grid(grids[0].grid, window, 0) == chip_grid(grids[1].grid, window, 0)


def test_metres_are_metres_on_the_ground() -> None:
    spec = ChipSpec(size=100, stride=50, units="m")
    degrees = scene(5000, 5000, crs="EPSG:4326", transform=(1e-5, 0.0, 20.0, 0.0, -1e-5, -34.0))
    found = laid(frames([degrees], spec)[0], spec)
    _, _, width, height = found.boxes[0].tolist()
    assert (width, height) == (108, 90), "a degree of longitude at 34 S is 0.83 of one of latitude"
    utm = laid(frame(1000, 1000, spec), spec)
    assert utm.boxes[0, 2] == pytest.approx(100, abs=1)
    mercator = scene(1000, 1000, crs="EPSG:3857", transform=(1.0, 0.0, 0.0, 0.0, -1.0, 8_399_738.0))
    assert laid(frames([mercator], spec)[0], spec).boxes[0, 2] == pytest.approx(200, abs=1), "at 60 N"


def test_random_windows_are_seeded_and_inside() -> None:
    spec = ChipSpec(size=32, layout="random", count=200, size_range=(10, 40), seed=3)
    found = laid(frame(300, 200, spec), spec)
    assert len(found) == 200
    assert len(set(found.names)) == 200
    assert (found.boxes[:, 2] == found.boxes[:, 3]).all()
    assert set(found.boxes[:, 2]) == set(range(10, 41))
    assert (found.boxes[:, :2] >= 0).all()
    assert (found.boxes[:, :2] + found.boxes[:, 2:] <= (300, 200)).all()
    again = laid(frame(300, 200, spec), spec)
    assert (again.boxes == found.boxes).all()
    other = ChipSpec(size=32, layout="random", count=200, size_range=(10, 40), seed=4)
    assert not (laid(frame(300, 200, other), other).boxes == found.boxes).all()


def test_chips_about_features() -> None:
    bounds = np.array([[10.2, 20.4, 14.2, 30.4], [0.0, 0.0, 2.0, 2.0], [50.0, 60.0, 50.0, 60.0]])
    spec = ChipSpec(size=16, layout="features")
    assert laid(frame(100, 80, spec), spec, bounds).boxes.tolist() == [
        [4, 17, 16, 16],
        [-7, -7, 16, 16],
        [42, 52, 16, 16],
    ]
    spec = ChipSpec(size=16, layout="features", edges="shift")
    assert laid(frame(100, 80, spec), spec, bounds).boxes.tolist()[1] == [0, 0, 16, 16]
    spec = ChipSpec(size=16, layout="features", edges="drop")
    assert laid(frame(100, 80, spec), spec, bounds).names.tolist() == ["s_4_17_a1", "s_42_52_a3"]
    spec = ChipSpec(layout="boxes", margin=2)
    assert laid(frame(100, 80, spec), spec, bounds).boxes.tolist() == [[8, 18, 9, 15], [-2, -2, 6, 6], [48, 58, 4, 4]]


@given(turn=st.floats(0, 359.9), width=st.integers(1, 60), height=st.integers(1, 60))
def test_a_turned_chips_transform_leads_to_its_outline(turn: float, width: int, height: int) -> None:
    spec = ChipSpec(size=(width, height), rotate=(turn,))
    of = frame(100, 80, spec)
    found = laid(of, spec)
    a, b, c, d, e, f = chip_grid(of.grid, found.window(0), float(found.turns[0])).transform
    corners = np.array([(0, 0), (width, 0), (width, height), (0, height)])
    xy = np.column_stack((a * corners[:, 0] + b * corners[:, 1] + c, d * corners[:, 0] + e * corners[:, 1] + f))
    outline = shapely.transform(found.outlines()[0], lambda p: p * (1, -1) + (500_000, 4_000_000))
    assert shapely.Polygon(xy).symmetric_difference(outline).area < 1e-6
    assert a == pytest.approx(np.cos(np.deg2rad(found.turns[0])))
    assert d == pytest.approx(-np.sin(np.deg2rad(found.turns[0]))), "clockwise: the chip's x axis dips to the south"


def test_what_cannot_be_laid_is_a_sentence() -> None:
    with pytest.raises(InvalidSpec, match="edges='shift' moves chips off the common grid"):
        ChipSpec(resolution=1, edges="shift")
    with pytest.raises(InvalidSpec, match="stack names scene 'x'; the project has s"):
        frames([scene(10, 10)], ChipSpec(stack=(("s", "x"),)))
    with pytest.raises(InvalidSpec, match="has no place on a map"):
        frames([scene(10, 10, crs=None)], ChipSpec(resolution=2))
    with pytest.raises(InvalidSpec, match="Scene 's' has no place in"):
        frames(
            [scene(10, 10)],
            ChipSpec(
                crs='PROJCRS["m",BASEGEOGCRS["m",DATUM["m",ELLIPSOID["m",3396190,0]]],CONVERSION["e",METHOD["Equidistant Cylindrical"]],CS[Cartesian,2],AXIS["e",east],AXIS["n",north],LENGTHUNIT["metre",1]]'
            ),
        )


@pytest.mark.parametrize(
    "spec",
    [
        ChipSpec(size=64),
        ChipSpec(size=64, stride=32, edges="drop"),
        ChipSpec(size=50, units="m", rotate=(0.0, 45.0)),
        ChipSpec(size=64, resolution=2.0),
        ChipSpec(layout="random", count=70),
    ],
)
def test_how_many_there_will_be_is_about_how_many_there_are(spec: ChipSpec) -> None:
    scenes = [scene(2000, 3000), scene(1500, 900, name="t")]
    there = [laid(one, spec) for one in frames(scenes, spec)]
    count, pixels = about_how_many(scenes, spec)
    assert count == pytest.approx(sum(map(len, there)), rel=0.2)
    assert pixels == max(boxes.boxes[:, 2:].prod(axis=1).max() for boxes in there)


def test_how_many_there_will_be_is_not_known_beforehand() -> None:
    assert about_how_many([scene(2000, 3000)], ChipSpec(layout="features")) == (0, 0)
    assert about_how_many([scene(2000, 3000, crs=None)], ChipSpec(crs="EPSG:4326")) == (0, 0)
    assert about_how_many([], ChipSpec()) == (0, 0)
