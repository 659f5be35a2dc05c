"""Many edits as one change set, and requests that come twice."""

from __future__ import annotations

import random
import threading
from datetime import timedelta

import pytest
from shapely.geometry import Point, box

from geolabel.errors import InvalidGeometry, InvalidInput, NotFound, UnknownClass, VersionConflict
from geolabel.model import AnnotationPatch, NewAnnotation, Provenance
from geolabel.store.batch import MAX_EDITS, Batch, BatchResult, Edit
from geolabel.store.idempotency import Once

SHAPE = box(733_700, 3_725_000, 733_710, 3_725_010)


def water(x: float = 0.0) -> NewAnnotation:
    return NewAnnotation(Point(x, x), "water")


def test_a_batch_is_one_changeset(store):
    made = store.create("landuse", [water(i) for i in range(4)])
    result = store.batch(
        "landuse",
        Batch(
            create=[water(10), NewAnnotation(SHAPE, "forest")],
            update=[
                Edit(3, AnnotationPatch(note="x"), expected=1),
                Edit(1, NewAnnotation(SHAPE, "forest", provenance=made[0].provenance)),
            ],
            delete=[Edit(2, expected=1)],
        ),
        author="ann",
        comment="tidied up",
    )
    assert [a.id for a in result.created] == [5, 6]
    assert [(a.id, a.version) for a in result.updated] == [(3, 2), (1, 2)]
    assert [(a.id, a.version) for a in result.deleted] == [(2, 2)]
    assert store.query("landuse") == [result.updated[1], result.updated[0], made[3], *result.created]
    assert result.changeset == store.changes("landuse") == 2
    assert {c.changeset for id_ in (1, 2, 3, 5, 6) for c in store.history("landuse", id_)[-1:]} == {2}
    assert store.query("landuse", bbox=SHAPE.bounds) == [result.updated[1], result.created[1]]
    assert store.extent("landuse") == (2.0, 2.0, 733_710.0, 3_725_010.0)
    with store._read() as connection:
        row = connection.exec_driver_sql(
            "SELECT kind, comment, author, created, updated, deleted FROM geolabel_changesets WHERE number = 2"
        ).one()
    assert tuple(row) == ("batch", "tidied up", "ann", 2, 2, 1)


def test_an_empty_batch_is_nothing(store):
    assert store.batch("landuse", Batch()) == BatchResult()
    assert store.changes() == 0
    with pytest.raises(NotFound):
        store.batch("nowhere", Batch())


WRONG = [
    (Batch(create=[water(), NewAnnotation(Point(), "water")]), InvalidGeometry, "empty", "/create/1/geometry"),
    (Batch(create=[water(), NewAnnotation(SHAPE, "road")]), UnknownClass, "road", "/create/1/properties/class"),
    (
        Batch(create=[NewAnnotation(SHAPE, "water", attributes={"leaf": 1})]),
        InvalidInput,
        "'leaf' is none of the project's",
        "/create/0/properties/leaf",
    ),
    (
        Batch(update=[Edit(1, water()), Edit(2, AnnotationPatch(geometry=Point()))]),
        InvalidGeometry,
        "empty",
        "/update/1/geometry",
    ),
    (Batch(update=[Edit(1, water()), Edit(1, water())]), InvalidInput, "1 is edited twice", "/update/0/id"),
    (Batch(update=[Edit(1, water())], delete=[Edit(1)]), InvalidInput, "at /delete/0/id", "/update/0/id"),
    (Batch(delete=[Edit(1), Edit(99)]), InvalidInput, "there is no annotation 99", "/delete/1/id"),
    (Batch(delete=[Edit(10**30)]), InvalidInput, "there is no annotation 10000", "/delete/0/id"),
    (Batch(create=[water()] * (MAX_EDITS + 1)), InvalidInput, "at most 10,000 annotations, got 10,001", None),
    (Batch(update=[Edit(1, water(), expected=2)]), VersionConflict, "1 is at version 1, not 2", "/update/0"),
    (Batch(update=[Edit(2, water()), Edit(3, water())]), VersionConflict, "3 was deleted", "/update/1"),
]


def test_one_wrong_edit_and_nothing_is_written(store):
    store.create("landuse", [water(), water(1), water(2)])
    store.delete("landuse", 3)
    before = store.query("landuse")
    for edits, error, message, pointer in WRONG:
        with pytest.raises(error, match=message) as caught:
            store.batch("landuse", edits)
        assert [p.pointer for p in caught.value.problems][:1] == ([] if pointer is None else [pointer])
        assert store.query("landuse") == before
        assert store.changes() == 2


