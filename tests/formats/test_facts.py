"""Moments of pixel values: exact for whole numbers, and the same however the pixels lie in memory."""

from __future__ import annotations

from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from geolabel.formats.facts import moments_of

SHAPE = (3, 37, 41)


def moments(image: np.ndarray, valid: np.ndarray) -> list[Any]:
    return moments_of(SimpleNamespace(sight=image, valid=valid))


def exact(values: np.ndarray) -> list[float]:
    numbers = [int(v) for v in values.tolist()]
    mean = Fraction(sum(numbers), len(numbers))
    squares = sum(((n - mean) ** 2 for n in numbers), Fraction(0))
    return [len(numbers), float(mean), float(squares), float(min(numbers)), float(max(numbers))]


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int16"])
@pytest.mark.parametrize("share", [1.0, 0.4])
@pytest.mark.parametrize("interleaved", [False, True])
def test_whole_numbers_are_rounded_once(dtype: str, share: float, interleaved: bool) -> None:
    lot = np.random.default_rng(3)
    limits = np.iinfo(dtype)
    image = lot.integers(limits.min, limits.max, SHAPE, dtype=dtype, endpoint=True)
    if interleaved:
        image = np.moveaxis(np.ascontiguousarray(np.moveaxis(image, 0, -1)), -1, 0)
    valid = lot.random(SHAPE[1:]) < share
    assert moments(image, valid) == [exact(band[valid]) for band in image]
    assert moments(np.rot90(image, axes=(1, 2)), np.rot90(valid)) == [exact(band[valid]) for band in image]


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "complex64"])
def test_other_numbers_are_those_of_numpy(dtype: str) -> None:
    lot = np.random.default_rng(4)
    image = (lot.normal(0, 1e4, SHAPE) + (1j if dtype == "complex64" else 0)).astype(dtype)
    valid = lot.random(SHAPE[1:]) < 0.5
    real = valid.copy()
    if np.dtype(dtype).kind == "f":
        image[:, 3, 4:6] = np.nan, np.inf
        real[3, 4:6] = False
    for band, (count, mean, squares, low, high) in zip(image, moments(image, valid), strict=True):
        values = np.abs(band[real]) if dtype == "complex64" else band[real]
        values = values.astype(np.float64)
        assert (count, low, high) == (values.size, values.min(), values.max())
        assert mean == pytest.approx(values.mean(), rel=1e-12)
        assert squares == pytest.approx(values.var() * values.size, rel=1e-12)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_nothing_real_has_no_moments(dtype: str) -> None:
    assert moments(np.ones(SHAPE, dtype=dtype), np.zeros(SHAPE[1:], dtype=bool)) == [None] * 3
