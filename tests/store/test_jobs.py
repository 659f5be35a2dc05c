from __future__ import annotations

import threading

import pytest

from geolabel.errors import InvalidInput, NotFound
from geolabel.model import JobState


def test_a_job_from_queue_to_end(store):
    params = {"formats": ["coco"], "chips": {"size": 512, "min_overlap": 0.1}, "título": None}
    job = store.add_job("export", "landuse", params)
    assert (job.id, job.kind, job.project, job.params, job.state) == (1, "export", "landuse", params, JobState.QUEUED)
    assert (job.progress, job.message, job.result) == (0.0, "", None)
    running = store.claim_job()
    assert (running.id, running.state) == (1, JobState.RUNNING)
    assert store.heartbeat(1, 0.5, "Chip 5 of 10")
    assert (store.job(1).progress, store.job(1).message) == (0.5, "Chip 5 of 10")
    done = store.finish_job(1, JobState.DONE, "10 chips.", {"chips": 10})
    assert (done.state, done.progress, done.message, done.result) == (JobState.DONE, 1.0, "10 chips.", {"chips": 10})
    assert done.created_at == job.created_at < done.updated_at
    assert store.jobs() == store.jobs("landuse") == [done]
    assert store.jobs("other") == []
    assert not store.heartbeat(1, 0.1, "late")
    assert store.finish_job(1, JobState.FAILED, "late") == done


def test_the_oldest_is_claimed_first(store):
    for _ in range(3):
        store.add_job("export", "landuse", {})
    store.cancel_job(2)
    assert [store.claim_job().id, store.claim_job().id] == [1, 3]
    changes_nothing = store.claim_job()
    assert changes_nothing is None


def test_cancel(store):
    store.add_job("export", "landuse", {})
    store.claim_job()
    assert store.cancel_job(1).state is JobState.CANCELLED
    assert store.heartbeat(1, 0.9, "still going") is False
    assert store.finish_job(1, JobState.DONE, "10 chips.", {}).state is JobState.CANCELLED
    assert store.cancel_job(1).message == "Cancelled."
    store.add_job("export", "landuse", {})
    store.claim_job()
    store.finish_job(2, JobState.FAILED, "No room.")
    assert store.cancel_job(2).state is JobState.FAILED


def test_orphans_are_queued_again(store):
    for _ in range(3):
        store.add_job("export", "landuse", {})
    store.claim_job()
    store.heartbeat(1, 0.5, "half")
    assert store.requeue_orphans(60) == 0
    for _ in range(60):
        store._now()
    store.claim_job()
    assert store.requeue_orphans(60) == 1
    assert [j.state for j in store.jobs()] == [JobState.QUEUED, JobState.RUNNING, JobState.QUEUED]
    assert store.job(1).progress == 0.0
    assert store.claim_job().id == 1


@pytest.mark.parametrize("id_", [0, 2, -1, 10**30])
def test_no_such_job(store, id_):
    store.add_job("export", "landuse", {})
    for ask in (
        lambda: store.job(id_),
        lambda: store.cancel_job(id_),
        lambda: store.heartbeat(id_, 0, ""),
        lambda: store.finish_job(id_, JobState.DONE, ""),
    ):
        with pytest.raises(NotFound, match=f"There is no job {id_} in this workspace"):
            ask()


def test_a_job_needs_a_project_and_an_end(store):
    with pytest.raises(NotFound, match="no project 'nowhere'"):
        store.add_job("export", "nowhere", {})
    store.add_job("export", "landuse", {})
    with pytest.raises(InvalidInput, match="A job ends as done, failed, cancelled, not as queued"):
        store.finish_job(1, JobState.QUEUED, "")


def test_no_job_is_claimed_twice(store):
    for _ in range(40):
        store.add_job("export", "landuse", {})
    claimed = []

    def work() -> None:
        while job := store.claim_job():
            claimed.append(job.id)

    workers = [threading.Thread(target=work) for _ in range(6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sorted(claimed) == list(range(1, 41))
