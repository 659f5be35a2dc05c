"""Room on the disk: how much there is, and refusing early what cannot fit."""

from __future__ import annotations

import errno
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

from geolabel.errors import StorageFull

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""What the system says when there is no room: on the disk, in a quota, or for a file of that size."""

RESERVE = 8_000_000
"""Bytes that large work leaves free, so that edits go on while somebody makes room."""


def free_bytes(place: str | Path) -> int | None:
    """Free bytes of the disk that holds a file or folder; None when there is no such place (a database server's)."""
    try:
        return shutil.disk_usage(place).free
    except (OSError, ValueError):
        return None


def megabytes(count: int) -> str:
    """A number of bytes as people read it."""
    return f"{count / 1e9:,.1f} GB" if count >= 1e10 else f"{count / 1e6:,.1f} MB"


def check_room(place: str | Path, needed: int, what: str) -> None:
    """Refuse work that would fill the disk, before it has begun.

    Args:
        place: a file or folder on that disk.
        needed: bytes that the work will take, estimated.
        what: begins the sentence: `The import`.

    Raises:
        StorageFull: less than that and a small reserve is free.
    """
    free = free_bytes(place)
    if free is None or free >= needed + RESERVE:
        return
    sentence = (
        f"{what} needs about {megabytes(needed)} and a reserve of {megabytes(RESERVE)}, but {megabytes(free)} are free"
    )
    raise StorageFull(
        f"{sentence} on the disk of {place}: make room.", f"{sentence}: make room.", needed=needed, free=free
    )


@contextmanager
def told_when_full(place: str | Path, what: str, advice: str) -> Iterator[None]:
    """Say in a sentence that work of the block filled a disk.

    Args:
        place: where it writes.
        what: begins the sentence: `The export`.
        advice: ends the sentence for who is at the machine: what became of the work, and what to do.

    Raises:
        StorageFull: there was no room for a file.
    """
    free = free_bytes(place)
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        if error.errno == errno.EFBIG:
            where = "a file would have grown beyond the size that is allowed here (File too large; see ulimit -f)"
            why = f"{where}."
        else:
            room = "" if free is None else f": it needs more than the {megabytes(free)} that were free when it began"
            where, why = f"the disk of {place} is full{room}", f"the disk is full{room}: make room and try again."
        raise StorageFull(
            f"{what} was stopped, because {where}. {advice}",
            f"{what} was stopped, because {why}",
            free=free_bytes(place),
        ) from error
