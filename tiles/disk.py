"""Tiles on the disk: they outlive the process, and several processes share them.

An entry is a file that holds its own length and hash; it appears whole, by a rename. So whatever a crash, a full disk or
a bad sector leaves behind is at the worst a tile that is drawn again. Nothing is locked: processes that write the same
tile write the same bytes.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from threading import Lock
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_MAGIC: Final = b"tile1\n"
_HASH: Final = 16
_HEAD: Final = len(_MAGIC) + 8 + _HASH
# An entry that is read is young again, as far as its date goes; not at each reading.
_TOUCHED_S: Final = 3600.0
_HALF_WRITTEN_S: Final = 3600.0


class DiskCache:
    """Bytes by name, the least recently used removed first. For many threads and processes.

    Args:
        folder: made when it is needed; nothing else may be in it.
        limit: bytes that are kept. It is held within a sixteenth, because it is looked at after so many were written.
    """

    def __init__(self, folder: Path, limit: int) -> None:
        self._folder = folder
        self._limit = limit
        self._since = limit  # look once at the start: another run may have left more than there may be now
        self._lock = Lock()

    def get(self, name: str) -> bytes | None:
        """The bytes of a name; None when there are none, or not those that were written."""
        path = self._path(name)
        try:
            with path.open("rb") as file:
                if time.time() - os.fstat(file.fileno()).st_mtime > _TOUCHED_S:
                    os.utime(file.fileno())
                content = file.read()
        except OSError:
            return None
        body = content[_HEAD:]
        if content[:_HEAD] == _head(name, body):
            return body
        with contextlib.suppress(OSError):
            path.unlink()
        return None

    def put(self, name: str, body: bytes) -> None:
        """Keep bytes. Without room, or the right to write, they are not kept."""
        path = self._path(name)
        staged = path.with_name(f".{path.name}.{os.getpid()}.{id(body):x}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with staged.open("xb") as file:
                file.write(_head(name, body) + body)
            staged.replace(path)
        except OSError:
            with contextlib.suppress(OSError):
                staged.unlink()
            return
        with self._lock:
            self._since += len(body) + _HEAD
            due = self._since > self._limit // 16
            if due:
                self._since = 0
        if due:
            self.sweep()

    def sweep(self) -> None:
        """Remove the oldest until there is room, and what was left half written."""
        entries, used = [], 0
        for entry in self._files():
            try:
                status = entry.stat()
                if entry.name.startswith(".") and time.time() - status.st_mtime > _HALF_WRITTEN_S:
                    os.unlink(entry.path)  # noqa: PTH108 - one of very many
                    continue
            except OSError:  # another process removed it
                continue
            entries.append((status.st_mtime_ns, status.st_size, entry.path))
            used += status.st_size
        most = self._limit - self._limit // 16
        for _, size, path in sorted(entries):
            if used <= most:
                return
            with contextlib.suppress(OSError):
                os.unlink(path)  # noqa: PTH108
            used -= size

    def _files(self) -> Iterator[os.DirEntry[str]]:
        try:
            folders = [entry for entry in os.scandir(self._folder) if entry.is_dir(follow_symlinks=False)]
        except OSError:
            return
        for folder in folders:
            try:
                with os.scandir(folder) as entries:
                    yield from (entry for entry in entries if entry.is_file(follow_symlinks=False))
            except OSError:
                continue

    def _path(self, name: str) -> Path:
        digest = hashlib.sha256(name.encode()).hexdigest()
        return self._folder / digest[:2] / digest[2:40]


def _head(name: str, body: bytes) -> bytes:
    """What stands before the bytes: also of which tile they are, so that none stands for another."""
    digest = hashlib.blake2b(name.encode() + b"\0" + body, digest_size=_HASH).digest()
    return _MAGIC + len(body).to_bytes(8, "big") + digest
