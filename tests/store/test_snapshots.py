from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
import shapely
from shapely.geometry import LineString, Point, box

from geolabel.attributes import Attribute
from geolabel.classes import make_classes
from geolabel.errors import AlreadyExists, InvalidInput, NotFound
from geolabel.model import COVERAGE, AnnotationPatch, NewAnnotation, Project, Provenance, Status
from geolabel.store import open_store
from geolabel.workflows import copy_workspace

if TYPE_CHECKING:
    from geolabel.store import Store

LAND = "landuse"
# What `fill` leaves, as long as the definition of the hash stands: those of snapshots are in people's manifests.
HASH = "cda16a8c31bf050dc5e3ec0ca1d1211ff8f660478a2d520a71d07967d9cc8283"


def fill(store: Store) -> None:
    attributes = (Attribute("height", "number"), Attribute("flat", "boolean"))
    store.change_project(LAND, lambda p: Project(**{**fields_of(p), "attributes": attributes}))
    line = LineString([(0.1 + 0.2, 1 / 3, 5), (1e-300, 7, -0.0)])
    provenance = Provenance("import:x", 0.1, "scene-a", "ann")
    store.create(
        LAND,
        [
            NewAnnotation(box(0, 0, 1, 1), "water", "ä\u2028", attributes={"height": 0.1 + 0.2, "flat": False}),
            NewAnnotation(line, "forest", status=Status.ACCEPTED, provenance=provenance, external_id="7"),
            NewAnnotation(Point(5, 5), "water", external={"b": [1, None], "a": {"d": 1.5, "c": "ü"}}),
            NewAnnotation(Point(6, 6), "water", valid_from="2024-01-01", track="t"),
        ],
    )
    store.update(LAND, 1, AnnotationPatch(note="second"))
    store.delete(LAND, 4)
    store.create(LAND + COVERAGE, [NewAnnotation(box(0, 0, 9, 9), "seen")])


def fields_of(project: Project) -> dict[str, object]:
    return {name: getattr(project, name) for name in Project.__slots__}


def hash_of(store: Store, at: int) -> str:
    """The hash again, as the docs describe it."""
    project = store.project(LAND).to_json()
    schema = {name: project[name] for name in ("crs", "classes", "attributes", "scenes", "unlabelled")}

    def text(value: object) -> bytes:
        return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()

    digest = hashlib.sha256(b"geolabel state 1\n" + text(schema) + b"\n")
    for layer in (LAND, LAND + COVERAGE):
        digest.update(b"layer\n")
        for a in store.query(layer, at=at):
            p = a.provenance
            own = [a.id, a.version, a.class_name, a.note, a.status.value, p.source, p.confidence, p.scene, p.author]
            own += [a.valid_from, a.valid_to, a.track, a.external_id, a.external, dict(a.attributes)]
            words, shape = text(own), shapely.to_wkb(a.geometry, output_dimension=3, byte_order=1, flavor="iso")
            digest.update(f"{len(words)} {len(shape)}\n".encode() + words + shape + b"\n")
    return digest.hexdigest()


def test_a_snapshot_is_a_name_for_what_is_there(store):
    fill(store)
    taken = store.create_snapshot(LAND, "v1", author="ann", note="before review")
    assert (taken.name, taken.count, taken.author, taken.note) == ("v1", 3, "ann", "before review")
    assert taken.changeset == store.changes(), "the coverage was written last"
    assert taken.project == store.project(LAND).to_json()
    assert taken.hash == hash_of(store, taken.changeset) == HASH
    assert store.snapshot(LAND, "v1") == taken
    assert store.snapshots(LAND) == [taken]
    before = store.query(LAND)
    store.update(LAND, 1, AnnotationPatch(note="third"))
    store.delete(LAND, 2)
    assert store.query(LAND, at=store.changeset_at(LAND, "v1")) == before
    assert hash_of(store, taken.changeset) == store.state_hash(LAND, taken.changeset) == HASH
    assert store.create_snapshot(LAND, "v2").hash != HASH


