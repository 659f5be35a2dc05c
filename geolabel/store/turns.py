"""One writer after the other, in the order in which they came."""

from __future__ import annotations

import threading
from collections import deque


class Turns:
    """A lock that whoever came first gets first; Python's own may pass over one of many for as long as others come."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taken = False
        self._waiting: deque[threading.Lock] = deque()

    def acquire(self, timeout: float) -> bool:
        """Wait for one's turn; False when it did not come in time.

        Args:
            timeout: in seconds.
        """
        with self._lock:
            if not self._taken:
                self._taken = True
                return True
            mine = threading.Lock()
            mine.acquire()
            self._waiting.append(mine)
        if mine.acquire(timeout=timeout):
            return True
        with self._lock:
            if mine not in self._waiting:  # it came in the very last moment
                return True
            self._waiting.remove(mine)
            return False

    def release(self) -> None:
        """Let the next one have it."""
        with self._lock:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._taken = False
