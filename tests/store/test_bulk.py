"""Imports into both databases: staged unseen, published at once, found again by the ids of their source."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import shapely

from geolabel import workflows
from geolabel.errors import Cancelled, InvalidInput, NotFound
from geolabel.formats.memory import labels_from_geojson
from geolabel.geo.ragged import from_shapely
from geolabel.model import AnnotationPatch, Status
from geolabel.store import open_store
from geolabel.store.bulk import Rows

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from geolabel.formats.base import LabelStream
    from geolabel.intake import ImportReport
    from geolabel.store import Store
    from geolabel.store.stage import ImportStage

X, Y = 733_601.0, 3_724_739.0


def square(n: int, size: float = 4.0) -> dict[str, Any]:
    x, y = X + 5 * (n % 50), Y + 5 * (n // 50)
    return json.loads(shapely.to_geojson(shapely.box(x, y, x + size, y + size)))


def feature(n: int, name: str = "water", *, size: float = 4.0, **properties: Any) -> dict[str, Any]:
    return {"type": "Feature", "id": n, "geometry": square(n, size), "properties": {"class": name, **properties}}


def labels(*features: dict[str, Any], name: str = "parcels.geojson") -> LabelStream:
    return labels_from_geojson(list(features), crs="EPSG:32616", name=name)


def take(store: Store, *features: dict[str, Any], **options: Any) -> ImportReport:
    return workflows.import_labels(store, "landuse", labels(*features), **options)


def rows(stage: ImportStage, *numbers: int, **columns: list[Any]) -> Rows:
    shapes = from_shapely(np.array([shapely.from_geojson(json.dumps(square(n))) for n in numbers], dtype=object))
    given = {"class": ["water"] * len(numbers), **columns}
    return Rows(stage.encode(shapes), shapes.bounds(), given, [f"feature {n}" for n in numbers])


def test_staged_rows_are_seen_by_nobody_and_edits_go_on(store: Store) -> None:
    take(store, feature(0))
    with store.stage_import("landuse", source="import:b") as stage:
        stage.add(rows(stage, 1, 2, 3))
        assert store.count("landuse") == 1
        assert [a.id for a in store.query("landuse", bbox=(X, Y, X + 100, Y + 100))] == [1]
        assert store.extent("landuse") == (X, Y, X + 4, Y + 4)
        assert store.counts("landuse") == {"water": 1, "forest": 0}
        with pytest.raises(NotFound):
            store.annotation("landuse", 2)
        edited = store.update("landuse", 1, AnnotationPatch(class_name="forest"))
        assert edited.version == 2
        before = store.changes()
        stage.publish()
    assert store.count("landuse") == 4
    assert [a.id for a in store.query("landuse", bbox=(X + 5, Y, X + 100, Y + 100))] == [2, 3, 4]
    assert store.extent("landuse") == (X, Y, X + 19, Y + 4)
    assert store.count("landuse", at=before) == 1, "the past does not know what came later"
    assert store.count("landuse", at=store.changes()) == 4
    [_, imported] = [c for c in store.changesets("landuse") if c.kind == "import"][::-1]
    assert (imported.created, imported.updated, imported.deleted) == (3, 0, 0)


def test_what_is_not_published_leaves_no_trace(store: Store) -> None:
    take(store, feature(0))
    changes = store.changes()
    stages = []

    def stop_halfway() -> None:
        with store.stage_import("landuse", source="import:b") as stage:
            stages.append(stage)
            stage.add(rows(stage, *range(1, 30)))
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        stop_halfway()
    [stage] = stages
    assert store.count("landuse") == 1
    assert store.changes() == changes
    with store._read() as connection:
        table = stage.layer.table
        assert connection.execute(table.select()).mappings().all()[-1]["id"] == 1


def test_a_cancelled_import_is_as_if_it_had_not_been(store: Store) -> None:
    def stop(share: float, message: str) -> None:
        if share > 0.3:
            raise Cancelled(message)

    with pytest.raises(Cancelled):
        take(store, *(feature(n) for n in range(20_500)), progress=stop)
    assert store.count("landuse") == 0
    assert store.sweep_imports() == 0


def test_the_same_source_again_changes_nothing(store: Store) -> None:
    first = take(store, feature(0), feature(1, note="wet"), feature(2))
    assert (first.read, first.imported, first.updated, first.unchanged) == (3, 3, 0, 0)
    before = [(a.id, a.version, a.updated_at) for a in store.query("landuse")]
    for _ in range(2):
        again = take(store, feature(0), feature(1, note="wet"), feature(2))
        assert (again.read, again.imported, again.updated, again.unchanged, again.gone) == (3, 0, 0, 3, 0)
        assert [(a.id, a.version, a.updated_at) for a in store.query("landuse")] == before


def test_what_has_changed_in_the_source_becomes_the_next_version(store: Store) -> None:
    take(store, feature(0), feature(1), feature(2), feature(3))
    moment = store.changes()
    report = take(store, feature(0), feature(1, "forest"), feature(2, size=3.0), feature(9))
    assert (report.imported, report.updated, report.unchanged, report.gone, report.deleted) == (1, 2, 1, 1, 0)
    found = {a.id: a for a in store.query("landuse")}
    assert {id_: a.version for id_, a in found.items()} == {1: 1, 2: 2, 3: 2, 4: 1, 5: 1}
    assert found[2].class_name == "forest"
    assert found[3].geometry.area == 9.0
    assert [a.external_id for a in found.values()] == ["0", "1", "2", "3", "9"]
    steps = store.history("landuse", 2)
    assert [(c.operation, c.annotation.class_name) for c in steps] == [("create", "water"), ("update", "forest")]
    assert {a.id: a.class_name for a in store.query("landuse", at=moment)} == dict.fromkeys(range(1, 5), "water")
    assert [a.id for a in store.query("landuse", bbox=(X + 13.5, Y, X + 14, Y + 1))] == [], "the index follows"
    taken_back = store.revert("landuse", report.changeset)
    assert taken_back.changeset is not None
    assert {a.id: a.class_name for a in store.query("landuse")} == dict.fromkeys(range(1, 5), "water")


def test_what_the_source_does_not_have_any_more_is_deleted_when_asked_for(store: Store) -> None:
    take(store, feature(0), feature(1), feature(2))
    report = take(store, feature(1), prune=True)
    assert (report.gone, report.deleted, report.unchanged) == (2, 2, 1)
    assert [a.id for a in store.query("landuse")] == [2]
    assert store.extent("landuse") == (X + 5, Y, X + 9, Y + 4)
    assert [c.operation for c in store.history("landuse", 1)] == ["create", "delete"]


def test_other_sources_and_labels_drawn_here_are_left_alone(store: Store) -> None:
    workflows.import_labels(store, "landuse", labels(feature(0), name="other.geojson"))
    take(store, feature(0), feature(1))
    report = take(store, feature(1), prune=True)
    assert report.deleted == 1
    assert [a.provenance.source for a in store.query("landuse")] == ["import:other.geojson", "import:parcels.geojson"]


def test_an_edit_made_here_stays_while_the_source_stays(store: Store) -> None:
    take(store, feature(0), feature(1), feature(2))
    store.update("landuse", 1, AnnotationPatch(class_name="forest", status=Status.ACCEPTED))
    store.delete("landuse", 2)
    report = take(store, feature(0), feature(1), feature(2))
    assert (report.unchanged, report.kept, report.imported, report.updated, report.gone) == (1, 2, 0, 0, 0)
    assert {a.id: a.class_name for a in store.query("landuse")} == {1: "forest", 3: "water"}
    changed = take(store, feature(0, size=2.0), feature(1), feature(2))
    assert (changed.updated, changed.overwritten) == (1, 1)
    now = store.annotation("landuse", 1)
    assert (now.version, now.class_name, now.geometry.area) == (3, "water", 4.0)
    assert now.status is Status.ACCEPTED, "what the source does not say stays"
    assert store.history("landuse", 1)[1].annotation.class_name == "forest"


def test_an_edit_made_while_the_source_is_read_again_is_counted_and_what_the_source_does_not_say_stays(
    store: Store,
) -> None:
    take(store, feature(0), feature(1))

    def edit(_share: float, said: str) -> None:
        if said == "Publishing":
            store.update("landuse", 1, AnnotationPatch(class_name="forest", status=Status.ACCEPTED, note="looked at"))

    report = take(store, feature(0, size=2.0), feature(1, size=2.0), progress=edit)
    assert (report.updated, report.overwritten) == (2, 1)
    now = store.annotation("landuse", 1)
    assert (now.version, now.class_name, now.geometry.area) == (3, "water", 4.0)
    assert (now.status, now.note) == (Status.ACCEPTED, "looked at")
    assert [change.annotation.class_name for change in store.history("landuse", 1)] == ["water", "forest", "water"]


def test_an_id_that_a_source_has_twice_is_refused(store: Store) -> None:
    with pytest.raises(InvalidInput, match="the id '1' is another feature's already|not unique") as caught:
        take(store, feature(0), feature(1), feature(1))
    assert [p.pointer for p in caught.value.problems] == ["feature 1", "feature 2"]
    assert store.count("landuse") == 0


def test_ids_come_from_a_column(store: Store) -> None:
    def parcel(n: int, **more: Any) -> dict[str, Any]:
        return {**feature(n, parcel=f"P{n}", **more), "id": None}

    report = take(store, parcel(0), parcel(1), id_field="parcel")
    assert report.dropped_columns == ()
    assert [a.external_id for a in store.query("landuse")] == ["P0", "P1"]
    again = take(store, parcel(1, note="x"), parcel(0), id_field="parcel")
    assert (again.imported, again.updated, again.unchanged) == (0, 1, 1)
    with pytest.raises(InvalidInput, match="has no column 'plot'; it has class, parcel"):
        take(store, parcel(0), id_field="plot")


def test_two_imports_at_once_are_both_seen_when_they_are_done(store: Store) -> None:
    with (
        store.stage_import("landuse", source="import:a") as one,
        store.stage_import("landuse", source="import:b") as two,
    ):
        one.add(rows(one, 0, 1))
        two.add(rows(two, 2, 3, 4))
        two.publish()
        assert store.count("landuse") == 3
        one.publish()
    assert store.count("landuse") == 5
    assert len(store.query("landuse", bbox=(X, Y, X + 100, Y + 100))) == 5


def test_a_project_deleted_meanwhile_ends_the_import(store: Store) -> None:
    def import_and_delete() -> None:
        with store.stage_import("landuse", source="import:a") as stage:
            stage.add(rows(stage, 0))
            store.delete_project("landuse")
            stage.add(rows(stage, 1))

    with pytest.raises(NotFound, match="was deleted while labels were imported"):
        import_and_delete()
    assert store.projects() == []


KILLED = """
import json, sys, time
from geolabel import workflows
from geolabel.formats.memory import labels_from_geojson
from geolabel.store import open_store

