"""Tasks on a Dask cluster. Dask gives the tasks of a worker that died to another one."""

from __future__ import annotations

import ctypes
import os
import sys
from collections import deque
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from geolabel.chips.engine import AHEAD, cores
from geolabel.errors import InvalidSpec, NotFound, WorkerLost

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator

    from geolabel.chips.engine import Result, Task

_CONNECT_S = 10


class Dask:
    """An engine on `dask.distributed` (the extra `geolabel[dask]`).

    The workers need geolabel, and see scenes and the dataset's folder under the paths of this machine: a shared drive,
    or object storage to write to.

    Args:
        address: of a scheduler, such as `tcp://host:8786`; None starts a cluster on this machine, a process a core, that
            lasts as long as one run.
    """

    def __init__(self, address: str | None) -> None:
        try:
            import distributed  # noqa: F401, PLC0415 (an extra)
        except ImportError as error:
            raise InvalidSpec(
                "The engine 'dask' needs dask.distributed, which is not installed: pip install 'geolabel[dask]'."
            ) from error
        self._address = address

    def run(self, work: Callable[[Task], Result], tasks: Iterable[Task]) -> Generator[Result]:
        """See `Engine`."""
        from distributed import KilledWorker  # noqa: PLC0415 (heavy)

        with ExitStack() as stack:
            client = self._client(stack)
            ahead = AHEAD * max(len(client.scheduler_info(n_workers=-1)["workers"]), 1)
            running: deque[tuple[str, Any]] = deque()
            stack.callback(lambda: client.cancel([future for _, future in running]))
            more = iter(tasks)
            while True:
                while len(running) < ahead and (task := next(more, None)) is not None:
                    running.append((str(task), client.submit(_do, work, task, pure=False)))
                if not running:
                    return
                name, future = running[0]
                try:
                    result = future.result()
                except KilledWorker as error:
                    raise WorkerLost(
                        f"Dask's workers died at {name}, over and over. When memory is short, start workers with more of it."
                    ) from error
                running.popleft()
                yield result

    def _client(self, stack: ExitStack) -> Any:
        from distributed import Client, LocalCluster  # noqa: PLC0415 (heavy)

        if self._address is None:
            cluster = LocalCluster(
                n_workers=cores(), threads_per_worker=1, processes=True, dashboard_address=None, memory_limit=0
            )
            return stack.enter_context(Client(stack.enter_context(cluster)))
        try:
            return stack.enter_context(Client(self._address, timeout=_CONNECT_S, set_as_default=False))
        except (OSError, ValueError) as error:
            raise NotFound(
                f"No Dask scheduler answers at {self._address!r:.200} ({error!s:.200}). Start one with `dask scheduler`, or leave the address out."
            ) from error


def _do(work: Callable[[Task], Result], task: Task) -> Result:
    """A task, on a worker."""
    with _memory_kept():
        return work(task)


# Of glibc's malloc.h; what applies when nobody has said otherwise.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_DEFAULT = 128 * 1024


@contextmanager
def _memory_kept() -> Iterator[None]:
    """In the block, malloc keeps what is freed.

    Dask has its workers give it back at once, and pages that come anew with each array of pixels cost more than to fill them.
    """
    malloc = ctypes.CDLL(None) if sys.platform == "linux" else None
    if not hasattr(malloc, "mallopt"):  # musl has none
        yield
        return
    assert malloc is not None
    malloc.mallopt(_MMAP_THRESHOLD, 2**25)
    malloc.mallopt(_TRIM_THRESHOLD, 2**28)
    try:
        yield
    finally:
        malloc.mallopt(_MMAP_THRESHOLD, int(os.environ.get("MALLOC_MMAP_THRESHOLD_", _DEFAULT)))
        malloc.mallopt(_TRIM_THRESHOLD, int(os.environ.get("MALLOC_TRIM_THRESHOLD_", _DEFAULT)))
        malloc.malloc_trim(0)
