from __future__ import annotations

import math
from dataclasses import replace

import pytest

from geolabel.errors import AlreadyExists, InvalidInput, NotFound
from geolabel.model import Band, Project, Scene


def test_a_scene_comes_back_as_it_was(store, scene):
    given = replace(scene("river"), bounds=None, datetime=None, synthetic=True)
    assert store.add_scene(given) == given
    assert store.scene("river") == given
    assert store.scenes() == [scene("scene-a"), given]


def test_nan_as_nodata_is_kept(store, scene):
    store.add_scene(replace(scene("dem"), bands=(Band(1, "float32", "Height", math.nan),)))
    assert math.isnan(store.scene("dem").bands[0].nodata)


def test_the_same_file_again_is_brought_up_to_date(store, scene):
    store.add_scene(scene("scene-a", version="2"))
    assert [s.version for s in store.scenes()] == ["2"]


def test_an_id_of_another_file_is_taken(store, scene):
    with pytest.raises(
        AlreadyExists, match=r"There is a scene 'scene-a' already, of the file /imagery/scene-a.tif: give"
    ):
        store.add_scene(scene("scene-a", href="/elsewhere/scene-a.tif"))


def test_relinking(store, scene):
    moved: Scene = scene("scene-a", href="/elsewhere/scene-a.tif", version="2")
    assert store.replace_scene(moved) == moved
    assert store.scene("scene-a").href == "/elsewhere/scene-a.tif"
    assert store.project("landuse").scenes == ("scene-a",)
    with pytest.raises(NotFound, match="no scene 'nowhere'"):
        store.replace_scene(scene("nowhere"))


def test_a_used_scene_stays(store, scene):
    store.create_project(Project("roads", "Roads", "EPSG:32616", (), scenes=("scene-a",)))
    with pytest.raises(InvalidInput, match="Scene 'scene-a' is used by landuse, roads: take it out of there first"):
        store.remove_scene("scene-a")
    store.add_scene(scene("unused"))
    store.remove_scene("unused")
    assert [s.id for s in store.scenes()] == ["scene-a"]


@pytest.mark.parametrize("name", ["nowhere", "", "a\0b", "\udcff", "x" * 10_000, "'; DROP TABLE geolabel_scenes; --"])
def test_no_such_scene(store, name):
    with pytest.raises((NotFound, InvalidInput)):
        store.scene(name)
    with pytest.raises((NotFound, InvalidInput)):
        store.remove_scene(name)


def test_text_that_no_database_keeps_is_refused(store, scene):
    with pytest.raises(InvalidInput, match=r"The path '/a\\x00b.tif' holds a NUL character"):
        store.add_scene(scene("odd", href="/a\0b.tif"))
    with pytest.raises(InvalidInput, match=r"half of a character \(a lone surrogate\) at position 2"):
        store.add_scene(scene("odd", href="/a\udcffb.tif"))
    assert [s.id for s in store.scenes()] == ["scene-a"]
