from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geolabel.chips.spec import ChipSpec
from geolabel.errors import InvalidSpec

WRONG = [
    ({"size": 0}, "size must be a whole number of pixels from 1 to 16384, got 0"),
    ({"size": 512.0}, "size must be a whole number of pixels"),
    ({"size": True}, "size must be a whole number"),
    ({"stride": -1}, "stride must be a whole number of pixels from 1 to 16384, got -1"),
    ({"edges": "wrap"}, "edges must be one of 'pad', 'shift', 'drop', got 'wrap'"),
    ({"bands": ()}, "bands must be one or more band numbers, counted from 1"),
    ({"bands": (0, 1)}, "counted from 1, got \\(0, 1\\)"),
    ({"min_overlap": 1.5}, "min_overlap must be a number from 0 to 1, got 1.5"),
    ({"min_area_px": float("nan")}, "min_area_px must be a number from 0 to 1e.15, got nan"),
    ({"negatives": "some"}, "negatives must be one of 'all', 'none' or a number"),
    ({"negatives": 1e308}, "negatives must be a number from 0 to"),
    ({"min_area_px": 10**400}, "min_area_px must be a number from 0 to"),
    ({"negatives": -1}, "negatives must be a number from 0 to 1e.15"),
    ({"split": (0.5, 0.5)}, "three fractions"),
    ({"split": (0.5, 0.2, 0.2)}, "sum to 1, got .* \\(sum 0.9\\)"),
    ({"split": (1.5, -0.5, 0.0)}, "each be 0 to 1"),
    ({"split_block": 0}, "split_block must be a whole number of chips from 1"),
    ({"split_buffer": -0.5}, "split_buffer must be a number"),
    ({"seed": -1}, "seed must be a whole number"),
    ({"coco_holes": "fill"}, "coco_holes must be one of 'rle', 'keyhole'"),
    ({"image_format": "jpg"}, "image_format must be one of 'tif', 'png'"),
]


@pytest.mark.parametrize(("knobs", "sentence"), WRONG)
def test_a_wrong_knob_is_refused_with_a_sentence(knobs: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidSpec, match=sentence):
        ChipSpec(**knobs)


def test_an_unknown_knob_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InvalidSpec, match="no option 'sise'; they have: size, stride"):
        ChipSpec.from_json({"sise": 1})


@given(
    size=st.integers(1, 16384),
    stride=st.none() | st.integers(1, 16384),
    edges=st.sampled_from(["pad", "shift", "drop"]),
    bands=st.none() | st.lists(st.integers(1, 300), min_size=1, max_size=5).map(tuple),
    negatives=st.sampled_from(["all", "none"]) | st.floats(0, 10),
    split=st.none() | st.sampled_from([(0.7, 0.2, 0.1), (1.0, 0.0, 0.0)]),
)
def test_json_says_everything(**knobs: Any) -> None:
    spec = ChipSpec(**knobs)
    back = ChipSpec.from_json(json.loads(json.dumps(spec.to_json())))
    assert back.to_json() == spec.to_json()
    assert back.step == spec.step
    assert ChipSpec.from_json({}) == ChipSpec()
