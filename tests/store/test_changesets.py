from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import shapely
import sqlalchemy as sa
from shapely.geometry import Point, Polygon, box

from geolabel import workflows
from geolabel.attributes import Attribute
from geolabel.classes import make_classes
from geolabel.errors import Conflicts, InvalidInput, NotFound
from geolabel.formats.memory import labels_from_geojson
from geolabel.geo.ragged import from_shapely
from geolabel.model import AnnotationPatch, NewAnnotation, Project, Provenance
from geolabel.store.batch import Batch, Edit
from geolabel.store.bulk import Rows
from geolabel.store.idempotency import Once
from geolabel.store.tables import changesets

if TYPE_CHECKING:
    from geolabel.store import Store

LAND = "landuse"
THIRD = 0.1 + 0.2


def add(store: Store, *shapes: Any, name: str = "water", **more: Any) -> list[int]:
    return [a.id for a in store.create(LAND, [NewAnnotation(shape, name, **more) for shape in shapes])]


def test_change_sets_are_listed_newest_first_page_by_page(store):
    add(store, Point(0, 0), Point(1, 1))
    store.update(LAND, 1, AnnotationPatch(note="x"), author="ann")
    store.batch(LAND, Batch([NewAnnotation(Point(2, 2), "water")], [], [Edit(2)]), author="bob", comment="tidy")
    found = store.changesets(LAND)
    assert [(c.number, c.kind, c.author, c.comment, c.created, c.updated, c.deleted) for c in found] == [
        (3, "batch", "bob", "tidy", 1, 0, 1),
        (2, "edit", "ann", None, 0, 1, 0),
        (1, "edit", None, None, 2, 0, 0),
    ]
    assert [c.number for c in store.changesets(LAND, limit=2)] == [3, 2]
    assert [c.number for c in store.changesets(LAND, limit=2, before=2)] == [1]
    assert [c.number for c in store.changesets(LAND, author="ann")] == [2]
    assert [c.number for c in store.changesets(LAND, kind="batch")] == [3]
    assert store.changeset(LAND, 3) == found[0]


def test_a_change_set_is_one_of_its_own_project(store):
    store.create_project(Project("other", "Other", None, make_classes(["water"])))
    store.create("other", [NewAnnotation(Point(0, 0), "water")])
    assert store.changesets(LAND) == []
    for ask in (store.changeset, store.revert, store.changeset_changes):
        with pytest.raises(NotFound, match="There is no change set 1 in project 'landuse'"):
            ask(LAND, 1)
    with pytest.raises(NotFound):
        store.changeset(LAND, 10**30)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"limit": 0}, "1 to 1000 at once, got the limit 0"),
        ({"limit": 1001}, "got the limit 1001"),
        ({"kind": "oops"}, "is one of edit, batch, import, revert, schema, copy, got 'oops'"),
    ],
)
def test_bad_lists_are_refused(store, options, sentence):
    with pytest.raises(InvalidInput, match=sentence):
        store.changesets(LAND, **options)


def test_what_a_change_set_did(store):
    add(store, Point(0, 0), Point(1, 1), Point(2, 2))
    store.update(LAND, 1, AnnotationPatch(note="x"))
    store.batch(LAND, Batch([NewAnnotation(Point(9, 9), "forest")], [Edit(1, AnnotationPatch(note="y"))], [Edit(3)]))
    store.delete(LAND, 1)  # what came later does not change what was done
    did = store.changeset_changes(LAND, 3)
    assert [(t.id, t.operation, t.version) for t in did] == [(1, "update", 3), (3, "delete", 2), (4, "create", 1)]
    assert [(t.before and t.before.version, t.after and t.after.version) for t in did] == [(2, 3), (1, None), (None, 1)]
    assert (did[0].before.note, did[0].after.note) == ("x", "y")
    assert [t.id for t in store.changeset_changes(LAND, 3, after=1, limit=1)] == [3]
    assert [t.id for t in store.changeset_changes(LAND, 1)] == [1, 2, 3]
    assert store.changeset_changes(LAND, 1, after=3) == []


