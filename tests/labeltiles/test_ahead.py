"""Things that are made in a thread while the one before is used."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from geolabel.labeltiles.ahead import ahead

if TYPE_CHECKING:
    from collections.abc import Generator


def numbers(threads: list[int], most: int = 1000) -> Generator[int]:
    """1, 2, 3 and so on; notes the threads in which it runs, the last one when it ends."""
    try:
        for n in range(1, most + 1):
            threads.append(threading.get_ident())
            yield n
    finally:
        threads.append(threading.get_ident())


def test_all_come_in_order_out_of_one_other_thread() -> None:
    threads: list[int] = []
    assert list(ahead(numbers(threads))) == list(range(1, 1001))
    assert len(set(threads)) == 1
    assert threads[0] != threading.get_ident()


def test_the_next_one_is_made_while_one_is_used() -> None:
    made: list[threading.Event] = [threading.Event() for _ in range(3)]

    def things() -> Generator[int]:
        for n, event in enumerate(made):
            event.set()
            yield n

    found = ahead(things())
    assert next(found) == 0
    assert made[1].wait(60)
    assert list(found) == [1, 2]


def test_who_stops_early_ends_them_where_they_began() -> None:
    threads: list[int] = []
    found = ahead(numbers(threads))
    assert next(iter(found)) == 1
    found.close()
    assert len(threads) in {2, 3}
    assert len(set(threads)) == 1


def test_what_goes_wrong_comes_in_its_place() -> None:
    def failing() -> Generator[int]:
        yield 1
        raise OSError("The disk is gone.")

    found = ahead(failing())
    assert next(found) == 1
    with pytest.raises(OSError, match="The disk is gone"):
        next(found)
