# ruff: noqa: A002 (a scene, an annotation and a job have an `id`; its name is the same here)
"""Open a workspace's database, and what can be asked of it.

Store only opens transactions; each noun's file beside this one says what happens inside.
"""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from geolabel.errors import InvalidInput, NotFound, StoreFailed
from geolabel.model import JobState
from geolabel.store import annotations as labels
from geolabel.store import geopackage, history, jobs, migrations, projects, scenes, search
from geolabel.store.failures import said_in_sentences
from geolabel.store.guard import guard_lifted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from types import TracebackType

    from sqlalchemy import Connection, Engine

    from geolabel.model import (
        Annotation,
        AnnotationPatch,
        Bounds,
        Change,
        Job,
        LabelBatch,
        NewAnnotation,
        Project,
        Scene,
        Status,
    )

FILE_NAME = "workspace.gpkg"


def _utc_now() -> datetime:
    return datetime.now(UTC)


def open_store(location: Path | str, *, create: bool = False, now: Callable[[], datetime] = _utc_now) -> Store:
    """Open the database of a workspace.

    Args:
        location: the folder that holds `workspace.gpkg`.
        create: make folder and file when they are not there.
        now: the clock.

    Raises:
        NotFound: there is no workspace, and `create` was not asked for.
        InvalidInput: a location that cannot hold a workspace.
        StoreFailed: the file is damaged, something else, not writable, locked, or made by a newer geolabel.
    """
    if str(location).startswith(("postgresql://", "postgres://", "postgresql+")):
        raise InvalidInput("PostGIS workspaces come with a later version of geolabel: give a folder.")
    folder = Path(location).expanduser().absolute()
    if folder.name == FILE_NAME and _is_there(folder):
        folder = folder.parent
    file = folder / FILE_NAME
    if not _is_there(file):
        if not create:
            raise NotFound(
                f"There is no workspace in {folder}: expected the file {FILE_NAME} there. `geolabel init` makes one."
            )
        _make_file(file)
    _check_access(file)
    engine = geopackage.make_engine(file)
    try:
        with said_in_sentences(str(file)):
            _bring_up_to_date(engine, file, create=create)
    except BaseException:
        engine.dispose()
        raise
    return Store(folder, engine, now)


def _is_there(file: Path) -> bool:
    try:
        return file.is_file()
    except OSError as error:
        raise StoreFailed(f"The workspace {file.parent} cannot be looked into: {error.strerror}.") from error


def _make_file(file: Path) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(exist_ok=True)
    except FileExistsError as error:
        raise InvalidInput(f"A workspace is a folder, but {file.parent} is a file: give another name.") from error
    except ValueError as error:
        raise InvalidInput(
            f"A workspace is a folder, but {str(file.parent)!r} cannot be the name of one: {error}."
        ) from error
    except OSError as error:
        raise StoreFailed(f"The workspace {file.parent} cannot be made: {error.strerror}.") from error


def _check_access(file: Path) -> None:
    """SQLite would open a read-only file and fail at the first write; say so at once."""
    effective = {"effective_ids": True} if os.access in os.supports_effective_ids else {}
    for place in (file, file.parent):
        if not os.access(place, os.R_OK | os.W_OK, **effective):
            raise StoreFailed(f"The workspace {file} cannot be written to: give yourself write permission on {place}.")


def _bring_up_to_date(engine: Engine, file: Path, *, create: bool) -> None:
    revision = None
    with engine.connect() as connection:
        if geopackage.is_blank(connection):
            if not create:
                raise NotFound(f"There is no workspace in {file}: the file is empty. `geolabel init` makes one.")
        elif not geopackage.is_geopackage(connection) or (revision := migrations.revision(connection)) is None:
            raise StoreFailed(f"The file {file} is not a geolabel workspace: expected one made by `geolabel init`.")
    geopackage.use_log(engine)
    if revision != migrations.HEAD:
        with engine.execution_options(write=True).begin() as connection:
            migrations.upgrade(connection, str(file))
        geopackage.settle(engine)


