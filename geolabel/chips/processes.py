"""Tasks on several processes of this machine. A process that dies is replaced, and its tasks are done again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import deque
from contextlib import suppress
from multiprocessing.connection import Connection, Pipe, wait
from typing import TYPE_CHECKING, Any

from geolabel.chips.engine import AHEAD
from geolabel.errors import WorkerLost

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator

    from geolabel.chips.engine import Result, Task

TRIES = 3
"""How often a task is begun before it is taken to be what kills its process."""

_AT_HAND = 2  # tasks that a process has: while it does one, the next one is on its way
_ENVIRONMENT = {
    "GDAL_CACHEMAX": "48",  # MB; the default, a share of the machine's memory, makes every process slower and larger
    "MALLOC_ARENA_MAX": "2",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}


class Processes:
    """An engine of worker processes (`geolabel.chips.worker`), which last as long as one run.

    They are new interpreters and no forks: what this process has open or has locked is not theirs, and the user's
    script is not run again.

    Args:
        count: of processes.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._begun: _Crew | None = None

    def begin(self, work: Callable[[Any], Any], first: Callable[[], None] | None = None) -> None:
        """Start the processes before there are tasks, to load meanwhile what they need; `run` takes them, `close` ends them.

        Args:
            work: what they are to run.
            first: called once in each process; like `work`, something that another process can import.
        """
        self._begun = _Crew(work, self._count, first)
        self._begun.start()

    def close(self) -> None:
        """End what was begun and never run."""
        if self._begun is not None:
            self._begun.dismiss()
            self._begun = None

    def run(self, work: Callable[[Task], Result], tasks: Iterable[Task]) -> Generator[Result]:
        """See `Engine`."""
        crew, self._begun = self._begun or _Crew(work, self._count), None
        assert crew.work is work
        try:
            yield from crew.run(iter(tasks))
        finally:
            crew.dismiss()


class _Worker:
    """One process, the connection to it, and the numbers of the tasks that it was sent and has not done."""

    def __init__(self, work: Callable[[Any], Any], first: Callable[[], None] | None) -> None:
        self.connection, theirs = Pipe()
        self.sent: deque[int] = deque()
        path = os.pathsep.join(p or "." for p in sys.path)
        with theirs:
            self.process = subprocess.Popen(  # noqa: S603 - our own module, a number
                [sys.executable, "-m", "geolabel.chips.worker", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                env={**os.environ, **_ENVIRONMENT, "PYTHONPATH": path},
            )
        self._tell((work, first))

    def _tell(self, message: object) -> None:
        with suppress(BrokenPipeError, ConnectionResetError):  # it has died: `wait` says so next
            self.connection.send(message)

    def give(self, number: int, task: object) -> None:
        self.sent.append(number)
        self._tell(task)

    def end(self) -> int:
        """Kill it if it lives; gives how it ended."""
        self.connection.close()
        self.process.kill()
        return self.process.wait()


class _Crew:
    """All workers of a run."""

    def __init__(self, work: Callable[[Any], Any], count: int, first: Callable[[], None] | None = None) -> None:
        self.work = work
        self._first = first
        self._workers: list[_Worker] = []
        self._waiting: deque[int] = deque()  # tasks of workers that died
        self._tasks: dict[int, Any] = {}  # begun, and no result yet
        self._results: dict[int, tuple[bool, Any]] = {}
        self._tries: dict[int, int] = {}
        self._count = count

    def run(self, tasks: Iterable[Any]) -> Generator[Any]:
        """Results in the order of the tasks."""
        more = enumerate(tasks)
        first = next(more, None)
        due = 0
        while first is not None or self._tasks or self._results:
            if due in self._results:
                done, result = self._results.pop(due)
                if not done:
                    raise result
                yield result
                due += 1
                continue
            first = self._hand_out(first, more, due)
            self._listen()

    def start(self) -> None:
        """Start all processes, also those that there is nothing to do for yet."""
        while len(self._workers) < self._count:
            self._workers.append(_Worker(self.work, self._first))

    def dismiss(self) -> None:
        """End all processes."""
        for worker in self._workers:
            worker.end()

    def _hand_out(
        self, first: tuple[int, Any] | None, more: Iterator[tuple[int, Any]], due: int
    ) -> tuple[int, Any] | None:
        """Keep every worker busy, with tasks of the dead ones first; gives the next task that nobody has."""
        for _ in range(_AT_HAND):
            for index in range(self._count):
                if not self._waiting and (first is None or first[0] >= due + AHEAD * self._count):
                    return first
                if index == len(self._workers):
                    self._workers.append(_Worker(self.work, self._first))
                worker = self._workers[index]
                if len(worker.sent) == _AT_HAND:
                    continue
                if self._waiting:
                    number = self._waiting.popleft()
                else:
                    assert first is not None
                    number, self._tasks[first[0]] = first[0], first[1]
                    first = next(more, None)
                worker.give(number, self._tasks[number])
        return first

    def _listen(self) -> None:
        """Wait until a worker has a result, or has died."""
        by_connection = {worker.connection: worker for worker in self._workers if worker.sent}
        for ready in wait(list(by_connection)):
            assert isinstance(ready, Connection)
            worker = by_connection[ready]
            try:
                answer = ready.recv()
            except (EOFError, ConnectionResetError):
                self._replace(worker)
                continue
            number = worker.sent.popleft()
            del self._tasks[number]
            self._results[number] = answer

    def _replace(self, worker: _Worker) -> None:
        """A worker has died: its tasks wait for others, and a new one takes its place."""
        code = worker.end()
        self._workers.remove(worker)
        culprit = worker.sent[0]  # the one that it was at
        self._tries[culprit] = self._tries.get(culprit, 0) + 1
        if self._tries[culprit] == TRIES:
            raise WorkerLost(
                f"The process that was to build {self._tasks[culprit]} {_ending(code)}, {TRIES} times. When memory is short, "
                "take fewer processes: --engine processes:1."
            )
        self._waiting.extend(worker.sent)


def _ending(code: int) -> str:
    if code >= 0:
        return f"ended with exit code {code}"
    return f"was killed ({signal.Signals(-code).name})"
