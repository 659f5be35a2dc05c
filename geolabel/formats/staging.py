"""A folder that appears under its name only when everything in it is whole."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from geolabel.errors import AlreadyExists, NotAllowed

if TYPE_CHECKING:
    from collections.abc import Iterator


def check_free(out: Path) -> None:
    """Refuse a name that is taken.

    Raises:
        AlreadyExists: something is there, be it an empty folder.
        NotAllowed: no folder can have that name.
    """
    try:
        out.lstat()
    except FileNotFoundError:
        return
    except (OSError, ValueError) as error:
        raise NotAllowed(f"{str(out)!r:.80} cannot be the name of a new folder: {error!s:.80}.") from error
    raise AlreadyExists(f"{out} exists already, and a dataset never changes. Choose another name, or remove it first.")


@contextmanager
def staged(out: Path) -> Iterator[Path]:
    """Give a folder beside `out` to write into; at the end of the block it becomes `out`, at an exception it is gone.

    All files are on the disk before the name is: after a power cut there is a whole dataset or none.

    Raises:
        AlreadyExists: something is at `out`, at the start or at the end.
        NotAllowed: the folder above cannot be written to.
    """
    check_free(out)
    made = _make_parents(out.parent)
    try:
        folder = Path(tempfile.mkdtemp(prefix=f".{out.name}.", suffix=".partial", dir=out.parent))
    except OSError as error:
        _remove_empty(made)
        raise NotAllowed(f"Nothing can be written to {out.parent}: {error.strerror}.") from error
    try:
        yield folder
        folder.chmod(0o777 & ~_umask())
        _sync(folder)
        check_free(out)
        folder.rename(out)
        _sync_one(out.parent)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        _remove_empty(made)
        raise


def _make_parents(parent: Path) -> list[Path]:
    """Make the folders above that are missing; gives those that were, the lowest first."""
    missing = [p for p in (parent, *parent.parents) if not p.exists()]
    try:
        parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        _remove_empty(missing)
        raise NotAllowed(f"The folder {parent} cannot be made: {error.strerror}.") from error
    return missing


def _remove_empty(folders: list[Path]) -> None:
    for folder in folders:
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


def _umask() -> int:
    """The process's umask: temporary folders are private, datasets are as the user's files are."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _sync(folder: Path) -> None:
    for root, _, names in os.walk(folder):
        for name in names:
            _sync_one(Path(root, name))
        _sync_one(Path(root))


def _sync_one(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
