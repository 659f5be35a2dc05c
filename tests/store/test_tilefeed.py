"""What label tiles read of a store: on both databases, with imports at work and from another process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import shapely

from geolabel.batches import LabelChanges
from geolabel.errors import NotFound
from geolabel.geo.ragged import from_shapely
from geolabel.model import AnnotationPatch, NewAnnotation, Status
from geolabel.store import open_store
from geolabel.store.bulk import Rows

if TYPE_CHECKING:
    from collections.abc import Iterable

    from geolabel.batches import LabelBatch, LabelsState
    from geolabel.store import Store

X, Y = 733_601.0, 3_724_739.0
BBOX = (X - 1, Y - 1, X + 501, Y + 501)


def new(n: int, class_name: str = "water") -> NewAnnotation:
    return NewAnnotation(geometry=shapely.box(X + 10 * n, Y, X + 10 * n + 5, Y + 5), class_name=class_name)


def read(batches: Iterable[LabelBatch]) -> dict[int, tuple[str, str, str]]:
    found = {}
    for batch in batches:
        columns = (batch.ids.tolist(), batch.class_names, batch.columns["status"], shapely.to_wkt(batch.geometries))
        found |= {i: (name, status, wkt) for i, name, status, wkt in zip(*columns, strict=True)}
    return found


def told(store: Store, since: LabelsState, limit: int = 100) -> tuple[set[int], set[int]]:
    """Ids that were deleted, and that came or changed."""
    changes = store.tile_changes("landuse", since, limit=limit)
    assert isinstance(changes, LabelChanges)
    assert changes.state == store.tile_state("landuse")
    return set(changes.gone.tolist()), set(read(changes.come))


def test_all_annotations_and_those_of_a_box(store: Store) -> None:
    store.create("landuse", [new(n) for n in range(50)])
    store.update("landuse", 7, AnnotationPatch(class_name="forest", status=Status.LABELLED))
    everything = read(store.tile_batches("landuse", bbox=None, size=7))
    assert list(everything) == list(range(1, 51))
    assert everything[7][:2] == ("forest", "labelled")
    box = (X + 100.0, Y, X + 122.0, Y + 1)
    assert list(read(store.tile_batches("landuse", bbox=box))) == [11, 12, 13]
    assert store.tile_count("landuse", bbox=box, limit=10) == 3
    assert store.tile_count("landuse", bbox=box, limit=2) == 2
    assert store.tile_count("landuse", bbox=None, limit=1000) == 50
    assert read(store.tile_batches("landuse.coverage", bbox=None)) == {}


def test_what_changed_since_a_state(store: Store) -> None:
    store.create("landuse", [new(n) for n in range(5)])
    before = store.tile_state("landuse")
    assert before == store.tile_state("landuse")
    assert told(store, before) == (set(), set())
    store.update("landuse", 2, AnnotationPatch(class_name="forest"))
    store.create("landuse", [new(9)])
    store.delete("landuse", 4)
    assert told(store, before) == ({4}, {2, 6})
    between = store.tile_state("landuse")
    assert between != before
    store.replace("landuse", 4, new(4))
    store.delete("landuse", 6)
    gone, come = told(store, between)
    assert come == {4}
    assert 6 in gone
    assert store.tile_changes("landuse", before, limit=1) is None
    store.create("landuse.coverage", [NewAnnotation(geometry=shapely.box(X, Y, X + 9, Y + 9), class_name="seen")])
    assert told(store, store.tile_state("landuse")) == (set(), set())


def test_another_process_is_seen(store: Store) -> None:
    store.create("landuse", [new(0)])
    before = store.tile_state("landuse")
    with open_store(store.location) as other:
        other.update("landuse", 1, AnnotationPatch(class_name="forest"))
        other.create("landuse", [new(1)])
    assert told(store, before) == (set(), {1, 2})


@pytest.mark.parametrize("edited", [True, False])
def test_an_import_is_seen_when_it_is_published(store: Store, *, edited: bool) -> None:
    store.create("landuse", [new(0), new(1)])
    before = store.tile_state("landuse")
    geometries = np.array([new(n).geometry for n in (5, 6, 7)], dtype=object)
    shapes = from_shapely(geometries)
    with store.stage_import("landuse", source="import:a") as stage:
        stage.add(Rows(stage.encode(shapes), shapes.bounds(), {"class": ["water"] * 3}, ["a", "b", "c"]))
        meanwhile = store.tile_state("landuse")
        assert meanwhile.hidden == (stage.number,)
        assert list(read(store.tile_batches("landuse", bbox=None))) == [1, 2]
        assert store.tile_count("landuse", bbox=None, limit=10) == 2
        assert told(store, before) == (set(), set())
        if edited:
            store.update("landuse", 1, AnnotationPatch(class_name="forest"))
            meanwhile = store.tile_state("landuse")
        stage.publish()
    after = store.tile_state("landuse")
    assert after.hidden == ()
    assert after != meanwhile
    new_ids = set(read(store.tile_batches("landuse", bbox=BBOX))) - {1, 2}
    assert len(new_ids) == 3
    assert told(store, meanwhile) == (set(), new_ids)
    assert told(store, before) == (set(), new_ids | ({1} if edited else set()))


def test_an_import_that_was_stopped_leaves_the_state_as_it_was(store: Store) -> None:
    store.create("landuse", [new(0)])
    before = store.tile_state("landuse")
    shapes = from_shapely(np.array([new(5).geometry], dtype=object))
    with store.stage_import("landuse", source="import:a") as stage:
        stage.add(Rows(stage.encode(shapes), shapes.bounds(), {"class": ["water"]}, ["a"]))
    assert store.tile_state("landuse") == before


def test_another_project_of_the_same_name_is_another_state(store: Store) -> None:
    store.create("landuse", [new(0)])
    before, project = store.tile_state("landuse"), store.project("landuse")
    store.delete_project("landuse")
    with pytest.raises(NotFound, match="no project 'landuse'"):
        store.tile_state("landuse")
    store.create_project(project)
    store.create("landuse", [new(3)])
    assert store.tile_state("landuse").key != before.key
    assert store.tile_changes("landuse", before, limit=10) is None
