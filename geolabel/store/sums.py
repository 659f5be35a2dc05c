"""What a SQLite file holds, added up: rows and a content hash per table, and whether its structure is whole.

The hash is of the values as they rest in the file, so it needs no knowledge of what the tables mean: a backup of any older
version can be proven as it is.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection


@dataclass(frozen=True, slots=True)
class TableSum:
    """Number of rows, and SHA-256 (hex) of all of them in their order."""

    rows: int
    sha256: str


def table_sums(connection: sqlite3.Connection, *, leave_out: Collection[str] = ()) -> dict[str, TableSum]:
    """Rows and content hash of each table, of the index tables too, and of the definitions of all of them.

    Args:
        connection: its `text_factory` is not used; values are read as bytes.
        leave_out: names of tables that do not count.
    """
    hidden = ", ".join("?" * len(leave_out))
    rest = f"tbl_name NOT IN ({hidden})"
    tables = connection.execute(
        f"SELECT name FROM sqlite_schema WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL TABLE%' AND {rest} ORDER BY name",  # noqa: S608 (names are bound)
        tuple(leave_out),
    ).fetchall()
    definitions = f"SELECT type, name, sql FROM sqlite_schema WHERE {rest} ORDER BY type, name"  # noqa: S608 (names are bound)
    sums = {"sqlite_schema": _sum(connection, definitions, leave_out)}
    for (name,) in tables:
        quoted = name.replace('"', '""')
        sums[name] = _sum(connection, f'SELECT * FROM "{quoted}" ORDER BY rowid')  # noqa: S608 (a name out of the schema)
    return sums


def _sum(connection: sqlite3.Connection, query: str, bound: Collection[str] = ()) -> TableSum:
    hasher, rows = hashlib.sha256(), 0
    # The ASCII form of a row tells types apart, keeps every bit of a double, and is the same in every Python.
    for row in connection.execute(query, tuple(bound)):
        hasher.update(ascii(row).encode())
        rows += 1
    return TableSum(rows, hasher.hexdigest())


def damage(connection: sqlite3.Connection) -> str | None:
    """The first thing that is wrong with the structure of a file: pages, indexes, foreign keys, R*Trees; None if nothing."""
    (found,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    if found != "ok":
        return str(found)
    orphan = connection.execute("PRAGMA foreign_key_check").fetchone()
    if orphan is not None:
        return f"row {orphan[1]} of {orphan[0]} belongs to a row of {orphan[2]} that is not there"
    rtrees = connection.execute(
        "SELECT name FROM sqlite_schema WHERE sql LIKE 'CREATE VIRTUAL TABLE%rtree%'"
    ).fetchall()
    for (name,) in rtrees:
        (said,) = connection.execute("SELECT rtreecheck(?)", (name,)).fetchone()
        if said != "ok":
            return f"the index {name}: {said}"
    return None
