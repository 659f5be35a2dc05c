"""Work that nobody waits for any more ends at the next part of it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from tiles.errors import TooSlow

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    Result = TypeVar("Result")


class _Current(threading.local):
    """What the work of this thread listens to."""

    stop: threading.Event | None = None


_current = _Current()


def listening(stop: threading.Event, work: Callable[[], Result]) -> Result:
    """Do work whose parts end when an event is set."""
    _current.stop = stop
    try:
        return work()
    finally:
        _current.stop = None


def check() -> None:
    """Called between parts.

    Raises:
        TooSlow: whoever asked was told so already.
    """
    if _current.stop is not None and _current.stop.is_set():
        raise TooSlow("It was given up.")
