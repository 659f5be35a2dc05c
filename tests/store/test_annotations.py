from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import shapely
from shapely.geometry import GeometryCollection, LinearRing, LineString, Point, Polygon, box

from geolabel.errors import InvalidGeometry, InvalidInput, NotFound, UnknownClass, VersionConflict
from geolabel.model import AnnotationPatch, NewAnnotation, Provenance, Status

X, Y = 733_700.123456789, 3_725_000.987654321


def square(x: float = X, y: float = Y, size: float = 10.0) -> Polygon:
    return box(x, y, x + size, y + size)


def water(geometry=None) -> NewAnnotation:
    return NewAnnotation(square() if geometry is None else geometry, "water")


def test_a_new_annotation_comes_back_as_it_was(store):
    provenance = Provenance("import:osm.gpkg", 0.1 + 0.2, "scene-a", "Zoë")
    given = NewAnnotation(square(), "forest", "spruce\n«old»", Status.ACCEPTED, provenance)
    made = store.create("landuse", [given], author="ann")[0]
    assert (made.id, made.version, made.created_at) == (1, 1, made.updated_at)
    assert (made.class_name, made.note, made.status, made.provenance) == (
        "forest",
        "spruce\n«old»",
        Status.ACCEPTED,
        provenance,
    )
    assert store.annotation("landuse", 1) == made
    assert store.annotation("landuse", 1).geometry.wkb == given.geometry.wkb


def test_who_writes_is_the_author_unless_known_better(store):
    first, second = store.create(
        "landuse", [water(), replace(water(), provenance=Provenance(author="bob"))], author="ann"
    )
    assert (first.provenance.author, second.provenance.author) == ("ann", "bob")
    assert store.history("landuse", 2)[0].author == "ann"


def test_many_at_once_are_one_changeset(store):
    made = store.create("landuse", (water(Point(i, i)) for i in range(50)))
    assert [a.id for a in made] == list(range(1, 51))
    assert store.query("landuse") == made
    assert store.changes() == 1
    assert store.create("landuse", []) == []
    assert store.changes() == 1


def test_what_yields_annotations_may_use_the_store(store):
    def copies():
        for annotation in store.query("landuse"):
            store.update("landuse", annotation.id, AnnotationPatch(note="copied"))
            yield water(annotation.geometry)

    store.create("landuse", [water()] * 3)
    assert [a.id for a in store.create("landuse", copies())] == [4, 5, 6]


def test_all_or_nothing(store):
    bad = Point(0, float("inf"))
    with pytest.raises(InvalidGeometry) as caught:
        store.create("landuse", [water()] * 7 + [water(bad)] + [water(Polygon())])
    assert str(caught.value).startswith(
        "2 of 9 geometries cannot be stored; feature 8: a coordinate is not a finite number"
    )
    assert [(p.pointer, p.message) for p in caught.value.problems][1] == ("feature 9", "the geometry is empty")
    assert store.query("landuse") == []
    assert store.changes() == 0


@pytest.mark.parametrize(
    ("geometry", "message"),
    [
        (Polygon(), "the geometry is empty"),
        (LinearRing([(0, 0), (1, 0), (1, 1)]), "a bare ring is no label"),
        (Point(0, float("inf")), "a coordinate is not a finite number"),
        (Point(0, 0, float("nan")), "a coordinate is not a finite number"),
        (GeometryCollection([Point(0, 0, 1), Point(1, 1)]), "Z must be given for all positions or for none"),
        (None, "expected a geometry, got NoneType"),
        ("POINT (0 0)", "expected a geometry, got str"),
    ],
)
def test_what_is_no_shape_is_refused(store, geometry, message):
    store.create("landuse", [water()])
    new = NewAnnotation(geometry, "water")
    for write in (lambda: store.create("landuse", [new]), lambda: store.replace("landuse", 1, new)):
        with pytest.raises(InvalidGeometry, match=message) as caught:
            write()
        assert caught.value.problems[0].pointer == "/geometry"
    if geometry is not None:
        with pytest.raises(InvalidGeometry, match=message):
            store.update("landuse", 1, AnnotationPatch(geometry=geometry))
    assert store.annotation("landuse", 1).version == 1