def test_the_same_labels_made_at_another_time_have_the_same_hash(make_store, clock):
    one, two = make_store(), make_store()
    fill(one)
    clock.moment += timedelta(days=100)
    two.create_project(Project("other", "Other", None, make_classes(["x"])))
    two.create("other", [NewAnnotation(Point(0, 0), "x")])
    fill(two)
    assert one.create_snapshot(LAND).hash == two.create_snapshot(LAND).hash == HASH


@pytest.mark.parametrize(
    "change",
    [
        lambda s: s.update(LAND, 1, AnnotationPatch(geometry=box(0, 0, 1, 1 + 2**-52))),
        lambda s: s.update(LAND, 1, AnnotationPatch(attributes={"flat": True})),
        lambda s: s.update(LAND, 1, AnnotationPatch(class_name="forest")),
        lambda s: s.update(LAND, 1, AnnotationPatch(status=Status.REJECTED)),
        lambda s: s.delete(LAND + COVERAGE, 1),
        lambda s: s.change_project(LAND, lambda p: Project(**{**fields_of(p), "unlabelled": "ignore"})),
    ],
)
def test_every_difference_is_another_hash(store, change):
    fill(store)
    change(store)
    assert store.create_snapshot(LAND).hash != HASH


def test_a_copy_keeps_snapshots_and_their_hashes(store, tmp_path):
    fill(store)
    taken = store.create_snapshot(LAND, "v1")
    store.delete(LAND, 1)
    copy_workspace(store.location, tmp_path / "copy")
    with open_store(tmp_path / "copy") as copy:
        assert copy.snapshots(LAND) == [taken]
        assert copy.state_hash(LAND, taken.changeset) == HASH


def test_names(store):
    assert store.create_snapshot(LAND).name == "s1"
    assert store.create_snapshot(LAND, "s2").name == "s2"
    assert store.create_snapshot(LAND).name == "s3"
    with pytest.raises(AlreadyExists, match="There is a snapshot 's2' of project 'landuse' already"):
        store.create_snapshot(LAND, "s2")
    store.delete_snapshot(LAND, "s2")
    assert [s.name for s in store.snapshots(LAND)] == ["s1", "s3"]
    assert store.create_snapshot(LAND, "s2").count == 0
    for ask in (store.snapshot, store.delete_snapshot):
        with pytest.raises(NotFound, match="There is no snapshot 'v9' of project 'landuse'; there are: s1, s3, s2"):
            ask(LAND, "v9")


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("Before Review", "'Before Review' cannot be used.*'before-review' would do"),
        ("now", "not 'now'"),
        ("2024-05-01", "at least one letter"),
        ("17", "at least one letter"),
        ("a" * 51, "at most 50 characters"),
        ("a\n", "cannot be used"),
    ],
)
def test_names_that_cannot_be(store, name, sentence):
    with pytest.raises(InvalidInput, match=sentence):
        store.create_snapshot(LAND, name)
    assert store.snapshots(LAND) == []


def test_coverage_is_part_of_its_project(store):
    with pytest.raises(InvalidInput, match="The coverage of 'landuse' is part of its snapshots"):
        store.create_snapshot(LAND + COVERAGE, "v1")
    store.create_snapshot(LAND, "v1")
    store.create(LAND + COVERAGE, [NewAnnotation(box(0, 0, 1, 1), "seen")])
    assert store.query(LAND + COVERAGE, at=store.changeset_at(LAND, "v1")) == []
    assert store.diff(LAND + COVERAGE, store.changeset_at(LAND, "v1"), "now").added == 1


def test_snapshots_go_with_their_project(store):
    store.create_snapshot(LAND, "v1")
    store.delete_project(LAND)
    store.create_project(Project(LAND, "Again", "EPSG:32616", make_classes(["water"])))
    assert store.snapshots(LAND) == []


def test_text_that_cannot_be_kept_is_refused(store):
    with pytest.raises(InvalidInput, match="NUL"):
        store.create_snapshot(LAND, "v1", note="a\0b")
    with pytest.raises(InvalidInput, match="NUL"):
        store.create_snapshot(LAND, "v1", author="a\0b")


