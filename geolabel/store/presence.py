"""Who is at work on a project, and on which labels: in a small database of its own, beside the workspace's.

All server processes of a machine share it. It forgets people who are not heard of for a while; nothing in it is worth a
backup, or a wait for the disk.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

EXPIRES_S = 45.0
"""Who is not heard of for so long is not there any more."""

MAX_SELECTED = 50
"""So many selected labels are told of each person."""

_TABLE = """
CREATE TABLE IF NOT EXISTS people (
    project TEXT NOT NULL, id TEXT NOT NULL, name TEXT NOT NULL, selection TEXT NOT NULL, came REAL NOT NULL,
    heard REAL NOT NULL, PRIMARY KEY (project, id)
) WITHOUT ROWID
"""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who has a project open.

    Attributes:
        id: of the browser, for as long as it remembers.
        name: as they call themselves; may be empty.
        selection: ids of the labels that they have selected.
    """

    id: str
    name: str
    selection: tuple[int, ...] = ()


class Presence:
    """The people at work; for many threads.

    Args:
        folder: of the workspace.
        now: seconds; the same clock for all processes.
    """

    def __init__(self, folder: Path, now: Callable[[], float] = time.time) -> None:
        self._file = folder / "presence.sqlite"
        self._now = now
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None

    def come(self, project: str, person: Person) -> None:
        """Somebody is there, or has selected something else."""
        at = self._now()
        selection = json.dumps(person.selection[:MAX_SELECTED])
        with self._lock, self._open() as connection:
            connection.execute("DELETE FROM people WHERE heard < ?", (at - EXPIRES_S,))
            connection.execute(
                "INSERT INTO people VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (project, id) DO UPDATE SET "
                "name = excluded.name, selection = excluded.selection, heard = excluded.heard",
                (project, person.id, person.name, selection, at, at),
            )

    def leave(self, project: str, person: str) -> None:
        """Somebody has closed the project."""
        with self._lock, self._open() as connection:
            connection.execute("DELETE FROM people WHERE project = ? AND id = ?", (project, person))

    def people(self, projects: Sequence[str]) -> dict[str, list[Person]]:
        """Who is at work on each of some projects, first come first."""
        found: dict[str, list[Person]] = {project: [] for project in projects}
        marks = ", ".join("?" * len(found))
        query = f"SELECT project, id, name, selection FROM people WHERE project IN ({marks}) AND heard >= ? ORDER BY came, id"  # noqa: S608
        with self._lock, self._open() as connection:
            rows = connection.execute(query, (*found, self._now() - EXPIRES_S)).fetchall()
        for project, person, name, selection in rows:
            found[project].append(Person(person, name, tuple(json.loads(selection))))
        return found

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
            self._connection = None

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            connection = sqlite3.connect(self._file, timeout=5, check_same_thread=False)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = OFF")
            connection.execute(_TABLE)
            self._connection = connection
        return self._connection