def test_m_is_not_kept_and_z_is(store):
    made = store.create(
        "landuse", [water(shapely.from_wkt(t)) for t in ("POINT M (1 2 3)", "LINESTRING ZM (1 2 3 4, 5 6 7 8)")]
    )
    assert [a.geometry.wkt for a in made] == ["POINT (1 2)", "LINESTRING Z (1 2 3, 5 6 7)"]
    assert store.query("landuse") == made


@pytest.mark.parametrize(
    ("new", "message"),
    [
        (NewAnnotation(square(), "road"), "Class 'road' is not in project 'landuse'; it has: water, forest"),
        (NewAnnotation(square(), "water", note="a\0b"), "The note 'a.x00b' holds a NUL character"),
        (NewAnnotation(square(), "water", note="\ud800"), "lone surrogate"),
        (NewAnnotation(square(), "water", provenance=Provenance(source="\0")), "The source '.x00' holds a NUL"),
        (NewAnnotation(square(), "water", provenance=Provenance(author="\0")), "The author '.x00' holds a NUL"),
        (NewAnnotation(square(), "water", provenance=Provenance(scene="\0")), "The scene '.x00' holds a NUL"),
        (NewAnnotation(square(), "water", provenance=Provenance(confidence=1.5)), "from 0 to 1, got 1.5"),
        (NewAnnotation(square(), "water", provenance=Provenance(confidence=float("nan"))), "from 0 to 1, got nan"),
    ],
)
def test_what_no_row_can_hold_is_refused(store, new, message):
    store.create("landuse", [water()])
    for write in (lambda: store.create("landuse", [water(), new]), lambda: store.replace("landuse", 1, new)):
        with pytest.raises(InvalidInput, match=message):
            write()
    with pytest.raises(InvalidInput, match=r"The author .a.x00. holds a NUL"):
        store.create("landuse", [water()], author="a\0")
    assert store.count("landuse") == 1


def test_a_patch_touches_what_it_names(store):
    given = NewAnnotation(square(), "forest", "old", Status.SUGGESTED, Provenance("model:unet@3", 0.5, "scene-a"))
    made = store.create("landuse", [given], author="ann")[0]
    assert store.update("landuse", 1, AnnotationPatch(class_name="water"), author="bob") == replace(
        made, version=2, class_name="water", updated_at=store.annotation("landuse", 1).updated_at
    )
    moved = store.update("landuse", 1, AnnotationPatch(geometry=square(X + 100)))
    assert (moved.version, moved.class_name, moved.note) == (3, "water", "old")
    done = store.update("landuse", 1, AnnotationPatch(note="", status=Status.ACCEPTED, confidence=0.75))
    assert (done.note, done.status, done.provenance) == (
        None,
        Status.ACCEPTED,
        replace(made.provenance, confidence=0.75),
    )
    assert store.annotation("landuse", 1) == done
    assert store.query("landuse", bbox=(X, Y, X + 50, Y + 50)) == []
    assert store.query("landuse", bbox=(X + 100, Y, X + 150, Y + 50)) == [done]


def test_an_unexpected_version_is_a_conflict(store):
    store.create("landuse", [water()])
    store.update("landuse", 1, AnnotationPatch(note="a"), expected=1)
    for write in (
        lambda: store.update("landuse", 1, AnnotationPatch(note="b"), expected=1),
        lambda: store.replace("landuse", 1, water(), expected=3),
        lambda: store.delete("landuse", 1, expected=0),
    ):
        with pytest.raises(VersionConflict, match="is at version 2, not") as caught:
            write()
        assert caught.value.current == 2
    assert store.annotation("landuse", 1).note == "a"
    assert store.delete("landuse", 1, expected=2).annotation.version == 3


def test_a_deleted_annotation_comes_back_as_its_next_version(store):
    made = store.create("landuse", [water(), water()], author="ann")[0]
    change = store.delete("landuse", 1, author="bob")
    assert (change.operation, change.author, change.annotation) == (
        "delete",
        "bob",
        replace(made, version=2, updated_at=change.at),
    )
    assert [a.id for a in store.query("landuse")] == [2]
    for ask in (
        lambda: store.annotation("landuse", 1),
        lambda: store.delete("landuse", 1),
        lambda: store.update("landuse", 1, AnnotationPatch(note="x"), expected=2),
    ):
        with pytest.raises(NotFound, match=r"Annotation 1 of project 'landuse' was deleted \(version 2\): replace it"):
            ask()
    with pytest.raises(VersionConflict) as caught:
        store.replace("landuse", 1, water(), expected=1)
    assert caught.value.current == 2
    back = store.replace("landuse", 1, water(square(X + 1)), expected=2, author="cat")
    assert (back.id, back.version, back.created_at, back.provenance.author) == (1, 3, made.created_at, "ann")
    assert store.query("landuse")[0] == back
    assert store.create("landuse", [water()])[0].id == 3
    store.delete("landuse", 3)
    assert store.create("landuse", [water()])[0].id == 4, "ids are never used again"