def test_nothing_is_seen_when_item_k_of_a_thousand_fails(store):
    for where in random.Random(20).sample(range(1000), 5):
        new = [water(i) for i in range(1000)]
        new[where] = NewAnnotation(Point(0, float("nan")), "water")
        with pytest.raises(InvalidGeometry) as caught:
            store.batch("landuse", Batch(create=new))
        assert caught.value.problems[0].pointer == f"/create/{where}/geometry"
        assert store.count("landuse") == store.changes() == 0


def test_an_id_of_a_source_is_one_annotations(store):
    def imported(external_id, source="import:a.gpkg"):
        return NewAnnotation(
            SHAPE, "water", provenance=Provenance(source), external_id=external_id, external={"fid": 3}
        )

    made = store.create("landuse", [imported("1"), imported("1", "import:b.gpkg"), imported(None)])
    assert store.query("landuse") == made
    assert (made[0].external_id, made[0].external) == ("1", {"fid": 3})
    for write in (
        lambda: store.create("landuse", [imported("2"), imported("1")]),
        lambda: store.create("landuse", [imported("3"), imported("3")]),
        lambda: store.batch("landuse", Batch(create=[water()], update=[Edit(3, imported("1"))])),
        lambda: store.replace("landuse", 3, imported("1")),
    ):
        with pytest.raises(InvalidInput, match="the id '[13]' of 'import:a.gpkg' is an annotation's already"):
            write()
    kept = store.update("landuse", 1, AnnotationPatch(note="x"))
    assert (kept.external_id, kept.external) == ("1", {"fid": 3})
    assert store.replace("landuse", 1, water()).external_id == "1"
    store.delete("landuse", 1)
    store.create("landuse", [imported("1")])
    with pytest.raises(InvalidInput, match="is an annotation's already"):
        store.replace("landuse", 1, imported("1"))


def test_what_comes_twice_is_done_once(store):
    once = Once("key-1", "POST items abc")
    assert not store.is_done("landuse", once)
    first = store.create("landuse", [water(), water(1)], once=once)
    assert not once.replayed
    store.update("landuse", 1, AnnotationPatch(note="changed since"))
    store.delete("landuse", 2)
    again = Once("key-1", "POST items abc")
    assert store.create("landuse", [], once=again) == first
    assert again.replayed
    assert store.is_done("landuse", Once("key-1", "POST items abc"))
    assert store.changes() == 3
    for ask in (
        lambda: store.create("landuse", [water()], once=Once("key-1", "POST items xyz")),
        lambda: store.batch("landuse", Batch(), once=Once("key-1", "POST batch abc")),
        lambda: store.add_job("export", "landuse", {}, once=Once("key-1", "POST exports abc")),
        lambda: store.is_done("landuse", Once("key-1", "x")),
    ):
        with pytest.raises(
            InvalidInput, match="The key 'key-1' was used at .* for another request to project 'landuse'"
        ):
            ask()
    with pytest.raises(InvalidGeometry):
        store.create("landuse", [water(float("nan"))], once=Once("key-2", "a"))
    assert len(store.create("landuse", [water()], once=Once("key-2", "b"))) == 1, "what failed was not done"


def test_a_batch_that_comes_twice(store):
    store.create("landuse", [water(), water(1)])
    edits = Batch([water(5)], [Edit(1, AnnotationPatch(note="x"))], [Edit(2)])
    first = store.batch("landuse", edits, once=Once("k", "f"))
    store.delete("landuse", 1)
    assert store.batch("landuse", edits, once=Once("k", "f")) == first
    assert store.changes() == 3


def test_a_job_that_is_asked_for_twice(store):
    job = store.add_job("export", "landuse", {"formats": ["coco"]}, once=Once("k", "f"))
    claimed = store.claim_job()
    assert claimed is not None
    assert claimed.worker is not None
    assert claimed.worker.rpartition(":")[2].isdigit()
    assert store.add_job("export", "landuse", {"formats": ["coco"]}, once=Once("k", "f")) == job
    assert len(store.jobs()) == 1


def test_in_parallel_one_wins_and_all_get_the_same(store):
    results, barrier = [], threading.Barrier(5)

    def post():
        barrier.wait()
        results.append(store.create("landuse", [water()], once=Once("k", "f")))

    threads = [threading.Thread(target=post) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [results[0]] * 5
    assert store.count("landuse") == store.changes() == 1


def test_keys_are_forgotten_after_two_days(store, clock):
    store.create("landuse", [water()], once=Once("k", "f"))
    clock.moment += timedelta(hours=47)
    store.create("landuse", [water()], once=Once("other", "f"))
    assert store.is_done("landuse", Once("k", "f"))
    clock.moment += timedelta(hours=2)
    store.create("landuse", [water()], once=Once("third", "f"))
    assert not store.is_done("landuse", Once("k", "f"))
    assert store.is_done("landuse", Once("other", "f"))
