"""A folder that appears under its name only when everything in it is whole."""

from __future__ import annotations

import ctypes
import os
import shutil
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from geolabel.errors import AlreadyExists, NotAllowed
from geolabel.formats.files import BUILD

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from collections.abc import Iterator

# Since Linux 5.8 it says, as fsync does, when something could not be written.
_syncfs = getattr(ctypes.CDLL(None), "syncfs", None) if sys.platform == "linux" else None


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
def staged(out: Path, *, resume: bool = False) -> Iterator[Path]:
    """Give a folder beside `out` to write into, `.{name}.partial`; at the end of the block it becomes `out`.

    All files are on the disk before the name is: after a power cut there is a whole dataset or none. A folder that a
    killed process left is emptied first.

    Args:
        out: what will be there.
        resume: what a killed process left is kept, and so is what this one leaves when it fails; otherwise an exception
            leaves nothing.

    Raises:
        AlreadyExists: something is at `out`, at the start or at the end.
        NotAllowed: the folder above cannot be written to, or another process is at it.
    """
    check_free(out)
    made = _make_parents(out.parent)
    folder = out.with_name(f".{out.name}.partial")
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        lock = _lock(folder, out)
    except OSError as error:
        _remove_empty(made)
        raise NotAllowed(f"Nothing can be written to {out.parent}: {error.strerror}.") from error
    try:
        if not resume:
            _empty(folder)
        yield folder
        shutil.rmtree(folder / BUILD, ignore_errors=True)
        folder.chmod(0o777 & ~_umask())
        _sync(folder)
        check_free(out)
        folder.rename(out)
        _sync_one(out.parent)
    except BaseException:
        if not resume:
            discard(out)
            _remove_empty(made)
        raise
    finally:
        os.close(lock)


def discard(out: Path) -> None:
    """Remove what a process left that was killed while it wrote `out`."""
    shutil.rmtree(out.with_name(f".{out.name}.partial"), ignore_errors=True)


def _lock(folder: Path, out: Path) -> int:
    """Keep other processes out as long as the handle is open, which ends with this process."""
    handle = os.open(folder, os.O_RDONLY)
    if fcntl is not None:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            raise NotAllowed(
                f"Another export is writing {out} at this moment; wait for it, or choose another name."
            ) from None
        except OSError:  # a drive without locks
            pass
    return handle


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


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
    """What is in a folder is on the disk.

    Linux writes a whole drive in one call, where a call for each of thousands of files takes longer than the export.
    """
    if _syncfs is not None:
        handle = os.open(folder, os.O_RDONLY)
        try:
            if _syncfs(handle) == 0:
                return
        finally:
            os.close(handle)
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
