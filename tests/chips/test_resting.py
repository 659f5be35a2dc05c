"""Shapes that rest on the disk come back as they were, in any order and from any thread."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from geolabel.chips.resting import Resting


@given(st.lists(st.lists(st.binary(max_size=40), max_size=8), max_size=5), st.data())
def test_any_rows_in_any_order(batches: list[list[bytes]], data: st.DataObject) -> None:
    resting, kept = Resting(), [shape for batch in batches for shape in batch]
    for batch in batches:
        resting.append(batch)
    assert len(resting) == len(kept)
    assert resting[:].tolist() == kept
    rows = data.draw(st.lists(st.integers(0, max(len(kept) - 1, 0)), max_size=20) if kept else st.just([]))
    assert resting[np.array(rows, dtype=np.int64)].tolist() == [kept[row] for row in rows]
    part = data.draw(st.slices(len(kept)).filter(lambda s: (s.step or 1) > 0))
    assert resting[part].tolist() == kept[part]


def test_rows_that_are_put_later_and_by_parts() -> None:
    resting = Resting(6)
    resting.put(np.array([4, 1]), [b"four", b"one"])
    resting.put(np.array([0, 5]), [b"zero", b"five"])
    assert resting[:].tolist() == [b"zero", b"one", b"", b"", b"four", b"five"]


def test_they_rest_where_they_are_told(tmp_path: Path) -> None:
    resting = Resting(folder=tmp_path)
    resting.append([b"one"])
    assert Path(f"/proc/self/fd/{resting._file.fileno()}").readlink().parent == tmp_path
    assert list(tmp_path.iterdir()) == [], "nothing is left of it, however the process ends"
    assert Resting(folder=tmp_path / "gone").folder is None


def test_several_threads_read_at_once() -> None:
    shapes = [str(n).encode() * (n % 50) for n in range(5000)]
    resting = Resting()
    resting.append(shapes)

    def read(seed: int) -> bool:
        rows = np.random.default_rng(seed).integers(0, len(shapes), 500)
        return resting[rows].tolist() == [shapes[row] for row in rows]

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(read, range(100)))
