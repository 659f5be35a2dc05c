"""While this process has a workspace's file open, no other copy of SQLite in it takes the log away.

GDAL brings its own SQLite. When it reads the live file in our process (`geopandas.read_file(...)` in a notebook, say), the
two do not see each other: POSIX locks do not hold within a process, and each close drops those of the other
(sqlite.org/howtocorrupt.html, 2.2.1). GDAL's copy then takes itself for the last one, deletes the log, and what we write
afterwards goes into a file without a name. Locks of an open file description (fcntl(2), F_OFD_SETLK) hold against everybody
and end only with their own descriptor, so we keep two: with them the other copy sees that somebody is there. Linux only;
on Windows, locks belong to handles from the start.
"""

from __future__ import annotations

import os
import struct
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from pathlib import Path

_SETLK: Final[int | None] = getattr(fcntl, "F_OFD_SETLK", None)
# Where SQLite locks (os_unix.c): readers of the database file, and who is connected to the index of its log.
_SHARED: Final = (0x40000002, 510)
_CONNECTED: Final = (128, 1)


@dataclass
class _Open:
    users: int = 0
    descriptors: list[int] = field(default_factory=list)


# By device and inode. A descriptor is closed only when no Store of this process has the file open: that, too, drops locks.
_open: dict[tuple[int, int], _Open] = {}
_lock = threading.Lock()


class Hold:
    """Two locks on a workspace's file and on the index of its log.

    To be made while a connection is open. Its block, in which the connections are closed, lets the locks go first, so that
    the last one brings the log into the file as ever.

    Args:
        file: the GeoPackage, in WAL mode.
    """

    def __init__(self, file: Path) -> None:
        status = file.stat()
        self._key = (status.st_dev, status.st_ino)
        self._held = _SETLK is not None
        if not self._held:
            return
        with _lock:
            known = _open.setdefault(self._key, _Open())
            known.users += 1
            index = file.with_name(f"{file.name}-shm")
            with suppress(OSError):  # a file system without such locks
                while len(known.descriptors) < 2:
                    known.descriptors.append(os.open((file, index)[len(known.descriptors)], os.O_RDONLY | os.O_CLOEXEC))
                for descriptor, place in zip(known.descriptors, (_SHARED, _CONNECTED), strict=True):
                    _set(descriptor, fcntl.F_RDLCK, *place)

    def __enter__(self) -> None:
        with _lock:
            if self._held and _open[self._key].users == 1:
                for descriptor in _open[self._key].descriptors:
                    with suppress(OSError):
                        _set(descriptor, fcntl.F_UNLCK, 0, 0)

    def __exit__(self, *exc: object) -> None:
        with _lock:
            if not self._held:
                return
            self._held = False
            known = _open[self._key]
            known.users -= 1
            if known.users == 0:
                del _open[self._key]
                for descriptor in known.descriptors:
                    os.close(descriptor)


def _set(descriptor: int, kind: int, start: int, length: int) -> None:
    assert _SETLK is not None
    fcntl.fcntl(descriptor, _SETLK, struct.pack("hhqqi", kind, os.SEEK_SET, start, length, 0))
