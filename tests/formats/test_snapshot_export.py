"""Datasets of a snapshot: the same bytes whenever they are made."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import shapely
from shapely.geometry import box

import geolabel
from geolabel import workflows
from geolabel.chips.spec import ChipSpec
from geolabel.classes import make_classes
from geolabel.errors import InvalidInput, NotFound
from geolabel.model import AnnotationPatch, NewAnnotation
from geolabel.store.store import open_store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from geolabel.store.store import Store

FORMATS = ["coco", "geojson", "mask-semantic"]
SPEC = ChipSpec(size=64)


@pytest.fixture
def store(tmp_path: Path, data: Path) -> Iterator[Store]:
    with open_store(tmp_path / "ws", create=True) as opened:
        scene = workflows.add_scene(opened, data / "pairs/elkton_l8_uint16_landcover/l8_elkton_uint16.tif")
        project = workflows.create_project(opened, "Land", scenes=[scene.id], classes=["water", "forest"])
        a, _, x, _, e, y = scene.grid.transform
        shapes = [box(x + a * i * 20, y + e * (i * 20 + 15), x + a * (i * 20 + 15), y + e * i * 20) for i in range(5)]
        opened.create(project.id, [NewAnnotation(shape, "water") for shape in shapes])
        yield opened


def digests(folder: Path) -> dict[str, str]:
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def edit(store: Store) -> None:
    """Change all that can change: labels, coverage, classes, the title."""
    grown = shapely.affinity.scale(store.annotation("land", 1).geometry, 2, 2)
    store.update("land", 1, AnnotationPatch(geometry=grown, class_name="forest", note="x"))
    store.delete("land", 2)
    store.create("land", [NewAnnotation(grown, "forest")])
    store.revert("land", store.changes("land"))
    classes = make_classes([{"name": "water", "color": "#000000"}, "forest", "road"])
    store.change_project("land", lambda p: replace(p, classes=classes, title="Another", unlabelled="ignore"))


def test_a_snapshot_is_the_same_dataset_after_edits(store: Store, tmp_path: Path) -> None:
    taken = store.create_snapshot("land", "v1")
    first = workflows.export(store, "land", tmp_path / "1", FORMATS, SPEC, snapshot="v1")
    edit(store)
    again = workflows.export(store, "land", tmp_path / "2", FORMATS, SPEC, snapshot="v1")
    assert digests(tmp_path / "2") == digests(tmp_path / "1")
    assert again == first
    now = workflows.export(store, "land", tmp_path / "3", FORMATS, SPEC)
    assert now.snapshot["labels"] != first.snapshot["labels"]
    manifest = json.loads((tmp_path / "2" / "manifest.json").read_text())
    named = {"name": "v1", "changeset": taken.changeset, "hash": taken.hash}
    assert manifest["snapshot"] == {**named, "labels": first.snapshot["labels"]}
    assert [c["name"] for c in manifest["classes"]] == ["water", "forest"]
    assert manifest["title"] == "Land"
    assert "snapshot <b>v1</b>" in (tmp_path / "2" / "report.html").read_text()


def test_the_manifest_says_which_state_was_exported(store: Store, tmp_path: Path) -> None:
    edit(store)
    report = workflows.export(store, "land", tmp_path / "out", ["geojson"], SPEC)
    state = json.loads((tmp_path / "out" / "manifest.json").read_text())["snapshot"]
    assert state == dict(report.snapshot)
    assert (state["name"], state["changeset"], state["hash"]) == (None, store.changes("land"), None)
    written = json.loads((tmp_path / "out/geojson/land.geojson").read_text())["features"]
    assert [f["id"] for f in written] == [a.id for a in store.query("land", at=state["changeset"])]


def test_edits_in_the_middle_of_an_export_are_not_in_it(store: Store, tmp_path: Path) -> None:
    def progress(_share: float, message: str) -> None:
        if message == "Reading annotations":
            store.delete("land", 3)

    workflows.export(store, "land", tmp_path / "out", ["geojson"], SPEC, progress=progress)
    written = json.loads((tmp_path / "out/geojson/land.geojson").read_text())["features"]
    assert [f["id"] for f in written] == [1, 2, 3, 4, 5]


def test_a_snapshot_that_is_not_there(store: Store, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="There is no snapshot 'v9' of project 'land'; there are: none yet"):
        workflows.export(store, "land", tmp_path / "out", ["geojson"], SPEC, snapshot="v9")
    assert not (tmp_path / "out").exists()


def test_the_past_in_python(store: Store, tmp_path: Path) -> None:
    store.close()
    with geolabel.open(tmp_path / "ws") as ws:
        project = ws.project("land")
        taken = project.snapshot("v1", note="first")
        before = project.annotations()
        [made] = project.changesets()
        gone = project.revert(made.number, comment="all wrong")
        assert (gone.changeset.deleted, gone.changeset.comment) == (5, "all wrong")
        assert project.changesets(limit=1) == [gone.changeset]
        assert len(project.annotations()) == 0
        for at in ("v1", made.number, taken.changeset):
            then = project.annotations(at=at)
            assert then.equals(before)
            assert [g.wkb for g in then.geometry] == [g.wkb for g in before.geometry]
        west, south, east, north = before.geometry.iloc[2].bounds
        inner = (west + 1, south + 1, east - 1, north - 1)
        assert project.annotations(bbox=inner, at="v1").index.tolist() == [3]
        lonlat = tuple(before.iloc[[2]].to_crs("OGC:CRS84").total_bounds)
        middle = np.array(lonlat).reshape(2, 2).mean(axis=0)
        box84 = (*(middle - 1e-6), *(middle + 1e-6))
        assert project.annotations(bbox=box84, crs="OGC:CRS84", at="v1").index.tolist() == [3]
        assert project.diff("v1").deleted == 5
        assert project.snapshots() == [taken]
        report = project.export(tmp_path / "out", formats=["geojson"], snapshot="v1")
        assert report.annotations == 5
        with pytest.raises(InvalidInput, match="A moment in the past of 'land'"):
            project.annotations(at="once")
