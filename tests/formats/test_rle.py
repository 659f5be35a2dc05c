from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pycocotools import mask as coco

from geolabel.errors import InvalidInput
from geolabel.formats import rle

# pycocotools wraps its masks in a class that numpy 2 warns about.
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"
)

MASKS = hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, max_side=40), elements=st.integers(0, 1))


@given(mask=MASKS)
def test_the_string_is_the_one_that_pycocotools_writes(mask: np.ndarray) -> None:
    theirs = coco.encode(np.asfortranarray(mask))["counts"].decode()
    ours = rle.to_json(mask)
    assert ours == {"size": list(mask.shape), "counts": theirs}
    assert np.array_equal(rle.decode(rle.decompress(theirs), *mask.shape), mask)


@given(counts=hnp.arrays(np.int64, st.integers(1, 60), elements=st.integers(0, 2**40)))
def test_any_counts_survive_compression(counts: np.ndarray) -> None:
    assert np.array_equal(rle.decompress(rle.compress(counts)), counts)


@pytest.mark.parametrize("shape", [(1, 1), (512, 512), (3, 4000)])
@pytest.mark.parametrize("value", [0, 1])
def test_uniform_masks(shape: tuple[int, int], value: int) -> None:
    mask = np.full(shape, value, dtype=np.uint8)
    ours = rle.to_json(mask)
    decoded = np.array(coco.decode({"size": ours["size"], "counts": ours["counts"].encode()}), copy=True)
    assert np.array_equal(decoded, mask)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [("\x1f", "none of COCO's 64"), ("P", "in the middle of a number"), ("o" * 14 + "0", "60 bits")],
)
def test_a_damaged_string_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(InvalidInput, match=sentence):
        rle.decompress(text)


def test_runs_that_do_not_fill_the_mask_are_refused() -> None:
    with pytest.raises(InvalidInput, match="add up to 5 pixels; expected 2 x 2"):
        rle.decode(np.array([5]), 2, 2)
