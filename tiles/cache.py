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
    """Values by key, the least recently used thrown out first; for many threads.

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
        self._kept: OrderedDict[Hashable, Value] = OrderedDict()
        self._making: dict[Hashable, Future[Value]] = {}
        self._lock = Lock()

    def get(self, key: Hashable, make: Callable[[], Value]) -> Value:
        """The value of a key, made by `make` when it is not there."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
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
            self._keep(key, value)
        mine.set_result(value)
        return value

    def kept(self, key: Hashable) -> Value | None:
        """The value of a key, if it is there."""
        with self._lock:
            if key not in self._kept:
                return None
            self._kept.move_to_end(key)
            return self._kept[key]

    def _keep(self, key: Hashable, value: Value) -> None:
        size = self._size(value)
        if size > self._limit:
            return
        self._kept[key] = value
        self._used += size
        while self._used > self._limit:
            _, old = self._kept.popitem(last=False)
            self._used -= self._size(old)


def make_etag(*parts: object) -> str:
    """A strong ETag, quotes included, of everything that the bytes depend on."""
    digest = hashlib.sha256("\0".join(map(repr, parts)).encode())
    return f'"{digest.hexdigest()[:32]}"'


def etag_matches(header: str | None, etag: str) -> bool:
    """Whether an If-None-Match header names the ETag (weakly compared, as RFC 9110 says for it)."""
    given = [part.strip().removeprefix("W/") for part in (header or "").split(",")]
    return etag in given or given == ["*"]
