"""Many who change one label at once, and name no version: each reads, changes and writes again until nobody came between."""

from __future__ import annotations

import random
import time

ATTEMPTS = 20
_LONGEST_S = 0.1


def step_aside(attempt: int) -> None:
    """Wait before the next attempt, everybody for another moment.

    A database lets writers take turns in the order in which they came: who goes on at once would always find that
    another one, who did the same, was in between.

    Args:
        attempt: how many have failed.
    """
    time.sleep(random.uniform(0, min(0.005 * 2**attempt, _LONGEST_S)))  # noqa: S311 (no secret)