def test_bringing_back_is_an_update_that_found_nothing(store):
    add(store, Point(0, 0))
    store.delete(LAND, 1)
    back = store.replace(LAND, 1, NewAnnotation(Point(5, 5), "forest"))
    [did] = store.changeset_changes(LAND, 3)
    assert (did.operation, did.before, did.after) == ("update", None, back)


def test_reverts_lead_back_bit_for_bit(store):
    shape = Polygon([(THIRD, 0), (7, 1 / 3), (5, 1e-300), (THIRD, 0)], [])
    [id_] = add(store, shape, note="first", provenance=Provenance("api", THIRD, "scene-a", "ann"))
    first = store.annotation(LAND, id_)
    store.replace(LAND, id_, NewAnnotation(Point(1, 1), "forest"))
    done = store.revert(LAND, 2, author="bob", comment="a slip")
    now = store.annotation(LAND, id_)
    assert now.geometry.wkb == first.geometry.wkb
    assert (now.version, now.class_name, now.note, now.provenance) == (3, "water", "first", first.provenance)
    assert now.created_at == first.created_at
    assert now.updated_at == done.changeset.at > first.updated_at
    assert (done.changeset.author, done.changeset.comment, done.changeset.updated) == ("bob", "a slip", 1)
    assert store.query(LAND, bbox=(5, 0, 7, 1)) == [now], "the spatial index follows"
    assert store.extent(LAND) == first.geometry.bounds
    with pytest.raises(InvalidInput, match="all that change set 2 changed is as it was before"):
        store.revert(LAND, 2)
    store.revert(LAND, done.changeset.number)
    assert store.annotation(LAND, id_).geometry == Point(1, 1)
    assert store.query(LAND, bbox=(5, 0, 7, 1)) == []
    assert store.extent(LAND) == (1, 1, 1, 1)
    last = store.history(LAND, id_)
    assert [(c.kind, c.comment, c.annotation.version) for c in last] == [
        ("edit", None, 1),
        ("edit", None, 2),
        ("revert", "a slip", 3),
        ("revert", None, 4),
    ]


def test_a_create_is_reverted_by_a_delete_and_that_by_bringing_back(store):
    add(store, Point(0, 0), box(10, 10, 20, 20))
    before = store.query(LAND)
    gone = store.revert(LAND, 1)
    assert gone.changeset.deleted == 2
    assert store.query(LAND) == []
    assert store.extent(LAND) is None
    assert [c.operation for c in store.history(LAND, 1)] == ["create", "delete"]
    back = store.revert(LAND, gone.changeset.number)
    assert back.changeset.updated == 2
    assert [(a.version, a.geometry.wkb) for a in store.query(LAND)] == [(3, a.geometry.wkb) for a in before]
    assert store.query(LAND, bbox=(15, 15, 16, 16)) == store.query(LAND)[1:]
    assert store.extent(LAND) == (0, 0, 20, 20)
    assert store.create(LAND, [NewAnnotation(Point(0, 0), "water")])[0].id == 3, "ids are not used again"


def test_changes_in_the_reverse_order_are_taken_back_one_by_one(store):
    add(store, Point(0, 0))
    store.update(LAND, 1, AnnotationPatch(note="a"))
    store.update(LAND, 1, AnnotationPatch(note="b"))
    store.delete(LAND, 1)
    for number, note in ((4, "b"), (3, "a"), (2, None)):
        store.revert(LAND, number)
        assert store.annotation(LAND, 1).note == note
    store.revert(LAND, 1)
    assert store.query(LAND) == []


