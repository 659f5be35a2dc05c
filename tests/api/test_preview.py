"""A dataset before it is made: what the preview says is what the export makes."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.parquet as pq
import pytest
import shapely
from PIL import Image

from geolabel import workflows
from geolabel.chips.spec import ChipSpec
from geolabel.store import open_store

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Api

LABELS = "pairs/atlanta_pan16_buildings/buildings_epsg32616.geojson"
AT = "/api/projects/atlanta/exports/preview"
QUERY = "size=128&stride=96&split=0.6,0.2,0.2&split_block=2&negatives=1&min_overlap=0.1"
SPEC = ChipSpec(size=128, stride=96, split=(0.6, 0.2, 0.2), split_block=2, negatives=1, min_overlap=0.1)


@pytest.fixture
def labelled(api: Api, data: Path) -> Api:
    store = api.app.state.store
    workflows.import_labels(store, "atlanta", workflows.open_labels(data / LABELS), class_name="building")
    return api


def test_the_preview_is_what_the_export_makes(labelled: Api, workspace: Path | str, tmp_path: Path) -> None:
    found = labelled.client.get(f"{AT}?{QUERY}").json()
    with open_store(workspace) as store:
        report = workflows.export(store, "atlanta", tmp_path / "out", ["coco"], SPEC).to_json()
    for name in ("chips", "chips_with_labels", "labels", "left_out", "exported", "shared_ground", "proof"):
        assert found["report"][name] == json.loads(json.dumps(report[name]))
    assert found["report"]["dry_run"] is True
    table = {row["chip"]: row for row in pq.read_table(tmp_path / "out/chips.parquet").to_pylist()}
    features = found["grid"]["features"]
    kept = {f["properties"]["chip"]: f for f in features if f["properties"]["left_out"] is None}
    assert kept.keys() == table.keys()
    assert {n: (f["properties"]["split"], f["properties"]["labels"]) for n, f in kept.items()} == {
        n: (row["split"], row["labels"]) for n, row in table.items()
    }
    reasons = [f["properties"]["left_out"] for f in features if f["properties"]["left_out"]]
    assert {r: reasons.count(r) for r in set(reasons)} == {r: n for r, n in report["left_out"].items() if r in reasons}
    assert found["crs"] == "OGC:CRS84"
    bounds = shapely.total_bounds(np.array([shapely.from_geojson(json.dumps(f["geometry"])) for f in features]))
    assert bounds == pytest.approx([-84.4, 33.7, -84.3, 33.8], abs=0.2)


def test_samples_are_pictures_of_chips_of_every_split(labelled: Api) -> None:
    found = labelled.client.get(f"{AT}?{QUERY}&samples=6").json()
    assert {s["split"] for s in found["samples"]} == {s for s, n in found["report"]["chips"].items() if n}
    answer = labelled.client.get(found["samples"][0]["href"])
    assert answer.headers["Content-Type"] == "image/png"
    picture = Image.open(io.BytesIO(answer.content))
    assert picture.size == (384, 384)
    assert len(picture.getcolors(200_000) or [0] * 300) > 200
    others = labelled.client.get(f"{AT}?{QUERY}&samples=6&lot=5").json()
    assert {s["chip"] for s in others["samples"]} != {s["chip"] for s in found["samples"]}


def test_an_edit_is_in_the_next_preview(labelled: Api) -> None:
    before = labelled.client.get(f"{AT}?{QUERY}").json()["report"]
    store = labelled.app.state.store
    store.delete("atlanta", store.query("atlanta")[0].id)
    after = labelled.client.get(f"{AT}?{QUERY}").json()["report"]
    assert after["annotations"] == before["annotations"] - 1


@pytest.mark.parametrize(
    ("query", "status", "sentence"),
    [
        ("size=many", 400, "size must be a number"),
        ("size=0", 400, "size must be a whole number of pixels from 1 to 16384, got 0"),
        ("sise=3", 400, "Chips have no option 'sise'"),
        ("split=a,b,c", 400, "split must be numbers with commas between"),
        ("within=x", 400, "within must be polygons as GeoJSON or coverage"),
        ("filter=klass=3", 400, "filter: There is no property 'klass'"),
        ("bands=9", 400, "Band 9 was asked for"),
        ("edges=drop&size=5000", 400, "No chip of 5000 px fits into any of the 1 scenes"),
        ("cloud_mask=atlanta_pan=nope", 400, "cloud_mask names"),
        ("snapshot=v9", 404, "There is no snapshot 'v9'"),
        ("samples=99", 400, "samples"),
        ("size=1&size=2", 400, ""),
    ],
)
def test_what_cannot_be_planned_is_a_sentence(api: Api, query: str, status: int, sentence: str) -> None:
    answer = api.client.get(f"{AT}?{query}")
    assert answer.status_code in {status, 422 if "samples" in query else status}, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert sentence in answer.text.replace("\\", "")


def test_what_is_not_there(api: Api) -> None:
    assert api.client.get("/api/projects/nope/exports/preview").status_code == 404
    answer = api.client.get(f"{AT}/nope.png?size=128")
    assert (answer.status_code, answer.json()["detail"]) == (404, "The dataset has no chip 'nope'.")
