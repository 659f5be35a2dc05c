"""Shapes at rest: in a temporary file, so that the memory that a dataset takes does not grow with the labels of its project."""

from __future__ import annotations

import os
import tempfile
import weakref
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray


class Resting:
    """WKB of many shapes, 16 bytes of memory each; any thread may read it. The file goes when this does.

    Args:
        count: of the shapes, where it is known, to put them in any order.
        folder: where the file lies; where nothing can be written there, or none is given, with the system's temporary files,
            which may be in memory.
    """

    def __init__(self, count: int = 0, folder: Path | None = None) -> None:
        self.folder = folder if folder is not None and os.access(folder, os.W_OK | os.X_OK) else None
        self._file = tempfile.TemporaryFile(buffering=0, dir=self.folder)  # noqa: SIM115 (it lasts as long as this object)
        weakref.finalize(self, self._file.close)
        self._lock = Lock()
        self._end = 0
        self._starts = np.zeros(count, dtype=np.int64)
        self._sizes = np.zeros(count, dtype=np.int64)

    def __len__(self) -> int:
        return len(self._starts)

    def append(self, shapes: Sequence[bytes]) -> None:
        """Put shapes behind those that are there."""
        rows = np.arange(len(self), len(self) + len(shapes))
        nothing = np.zeros(len(shapes), dtype=np.int64)
        self._starts, self._sizes = np.append(self._starts, nothing), np.append(self._sizes, nothing)
        self.put(rows, shapes)

    def put(self, rows: NDArray[np.int64], shapes: Sequence[bytes]) -> None:
        """Put the shapes of some rows."""
        sizes = np.fromiter(map(len, shapes), dtype=np.int64, count=len(shapes))
        ends = self._end + np.cumsum(sizes)
        self._starts[rows], self._sizes[rows] = ends - sizes, sizes
        content = memoryview(b"".join(shapes))
        with self._lock:
            self._file.seek(self._end)
            while content:  # a drive that is nearly full takes a part of it
                content = content[self._file.write(content) :]
        self._end = int(ends[-1]) if len(ends) else self._end

    def __getitem__(self, rows: slice | NDArray[np.int64]) -> NDArray[np.object_]:
        """(m,) bytes, WKB of some rows."""
        starts, sizes = self._starts[rows], self._sizes[rows]
        found = np.empty(len(starts), dtype=object)
        if not len(starts):
            return found
        ends = starts + sizes
        # Neighbours in the file are read at once.
        breaks = np.flatnonzero(starts[1:] != ends[:-1]) + 1
        for first, last in zip([0, *breaks.tolist()], [*breaks.tolist(), len(starts)], strict=True):
            begin = int(starts[first])
            content = self._read(begin, int(ends[last - 1]) - begin)
            for row in range(first, last):
                at = int(starts[row]) - begin
                found[row] = content[at : at + int(sizes[row])]
        return found

    def _read(self, at: int, size: int) -> bytes:
        with self._lock:
            self._file.seek(at)
            content = self._file.read(size)
            while len(content) < size:  # a read gives 2 GB at most
                part = self._file.read(size - len(content))
                if not part:
                    raise OSError(f"The temporary file of the labels' shapes ends at {at + len(content):,} bytes.")
                content += part
        return content
