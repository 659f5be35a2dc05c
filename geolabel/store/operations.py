"""The book of PROJ operations of a workspace: see `geolabel.geo.operations`.

What was chosen is written with the first change that follows, in its transaction: nothing rests in the workspace before
the operation that brought it there does, and reading never writes.
"""

from __future__ import annotations

import hashlib
import threading
import weakref
from typing import TYPE_CHECKING

import sqlalchemy as sa

from geolabel.geo.operations import Operation
from geolabel.store import tables

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from sqlalchemy import Connection

_LONGEST = 500  # PostgreSQL indexes texts of at most 2.7 kB


class Book:
    """An `OperationBook` in the table geolabel_operations.

    Args:
        read: method of the workspace that gives a connection which may read.
    """

    def __init__(self, read: Callable[[], AbstractContextManager[Connection]]) -> None:
        self._read = weakref.WeakMethod(read)  # the way to a workspace must not keep it from being collected
        self._pending: dict[tuple[str, str], Operation] = {}
        self._lock = threading.Lock()

    def find(self, source: str, target: str) -> Operation | None:
        """The operation on record from `source` to `target`, or chosen by this process."""
        with self._lock:
            if chosen := self._pending.get((source, target)):
                return chosen
        read = self._read()
        if read is None:
            return None
        with read() as connection:
            row = connection.execute(sa.select(tables.operations).where(_is(source, target))).mappings().first()
        return None if row is None else Operation(source, target, row["name"], row["pipeline"], row["accuracy"])

    def record(self, operations: list[Operation]) -> None:
        """Keep operations for the next write."""
        with self._lock:
            self._pending.update({(o.source, o.target): o for o in operations})

    def write(self, connection: Connection, at: str) -> list[Operation]:
        """Put what is pending on record; `written` is to be told once that is committed."""
        if not self._pending:
            return []
        with self._lock:
            pending = list(self._pending.values())
        for operation in pending:
            where = _is(operation.source, operation.target)
            if connection.execute(sa.select(tables.operations.c.key).where(where)).first() is None:
                values = {
                    "source": _key(operation.source),
                    "target": _key(operation.target),
                    "name": operation.name,
                    "pipeline": operation.pipeline,
                    "accuracy": operation.accuracy,
                    "at": at,
                }
                connection.execute(sa.insert(tables.operations).values(values))
        return pending

    def written(self, operations: list[Operation]) -> None:
        """These are on record for good."""
        with self._lock:
            for operation in operations:
                self._pending.pop((operation.source, operation.target), None)


def _key(crs: str) -> str:
    """A CRS as the table has it: its name, or a hash of a long WKT."""
    return crs if len(crs) <= _LONGEST else f"sha256:{hashlib.sha256(crs.encode()).hexdigest()}"


def _is(source: str, target: str) -> sa.ColumnElement[bool]:
    table = tables.operations
    return (table.c.source == _key(source)) & (table.c.target == _key(target))
