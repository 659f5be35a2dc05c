"""What a database says, as sentences of ours."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from geolabel.errors import GeolabelError, InvalidInput, StorageFull, StoreFailed, TooSlow
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
# The same for PostgreSQL, by SQLSTATE: its words may be in any language.
_LOST = "has lost its connection to the server: look whether the change is there before you repeat it"
_CHANGED = "was changed at that very moment: try again"
_STATES = {
    "0A000": _CHANGED,  # a statement prepared before the table got another column
    "25006": "is read-only (perhaps a standby): name the server that takes writes",
    "25P03": _LOST,
    "40P01": _CHANGED,
    "42501": "does not allow that to your role: docs/postgis.md lists what it needs",
    "42703": _CHANGED,
    "42P01": _CHANGED,
    "53300": "has no connection left: raise max_connections on the server, or set GEOLABEL_POOL_SIZE lower",
    "55P03": "is being written to by another program for longer than we wait: close that program, or try again",
    "57P01": _LOST,
    "57P02": _LOST,
    "57P03": "is on a server that is just starting or stopping: try again",
}
_STATE_FULL = "53100"
_STATE_STOPPED = "57014"
_STATE_TOO_LARGE = "22003"

# SQLite: no room, and a statement that we had stopped.
_FULL = ("disk is full", "no space left on device", "disk quota exceeded")
_STOPPED = "interrupted"
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
    except DBAPIError as error:
        if error.connection_invalidated:
            raise _failed(name, _LOST) from error
        if not isinstance(error.orig, sqlite3.Error):
            raise _by_state(name, error) from error
        raise _by_words(name, str(error.orig)) from error
    except sqlite3.Error as error:
        raise _by_words(name, str(error)) from error
    except PoolTimeout as error:
        raise _failed(
            name, "has more to do than its connections can: try again, or raise GEOLABEL_POOL_SIZE"
        ) from error
    except UnicodeEncodeError as error:
        raise InvalidInput(
            f"The text {error.object!r} holds half of a character (a lone surrogate): remove it."
        ) from error
    except OverflowError as error:
        raise InvalidInput(_TOO_LARGE) from error


_TOO_LARGE = f"A whole number is larger than a database can hold: expected at most {2**63 - 1}."


def _by_words(name: str, words: str) -> StoreFailed:
    said = words.lower()
    free = free_bytes(name)
    if any(part in said for part in _FULL) or (
        any(part in said for part in _PERHAPS_FULL) and free is not None and free < _NO_ROOM
    ):
        return _full(name, free)
    if _STOPPED in said:
        return _too_slow(name)
    for part, sentence in _SENTENCES:
        if part in said:
            return _failed(name, sentence)
    return _unknown(name, words)


def _by_state(name: str, error: DBAPIError) -> GeolabelError:
    state, words = getattr(error.orig, "sqlstate", None), str(error.orig)
    if state is None and isinstance(error, OperationalError):
        sentence = f"The workspace {name} cannot be reached: {' '.join(words.split())}."
        found: GeolabelError = StoreFailed(sentence, "The workspace cannot be reached.")
    elif "(0x00)" in words:
        found = InvalidInput("A text holds a NUL character, which no database keeps: remove it.")
    elif state == _STATE_TOO_LARGE:
        found = InvalidInput(_TOO_LARGE)
    elif state == _STATE_FULL:
        found = _full(name, None)
    elif state == _STATE_STOPPED:
        found = _too_slow(name)
    elif state in _STATES:
        found = _failed(name, _STATES[state])
    else:
        found = _unknown(name, words)
    return found


def _failed(name: str, sentence: str) -> StoreFailed:
    return StoreFailed(f"The workspace {name} {sentence}.", f"The workspace {sentence}.")


def _unknown(name: str, words: str) -> StoreFailed:
    return StoreFailed(f"The workspace {name} could not do it; its database says: {words}.")


def _full(name: str, free: int | None) -> StorageFull:
    sentence = "cannot grow, the disk is full: make room and try again; nothing of this change was written"
    left = "" if free is None else f" ({megabytes(free)} are free)"
    return StorageFull(
        f"The workspace {name} {sentence}{left}.",
        f"The workspace {sentence}{left}. What is there can still be read.",
        free=free,
    )


def _too_slow(name: str) -> TooSlow:
    sentence = "was asked a question that took longer than it may and was stopped: ask for a smaller area, or with a simpler filter"
    return TooSlow(f"The workspace {name} {sentence}.", f"The workspace {sentence}.")
