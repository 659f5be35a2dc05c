"""Long work: a queue in the database, one child process at a time, progress, cancel, orphans.

The server only adds rows. `JobRunner` claims the oldest and starts a child for it, so that an export never takes
memory, file handles or the interpreter away from tiles and edits. The child writes a heartbeat with its progress; when
the row says `cancelled`, the next progress call raises `Cancelled` and the work cleans up after itself.
"""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import threading
import time
from typing import TYPE_CHECKING, Any, Self

from geolabel.errors import Cancelled, GeolabelError, StoreFailed
from geolabel.model import JobState

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from geolabel.model import Job
    from geolabel.store.store import Store

    Progress = Callable[[float, str], None]
    Handler = Callable[[Store, Job, Progress], Mapping[str, Any]]

log = logging.getLogger(__name__)

BODIES = {".geojson", ".json", ".zip"}
"""How files end that were sent for a job to read."""

WITH_BODY = {"import", "predictions"}
"""Kinds of jobs that read one."""

HEARTBEAT_S = 2.0
ORPHAN_AFTER_S = 60.0
_POLL_S = 2.0
_GRACE_S = 10.0
_RECEIVING_S = 3600.0


def export_folder(store: Store, job_id: int) -> Path:
    """Where the dataset of an export job is."""
    return store.folder / "exports" / str(job_id)


def import_file_of(store: Store, job: Job) -> Path:
    """Where the body of an import job is; the folder of the workspace may have another name by now."""
    given = store.folder / str(job.params["file"])
    return given if given.exists() else store.folder / "imports" / given.name


def remove_unneeded(store: Store) -> None:
    """Remove what nobody will need: of jobs that were cancelled before they began, or whose worker was killed at their end.

    These are bodies of imports, and what is there of an export that would have gone on.
    """
    begun = {path: int(path.name.split(".")[1]) for path in (store.folder / "exports").glob(".[0-9]*.partial")}
    if begun:
        alive = {job.id for job in store.jobs() if job.state in {JobState.QUEUED, JobState.RUNNING}}
        for path, job_id in begun.items():
            if job_id not in alive:
                shutil.rmtree(path, ignore_errors=True)
    bodies = {body for body in (store.folder / "imports").glob("*") if body.suffix in BODIES}
    if not bodies:
        return
    imports = [job for job in store.jobs() if job.kind in WITH_BODY]
    ended = {import_file_of(store, job) for job in imports if job.state not in {JobState.QUEUED, JobState.RUNNING}}
    waiting = {import_file_of(store, job) for job in imports} - ended
    for body in bodies - waiting:
        if (
            body in ended or time.time() - body.stat().st_mtime > _RECEIVING_S
        ):  # one without a job is perhaps on its way in
            body.unlink(missing_ok=True)


class _Pulse:
    """Tells the row how far the work is, from a thread of its own, and hears whether it was cancelled."""

    def __init__(self, store: Store, job_id: int) -> None:
        self._store, self._job_id = store, job_id
        self._latest = (0.0, "Starting")
        self._told = 0.0
        self._cancelled = threading.Event()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._loop, name=f"heartbeat of job {job_id}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stopped.set()
        self._thread.join()

    def progress(self, share: float, message: str) -> None:
        """What a handler calls; raises `Cancelled` when the user stopped the job."""
        self._latest = (share, message)
        if time.monotonic() - self._told > HEARTBEAT_S / 4:  # chips come faster than anybody reads
            self._beat()
        if self._cancelled.is_set():
            raise Cancelled(f"Job {self._job_id} was cancelled.")

    def _beat(self) -> None:
        self._told = time.monotonic()
        if not self._store.heartbeat(self._job_id, *self._latest):
            self._cancelled.set()

    def _loop(self) -> None:
        while not self._stopped.wait(HEARTBEAT_S):
            try:
                self._beat()
            except StoreFailed as error:  # the database is busy: one beat is missed, the next one tells
                log.warning("No heartbeat of job %s: %s", self._job_id, error)


