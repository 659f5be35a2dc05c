# ruff: noqa: A002 (a job has an `id`; its name is the same here)
"""What a Store can be asked of its jobs: the queue of long work."""

from __future__ import annotations

import os
import socket
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from geolabel.model import JobState
from geolabel.store import jobs

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager

    from sqlalchemy import Connection

    from geolabel.model import Job
    from geolabel.store.idempotency import Once


class Queue(ABC):
    """The part of Store that keeps jobs; see `geolabel.store.store.Store`."""

    @abstractmethod
    def _read(self) -> AbstractContextManager[Connection]: ...

    @abstractmethod
    def _write(self) -> AbstractContextManager[tuple[Connection, str]]: ...

    @abstractmethod
    def _time(self, offset_s: float = 0.0) -> str: ...

    def add_job(self, kind: str, project: str, params: Mapping[str, Any], *, once: Once | None = None) -> Job:
        """Put a job at the end of the queue.

        Args:
            kind: what it does.
            project: its id.
            params: what is asked for, as JSON.
            once: when the same was asked for before, the job as it was then is given again.

        Raises:
            NotFound: no such project.
            InvalidInput: a key of another request.
        """
        with self._write() as (connection, at):
            return jobs.add(connection, kind, project, params, at=at, once=once)

    def job(self, id: int) -> Job:
        """The job of that id; NotFound."""
        with self._read() as connection:
            return jobs.find(connection, id)

    def jobs(self, project: str | None = None) -> list[Job]:
        """All jobs, of one project when it is given, oldest first."""
        with self._read() as connection:
            return jobs.find_all(connection, project)

    def claim_job(self) -> Job | None:
        """Take the oldest queued job, which is running from now on; None when none waits. No two callers get the same."""
        with self._read() as connection:
            if not jobs.any_in(connection, JobState.QUEUED):
                return None
        with self._write() as (connection, at):
            return jobs.claim(connection, at=at, worker=f"{socket.gethostname()}:{os.getpid()}")

    def heartbeat(self, id: int, progress: float, message: str) -> bool:
        """Say that a job is alive and how far (0..1) it is; False when it shall stop: it was cancelled."""
        with self._write() as (connection, at):
            return jobs.heartbeat(connection, id, progress, message, at=at)

    def finish_job(self, id: int, state: JobState, message: str, result: Mapping[str, Any] | None = None) -> Job:
        """End a job as done, failed or cancelled; one that has ended already (was cancelled) stays as it is."""
        with self._write() as (connection, at):
            return jobs.finish(connection, id, state, message, result, at=at)

    def cancel_job(self, id: int) -> Job:
        """Stop a job that has not ended: it never starts, or its next heartbeat tells it."""
        with self._write() as (connection, at):
            return jobs.cancel(connection, id, at=at)

    def requeue_orphans(self, older_than_s: float) -> int:
        """Queue running jobs again that gave no heartbeat for so many seconds: their worker is gone; how many."""
        with self._read() as connection:
            if not jobs.any_in(connection, JobState.RUNNING):
                return 0
        with self._write() as (connection, at):
            return jobs.requeue_orphans(connection, before=self._time(-older_than_s), at=at)

    def requeue_job(self, id: int) -> bool:
        """Queue a running job again whose worker was stopped; False when it had ended."""
        with self._write() as (connection, at):
            return jobs.requeue(connection, id, at=at)
