"""Loops that numba compiles: on their first use, once for a machine, and without holding the interpreter.

A module of kernels is imported only by the function that runs them, because numba alone takes most of a second: the
command line and short work never load it.
"""

from __future__ import annotations

import os
import stat
import tempfile
import threading
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """Compile a function when it is first called; the machine code is kept for the next process."""
    return _compiled(function)


def compiled_for_vectors(function: Function) -> Function:
    """The same for loops without branches, which become vector instructions: to divide by zero is no error, as in numpy."""
    return _compiled(function, error_model="numpy")


def _compiled(function: Function, **options: Any) -> Function:
    import numba  # noqa: PLC0415 (see above)

    if not _cached_beside_the_code_or_at_home(Path(function.__code__.co_filename)):
        # numba refuses to cache where neither the package nor the home can be written.
        numba.config.CACHE_DIR = _own_cache()  # type: ignore[attr-defined]
    return cast("Function", numba.njit(cache=True, nogil=True, **options)(function))


_ready: dict[str, ModuleType] = {}
_begun: set[str] = set()
_lock = threading.Lock()


def when_ready(name: str, *, worth: bool) -> ModuleType | None:
    """A module of kernels once all of them are compiled; nobody who answers somebody waits for that.

    Args:
        name: of the module; its `warm_up` runs each of its kernels.
        worth: whether there is so much to do that it should be made ready, beside what goes on meanwhile.
    """
    if name in _ready or not worth:
        return _ready.get(name)
    with _lock:
        begun = name in _begun
        _begun.add(name)
    if not begun:
        threading.Thread(target=make_ready, args=(name,), name=f"compiling {name}").start()
    return None


def make_ready(name: str) -> None:
    """Compile the kernels of a module now, or load them when they were compiled before."""
    module = import_module(name)
    module.warm_up()
    _ready[name] = module


def _cached_beside_the_code_or_at_home(file: Path) -> bool:
    if os.environ.get("NUMBA_CACHE_DIR"):
        return True
    cache_home = Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser())
    return _can_make(file.parent / "__pycache__" / "x") or _can_make(cache_home / "numba" / "x")


def _can_make(path: Path) -> bool:
    """Whether a file of that name could be made, folders above it included."""
    there = next(parent for parent in path.parents if parent.exists())
    return there.is_dir() and os.access(there, os.W_OK | os.X_OK)


@lru_cache(maxsize=1)
def _own_cache() -> str:
    """A folder for machine code that nobody else can write to, the same for every process of this user if that can be."""
    user = os.getuid() if hasattr(os, "getuid") else None
    folder = Path(tempfile.gettempdir()) / f"geolabel-compiled-{'me' if user is None else user}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError:
        return tempfile.mkdtemp(prefix="geolabel-compiled-")
    ours = stat.S_ISDIR(found.st_mode) and (user is None or found.st_uid == user) and not found.st_mode & 0o022
    return str(folder) if ours else tempfile.mkdtemp(prefix="geolabel-compiled-")
