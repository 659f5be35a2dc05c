"""Backups: taken while people write, proven, restored, refused when damaged."""

from __future__ import annotations

import json
import random
import re
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from typing import TYPE_CHECKING

import pyogrio
import pytest
from shapely.geometry import Point

from geolabel.classes import make_classes
from geolabel.errors import AlreadyExists, GeolabelError, InvalidInput, NotFound, StorageFull, StoreFailed
from geolabel.model import AnnotationPatch, JobState, NewAnnotation, Project
from geolabel.store import backup, open_store, room
from geolabel.store.copying import copy_workspace
from geolabel.store.sums import damage, table_sums

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from geolabel.store import Store


def sums(file: Path) -> dict[str, backup.TableSum]:
    with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as connection:
        return table_sums(connection)


def fill(store: Store, count: int = 300) -> None:
    store.create_project(Project("landuse", "Land use", "EPSG:32616", make_classes(["water", "forest"])))
    store.create("landuse", [NewAnnotation(Point(i / 3, i).buffer(2), "water", note=f"{i} ü") for i in range(count)])
    for id_ in range(1, count, 7):
        store.update("landuse", id_, AnnotationPatch(note="changed"), author="anna")
    store.delete("landuse", 2, author="ben")


@pytest.fixture
def store(tmp_path: Path):
    with open_store(tmp_path / "ws", create=True) as store:
        fill(store)
        yield store


def test_the_drill(store: Store, tmp_path: Path) -> None:
    (store.folder / "geolabel.toml").write_text("port = 8123\n")
    manifest = store.backup(tmp_path / "ws.gpkg")
    assert manifest.projects["landuse"] == 299
    assert backup.verify(tmp_path / "ws.gpkg") == manifest
    backup.restore(tmp_path / "ws.gpkg", tmp_path / "again")
    assert sorted(path.name for path in (tmp_path / "again").iterdir()) == ["geolabel.toml", "workspace.gpkg"]
    assert (tmp_path / "again/geolabel.toml").read_text() == "port = 8123\n"
    assert sums(tmp_path / "again/workspace.gpkg") == sums(store.folder / "workspace.gpkg") == manifest.tables
    with open_store(tmp_path / "again") as restored:
        for id_ in (1, 2, 3, 299):
            assert restored.history("landuse", id_) == store.history("landuse", id_)
        assert restored.changes() == store.changes()
        made = restored.create("landuse", [NewAnnotation(Point(0, 0), "water")])
        assert made[0].id == 301, "an id is never given out twice"


@pytest.mark.parametrize("rounds", [8, pytest.param(100, marks=pytest.mark.soak)])
def test_backups_while_others_write(store: Store, tmp_path: Path, rounds: int) -> None:
    """Each is one whole file of one moment: every batch of ten is in it as a whole."""
    stop = threading.Event()

    def write() -> None:
        while not stop.wait(0.02):
            store.create("landuse", [NewAnnotation(Point(0, 0), "forest")] * 10)

    writers = [threading.Thread(target=write) for _ in range(2)]
    for writer in writers:
        writer.start()
    counts = []
    try:
        for _ in range(rounds):
            manifest = store.backup(tmp_path / "ws.gpkg", overwrite=True)
            counts.append(manifest.projects["landuse"])
            assert manifest.tables["geolabel_changesets"].rows == 45 + (counts[-1] - 299) // 10
            with closing(sqlite3.connect(tmp_path / "ws.gpkg")) as copy:
                assert copy.execute("PRAGMA journal_mode").fetchone() == ("delete",)
                assert copy.execute("SELECT count(*) FROM landuse").fetchone() == (counts[-1],)
                assert damage(copy) is None
            assert sorted(path.name for path in tmp_path.iterdir()) == ["ws", "ws.gpkg"]
    finally:
        stop.set()
        for writer in writers:
            writer.join()
    assert all((count - 299) % 10 == 0 for count in counts)
    assert counts == sorted(counts)
    assert counts[-1] > counts[0], "they wrote meanwhile"


def test_gdal_reads_a_backup(store: Store, tmp_path: Path) -> None:
    store.backup(tmp_path / "ws.gpkg")
    frame = pyogrio.read_dataframe(tmp_path / "ws.gpkg", layer="landuse")
    assert len(frame) == 299
    assert frame.crs.to_epsg() == 32616
    assert backup.verify(tmp_path / "ws.gpkg").projects["landuse"] == 299, "reading changes nothing"


