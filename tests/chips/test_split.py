from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from geolabel.chips.deal import deal, draw
from geolabel.chips.proof import class_gap, prove, shared_ground
from geolabel.chips.spec import SPLITS, ChipSpec
from geolabel.chips.split import Chips, split_chips
from geolabel.errors import InvalidSpec


def footprints(
    columns: int, rows: int, *, size: float = 100.0, step: float = 100.0, x: float = 0.0, y: float = 0.0
) -> np.ndarray:
    """A scene's chips, row by row from the upper left corner (x, y) down."""
    col, row = (a.ravel() for a in np.meshgrid(np.arange(columns), np.arange(rows)))
    left, top = x + col * step, y - row * step
    return shapely.box(left, top - size, left + size, top)


def split(*scenes: np.ndarray, spec: ChipSpec) -> np.ndarray:
    return split_chips(as_chips(*scenes), spec)


def as_chips(
    *scenes: np.ndarray,
    counts: np.ndarray | None = None,
    dates: list[str | None] | None = None,
    values: list | None = None,
) -> Chips:
    numbers = [len(chips) for chips in scenes]
    total = sum(numbers)
    of = np.repeat(np.arange(len(scenes)), numbers)
    given = np.full(total, None, dtype=object)
    given[:] = values if values is not None else [None] * total
    return Chips(
        footprints=np.concatenate(scenes),
        counts=np.zeros((total, 1), dtype=np.int64) if counts is None else counts,
        scenes=np.array([f"scene{k}" for k in of], dtype=object),
        dates=np.array([*((dates or [None] * len(scenes))[k] for k in of), None], dtype=object)[:-1],
        values=given,
        first=np.cumsum([0, *numbers[:-1]]),
        crs="EPSG:32633",
    )


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


def test_blocks_and_buffers_in_metres() -> None:
    spec = ChipSpec(split=(0.5, 0.25, 0.25), split_block=400, split_buffer=50, split_units="m")
    chips = footprints(16, 12, x=500_000, y=4_000_000)
    found = split(chips, spec=spec)
    kept = np.array([s is not None for s in found])
    proof = prove(chips[kept], found[kept])
    assert proof.shared == 0
    assert proof.nearest >= 99
    assert Counter(found)[None] > 0


def test_overlapping_scenes_stay_together() -> None:
    one, two = footprints(4, 4), footprints(4, 4, x=350)
    far = footprints(4, 4, x=5000)
    spec = ChipSpec(split=(0.5, 0.5, 0.0), split_by="scene")
    found = split(one, two, far, spec=spec)
    assert set(found[:32]) == {found[0]}
    assert found[32] != found[0]
    with pytest.raises(InvalidSpec, match="All 2 scenes show the same ground"):
        split(one, two, spec=spec)
    with pytest.raises(InvalidSpec, match="There is one scene only"):
        split(one, spec=spec)


def test_dates_go_in_the_order_of_time_and_never_share_ground() -> None:
    scenes = [footprints(3, 3, x=x) for x in (0, 1000, 2000, 2100)]
    spec = ChipSpec(split=(0.5, 0.25, 0.25), split_by="date")
    chips = as_chips(*scenes, dates=["2021-01-01", "2020-01-01", "2022-01-01", "2023-01-01"])
    found = split_chips(chips, spec)
    assert found[::9].tolist() == ["val", "train", "test", "test"], "2022 and 2023 show the same ground"
    assert shared_ground(chips.footprints, found) == 0
    with pytest.raises(InvalidSpec, match="needs the date of every scene; scene1 have none"):
        split_chips(as_chips(*scenes[:2], dates=["2020-01-01", None]), spec)


