"""The processes of `geolabel.chips.processes`: a fork server, `python -m geolabel.chips.worker FD`, and the workers that it forks.

The server is a new interpreter with one thread. It loads what the work needs, once; a worker is a copy of it that is there
within milliseconds and shares its memory, and begins with nothing open and nothing locked.

Over the connection of that number come a function and one to call first (or None), then orders: None, with a descriptor,
for a new worker with that connection, which is answered by its process id; or the id of a worker to end, which is
answered by its exit code. A worker is sent tasks; back goes (True, result) or (False, exception) for each.

Server and workers end when the other process has died.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from multiprocessing.connection import Connection
from multiprocessing.reduction import ForkingPickler, recv_handle
from typing import TYPE_CHECKING, Any

from geolabel.collector import settle_down
from geolabel.errors import GeolabelError

if TYPE_CHECKING:
    from collections.abc import Callable

_GONE = (EOFError, BrokenPipeError, ConnectionResetError)


def main() -> None:
    """Fork workers until nobody wants any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that started this one, which then ends it
    workers: set[int] = set()
    with Connection(int(sys.argv[1])) as orders:
        try:
            work, first = orders.recv()
            if first is not None:
                first()
            settle_down()  # what is loaded stays in memory that all workers share
            while True:
                order = orders.recv()
                if order is None:
                    orders.send(_fork(work, orders, workers))
                else:
                    orders.send(_end(order))
                    workers.remove(order)
        except _GONE:
            for worker in workers:
                os.kill(worker, signal.SIGKILL)


def _fork(work: Callable[[Any], Any], orders: Connection, workers: set[int]) -> int:
    """A new worker, whose connection comes with the order; gives its process id."""
    handle = recv_handle(orders)
    worker = os.fork()
    if not worker:
        orders.close()
        code = 1
        try:
            _do_tasks(work, Connection(handle))
            code = 0
        except BaseException:  # noqa: BLE001 - the server's own code must not go on in its copy
            traceback.print_exc()
        finally:
            os._exit(code)
    os.close(handle)
    workers.add(worker)
    return worker


def _end(worker: int) -> int:
    """Kill a worker if it lives; gives its exit code, or minus the signal that ended it."""
    os.kill(worker, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1])


def _do_tasks(work: Callable[[Any], Any], connection: Connection) -> None:
    with connection:
        try:
            while True:
                task = connection.recv()
                try:
                    answer = (True, work(task))
                except Exception as error:  # noqa: BLE001 - whatever it is, the other process raises it
                    answer = (False, _able_to_travel(error))
                connection.send(answer)
        except _GONE:
            return


def _able_to_travel(error: Exception) -> Exception:
    """The error itself, where it can be sent; else one that says as much."""
    try:
        ForkingPickler.loads(ForkingPickler.dumps(error))
    except Exception:  # noqa: BLE001 - an exception may do anything when it is copied
        text = str(error)
        return (
            GeolabelError(text)
            if isinstance(error, GeolabelError)
            else RuntimeError("".join(traceback.format_exception(error)))
        )
    return error


if __name__ == "__main__":
    main()
