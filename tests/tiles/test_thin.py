"""A large window made smaller part by part: the means and picks of the whole, each block read about once."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np
import pytest
import rasterio
from hypothesis import given
from hypothesis import strategies as st

from tiles import blocks, stopping, thin
from tiles.errors import TooSlow
from tiles.read import read_preview, read_sample
from tiles.settings import TilesSettings
from tiles.sources import inspect, local_source
from tiles.style import make_style

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray
    from rasterio.windows import Window

SETTINGS = TilesSettings()


def part_of(values: NDArray, window: Window) -> NDArray:
    return values[..., window.row_off : window.row_off + window.height, window.col_off : window.col_off + window.width]


@given(
    seed=st.integers(0, 1000), size=st.tuples(st.integers(1, 60), st.integers(1, 60)), block=st.tuples(st.integers(1, 70), st.integers(1, 70)),
    factors=st.tuples(st.integers(1, 9), st.integers(1, 9)), part=st.tuples(st.integers(1, 3000), st.booleans()),
)  # fmt: skip
def test_means_are_those_of_the_whole(seed, size, block, factors, part) -> None:
    part, weighed = part
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 1000, (2, *size)).astype(np.uint16)
    weights = (rng.random(size) > 0.5).astype(np.float32) if weighed else None
    left, top = (int(rng.integers(0, n)) for n in size[::-1])
    window = (left, top, size[1] - left, size[0] - top)

    def read(at: Window) -> thin.Weighed:
        return part_of(values, at).transpose(1, 2, 0), None if weights is None else part_of(weights, at)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(thin, "PART", part)
        data, shares = thin.average(read, block, window, factors, 2)
    assert data.dtype == np.uint16
    for i in range(data.shape[0]):
        for j in range(data.shape[1]):
            rows = slice(top + i * factors[1], top + (i + 1) * factors[1])
            columns = slice(left + j * factors[0], left + (j + 1) * factors[0])
            cell = values[:, rows, columns]
            counted = np.ones(cell.shape[1:]) if weights is None else weights[rows, columns]
            expected = (cell * counted).sum(axis=(1, 2)) / max(counted.sum(), 1)
            np.testing.assert_allclose(data[i, j], expected, atol=0.5001)
            if shares is not None:
                assert shares[i, j] == pytest.approx(counted.mean())
    assert (shares is None) == (weights is None)


@given(
    seed=st.integers(0, 1000), size=st.tuples(st.integers(1, 60), st.integers(1, 60)), block=st.tuples(st.integers(1, 70), st.integers(1, 70)),
    part=st.integers(1, 3000),
)  # fmt: skip
def test_picks_are_those_of_the_whole_and_read_only_what_is_needed(seed, size, block, part) -> None:
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 255, (3, *size)).astype(np.uint8)
    rows, columns = (np.sort(rng.choice(n, int(rng.integers(1, n + 1)), replace=False)) for n in size)
    seen = np.zeros(size, dtype=int)

    def read(at: Window) -> NDArray:
        part_of(seen, at)[...] += 1
        return part_of(values, at)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(thin, "PART", part)
        picked = thin.pick(read, block, rows, columns, 3)
    np.testing.assert_array_equal(picked, values[:, rows][:, :, columns])
    assert seen.max() == 1


@pytest.mark.parametrize("layout", [{"blockysize": 1}, {"tiled": True, "blockxsize": 256, "blockysize": 128}])
@pytest.mark.parametrize("kind", ["uint8", "float32"])
def test_a_preview_in_parts_is_that_of_the_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, layout: dict, kind: str
) -> None:
    """With nodata, and more pixels than are read at once; the sample of the statistics is the same pixels."""
    rng = np.random.default_rng(5)
    values = rng.integers(1, 250, (3, 70, 90)).repeat(12, axis=1).repeat(12, axis=2).astype(kind)
    values[:, :300, 400:] = 0
    path = tmp_path / "a.tif"
    with rasterio.open(
        path, "w", driver="GTiff", width=1080, height=840, count=3, dtype=kind, nodata=0, interleave="pixel", **layout
    ) as out:
        out.write(values)
    source = local_source(path)
    info = inspect(source)
    found = []
    for parts in (False, True):
        if parts:
            monkeypatch.setattr(blocks, "MAX_SAMPLES", 80_000)
            monkeypatch.setattr(thin, "PART", 20_000)
        preview = read_preview(source, info, make_style(info), max_size=90, settings=SETTINGS)
        found.append((preview, *read_sample(source, (3, 1), settings=SETTINGS, box=(100, 50, 900, 800))))
    (whole, first, seen), (parts, second, also) = found
    assert parts.data.shape == whole.data.shape == (3, 70, 90)
    np.testing.assert_allclose(parts.data.astype(float), whole.data.astype(float), atol=1)
    np.testing.assert_array_equal(parts.mask, whole.mask)
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(seen, also)
    with rasterio.open(path) as dataset:
        np.testing.assert_array_equal(first[0], dataset.read(3)[50:800, 100:900])


def test_work_that_was_given_up_ends_behind_its_part() -> None:
    stop, parts = threading.Event(), []

    def read(at: Window) -> NDArray:
        parts.append(at)
        stop.set()
        return np.zeros((1, at.height, at.width), np.uint8)

    with pytest.raises(TooSlow):
        stopping.listening(stop, lambda: thin.pick(read, (8, 8), np.arange(64), np.arange(64), 1))
    assert len(parts) == 1
    stopping.check()  # nobody has given up on what this thread does now
