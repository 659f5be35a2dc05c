"""Python's collector of reference cycles, kept from looking through what is alive anyway.

It looks at what there is each time so many new objects were made. Bulk work makes millions, none of them in a cycle: a
seventh of an import's time went into looking.
"""

from __future__ import annotations

import gc
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_BULK = (200_000, 50, 1000)
_SERVING = (20_000, 20, 50)  # an answer with 1,000 labels makes some 5,000 objects that live as long as it


@contextmanager
def collecting_seldom() -> Iterator[None]:
    """A block of bulk work."""
    before = gc.get_threshold()
    gc.set_threshold(*_BULK)
    try:
        yield
    finally:
        gc.set_threshold(*before)


def settle_down() -> None:
    """Before a server answers, or forks: what was loaded by now stays, and is not looked through beside every large answer."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_SERVING)
