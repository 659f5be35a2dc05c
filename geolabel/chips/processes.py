"""Tasks on several processes of this machine. A process that dies is replaced, and its tasks are done again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import deque
from contextlib import suppress
from multiprocessing.connection import Connection, Pipe, wait
from multiprocessing.reduction import send_handle
from typing import TYPE_CHECKING, Any

from geolabel.chips.engine import AHEAD
from geolabel.errors import WorkerLost

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator

    from geolabel.chips.engine import Result, Task

TRIES = 3
"""How often a task is begun before it is taken to be what kills its process."""

_GONE = (EOFError, BrokenPipeError, ConnectionResetError)
"""What says that the process at the other end has died."""

_AT_HAND = 2  # tasks that a process has: while it does one, the next one is on its way
_ENVIRONMENT = {
    "GDAL_CACHEMAX": "48",  # MB; the default, a share of the machine's memory, makes every process slower and larger
    "MALLOC_ARENA_MAX": "2",
    # What a chip took is kept for the next one: pages that the system gives anew for each large array cost more than to fill them.
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": "1073741824",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}


class Processes:
    """An engine of worker processes (`geolabel.chips.worker`), which last as long as one run.

    They are copies of a new interpreter and not of this process: what it has open or has locked is not theirs, and the
    user's script is not run again.

    Args:
        count: of processes.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._begun: _Crew | None = None

    def begin(self, work: Callable[[Any], Any], first: Callable[[], None] | None = None) -> None:
        """Start before there are tasks, to load meanwhile what the processes need; `run` goes on with that, `close` ends it.

        Args:
            work: what they are to run.
            first: called once, before the first of them; like `work`, something that another process can import.
        """
        self._begun = _Crew(work, self._count, first)

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


class _Server:
    """The process that forks workers (`geolabel.chips.worker`): started at once, asked when a worker is needed."""

    def __init__(self, work: Callable[[Any], Any], first: Callable[[], None] | None) -> None:
        self._orders, theirs = Pipe()
        path = os.pathsep.join(p or "." for p in sys.path)
        with theirs:
            self.process = subprocess.Popen(  # noqa: S603 - our own module, a number
                [sys.executable, "-P", "-m", "geolabel.chips.worker", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                env={**os.environ, **_ENVIRONMENT, "PYTHONPATH": path},
            )
        with suppress(*_GONE):  # whoever asks for a worker is told
            self._orders.send((work, first))

    def fork(self, connection: Connection) -> int:
        """A new worker at the other end of a connection; gives its process id.

        Raises:
            OSError, EOFError: this process has died.
        """
        self._orders.send(None)
        send_handle(self._orders, connection.fileno(), self.process.pid)
        worker: int = self._orders.recv()
        return worker

    def end(self, worker: int) -> int:
        """Kill a worker if it lives; gives how it ended."""
        try:
            self._orders.send(worker)
            code: int = self._orders.recv()
        except (EOFError, OSError):  # the server has died, who could tell
            with suppress(ProcessLookupError):
                os.kill(worker, signal.SIGKILL)
            return -signal.SIGKILL
        return code

    def close(self) -> int:
        """End it; gives how it ended."""
        self._orders.close()
        self.process.kill()
        return self.process.wait()


class _Worker:
    """One process, the connection to it, and the numbers of the tasks that it was sent and has not done."""

    def __init__(self, server: _Server) -> None:
        self.connection, theirs = Pipe()
        self.sent: deque[int] = deque()
        self._server = server
        with theirs:
            self._process = server.fork(theirs)

    def give(self, number: int, task: object) -> None:
        self.sent.append(number)
        with suppress(BrokenPipeError, ConnectionResetError):  # it has died: `wait` says so next
            self.connection.send(task)

    def end(self) -> int:
        """Kill it if it lives; gives how it ended."""
        self.connection.close()
        return self._server.end(self._process)


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
        self._server = _Server(work, first)
        self._servers_lost = 0

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

    def dismiss(self) -> None:
        """End all processes."""
        for worker in self._workers:
            worker.end()
        self._server.close()

    def _new(self) -> _Worker:
        """A worker more; when the server has died, of a new server."""
        while True:
            try:
                return _Worker(self._server)
            except _GONE:
                code = self._server.close()
                self._servers_lost += 1
                if self._servers_lost == TRIES:
                    raise WorkerLost(
                        f"The process that starts those that build chips {_ending(code)}, {TRIES} times. When memory is short, "
                        "do without it: --engine serial."
                    ) from None
                self._server = _Server(self.work, self._first)

    def _hand_out(
        self, first: tuple[int, Any] | None, more: Iterator[tuple[int, Any]], due: int
    ) -> tuple[int, Any] | None:
        """Keep every worker busy, with tasks of the dead ones first; gives the next task that nobody has."""
        for _ in range(_AT_HAND):
            for index in range(self._count):
                if not self._waiting and (first is None or first[0] >= due + AHEAD * self._count):
                    return first
                if index == len(self._workers):
                    self._workers.append(self._new())
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
