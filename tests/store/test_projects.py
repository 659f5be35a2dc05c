from __future__ import annotations

from dataclasses import replace

import pytest
import shapely

from geolabel.classes import make_classes
from geolabel.errors import AlreadyExists, InvalidCRS, InvalidInput, NotFound, UnknownClass
from geolabel.model import AnnotationPatch, NewAnnotation, Project
from geolabel.store import open_store

SHAPE = shapely.box(0, 0, 1, 1)


def test_a_project_comes_back_as_it_was(store, scene):
    store.add_scene(scene("scene-b"))
    classes = make_classes(
        [
            "ground",
            {
                "name": "Wald, dicht",
                "parent": "ground",
                "kind": "stuff",
                "geometries": ["polygon"],
                "priority": -3,
                "hotkey": "ß",
            },
        ],
    )
    given = Project("fields-2024", "Felder «2024»", None, classes, ("scene-b", "scene-a"), "ignore", "repair")
    made = store.create_project(given)
    assert made == replace(given, created_at=made.created_at)
    assert made.created_at.startswith("2024-05-01T12:00:")
    assert store.project("fields-2024") == made
    assert [p.id for p in store.projects()] == ["landuse", "fields-2024"]
    assert store.counts("fields-2024") == {"ground": 0, "Wald, dicht": 0}


def test_a_name_is_taken_once(store):
    with pytest.raises(AlreadyExists, match="There is a project 'landuse' already"):
        store.create_project(Project("landuse", "Again", None, ()))


@pytest.mark.parametrize(
    "name", ["gpkg_contents", "rtree_landuse_geom", "sqlite_sequence", "geolabel_jobs", "alembic_version"]
)
def test_the_database_keeps_its_own_names(store, name):
    with pytest.raises(InvalidInput, match=f"The project name '{name}' cannot be used: names that start with"):
        store.create_project(Project(name, "Clash", None, ()))


@pytest.mark.parametrize("name", ["select", "2024-fields", "rtree-landuse", "x" * 50, "order_by"])
def test_any_slug_is_a_name(store, name):
    store.create_project(Project(name, name, "EPSG:32616", make_classes(["water"])))
    made = store.create(name, [NewAnnotation(SHAPE, "water")])[0]
    assert store.query(name, bbox=(0, 0, 1, 1)) == [made]
    store.delete_project(name)
    assert [p.id for p in store.projects()] == ["landuse"]


def test_nothing_is_left_of_a_project_that_cannot_be_made(store):
    with pytest.raises(
        NotFound, match="no scene 'nowhere' in this workspace: register it before project 'roads' uses it"
    ):
        store.create_project(Project("roads", "Roads", None, (), scenes=("nowhere",)))
    with pytest.raises(InvalidCRS):
        store.create_project(Project("roads", "Roads", "EPSG:1", ()))
    with pytest.raises(InvalidInput, match=r"The title 'Ro.x00ads' holds a NUL character"):
        store.create_project(Project("roads", "Ro\0ads", None, ()))
    assert [p.id for p in store.projects()] == ["landuse"]
    store.create_project(Project("roads", "Roads", None, ()))


def test_settings_change(store, scene):
    store.add_scene(scene("scene-b"))
    before = store.project("landuse")
    after = replace(
        before,
        title="Land cover",
        classes=make_classes(["forest", "water", "road"]),
        scenes=("scene-b", "scene-a"),
        unlabelled="ignore",
        on_invalid="skip",
    )
    assert store.update_project(replace(after, created_at="")) == after
    assert store.project("landuse") == after
    store.update_project(replace(after, scenes=()))
    store.remove_scene("scene-b")
    with pytest.raises(NotFound, match="no scene 'scene-b'"):
        store.update_project(after)
    with pytest.raises(NotFound, match="no project 'nowhere'"):
        store.update_project(replace(after, id="nowhere"))


def test_a_class_that_annotations_carry_stays(store):
    project = store.project("landuse")
    store.create("landuse", [NewAnnotation(SHAPE, "water")] * 3 + [NewAnnotation(SHAPE, "forest")])
    with pytest.raises(
        InvalidInput,
        match="'landuse' was not changed, .*: 3 labels carry class 'water', which the new schema leaves out",
    ):
        store.update_project(replace(project, classes=make_classes(["forest"])))
    for id_ in (1, 2, 3):
        store.update("landuse", id_, AnnotationPatch(class_name="forest"))
    store.update_project(replace(project, classes=make_classes(["forest"])))
    assert store.counts("landuse") == {"forest": 4}
    with pytest.raises(UnknownClass, match="Class 'water' is not in project 'landuse'; it has: forest"):
        store.create("landuse", [NewAnnotation(SHAPE, "water")])


def test_the_crs_stays(store):
    with pytest.raises(InvalidInput, match="keeps its annotations in EPSG:32616, which cannot be changed to EPSG:4326"):
        store.update_project(replace(store.project("landuse"), crs="EPSG:4326"))


def test_a_deleted_project_is_gone_and_others_stay(store):
    store.create_project(Project("roads", "Roads", "EPSG:4326", make_classes(["road"])))
    for project, name in (("landuse", "water"), ("roads", "road")):
        store.create(project, [NewAnnotation(SHAPE, name)])
        store.update(project, 1, AnnotationPatch(note="x"))
    store.delete_project("landuse")
    for ask in (store.project, store.counts, store.query, store.delete_project, store.changes):
        with pytest.raises(NotFound, match="There is no project 'landuse' in this workspace"):
            ask("landuse")
    assert [c.annotation.version for c in store.history("roads", 1)] == [1, 2]
    last = store.changes()
    store.create_project(Project("landuse", "Again", "EPSG:32616", make_classes(["water"])))
    assert store.query("landuse") == []
    store.create("landuse", [NewAnnotation(SHAPE, "water")])
    assert [c.operation for c in store.history("landuse", 1)] == ["create"]
    assert store.changes("landuse") == store.changes() == last + 1
    assert store.changes("roads") == last


def test_changes_of_two_at_once_are_both_kept(store):
    before = store.project("landuse")
    store.update_project(replace(before, title="Ground"))
    changed = store.change_project("landuse", lambda now: replace(now, unlabelled="ignore"))
    assert (changed.title, changed.unlabelled) == ("Ground", "ignore")
    assert store.project("landuse") == changed
    with pytest.raises(NotFound):
        store.change_project("nope", lambda now: now)


def test_counts_are_those_of_now_whoever_wrote(make_store):
    store = make_store()
    other = open_store(store.location)
    assert store.counts("landuse") == {"water": 0, "forest": 0}
    first, second = other.create("landuse", [NewAnnotation(SHAPE, "water")] * 2)
    assert store.counts("landuse") == other.counts("landuse") == {"water": 2, "forest": 0}
    other.update("landuse", first.id, AnnotationPatch(class_name="forest"))
    assert store.counts("landuse") == {"water": 1, "forest": 1}
    store.delete("landuse", second.id)
    assert store.counts("landuse") == other.counts("landuse") == {"water": 0, "forest": 1}
    other.revert("landuse", other.changes("landuse"))
    assert store.counts("landuse") == {"water": 1, "forest": 1}
    with store.one_moment():
        before = store.counts("landuse")
        other.create("landuse", [NewAnnotation(SHAPE, "forest")])
        assert store.counts("landuse") == before
    assert store.counts("landuse") == other.counts("landuse") == {"water": 1, "forest": 2}
    # A project of the same name is another one.
    other.delete_project("landuse")
    other.create_project(Project("landuse", "", "EPSG:32616", make_classes(["forest"])))
    assert store.counts("landuse") == {"forest": 0}
    other.close()
