"""What was made once is not made again; and the ETag that says so to clients."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from concurrent.futures import Future
from threading import Lock
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

Value = TypeVar("Value")


class Cache(Generic[Value]):
    """Values by key, the least recently used thrown out first, unless others are worth more; for many threads.

    A value that several threads ask for at once is made by one of them while the others wait. One that could not be
    made is not kept: all who waited get the error, the next one tries again.

    Args:
        limit: how much is kept; 0 keeps nothing.
        size: what a value counts for.
    """

    def __init__(self, limit: int, size: Callable[[Value], int] = lambda _: 1) -> None:
        self._limit = limit
        self._size = size
        self._used = 0
        self._kept: dict[Hashable, tuple[Value, float]] = {}
        # By worth, the least recently used first: until which age each value stays ("GreedyDual", Young 1994).
        self._until: dict[float, OrderedDict[Hashable, float]] = {}
        self._age = 0.0
        self._making: dict[Hashable, Future[Value]] = {}
        self._lock = Lock()

    def get(self, key: Hashable, make: Callable[[], Value], worth: float = 1) -> Value:
        """The value of a key, made by `make` when it is not there.

        One that is worth twice as much stays twice as long when nobody asks for it.
        """
        with self._lock:
            if key in self._kept:
                return self._touched(key)
            future = self._making.get(key)
            if future is None:
                mine = self._making[key] = Future()
        if future is not None:
            return future.result()
        try:
            value = make()
        except BaseException as error:
            with self._lock:
                del self._making[key]
            mine.set_exception(error)
            raise
        with self._lock:
            del self._making[key]
            self._keep(key, value, worth)
        mine.set_result(value)
        return value

    def kept(self, key: Hashable) -> Value | None:
        """The value of a key, if it is there."""
        with self._lock:
            return self._touched(key) if key in self._kept else None

    def _touched(self, key: Hashable) -> Value:
        value, worth = self._kept[key]
        self._until[worth][key] = self._age + worth
        self._until[worth].move_to_end(key)
        return value

    def _keep(self, key: Hashable, value: Value, worth: float) -> None:
        size = self._size(value)
        if size > self._limit:
            return
        self._kept[key] = value, worth
        self._until.setdefault(worth, OrderedDict())[key] = self._age + worth
        self._used += size
        while self._used > self._limit:
            # Of each worth the first goes first.
            oldest = min(filter(None, self._until.values()), key=lambda these: next(iter(these.values())))
            gone, self._age = oldest.popitem(last=False)
            self._used -= self._size(self._kept.pop(gone)[0])


def make_etag(*parts: object) -> str:
    """A strong ETag, quotes included, of everything that the bytes depend on."""
    digest = hashlib.sha256("\0".join(map(repr, parts)).encode())
    return f'"{digest.hexdigest()[:32]}"'


def etag_matches(header: str | None, etag: str) -> bool:
    """Whether an If-None-Match header names the ETag (weakly compared, as RFC 9110 says for it)."""
    given = [part.strip().removeprefix("W/") for part in (header or "").split(",")]
    return etag in given or given == ["*"]
