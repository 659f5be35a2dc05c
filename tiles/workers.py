"""The threads that draw, and the queue before them: as many at once as there are cores, and no endless waiting."""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from tiles import metrics
from tiles.errors import Busy

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

Result = TypeVar("Result")


class Workers:
    """A few threads, and a place in the queue for those who may wait.

    More threads than cores only make everybody wait for everybody; a queue without an end makes all of them give up.
    One event loop uses it.

    Args:
        waiting: how many may wait; the next one is refused.
        threads: how many draw at once; the number of cores when None.
    """

    def __init__(self, waiting: int, threads: int | None = None) -> None:
        count = threads or os.cpu_count() or 1
        self._threads = ThreadPoolExecutor(count, thread_name_prefix="tiles")
        self._free = asyncio.Semaphore(count)
        self._limit = waiting
        self._waiting = 0

    async def run(self, work: Callable[[], Result], unwanted: Callable[[], Awaitable[bool]]) -> Result:
        """Do it in one of the threads.

        Args:
            work: what to do.
            unwanted: asked when its turn comes; when nobody waits for the result any more, it is not done.

        Raises:
            Busy: the queue is full, or whoever asked has gone.
        """
        if self._waiting >= self._limit:
            metrics.REFUSED.inc()
            raise Busy(
                f"{self._limit} tiles wait already to be drawn here; try again in a second. TILES_MAX_WAITING sets how many may wait."
            )
        self._waiting += 1
        metrics.WAITING.inc()
        try:
            await self._free.acquire()
        finally:
            self._waiting -= 1
            metrics.WAITING.dec()
        try:
            if await unwanted():
                raise Busy("Whoever asked for this tile has gone.")
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._free.release()
