"""What the kernel sees: an answer leaves only after the log was forced to the disk, and a power cut loses nothing of it.

strace records what a real server writes, forces and sends. From that record the files are built again as they would be found
after a power cut at any moment: what was forced is there, of what was not any part may be.
"""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from geolabel.classes import make_classes
from geolabel.model import Project
from geolabel.store import open_store
from geolabel.store.sums import damage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

CALLS = "pwrite64,write,fsync,fdatasync,sendto,sendmsg,writev,ftruncate,unlink,unlinkat"
ITEMS = "/api/collections/land/items"


@dataclass(frozen=True)
class Call:
    """A system call that ended well: its name, the file or socket, and the rest of its arguments."""

    name: str
    target: str
    rest: str
    result: int


@pytest.fixture
def strace() -> str:
    found = shutil.which("strace")
    if found is None:
        if os.geteuid() == 0 and shutil.which("apt-get"):
            pytest.fail("NOT INSTALLED: strace. `make test` installs it; by hand: apt-get install strace")
        pytest.skip("strace is for Linux; install it where it is missing")
    return found


def parse(text: str) -> Iterator[Call]:
    """The calls of all threads in the order in which they ended; one that another interrupted is joined again."""
    begun: dict[str, str] = {}
    for line in text.splitlines():
        thread, _, rest = line.partition(" ")
        rest = rest.strip()
        if rest.endswith("<unfinished ...>"):
            begun[thread] = rest.removesuffix("<unfinished ...>")
            continue
        if resumed := re.match(r"<\.\.\. \w+ resumed>", rest):
            rest = begun.pop(thread, "") + rest[resumed.end() :]
        found = re.match(r'(\w+)\((?:\d+<([^>]*)>|"([^"]*)")(.*)\)\s+= (-?\d+)', rest)
        if found and int(found[5]) >= 0:
            yield Call(found[1], _plain(found[2] or found[3] or ""), found[4], int(found[5]))


def _plain(name: str) -> str:
    return bytes.fromhex(name.replace("\\x", "")).decode() if name.startswith("\\x") else name


# A server that does not force its log, to see that the tests would find it out.
CARELESS = """
import sqlite3, sys
from geolabel.cli import main
connect = sqlite3.connect
class Careless(sqlite3.Connection):
    def execute(self, sql, *values):
        return super().execute(sql.replace("synchronous = FULL", "synchronous = NORMAL"), *values)
sqlite3.connect = lambda *given, **options: connect(*given, factory=Careless, **options)
sys.argv[0] = "geolabel"
main()
"""


@pytest.fixture
def record(strace: str, tmp_path: Path, square: Callable[[int], Any]) -> Callable[..., list[Call]]:
    """Serves a workspace under strace, edits it, and gives the calls."""

    def run(edits: int, *, content: bool, careless: bool = False) -> list[Call]:
        folder, trace = tmp_path / "ws", tmp_path / "trace"
        with open_store(folder, create=True) as store:
            store.create_project(Project("land", "Land", "EPSG:32616", make_classes(["water"])))
        shutil.copytree(folder, tmp_path / "before")
        data = ["-xx", "-s", "70000"] if content else ["-s", "64"]
        command = [strace, "-f", "-y", *data, "-e", f"trace={CALLS}", "-e", "signal=none", "-o", str(trace)]
        command += [sys.executable, *(["-c", CARELESS] if careless else ["-m", "geolabel"])]
        command += ["serve", "-w", str(folder), "--port", "0"]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
        try:
            assert server.stdout is not None
            url = re.search(r"http://[\d.:]+", server.stdout.readline())
            assert url
            edit(url[0], edits, square)
        finally:
            os.killpg(server.pid, signal.SIGINT)
            server.communicate(timeout=60)
        return list(parse(trace.read_text(errors="replace")))

    return run


