"""The runner with real child processes."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING

import pytest

from geolabel import workflows
from geolabel.errors import StoreFailed
from geolabel.formats.files import LocalFiles
from geolabel.formats.parts import read_record
from geolabel.jobs import JobRunner, export_folder, remove_unneeded, run_job
from geolabel.model import Job, JobState
from geolabel.store.store import Store, open_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def store(tmp_path: Path, data: Path) -> Iterator[Store]:
    with open_store(tmp_path / "ws", create=True) as opened:
        scene = workflows.add_scene(opened, data / "pairs/elkton_l8_uint16_landcover/l8_elkton_uint16.tif")
        workflows.create_project(opened, "Elkton", scenes=[scene.id], classes=["land"])
        labels = workflows.read_labels(data / "pairs/elkton_l8_uint16_landcover/labels.geojson")
        workflows.import_labels(opened, "elkton", labels, class_name="land")
        yield opened


def _wait(store: Store, job: int, *states: JobState, seconds: float = 60) -> Job:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = store.job(job)
        if found.state in states:
            return found
        time.sleep(0.05)
    pytest.fail(f"job {job} is {store.job(job)} after {seconds} s")


def _geolabel(store: Store) -> Callable[[int], list[str]]:
    return lambda job: [sys.executable, "-m", "geolabel", "worker", str(job), "-w", str(store.folder)]


def test_an_export_is_done_by_a_child_process(store: Store) -> None:
    runner = JobRunner(store, _geolabel(store))
    runner.start()
    try:
        job = store.add_job("export", "elkton", {"formats": ["coco"], "chips": {"size": 64}})
        runner.wake()
        done = _wait(store, job.id, JobState.DONE, JobState.FAILED)
        assert done.state is JobState.DONE, done.message
        assert done.progress == 1.0
        assert (export_folder(store, job.id) / "coco/train.json").is_file()
        failing = store.add_job("export", "elkton", {"formats": ["coco"], "chips": {"bands": [99]}})
        runner.wake()
        failed = _wait(store, failing.id, JobState.DONE, JobState.FAILED)
        assert failed.state is JobState.FAILED
        assert "99" in failed.message
        assert not export_folder(store, failing.id).exists()
    finally:
        runner.stop()


def test_a_worker_that_dies_is_reported_with_its_last_words(store: Store) -> None:
    runner = JobRunner(store, lambda _job: [sys.executable, "-c", "raise SystemExit('out of memory')"])
    runner.start()
    try:
        job = store.add_job("export", "elkton", {"formats": ["coco"]})
        runner.wake()
        assert "ended with code 1: out of memory" in _wait(store, job.id, JobState.FAILED).message
    finally:
        runner.stop()


def test_cancel_reaches_the_work(store: Store) -> None:
    store.add_job("export", "elkton", {})
    job = store.claim_job()
    assert job is not None
    calls = []

    def slow(_store: Store, _job: Job, progress: Callable[[float, str], None]) -> dict[str, str]:
        for step in range(1000):
            if step == 2:
                store.cancel_job(job.id)
            calls.append(step)
            progress(step / 1000, "working")
            time.sleep(0.3)
        return {}

    assert run_job(store, job, {"export": slow}) is JobState.CANCELLED
    assert len(calls) < 20
    assert store.job(job.id).state is JobState.CANCELLED


def test_a_job_whose_server_died_is_taken_up_again(store: Store) -> None:
    job = store.add_job("export", "elkton", {"formats": ["geojson"], "chips": {}})
    assert store.claim_job() is not None
    assert store.requeue_orphans(0.0) == 1
    runner = JobRunner(store, _geolabel(store))
    runner.start()
    try:
        assert _wait(store, job.id, JobState.DONE, JobState.FAILED).state is JobState.DONE
    finally:
        runner.stop()


def test_stopping_the_server_puts_the_job_back(store: Store) -> None:
    runner = JobRunner(store, lambda _job: [sys.executable, "-c", "import time; time.sleep(60)"])
    runner.start()
    job = store.add_job("export", "elkton", {})
    runner.wake()
    _wait(store, job.id, JobState.RUNNING)
    started = time.monotonic()
    runner.stop()
    assert time.monotonic() - started < 45  # the job itself would sleep for 60
    assert store.job(job.id).state is JobState.QUEUED


def _sleeper(_job: int) -> list[str]:
    return [sys.executable, "-c", "import time; time.sleep(60)"]


def test_stopping_one_server_leaves_the_jobs_of_another_alone(store: Store) -> None:
    theirs = store.add_job("export", "elkton", {})
    assert store.claim_job() is not None
    mine = store.add_job("export", "elkton", {})
    runner = JobRunner(store, _sleeper)
    runner.start()
    _wait(store, mine.id, JobState.RUNNING)
    runner.stop()
    assert store.job(mine.id).state is JobState.QUEUED
    assert store.job(theirs.id).state is JobState.RUNNING


def test_a_job_is_taken_up_when_its_worker_falls_silent_later(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("geolabel.jobs.ORPHAN_AFTER_S", 1.0)
    monkeypatch.setattr("geolabel.jobs._POLL_S", 0.1)
    job = store.add_job("export", "elkton", {"formats": ["geojson"], "chips": {}})
    assert store.claim_job() is not None  # by a server that is killed now
    runner = JobRunner(store, _geolabel(store))
    runner.start()
    try:
        assert _wait(store, job.id, JobState.DONE, JobState.FAILED).state is JobState.DONE
    finally:
        runner.stop()


def test_the_runner_outlives_a_database_that_is_locked(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("geolabel.jobs._POLL_S", 0.1)
    failures = iter([StoreFailed("locked"), StoreFailed("locked")])
    claim = store.claim_job

    def sometimes() -> Job | None:
        for failure in failures:
            raise failure
        return claim()

    monkeypatch.setattr(store, "claim_job", sometimes)
    runner = JobRunner(store, _geolabel(store))
    runner.start()
    try:
        job = store.add_job("export", "elkton", {"formats": ["geojson"], "chips": {}})
        assert _wait(store, job.id, JobState.DONE, JobState.FAILED).state is JobState.DONE
    finally:
        runner.stop()


def test_a_worker_that_lost_its_job_does_not_cancel_it_for_the_next(store: Store) -> None:
    job = store.add_job("export", "elkton", {})
    claimed = store.claim_job()
    assert claimed is not None

    def slow(_store: Store, _job: Job, progress: Callable[[float, str], None]) -> dict[str, str]:
        store.requeue_job(job.id)
        for _ in range(20):
            time.sleep(0.3)
            progress(0.5, "working")
        return {}

    assert run_job(store, claimed, {"export": slow}) is JobState.CANCELLED
    assert store.job(job.id).state is JobState.QUEUED


def test_an_export_that_was_stopped_goes_on_where_it_was(store: Store) -> None:
    runner = JobRunner(store, _geolabel(store))
    runner.start()
    params = {"formats": ["coco"], "chips": {"size": 16}, "engine": "serial"}
    job = store.add_job("export", "elkton", params)
    runner.wake()
    exports = export_folder(store, job.id).parent
    end = time.monotonic() + 60
    while len(list(exports.glob(".*.partial/.build/*.part"))) < 2 and time.monotonic() < end:
        time.sleep(0.02)
    runner.stop()
    assert store.job(job.id).state is JobState.QUEUED
    assert [path.name for path in exports.iterdir()] == [f".{job.id}.partial"]
    partial = exports / f".{job.id}.partial"
    first = read_record(LocalFiles(partial), 0)
    assert first is not None
    built = {path: (partial / path).stat().st_mtime_ns for path in first.written}
    assert len(built) == 32

    claimed = store.claim_job()
    assert claimed is not None
    assert workflows.JOB_HANDLERS["export"](store, claimed, lambda _share, _message: None)
    assert [path.name for path in exports.iterdir()] == [str(job.id)]
    assert not list((exports / str(job.id)).glob(".*"))
    assert {path: (exports / str(job.id) / path).stat().st_mtime_ns for path in built} == built
    assert json.loads((exports / str(job.id) / "report.json").read_text())["formats"] == ["coco"]


def test_what_a_cancelled_export_had_built_is_removed(store: Store) -> None:
    job = store.add_job("export", "elkton", {"formats": ["coco"]})
    left = export_folder(store, job.id).with_name(f".{job.id}.partial")
    left.mkdir(parents=True)
    remove_unneeded(store)
    assert left.exists()  # it may go on yet
    store.cancel_job(job.id)
    remove_unneeded(store)
    assert not left.exists()


def test_the_file_of_an_import_stays_until_the_import_has_ended(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "body.geojson"
    file.write_text('{"type": "FeatureCollection", "features": []}')
    params = {"file": str(file), "crs": None, "class_field": None, "class": "land", "on_invalid": None}
    store.add_job("import", "elkton", params)
    job = store.claim_job()
    assert job is not None

    def stopped(_share: float, _message: str) -> None:
        raise SystemExit

    file.write_text('{"type":"Feature","properties":{},"geometry":{"type":"Point","coordinates":[-81.9, 26.2]}}')
    with pytest.raises(SystemExit):
        workflows.JOB_HANDLERS["import"](store, job, stopped)
    assert file.exists()
    file.write_text("no JSON")
    assert run_job(store, job, workflows.JOB_HANDLERS) is JobState.FAILED
    assert not file.exists()
