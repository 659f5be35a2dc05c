"""The next of some things is made in a thread while the one before is used."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Generator

    T = TypeVar("T")


def ahead(things: Generator[T]) -> Generator[T]:
    """The same things in the same order; all of the generator runs in one thread, its end too."""
    with ThreadPoolExecutor(1, thread_name_prefix="ahead") as pool:
        following = pool.submit(next, things, None)
        try:
            while (thing := following.result()) is not None:
                following = pool.submit(next, things, None)
                yield thing
        finally:
            pool.submit(things.close).result()
