"""A bound for the memory of a process, so that what a hostile raster asks for is refused by the operating system."""

from __future__ import annotations

import ctypes
import os
import sys
from typing import Final

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]


def bound(megabytes: int) -> None:
    """From now on this process, and its children, may take so much memory for themselves; 0 changes nothing."""
    if megabytes and resource is not None:
        most = resource.getrlimit(resource.RLIMIT_DATA)[1]
        wanted = megabytes * 2**20
        resource.setrlimit(
            resource.RLIMIT_DATA, (wanted if most == resource.RLIM_INFINITY else min(wanted, most), most)
        )


def unbound() -> None:
    """This process may take what the machine has, as it could before: for work that is not a stranger's."""
    if resource is not None:
        most = resource.getrlimit(resource.RLIMIT_DATA)[1]
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))


# Of glibc's malloc.h.
_M_ARENA_MAX: Final = -8
_ARENAS: Final = 2


def share_arenas() -> None:
    """Have the threads of this process share what malloc keeps: each with an arena of its own would keep what it once needed."""
    if sys.platform != "linux" or "MALLOC_ARENA_MAX" in os.environ:
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none, and one heap for all
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, _ARENAS)