@pytest.mark.parametrize("seed", range(2))
def test_whatever_bit_is_flipped_nothing_wrong_is_restored(store: Store, tmp_path: Path, seed: int) -> None:
    manifest = store.backup(tmp_path / "ws.gpkg")
    whole = (tmp_path / "ws.gpkg").read_bytes()
    chance = random.Random(seed)
    refused = []
    for number in range(10):
        damaged = bytearray(whole)
        at = chance.randrange(len(damaged))
        damaged[at] ^= 1 << chance.randrange(8)
        file = tmp_path / f"{number}.gpkg"
        file.write_bytes(damaged)
        try:
            backup.restore(file, tmp_path / str(number))
        except GeolabelError as error:
            refused.append(str(error))
        else:  # a byte that nothing uses
            assert sums(tmp_path / str(number) / "workspace.gpkg") == manifest.tables
            continue
        assert not (tmp_path / str(number)).exists()
    assert all("damaged" in said or "is not a backup" in said for said in refused)
    assert len(refused) > 3


def test_a_row_that_somebody_changed_is_found(store: Store, tmp_path: Path) -> None:
    store.backup(tmp_path / "ws.gpkg")
    with closing(sqlite3.connect(tmp_path / "ws.gpkg")) as other:
        other.execute("DROP TRIGGER geolabel_guard_geolabel_history_update")
        other.execute("UPDATE geolabel_history SET note = 'forged' WHERE key = 1")
        other.commit()
    with pytest.raises(StoreFailed, match=r"is damaged: table (sqlite_schema|geolabel_history) should hold"):
        backup.verify(tmp_path / "ws.gpkg")