@pytest.mark.parametrize("id_", [0, -1, 2, 2**63 - 1, 2**63, 10**30])
def test_no_such_annotation(store, id_):
    store.create("landuse", [water()])
    for ask in (
        lambda: store.annotation("landuse", id_),
        lambda: store.update("landuse", id_, AnnotationPatch(note="x")),
        lambda: store.replace("landuse", id_, water()),
        lambda: store.delete("landuse", id_),
        lambda: store.history("landuse", id_),
    ):
        with pytest.raises(NotFound, match=f"There is no annotation {id_} in project 'landuse'"):
            ask()


def test_pages_by_id(store):
    made = store.create("landuse", [water(Point(i, 0)) for i in range(25)])
    pages, after = [], 0
    while page := store.query("landuse", after=after, limit=10, bbox=(-1, -1, 100, 1)):
        pages.append([a.id for a in page])
        after = page[-1].id
    assert [len(p) for p in pages] == [10, 10, 5]
    assert [i for page in pages for i in page] == [a.id for a in made]
    assert store.query("landuse", limit=0) == store.query("landuse", after=10**30) == []
    assert store.query("landuse", after=-(10**30), limit=1) == made[:1]
    with pytest.raises(InvalidInput, match="A limit is 0 or more, got -1"):
        store.query("landuse", limit=-1)


def test_filters(store):
    store.create(
        "landuse",
        [water(), NewAnnotation(square(), "forest"), NewAnnotation(square(), "forest", status=Status.REJECTED)],
    )
    assert [a.id for a in store.query("landuse", class_name="forest")] == [2, 3]
    assert [a.id for a in store.query("landuse", class_name="forest", status=Status.LABELLED)] == [2]
    assert store.count("landuse", class_name="forest") == 2
    assert store.count("landuse", status=Status.REJECTED, bbox=(X, Y, X, Y)) == 1
    assert store.query("landuse", class_name="' OR 1=1 --") == store.query("landuse", class_name="a\0b") == []
    assert store.counts("landuse") == {"water": 1, "forest": 2}


@pytest.mark.parametrize(
    "bbox", [(1, 0, 0, 1), (0, 1, 1, 0), (0, 0, float("nan"), 1), (0, 0, float("inf"), 1), (0, 0, 1)]
)
def test_a_box_that_is_none_is_refused(store, bbox):
    for ask in (store.query, store.count, lambda p, bbox: list(store.batches(p, bbox=bbox))):
        with pytest.raises(InvalidInput, match=r"A box is \(min x, min y, max x, max y\) in finite numbers"):
            ask("landuse", bbox=bbox)


def test_the_box_is_tested_on_the_exact_geometry(store):
    """At these coordinates a float32 has steps of 0.06 m and 0.25 m; the index alone cannot tell these apart."""
    store.create("landuse", [water(square()), water(LineString([(X, Y + 100), (X + 100, Y + 200)]))])
    step = np.spacing(X)
    assert [a.id for a in store.query("landuse", bbox=(X - 1, Y, X - step, Y + 1))] == []
    assert [a.id for a in store.query("landuse", bbox=(X - 1, Y, X, Y + 1))] == [1]
    assert [a.id for a in store.query("landuse", bbox=(X + 10 + step, Y, X + 11, Y + 1))] == []
    assert store.count("landuse", bbox=(X - 1, Y, X - step, Y + 1)) == 0
    # Inside the line's box, but not on the line.
    assert store.query("landuse", bbox=(X, Y + 150, X + 10, Y + 200)) == []
    assert [a.id for a in store.query("landuse", bbox=(X + 50, Y + 140, X + 51, Y + 160))] == [2]


