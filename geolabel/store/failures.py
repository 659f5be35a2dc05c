"""What a database says, as sentences of ours."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy.exc import DBAPIError

from geolabel.errors import InvalidInput, StoreFailed

if TYPE_CHECKING:
    from collections.abc import Iterator

# A part of the database's own words, and what to say instead.
_SENTENCES = (
    ("is locked", "is being written to by another program for longer than we wait: close that program, or try again"),
    ("disk is full", "cannot grow, the disk is full: make room and try again; nothing of this change was written"),
    ("readonly database", "cannot be written to: give yourself write permission on the file and on its folder"),
    (
        "unable to open database",
        "cannot be opened: check that the file is there and that you may write to it and to its folder",
    ),
    ("is not a database", "is not a GeoPackage: expected a file made by `geolabel init`, got something else"),
    ("image is malformed", "is damaged: put a backup in its place"),
    ("disk i/o error", "cannot be read or written, the disk reports an error: check the disk, then the file"),
)


@contextmanager
def said_in_sentences(name: str) -> Iterator[None]:
    """Turn what the database driver raises in the block into StoreFailed.

    Args:
        name: of the workspace, for the messages.
    """
    try:
        yield
    except (DBAPIError, sqlite3.Error) as error:
        words = str(error.orig if isinstance(error, DBAPIError) else error)
        for part, sentence in _SENTENCES:
            if part in words.lower():
                raise StoreFailed(f"The workspace {name} {sentence}.") from error
        raise StoreFailed(f"The workspace {name} could not do it; its database says: {words}.") from error
    except UnicodeEncodeError as error:
        raise InvalidInput(
            f"The text {error.object!r} holds half of a character (a lone surrogate): remove it."
        ) from error