def test_what_is_refused(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "ws.gpkg"
    store.backup(file)
    with pytest.raises(
        AlreadyExists, match="There is a file .*ws.gpkg already: give another name, or pass --overwrite"
    ):
        store.backup(file)
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(
        InvalidInput, match=r"notes.txt is not a backup: expected one that `geolabel backup` has written"
    ):
        store.backup(tmp_path / "notes.txt", overwrite=True)
    assert (tmp_path / "notes.txt").read_text() == "mine"
    with pytest.raises(InvalidInput, match="workspace.gpkg is not a backup"):
        store.backup(store.folder / "workspace.gpkg", overwrite=True)
    with pytest.raises(AlreadyExists, match="is a folder: give the name of a file in it"):
        store.backup(tmp_path)
    with pytest.raises(NotFound, match="there is no folder .*nowhere"):
        store.backup(tmp_path / "nowhere/ws.gpkg")
    with pytest.raises(
        AlreadyExists, match=r"The folder .*ws is not empty \(it holds workspace.gpkg.*restore into a new"
    ):
        backup.restore(file, store.folder)
    with pytest.raises(NotFound, match=r"There is no backup .*gone.gpkg"):
        backup.restore(tmp_path / "gone.gpkg", tmp_path / "new")
    with pytest.raises(InvalidInput, match="notes.txt is not a backup"):
        backup.restore(tmp_path / "notes.txt", tmp_path / "new")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["notes.txt", "ws", "ws.gpkg"]


def test_a_backup_of_a_newer_version_is_refused(store: Store, tmp_path: Path) -> None:
    manifest = store.backup(tmp_path / "ws.gpkg")
    with closing(sqlite3.connect(tmp_path / "ws.gpkg")) as other:
        newer = json.dumps({**manifest.to_json(), "format": 2, "geolabel": "9.9"})
        other.execute("UPDATE geolabel_backup SET manifest = ?", (newer,))
        other.commit()
    with pytest.raises(InvalidInput, match=r"written by a newer geolabel \(9.9\): update geolabel to restore it"):
        backup.verify(tmp_path / "ws.gpkg")


def test_a_damaged_workspace_is_not_backed_up_in_silence(tmp_path: Path) -> None:
    with open_store(tmp_path / "ws", create=True) as store:
        fill(store, 1500)
    file = tmp_path / "ws/workspace.gpkg"
    whole = bytearray(file.read_bytes())
    whole[len(whole) // 2 : len(whole) // 2 + 4096] = bytes(4096)
    file.write_bytes(whole)
    with open_store(tmp_path / "ws") as store, pytest.raises(StoreFailed, match=r"malformed|damaged"):
        store.backup(tmp_path / "ws.gpkg")
    assert not (tmp_path / "ws.gpkg").exists()


def test_a_disk_without_room_is_said_before_the_work(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "RESERVE", 10**18)
    with pytest.raises(StorageFull, match=r"The backup ws.gpkg needs about .* MB and a reserve of .*, but .* are free"):
        store.backup(tmp_path / "ws.gpkg")
    assert [path.name for path in tmp_path.iterdir()] == ["ws"]


def test_the_commands(store: Store, tmp_path: Path) -> None:
    def run(*arguments: object, code: int = 0) -> str:
        command = [sys.executable, "-m", "geolabel", *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, timeout=60)
        assert done.returncode == code, done.stderr
        return done.stdout if code == 0 else done.stderr

    assert "Backed up to ws.gpkg, and verified" in run("backup", "ws.gpkg", "-w", "ws")
    checked = json.loads(run("restore", "ws.gpkg", "--verify", "--json"))
    assert checked["projects"]["landuse"] == 299
    assert re.search(r"Restored into .*again, and verified", run("restore", "ws.gpkg", "-w", "again"))
    assert sums(tmp_path / "again/workspace.gpkg")["landuse"] == sums(store.folder / "workspace.gpkg")["landuse"]
    assert "is not empty" in run("restore", "ws.gpkg", "-w", "again", code=1)


@pytest.mark.postgis
def test_an_import_that_waits_goes_on_where_the_backup_is_restored(
    location: str, tmp_path: Path, postgis_workspace: Callable[[], str]
) -> None:
    with open_store(location) as store:
        (store.folder / "imports").mkdir(exist_ok=True)
        (store.folder / "imports/waiting.geojson").write_text('{"type": "FeatureCollection", "features": []}')
        (store.folder / "imports/done.geojson").write_text("{}")
        waiting = store.add_job("import", "land", {"file": "imports/waiting.geojson"})
        ended = store.add_job("export", "land", {})
        store.cancel_job(ended.id)
        assert set(store.backup(tmp_path / "ws.gpkg").files) == {"imports/waiting.geojson"}
    for place in (tmp_path / "again", postgis_workspace()):
        backup.restore(tmp_path / "ws.gpkg", place)
        with open_store(place) as restored:
            assert {job.id: job.state for job in restored.jobs()} == {
                waiting.id: JobState.QUEUED,
                ended.id: JobState.CANCELLED,
            }
            assert (restored.folder / "imports/waiting.geojson").read_text().startswith('{"type"')
            assert not (restored.folder / "imports/done.geojson").exists() or restored.folder == store.folder
            assert restored.add_job("export", "land", {}).id == ended.id + 1


@pytest.mark.postgis
def test_the_drill_from_each_database_into_each(
    location: str, tmp_path: Path, postgis_workspace: Callable[[], str]
) -> None:
    """What is restored is equal by content hash, whichever database it came from and went to."""
    with open_store(location) as store:
        made = store.create(
            "land", [NewAnnotation(Point(i / 3, i / 7).buffer(2), "water", note="ü") for i in range(50)]
        )
        store.update("land", made[0].id, AnnotationPatch(note="changed"), author="anna")
        store.delete("land", made[1].id)
        manifest = store.backup(tmp_path / "ws.gpkg")
        history = [store.history("land", id_) for id_ in (1, 2, 3)]
        assert manifest.projects["land"] == 49
    assert backup.verify(tmp_path / "ws.gpkg") == manifest
    hashes: list[str] = []
    for place in (tmp_path / "again", postgis_workspace()):
        backup.restore(tmp_path / "ws.gpkg", place)
        with open_store(place) as restored:
            assert [restored.history("land", id_) for id_ in (1, 2, 3)] == history
            assert restored.changes() == 3
        with pytest.raises(AlreadyExists, match="is not empty"):
            backup.restore(tmp_path / "ws.gpkg", place)
    for place in (location, tmp_path / "again"):
        target = tmp_path / f"copy-{len(hashes)}"
        with open_store(place) as source, open_store(target, create=True) as copy:
            hashes.append(copy_workspace(source, copy).sha256)
    assert hashes[0] == hashes[1]
