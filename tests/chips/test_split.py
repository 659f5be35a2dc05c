from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from geolabel.chips.spec import SPLITS, ChipSpec
from geolabel.chips.split import block_grid, draw, shared_ground, split_chips


def footprints(
    columns: int, rows: int, *, size: float = 100.0, step: float = 100.0, x: float = 0.0, y: float = 0.0
) -> np.ndarray:
    """A scene's chips, row by row from the upper left corner (x, y) down."""
    col, row = (a.ravel() for a in np.meshgrid(np.arange(columns), np.arange(rows)))
    left, top = x + col * step, y - row * step
    return shapely.box(left, top - size, left + size, top)


def split(*scenes: np.ndarray, spec: ChipSpec) -> np.ndarray:
    return split_chips(np.concatenate(scenes), block_grid(scenes, spec), spec)


def test_chips_that_fill_blocks_are_never_dropped() -> None:
    spec = ChipSpec(split=(0.6, 0.2, 0.2), split_block=2)
    found = split(footprints(12, 8, x=500_000.123, y=4_000_000.789, size=153.6, step=153.6), spec=spec)
    counts = Counter(found)
    assert None not in counts
    assert counts["train"] == pytest.approx(0.6 * 96, abs=4)
    assert counts["val"] == pytest.approx(0.2 * 96, abs=4)
    assert counts["test"] == pytest.approx(0.2 * 96, abs=4)


def test_each_split_gets_a_block_when_there_are_enough() -> None:
    spec = ChipSpec(split=(0.8, 0.1, 0.1), split_block=4)
    assert set(split(footprints(8, 8), spec=spec)) == set(SPLITS)


@given(
    seed=st.integers(0, 50),
    step=st.floats(20, 130),
    block=st.integers(1, 4),
    buffer=st.sampled_from([0.0, 0.3, 1.0]),
    shift=st.tuples(st.floats(-500, 500), st.floats(-500, 500)),
    other=st.floats(40, 150),
)
def test_overlapping_chips_of_overlapping_scenes_share_no_ground(  # noqa: PLR0917
    seed: int, step: float, block: int, buffer: float, shift: tuple[float, float], other: float
) -> None:
    spec = ChipSpec(split=(0.5, 0.3, 0.2), split_block=block, split_buffer=buffer, seed=seed)
    one = footprints(6, 6, step=step)
    two = footprints(5, 5, size=other, step=other, x=shift[0], y=shift[1])
    found = split(one, two, spec=spec)
    every = np.concatenate((one, two))
    kept = np.flatnonzero([s is not None for s in found])
    for i in kept:
        for j in kept:
            if found[i] != found[j]:
                # Counted without looking at blocks: a strip of rounding width is all that may be shared.
                assert every[i].intersection(every[j]).area < 1e-3
                assert every[i].distance(every[j]) >= min(buffer, 1) * 100 * 0.999 - 1e-6
    if len(kept):
        assert shared_ground(every[kept], found[kept]) == 0


def test_shared_ground_is_seen() -> None:
    chips = footprints(2, 1, step=50)
    assert shared_ground(chips, np.array(["train", "val"], dtype=object)) == pytest.approx(0.5)
    assert shared_ground(chips, np.array(["train", "train"], dtype=object)) == 0


def test_the_seed_decides_and_nothing_else() -> None:
    chips = footprints(16, 16)
    one = split(chips, spec=ChipSpec(split=(0.7, 0.2, 0.1), split_block=2, seed=1))
    same = split(chips, spec=ChipSpec(split=(0.7, 0.2, 0.1), split_block=2, seed=1))
    other = split(chips, spec=ChipSpec(split=(0.7, 0.2, 0.1), split_block=2, seed=2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_draw_is_by_lot_and_repeatable() -> None:
    names = [f"chip_{i}" for i in range(100)]
    drawn = draw(names, 30, seed=5)
    assert len(drawn) == 30
    assert drawn == draw(list(reversed(names)), 30, seed=5)
    assert drawn != draw(names, 30, seed=6)
    assert draw(names, 1000, seed=5) == set(names)
