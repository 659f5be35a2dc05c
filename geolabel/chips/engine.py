"""Who builds the parts of a dataset: this process, several of this machine, or a Dask cluster. The result is the same.

An engine runs one function over many tasks. Tasks are values that can be sent anywhere and are made when there is
somebody to do them; results come back in the order of the tasks. A new engine is a class with `run`.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Protocol, TypeVar

from geolabel.errors import InvalidSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

Task = TypeVar("Task")
Result = TypeVar("Result")

ENGINES = ("serial", "processes", "dask")
AHEAD = 8
"""How many tasks per worker may be begun before the oldest one is done: what bounds the memory for results."""

_MOST_WORKERS = 1024
_WORTH_IT = 8


class Engine(Protocol):
    """Runs tasks."""

    def run(self, work: Callable[[Task], Result], tasks: Iterable[Task]) -> Generator[Result]:
        """Do all tasks and give their results in order; when the generator is closed early, the work stops.

        Args:
            work: a function of a module, that another process can import. It may be called more than once for a task.
            tasks: taken one by one; `str(task)` says in messages what it is.

        Raises:
            WorkerLost: a process died over and over at the same task.
            Exception: what `work` raised, of the first task at which it did.
        """


class Serial:
    """One task after the other, in this process."""

    def run(self, work: Callable[[Task], Result], tasks: Iterable[Task]) -> Generator[Result]:
        """See `Engine`."""
        yield from map(work, tasks)


def choose_engine(name: str | None, tasks: int) -> Engine:
    """The engine of a name.

    Args:
        name: `serial`; `processes` for one process a core, or `processes:4` for so many; `dask` for a cluster on this
            machine that lasts as long as the work, or `dask:tcp://host:8786` for the scheduler of one. None takes
            processes where there is enough to do for them, and this process otherwise.
        tasks: how many there are.

    Raises:
        InvalidSpec: no such engine.
    """
    if name is None:
        name = "processes" if tasks >= _WORTH_IT and cores() > 1 and os.name == "posix" else "serial"
    kind, _, where = name.partition(":")
    if kind == "serial" and not where:
        return Serial()
    if kind == "processes" and os.name == "posix":
        from geolabel.chips.processes import Processes  # noqa: PLC0415 (only who needs it loads it)

        return Processes(min(_count(name, where), max(tasks, 1)))
    if kind == "dask":
        from geolabel.chips.cluster import Dask  # noqa: PLC0415 (heavy, and an extra)

        return Dask(where or None)
    raise InvalidSpec(f"engine must be one of serial, processes, processes:N, dask, dask:ADDRESS; got {name!r:.80}.")


def _count(name: str, text: str) -> int:
    if not text:
        return cores()
    if not text.isdecimal() or not 1 <= int(text) <= _MOST_WORKERS:
        raise InvalidSpec(f"processes:N needs a whole number from 1 to {_MOST_WORKERS}, got {name!r:.80}.")
    return int(text)


def cores() -> int:
    """How many cores this process may use; in a container they can be fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
