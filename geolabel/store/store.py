# ruff: noqa: A002 (a scene, an annotation and a job have an `id`; its name is the same here)
"""What can be asked of a workspace's database.

Store only opens transactions; each noun's file beside this one says what happens inside.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Self

from geolabel.errors import StoreFailed
from geolabel.geo.operations import leave_book, use_book
from geolabel.store import annotations as labels
from geolabel.store import backup, idempotency, layers, projects, scenes
from geolabel.store import batch as batches
from geolabel.store.failures import said_in_sentences
from geolabel.store.guard import guard_lifted
from geolabel.store.imports import BulkImports
from geolabel.store.opening import open_database
from geolabel.store.operations import Book
from geolabel.store.queue import Queue
from geolabel.store.reading import Reading
from geolabel.store.remembered import of_one_moment
from geolabel.store.tilefeed import TileFeed, state_of
from geolabel.store.timeline import Timeline
from geolabel.store.turns import Turns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path
    from types import TracebackType

    from sqlalchemy import Connection

    from geolabel.batches import LabelsState
    from geolabel.changes import Change, ChangesetKind
    from geolabel.mapping import SchemaMapping
    from geolabel.model import Annotation, AnnotationPatch, NewAnnotation, Project, Scene
    from geolabel.store.backup import Manifest
    from geolabel.store.batch import Batch, BatchResult
    from geolabel.store.dialect import Database
    from geolabel.store.idempotency import Once


def _utc_now() -> datetime:
    return datetime.now(UTC)


def open_store(location: Path | str, *, create: bool = False, now: Callable[[], datetime] = _utc_now) -> Store:
    """Open the database of a workspace.

    Args:
        location: the folder that holds `workspace.gpkg`, or the URL of a PostGIS database (`postgresql://...`).
        create: make the workspace when it is not there: folder and file, or the tables in the database.
        now: the clock.

    Raises:
        NotFound: there is no workspace, and `create` was not asked for.
        InvalidInput: a location that cannot hold a workspace.
        StoreFailed: the database is damaged, something else, not writable, locked, out of reach, or made by a newer geolabel.
    """
    store = Store(open_database(location, create=create), now)
    try:
        store.sweep_imports()
    except BaseException:
        store.close()
        raise
    return store


class Store(Reading, Timeline, TileFeed, BulkImports, Queue):
    """The database of one workspace; a context manager, for any number of threads.

    One writes at a time, many read; several processes may have the same workspace open. A method that writes does all of
    it or nothing. All of them raise StoreFailed when the database is locked, full or damaged.

    Attributes:
        name: as messages say it.
        location: what opens the workspace again, in another process; it may hold a password.
        folder: for files beside the database (cache, exports).
    """

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self.name = database.name
        self.location = database.location
        self.folder = database.folder
        self._engine = database.engine
        self._writing_engine = database.engine.execution_options(write=True)
        self._busy_seconds = database.busy_seconds
        self._closing = database.closing
        self._now = now
        self._closed = False
        # SQLite lets waiting writers poll, PostgreSQL would hold a connection for each: here the next thread is woken.
        self._writer = Turns()
        self._moment = threading.local()
        self._counted: dict[str, tuple[LabelsState, dict[str, int]]] = {}
        self._operations = Book(self._connected)
        use_book(self._operations)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections; the last one to close leaves a single file behind."""
        leave_book(self._operations)
        self._closed = True
        with self._closing:
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
            return layers.find(connection, id).project

    def projects(self, *, coverage: bool = False) -> list[Project]:
        """All projects, in the order of their creation; with `coverage`, each with the layer of its coverage behind it."""
        with self._read() as connection:
            return layers.find_all(connection, coverage=coverage)

    def update_project(
        self, project: Project, *, mapping: SchemaMapping | None = None, author: str | None = None
    ) -> Project:
        """Change a project to what is given: title, schema, scenes, policies.

        Args:
            project: as it is to be.
            mapping: what becomes of labels that the new schema has no place for.
            author: who does it.

        Raises:
            NotFound: no such project or scene.
            InvalidInput: labels would not fit the new schema (with their numbers), the mapping starts from what is not
                there, the CRS differs, labels are being imported, or it is the coverage of a project.
        """
        with self._write() as (connection, at):
            return projects.update(connection, project, at=at, author=author, mapping=mapping)

    def change_project(
        self,
        id: str,
        change: Callable[[Project], Project],
        *,
        mapping: SchemaMapping | None = None,
        author: str | None = None,
    ) -> Project:
        """Update a project from what it is at this moment, so that nobody's change in between is lost.

        Raises:
            NotFound, InvalidInput: as `update_project`; and what `change` raises, and then nothing was written.
        """
        with self._write() as (connection, at):
            project = change(layers.find(connection, id).project)
            return projects.update(connection, project, at=at, author=author, mapping=mapping)

    def delete_project(self, id: str) -> None:
        """Remove a project with its annotations, their history and its coverage; NotFound."""
        with self._write() as (connection, _):
            projects.delete(connection, id)

    def counts(self, project: str) -> dict[str, int]:
        """How many annotations carry each class of the schema, in its order; NotFound."""
        with self._read() as connection:
            layer = layers.find(connection, project)
            state = state_of(connection, project)
            known = self._counted.get(project)
            if known is None or known[0] != state:  # counting goes through every label
                known = self._counted[project] = state, projects.carried(connection, layer)
            return {c.name: known[1].get(c.name, 0) for c in layer.project.classes}

    # Annotations: geometries in the project's CRS

    def create(
        self,
        project: str,
        new: Iterable[NewAnnotation],
        *,
        author: str | None = None,
        kind: ChangesetKind = "edit",
        once: Once | None = None,
    ) -> list[Annotation]:
        """Write new annotations as one change set, all or nothing.

        Args:
            project: its id.
            new: in the order of the ids that they get; may be many.
            author: who writes.
            kind: what the change set comes from.
            once: when the same was written before, nothing is written and what was given then is given again.

        Raises:
            NotFound: no such project.
            UnknownClass: a class that the schema does not have.
            InvalidInput: text with a NUL character, a confidence out of range, an attribute that cannot be, a time that is
                none, an id of a source that is an annotation's already, a key of another request.
            InvalidGeometry: empty, or a coordinate that is not finite; `problems` says which.
        """
        given = list(new)  # whatever yields them may use this Store
        with self._write() as (connection, at):
            return labels.create(connection, project, given, at=at, author=author, kind=kind, once=once)

    def batch(
        self,
        project: str,
        edits: Batch,
        *,
        author: str | None = None,
        comment: str | None = None,
        once: Once | None = None,
    ) -> BatchResult:
        """Create, update and delete as one change set, all or nothing.

        Args:
            project: its id.
            edits: what is to be done, each annotation once.
            author: who writes.
            comment: why, in words.
            once: as for `create`.

        Raises:
            NotFound: no such project.
            VersionConflict: another version than expected is current, or it was deleted; `problems` says which.
            InvalidInput: as for `create`, too many edits, one annotation twice, or one that never was; `problems` holds JSON
                pointers such as `/update/3/properties/height`.
        """
        with self._write() as (connection, at):
            return batches.batch(connection, project, edits, at=at, author=author, comment=comment, once=once)

    def is_done(self, project: str, once: Once) -> bool:
        """Whether a write was done before: then it gives what it gave, whatever has changed since.

        Raises:
            NotFound: no such project.
            InvalidInput: the key belongs to another request.
        """
        with self._read() as connection:
            return idempotency.find(connection, layers.find(connection, project), once) is not None

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

    # The workspace as one file

    def backup(
        self, file: Path, *, overwrite: bool = False, progress: Callable[[float, str], None] | None = None
    ) -> Manifest:
        """Write the workspace as of this moment to one file, while edits go on; see `geolabel.store.backup.write`."""
        self._check_open()
        return backup.write(self, file, at=self._time(), overwrite=overwrite, progress=progress)

    # Transactions

    @contextmanager
    def one_moment(self) -> Iterator[None]:
        """All that this thread reads in the block is of one moment, and no project is looked up twice.

        What is written meanwhile, also by this thread, is not seen in it. After TooSlow, leave it.
        """
        if self._shared() is not None:
            yield
            return
        with self._connected() as connection:
            self._moment.connection = of_one_moment(connection)
            try:
                yield
            finally:
                self._moment.connection = None

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Nobody else writes while this thread is in the block: what it changes there is what it has read there.

        All that it writes in it is written at its end, or nothing. Others wait meanwhile: keep it short.
        """
        with self._write() as written:
            self._moment.connection, self._moment.written = written[0], written
            try:
                yield
            finally:
                self._moment.connection = self._moment.written = None

    def _shared(self) -> Connection | None:
        """The connection of the moment that this thread is in."""
        found: Connection | None = getattr(self._moment, "connection", None)
        return found

    @contextmanager
    def _read(self) -> Iterator[Connection]:
        """A connection that sees one snapshot: of the thread's moment, or of its own."""
        connection = self._shared()
        if connection is None:
            with self._connected() as connection:
                yield connection
        else:
            with said_in_sentences(self.name):
                yield connection

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        """A connection that sees a snapshot of its own."""
        self._check_open()
        with said_in_sentences(self.name), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def _write(self) -> Iterator[tuple[Connection, str]]:
        """A connection that alone may write, and the time of the change; commits at the end, rolls back on an error."""
        self._check_open()
        mine: tuple[Connection, str] | None = getattr(self._moment, "written", None)
        if mine is not None:
            with said_in_sentences(self.name):
                yield mine
            return
        if not self._writer.acquire(self._busy_seconds):
            busy = f"has been writing for more than {self._busy_seconds:g} s: try again."
            raise StoreFailed(f"The workspace {self.name} {busy}", f"The workspace {busy}")
        try:
            with (
                said_in_sentences(self.name),
                self._writing_engine.begin() as connection,
                guard_lifted(connection),
            ):
                at = self._time()
                yield connection, at
                operations = self._operations.write(connection, at)
            self._operations.written(operations)
        finally:
            self._writer.release()

    def _time(self, offset_s: float = 0.0) -> str:
        """RFC 3339 in UTC with milliseconds: the form of a GeoPackage's DATETIME; sorts as text."""
        moment = self._now().astimezone(UTC) + timedelta(seconds=offset_s)
        return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"

    def _check_open(self) -> None:
        if self._closed:
            raise StoreFailed(f"The workspace {self.name} was closed: open it again.")
