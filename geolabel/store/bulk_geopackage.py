"""Bulk work on a GeoPackage: rows a hundred at a time, and an R*Tree that is packed rather than grown."""

from __future__ import annotations

import os
from contextlib import contextmanager
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from geolabel.store import blob, packing

try:
    import fcntl
except ImportError:  # Windows: an import that was killed is told by its age there
    fcntl = None  # type: ignore[assignment]

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from sqlalchemy import Connection, Engine, Table

    from geolabel.geo.ragged import Ragged

_ROWS = 100
"""Rows in a statement: each statement lets go of the interpreter once, not once a row."""

_MOST_PACKED = 3_000_000
"""Boxes that are packed in one step, about three seconds; more are inserted, a few at a time."""

_WORTH = 8
"""Packing goes over the whole tree: it is worth it when it grows by an eighth."""


class BulkGeoPackage:
    """`geolabel.store.bulk.Bulk` for a GeoPackage."""

    def encode(self, shapes: Ragged, srs_id: int) -> list[bytes]:
        """See Bulk."""
        return blob.encode_ragged(shapes, srs_id)

    def insert(
        self, connection: Connection, table: Table, columns: Mapping[str, Sequence[Any]], constants: Mapping[str, Any]
    ) -> None:
        """See Bulk."""
        raw = _raw(connection)
        count, fixed = len(columns["id"]), [v for v in constants.values() if v is not None]
        names = ", ".join(f'"{name}"' for name in (*(n for n, v in constants.items() if v is not None), *columns))
        shared = [f"?{i + 1}" for i in range(len(fixed))]

        def statement(rows: int) -> str:
            free = iter(range(len(fixed) + 1, len(fixed) + 1 + rows * len(columns)))
            values = ", ".join(f"({', '.join([*shared, *(f'?{next(free)}' for _ in columns)])})" for _ in range(rows))
            return f'INSERT INTO "{table.name}" ({names}) VALUES {values}'  # noqa: S608 (names of ours)

        usual = statement(_ROWS) if count >= _ROWS else ""
        with _triggers_off(raw, table.name):
            for start in range(0, count, _ROWS):
                rows = min(_ROWS, count - start)
                some = zip(*(column[start : start + rows] for column in columns.values()), strict=True)
                raw.execute(usual if rows == _ROWS else statement(rows), [*fixed, *chain.from_iterable(some)])

    def index_early(self, present: int, staged: int) -> bool:
        """See Bulk."""
        return staged * _WORTH < present or present + staged > _MOST_PACKED

    def index(self, connection: Connection, table: Table, ids: NDArray[np.int64], bounds: NDArray[np.float64]) -> None:
        """See Bulk."""
        raw, name = _raw(connection), f"rtree_{table.name}_geom"
        present: int = raw.execute(f'SELECT count(*) FROM "{name}_rowid"').fetchone()[0]  # noqa: S608
        if self.index_early(present, len(ids)):
            boxes = packing.outward(bounds).tolist()
            raw.executemany(
                f'INSERT OR REPLACE INTO "{name}" VALUES (?, ?, ?, ?, ?)',  # noqa: S608
                ((id_, *box) for id_, box in zip(ids.tolist(), boxes, strict=True)),
            )
            return
        boxes_there = f'SELECT id, minx, miny, maxx, maxy FROM "{name}"'  # noqa: S608
        old = np.array(raw.execute(boxes_there).fetchall(), dtype=np.float64).reshape(-1, 5)
        old = old[~np.isin(old[:, 0], ids)]
        packing.pack(
            raw,
            name,
            np.concatenate([old[:, 0].astype(np.int64), ids]),
            np.concatenate([old[:, 1:], bounds]),
        )

    @contextmanager
    def claim(self, engine: Engine, folder: Path, number: int) -> Iterator[bool]:  # noqa: ARG002 (PostgreSQL needs it)
        """See Bulk. A lock on a file goes with the process that holds it, however that ends."""
        file = folder / f".import-{number}.lock"
        handle = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            if fcntl is not None:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield True
            file.unlink(missing_ok=True)
        except BlockingIOError:
            yield False
        finally:
            os.close(handle)


def _raw(connection: Connection) -> sqlite3.Connection:
    driver: Any = connection.connection.driver_connection
    return driver  # type: ignore[no-any-return]


@contextmanager
def _triggers_off(raw: sqlite3.Connection, table: str) -> Iterator[None]:
    """Insert without the triggers, which would index and check row by row; an error brings them back by the roll-back."""
    found = raw.execute(
        "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = ? AND name IN (?, ?)",
        (table, f"rtree_{table}_geom_insert", f"geolabel_guard_{table}_insert"),
    ).fetchall()
    for name, _ in found:
        raw.execute(f'DROP TRIGGER "{name}"')
    yield
    for _, sql in found:
        raw.execute(sql)
