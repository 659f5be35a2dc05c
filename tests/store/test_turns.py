"""Writers wait in line."""

from __future__ import annotations

import threading
import time

from geolabel.store.turns import Turns


def waiting(turns: Turns, count: int) -> None:
    """Come back when so many wait."""
    while len(turns._waiting) < count:
        time.sleep(0.001)


def test_who_came_first_is_served_first() -> None:
    turns, order = Turns(), []
    assert turns.acquire(0)

    def come(number: int) -> None:
        assert turns.acquire(60)
        order.append(number)
        turns.release()

    threads = []
    for number in range(30):
        threads.append(threading.Thread(target=come, args=(number,)))
        threads[-1].start()
        waiting(turns, number + 1)
    turns.release()
    for thread in threads:
        thread.join()
    assert order == list(range(30))
    assert turns.acquire(0), "and free afterwards"


def test_one_at_a_time() -> None:
    turns, inside, served = Turns(), 0, 0

    def work() -> None:
        nonlocal inside, served
        for _ in range(200):
            assert turns.acquire(60)
            inside += 1
            time.sleep(0)  # whoever could come in would
            assert inside == 1
            served += 1
            inside -= 1
            turns.release()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert served == 8 * 200


def test_who_gives_up_leaves_the_line() -> None:
    turns = Turns()
    assert turns.acquire(0)
    assert not turns.acquire(0.01)
    assert not turns._waiting
    later = threading.Thread(target=lambda: turns.acquire(60))
    later.start()
    waiting(turns, 1)
    assert not turns.acquire(0.01)
    turns.release()
    later.join()
    assert not turns.acquire(0), "the other has it"
    turns.release()
    assert turns.acquire(0)


def test_a_turn_that_comes_as_one_gives_up_is_not_lost() -> None:
    for _ in range(200):
        turns = Turns()
        assert turns.acquire(0)
        got: list[bool] = []
        thread = threading.Thread(target=lambda turns=turns, got=got: got.append(turns.acquire(0.001)))
        thread.start()
        time.sleep(0.001)
        turns.release()
        thread.join()
        # Either it has it, or it is free.
        assert got == [True] or turns.acquire(0)
