"""The threads that draw, and the queue before them: as many at once as there are cores, and no endless waiting.

What takes too long is given up: whoever asked gets an answer, and the work ends behind the part that it is at
(`tiles.stopping`). A decoder cannot be stopped within a part: until it ends, a spare thread takes the place of the one
that is lost, and its raster is left alone.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final, TypeVar

from tiles import metrics
from tiles.errors import Busy, TooSlow
from tiles.stopping import listening

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable

Result = TypeVar("Result")

SPARE: Final = 4
"""Threads that take the place of those that are lost."""

# Asking whether somebody is still there costs a tenth of a tile, and hardly anybody goes sooner.
_LATE_S: Final = 0.2

_log = logging.getLogger(__name__)


def leave() -> None:
    """End this process at once: it is one of several, and another takes its place."""
    _log.critical("This process has lost too many threads and ends, so that another takes its place.")
    os._exit(70)


class Workers:
    """A few threads, and a place in the queue for those who may wait.

    More threads than cores only make everybody wait for everybody; a queue without an end makes all of them give up.
    One event loop uses it.

    Args:
        waiting: how many may wait; the next one is refused.
        longest_s: how long one may wait, and how long the work may take.
        threads: how many draw at once; the number of cores when None.
        exhausted: called when as many threads are lost as there are spare ones: this process draws less and less.
    """

    def __init__(
        self,
        waiting: int,
        longest_s: float,
        threads: int | None = None,
        exhausted: Callable[[], None] = lambda: None,
    ) -> None:
        count = threads or os.cpu_count() or 1
        self._threads = ThreadPoolExecutor(count + SPARE, thread_name_prefix="tiles")
        self._free = asyncio.Semaphore(count)
        self._limit = waiting
        self._waiting = 0
        self._longest = longest_s
        self._spare = SPARE
        self._lost: Counter[Hashable] = Counter()
        self._exhausted = exhausted

    @property
    def refusal(self) -> Busy | None:
        """Why the next one is refused; None when it may wait."""
        if self._waiting < self._limit:
            return None
        return Busy(
            f"{self._limit} tiles wait already to be drawn here; try again in a second. TILES_MAX_WAITING sets how many may wait."
        )

    async def run(
        self, work: Callable[[], Result], unwanted: Callable[[], Awaitable[bool]], key: Hashable = None
    ) -> Result:
        """Do it in one of the threads.

        Args:
            work: what to do.
            unwanted: asked when its turn comes late; when nobody waits for the result any more, it is not done.
            key: of what is worked on; None when nothing is to be left alone for it.

        Raises:
            Busy: the queue is full, its turn did not come, or whoever asked has gone.
            TooSlow: it takes too long, or something else with this key does.
        """
        came = time.monotonic()
        await self._turn()
        future, stop = None, threading.Event()
        try:
            if time.monotonic() - came > _LATE_S and await unwanted():
                raise Busy("Whoever asked for this tile has gone.")
            if key is not None and self._lost[key]:
                raise TooSlow(
                    f"This raster is left alone: an earlier request takes longer than {self._longest:g} s to read it, and goes on."
                )
            future = asyncio.get_running_loop().run_in_executor(self._threads, listening, stop, work)
        finally:
            if future is None:
                self._free.release()
        future.add_done_callback(self._end)
        if not await self._in_time(future):
            stop.set()
            self._give_up(future, key)
            raise TooSlow(
                f"Reading this took longer than {self._longest:g} s. Rewrite the raster with tiles and overviews (gdal_translate -of COG INPUT OUTPUT.tif), "
                "or raise TILES_MAX_SECONDS."
            )
        return future.result()

    async def _in_time(self, future: asyncio.Future[Any]) -> bool:
        done, _ = await asyncio.wait((future,), timeout=self._longest)
        return bool(done)

    async def _turn(self) -> None:
        if (refusal := self.refusal) is not None:
            metrics.REFUSED.inc()
            raise refusal
        self._waiting += 1
        metrics.WAITING.inc()
        try:
            if self._free.locked():
                await asyncio.wait_for(self._free.acquire(), self._longest)
            else:
                await self._free.acquire()
        except TimeoutError:
            metrics.REFUSED.inc()
            raise Busy(f"No tile could be drawn here for {self._longest:g} s; try again later.") from None
        finally:
            self._waiting -= 1
            metrics.WAITING.dec()

    def _end(self, future: asyncio.Future[Any]) -> None:
        self._free.release()
        if not future.cancelled():
            future.exception()  # whoever gave up on it does not hear of it

    def _give_up(self, future: asyncio.Future[Any], key: Hashable) -> None:
        """Go on without a thread, until it ends."""
        _log.error("A thread is lost, until it ends, to a raster that takes longer than %g s to read.", self._longest)
        metrics.LOST.inc()
        self._lost[key] += 1
        replaced = self._spare > 0
        if replaced:
            self._spare -= 1
            future.remove_done_callback(self._end)
            self._free.release()

        def back(ended: asyncio.Future[Any]) -> None:
            metrics.LOST.dec()
            self._lost[key] -= 1
            if replaced:
                self._spare += 1
                ended.exception()

        future.add_done_callback(back)
        if not self._spare:
            self._exhausted()
