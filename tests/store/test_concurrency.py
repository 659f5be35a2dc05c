"""Many threads and several processes on one workspace: nothing is lost, versions have no gaps."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

from shapely.geometry import Point

from geolabel.errors import NotFound, VersionConflict
from geolabel.model import AnnotationPatch, NewAnnotation

REPO = Path(__file__).resolve().parents[2]


def test_no_acknowledged_write_is_lost(store):
    """Eight writers on five annotations, half of them with an expected version, beside readers."""
    store.create("landuse", [NewAnnotation(Point(i, i), "water") for i in range(5)])
    stop = threading.Event()

    def write(writer: int) -> list[tuple[int, int, str]]:
        acknowledged = []
        for step in range(30):
            id_, note = 1 + (writer + step) % 5, f"{writer}/{step}"
            expected = store.annotation("landuse", id_).version if writer % 2 else None
            try:
                patch = AnnotationPatch(note=note, geometry=Point(writer, step))
                made = store.update("landuse", id_, patch, expected=expected, author=str(writer))
            except VersionConflict:
                continue
            assert expected is None or made.version == expected + 1
            acknowledged.append((id_, made.version, note))
        return acknowledged

    def read() -> int:
        rounds = 0
        while not stop.is_set():
            before = store.changes()
            assert len(store.query("landuse", bbox=(-100, -100, 100, 100))) == 5
            assert sum(len(batch.ids) for batch in store.batches("landuse", size=2)) == 5
            assert store.changes() >= before
            rounds += 1
        return rounds

    with ThreadPoolExecutor(11) as pool:
        readers = [pool.submit(read) for _ in range(3)]
        writers = [pool.submit(write, n) for n in range(8)]
        acknowledged = sorted(entry for writer in writers for entry in writer.result())
        stop.set()
        assert all(reader.result() > 0 for reader in readers)
    in_history = [
        (id_, change.annotation.version, change.annotation.note)
        for id_ in range(1, 6)
        for change in store.history("landuse", id_)
        if change.operation == "update"
    ]
    assert in_history == acknowledged
    assert len(acknowledged) > 100
    for id_ in range(1, 6):
        versions = [change.annotation.version for change in store.history("landuse", id_)]
        assert versions == list(range(1, len(versions) + 1))
    assert store.changes() == 1 + len(acknowledged)


def test_delete_and_bring_back_from_all_sides(store):
    store.create("landuse", [NewAnnotation(Point(0, 0), "water")])

    def toggle(writer: int) -> int:
        done = 0
        for _ in range(25):
            try:
                if writer % 2:
                    store.delete("landuse", 1)
                else:
                    store.replace("landuse", 1, NewAnnotation(Point(writer, 0), "forest"))
            except NotFound:
                continue
            done += 1
        return done

    with ThreadPoolExecutor(4) as pool:
        done = sum(pool.map(toggle, range(4)))
    changes = store.history("landuse", 1)
    assert [c.annotation.version for c in changes] == list(range(1, done + 2))
    pairs = pairwise(changes)
    assert not any(one.operation == other.operation == "delete" for one, other in pairs)


WORKER = """
import sys
from shapely.geometry import Point
from geolabel.errors import VersionConflict
from geolabel.model import AnnotationPatch, NewAnnotation
from geolabel.store import open_store

done = 0
with open_store(sys.argv[1]) as store:
    while done < 25:
        version = store.annotation("landuse", 1).version
        try:
            store.update("landuse", 1, AnnotationPatch(note=sys.argv[2]), expected=version)
        except VersionConflict:
            continue
        done += 1
        store.create("landuse", [NewAnnotation(Point(done, done), "forest")] * 3, author=sys.argv[2])
"""


def test_other_processes_have_it_open_too(store):
    store.create("landuse", [NewAnnotation(Point(0, 0), "water")])
    environment = os.environ | {"PYTHONPATH": str(REPO)}
    workers = [
        subprocess.Popen([sys.executable, "-c", WORKER, store.location, str(n)], env=environment) for n in range(2)
    ]
    mine = 0
    while any(worker.poll() is None for worker in workers):
        store.update("landuse", 1, AnnotationPatch(note="mine"))
        store.counts("landuse")
        mine += 1
        time.sleep(0.01)  # where writers take turns, one that never rests leaves no version as it was read
    assert [worker.returncode for worker in workers] == [0, 0]
    notes = [change.annotation.note for change in store.history("landuse", 1)]
    assert [notes.count(note) for note in (None, "0", "1", "mine")] == [1, 25, 25, mine]
    assert store.annotation("landuse", 1).version == 51 + mine
    assert [a.id for a in store.query("landuse")] == list(range(1, 152))
    assert store.counts("landuse") == {"water": 1, "forest": 150}


def test_a_killed_writer_leaves_all_or_nothing(store):
    """Killed somewhere in a loop of bulk writes: whole batches are there, and everything that was acknowledged."""
    code = (
        "import sys; from shapely.geometry import Point; from geolabel.model import NewAnnotation; "
        "from geolabel.store import open_store; store = open_store(sys.argv[1])\n"
        "for i in range(10_000):\n"
        "    store.create('landuse', [NewAnnotation(Point(i, i), 'water')] * 400); print(i, flush=True)"
    )
    environment = os.environ | {"PYTHONPATH": str(REPO)}
    acknowledged = 0
    for rounds in range(4):
        command = [sys.executable, "-c", code, store.location]
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as worker:
            assert worker.stdout is not None
            for _ in range(2 + rounds):
                worker.stdout.readline()
                acknowledged += 1
            worker.kill()
            acknowledged += len(worker.stdout.readlines())
        count = store.count("landuse")
        assert count % 400 == 0
        assert acknowledged <= count // 400 <= acknowledged + 1
        acknowledged = count // 400
        assert store.changes() == acknowledged
        store.claim_job()
    assert [a.id for a in store.query("landuse")] == list(range(1, acknowledged * 400 + 1))
    if store.name.endswith(".gpkg"):
        with store._read() as connection:
            assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
