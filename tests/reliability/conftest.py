"""Real `geolabel` processes, quick to start and to kill, on both kinds of database."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from itertools import count
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from geolabel.classes import make_classes
from geolabel.model import Project
from geolabel.store import open_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

# Loads everything once, then forks a child for each command line: a process of its own, without two seconds of imports.
NURSERY = """
import json, os, sys, traceback
import geolabel.api, geolabel.app, geolabel.cli, geolabel.serving, geolabel.workflows, geolabel.store.geopackage
import alembic.command, uvicorn.protocols.http.h11_impl, uvicorn.lifespan.on, pyogrio, psycopg
for line in sys.stdin:
    order = json.loads(line)
    if "wait" in order:
        _, status = os.waitpid(order["wait"], 0)
        print(os.waitstatus_to_exitcode(status), flush=True)
        continue
    child = os.fork()
    if child == 0:
        os.setsid()
        os.dup2(os.open(order["output"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 1)
        os.dup2(1, 2)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.environ.update(order["settings"])
        sys.argv = ["geolabel", *order["arguments"]]
        code = 1
        try:
            geolabel.cli.main()
        except SystemExit as stop:
            code = stop.code or 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    print(child, flush=True)
"""


class Child:
    """A running `geolabel` command."""

    def __init__(self, nursery: Nursery, pid: int, output: Path) -> None:
        self._nursery, self.pid, self._output = nursery, pid, output

    @property
    def output(self) -> str:
        return self._output.read_text(encoding="utf-8", errors="replace")

    def kill(self) -> None:
        """As by the kernel: the process and all that it has started."""
        os.killpg(self.pid, signal.SIGKILL)

    def stop(self) -> None:
        os.kill(self.pid, signal.SIGTERM)

    def wait(self) -> int:
        """Its exit code; negative for a signal."""
        code = self._nursery.ask({"wait": self.pid})
        assert "Traceback" not in self.output, self.output
        return code

    def url(self) -> str:
        """Address of a server, once it answers."""
        end = time.monotonic() + 60
        while time.monotonic() < end:
            found = re.search(r"http://127\.0\.0\.1:\d+", self.output)
            if found:
                return found[0]
            time.sleep(0.01)
        raise AssertionError(f"the server does not start: {self.output}")


class Nursery:
    """Where `geolabel` processes come from."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._numbers = folder, count(1)
        self._process = subprocess.Popen(
            [sys.executable, "-c", NURSERY], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, order: dict[str, Any]) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def start(self, *arguments: object) -> Child:
        output = self._folder / f"output-{next(self._numbers)}"
        output.touch()
        settings = {name: value for name, value in os.environ.items() if name.startswith("GEOLABEL_")}
        order = {"arguments": [str(a) for a in arguments], "output": str(output), "settings": settings}
        return Child(self, self.ask(order), output)

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=30)
        assert self._process.stdout is not None
        self._process.stdout.close()


@pytest.fixture(scope="session")
def nursery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    made = Nursery(tmp_path_factory.mktemp("nursery"))
    yield made
    made.close()


@pytest.fixture(params=["geopackage", pytest.param("postgis", marks=pytest.mark.postgis)])
def location(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A workspace of each kind with the project `land` (EPSG:32616; water, forest) and nothing in it."""
    if request.param == "postgis":
        made: Callable[[], str] = request.getfixturevalue("postgis_workspace")
        place = made()
    else:
        place = str(tmp_path / "ws")
    with open_store(place, create=True) as store:
        store.create_project(Project("land", "Land", "EPSG:32616", make_classes(["water", "forest"])))
    return place


@pytest.fixture
def serve(nursery: Nursery) -> Iterator[Callable[[str], tuple[Child, str]]]:
    """Starts servers; gives process and address."""
    running: list[Child] = []

    def start(location: str) -> tuple[Child, str]:
        server = nursery.start("serve", "-w", location, "--port", "0")
        running.append(server)
        return server, server.url()

    yield start
    for server in running:
        try:
            server.kill()
        except ProcessLookupError:
            continue


@pytest.fixture
def client() -> Iterator[Callable[[str], httpx.Client]]:
    made: list[httpx.Client] = []

    def make(url: str) -> httpx.Client:
        made.append(httpx.Client(base_url=url, timeout=60))
        return made[-1]

    yield make
    for one in made:
        one.close()


def square(number: int) -> dict[str, Any]:
    """A small polygon in CRS84, near the project's area, another one for each number."""
    west, south = -84.49 + (number % 997) * 1e-4, 33.6 + (number // 997 % 997) * 1e-4
    ring = [[west, south], [west + 9e-5, south], [west + 9e-5, south + 9e-5], [west, south + 9e-5], [west, south]]
    return {"type": "Polygon", "coordinates": [ring]}


@pytest.fixture(name="square")
def _square() -> Callable[[int], dict[str, Any]]:
    return square
