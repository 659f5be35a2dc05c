from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from geolabel.chips.grid import chip_grid, chip_name
from geolabel.chips.spec import ChipSpec
from geolabel.model import Grid

LENGTHS = st.integers(1, 300)


def grid(width: int, height: int) -> Grid:
    return Grid("EPSG:32633", (1.0, 0.0, 0.0, 0.0, -1.0, 0.0), width, height)


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
    found = chip_grid(grid(width, height), ChipSpec(size=size, stride=stride, edges=edges))
    cols, rows = found.cols.tolist(), found.rows.tolist()
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
    found = chip_grid(grid(width, height), ChipSpec(size=size, stride=stride, edges="drop"))
    expected = [
        (c, r, size, size)
        for r in range(0, height, stride)
        for c in range(0, width, stride)
        if c + size <= width and r + size <= height
    ]
    assert list(found.windows()) == expected
    assert len(found) == len(expected)


def test_the_name_of_a_chip_is_scene_and_offset() -> None:
    assert chip_name("kampala", (512, 0, 256, 256)) == "kampala_512_0"
    assert chip_name("kampala", (-16, 8, 256, 256)) == "kampala_-16_8"
