"""A disk of 50 MB that fills up: refusals with numbers, reads go on, nothing is damaged, and room is all that it needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from geolabel import jobs, workflows
from geolabel.chips.spec import ChipSpec
from geolabel.classes import make_classes
from geolabel.errors import StorageFull, StoreFailed
from geolabel.model import JobState, Project
from geolabel.store import open_store, room
from geolabel.store.failures import said_in_sentences
from geolabel.store.room import RESERVE, check_room, megabytes
from geolabel.store.sums import damage
from tests.disks import fill

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import httpx

ITEMS = "/api/collections/land/items"


def test_a_full_disk_and_room_again(
    disk: Path, serve: Callable[[str], Any], client: Callable[[str], httpx.Client], square: Callable[[int], Any]
) -> None:
    with open_store(disk / "ws", create=True) as store:
        store.create_project(Project("land", "Land", "EPSG:32616", make_classes(["water"])))
    server, url = serve(str(disk / "ws"))
    http = client(url)

    def post(number: int, note: str) -> httpx.Response:
        properties = {"class": "water", "note": note}
        body = {"type": "Feature", "geometry": square(number), "properties": properties}
        return http.post(ITEMS, json=body)

    acknowledged = {}
    for number in range(10):
        acknowledged[post(number, "before").json()["id"]] = "before"
    filler = fill(disk)
    for number in range(10, 2000):  # the log has some room of its own at first
        answer = post(number, note := f"{number} " + "x" * 9000)
        if answer.status_code != 201:
            break
        acknowledged[answer.json()["id"]] = note
    assert answer.status_code == 507
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert "the disk is full" in problem["detail"]
    assert "MB are free" in problem["detail"]
    assert problem["free_bytes"] < 1_000_000
    assert str(disk) not in answer.text
    assert http.patch(f"{ITEMS}/1", json={"properties": {"note": "y" * 9000}}).status_code == 507

    assert http.get(f"{ITEMS}/1").json()["properties"]["note"] == "before", "reading goes on"
    assert http.get(ITEMS, params={"limit": 1}).json()["numberMatched"] == len(acknowledged)
    assert http.get("/healthz").status_code == 200
    collection = {"type": "FeatureCollection", "features": [{"type": "Feature", "geometry": square(1)}] * 10}
    refused = http.post("/api/projects/land/imports?class=water", json=collection)
    assert refused.status_code == 507
    assert refused.json()["needed_bytes"] > 0
    assert "The import needs about" in refused.json()["detail"]
    assert list((disk / "ws").glob("imports/*")) == []

    filler.unlink()
    answer = post(3000, "after")
    assert answer.status_code == 201, "it recovers without a restart"
    acknowledged[answer.json()["id"]] = "after"
    server.stop()
    assert server.wait() in {0, -15}
    with open_store(disk / "ws") as store:
        assert {a.id: a.note for a in store.query("land")} == acknowledged
        with store._read() as connection:
            assert damage(connection.connection.driver_connection) is None


def test_an_import_at_the_command_line(disk: Path, nursery: Any, tmp_path: Path, square: Callable[[int], Any]) -> None:
    """Stopped by a disk that fills up under it: a sentence, no label, and the next one succeeds."""
    import json

    with open_store(disk / "ws", create=True) as store:
        store.create_project(Project("land", "Land", "EPSG:32616", make_classes(["water"])))
    features = [
        {"type": "Feature", "geometry": square(n), "properties": {"note": f"{n} " + "x" * 2000}} for n in range(3000)
    ]
    file = tmp_path / "labels.geojson"
    file.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    filler = fill(disk, leave=1_000_000)
    child = nursery.start("import", "land", file, "--class", "water", "-w", disk / "ws")
    assert child.wait() == 1
    assert "full" in child.output or "make room" in child.output
    filler.unlink()
    with open_store(disk / "ws") as store:
        assert store.count("land") == 0
    child = nursery.start("import", "land", file, "--class", "water", "-w", disk / "ws")
    assert child.wait() == 0, child.output
    with open_store(disk / "ws") as store:
        assert store.count("land") == 3000
        with store._read() as connection:
            assert damage(connection.connection.driver_connection) is None


def test_a_job_says_that_the_disk_was_full_and_not_where(tmp_path: Path) -> None:
    with open_store(tmp_path / "ws", create=True) as store:
        store.create_project(Project("land", "Land", "EPSG:32616", make_classes(["water"])))
        store.add_job("export", "land", {})
        job = store.claim_job()
        assert job is not None

        def full(*_: object) -> dict[str, Any]:
            raise OSError(28, "No space left on device", str(tmp_path / "secret/place"))

        assert jobs.run_job(store, job, {"export": full}) is JobState.FAILED
        assert store.job(job.id).message == "The work was stopped: No space left on device."


def test_an_export_that_does_not_fit_is_refused_before_it_begins(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_store(tmp_path / "ws", create=True) as store:
        scene = workflows.add_scene(store, data / "pairs/elkton_l8_uint16_landcover/l8_elkton_uint16.tif")
        project = workflows.create_project(store, "Land", scenes=[scene.id], classes=["water"])
        monkeypatch.setattr(room, "RESERVE", 10**18)
        with pytest.raises(StorageFull, match=r"The export needs about 0.\d MB and a reserve of") as caught:
            workflows.export(store, project.id, tmp_path / "out", ["coco"], ChipSpec(size=64))
        # 9 chips of 64 x 64 pixels, 8 bands of 2 bytes: a third of that.
        assert caught.value.needed == 9 * 64 * 64 * 8 * 2 // 3
        assert [path.name for path in tmp_path.iterdir()] == ["ws"]


def test_the_numbers_of_a_refusal(tmp_path: Path) -> None:
    with pytest.raises(
        StorageFull, match=r"The import needs about .* GB and a reserve of 8.0 MB, but .* are free"
    ) as caught:
        check_room(tmp_path, 10**16, "The import")
    assert caught.value.needed == 10**16
    assert caught.value.free is not None
    assert str(tmp_path) in str(caught.value)
    assert str(tmp_path) not in caught.value.public
    check_room(tmp_path, 1, "The import")
    check_room("postgresql://elsewhere/db", 10**16, "The import")
    assert (megabytes(1_234_567), megabytes(23_400_000_000), RESERVE) == ("1.2 MB", "23.4 GB", 8_000_000)


@pytest.mark.parametrize(
    ("words", "kind", "sentence"),
    [
        ("database or disk is full", StorageFull, "the disk is full"),
        ("interrupted", StoreFailed, "took longer than it may"),
        ("SELECT secret FROM geolabel", StoreFailed, "the server's log says why"),
    ],
)
def test_what_a_database_says_is_not_repeated_outside(
    tmp_path: Path, words: str, kind: type[StoreFailed], sentence: str
) -> None:
    import sqlite3

    name = str(tmp_path / "workspace.gpkg")
    with pytest.raises(kind) as caught, said_in_sentences(name):
        raise sqlite3.OperationalError(words)
    assert sentence in caught.value.public
    assert name not in caught.value.public
    assert "secret" not in caught.value.public
    assert name in str(caught.value)
