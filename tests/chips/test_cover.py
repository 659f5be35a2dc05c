"""Which ground and which labels a chip may be learnt from."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import rasterio
import shapely
from rasterio.features import rasterize
from rasterio.transform import from_origin
from shapely.geometry import Polygon, box

from geolabel import workflows
from geolabel.chips.build import chips
from geolabel.chips.cover import cover_of
from geolabel.chips.labels import gather
from geolabel.chips.planner import make_plan
from geolabel.chips.spec import ChipSpec
from geolabel.errors import InvalidSpec
from geolabel.model import NewAnnotation, Provenance
from geolabel.store import open_store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from geolabel.chips.plan import Plan
    from geolabel.store import Store

X, Y = 500_000.0, 4_000_000.0
TRANSFORM = from_origin(X, Y, 1, 1)


def ground(col: float, row: float, width: float, height: float) -> Polygon:
    """A box by pixels of the scene, on the ground."""
    return box(X + col, Y - row - height, X + col + width, Y - row)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A project `p` with two scenes of the same 64 x 64 m, of 2020 and of 2024."""
    with open_store(tmp_path / "ws", create=True) as store:
        for year in (2020, 2024):
            file = tmp_path / f"y{year}.tif"
            profile = {"driver": "GTiff", "width": 64, "height": 64, "count": 1, "dtype": "uint8"}
            with rasterio.open(file, "w", crs="EPSG:32633", transform=TRANSFORM, **profile) as target:
                target.write(np.full((1, 64, 64), 9, np.uint8))
            workflows.add_scene(store, file, datetime=f"{year}-06-01")
        workflows.create_project(store, "P", scenes=["y2020", "y2024"], classes=["field"])
        yield store


def masks(store: Store, spec: ChipSpec) -> dict[str, np.ndarray]:
    return {chip.name: chip.semantic for chip in chips(planned(store, spec))}


def planned(store: Store, spec: ChipSpec) -> Plan:
    project = store.project("p")
    labels = gather(project, store.batches("p"), store.coverage("p"))
    return make_plan(project, [store.scene(s) for s in project.scenes], labels, spec)


def burnt(*shapes: tuple[Polygon, int], fill: int) -> np.ndarray:
    """What rasterio makes of shapes on the ground, later ones over earlier ones."""
    return rasterize(shapes, out_shape=(64, 64), fill=fill, transform=TRANSFORM, dtype=np.uint8)


SEEN, IGNORED, FIELD = ground(4.2, 4.2, 40, 40), ground(30.3, 10.1, 30, 12.2), ground(20, 8, 20, 30)


@pytest.mark.parametrize("unlabelled", ["background", "ignore"])
def test_masks_say_what_was_seen(store, unlabelled):
    store.update_project(replace(store.project("p"), unlabelled=unlabelled))
    store.create("p", [NewAnnotation(FIELD, "field"), NewAnnotation(ground(50, 50, 6, 6), "field")])
    store.create("p.coverage", [NewAnnotation(SEEN, "seen"), NewAnnotation(IGNORED, "ignore")])
    fill = 255 if unlabelled == "ignore" else 0
    expected = burnt((SEEN, 0), (FIELD, 1), (ground(50, 50, 6, 6), 1), (IGNORED, 255), fill=fill)
    whole = masks(store, ChipSpec(size=64))["y2020_0_0"]
    np.testing.assert_array_equal(whole, expected)
    for name, mask in masks(store, ChipSpec(size=32, stride=16, edges="drop")).items():
        col, row = map(int, name.split("_")[1:])
        np.testing.assert_array_equal(mask, expected[row : row + 32, col : col + 32])


def test_chips_that_say_nothing_are_left_out(store):
    store.update_project(replace(store.project("p"), unlabelled="ignore", scenes=("y2020",)))
    store.create("p", [NewAnnotation(ground(2, 2, 5, 5), "field")])
    store.create(
        "p.coverage", [NewAnnotation(ground(0, 0, 33, 16), "seen"), NewAnnotation(ground(32, 0, 9, 16), "ignore")]
    )
    plan = planned(store, ChipSpec(size=16))
    assert [c.name for c in plan.chips] == ["y2020_0_0", "y2020_16_0"], "a label, and seen ground without one"
    assert plan.tally.unseen == 14
    assert plan.tally.scenes_without_chips == ()
    assert [len(c.labels) for c in plan.chips] == [1, 0]
    negatives = planned(store, ChipSpec(size=16, negatives="none"))
    assert ([c.name for c in negatives.chips], negatives.tally.negatives) == (["y2020_0_0"], 1)
    store.update_project(replace(store.project("p"), unlabelled="background"))
    store.create("p.coverage", [NewAnnotation(ground(-5, 15.5, 40, 17), "ignore")])
    assert sorted({c.name for c in planned(store, ChipSpec(size=16)).chips}) == sorted(
        f"y2020_{col}_{row}"
        for row in (0, 16, 32, 48)
        for col in (0, 16, 32, 48)
        if (row, col) not in {(16, 0), (16, 16)}
    )