def edit(url: str, edits: int, square: Callable[[int], Any]) -> None:
    """One client, one request after the other: creates, changes, deletes."""
    notes: dict[int, str] = {}
    with httpx.Client(base_url=url, timeout=60) as http:
        for number in range(edits):
            note = f"edit-{number:06d}"
            match number % 4:
                case 0 | 1:
                    body = {
                        "type": "Feature",
                        "geometry": square(number),
                        "properties": {"class": "water", "note": note},
                    }
                    notes[http.post(ITEMS, json=body).raise_for_status().json()["id"]] = note
                case 2:
                    http.patch(f"{ITEMS}/{max(notes)}", json={"properties": {"note": note}}).raise_for_status()
                    notes[max(notes)] = note
                case _:
                    http.delete(f"{ITEMS}/{min(notes)}").raise_for_status()
                    del notes[min(notes)]


def is_answer(call: Call) -> bool:
    return call.target.startswith(("TCP", "socket")) and ("HTTP/1.1 20" in call.rest or HEX_ANSWER in call.rest)


HEX_ANSWER = "".join(f"\\x{byte:02x}" for byte in b"HTTP/1.1 20")


def unforced(calls: list[Call]) -> tuple[int, int]:
    """How many answers to edits there were, and how many of them left before their log was forced."""
    answers = early = written = 0
    forced = False
    for call in calls:
        if call.target.endswith("workspace.gpkg-wal"):
            if call.name == "pwrite64":
                written, forced = written + 1, False
            elif call.name in {"fsync", "fdatasync"}:
                forced = written > 0
        elif is_answer(call):
            assert written > 0, "an edit was answered that wrote nothing"
            answers, early = answers + 1, early + (not forced)
            written, forced = 0, False
    return answers, early


def test_every_answer_to_an_edit_comes_after_its_log_was_forced(record: Any) -> None:
    assert unforced(record(12, content=False)) == (12, 0)


@pytest.mark.soak
def test_a_server_that_does_not_force_its_log_would_be_found_out(record: Any) -> None:
    assert unforced(record(24, content=False, careless=True)) == (24, 24)


@dataclass
class Disk:
    """Files as a disk holds them: what was forced, and what was written since.

    Attributes:
        forced: content of each file after its last fsync.
        since: writes, cuts and removals of each file after that, in their order.
    """

    forced: dict[str, bytearray] = field(default_factory=dict)
    since: dict[str, list[tuple[int, bytes | None]]] = field(default_factory=dict)

    def apply(self, call: Call, name: str) -> None:
        """Take one call on a file into account."""
        pending = self.since.setdefault(name, [])
        if call.name == "pwrite64":
            content, offset = _written(call)
            pending.append((offset, content))
        elif call.name == "ftruncate":
            pending.append((int(call.rest.strip(", ")), None))
        elif call.name in {"fsync", "fdatasync"}:
            for change in pending:
                _change(self.forced.setdefault(name, bytearray()), change)
            pending.clear()

    def after_power_cut(self, chance: random.Random) -> dict[str, bytes]:
        """The files as they may be found: each write since the last force is there, in part, or not at all."""
        found = {name: bytearray(content) for name, content in self.forced.items()}
        for name, pending in self.since.items():
            for offset, content in pending:
                if chance.random() < 0.5:
                    continue
                if content is not None and chance.random() < 0.3:
                    content = content[: chance.randrange(0, len(content) + 1, 1)]  # noqa: PLW2901 (torn)
                _change(found.setdefault(name, bytearray()), (offset, content))
        return {name: bytes(content) for name, content in found.items()}


def _written(call: Call) -> tuple[bytes, int]:
    found = re.match(r', "((?:\\x[0-9a-f]{2})*)", (\d+), (\d+)', call.rest)
    assert found, call.rest[:200]
    content = bytes.fromhex(found[1].replace("\\x", ""))
    assert len(content) == int(found[2]) == call.result
    return content, int(found[3])


def _change(content: bytearray, change: tuple[int, bytes | None]) -> None:
    offset, written = change
    if written is None:
        del content[offset:]
        content.extend(bytes(offset - len(content)))
        return
    content.extend(bytes(max(0, offset + len(written) - len(content))))
    content[offset : offset + len(written)] = written


