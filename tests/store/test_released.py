"""Workspaces that released versions have made open in this one, with everything that was in them.

`released/NNNN.sql` is a workspace as the version with that revision has written it, `released/NNNN.json` what that version
read out of it. They are never made anew: a release adds a pair of its own.
"""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyogrio
import pytest
import shapely

from geolabel.model import NewAnnotation
from geolabel.store import migrations, open_store
from geolabel.store.blob import register_functions
from geolabel.store.sums import damage

if TYPE_CHECKING:
    from geolabel.model import Annotation
    from geolabel.store import Store

RELEASED = Path(__file__).with_name("released")


def made_by(revision: str, folder: Path) -> dict[str, Any]:
    """Writes the workspace of a released version to a folder; what that version read out of it."""
    folder.mkdir()
    connection = sqlite3.connect(folder / "workspace.gpkg", isolation_level=None)
    register_functions(connection)
    connection.executescript((RELEASED / f"{revision}.sql").read_text(encoding="utf-8"))
    connection.execute("PRAGMA journal_mode = WAL")
    connection.close()
    return json.loads((RELEASED / f"{revision}.json").read_text(encoding="utf-8"))


def state(annotation: Annotation) -> dict[str, Any]:
    provenance = annotation.provenance
    return {
        "id": annotation.id,
        "version": annotation.version,
        "wkb": annotation.geometry.wkb_hex,
        "class": annotation.class_name,
        "note": annotation.note,
        "status": annotation.status,
        "source": provenance.source,
        "confidence": provenance.confidence,
        "scene": provenance.scene,
        "author": provenance.author,
        "created_at": annotation.created_at,
        "updated_at": annotation.updated_at,
    }


def read(store: Store, projects: list[str]) -> dict[str, Any]:
    """Everything, in the words of the frozen files."""
    histories: dict[str, dict[str, Any]] = {}
    for project in projects:
        histories[project] = {}
        last = max([c.annotation.id for c in store.history(project, 1)], default=0)
        ids = range(1, max(last, *(a.id for a in store.query(project))) + 1)
        for id_ in ids:
            histories[project][str(id_)] = [
                {
                    "operation": change.operation,
                    "changeset": change.changeset,
                    "at": change.at,
                    "author": change.author,
                    "state": state(change.annotation),
                }
                for change in store.history(project, id_)
            ]
    return {
        "annotations": {p: [state(a) for a in store.query(p)] for p in projects},
        "history": histories,
        "extent": {p: list(store.extent(p)) for p in projects},
        "changes": store.changes(),
        "scenes": [scene.id for scene in store.scenes()],
        "jobs": [[job.id, job.kind, job.state] for job in store.jobs()],
    }


@pytest.mark.parametrize("revision", sorted(path.stem for path in RELEASED.glob("*.sql")))
def test_a_workspace_of_a_released_version_keeps_everything(tmp_path: Path, revision: str) -> None:
    expected = made_by(revision, tmp_path / "ws")
    old_projects = expected.pop("projects")
    names = [project["id"] for project in old_projects]
    with open_store(tmp_path / "ws") as store:
        assert read(store, names) == expected
        projects = {project.id: project.to_json() for project in store.projects()}
        for old in old_projects:
            assert {name: projects[old["id"]][name] for name in old} == old
        # It is a workspace like any other now: the next version follows the last one, ids go on.
        made = store.create("land-use", [NewAnnotation(shapely.Point(733700, 3725000), "water")], author="dora")
        assert (made[0].id, store.changes()) == (9, expected["changes"] + 1)
        assert store.delete("land-use", 1, expected=3).annotation.version == 4
        assert [change.operation for change in store.history("land-use", 1)] == ["create", "update", "update", "delete"]
        with store._read() as connection:
            assert migrations.revision(connection) == migrations.HEAD
            assert damage(connection.connection.driver_connection) is None
    with open_store(tmp_path / "ws") as store:
        assert store.count("land-use") == len(expected["annotations"]["land-use"])


@pytest.mark.parametrize("revision", sorted(path.stem for path in RELEASED.glob("*.sql")))
def test_gdal_reads_what_a_migration_leaves(tmp_path: Path, revision: str) -> None:
    expected = made_by(revision, tmp_path / "ws")
    open_store(tmp_path / "ws").close()
    file = tmp_path / "ws/workspace.gpkg"
    assert set(expected["annotations"]) <= {name for name, _ in pyogrio.list_layers(file)}
    for project, labels in expected["annotations"].items():
        frame = pyogrio.read_dataframe(file, layer=project, fid_as_index=True)
        assert [shape.wkb_hex for shape in frame.geometry] == [a["wkb"] for a in labels]
        assert list(frame.index) == [a["id"] for a in labels]
        assert list(frame["class"]) == [a["class"] for a in labels]
        box = pyogrio.read_dataframe(file, layer=project, bbox=tuple(expected["extent"][project]))
        assert len(box) == len(labels)


def test_a_migration_that_is_killed_is_done_at_the_next_start(tmp_path: Path) -> None:
    """A migration and its record are one transaction: a copy of the files in the middle of it is the old version."""
    expected = made_by("0002", tmp_path / "ws")
    before = sqlite3.connect(tmp_path / "ws/workspace.gpkg")
    tables = before.execute("SELECT name, sql FROM sqlite_schema ORDER BY name").fetchall()
    before.close()

    class Killed(BaseException):
        pass

    def die(connection: Any) -> None:
        migrations.upgrade(connection, "here")
        raise Killed

    from geolabel.store import geopackage

    engine = geopackage.make_engine(tmp_path / "ws/workspace.gpkg")
    with pytest.raises(Killed), engine.execution_options(write=True).begin() as connection:
        die(connection)
    with engine.connect() as connection:
        assert [
            tuple(r) for r in connection.exec_driver_sql("SELECT name, sql FROM sqlite_schema ORDER BY name")
        ] == tables
        assert migrations.revision(connection) == "0002"
    engine.dispose()
    with open_store(tmp_path / "ws") as store:
        assert store.changes() == expected["changes"]
