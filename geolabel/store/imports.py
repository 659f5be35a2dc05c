"""Many annotations at once: staged in short transactions where nobody sees them, and published in one short step.

The rows go straight into the project's table under a change set that is not published; readers leave them out
(`Layer.hidden`), and edits go on in between. A feature of a source that is there already and has changed is staged under
the negative of its annotation's id, and takes its place when the import is published. Who is killed on the way leaves
rows that `sweep` removes when the workspace is opened next.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import sqlalchemy as sa

from geolabel.store import history, layers
from geolabel.store.bulk import ROWS_AT_ONCE, bulk
from geolabel.store.stage import ImportStage
from geolabel.store.tables import changesets

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from sqlalchemy import Connection, Engine


class BulkImports(ABC):
    """The part of Store that takes whole files; see `geolabel.store.store.Store`."""

    folder: Path
    _engine: Engine

    @abstractmethod
    def _read(self) -> AbstractContextManager[Connection]: ...

    @abstractmethod
    def _write(self) -> AbstractContextManager[tuple[Connection, str]]: ...

    @contextmanager
    def stage_import(
        self, project: str, *, source: str, author: str | None = None, comment: str | None = None
    ) -> Iterator[ImportStage]:
        """Begin an import; what is not published when the block ends leaves no trace.

        Args:
            project: its id.
            source: provenance of the rows; ids of the source's own are unique in it.
            author: who imports.
            comment: in words, for the list of change sets.

        Raises:
            NotFound: no such project.
        """
        with ExitStack() as held:
            with self._write() as (connection, at):
                layer = layers.find(connection, project)
                number = history.open_changeset(
                    connection, layer, at=at, author=author, kind="import", comment=comment, published=False
                )
                # Before anybody can see the import and take it for one whose process has died.
                held.enter_context(bulk(self._engine).claim(self._engine, self.folder, number))
            stage = ImportStage(self, layer, number, source=source, author=author, at=at)
            try:
                yield stage
            finally:
                if not stage.published:
                    self._remove(number)

    def sweep_imports(self) -> int:
        """Remove what imports have left that were killed; how many there were."""
        staged = sa.select(changesets.c.number).where(changesets.c.published == sa.false())
        with self._read() as connection:
            numbers = list(connection.execute(staged).scalars())
        swept = 0
        for number in numbers:
            with bulk(self._engine).claim(self._engine, self.folder, number) as claimed:
                if claimed:
                    self._remove(number)
                    swept += 1
        return swept

    def _remove(self, number: int) -> None:
        """Delete the rows of an unpublished import, a few at a time, and the import with the last of them."""
        while True:
            with self._write() as (connection, _):
                key = connection.execute(
                    sa.select(changesets.c.project).where(
                        changesets.c.number == number, changesets.c.published == sa.false()
                    )
                ).scalar()
                layer = None if key is None else layers.of_key(connection, key)
                left = 0
                if layer is not None:
                    c = layer.table.c
                    some = sa.select(c.id).where(c.changeset == number).limit(ROWS_AT_ONCE)
                    left = connection.execute(sa.delete(layer.table).where(c.id.in_(some))).rowcount
                if left == 0:
                    mine = changesets.c.number == number, changesets.c.published == sa.false()
                    connection.execute(sa.delete(changesets).where(*mine))
                    return
