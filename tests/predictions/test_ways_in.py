"""The command line, HTTP and Python: the same work, the same report."""

from __future__ import annotations

import io
import json
import sys
import time
import zipfile
from typing import TYPE_CHECKING, Any

import pytest
from fastapi.testclient import TestClient
from shapely.geometry import box

import geolabel
from geolabel import cli, workflows
from geolabel.app import create_app
from geolabel.jobs import run_job
from geolabel.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.predictions.conftest import Lab

RECORD = {"image_id": 1, "category_id": 1, "bbox": [30, 20, 10, 15], "score": 0.8}


@pytest.fixture
def run(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str]]:
    """Runs the command line in this process: its exit code, and what it printed."""

    def call(*arguments: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["geolabel", *arguments, "-w", str(lab.store.folder)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        printed = capsys.readouterr()
        return int(ended.value.code or 0), printed.out or printed.err.replace("\n", " ")

    return call


def test_the_command_line(lab: Lab, run: Callable[..., tuple[int, str]]) -> None:
    file = str(lab.results(RECORD, {**RECORD, "image_id": 77}))
    manifest = str(lab.out / "manifest.json")
    code, printed = run("predictions", "town", file, "--manifest", manifest, "--model", "unet@3", "--json")
    report = json.loads(printed)
    assert (code, report["placed"], report["refused"], report["model"]) == (0, 1, 1, "unet@3")
    assert report["problems"][0]["pointer"] == "pred.json/1"
    code, printed = run("predictions", "town", file, "--manifest", manifest, "--model", "unet@3")
    assert "Placed 0 suggestions of unet@3 from pred.json in town; 2 objects read." in printed
    assert "1 are here already, from this model and just so" in printed


def test_the_command_line_refuses_with_a_sentence(lab: Lab, run: Callable[..., tuple[int, str]]) -> None:
    file = str(lab.results(RECORD))
    manifest = str(lab.out / "manifest.json")
    for arguments, words in (
        ((file,), "None of the objects of pred.json can be placed: The project knows no picture '1'"),
        ((file, "--manifest", str(lab.folder)), "There is no manifest"),
        ((str(lab.folder / "no.json"),), "There is no file"),
        ((file, "--manifest", manifest, "--model", "a\nb"), "A model is called NAME@VERSION"),
        ((file, "--manifest", manifest, "--iou", "7"), "iou must be a number from 0 to 1, got 7.0"),
        ((file, "--manifest", manifest, "--format", "doc"), "Labels cannot be read as 'doc'"),
    ):
        code, printed = run("predictions", "town", *arguments)
        assert code == 1
        assert words in printed


def test_python(lab: Lab) -> None:
    with geolabel.open(lab.store.folder) as ws:
        project = ws.project("town")
        report = project.import_predictions(lab.results(RECORD), manifest=lab.out, model="unet@3")
        assert report.placed == 1
        frame = project.annotations()
        assert list(frame[frame["source"] == "model:unet@3"]["status"]) == ["suggested"]


@pytest.fixture
def client(lab: Lab) -> Iterator[TestClient]:
    settings = Settings(workspace=str(lab.store.folder))
    with TestClient(create_app(settings), base_url="http://127.0.0.1:8000") as client:
        yield client


def finished(client: TestClient, response: Any) -> dict[str, Any]:
    assert response.status_code == 202, response.text
    for _ in range(600):
        job: dict[str, Any] = client.get(response.headers["Location"]).json()
        if job["state"] in {"done", "failed", "cancelled"}:
            return job
        time.sleep(0.05)
    raise AssertionError(job)


def test_http_takes_a_file_and_the_number_of_the_export(lab: Lab, client: TestClient) -> None:
    at = "/api/projects/town"
    chips = {"size": 100, "stride": 80, "edges": "shift"}
    made = finished(client, client.post(f"{at}/exports", json={"formats": ["coco"], "chips": chips}))
    address = f"{at}/predictions?model=unet@3&export={made['id']}&min_score=0.5"
    job = finished(client, client.post(address, json=[RECORD]))
    assert (job["state"], job["result"]["placed"], job["kind"]) == ("done", 1, "predictions")
    assert not list((lab.store.folder / "imports").iterdir()), "the body is gone"
    job = finished(client, client.post(address, json=[{**RECORD, "image_id": 88}]))
    assert job["state"] == "failed"
    assert "manifest.json knows no picture '88'" in job["message"]


def test_http_takes_a_zip_with_the_manifest_in_it(lab: Lab, client: TestClient) -> None:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("manifest.json", "chips.parquet"):
            archive.write(lab.out / name, name)
        archive.writestr("labels/scene_80_0.txt", "0 0.5 0.5 0.2 0.1 0.75\n")
    address = "/api/projects/town/predictions?model=yolo@11&format=yolo"
    headers = {"Content-Type": "application/zip"}
    job = finished(client, client.post(address, content=body.getvalue(), headers=headers))
    assert job["state"] == "done", job
    assert job["result"]["placed"] == 1
    assert lab.pixels() == [(120, 45, 140, 55)]


@pytest.mark.parametrize(
    ("query", "status", "words"),
    [
        ("model=a%0Ab", 400, "NAME@VERSION"),
        ("", 400, "model"),
        ("model=a@1&format=doc", 400, "cannot be read as 'doc'"),
        ("model=a@1&export=99", 400, "99"),
        ("model=a@1&class=ship", 400, "ship"),
        ("model=a@1&iou=2", 400, "iou"),
        ("model=a@1&crs=EPSG:0", 400, "crs"),
        ("model=a@1&x=1", 400, "x"),
    ],
)
def test_http_refuses_at_once(client: TestClient, query: str, status: int, words: str) -> None:
    response = client.post(f"/api/projects/town/predictions?{query}", json=[RECORD])
    assert response.status_code == status, response.text
    assert words in response.text


def test_http_takes_no_other_media_type(client: TestClient) -> None:
    response = client.post(
        "/api/projects/town/predictions?model=a@1", content=b"x", headers={"Content-Type": "text/plain"}
    )
    assert response.status_code == 415
    response = client.post("/api/projects/town/exports", content=b"x", headers={"Content-Type": "application/zip"})
    assert response.status_code == 415


def test_a_job_that_is_cancelled_places_nothing(lab: Lab) -> None:
    body = lab.store.folder / "imports" / "a.json"
    body.parent.mkdir(exist_ok=True)
    body.write_text(json.dumps([RECORD]))
    params = {
        "file": "imports/a.json", "model": "a@1", "format": "auto", "export": None, "class": None, "class_field": None,
        "crs": None, "voc_base": 1, "threshold": 0.5, "replace": False, "options": {},
    }  # fmt: skip
    lab.store.add_job("predictions", "town", params)
    job = lab.store.claim_job()
    assert job is not None
    lab.store.cancel_job(job.id)
    assert run_job(lab.store, job, workflows.JOB_HANDLERS).value in {"cancelled", "failed"}
    assert lab.suggestions() == []


def test_http_imports_labels_in_the_pixels_of_an_export(lab: Lab, client: TestClient) -> None:
    """COCO by the number of the export, YOLO as a zip with its manifest: labels, and no suggestions."""
    at = "/api/projects/town"
    made = finished(client, client.post(f"{at}/exports", json={"formats": ["coco"], "chips": {"size": 100}}))
    record = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [30, 20, 10, 15], "area": 150, "iscrowd": 0}
    body = {"images": [{"id": 1, "file_name": "scene_0_0.tif", "width": 100, "height": 100}], "annotations": [record]}
    body["categories"] = [{"id": 1, "name": "house"}]
    address = f"{at}/imports?format=coco&export={made['id']}&source=by%20hand"
    job = finished(client, client.post(address, json=body))
    assert (job["state"], job["kind"]) == ("done", "import"), job["message"]
    assert (job["result"]["imported"], job["result"]["file"]) == (1, "by hand")
    _, label = lab.store.query("town")
    assert label.geometry.equals(box(400_060, 4_999_930, 400_080, 4_999_960))
    assert (label.status.value, label.provenance.source) == ("labelled", "import:by hand")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name in ("manifest.json", "chips.parquet"):
            archive.write(lab.out / name, name)
        archive.writestr("labels/scene_80_0.txt", "0 0.5 0.5 0.2 0.1\n")
    headers = {"Content-Type": "application/zip"}
    job = finished(client, client.post(f"{at}/imports?format=yolo", content=packed.getvalue(), headers=headers))
    assert job["state"] == "done", job
    assert lab.store.query("town")[2].geometry.equals(box(400_240, 4_999_890, 400_280, 4_999_910))
    body["annotations"] = [{**record, "bbox": [90, 20, 40, 15]}]
    job = finished(client, client.post(address, json=body))
    assert job["state"] == "failed"
    assert "by hand was refused" in job["message"]
    assert "at body.json/annotations/0" in job["message"]
    assert not list((lab.store.folder / "imports").iterdir()), "the bodies are gone"


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("format=doc", "cannot be read as 'doc'"),
        ("format=gpkg", "uploaded, looked at and imported at /uploads"),
        ("format=coco&crs=EPSG:4326", "leave crs out"),
        ("format=coco&export=99", "99"),
        ("export=1", "GeoJSON says itself where it lies"),
        ("format=coco&outside=keep", "outside"),
    ],
)
def test_http_refuses_an_import_at_once(client: TestClient, query: str, words: str) -> None:
    response = client.post(f"/api/projects/town/imports?{query}", json={"annotations": []})
    assert response.status_code == 400
    assert words in response.text


def test_a_zip_says_its_format(client: TestClient) -> None:
    headers = {"Content-Type": "application/zip"}
    response = client.post("/api/projects/town/imports", content=b"PK", headers=headers)
    assert response.status_code == 400
    assert "a zip holds a format in the pixels of chips" in response.text
