"""No ground in two splits, whatever is overlapped: scenes, dates, chips, turns, grids."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import Polygon, box

from geolabel.batches import BATCH_COLUMNS, LabelBatch
from geolabel.chips.frame import chip_grid
from geolabel.chips.labels import gather
from geolabel.chips.planner import make_plan
from geolabel.chips.spec import ChipSpec
from geolabel.classes import make_classes
from geolabel.errors import InvalidSpec
from geolabel.geo import crs as crs_
from geolabel.model import Project
from tests.chips.laying import scene

PROJECT = Project("p", "P", "EPSG:32633", make_classes(["a", "b"]), ("one", "two", "three"))


def batch(seed: int) -> LabelBatch:
    random = np.random.default_rng(seed)
    corners = random.uniform((499_900, 3_999_500), (500_700, 4_000_100), (60, 2))
    shapes = shapely.box(*corners.T, *(corners + random.uniform(5, 40, (60, 2))).T)
    columns = {name: np.full(60, None, dtype=object) for name in BATCH_COLUMNS}
    columns["status"][:] = "labelled"
    return LabelBatch(np.arange(1, 61), np.array(["a", "b"] * 30, dtype=object), shapes, columns)


@settings(max_examples=20)
@given(
    shift=st.tuples(st.integers(-300, 300), st.integers(-300, 300)),
    size=st.integers(20, 70),
    stride=st.integers(15, 80),
    knobs=st.sampled_from(
        [
            {},
            {"rotate": (0.0, 25.0)},
            {"resolution": 1.7},
            {"crs": "EPSG:32634"},
            {"layout": "random", "count": 40},
            {"layout": "features", "edges": "shift"},
            {"split_block": 120, "split_units": "m", "split_buffer": 10},
            {"split_buffer": 0.5},
            {"split": None, "folds": 4},
            {"split_by": "scene"},
            {"split_by": "date"},
        ]
    ),
    seed=st.integers(0, 5),
)
def test_plans_never_leak(shift: tuple[int, int], size: int, stride: int, knobs: dict, seed: int) -> None:
    spec = ChipSpec(
        **{"size": size, "stride": stride, "split": (0.5, 0.3, 0.2), "split_block": 3, "seed": seed, **knobs}
    )
    scenes = [
        replace(scene(300, 260, name="one"), datetime="2020-05-01T00:00:00Z"),
        # The same place, four years later, on pixels of another size; and a neighbour in another zone.
        replace(scene(200, 180, name="two", transform=(1.5, 0.0, 500_000.0 + shift[0], 0.0, -1.5, 4_000_000.0 + shift[1])), datetime="2024-05-01T00:00:00Z"),
        replace(scene(160, 160, name="three", transform=(2.0, 0.1, 500_350.0, 0.1, -2.0, 4_000_000.0)), datetime="2022-05-01T00:00:00Z"),
    ]  # fmt: skip
    try:
        plan = make_plan(PROJECT, scenes, gather(PROJECT, [batch(seed)], None, spec), spec)
    except InvalidSpec as error:
        assert "lies between two splits" in str(error) or "same ground" in str(error)  # noqa: PT017
        return
    assert plan.proof.shared == 0
    outlines, splits = [], []
    for chip in plan.chips:
        # From the transform that is written, not from the footprints that were split by.
        a, b, c, d, e, f = chip_grid(chip.frame.grid, chip.window, chip.turn).transform
        _, _, w, h = chip.window
        edge = shapely.get_coordinates(shapely.segmentize(box(0, 0, w, h), max(w, h) / 8))
        own = Polygon(np.column_stack((a * edge[:, 0] + b * edge[:, 1] + c, d * edge[:, 0] + e * edge[:, 1] + f)))
        moved = crs_.transform_geometries(np.array([own, None], dtype=object)[:-1], chip.frame.grid.crs, "EPSG:32633")
        outlines.append(moved[0])
        splits.append(chip.split)
    smallest = min(o.area for o in outlines)
    for one in sorted(set(splits)):
        own = shapely.union_all([o for o, s in zip(outlines, splits, strict=True) if s == one])
        others = shapely.union_all([o for o, s in zip(outlines, splits, strict=True) if s != one])
        assert own.intersection(others).area < 1e-4 * smallest