@pytest.mark.parametrize(
    ("edits", "cuts"), [pytest.param(12, 8, id="sample"), pytest.param(400, 1000, id="full", marks=pytest.mark.soak)]
)
def test_a_power_cut_at_any_moment_loses_nothing_acknowledged(
    record: Any, tmp_path: Path, edits: int, cuts: int
) -> None:
    calls = record(edits, content=True)
    chance = random.Random(47)
    moments = sorted(chance.choices(range(len(calls)), k=cuts))
    disk = Disk({"workspace.gpkg": bytearray((tmp_path / "before/workspace.gpkg").read_bytes())})
    answered = 0
    expected = _expected(edits)
    for index, call in enumerate(calls):
        name = call.target.rpartition("/")[2]
        if name in {"workspace.gpkg", "workspace.gpkg-wal"}:
            disk.apply(call, name)
        elif is_answer(call):
            answered += 1
        for _ in range(moments.count(index)):
            _check(tmp_path / "found", disk.after_power_cut(chance), expected[answered : answered + 2])
    assert answered == edits


def _expected(edits: int) -> list[dict[int, str]]:
    """What is there after each number of edits."""
    states: list[dict[int, str]] = [{}]
    made = 0
    for number in range(edits):
        notes = dict(states[-1])
        if number % 4 < 2:
            made += 1
            notes[made] = f"edit-{number:06d}"
        elif number % 4 == 2:
            notes[max(notes)] = f"edit-{number:06d}"
        else:
            del notes[min(notes)]
        states.append(notes)
    return states


def _check(folder: Path, files: dict[str, bytes], expected: list[dict[int, str]]) -> None:
    """Open what the power cut left: everything that was acknowledged is there, perhaps also the edit after it."""
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    with open_store(folder) as store:
        assert {a.id: a.note for a in store.query("land")} in expected
        with store._read() as connection:
            assert damage(connection.connection.driver_connection) is None


@pytest.fixture
def durable(postgres: Any) -> Iterator[Any]:
    """The tests' PostgreSQL server with its defaults: it waits for the disk."""
    options = f"-p {postgres.port} -k {postgres.folder} -c listen_addresses=127.0.0.1"
    postgres.stop()
    postgres.run("pg_ctl", "-D", "data", "-w", "-l", "log", "-o", options, "start")
    yield postgres
    postgres.stop()
    postgres.start()


@pytest.mark.soak
@pytest.mark.postgis
@pytest.mark.parametrize("careless", [False, True])
def test_postgresql_forces_its_log_before_an_answer(
    *,
    strace: str,
    postgis_workspace: Callable[[], str],
    durable: Any,
    serve: Callable[..., Any],
    square: Callable[[int], Any],
    tmp_path: Path,
    careless: bool,
) -> None:
    """Also where somebody has turned `synchronous_commit` off: the store turns it on for its own writes."""
    location = postgis_workspace()
    with open_store(location, create=True) as store:
        store.create_project(Project("land", "Land", "EPSG:32616", make_classes(["water"])))
    if careless:
        durable.sql("ALTER SYSTEM SET synchronous_commit = off")
        durable.sql("SELECT pg_reload_conf()")
    trace = tmp_path / "trace"
    postmaster = (durable.folder / "data/postmaster.pid").read_text().split()[0]
    command = [strace, "-f", "-ttt", "-y", "-e", "trace=fsync,fdatasync", "-e", "signal=none", "-o", trace]
    watch = subprocess.Popen([*command, "-p", postmaster], stderr=subprocess.PIPE, text=True)
    try:
        assert watch.stderr is not None
        assert "attached" in watch.stderr.readline()
        _, url = serve(location)
        moments = []
        with httpx.Client(base_url=url, timeout=60) as http:
            for number in range(30):
                body = {"type": "Feature", "geometry": square(number), "properties": {"class": "water"}}
                begun = time.time()
                assert http.post(ITEMS, json=body).status_code == 201
                moments.append((begun, time.time()))
    finally:
        watch.send_signal(signal.SIGINT)
        watch.communicate(timeout=30)
        if careless:
            durable.sql("ALTER SYSTEM RESET synchronous_commit")
    forced = [
        float(found[1])
        for found in re.finditer(r"^\d+ +([\d.]+) f(?:data)?sync\(\d+<[^>]*pg_wal", trace.read_text(), re.MULTILINE)
    ]
    unforced = [index for index, (begun, ended) in enumerate(moments) if not any(begun < at < ended for at in forced)]
    assert unforced == []
