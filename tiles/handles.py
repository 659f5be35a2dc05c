"""Open rasters that wait for the next tile: opening costs as much as drawing."""

from __future__ import annotations

from collections import OrderedDict
from contextlib import ExitStack, contextmanager
from threading import Lock
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator
    from contextlib import AbstractContextManager


class Handles:
    """Open handles by key; each is lent to one thread at a time, and those that nobody uses are closed at the limit.

    Args:
        limit: how many stay open while nobody uses them.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._idle: OrderedDict[tuple[Hashable, int], tuple[Any, ExitStack]] = OrderedDict()
        self._lock = Lock()
        self._serial = 0

    def __len__(self) -> int:
        return len(self._idle)

    @contextmanager
    def lend(self, key: Hashable, open_: Callable[[], AbstractContextManager[Any]]) -> Iterator[Any]:
        """A handle for the block, opened by `open_` when none is idle; one whose block failed is closed and not kept."""
        handle, closing = self._take(key) or _open(open_)
        try:
            yield handle
        except BaseException:
            closing.close()
            raise
        self._give_back(key, handle, closing)

    def _take(self, key: Hashable) -> tuple[Any, ExitStack] | None:
        with self._lock:
            for full_key in reversed(self._idle):  # the one used last is warm
                if full_key[0] == key:
                    return self._idle.pop(full_key)
        return None

    def _give_back(self, key: Hashable, handle: Any, closing: ExitStack) -> None:
        with self._lock:
            self._serial += 1
            self._idle[key, self._serial] = (handle, closing)
            surplus = [self._idle.popitem(last=False)[1] for _ in range(len(self._idle) - self._limit)]
        for _, old in surplus:
            old.close()

    def close(self) -> None:
        """Close all that are idle."""
        with self._lock:
            idle, self._idle = self._idle, OrderedDict()
        for _, closing in idle.values():
            closing.close()


def _open(open_: Callable[[], AbstractContextManager[Any]]) -> tuple[Any, ExitStack]:
    stack = ExitStack()
    return stack.enter_context(open_()), stack
