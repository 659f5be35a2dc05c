from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geolabel.chips.spec import ChipSpec
from geolabel.chips.text import spec_from_text
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
    ({"negatives": "some"}, "negatives must be one of 'all', 'none', 'seen' or a number"),
    ({"negatives": 1e308}, "negatives must be a number from 0 to"),
    ({"min_area_px": 10**400}, "min_area_px must be a number from 0 to"),
    ({"negatives": -1}, "negatives must be a number from 0 to 1e.15"),
    ({"split": (0.5, 0.5)}, "three fractions"),
    ({"split": (0.5, 0.2, 0.2)}, "sum to 1, got .* \\(sum 0.9\\)"),
    ({"split": (1.5, -0.5, 0.0)}, "each be 0 to 1"),
    ({"split_block": 0}, "split_block must be a number of chips above 0"),
    ({"split_buffer": -0.5}, "split_buffer must be a number"),
    ({"size": (256, 128, 3)}, "size must be one length or a pair \\(width, height\\), got"),
    ({"units": "ft"}, "units must be one of 'px', 'm', got 'ft'"),
    ({"units": "m", "size": 0}, "size must be a number of metres above 0"),
    ({"padding": "black"}, "padding must be a number from"),
    ({"pad_side": "left"}, "pad_side must be one of 'end', 'start', 'both'"),
    ({"resolution": 0}, "resolution must be a number above 0"),
    ({"crs": "EPSG:99999"}, "crs must be 'native' or a CRS such as EPSG:32633: "),
    ({"crs": 32633}, "crs must be 'native' or a CRS such as EPSG:32633, got 32633"),
    ({"resampling": "lanczos9"}, "resampling must be one of 'nearest'"),
    ({"resolution": 1, "pad_side": "start"}, "the common grid says where chips begin"),
    ({"layout": "hex"}, "layout must be one of 'grid', 'random', 'features', 'boxes'"),
    ({"count": 0}, "count must be a whole number of windows from 1"),
    ({"size_range": (64, 32)}, "the smallest and then the largest edge"),
    ({"size_range": 64}, "size_range must be a pair of numbers"),
    ({"margin": -1}, "margin must be a number from 0"),
    ({"rotate": ()}, "rotate must be one or more angles in degrees"),
    ({"rotate": ("a",)}, "rotate must be one or more angles in degrees"),
    ({"dtype": "uint7"}, "dtype must be one of 'uint8'"),
    ({"stretch": "max"}, "stretch must be 'auto' or a pair"),
    ({"stretch": (5, 5)}, "a lower and then a higher value"),
    ({"stack": ("a",)}, "stack must be groups of two or more scenes"),
    ({"stack": (("a", "a"),)}, "two or more different scenes"),
    ({"within": {"type": "Point", "coordinates": [1, 2]}}, "within must hold polygons; feature 0 is a Point"),
    ({"within": {"type": "FeatureCollection", "features": []}}, "within must hold at least one polygon"),
    ({"within": {"type": "Polygon", "coordinates": "x"}}, "feature 0 cannot be read"),
    ({"within": "tasks"}, "within='tasks' has to wait until projects have tasks; draw what is finished as seen ground"),
    ({"within": 3}, "within must be polygons as GeoJSON, got 3"),
    ({"within_share": 0}, "within_share must be a number above 0 to 1"),
    ({"truncated": "cut"}, "truncated must be one of 'keep', 'drop'"),
    ({"buffer": -1}, "buffer must be a number of metres from 0"),
    ({"max_nodata": 2}, "max_nodata must be a number from 0 to 1"),
    ({"max_cloud": 0.5}, "max_cloud=0.5 needs a cloud_mask"),
    ({"cloud_mask": {"a": None}}, "cloud_mask must be the name of a plugin, or an object"),
    ({"around": "white"}, "around must be one of 'keep', 'black', 'ignore'"),
    ({"classes": {"a": 1}}, "classes must be an object {class: its name in the dataset, or null}"),
    ({"classes": 5}, "classes must be an object"),
    ({"filter": " "}, "filter must be CQL2 text"),
    ({"status": ()}, "status must be one or more of"),
    ({"status": ("done",)}, "status must be one of 'labelled'"),
    ({"split_by": "row"}, "split_by must be one of 'blocks'"),
    ({"split_by": "attribute"}, "needs split_attribute"),
    ({"split_by": "areas"}, "split_areas, polygons as GeoJSON, belong together"),
    ({"split_by": "scene"}, "needs split, the fractions"),
    ({"split_units": "km"}, "split_units must be one of 'chips', 'm'"),
    ({"folds": 1}, "folds must be a whole number of folds from 2"),
    ({"folds": 3, "split": (0.7, 0.2, 0.1)}, "folds and split exclude each other"),
    ({"stratify": "yes"}, "stratify must be true or false"),
    ({"seed": -1}, "seed must be a whole number"),
    ({"coco_holes": "fill"}, "coco_holes must be one of 'rle', 'keyhole'"),
    ({"image_format": "gif"}, "image_format must be one of 'tif', 'png', 'jpg', 'npy', got 'gif'"),
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
    rotate=st.lists(st.floats(-720, 720), min_size=1, max_size=3).map(tuple),
    classes=st.dictionaries(st.text(min_size=1), st.none() | st.text(min_size=1)),
    within=st.none()
    | st.just("coverage")
    | st.just({"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1 / 3], [0, 0]]]}),
    stack=st.sampled_from([(), (("a", "b"), ("c", "d", "e"))]),
    stretch=st.sampled_from([None, "auto", (0.5, 3000)]),
)
def test_json_says_everything(**knobs: Any) -> None:
    spec = ChipSpec(**knobs)
    back = ChipSpec.from_json(json.loads(json.dumps(spec.to_json())))
    assert back.to_json() == spec.to_json()
    assert ChipSpec.from_json({}) == ChipSpec()


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["coverage", "auto", "EPSG:32633"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["type", "coordinates", "a", "crs", "features", "geometry"]), inner, max_size=3
        )
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(list(ChipSpec.__dataclass_fields__)), JSON, min_size=1, max_size=3))
def test_whatever_json_says_is_a_spec_or_a_sentence(value: dict[str, Any]) -> None:
    try:
        spec = ChipSpec.from_json(value)
    except InvalidSpec as error:
        assert str(error).endswith((".", "…", "'"))  # noqa: PT017
    else:
        json.dumps(spec.to_json(), allow_nan=False)
        hash(spec)


