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
    response = client.post("/api/projects/town/imports", content=b"x", headers={"Content-Type": "application/zip"})
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