def test_moments_by_time_number_and_name(store, clock):
    store.create(LAND, [NewAnnotation(Point(0, 0), "water")])
    first = datetime.fromisoformat(store.changeset(LAND, 1).at)
    clock.moment += timedelta(days=2)
    store.create(LAND, [NewAnnotation(Point(1, 1), "water")])
    store.create_snapshot(LAND, "v1")

    def at(moment: object) -> int:
        return store.changeset_at(LAND, moment)

    assert at(first.isoformat()) == at("2024-05-02T00:00:00Z") == at("1") == at(1) == 1
    assert at((first - timedelta(milliseconds=1)).isoformat()) == at("2024-04-30") == at("0") == 0
    assert at(first.astimezone(UTC).isoformat().replace("+00:00", "Z")) == 1
    assert at("2024-05-01") == 1, "a date is its whole day"
    assert at("2024-05-03") == at("v1") == at("9999-12-31") == 2
    for wrong in ("yesterday", "2024-05-01T12:00:00", "2024-13-01", "-1", "1.5", "", "v2", "٣"):
        with pytest.raises(InvalidInput, match="A moment in the past of 'landuse' is a time such as"):
            at(wrong)
    for number in (3, "3", -1, 10**20, "9" * 30):
        with pytest.raises(InvalidInput, match="There is no change set"):
            at(number)


def test_what_was_not_there_then(store):
    store.create(LAND, [NewAnnotation(Point(0, 0), "water")])
    store.delete(LAND, 1)
    for id_, at in ((1, 0), (1, 2), (2, 1), (10**30, 1)):
        with pytest.raises(NotFound):
            store.annotation(LAND, id_, at=at)
    assert store.annotation(LAND, 1, at=1).version == 1
    with pytest.raises(InvalidInput, match="box"):
        store.query(LAND, at=1, bbox=(1, 1, 0, 0))
    with pytest.raises(InvalidInput, match="limit"):
        store.query(LAND, at=1, limit=-1)
    assert store.query(LAND, at=1, limit=0) == []
    with pytest.raises(InvalidInput, match="at least one"):
        list(store.batches(LAND, at=1, size=0))


def test_what_differs(store):
    fill(store)
    store.create_snapshot(LAND, "v1")
    store.update(LAND, 1, AnnotationPatch(note="x", status=Status.ACCEPTED, attributes={"height": 4}))
    store.replace(LAND, 2, NewAnnotation(Point(0, 0), "water", provenance=Provenance("api"), track="u"))
    store.delete(LAND, 3)
    store.replace(LAND, 4, NewAnnotation(Point(6, 6), "water"))
    found = store.diff(LAND, "v1", "now")
    assert {e.id: (e.change, e.what) for e in found.entries} == {
        1: ("changed", ("status", "note", "attributes")),
        2: ("changed", ("geometry", "class", "status", "confidence", "scene", "track", "provenance")),
        3: ("deleted", ()),
        4: ("added", ()),
    }
    assert found.to_json() == {"from": 4, "to": 8, "added": 1, "changed": 2, "deleted": 1}
    assert found.entries[0].to_json() == {
        "id": 1,
        "change": "changed",
        "what": ["status", "note", "attributes"],
        "versions": [2, 3],
    }
    page = store.diff(LAND, "v1", "now", after=1, limit=2)
    assert [e.id for e in page.entries] == [2, 3]
    assert (page.added, page.changed, page.deleted) == (1, 2, 1), "the counts are of all"
    back = store.diff(LAND, "now", "v1")
    assert [(e.id, e.change) for e in back.entries] == [(1, "changed"), (2, "changed"), (3, "added"), (4, "deleted")]
    store.revert(LAND, 5)
    assert [e.id for e in store.diff(LAND, "v1", "now").entries] == [2, 3, 4], "put back is no difference"
    with pytest.raises(InvalidInput, match="A moment in the past"):
        store.diff(LAND, "v1", "v9")
