"""The seam between a bulk import and a database, and what goes through it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray
    from sqlalchemy import Connection, Engine, Table

    from geolabel.geo.ragged import Ragged

ROWS_AT_ONCE = 10_000
"""Rows that one short transaction writes: edits go on between two."""


class Bulk(Protocol):
    """What large amounts of rows need of a database, beside `geolabel.store.dialect.Spatial`."""

    def encode(self, shapes: Ragged, srs_id: int) -> list[bytes]:
        """Shapes (n,), none of them NONE, to what the geometry column takes."""

    def insert(
        self, connection: Connection, table: Table, columns: Mapping[str, Sequence[Any]], constants: Mapping[str, Any]
    ) -> None:
        """Put rows into a project's table; they need not be found by place before `index`.

        Args:
            connection: in a write transaction.
            table: of the project.
            columns: what differs from row to row, (n,) each.
            constants: what does not.
        """

    def index_early(self, present: int, staged: int) -> bool:
        """Whether `staged` rows are indexed before they are published, in short transactions, beside `present` others."""

    def index(self, connection: Connection, table: Table, ids: NDArray[np.int64], bounds: NDArray[np.float64]) -> None:
        """Let rows be found by place; those that can be already stay so.

        Args:
            connection: in a write transaction.
            table: of the project.
            ids: (n,) of the rows.
            bounds: (n, 4) min x, min y, max x, max y.
        """

    def claim(self, engine: Engine, folder: Path, number: int) -> AbstractContextManager[bool]:
        """Hold the import of that number for as long as this process lives; False when another one does."""


def bulk(engine: Engine) -> Bulk:
    """The bulk side of a database."""
    if engine.dialect.name == "postgresql":
        from geolabel.store import bulk_postgis  # noqa: PLC0415 (its driver is an extra)

        return bulk_postgis.BulkPostGIS()
    from geolabel.store import bulk_geopackage  # noqa: PLC0415

    return bulk_geopackage.BulkGeoPackage()


@dataclass(frozen=True, slots=True)
class Rows:
    """Annotations ready to be written.

    Attributes:
        blobs: (n,) geometries as the database takes them (`ImportStage.encode`).
        bounds: (n, 4) min x, min y, max x, max y, in the project's CRS.
        columns: by name of the table's columns, `class` at least; (n,) each. What is not there stays as it is when a
            feature changes.
        names: (n,) what messages call them.
    """

    blobs: list[bytes]
    bounds: NDArray[np.float64]
    columns: Mapping[str, Sequence[Any]]
    names: Sequence[str]

    def part(self, first: int, last: int) -> Rows:
        """Those from one position up to another."""
        some = slice(first, last)
        columns = {name: column[some] for name, column in self.columns.items()}
        return Rows(self.blobs[some], self.bounds[some], columns, self.names[some])

    def take(self, rows: Sequence[int]) -> Rows:
        """Those at these positions."""
        return Rows(
            [self.blobs[row] for row in rows],
            self.bounds[list(rows)],
            {name: [column[row] for row in rows] for name, column in self.columns.items()},
            [self.names[row] for row in rows],
        )


@dataclass(slots=True)
class Tally:
    """What became of the rows of an import.

    Attributes:
        added: made.
        updated: changed in the source since the last import, and so here.
        unchanged: as they were at the last import; nothing was written.
        kept: unchanged in the source, but edited or deleted here, which stays.
        overwritten: of the updated, those that had been edited here; history keeps the edits.
        gone: ids of annotations that an earlier import of this source made and this one does not have.
        deleted: how many of them were deleted.
        ids: first and last id given; None when none was.
    """

    added: int = 0
    updated: int = 0
    unchanged: int = 0
    kept: int = 0
    overwritten: int = 0
    gone: list[int] = field(default_factory=list)
    deleted: int = 0
    ids: tuple[int, int] | None = None
