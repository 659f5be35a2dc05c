"""The guard of a workspace: a write from another program is refused, because it would make no version.

Triggers refuse every write to a guarded table but ours. In a GeoPackage, the table `geolabel_guard` holds one row; our
write transaction sets `open` first and resets it last, so that no other connection ever sees it set. In PostgreSQL our
write transaction sets `geolabel.writing` for itself when it begins (see `geolabel.store.postgres`).
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

SENTENCE = (
    "geolabel keeps this table and gives every change a version, so other programs may only read it: "
    "edit in the web map or through the OGC API, or edit an exported copy and import it"
)


def guard_table(connection: Connection, name: str) -> None:
    """Refuse writes to a table from outside; for good, or until the table is dropped."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(
            f'CREATE TRIGGER geolabel_guard BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON "{name}" '
            "FOR EACH STATEMENT EXECUTE FUNCTION geolabel_guard()",
        )
        return
    for operation in ("INSERT", "UPDATE", "DELETE"):
        trigger = f'CREATE TRIGGER "geolabel_guard_{name}_{operation.lower()}" BEFORE {operation} ON "{name}"'
        when = "NOT EXISTS (SELECT 1 FROM geolabel_guard WHERE open = 1)"
        connection.exec_driver_sql(f"{trigger} WHEN {when} BEGIN SELECT RAISE(ABORT, '{SENTENCE}'); END")


@contextmanager
def guard_lifted(connection: Connection) -> Iterator[None]:
    """Let the block write; on an error the transaction rolls back and the guard with it."""
    if connection.dialect.name == "postgresql":
        yield
        return
    connection.exec_driver_sql("UPDATE geolabel_guard SET open = 1")
    yield
    connection.exec_driver_sql("UPDATE geolabel_guard SET open = 0")
