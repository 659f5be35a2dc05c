"""Imports that are jobs: done once, whoever is killed when, and nothing of them stays behind."""

from __future__ import annotations

import json
import os
import random
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from geolabel import workflows
from geolabel.errors import Cancelled
from geolabel.jobs import remove_unneeded, run_job
from geolabel.model import JobState
from geolabel.store import open_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from geolabel.model import Job
    from geolabel.store import Store

LABELS = 150


@pytest.fixture
def store(location: str) -> Iterator[Store]:
    with open_store(location) as store:
        yield store


@pytest.fixture
def add(store: Store, square: Callable[[int], Any]) -> Callable[[], Job]:
    """Queues an import as the server does."""

    def make() -> Job:
        features = [{"type": "Feature", "geometry": square(n), "properties": {}} for n in range(LABELS)]
        folder = store.folder / "imports"
        folder.mkdir(parents=True, exist_ok=True)
        number = len(store.jobs())
        (folder / f"{number}.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": features}))
        params = {"file": f"imports/{number}.geojson", "crs": None, "class_field": None, "class": "water"}
        return store.add_job("import", "land", {**params, "on_invalid": None})

    return make


def bodies(store: Store) -> list[Path]:
    return sorted((store.folder / "imports").iterdir())


def test_the_job_is_done_in_the_moment_in_which_the_labels_are_there(store: Store, add: Callable[[], Job]) -> None:
    """So a worker that is killed right after it leaves nothing that would be done again."""
    add()
    job = store.claim_job()
    assert job is not None
    workflows.JOB_HANDLERS["import"](store, job, lambda _share, _message: None)
    ended = store.job(job.id)
    assert (ended.state, ended.message, ended.progress) == (JobState.DONE, "Done", 1.0)
    assert ended.result is not None
    assert ended.result["imported"] == LABELS
    assert store.requeue_orphans(0.0) == 0
    assert not store.requeue_job(job.id)
    assert store.count("land") == LABELS


def test_one_that_was_cancelled_at_the_last_moment_imports_nothing(store: Store, add: Callable[[], Job]) -> None:
    add()
    job = store.claim_job()
    assert job is not None

    def cancel(_share: float, message: str) -> None:
        if message == "Publishing":
            store.cancel_job(job.id)

    with pytest.raises(Cancelled, match=r"had ended \(cancelled\) before its work was kept; nothing of it was"):
        workflows.JOB_HANDLERS["import"](store, job, cancel)
    assert store.count("land") == 0
    assert store.job(job.id).state is JobState.CANCELLED
    assert bodies(store) == []


def test_two_workers_at_one_import_import_it_once(store: Store, add: Callable[[], Job]) -> None:
    """One was taken for dead and was only slow."""
    add()
    job = store.claim_job()
    assert job is not None

    def slow(_share: float, message: str) -> None:
        if message == "Publishing" and store.job(job.id).state is JobState.RUNNING:
            store.requeue_job(job.id)
            again = store.claim_job()
            assert again is not None
            body = store.folder / again.params["file"]
            text = body.read_text()
            assert run_job(store, again, workflows.JOB_HANDLERS) is JobState.DONE
            body.write_text(text)

    with pytest.raises(Cancelled):
        workflows.JOB_HANDLERS["import"](store, job, slow)
    assert store.count("land") == LABELS
    assert store.job(job.id).state is JobState.DONE


@pytest.mark.parametrize("kills", [pytest.param(3, id="sample"), pytest.param(60, id="full", marks=pytest.mark.soak)])
def test_a_killed_worker_imports_once(
    store: Store, add: Callable[[], Job], nursery: Any, location: str, kills: int
) -> None:
    chance, usual = random.Random(43), 0.5
    for number in range(kills):
        job = add()
        claimed = store.claim_job()
        assert claimed is not None
        assert claimed.id == job.id
        begun = time.monotonic()
        child = nursery.start("worker", job.id, "-w", location)
        if number:
            time.sleep(chance.uniform(0, usual * 1.1))
            with suppress(ProcessLookupError):
                child.kill()
        child.wait()
        if not number:
            usual = time.monotonic() - begun
        if store.job(job.id).state is not JobState.DONE:
            assert store.requeue_orphans(-1.0) == 1, (store.job(job.id), child.output)
            again = store.claim_job()
            assert again is not None
            child = nursery.start("worker", again.id, "-w", location)
            assert child.wait() == 0, child.output
        assert store.job(job.id).state is JobState.DONE, store.job(job.id).message
        assert store.count("land") == LABELS * (number + 1)
    remove_unneeded(store)
    assert bodies(store) == []


def test_bodies_that_nobody_will_read_are_removed(store: Store, add: Callable[[], Job]) -> None:
    cancelled, waiting = add(), add()
    store.cancel_job(cancelled.id)
    arriving, left = store.folder / "imports/arriving.geojson", store.folder / "imports/left.geojson"
    arriving.write_text("{")
    left.write_text("{")
    long_ago = time.time() - 7200
    os.utime(left, (long_ago, long_ago))
    os.utime(store.folder / waiting.params["file"], (long_ago, long_ago))
    remove_unneeded(store)
    assert bodies(store) == sorted([arriving, store.folder / waiting.params["file"]])