def test_what_was_changed_since_is_a_conflict(store):
    add(store, Point(0, 0), Point(1, 1), Point(2, 2), Point(3, 3))
    store.update(LAND, 2, AnnotationPatch(note="mine"), author="ann")
    store.delete(LAND, 3)
    store.update(LAND, 4, AnnotationPatch(note="x"))
    store.update(LAND, 4, AnnotationPatch(note=""))
    before = store.query(LAND)
    with pytest.raises(Conflicts) as caught:
        store.revert(LAND, 1)
    assert str(caught.value) == (
        "Change set 1 cannot be taken back for 1 annotation; annotation 2 was changed since by change set 2. "
        "The rest can be taken back with conflicts=skip."
    )
    [conflict] = caught.value.conflicts
    assert (conflict.id, conflict.version, conflict.deleted) == (2, 2, False)
    assert store.query(LAND) == before, "nothing was changed"
    assert store.changes(LAND) == 5
    done = store.revert(LAND, 1, skip_conflicts=True)
    assert done.conflicts == (conflict,)
    assert done.unchanged == 1, "3 was gone already"
    assert done.changeset.deleted == 2, "what 4 says now is what it said then"
    assert [a.id for a in store.query(LAND)] == [2]


def test_a_delete_that_was_followed_by_another_life_is_a_conflict(store):
    add(store, Point(0, 0))
    store.update(LAND, 1, AnnotationPatch(note="x"))
    store.delete(LAND, 1)
    with pytest.raises(
        Conflicts, match="annotation 1 was changed since by change set 3. Nothing else is in it"
    ) as caught:
        store.revert(LAND, 2)
    [conflict] = caught.value.conflicts
    assert (conflict.version, conflict.deleted) == (3, True)
    with pytest.raises(Conflicts):
        store.revert(LAND, 2, skip_conflicts=True)


def test_a_shape_that_was_moved_by_one_bit_since_is_a_conflict(store):
    add(store, box(0, 0, 1, 1))
    store.update(LAND, 1, AnnotationPatch(geometry=box(0, 0, 1, 1 + 2**-52)))
    with pytest.raises(Conflicts, match="annotation 1 was changed since by change set 2"):
        store.revert(LAND, 1)


def with_attributes(store: Store, *attributes: Attribute) -> None:
    store.change_project(LAND, lambda p: Project(**{**fields_of(p), "attributes": attributes}))


def fields_of(project: Project) -> dict[str, Any]:
    return {name: getattr(project, name) for name in Project.__slots__}


def test_attributes_come_back_as_they_were(store):
    with_attributes(store, Attribute("height", "number"), Attribute("flat", "boolean"), Attribute("use"))
    values = {"height": THIRD, "flat": False, "use": "ä\u2028"}
    add(store, Point(0, 0), attributes=values)
    store.replace(LAND, 1, NewAnnotation(Point(0, 0), "water", attributes={"flat": True}))
    number = store.changes(LAND)
    store.revert(LAND, number)
    assert store.annotation(LAND, 1).attributes == values
    store.revert(LAND, number + 1)
    assert store.annotation(LAND, 1).attributes == {"flat": True}
    first = number - 1
    assert store.annotation(LAND, 1, at=first).attributes == values


def test_reverts_are_held_against_the_schema_of_today(store):
    with_attributes(store, Attribute("height", "number"), Attribute("use", "enum", values=("a", "b")))
    add(store, Point(0, 0), Point(1, 1), Point(2, 2), Point(3, 3), name="forest")
    for id_, values in ((1, {"height": 50.0}), (2, {"use": "b"}), (3, {"height": 1.0}), (4, {})):
        store.update(LAND, id_, AnnotationPatch(attributes=values))
    edits = [Edit(id_, NewAnnotation(Point(9, 9), "water")) for id_ in (1, 2, 3)]
    store.batch(LAND, Batch([], [*edits, Edit(4, AnnotationPatch(note="x"))], []))
    number = store.changes(LAND)
    with_attributes(store, Attribute("height", "number", maximum=10), Attribute("use", "enum", values=("a",)))
    with pytest.raises(Conflicts) as caught:
        store.revert(LAND, number)
    reasons = {c.id: c.reason for c in caught.value.conflicts}
    assert reasons.keys() == {1, 2}
    assert reasons[1] == "does not fit the schema as it is now: 'height' is a number of at most 10, got 50.0"
    assert "'use' is one of a, got 'b'" in reasons[2]
    done = store.revert(LAND, number, skip_conflicts=True)
    assert done.changeset.updated == 2
    assert store.annotation(LAND, 3).attributes == {"height": 1.0}


