"""A process that does tasks for another one: `python -m geolabel.chips.worker FD`, started by `geolabel.chips.processes`.

Over the connection of that number come a function and one to call first (or None), then tasks; back goes (True, result)
or (False, exception) for each.
It ends when the connection does, which is also when the other process has died.
"""

from __future__ import annotations

import signal
import sys
import traceback
from multiprocessing.connection import Connection
from multiprocessing.reduction import ForkingPickler

from geolabel.errors import GeolabelError


def main() -> None:
    """Do tasks until there are no more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that started this one, which then ends it
    with Connection(int(sys.argv[1])) as connection:
        try:
            work, first = connection.recv()
            if first is not None:
                first()
            while True:
                task = connection.recv()
                try:
                    answer = (True, work(task))
                except Exception as error:  # noqa: BLE001 - whatever it is, the other process raises it
                    answer = (False, _able_to_travel(error))
                connection.send(answer)
        except (EOFError, BrokenPipeError, ConnectionResetError):
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