@pytest.mark.parametrize("width", [0.0, 1e-3, 5.0, 60.0])
def test_boxes_find_what_shapely_finds(store, width):
    random = np.random.default_rng(20)
    at = random.uniform((X, Y), (X + 100, Y + 100), (300, 2))
    shapes = [*shapely.buffer(shapely.points(at[:200]), random.uniform(0.5, 8, 200)), *shapely.points(at[200:])]
    shapes += list(shapely.linestrings(np.stack((at[:100], at[100:200]), axis=1)))
    shapes += [GeometryCollection([shapes[0], shapes[250], shapes[399]])]
    made = store.create("landuse", [water(s) for s in shapes])
    for x, y in random.uniform((X, Y), (X + 100, Y + 100), (25, 2)).tolist() + at[200:205].tolist():
        bbox = (x, y, x + width, y + width)
        area = box(*bbox) if width else Point(x, y)
        expected = [a.id for a in made if a.geometry.intersects(area)]
        assert [a.id for a in store.query("landuse", bbox=bbox)] == expected
        assert store.count("landuse", bbox=bbox) == len(expected)
        assert [i for b in store.batches("landuse", bbox=bbox, size=7) for i in b.ids.tolist()] == expected


def test_the_box_around_all(store):
    assert store.extent("landuse") is None
    made = store.create("landuse", [water(square(X + i)) for i in range(5)])
    assert store.extent("landuse") == (X, Y, X + 4 + 10, Y + 10)
    for bbox in (store.extent("landuse"), (-1e9, -1e9, 1e9, 1e9)):
        assert store.query("landuse", bbox=bbox) == made
        assert store.count("landuse", bbox=bbox, class_name="water") == 5
    store.delete("landuse", 5)
    assert store.extent("landuse") == (X, Y, X + 3 + 10, Y + 10)


def test_a_box_without_width_or_height(store):
    store.create("landuse", [water(square())])
    assert store.count("landuse", bbox=(X + 1, Y - 5, X + 1, Y + 5)) == 1
    assert store.count("landuse", bbox=(X - 5, Y + 1, X + 5, Y + 1)) == 1
    assert store.count("landuse", bbox=(X - 1, Y - 5, X - 1, Y + 5)) == 0


def test_batches_are_arrays_in_order_of_id(store):
    made = store.create("landuse", [water(Point(i, i)) for i in range(9)] + [NewAnnotation(square(), "forest")])
    batches = list(store.batches("landuse", size=4))
    assert [len(b.ids) for b in batches] == [4, 4, 2]
    assert all(b.ids.dtype == np.int64 and b.geometries.dtype == b.class_names.dtype == object for b in batches)
    assert np.concatenate([b.ids for b in batches]).tolist() == [a.id for a in made]
    assert np.concatenate([b.class_names for b in batches]).tolist() == ["water"] * 9 + ["forest"]
    assert np.concatenate([b.geometries for b in batches]).tolist() == [a.geometry for a in made]
    assert list(store.batches("landuse", bbox=(-5, -5, -4, -4))) == []
    with pytest.raises(InvalidInput, match="at least one annotation, got the size 0"):
        list(store.batches("landuse", size=0))


def test_batches_come_from_one_snapshot(store):
    store.create("landuse", [water()] * 6)
    batches = store.batches("landuse", size=2)
    seen = next(batches).ids.tolist()
    store.delete("landuse", 4)
    store.update("landuse", 5, AnnotationPatch(class_name="forest"))
    store.create("landuse", [water()])
    rest = list(batches)
    assert seen + [i for b in rest for i in b.ids.tolist()] == [1, 2, 3, 4, 5, 6]
    assert {name for b in rest for name in b.class_names} == {"water"}
    assert store.count("landuse") == 6
    next(store.batches("landuse", size=1)).ids.tolist()  # a reader that stops early holds nothing up
    store.create("landuse", [water()])


def test_unknown_project(store):
    for ask in (
        lambda: store.create("nowhere", [water()]),
        lambda: store.query("nowhere"),
        lambda: store.count("nowhere"),
        lambda: next(store.batches("nowhere")),
        lambda: store.history("nowhere", 1),
    ):
        with pytest.raises(NotFound, match="There is no project 'nowhere' in this workspace"):
            ask()


def test_unknown_class_in_a_patch(store):
    store.create("landuse", [water()])
    with pytest.raises(UnknownClass, match="Class 'road' is not in project 'landuse'"):
        store.update("landuse", 1, AnnotationPatch(class_name="road"))
    with pytest.raises(InvalidInput, match="A confidence is a number from 0 to 1, got -1"):
        store.update("landuse", 1, AnnotationPatch(confidence=-1))