def test_a_class_that_is_gone_does_not_come_back(store):
    add(store, Point(0, 0), name="forest")
    store.update(LAND, 1, AnnotationPatch(class_name="water"))
    store.change_project(LAND, lambda p: Project(**{**fields_of(p), "classes": make_classes(["water"])}))
    with pytest.raises(Conflicts, match="annotation 1 was of the class 'forest', which the project does not have now"):
        store.revert(LAND, 2)


def test_attributes_that_are_gone_are_told(store):
    with_attributes(store, Attribute("height", "number"))
    add(store, Point(0, 0), attributes={"height": 2.5})
    store.replace(LAND, 1, NewAnnotation(Point(1, 1), "water"))
    with_attributes(store)
    done = store.revert(LAND, store.changes(LAND))
    assert done.lost == {"height": 1}
    assert store.annotation(LAND, 1).geometry == Point(0, 0)
    assert store.annotation(LAND, 1, at=1).attributes == {"height": 2.5}, "history keeps what was recorded"


def test_an_id_of_a_source_that_another_has_now_is_a_conflict(store):
    source = Provenance("import:parcels.geojson")
    add(store, Point(0, 0), provenance=source, external_id="7")
    store.delete(LAND, 1)
    add(store, Point(1, 1), provenance=source, external_id="7")
    sentence = "annotation 1 had the id '7' of 'import:parcels.geojson', which annotation 2 has now"
    with pytest.raises(Conflicts, match=sentence):
        store.revert(LAND, 2)


def test_a_change_set_without_annotations_cannot_be_reverted(store):
    add(store, Point(0, 0))
    number = store.changes(LAND)
    with store._write() as (connection, at):
        from geolabel.store import history, layers

        history.open_changeset(connection, layers.find(connection, LAND), at=at, author=None, kind="schema")
    with pytest.raises(InvalidInput, match=rf"Change set {number + 1} \(schema\) changed no annotation"):
        store.revert(LAND, number + 1)


def test_a_revert_that_comes_twice_is_done_once(store):
    add(store, Point(0, 0), Point(1, 1))
    store.update(LAND, 2, AnnotationPatch(note="x"))
    first = store.revert(LAND, 1, skip_conflicts=True, once=Once("k", "f"))
    again = Once("k", "f")
    assert store.revert(LAND, 1, skip_conflicts=True, once=again) == first
    assert again.replayed
    assert store.changes(LAND) == first.changeset.number
    with pytest.raises(InvalidInput, match="was used at .* for another request"):
        store.revert(LAND, 1, once=Once("k", "other"))


def squares(*numbers: int) -> list[dict[str, Any]]:
    return [
        {
            "type": "Feature",
            "id": n,
            "geometry": json.loads(shapely.to_geojson(box(733_601 + n, 3_724_739, 733_601.5 + n, 3_724_740))),
            "properties": {"class": "water"},
        }
        for n in numbers
    ]


def take(store: Store, *numbers: int) -> None:
    stream = labels_from_geojson(squares(*numbers), crs="EPSG:32616", name="parcels.geojson")
    workflows.import_labels(store, LAND, stream)


def test_an_import_is_taken_back_and_brought_back(store):
    add(store, Point(0, 0))
    take(store, *range(1200))
    [made, _] = store.changesets(LAND)
    assert (made.kind, made.created) == ("import", 1200)
    before = store.query(LAND)
    gone = store.revert(LAND, made.number)
    assert gone.changeset.deleted == 1200
    assert store.query(LAND) == before[:1]
    assert store.extent(LAND) == (0, 0, 0, 0)
    store.revert(LAND, gone.changeset.number)
    assert [(a.geometry.wkb, a.external_id) for a in store.query(LAND)] == [
        (a.geometry.wkb, a.external_id) for a in before
    ]
    window = before[600].geometry.bounds
    assert before[600].id in [a.id for a in store.query(LAND, bbox=window)]
    assert store.query(LAND, at=made.number) == before