location, features, line = json.loads(sys.argv[1]), json.loads(sys.stdin.readline()), float(sys.argv[2])

def tell(share, message):
    print(share, flush=True)
    if share >= line:
        time.sleep(600)

with open_store(location) as store:
    labels = labels_from_geojson(features * 1, crs="EPSG:32616", name="big.geojson")
    workflows.import_labels(store, "landuse", labels, progress=tell)
"""


@pytest.mark.parametrize("line", [0.2, 0.7])
def test_a_killed_import_is_seen_by_nobody_and_swept_up(
    make_store: Callable[[], Store], tmp_path: Path, line: float
) -> None:
    store = make_store()
    take(store, feature(0))
    features = [feature(n) for n in range(1, 20_500)]
    command = [sys.executable, "-c", KILLED, json.dumps(store.location), str(line)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=tmp_path) as child:
        assert child.stdin is not None and child.stdout is not None  # noqa: PT018
        child.stdin.write(json.dumps(features) + "\n")
        child.stdin.flush()
        while float(child.stdout.readline()) < line:
            pass
        with open_store(store.location) as other:  # an import at work is not taken for dead
            assert other.count("landuse") == 1
        assert child.poll() is None
        os.kill(child.pid, signal.SIGKILL)
    assert store.count("landuse") == 1
    deadline = time.monotonic() + 20  # PostgreSQL notices a dead client in its own time
    while True:
        with open_store(store.location) as other, other._read() as connection:
            left = connection.exec_driver_sql('SELECT count(*) FROM "landuse"').scalar()
        if left == 1 or time.monotonic() > deadline:
            break
        time.sleep(0.2)
    assert left == 1
    assert take(store, *features[:10]).imported == 10