def test_nothing_to_learn_from_is_a_sentence(store):
    store.update_project(replace(store.project("p"), unlabelled="ignore"))
    with pytest.raises(InvalidSpec, match="all ground is unseen or to be ignored. Draw seen ground in its coverage"):
        planned(store, ChipSpec(size=16))


def test_coverage_is_part_of_what_a_dataset_is_made_from(store):
    before = planned(store, ChipSpec(size=64)).digest
    made = store.create("p.coverage", [NewAnnotation(SEEN, "seen")])
    assert planned(store, ChipSpec(size=64)).digest != before
    store.delete("p.coverage", made[0].id)
    assert planned(store, ChipSpec(size=64)).digest == before


def test_labels_of_the_time_of_the_scene(store):
    def label(start: str | None, end: str | None, scene: str | None = None) -> NewAnnotation:
        return NewAnnotation(FIELD, "field", provenance=Provenance(scene=scene), valid_from=start, valid_to=end)

    store.create(
        "p",
        [
            label(None, None),
            label("2019-01-01", "2020-06-01"),
            label("2020-06-01T12:00:00Z", None, "y2020"),
            label("2021-01-01", None, "y2024"),
            label(None, "2020-05-31"),
            label("2022-01-01", "2023-01-01"),
        ],
    )

    def on(match: str) -> dict[str, list[int]]:
        plan = planned(store, ChipSpec(size=64, match=match))
        unmatched.append(plan.tally.unmatched)
        return {c.scene.id: c.labels.ids.tolist() for c in plan.chips}

    unmatched: list[int] = []
    assert store.scene("y2020").datetime == "2020-06-01T00:00:00Z", "its first moment: label 3 is not valid yet"
    assert on("date") == {"y2020": [1, 2], "y2024": [1, 3, 4]}
    assert on("scene") == {"y2020": [3], "y2024": [4]}
    assert on("all") == {"y2020": [1, 2, 3, 4, 5, 6], "y2024": [1, 2, 3, 4, 5, 6]}
    assert unmatched == [2, 4, 0]


def test_an_export_tells(store, tmp_path):
    store.update_project(replace(store.project("p"), unlabelled="ignore"))
    store.create("p", [NewAnnotation(ground(2, 2, 5, 5), "field", valid_to="2021-01-01")])
    store.create("p.coverage", [NewAnnotation(ground(0, 0, 32, 16), "seen")])
    report = workflows.export(store, "p", tmp_path / "out", ["mask-semantic", "geojson"], ChipSpec(size=16))
    notes = " ".join(report.to_json()["notes"])
    assert "28 chips without annotations on unseen or ignored ground left out" in notes
    assert report.to_json()["left_out"]["unseen"] == 28
    text = (tmp_path / "out/geojson/p.geojson").read_text(encoding="utf-8")
    assert '"valid_to":"2021-01-01"' in text.replace(" ", "")
    with pytest.raises(InvalidSpec, match="match must be one of 'date', 'scene', 'all', got 'never'"):
        ChipSpec(match="never")


def test_known_ground_against_shapely():
    random = np.random.default_rng(5)
    shapes = [
        shapely.buffer(shapely.points(random.uniform(0, 100, (n, 2))), random.uniform(1, 12, n)) for n in (20, 12)
    ]
    corners = np.stack(np.meshgrid(np.arange(0, 100, 10.0), np.arange(0, 100, 10.0)), axis=-1).reshape(-1, 2)
    boxes = shapely.box(*corners.T, *(corners + 10).T)
    for only_seen in (True, False):
        base = shapely.union_all(shapes[0]) if only_seen else box(-1, -1, 200, 200)
        left = shapely.intersection(shapely.difference(base, shapely.union_all(shapes[1])), boxes)
        known = cover_of(*shapes, boxes, only_seen=only_seen).known()
        np.testing.assert_array_equal(known, shapely.area(left) > 1e-9)