@given(
    st.dictionaries(st.sampled_from(list(ChipSpec.__dataclass_fields__)), st.text(max_size=12), min_size=1, max_size=3)
)
def test_whatever_texts_say_is_a_spec_or_a_sentence(value: dict[str, str]) -> None:
    with contextlib.suppress(InvalidSpec):
        spec_from_text(value)


def test_texts_say_what_json_says() -> None:
    text = {
        "size": "512,256", "stride": "128", "units": "m", "rotate": "0,-90", "bands": "3,2,1", "stretch": "0,3000", "stack": "a,b;c,d", "classes": "hut=house,tree=",
        "negatives": "0.5", "split": "0.7,0.2,0.1", "cloud_mask": "a=b", "status": "accepted", "stratify": "no", "filter": "height > 3", "padding": "-1.5", "within": "coverage",
    }  # fmt: skip
    spec = ChipSpec(
        size=(512, 256),
        stride=128,
        units="m",
        rotate=(0, 270),
        bands=(3, 2, 1),
        stretch=(0, 3000),
        stack=(("a", "b"), ("c", "d")),
        classes=(("hut", "house"), ("tree", None)),
        negatives=0.5,
        split=(0.7, 0.2, 0.1),
        cloud_mask=(("a", "b"),),
        status=("accepted",),
        stratify=False,
        filter="height > 3",
        padding=-1.5,
        within="coverage",
    )
    assert spec_from_text(text) == spec