class Store:
    """The database of one workspace; a context manager, for any number of threads.

    One writes at a time, many read; several processes may have the same workspace open. A method that writes does all of
    it or nothing. All of them raise StoreFailed when the database is locked, full or damaged.

    Attributes:
        folder: of the workspace, for files beside the database (cache, exports).
    """

    def __init__(self, folder: Path, engine: Engine, now: Callable[[], datetime]) -> None:
        self.folder = folder
        self._name = str(folder / FILE_NAME)
        self._engine = engine
        self._writing_engine = engine.execution_options(write=True)
        self._now = now
        self._closed = False
        # SQLite lets waiting writers poll; a lock wakes the next thread of this process at once.
        self._writer = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections; the last one to close leaves a single file behind."""
        self._closed = True
        self._engine.dispose()

    # Scenes

    def add_scene(self, scene: Scene) -> Scene:
        """Register a scene; the same file under the same id again brings its entry up to date.

        Raises:
            AlreadyExists: the id belongs to another file.
        """
        with self._write() as (connection, _):
            return scenes.add(connection, scene)

    def scene(self, id: str) -> Scene:
        """The scene of that id; NotFound."""
        with self._read() as connection:
            return scenes.find(connection, id)

    def scenes(self) -> list[Scene]:
        """All scenes, in the order of their registration."""
        with self._read() as connection:
            return scenes.find_all(connection)

    def replace_scene(self, scene: Scene) -> Scene:
        """Put what is known of a scene in place of what was (another path, another version of the file); NotFound."""
        with self._write() as (connection, _):
            return scenes.replace(connection, scene)

    def remove_scene(self, id: str) -> None:
        """Forget a scene; its file stays.

        Raises:
            NotFound: no such scene.
            InvalidInput: projects use it; the message names them.
        """
        with self._write() as (connection, _):
            scenes.remove(connection, id)

    # Projects

    def create_project(self, project: Project) -> Project:
        """Make a project; its `created_at` is set unless given.

        Raises:
            AlreadyExists: the id is taken.
            InvalidInput: the id begins like the names of the database's own tables.
            InvalidCRS: the CRS cannot be read.
            NotFound: a scene is not registered.
        """
        with self._write() as (connection, at):
            return projects.create(connection, project, at=at)

    def project(self, id: str) -> Project:
        """The project of that id; NotFound."""
        with self._read() as connection:
            return projects.find(connection, id).project

    def projects(self) -> list[Project]:
        """All projects, in the order of their creation."""
        with self._read() as connection:
            return projects.find_all(connection)

    def update_project(self, project: Project) -> Project:
        """Change title, classes, scenes, `unlabelled` and `on_invalid` to those given.

        Raises:
            NotFound: no such project or scene.
            InvalidInput: a class is left out that annotations carry (with their number), or the CRS differs.
        """
        with self._write() as (connection, at):
            return projects.update(connection, project, at=at)

    def change_project(self, id: str, change: Callable[[Project], Project]) -> Project:
        """Update a project from what it is at this moment, so that nobody's change in between is lost.

        Raises:
            NotFound, InvalidInput: as `update_project`; and what `change` raises, and then nothing was written.
        """
        with self._write() as (connection, at):
            return projects.update(connection, change(projects.find(connection, id).project), at=at)

    def delete_project(self, id: str) -> None:
        """Remove a project with its annotations and their history; NotFound."""
        with self._write() as (connection, _):
            projects.delete(connection, id)

    def counts(self, project: str) -> dict[str, int]:
        """How many annotations carry each class of the schema, in its order; NotFound."""
        with self._read() as connection:
            return projects.counts(connection, project)

    # Annotations: geometries in the project's CRS

    def create(self, project: str, new: Iterable[NewAnnotation], *, author: str | None = None) -> list[Annotation]:
        """Write new annotations as one change set, all or nothing.

        Args:
            project: its id.
            new: in the order of the ids that they get; may be many.
            author: who writes.

        Raises:
            NotFound: no such project.
            UnknownClass: a class that the schema does not have.
            InvalidInput: text with a NUL character, a confidence out of range.
            InvalidGeometry: empty, or a coordinate that is not finite; `problems` says which.
        """
        given = list(new)  # whatever yields them may use this Store
        with self._write() as (connection, at):
            return labels.create(connection, project, given, at=at, author=author)

    def update(
        self,
        project: str,
        id: int,
        patch: AnnotationPatch,
        *,
        expected: int | None = None,
        author: str | None = None,
    ) -> Annotation:
        """Change what the patch names; the rest stays, also when somebody else has just changed it.

        Args:
            project: its id.
            id: of the annotation.
            patch: what to change.
            expected: the version that must be current; None for the last write to win.
            author: who writes.

        Raises:
            NotFound: no such project or annotation, or it was deleted.
            VersionConflict: another version is current.
            InvalidInput: as for `create`.
        """
        with self._write() as (connection, at):
            return labels.update(connection, project, id, patch, expected=expected, at=at, author=author)

    def replace(
        self,
        project: str,
        id: int,
        new: NewAnnotation,
        *,
        expected: int | None = None,
        author: str | None = None,
    ) -> Annotation:
        """Put a whole state in place of the current one, or bring a deleted annotation back; the next version either way.

        Who made it first stays its author unless the provenance names one.

        Args:
            project: its id.
            id: of the annotation.
            new: the state.
            expected: the version (of the annotation or of its delete) that must be the last; None to win in any case.
            author: who writes.

        Raises:
            NotFound: no such project, or there never was an annotation of that id.
            VersionConflict: another version is the last.
            InvalidInput: as for `create`.
        """
        with self._write() as (connection, at):
            return labels.replace(connection, project, id, new, expected=expected, at=at, author=author)

    def delete(self, project: str, id: int, *, expected: int | None = None, author: str | None = None) -> Change:
        """Take an annotation away; history keeps it, and the delete as a version of its own.

        Raises:
            NotFound: no such project or annotation, or it was deleted already.
            VersionConflict: another version than `expected` is current.
        """
        with self._write() as (connection, at):
            return labels.delete(connection, project, id, expected=expected, at=at, author=author)

    def annotation(self, project: str, id: int) -> Annotation:
        """The current version; NotFound."""
        with self._read() as connection:
            return labels.find(connection, project, id)

    def query(
        self,
        project: str,
        *,
        bbox: Bounds | None = None,
        class_name: str | None = None,
        status: Status | None = None,
        after: int = 0,
        limit: int | None = None,
    ) -> list[Annotation]:
        """Annotations in order of id.

        Args:
            project: its id.
            bbox: in the project's CRS; only those whose exact geometry touches it.
            class_name: only those of this class.
            status: only those that stand there.
            after: only ids above this one: the last id of the page before.
            limit: at most so many; None for all.

        Raises:
            NotFound: no such project.
            InvalidInput: a box that is none.
        """
        with self._read() as connection:
            return search.query(
                connection,
                project,
                bbox=bbox,
                class_name=class_name,
                status=status,
                after=after,
                limit=limit,
            )

    def count(
        self,
        project: str,
        *,
        bbox: Bounds | None = None,
        class_name: str | None = None,
        status: Status | None = None,
    ) -> int:
        """How many annotations `query` would give without a limit."""
        with self._read() as connection:
            return search.count(connection, project, bbox=bbox, class_name=class_name, status=status)

    def extent(self, project: str) -> Bounds | None:
        """The box around all annotations in the project's CRS; None when there are none; NotFound."""
        with self._read() as connection:
            return search.extent(connection, project)

    def batches(self, project: str, *, bbox: Bounds | None = None, size: int = 10_000) -> Iterator[LabelBatch]:
        """Annotations as arrays, in order of id, from one snapshot: changes made meanwhile are not seen.

        Args:
            project: its id.
            bbox: in the project's CRS; only those whose exact geometry touches it.
            size: at most so many in a batch.

        Raises:
            NotFound: no such project.
            InvalidInput: a box that is none.
        """
        with self._read() as connection:
            yield from search.batches(connection, project, bbox=bbox, size=size)

    def history(self, project: str, id: int) -> list[Change]:
        """All changes of an annotation, oldest first, its creation included, also when it was deleted; NotFound."""
        with self._read() as connection:
            return history.find(connection, project, id)

    def changes(self, project: str | None = None) -> int:
        """Number of the last change set, of a project or of the workspace: 0, then always growing; NotFound."""
        with self._read() as connection:
            return history.last_changeset(connection, project)

    # Jobs

    def add_job(self, kind: str, project: str, params: Mapping[str, Any]) -> Job:
        """Put a job at the end of the queue; NotFound for the project."""
        with self._write() as (connection, at):
            return jobs.add(connection, kind, project, params, at=at)

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
            return jobs.claim(connection, at=at)

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

    # Transactions

    @contextmanager
    def _read(self) -> Iterator[Connection]:
        """A connection that sees one snapshot."""
        self._check_open()
        with said_in_sentences(self._name), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def _write(self) -> Iterator[tuple[Connection, str]]:
        """A connection that alone may write, and the time of the change; commits at the end, rolls back on an error."""
        self._check_open()
        if not self._writer.acquire(timeout=geopackage.BUSY_SECONDS):
            raise StoreFailed(
                f"The workspace {self._name} has been writing for more than {geopackage.BUSY_SECONDS:g} s: try again."
            )
        try:
            with (
                said_in_sentences(self._name),
                self._writing_engine.begin() as connection,
                guard_lifted(connection),
            ):
                yield connection, self._time()
        finally:
            self._writer.release()

    def _time(self, offset_s: float = 0.0) -> str:
        """RFC 3339 in UTC with milliseconds: the form of a GeoPackage's DATETIME; sorts as text."""
        moment = self._now().astimezone(UTC) + timedelta(seconds=offset_s)
        return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"

    def _check_open(self) -> None:
        if self._closed:
            raise StoreFailed(f"The workspace {self._name} was closed: open it again.")
