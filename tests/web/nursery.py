"""A process that has loaded geolabel and makes servers of itself, so that each test has its own without loading it again.

A line of its input is a server to start: a JSON object of `folder`, `out` (a named pipe for what the server prints) and
`environment`. It answers with the number of the process.
"""

from __future__ import annotations

import json
import os
import signal
import sys

import geolabel.app
import geolabel.cli
import geolabel.serving


def serve(folder: str, out: str, environment: dict[str, str]) -> None:
    """Be a server, in a process that was made for it."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(os.open(out, os.O_WRONLY), 1)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["geolabel", "serve", "-w", folder, "--port", "0"]
    geolabel.cli.main()


def run() -> None:
    """Start servers until the input ends."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them
    for line in sys.stdin:
        asked = json.loads(line)
        process = os.fork()
        if process == 0:
            serve(**asked)
            os._exit(0)
        sys.stdout.write(f"{process}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    run()
