"""Datasets in object storage: s3://bucket/folder, gs:// and az://, by obstore.

Objects cannot be renamed as one, so here `manifest.json` is what says that a dataset is whole: it is written last. Every
process writes the files of its chips itself; what grows bit by bit rests in a temporary file until it is whole.
Credentials, region and endpoint come from the environment, as each cloud's own tools read them (`AWS_ACCESS_KEY_ID`,
`AWS_REGION`, `AWS_ENDPOINT_URL`, `GOOGLE_APPLICATION_CREDENTIALS`, `AZURE_STORAGE_ACCOUNT_NAME`...).
"""

from __future__ import annotations

import os
import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import urlsplit, urlunsplit

from geolabel.errors import AlreadyExists, InvalidSpec, NotAllowed
from geolabel.formats.files import BUILD

if TYPE_CHECKING:
    from collections.abc import Iterator

SCHEMES = ("s3", "gs", "az")

_MARK = f"{BUILD}/of"


class ObjectFiles:
    """See `Files`.

    Args:
        url: of the dataset: `s3://bucket/folder`.
        rest: folder for what grows bit by bit, nameless files that go with this process; where nothing can be written
            there, or none is given, with the system's temporary files, which may be in memory.
    """

    def __init__(self, url: str, rest: Path | None = None) -> None:
        self.url = url
        self._rest = rest if rest is not None and os.access(rest, os.W_OK | os.X_OK) else None
        self.closing = ExitStack()
        self._opened: dict[str, BinaryIO] = {}
        self._connected: Any = None

    def __str__(self) -> str:
        return self.url

    def __reduce__(self) -> tuple[type[ObjectFiles], tuple[str]]:
        return (ObjectFiles, (self.url,))

    def write(self, path: str, content: bytes) -> None:
        """Write a whole object."""
        import obstore  # noqa: PLC0415 (some ten MB, for those who have a bucket)

        with self._said():
            obstore.put(self._store, path, content)

    def link(self, path: str, name: str) -> None:
        """Write an object once more: the store copies it."""
        import obstore  # noqa: PLC0415

        with self._said():
            obstore.copy(self._store, path, name)

    def read(self, path: str) -> bytes | None:
        """The whole of an object."""
        import obstore  # noqa: PLC0415

        try:
            with self._said():
                return bytes(obstore.get(self._store, path).bytes())
        except FileNotFoundError:
            return None

    def size(self, path: str) -> int | None:
        """Bytes of an object."""
        import obstore  # noqa: PLC0415

        try:
            with self._said():
                return int(obstore.head(self._store, path)["size"])
        except FileNotFoundError:
            return None

    def remove(self, folder: str) -> None:
        """Remove all objects of a folder; all of the dataset when its name is empty."""
        import obstore  # noqa: PLC0415

        with self._said():
            for found in obstore.list(self._store, prefix=folder or None):
                obstore.delete(self._store, [str(meta["path"]) for meta in found])

    def names(self, most: int) -> list[str]:
        """Paths of some of the objects that are there."""
        import obstore  # noqa: PLC0415

        with self._said():
            some = next(iter(obstore.list(self._store, chunk_size=most)), [])
            return [str(meta["path"]) for meta in some]

    def folder(self, path: str) -> None:
        """There are no folders in object storage."""

    def adopt(self, made: Path, path: str) -> None:
        """Write a file as an object."""
        import obstore  # noqa: PLC0415

        with self._said(), made.open("rb") as file:
            obstore.put(self._store, path, file)
        made.unlink()

    def open(self, path: str) -> BinaryIO:
        """A temporary file that becomes the object of that path in `finish`."""
        if path not in self._opened:
            self._opened[path] = self.closing.enter_context(tempfile.TemporaryFile(dir=self._rest))  # noqa: SIM115 - `closing` is one
        return self._opened[path]

    def scratch(self) -> Path:
        """Where this machine keeps temporary files."""
        return Path(tempfile.gettempdir())

    def finish(self) -> None:
        """Write what `open` opened."""
        import obstore  # noqa: PLC0415

        with self._said():
            for path, file in self._opened.items():
                file.seek(0)
                obstore.put(self._store, path, file)

    def close(self) -> None:
        """Forget what `open` opened."""
        self._opened.clear()
        self.closing.close()

    @property
    def _store(self) -> Any:
        if self._connected is None:
            from obstore.store import from_url  # noqa: PLC0415

            self._connected = from_url(self.url, client_options={"allow_http": True})
        return self._connected

    @contextmanager
    def _said(self) -> Iterator[None]:
        from obstore.exceptions import BaseError  # noqa: PLC0415

        try:
            yield
        except FileNotFoundError:
            raise
        except (BaseError, OSError, ValueError) as error:
            said = " ".join(str(error).split())
            raise NotAllowed(
                f"{self.url} cannot be used ({said:.300}). Credentials, region and endpoint come from the environment, such as "
                "AWS_ACCESS_KEY_ID, AWS_REGION and AWS_ENDPOINT_URL."
            ) from error


def is_url(out: object) -> bool:
    """Whether a dataset is to go to object storage."""
    return "://" in str(out)


def check_free(url: str) -> None:
    """Refuse a place that is taken.

    Raises:
        AlreadyExists: a dataset is there, or anything else that no export left.
        InvalidSpec: no URL of object storage.
        NotAllowed: the store cannot be reached, or refuses.
    """
    _check_free(ObjectFiles(_plain(url)))


@contextmanager
def uploaded(url: str, rest: Path | None = None, *, resume: bool = False) -> Iterator[ObjectFiles]:
    """Give objects to write; at an exception those of this export are gone.

    Args:
        url: of the dataset.
        rest: see `ObjectFiles`.
        resume: what a killed process left is kept, and so is what this one leaves when it fails.

    Raises:
        AlreadyExists, InvalidSpec, NotAllowed: as `check_free`.
    """
    files = ObjectFiles(_plain(url), rest)
    _check_free(files)
    if not resume:
        files.remove("")
    try:
        yield files
        files.remove(BUILD)
    except BaseException:
        if not resume:
            files.remove("")
        raise


def _check_free(files: ObjectFiles) -> None:
    if files.size("manifest.json") is not None:
        raise AlreadyExists(
            f"{files} holds a dataset already, and a dataset never changes. Choose another name, or remove it first."
        )
    if files.size(_MARK) is None and (names := files.names(1)):
        raise AlreadyExists(f"{files} is not empty: {names[0]} is there. Choose another name, or remove it first.")


def _plain(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in SCHEMES or not parts.netloc or not parts.path.strip("/") or parts.query or parts.username:
        raise InvalidSpec(f"A dataset goes to a folder, or to s3://BUCKET/FOLDER (gs://, az://); got {url!r:.120}.")
    return urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/"), "", ""))
