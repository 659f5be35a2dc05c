from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import psycopg
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# The same examples in every run, whatever the machine's load; `make soak` looks for new ones.
hypothesis.settings.register_profile("repeatable", derandomize=True, deadline=None)
hypothesis.settings.register_profile("soak", max_examples=2000, deadline=None)
hypothesis.settings.load_profile("repeatable")

REPO = Path(__file__).resolve().parents[1]


def pytest_addoption(parser: pytest.Parser) -> None:
    databases = ("geopackage", "postgis")
    parser.addoption("--database", choices=databases, default="geopackage", help="where the tests of the API work")
    parser.addoption("--soak", action="store_true", help="run the hours of fuzzing, kills and floods, too")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--soak"):
        return
    left_out = [item for item in items if item.get_closest_marker("soak")]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in set(left_out)]


@pytest.fixture(scope="session")
def data() -> Path:
    """The shared real imagery, labels and format fixtures."""
    folder = Path(os.environ.get("GEOLABEL_TEST_DATA", REPO.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.fail(
            f"The test data is not at {folder}; set GEOLABEL_TEST_DATA to the folder that holds images/ and pairs/."
        )
    return folder


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """An empty file system of 50 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("a small disk can be mounted by root on Linux only; a limit for files is tested everywhere")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=50m", "geolabel-test", place], check=True)
    yield place
    subprocess.run(["umount", "--lazy", place], check=True)


class Cluster:
    """A PostgreSQL server of its own, in a new folder, reached through a socket there and on 127.0.0.1."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._bin = next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), reverse=True)), None)
        self._bin = self._bin.parent if self._bin else Path(shutil.which("initdb") or "").parent
        if not (self._bin / "initdb").is_file():
            pytest.fail(
                "NOT INSTALLED: PostgreSQL with PostGIS. On Debian: apt-get install postgresql-15-postgis-3; "
                "or leave these tests out with -m 'not postgis'."
            )
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"postgresql://postgres@127.0.0.1:{self.port}"
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            shutil.chown(folder, "postgres", "postgres")
        self.run("initdb", "-D", "data", "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
        self.start()

    def run(self, program: str, *arguments: str) -> str:
        """Run one of PostgreSQL's programs in the folder, as the server's user."""
        command = [str(self._bin / program), *arguments]
        user = "postgres" if os.geteuid() == 0 else None
        with (self.folder / "output").open("w+") as output:  # a pipe would stay open in the server
            done = subprocess.run(command, cwd=self.folder, user=user, stdout=output, stderr=output, check=False)
            output.seek(0)
            text = output.read()
        assert done.returncode == 0, f"{program}: {text}"
        return text

    def start(self) -> None:
        # Nothing of a test outlives the machine: no need to wait for the disk.
        options = f"-p {self.port} -k {self.folder} -c listen_addresses=127.0.0.1 -c fsync=off -c full_page_writes=off"
        self.run("pg_ctl", "-D", "data", "-w", "-l", "log", "-o", options, "start")

    def stop(self, mode: str = "fast") -> None:
        self.run("pg_ctl", "-D", "data", "-w", "-m", mode, "stop")

    def sql(self, statement: str, database: str = "postgres") -> str:
        return self.run("psql", "-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", statement, f"{self.url}/{database}")


@pytest.fixture(scope="session")
def postgres() -> Iterator[Cluster]:
    """A PostgreSQL server that this run of the tests shares."""
    folder = Path(tempfile.mkdtemp(prefix="geolabel-postgres-"))
    # A run that is ended from outside leaves no server behind.
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        cluster = Cluster(folder)
        try:
            yield cluster
        finally:
            cluster.stop("immediate")
    finally:
        signal.signal(signal.SIGTERM, before)
        shutil.rmtree(folder, ignore_errors=True)


class Workspaces:
    """Empty PostGIS workspaces for tests; one that was used is emptied, which is much faster than to make another."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self._numbers = count(1)
        self._free = [self._make()]
        dump = cluster.run("pg_dump", "--schema=geolabel", "--inserts", f"{cluster.url}/{self._free[0]}")
        self._script = "\n".join(line for line in dump.splitlines() if not line.startswith("\\"))

    def take(self) -> str:
        name = self._free.pop() if self._free else self._make()
        with psycopg.connect(f"{self.cluster.url}/{name}", autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            connection.execute("DELETE FROM spatial_ref_sys WHERE srid >= 910000")
            connection.execute(
                "SET client_min_messages = warning; DROP SCHEMA IF EXISTS geolabel CASCADE;" + self._script
            )
        return name

    def give_back(self, name: str) -> None:
        self._free.append(name)

    def _make(self) -> str:
        from geolabel.store import open_store

        name = f"workspace_{next(self._numbers)}"
        self.cluster.sql(f"CREATE DATABASE {name}")
        open_store(f"{self.cluster.url}/{name}", create=True).close()
        return name


@pytest.fixture(scope="session")
def _workspaces(postgres: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspaces]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GEOLABEL_DATA_DIR", str(tmp_path_factory.mktemp("data")))
        yield Workspaces(postgres)


@pytest.fixture
def postgis_workspace(
    _workspaces: Workspaces, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[], str]]:
    """Makes empty PostGIS workspaces; gives their URLs."""
    taken: list[str] = []

    def take() -> str:
        taken.append(_workspaces.take())
        return f"{_workspaces.cluster.url}/{taken[-1]}"

    monkeypatch.setenv("GEOLABEL_DATA_DIR", str(tmp_path / "data"))
    yield take
    for name in taken:
        _workspaces.give_back(name)