def test_values_name_the_splits_or_are_dealt_out() -> None:
    chips = footprints(6, 1)
    named = ["train", "train", ("train", "val"), "val", None, "test"]
    found = split_chips(as_chips(chips, values=named), ChipSpec(split_by="attribute", split_attribute="part"))
    assert found.tolist() == ["train", "train", None, "val", None, "test"]
    dealt = ChipSpec(split_by="attribute", split_attribute="part", split=(0.5, 0.5, 0.0))
    found = split_chips(as_chips(chips, values=["a", "a", "b", "b", "c", "c"]), dealt)
    assert [found[i] == found[i + 1] for i in (0, 2, 4)] == [True] * 3
    with pytest.raises(InvalidSpec, match="'a' are not all names of splits|\\('a'\\) are not all names of splits"):
        split_chips(as_chips(chips, values=["a"] * 6), ChipSpec(split_by="attribute", split_attribute="part"))


@given(
    values=st.lists(st.sampled_from(["train", "val", "test", None]), min_size=36, max_size=36),
    step=st.floats(30, 110),
    buffer=st.sampled_from([0.0, 0.4]),
)
def test_chips_of_areas_share_no_ground(values: list[str | None], step: float, buffer: float) -> None:
    chips = footprints(6, 6, step=step)
    spec = ChipSpec(split_by="attribute", split_attribute="a", split_buffer=buffer)
    if not any(values):
        return
    found = split_chips(as_chips(chips, values=values), spec)
    kept = np.array([s is not None for s in found])
    proof = prove(chips[kept], found[kept])
    assert proof.shared == 0
    assert proof.nearest is None or proof.nearest >= 2 * buffer * 100 - 1e-6


@given(k=st.integers(2, 6), step=st.floats(50, 100), seed=st.integers(0, 9))
def test_folds_share_no_ground(k: int, step: float, seed: int) -> None:
    chips = footprints(12, 12, step=step)
    spec = ChipSpec(folds=k, split_block=2, seed=seed)
    found = split(chips, spec=spec)
    kept = np.array([s is not None for s in found])
    assert set(found[kept]) <= {f"fold{n}" for n in range(1, k + 1)}
    assert shared_ground(chips[kept], found[kept]) == 0
    if step == 100:
        assert set(found) == {f"fold{n}" for n in range(1, k + 1)}


@given(seed=st.integers(0, 200))
def test_classes_are_spread_evenly_where_blocks_allow(seed: int) -> None:
    random = np.random.default_rng(seed)
    chips = footprints(24, 24)
    # Each class has a part of the ground where it is at home, as land cover has.
    col, row = np.meshgrid(np.arange(24), np.arange(24))
    rate = np.stack([2 + 3 * np.sin(col / 5 + seed), 2 + 3 * np.cos(row / 4), np.full(col.shape, 1.0)], axis=-1).clip(
        0.1
    )
    counts = random.poisson(rate.reshape(-1, 3))
    spec = ChipSpec(split=(0.7, 0.2, 0.1), split_block=2, seed=seed)
    found = split_chips(as_chips(chips, counts=counts), spec)
    assert class_gap(counts, found) < 0.05
    shares = [float((found == name).mean()) for name in SPLITS]
    assert shares == pytest.approx([0.7, 0.2, 0.1], abs=0.05)


def test_dealing_without_strata_is_by_lot_alone() -> None:
    weights = np.column_stack((np.ones(40), np.arange(40) % 2, np.arange(40) % 2 == 0)).astype(float)
    names = [str(n) for n in range(40)]
    plain = deal(names, weights, np.array([0.5, 0.5]), seed=1, stratify=False)
    even = deal(names, weights, np.array([0.5, 0.5]), seed=1, stratify=True)
    assert np.bincount(plain).tolist() == [20, 20]
    assert abs(int(weights[even == 0, 1].sum()) - 10) <= abs(int(weights[plain == 0, 1].sum()) - 10)


def test_the_gap_is_measured_in_shares() -> None:
    counts = np.array([[8, 2], [6, 4], [0, 0]])
    splits = np.array(["train", "val", "test"], dtype=object)
    assert class_gap(counts, splits) == pytest.approx(0.2)
    assert class_gap(counts[:1], splits[:1]) is None
