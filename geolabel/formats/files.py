"""Where the files of a dataset are written: by several processes at once, each the files of its own chips."""

from __future__ import annotations

import os
import shutil
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from typing import BinaryIO

BUILD = ".build"
"""The folder of a dataset that is there only while it is built."""

_BUFFER = 1 << 20


class Files(Protocol):
    """Paths are relative to the dataset, with `/` between folders. It can be sent to another process."""

    closing: ExitStack
    """What is closed by `close`, also when the work fails."""

    def write(self, path: str, content: bytes) -> None:
        """Write a whole file; one of that name is replaced."""

    def link(self, path: str, name: str) -> None:
        """Give a file that was written a second name, or write it once more where there are no links."""

    def read(self, path: str) -> bytes | None:
        """The whole of a file; None when there is none of that path."""

    def size(self, path: str) -> int | None:
        """Bytes of a file; None when there is none of that path."""

    def remove(self, folder: str) -> None:
        """Remove a folder and all that is in it, if there is one."""

    def folder(self, path: str) -> None:
        """Make a folder that may stay empty; where there are no folders, nothing."""

    def adopt(self, made: Path, path: str) -> None:
        """Take a whole file that was made in `scratch`; it is gone from there."""

    def open(self, path: str) -> BinaryIO:
        """The file of that path, to write it bit by bit: new at the first call, the same one later."""

    def scratch(self) -> Path:
        """A folder of this machine for what is no part of the dataset; who puts something there removes it."""

    def finish(self) -> None:
        """The files that `open` opened are whole."""

    def close(self) -> None:
        """Close what is open; without `finish`, what `open` opened is worth nothing."""


class LocalFiles:
    """A folder of this machine.

    Args:
        root: there already.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._root = str(root)
        self._made: set[str] = set()
        self._opened: dict[str, BinaryIO] = {}
        self.closing = ExitStack()

    def __str__(self) -> str:
        return str(self.root)

    def __reduce__(self) -> tuple[type[LocalFiles], tuple[Path]]:
        return (LocalFiles, (self.root,))

    def write(self, path: str, content: bytes) -> None:
        """Write a whole file."""
        with open(self._place(path), "wb", buffering=0) as file:  # noqa: PTH123 (some thousand times: paths are slow)
            written = file.write(content)
            while written < len(content):  # a drive that is nearly full takes a part of it
                written += file.write(content[written:])

    def link(self, path: str, name: str) -> None:
        """Give a file a second name; a copy where the drive has no hard links."""
        source, target = self.root / path, Path(self._place(name))
        target.unlink(missing_ok=True)
        try:
            os.link(source, target)
        except OSError:
            shutil.copyfile(source, target)

    def read(self, path: str) -> bytes | None:
        """The whole of a file."""
        try:
            return (self.root / path).read_bytes()
        except FileNotFoundError:
            return None

    def size(self, path: str) -> int | None:
        """Bytes of a file."""
        try:
            return (self.root / path).stat().st_size
        except FileNotFoundError:
            return None

    def remove(self, folder: str) -> None:
        """Remove a folder and all that is in it."""
        self._made.clear()
        shutil.rmtree(self.root / folder, ignore_errors=True)

    def folder(self, path: str) -> None:
        """Make a folder."""
        (self.root / path).mkdir(parents=True, exist_ok=True)

    def adopt(self, made: Path, path: str) -> None:
        """Give a file that was made in `scratch` its place."""
        made.replace(self._place(path))

    def open(self, path: str) -> BinaryIO:
        """The file of that path, to write it bit by bit."""
        if path not in self._opened:
            file = Path(self._place(path)).open("wb", buffering=_BUFFER)  # noqa: SIM115 (it lasts as long as this object)
            self.closing.enter_context(file)
            self._opened[path] = file
        return self._opened[path]

    def scratch(self) -> Path:
        """On the drive of the dataset, which has room for it; what a killed process leaves there goes with the records."""
        return Path(self._place(f"{BUILD}/scratch")).parent

    def finish(self) -> None:
        """The files that `open` opened are whole."""
        self.close()

    def close(self) -> None:
        """Close what is open."""
        self._opened.clear()
        self.closing.close()

    def _place(self, path: str) -> str:
        folder, _, _ = path.rpartition("/")
        if folder not in self._made:
            (self.root / folder).mkdir(parents=True, exist_ok=True)
            self._made.add(folder)
        return f"{self._root}/{path}"
