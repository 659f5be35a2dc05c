"""Other programs that have the live file open: GDAL (which QGIS uses) reads it, and its writes are refused with a sentence."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from typing import TYPE_CHECKING

import geopandas
import pyogrio
import pytest
from shapely.geometry import Point, box

from geolabel.classes import make_classes
from geolabel.model import AnnotationPatch, NewAnnotation, Project
from geolabel.store import open_store
from geolabel.store.sums import damage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from geolabel.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path / "ws", create=True) as store:
        store.create_project(Project("land", "Land", "EPSG:32616", make_classes(["water", "forest"])))
        store.create("land", [NewAnnotation(box(i, i, i + 1, i + 1), "water", note=str(i)) for i in range(200)])
        yield store


def journal_mode(file: Path) -> str:
    with closing(sqlite3.connect(file)) as other:
        mode: str = other.execute("PRAGMA journal_mode").fetchone()[0]
        return mode


def test_gdal_reads_while_we_write(store: Store) -> None:
    """Each time one whole state: batches of ten come and go together."""
    file, stop = store.folder / "workspace.gpkg", threading.Event()

    def write() -> None:
        while not stop.wait(0.005):
            made = store.create("land", [NewAnnotation(Point(500, 500), "forest")] * 10)
            store.update("land", made[0].id, AnnotationPatch(note="changed"))

    writer = threading.Thread(target=write)
    writer.start()
    try:
        counts = []
        for number in range(15):
            frame = pyogrio.read_dataframe(file, layer="land", bbox=(0, 0, 1000, 1000) if number % 2 else None)
            counts.append(len(frame))
            assert journal_mode(file) == "wal", "what GDAL leaves behind is as it was"
    finally:
        stop.set()
        writer.join()
    assert all(count % 10 == 0 for count in counts)
    assert counts == sorted(counts)
    assert counts[-1] > counts[0] >= 200
    with store._read() as connection:
        assert damage(connection.connection.driver_connection) is None


LOOK = "import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute('SELECT note FROM land WHERE id = 1').fetchone()[0])"


@pytest.mark.skipif(sys.platform != "linux", reason="locks of an open file description are Linux'")
def test_gdal_in_our_own_process_does_not_take_the_log_away(store: Store) -> None:
    """GDAL has a SQLite of its own: without our locks it takes itself for the last one, deletes the log, and edits are lost."""
    file = store.folder / "workspace.gpkg"
    log = file.with_name("workspace.gpkg-wal")
    before = log.stat().st_ino
    for number in range(3):
        assert len(geopandas.read_file(file, layer="land")) == 200
        assert log.stat().st_ino == before
        store.update("land", 1, AnnotationPatch(note=f"edit {number}"))
        seen = subprocess.run([sys.executable, "-c", LOOK, file], capture_output=True, text=True, check=True).stdout
        assert seen == f"edit {number}\n", "others see what was acknowledged"
    with open_store(file.parent) as second:  # one of two Stores that is closed leaves the other its locks
        assert second.annotation("land", 1).note == "edit 2"
    pyogrio.read_dataframe(file, layer="land")
    assert log.stat().st_ino == before
    store.close()
    assert sorted(path.name for path in file.parent.iterdir() if path.is_file()) == ["workspace.gpkg"]
    with open_store(file.parent) as again:
        assert again.annotation("land", 1).note == "edit 2"


def test_writes_of_gdal_are_refused_with_a_sentence(store: Store) -> None:
    file = store.folder / "workspace.gpkg"
    before = store.query("land")
    frame = geopandas.GeoDataFrame({"class": ["water"]}, geometry=[Point(1, 1)], crs="EPSG:32616")
    with pytest.raises(Exception, match="geolabel keeps this table and gives every change a version"):
        pyogrio.write_dataframe(frame, file, layer="land", append=True)
    assert store.query("land") == before
    assert journal_mode(file) == "wal"
    store.update("land", 1, AnnotationPatch(note="we go on"))
    assert store.annotation("land", 1).version == 2


def test_a_program_that_turned_the_log_off_while_we_were_away(store: Store) -> None:
    """QGIS does so when it closes the file as the last one; we turn it on again, and it stays on while we are there."""
    file = store.folder / "workspace.gpkg"
    store.close()
    with closing(sqlite3.connect(file)) as qgis:
        assert qgis.execute("PRAGMA journal_mode = DELETE").fetchone() == ("delete",)
    with open_store(file.parent) as again:
        assert journal_mode(file) == "wal"
        with (
            closing(sqlite3.connect(file, timeout=0.1)) as qgis,
            pytest.raises(sqlite3.OperationalError, match="locked"),
        ):
            qgis.execute("PRAGMA journal_mode = DELETE")
        assert again.count("land") == 200
    assert sorted(path.name for path in file.parent.iterdir() if path.is_file()) == ["workspace.gpkg"]


def test_the_three_files_are_one_group(store: Store, tmp_path: Path) -> None:
    """The file alone lacks what is in its log: whoever copies by hand copies both, or takes a backup, which is one file."""
    store.update("land", 1, AnnotationPatch(note="only in the log"))
    file = store.folder / "workspace.gpkg"
    assert file.with_name("workspace.gpkg-wal").stat().st_size > 0
    group = tmp_path / "group"
    group.mkdir()
    for name in ("workspace.gpkg", "workspace.gpkg-wal"):
        (group / name).write_bytes((file.parent / name).read_bytes())
    with open_store(group) as copy:
        assert copy.annotation("land", 1).note == "only in the log"
    store.backup(tmp_path / "ws.gpkg")
    frame = pyogrio.read_dataframe(tmp_path / "ws.gpkg", layer="land", fid_as_index=True)
    assert frame.loc[1, "note"] == "only in the log"
