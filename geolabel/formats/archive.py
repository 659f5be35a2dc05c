"""Archives that strangers send: members are streamed to names that we check, never further than a limit, never a link."""

from __future__ import annotations

import stat
import tarfile
import tempfile
import unicodedata
import zipfile
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING

from geolabel.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterator

_BLOCK = 1 << 20
_RESERVED = {"con", "prn", "aux", "nul", *(f"{n}{i}" for n in ("com", "lpt") for i in range(1, 10))}


@dataclass(frozen=True, slots=True)
class Limits:
    """How much an archive may hold.

    Attributes:
        members: files in it.
        total: bytes of all of them, unpacked.
        ratio: bytes unpacked for each byte of the archive.
        depth: folders below each other.
        slack: bytes from which on the ratio counts: small files compress well.
    """

    members: int = 200_000
    total: int = 20_000_000_000
    ratio: float = 200.0
    depth: int = 32
    slack: int = 50_000_000


LIMITS = Limits()


def is_archive(path: Path) -> bool:
    """Whether a file is a zip or a tar, by its first bytes."""
    return path.is_file() and (
        zipfile.is_zipfile(path) or (path.suffix in {".tar", ".tgz", ".gz"} and tarfile.is_tarfile(path))
    )


@contextmanager
def unpacked(path: Path, limits: Limits = LIMITS) -> Iterator[Path]:
    """A folder with the files of an archive, gone when the block ends.

    Nothing outside the folder is ever written; links, devices, absolute paths, drives, `..`, names that differ only in case
    or in the form of their letters, and encrypted members are refused, and so is an archive that holds more than `limits`.

    Raises:
        InvalidInput: which member, and why.
    """
    with tempfile.TemporaryDirectory(prefix="geolabel-") as name:
        folder = Path(name)
        try:
            if zipfile.is_zipfile(path):
                _unzip(path, folder, limits)
            else:
                _untar(path, folder, limits)
        except (
            zipfile.BadZipFile,
            tarfile.TarError,
            zlib.error,
            EOFError,
            NotImplementedError,
            RuntimeError,
            UnicodeError,
        ) as error:
            raise InvalidInput(
                f"{path.name} cannot be unpacked: {str(error)[:200] or type(error).__name__}."
            ) from error
        yield folder


def _unzip(path: Path, folder: Path, limits: Limits) -> None:
    with zipfile.ZipFile(path) as archive:
        writer = _Writer(path, folder, limits)
        for member in archive.infolist():
            mode = member.external_attr >> 16
            if stat.S_IFMT(mode) not in {0, stat.S_IFREG, stat.S_IFDIR}:
                raise writer.refused(member.filename, "is a link or a device")
            if member.flag_bits & 1:
                raise writer.refused(member.filename, "is encrypted")
            # ZipFile cuts a name at its first NUL and turns backslashes on Windows: what counts is what the file says.
            if member.is_dir():
                writer.check(member.orig_filename)
                continue
            with archive.open(member) as stream:
                writer.write(member.orig_filename, stream)


def _untar(path: Path, folder: Path, limits: Limits) -> None:
    with tarfile.open(path, "r|*") as archive:
        writer = _Writer(path, folder, limits)
        for member in archive:
            if member.isdir():
                writer.check(member.name)
                continue
            stream = archive.extractfile(member) if member.isreg() else None
            if stream is None:
                raise writer.refused(member.name, "is a link or a device")
            writer.write(member.name, stream)


class _Writer:
    def __init__(self, path: Path, folder: Path, limits: Limits) -> None:
        self._path, self._folder, self._limits = path, folder, limits
        self._size = max(path.stat().st_size, 1)
        self._names: dict[str, str] = {}
        self._members = self._total = 0

    def refused(self, name: str, why: str) -> InvalidInput:
        return InvalidInput(f"{self._path.name} is refused: its member {name!r:.120} {why}.")

    def check(self, name: str) -> PurePosixPath:
        """The path of a member inside the folder."""
        self._members += 1
        if self._members > self._limits.members:
            raise InvalidInput(f"{self._path.name} is refused: it has more than {self._limits.members:,} members.")
        parts = PurePosixPath(name).parts
        if not name.isprintable() or "\\" in name or ":" in name:
            raise self.refused(name, "has a name with a backslash, a colon or a character that cannot be seen")
        if not parts or name.startswith("/") or ".." in parts:
            raise self.refused(name, "would lie outside the folder")
        if len(parts) > self._limits.depth or any(len(part.encode()) > 255 for part in parts):
            raise self.refused(name, "lies too deep, or has too long a name")
        if any(part.partition(".")[0].lower() in _RESERVED for part in parts):
            raise self.refused(name, "has a name that some systems keep for devices")
        return PurePosixPath(*parts)

    def write(self, name: str, stream: IO[bytes]) -> None:
        """Write a member, counting as it grows: what the archive says of its size is not believed."""
        inside = self.check(name)
        folded = unicodedata.normalize("NFKC", str(inside)).casefold()
        if folded in self._names:
            raise self.refused(name, f"has the name of another one, {self._names[folded]!r:.120}, on some systems")
        self._names[folded] = name
        target = self._folder.joinpath(*inside.parts)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("xb") as file:
                while block := stream.read(_BLOCK):
                    self._total += len(block)
                    self._check_total()
                    file.write(block)
        except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
            raise self.refused(name, "is a file and a folder at once") from error

    def _check_total(self) -> None:
        limits = self._limits
        if self._total > limits.total:
            raise InvalidInput(f"{self._path.name} is refused: it holds more than {limits.total:,} bytes.")
        if self._total > limits.slack and self._total > limits.ratio * self._size:
            raise InvalidInput(
                f"{self._path.name} is refused: it unpacks to more than {limits.ratio:g} times its size, as only a bomb does."
            )
