"""Jobs in the database: a queue that any process can put into and one worker takes from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from geolabel.errors import Cancelled, InvalidInput, NotFound
from geolabel.model import Job, JobState
from geolabel.store import idempotency, layers
from geolabel.store.tables import MAX_KEY, jobs
from geolabel.store.text import check_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import ColumnElement, Connection, RowMapping

    from geolabel.store.idempotency import Once

_ENDED = (JobState.DONE, JobState.FAILED, JobState.CANCELLED)
_OPEN = tuple(state.value for state in JobState if state not in _ENDED)


def add(
    connection: Connection, kind: str, project: str, params: Mapping[str, Any], *, at: str, once: Once | None = None
) -> Job:
    """Put a job at the end of the queue. See Store.add_job."""
    layer = layers.find(connection, project)
    if once is not None and (given := idempotency.find(connection, layer, once)) is not None:
        return Job(**{**given, "state": JobState(given["state"])})
    check_text("kind", kind)
    values = {
        "kind": kind,
        "project": project,
        "params": dict(params),
        "state": JobState.QUEUED.value,
        "progress": 0.0,
        "message": "",
        "created_at": at,
        "updated_at": at,
    }
    row = connection.execute(sa.insert(jobs).values(values).returning(*jobs.c)).mappings().one()
    if once is not None:
        idempotency.keep(connection, layer, once, dict(row), at=at)
    return _job(row)


def find(connection: Connection, job_id: int) -> Job:
    """The job of that id.

    Raises:
        NotFound: no such job.
    """
    row = None
    if 0 < job_id <= MAX_KEY:
        row = connection.execute(sa.select(jobs).where(jobs.c.id == job_id)).mappings().first()
    if row is None:
        raise NotFound(f"There is no job {job_id} in this workspace.")
    return _job(row)


def find_all(connection: Connection, project: str | None = None) -> list[Job]:
    """All jobs, of one project when it is given, oldest first."""
    wanted = sa.select(jobs).order_by(jobs.c.id)
    if project is not None:
        wanted = wanted.where(jobs.c.project == project)
    return [_job(row) for row in connection.execute(wanted).mappings()]


def any_in(connection: Connection, state: JobState) -> bool:
    """Whether a job is in that state; asked before a claim, so that an idle worker writes nothing."""
    return connection.execute(sa.select(jobs.c.id).where(jobs.c.state == state.value).limit(1)).first() is not None


def claim(connection: Connection, *, at: str, worker: str | None = None) -> Job | None:
    """Take the oldest queued job and call it running, by `worker` (`host:pid`); None when none waits."""
    oldest = sa.select(sa.func.min(jobs.c.id)).where(jobs.c.state == JobState.QUEUED.value).scalar_subquery()
    taken = (
        sa.update(jobs).where(jobs.c.id == oldest).values(state=JobState.RUNNING.value, updated_at=at, worker=worker)
    )
    row = connection.execute(taken.returning(*jobs.c)).mappings().first()
    return None if row is None else _job(row)


def heartbeat(connection: Connection, job_id: int, progress: float, message: str, *, at: str) -> bool:
    """Say that a job is alive and how far it is; False when it is not running any more: cancelled, or taken away.

    Raises:
        NotFound: no such job.
    """
    find(connection, job_id)
    check_text("message", message)
    alive = (
        sa.update(jobs)
        .where(jobs.c.id == job_id, jobs.c.state == JobState.RUNNING.value)
        .values(progress=min(max(progress, 0.0), 1.0), message=message, updated_at=at)
    )
    return connection.execute(alive).rowcount == 1


def finish(
    connection: Connection,
    job_id: int,
    state: JobState,
    message: str,
    result: Mapping[str, Any] | None,
    *,
    at: str,
) -> Job:
    """End a job; one that has ended (was cancelled) stays as it is.

    Raises:
        NotFound: no such job.
        InvalidInput: `state` is none that a job ends in.
    """
    if state not in _ENDED:
        raise InvalidInput(f"A job ends as {', '.join(_ENDED)}, not as {state}.")
    find(connection, job_id)
    check_text("message", message)
    values: dict[str, Any] = {"state": state.value, "message": message, "updated_at": at}
    if result is not None:
        values["result"] = dict(result)
    if state is JobState.DONE:
        values["progress"] = 1.0
    connection.execute(sa.update(jobs).where(jobs.c.id == job_id, jobs.c.state.in_(_OPEN)).values(values))
    return find(connection, job_id)


def complete(connection: Connection, job_id: int, result: Mapping[str, Any], *, at: str) -> None:
    """End a job as done, in the transaction that writes what it was to write.

    Raises:
        Cancelled: it has ended already: somebody cancelled it, or another worker has done it.
    """
    before = find(connection, job_id)
    if before.state in _ENDED:
        raise Cancelled(f"Job {job_id} had ended ({before.state}) before its work was kept; nothing of it was.")
    finish(connection, job_id, JobState.DONE, "Done", result, at=at)


def cancel(connection: Connection, job_id: int, *, at: str) -> Job:
    """Cancel a job that has not ended.

    Raises:
        NotFound: no such job.
    """
    return finish(connection, job_id, JobState.CANCELLED, "Cancelled.", None, at=at)


def requeue_orphans(connection: Connection, *, before: str, at: str) -> int:
    """Put running jobs that gave no sign of life since `before` back into the queue; how many."""
    return _requeue(connection, jobs.c.updated_at < before, at=at)


def requeue(connection: Connection, job_id: int, *, at: str) -> bool:
    """Put a running job back into the queue; False when it has ended."""
    return _requeue(connection, jobs.c.id == job_id, at=at) == 1


def _requeue(connection: Connection, which: ColumnElement[bool], *, at: str) -> int:
    running = sa.update(jobs).where(jobs.c.state == JobState.RUNNING.value, which)
    return connection.execute(
        running.values(state=JobState.QUEUED.value, progress=0.0, message="", updated_at=at, worker=None)
    ).rowcount


def _job(row: RowMapping) -> Job:
    return Job(**{**row, "state": JobState(row["state"])})
