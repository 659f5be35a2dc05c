"""Work that waits until what calls for it has ended."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class WhenCalm:
    """Does something for a name once nobody has called for it for a while.

    Args:
        seconds: how long.
        do: gets the name, in a thread of its own.
    """

    def __init__(self, seconds: float, do: Callable[[str], None]) -> None:
        self._seconds = seconds
        self._do = do
        self._waiting: dict[str, threading.Timer] | None = {}
        self._lock = threading.Lock()

    def call(self, name: str) -> None:
        """Call for it; what waited for the same name waits anew."""
        with self._lock:
            if self._waiting is None:
                return
            if name in self._waiting:
                self._waiting[name].cancel()
            timer = self._waiting[name] = threading.Timer(self._seconds, self._do, [name])
            timer.daemon = True
            timer.start()

    def close(self) -> None:
        """Do nothing any more."""
        with self._lock:
            for timer in (self._waiting or {}).values():
                timer.cancel()
            self._waiting = None
