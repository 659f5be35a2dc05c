"""Opening a workspace: making, migrating, refusing."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from shapely.geometry import Point

import geolabel.store
from geolabel.classes import make_classes
from geolabel.errors import GeolabelError, InvalidInput, NotFound, StoreFailed
from geolabel.model import NewAnnotation, Project
from geolabel.store import geopackage, migrations, open_store, tables
from geolabel.store import store as store_module

if TYPE_CHECKING:
    from collections.abc import Iterator

WATER = make_classes(["water"])


def make(folder: Path, count: int = 3) -> Path:
    with open_store(folder, create=True) as store:
        store.create_project(Project("landuse", "Land use", "EPSG:32616", WATER))
        store.create("landuse", [NewAnnotation(Point(i, i), "water") for i in range(count)])
    return folder / "workspace.gpkg"


def test_the_package_exports_little():
    assert geolabel.store.__all__ == ["Store", "open_store"]
    assert geolabel.store.open_store is store_module.open_store


def test_made_once_then_opened(tmp_path):
    with pytest.raises(
        NotFound, match=r"There is no workspace in .*ws: expected the file workspace.gpkg there. `geolabel init`"
    ):
        open_store(tmp_path / "a" / "ws")
    assert not (tmp_path / "a").exists(), "looking makes nothing"
    file = make(tmp_path / "a" / "ws")
    for location in (file.parent, str(file.parent), file):
        with open_store(location, create=True) as store:
            assert store.folder == file.parent
            assert store.count("landuse") == 3


def test_a_closed_store_says_so(tmp_path):
    file = make(tmp_path)
    store = open_store(file.parent)
    store.close()
    for use in (store.projects, store.claim_job, lambda: store.create("landuse", [])):
        with pytest.raises(StoreFailed, match="was closed: open it again"):
            use()


def test_head_is_the_newest_migration_and_makes_our_tables(tmp_path):
    assert ScriptDirectory.from_config(migrations._config()).get_current_head() == migrations.HEAD
    with open_store(tmp_path, create=True) as store, store._read() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "compare_type": True,
                "include_name": lambda name, kind, _: kind != "table" or name in tables.metadata.tables,
            },
        )
        assert compare_metadata(context, tables.metadata) == []


def test_an_older_file_is_migrated(tmp_path):
    file = tmp_path / "workspace.gpkg"
    file.touch()
    engine = geopackage.make_engine(file)
    with engine.execution_options(write=True).begin() as connection:
        config = migrations._config()
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
    with engine.connect() as connection:
        assert migrations.revision(connection) == "0001"
    engine.dispose()
    with open_store(tmp_path) as store:
        assert store.projects() == []
        with store._read() as connection:
            assert migrations.revision(connection) == migrations.HEAD


def test_a_newer_file_is_refused_and_left_alone(tmp_path):
    file = make(tmp_path)
    with sqlite3.connect(file) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    before = file.read_bytes()
    with pytest.raises(
        StoreFailed, match=r"was made by a newer geolabel \(format 9999, this version knows formats up to \d+\): update"
    ):
        open_store(tmp_path)
    assert file.read_bytes() == before


def test_a_migration_that_fails_leaves_nothing(tmp_path):
    file = tmp_path / "workspace.gpkg"
    file.touch()
    engine = geopackage.make_engine(file)
    with engine.execution_options(write=True).begin() as connection:
        connection.exec_driver_sql("CREATE TABLE geolabel_jobs (x)")  # in the way of the last table
    with (
        pytest.raises(Exception, match="geolabel_jobs already exists"),
        engine.execution_options(write=True).begin() as connection,
    ):
        migrations.upgrade(connection, "here")
    with engine.connect() as connection:
        names = connection.exec_driver_sql("SELECT name FROM sqlite_schema").scalars().all()
        assert names == ["geolabel_jobs"]
        assert connection.exec_driver_sql("PRAGMA application_id").scalar() == 0
    engine.dispose()


def test_two_processes_may_make_it_at_once(tmp_path):
    code = f"from geolabel.store import open_store; open_store({str(tmp_path / 'ws')!r}, create=True).close()"
    processes = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(3)]
    assert [p.wait(timeout=60) for p in processes] == [0, 0, 0]
    with open_store(tmp_path / "ws") as store:
        assert store.projects() == []


def test_something_else_is_refused(tmp_path, data):
    file = tmp_path / "workspace.gpkg"
    file.write_bytes(b"II*\0" + bytes(5000))
    with pytest.raises(
        StoreFailed, match=r"workspace.gpkg is not a GeoPackage: expected a file made by `geolabel init`"
    ):
        open_store(tmp_path)
    file.write_bytes(b"")
    with pytest.raises(NotFound, match=r"There is no workspace in .*workspace.gpkg: the file is empty"):
        open_store(tmp_path)
    shutil.copy(data / "pairs" / "swellendam_rgba_osm" / "osm.gpkg", file)
    before = file.read_bytes()
    with pytest.raises(StoreFailed, match="is not a geolabel workspace: expected one made by `geolabel init`"):
        open_store(tmp_path, create=True)
    assert file.read_bytes() == before, "somebody else's file is left as it is"


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "ws").write_text("x")
    for create, error in ((True, InvalidInput), (False, NotFound)):
        with pytest.raises(error, match=r"/ws"):
            open_store(tmp_path / "ws", create=create)


def test_a_damaged_file_is_refused(tmp_path):
    file = make(tmp_path, 2000)
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 3])
    with pytest.raises(StoreFailed, match="is damaged: put a backup in its place"), open_store(tmp_path) as store:
        list(store.batches("landuse"))
    page = bytes(4096)
    file.write_bytes(whole[: 4096 * 30] + b"\x7f" + page[1:] * ((len(whole) - 4096 * 30) // 4096))
    with pytest.raises(StoreFailed, match="is damaged"), open_store(tmp_path) as store:
        store.query("landuse")


def test_a_full_disk_is_said_and_nothing_is_written(tmp_path):
    make(tmp_path)
    with open_store(tmp_path) as store:
        with store._read() as connection:
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        # The pool hands the same connection out again; the limit is SQLite's own stand-in for a full disk.
        with store._engine.connect() as connection:
            connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + 3}")
        with pytest.raises(
            StoreFailed, match="cannot grow, the disk is full: make room and try again; nothing of this change"
        ):
            store.create("landuse", [NewAnnotation(Point(i, i), "water") for i in range(5000)])
        assert (store.count("landuse"), store.changes()) == (3, 1)


def test_locked_by_another_program(tmp_path, monkeypatch):
    monkeypatch.setattr(geopackage, "BUSY_SECONDS", 0.3)
    file = make(tmp_path)
    other = sqlite3.connect(file, isolation_level=None)
    with open_store(tmp_path) as store:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreFailed, match="is being written to by another program for longer than we wait"):
            store.create("landuse", [NewAnnotation(Point(0, 0), "water")])
        assert store.count("landuse") == 3, "reading goes on"
        other.execute("ROLLBACK")
        store.create("landuse", [NewAnnotation(Point(0, 0), "water")])
    other.close()


def test_another_program_had_turned_the_log_off(tmp_path, monkeypatch):
    """QGIS does so when it closes a GeoPackage."""
    monkeypatch.setattr(geopackage, "BUSY_SECONDS", 0.3)
    other = sqlite3.connect(make(tmp_path), isolation_level=None)
    assert other.execute("PRAGMA journal_mode = DELETE").fetchone() == ("delete",)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreFailed, match="is being written to by another program for longer than we wait"):
        open_store(tmp_path)
    other.execute("ROLLBACK")
    with open_store(tmp_path) as store:
        assert store.count("landuse") == other.execute("SELECT count(*) FROM landuse").fetchone()[0] == 3
        other.execute("PRAGMA busy_timeout = 0")
        with pytest.raises(sqlite3.OperationalError, match="database is locked"):
            other.execute("PRAGMA journal_mode = DELETE")
        other.close()


def test_removed_while_open(tmp_path):
    make(tmp_path / "ws")
    with open_store(tmp_path / "ws") as store:
        store._engine.dispose()
        shutil.rmtree(tmp_path / "ws")
        with pytest.raises(StoreFailed, match="cannot be opened: check that the file is there"):
            store.projects()
    assert not (tmp_path / "ws").exists()


@contextmanager
def as_nobody() -> Iterator[None]:
    """Go on as a user who may not do everything; root may."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


def test_no_permission():
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        file = make(home)
        for place, file_mode, folder_mode in ((file, 0o444, 0o777), (home, 0o666, 0o555)):
            file.chmod(file_mode)
            home.chmod(folder_mode)
            sentence = f"cannot be written to: give yourself write permission on {place}"
            with as_nobody(), pytest.raises(StoreFailed, match=sentence):
                open_store(home)
        with as_nobody(), pytest.raises(StoreFailed, match="cannot be made: Permission denied"):
            open_store(home / "new", create=True)
        home.chmod(0o600)
        with as_nobody(), pytest.raises(StoreFailed, match="cannot be looked into: Permission denied"):
            open_store(home)
        home.chmod(0o777)


@pytest.mark.parametrize("location", ["a\0b", "x" * 300, "/proc/nowhere", "/dev/null"])
def test_a_location_that_cannot_be(location):
    with pytest.raises(GeolabelError, match="workspace"):
        open_store(location, create=True)


@pytest.mark.parametrize("name", ["ü %20?#&", "a b", "file:x", "\udcff"])
def test_odd_names_of_folders(tmp_path, name):
    make(tmp_path / name)
    with open_store(tmp_path / name) as store:
        assert store.count("landuse") == 3