def stage(store: Store, numbers: tuple[int, ...]) -> Any:
    held = store.stage_import(LAND, source="import:x")
    staged = held.__enter__()
    shapes = from_shapely(np.array([Point(100 + n, 100) for n in numbers], dtype=object))
    columns = {"class": ["water"] * len(numbers)}
    staged.add(Rows(staged.encode(shapes), shapes.bounds(), columns, [str(n) for n in numbers]))
    return held, staged


def test_an_import_is_seen_from_its_publication_on_also_in_the_past(store):
    add(store, Point(0, 0))
    held, staged = stage(store, (1, 2))
    before = store.changes(LAND)
    taken = store.create_snapshot(LAND, "meanwhile")
    assert (taken.changeset, taken.count) == (1, 1)
    assert [c.kind for c in store.changesets(LAND)] == ["edit"]
    with pytest.raises(NotFound):
        store.revert(LAND, staged.number)
    add(store, Point(5, 5))
    later = store.changes(LAND)
    assert later > staged.number > before
    assert len(store.query(LAND, at=later)) == 2
    with store._read() as connection:
        raw = connection.exec_driver_sql("SELECT count(*) FROM landuse").scalar()
    assert raw == 4, "the rows are there, and nobody sees them"
    staged.publish()
    held.__exit__(None, None, None)
    seen = store.changes(LAND)
    assert seen > later
    assert [len(store.query(LAND, at=n)) for n in (1, staged.number, later, seen)] == [1, 1, 2, 4]
    assert [store.count(LAND, at=n) for n in (later, seen)] == [2, 4]
    assert store.extent(LAND, at=later) == (0, 0, 5, 5)
    assert store.extent(LAND, at=seen) == (0, 0, 102, 100)
    assert [sum(len(b.ids) for b in store.batches(LAND, at=n)) for n in (later, seen)] == [2, 4]
    difference = store.diff(LAND, later, seen)
    assert (difference.added, difference.changed, difference.deleted) == (2, 0, 0)
    assert store.diff(LAND, 1, later).added == 1
    assert store.changeset_at(LAND, store.changeset(LAND, staged.number).at) == seen
    assert len(store.changeset_changes(LAND, staged.number)) == 2
    assert store.revert(LAND, staged.number).changeset.deleted == 2
    assert len(store.query(LAND, at=seen)) == 4
    assert store.create_snapshot(LAND, "after").count == 2


def test_changes_of_an_import_that_came_late_can_be_looked_into(store):
    take(store, 1, 2, 3)
    stream = labels_from_geojson(
        [{**f, "geometry": {"type": "Point", "coordinates": [733_700.0, 3_724_800.0]}} for f in squares(2)],
        crs="EPSG:32616",
        name="parcels.geojson",
    )
    with_edit = Edits(store)
    workflows.import_labels(store, LAND, stream, progress=with_edit)
    assert with_edit.done, "an edit came between"
    number = next(c.number for c in store.changesets(LAND) if c.kind == "import")
    [did] = store.changeset_changes(LAND, number)
    assert (did.operation, did.before.geometry.geom_type, did.after.geometry.geom_type) == (
        "update",
        "Polygon",
        "Point",
    )
    store.revert(LAND, number)
    assert store.annotation(LAND, did.id).geometry.wkb == did.before.geometry.wkb


class Edits:
    """Edits something once an import has begun to stage its rows."""

    def __init__(self, store: Store) -> None:
        self.store, self.done = store, False

    def __call__(self, *_: Any) -> None:
        with self.store._read() as connection:
            staged = connection.execute(sa.select(changesets.c.number).where(~changesets.c.published)).first()
        if staged and not self.done:
            self.done = True
            self.store.create(LAND, [NewAnnotation(Point(1, 1), "forest")])
