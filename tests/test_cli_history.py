"""`geolabel history`, `revert` and `snapshot`, as a person runs them."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest
from shapely.geometry import box

from geolabel import console
from geolabel.classes import make_classes
from geolabel.cli import main
from geolabel.model import AnnotationPatch, NewAnnotation, Project
from geolabel.store.store import open_store

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Run = Callable[..., str]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """The command line in this process: its words, or those of its error."""
    with open_store(tmp_path / "ws", create=True) as store:
        store.create_project(Project("land", "Land", "EPSG:32633", make_classes(["water", "forest"])))
        store.create("land", [NewAnnotation(box(n, 0, n + 1, 1), "water") for n in range(3)], author="[bold]ann")
        store.update("land", 1, AnnotationPatch(class_name="forest"))
        store.delete("land", 2)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GEOLABEL_WORKSPACE", "ws")
    monkeypatch.setattr(console.out, "_width", 160)

    def call(*arguments: object, code: int = 0) -> str:
        monkeypatch.setattr(sys, "argv", ["geolabel", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        assert (ended.value.code or 0) == code, said
        return said.out if code == 0 else said.err

    return call


def test_history_and_reverts(run: Run) -> None:
    lines = [line.split() for line in run("history", "land").splitlines()]
    assert [line[0] for line in lines] == ["number", "3", "2", "1"]
    assert lines[3][3:] == ["edit", "[bold]ann", "3", "0", "0"]
    shown = run("history", "land", 2)
    assert [line.split()[4] for line in shown.splitlines()[1:]] == ["create", "delete"]
    assert "Took back change set 3 by change set 4: 1 annotations are as before it again" in run(
        "revert", "land", 3, "--comment", "too fast"
    )
    newest = run("history", "land", "--limit", 1)
    assert "revert of 3" in newest
    assert "too fast" in newest
    refused = run("revert", "land", 1, code=1)
    assert "annotation 1 was changed since by change set 2" in refused
    assert "annotation 1, version 2: was changed since by change set 2." in refused
    done = json.loads(run("revert", "land", 1, "--skip-conflicts", "--json"))
    assert (done["reverts"], done["deleted"], [c["id"] for c in done["conflicts"]]) == (1, 2, [1])
    assert [c["number"] for c in json.loads(run("history", "land", "--json"))["changesets"]] == [5, 4, 3, 2, 1]
    assert [s["version"] for s in json.loads(run("history", "land", 1, "--json"))["history"]] == [1, 2]
    assert "Nothing was written" in run("history", "land", "--kind", "import")
    assert "There is no change set 9 in project 'land'" in run("revert", "land", 9, code=1)
    assert "There is no annotation 9" in run("history", "land", 9, code=1)


def test_snapshots(run: Run) -> None:
    assert "No snapshots yet" in run("snapshot", "list", "land")
    assert "Snapshot v1 of land: 2 annotations at change set 3." in run(
        "snapshot", "create", "land", "v1", "--note", "x"
    )
    assert "There is a snapshot 'v1' of project 'land' already" in run("snapshot", "create", "land", "v1", code=1)
    run("revert", "land", 3)
    made = json.loads(run("snapshot", "create", "land", "--json"))
    assert (made["name"], made["count"]) == ("s1", 3)
    assert [s["name"] for s in json.loads(run("snapshot", "list", "land", "--json"))["snapshots"]] == ["v1", "s1"]
    listed = run("snapshot", "list", "land").splitlines()
    assert listed[2].split()[0] == "s1"
    said = run("snapshot", "diff", "land", "v1")
    assert "From change set 3 to 4: 1 added, 0 changed, 0 deleted." in said
    found = json.loads(run("snapshot", "diff", "land", 1, "v1", "--json"))
    assert (found["from"], found["to"], found["changed"], found["deleted"]) == (1, 3, 1, 1)
    assert found["entries"][0] == {"id": 1, "change": "changed", "what": ["class"], "versions": [1, 2]}
    assert "... and 2 more" in run("snapshot", "diff", "land", 0, "now", "--limit", 1)
    run("export", "land", "out", "--format", "geojson", "--snapshot", "v1")
    assert "is forgotten" in run("snapshot", "delete", "land", "v1")
    assert "There is no snapshot 'v1'" in run(
        "export", "land", "again", "--format", "geojson", "--snapshot", "v1", code=1
    )
    assert "such as 2024-05-01T12:00:00Z" in run("snapshot", "diff", "land", "v1", code=1)
