"""What a database says, as sentences of ours."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy.exc import DBAPIError

from geolabel.errors import InvalidInput, StorageFull, StoreFailed, TooSlow
from geolabel.store.room import free_bytes, megabytes

if TYPE_CHECKING:
    from collections.abc import Iterator

# A part of the database's own words, and what to say instead.
_SENTENCES = (
    ("is locked", "is being written to by another program for longer than we wait: close that program, or try again"),
    ("readonly database", "cannot be written to: give yourself write permission on the file and on its folder"),
    (
        "unable to open database",
        "cannot be opened: check that the file is there and that you may write to it and to its folder",
    ),
    ("is not a database", "is not a GeoPackage: expected a file made by `geolabel init`, got something else"),
    ("image is malformed", "is damaged: put a backup in its place with `geolabel restore`"),
    ("disk i/o error", "cannot be read or written, the disk reports an error: check the disk, then the file"),
)
# SQLite and PostgreSQL: no room, and a statement that we had stopped.
_FULL = ("disk is full", "no space left on device", "disk quota exceeded")
_STOPPED = ("interrupted", "statement timeout")
# What SQLite reports when a file beside the database could not grow; it need not mean a broken disk.
_PERHAPS_FULL = ("disk i/o error", "unable to open database")
_NO_ROOM = 1_000_000


@contextmanager
def said_in_sentences(name: str) -> Iterator[None]:
    """Turn what the database driver raises in the block into StoreFailed or one of its children.

    Args:
        name: of the workspace, for the messages: the path of its file, or its address without a password.
    """
    try:
        yield
    except (DBAPIError, sqlite3.Error) as error:
        raise _in_sentences(name, str(error.orig if isinstance(error, DBAPIError) else error)) from error
    except UnicodeEncodeError as error:
        raise InvalidInput(
            f"The text {error.object!r} holds half of a character (a lone surrogate): remove it."
        ) from error


def _in_sentences(name: str, words: str) -> StoreFailed:
    said = words.lower()
    free = free_bytes(name)
    if any(part in said for part in _FULL) or (
        any(part in said for part in _PERHAPS_FULL) and free is not None and free < _NO_ROOM
    ):
        sentence = "cannot grow, the disk is full: make room and try again; nothing of this change was written"
        left = "" if free is None else f" ({megabytes(free)} are free)"
        return StorageFull(
            f"The workspace {name} {sentence}{left}.",
            f"The workspace {sentence}{left}. What is there can still be read.",
            free=free,
        )
    if any(part in said for part in _STOPPED):
        sentence = "was asked a question that took longer than it may and was stopped: ask for a smaller area, or with a simpler filter"
        return TooSlow(f"The workspace {name} {sentence}.", f"The workspace {sentence}.")
    for part, sentence in _SENTENCES:
        if part in said:
            return StoreFailed(f"The workspace {name} {sentence}.", f"The workspace {sentence}.")
    return StoreFailed(f"The workspace {name} could not do it; its database says: {words}.")
