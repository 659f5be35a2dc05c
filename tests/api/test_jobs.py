from __future__ import annotations

import io
import json
import time
import zipfile
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import pytest

if TYPE_CHECKING:
    from pathlib import Path

    import httpx
    from conftest import Api

BUILDINGS = "pairs/atlanta_pan16_buildings/buildings_epsg32616.geojson"
ENDED = {"done", "failed", "cancelled"}


def ended(client: httpx.Client, job: httpx.Response) -> dict[str, Any]:
    """The job once it has ended."""
    assert job.status_code == 202, job.text
    for _ in range(600):
        state: dict[str, Any] = client.get(job.headers["Location"]).json()
        if state["state"] in ENDED:
            return state
        time.sleep(0.1)
    pytest.fail(f"The job does not end: {state}")


def test_import_and_export_end_to_end(server: httpx.Client, data: Path) -> None:
    raw = json.loads((data / BUILDINGS).read_bytes())
    del raw["crs"]
    at = "/api/projects/atlanta/imports"
    refused = ended(server, server.post(at, params={"class": "building"}, json=raw))
    assert refused["state"] == "failed"  # UTM numbers are no degrees
    assert server.get("/api/projects/atlanta").json()["counts"]["building"] == 0
    params = {"class": "building", "crs": "EPSG:32616"}
    imported = ended(server, server.post(at, params=params, json=raw))
    assert imported["state"] == "done", imported
    expected = gpd.read_file(data / BUILDINGS)
    assert imported["result"]["imported"] == len(expected)
    assert server.get("/api/projects/atlanta").json()["counts"]["building"] == len(expected)

    job = server.post(
        "/api/projects/atlanta/exports", json={"formats": ["coco", "geojson"], "chips": {"size": 256, "stride": 256}}
    )
    done = ended(server, job)
    assert done["state"] == "done", done
    assert done["progress"] == 1
    [url] = [link["href"] for link in done["links"] if link["rel"] == "results"]
    with server.stream("GET", url) as answer:
        assert answer.headers["Content-Type"] == "application/zip"
        assert f'filename="atlanta-{done["id"]}.zip"' in answer.headers["Content-Disposition"]
        content = answer.read()
    assert len(content) == int(answer.headers["Content-Length"])
    archive = zipfile.ZipFile(io.BytesIO(content))
    assert archive.testzip() is None
    root = f"atlanta-{done['id']}"
    coco = json.loads(archive.read(f"{root}/coco/train.json"))
    assert len(coco["annotations"]) >= len(expected)
    assert json.loads(archive.read(f"{root}/manifest.json"))["project"]
    exported = gpd.read_file(io.BytesIO(archive.read(f"{root}/geojson/atlanta.geojson")))
    assert len(exported) == len(expected)


def test_an_import_is_all_or_nothing(server: httpx.Client) -> None:
    x, y = -84.480, 33.638
    good = {"type": "Point", "coordinates": [x, y]}
    features = [
        {"type": "Feature", "geometry": good, "properties": {"kind": "tree"}},
        {"type": "Feature", "geometry": good, "properties": {"kind": "lava"}},
    ]
    at = "/api/projects/atlanta/imports?class_field=kind"
    for body in (
        {"type": "FeatureCollection", "features": features},
        {"type": "FeatureCollection", "features": []},
        [],
    ):
        job = ended(server, server.post(at, json=body))
        assert job["state"] == "failed"
        assert job["message"].endswith(".")
    assert sum(server.get("/api/projects/atlanta").json()["counts"].values()) == 0
    assert len(server.get("/api/jobs", params={"project": "atlanta"}).json()["jobs"]) == 3
    assert server.get("/api/jobs", params={"project": "kampala"}).json()["jobs"] == []


@pytest.mark.parametrize(
    ("body", "pointer", "words"),
    [
        ({}, "/formats", "required"),
        ({"formats": []}, "/formats", "at least 1"),
        ({"formats": ["coco", "nonsense"]}, "/formats/1", "coco"),
        ({"formats": "coco"}, "/formats", "array"),
        ({"formats": ["coco"], "chips": {"size": 0}}, "/chips", "size"),
        ({"formats": ["coco"], "chips": {"size": "big"}}, "/chips", "size"),
        ({"formats": ["coco"], "chips": {"colour": 1}}, "/chips", "colour"),
        ({"formats": ["coco"], "chips": {"split": [0.5, 0.6, 0.7]}}, "/chips", "split"),
        ({"formats": ["coco"], "chips": {"bands": [0]}}, "/chips", "bands"),
        ({"formats": ["coco"], "chips": {"bands": [10**30]}}, "/chips", "bands"),
        ({"formats": ["coco"], "chips": {"negatives": 10**30}}, "/chips", "negatives"),
        ({"formats": ["coco"], "out": "/tmp/x"}, "/out", "Extra"),
    ],
)
def test_an_export_that_cannot_be_made(api: Api, body: Any, pointer: str, words: str) -> None:
    refused = api("POST", "/api/projects/atlanta/exports", 422, json=body).json()
    assert refused["errors"][0]["pointer"] == pointer
    assert words in refused["detail"]
    assert api("GET", "/api/jobs").json() == {"jobs": []}


def test_an_import_that_cannot_be_asked_for(api: Api) -> None:
    at = "/api/projects/atlanta/imports"
    for query in ("class=lava", "class=tree&class_field=kind", "crs=nonsense", "on_invalid=ask", "format=kml"):
        api("POST", f"{at}?{query}", 400, json={"type": "FeatureCollection", "features": []})
    api("POST", at, 422, content=b"", headers={"Content-Type": "application/json"})
    api("POST", "/api/projects/nowhere/imports", 404, json={})
    assert api("GET", "/api/jobs").json() == {"jobs": []}


def test_jobs_are_cancelled_and_have_a_result_only_when_done(api: Api) -> None:
    api.app.state.store.add_job("export", "atlanta", {"formats": ["geojson"], "chips": {}})
    cancelled = api("DELETE", "/api/jobs/1").json()
    assert cancelled["state"] == "cancelled"
    assert "cancelled" in api("GET", "/api/jobs/1/result", 409).json()["detail"]
    api("GET", "/api/jobs/2/result", 404)
    api("DELETE", "/api/jobs/2", 404)
    api("GET", "/api/jobs?project=nowhere", 404)