def run_job(store: Store, job: Job, handlers: Mapping[str, Handler]) -> JobState:
    """Do a claimed job in this process and record how it ended.

    Args:
        store: where the job's row is.
        job: claimed by this process, state `running`.
        handlers: what to do for each kind of job.
    """
    outcome: Mapping[str, Any] | None = None
    with _Pulse(store, job.id) as pulse:
        try:
            outcome = handlers[job.kind](store, job, pulse.progress)
            state, message = JobState.DONE, "Done"
        except Cancelled:
            return JobState.CANCELLED  # the row says so already, or gives the job to another worker
        except StoreFailed as error:
            state, message = JobState.FAILED, error.public
        except GeolabelError as error:
            state, message = JobState.FAILED, str(error)
        except OSError as error:  # a full disk; its path is not for everybody who may see the job
            log.warning("Job %s: %s", job.id, error)
            state, message = JobState.FAILED, f"The work was stopped: {error.strerror or type(error).__name__}."
    store.finish_job(job.id, state, message, outcome)
    return state


class JobRunner:
    """Starts a child process for each job, one at a time.

    Args:
        store: where the jobs are; used from the runner's own thread.
        command: gives the command line of the child for a job id.
        environment: what the child finds in its environment, beside all of ours.
        ended: told of each job that a child has done, from the runner's own thread; raises nothing.
    """

    def __init__(
        self,
        store: Store,
        command: Callable[[int], Sequence[str]],
        environment: Mapping[str, str] | None = None,
        ended: Callable[[Job], None] = lambda _: None,
    ) -> None:
        self._store = store
        self._command = command
        self._environment = os.environ | dict(environment or {})
        self._ended = ended
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="job runner", daemon=True)

    def start(self) -> None:
        """Take up jobs, also those that a dead worker left behind."""
        self._thread.start()

    def wake(self) -> None:
        """Look for work now."""
        self._wake.set()

    def stop(self) -> None:
        """Stop taking jobs; the child at work is ended and its job goes back to the queue at the next start."""
        self._stopping.set()
        self._wake.set()
        self._thread.join(timeout=_GRACE_S * 2)

    def _loop(self) -> None:
        while not self._stopping.is_set():
            self._wake.clear()
            try:
                remove_unneeded(self._store)
                if self._store.requeue_orphans(ORPHAN_AFTER_S):
                    log.warning("Jobs whose worker fell silent are queued again.")
                job = self._store.claim_job()
                if job is not None:
                    self._run(job)
                    self._ended(job)
                    continue
            except StoreFailed as error:  # locked by another program, or full: there may be room later
                log.warning("No job can be taken up: %s", error)
            self._wake.wait(_POLL_S)

    def _run(self, job: Job) -> None:
        child = subprocess.Popen(  # noqa: S603 - our own command line, with an integer in it
            list(self._command(job.id)),
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env=self._environment,
        )
        told_at: float | None = None
        while True:
            try:
                _, errors = child.communicate(timeout=0.5)
                break
            except subprocess.TimeoutExpired:
                if self._stopping.is_set():
                    child.terminate()
                elif self._was_cancelled(job.id):
                    told_at = told_at or time.monotonic()
                    if time.monotonic() - told_at > _GRACE_S:
                        child.kill()
        if self._stopping.is_set():
            self._store.requeue_job(job.id)
        elif self._store.job(job.id).state is JobState.RUNNING:
            last = (errors.strip().splitlines() or ["it said nothing"])[-1]
            last = last.replace(str(self._store.folder), "...")  # everybody who may see the job reads this
            self._store.finish_job(
                job.id, JobState.FAILED, f"The worker process ended with code {child.returncode}: {last}"
            )

    def _was_cancelled(self, job_id: int) -> bool:
        try:
            return self._store.job(job_id).state is JobState.CANCELLED
        except StoreFailed:
            return False
