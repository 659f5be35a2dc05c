"""A schema changes: columns come and go, labels follow a mapping, nothing is orphaned. On both databases."""

from __future__ import annotations

import random
from dataclasses import replace
from functools import partial

import pyogrio
import pytest
from shapely.geometry import LineString, Point, box

from geolabel.attributes import Attribute, make_attributes
from geolabel.classes import make_classes
from geolabel.errors import InvalidInput, UnknownClass
from geolabel.mapping import SchemaMapping, Split, read_mapping
from geolabel.model import AnnotationPatch, NewAnnotation

SHAPE = box(733_700, 3_725_000, 733_710, 3_725_010)
ATTRIBUTES = make_attributes(
    [
        {"name": "leaf", "kind": "enum", "values": ["broad", "needle"], "classes": ["forest"]},
        {"name": "height", "kind": "number", "minimum": 0, "maximum": 100},
        {"name": "source_text"},
        {"name": "checked", "kind": "boolean"},
    ]
)
VALUES = {"leaf": "needle", "height": 0.1 + 0.2, "source_text": "GPS «ü»", "checked": False}


def forest(**attributes) -> NewAnnotation:
    return NewAnnotation(SHAPE, "forest", attributes=attributes)


def change(store, *, mapping=None, author=None, **changes):
    mapping = read_mapping(mapping) if isinstance(mapping, dict) else mapping
    return store.change_project("landuse", lambda p: replace(p, **changes), mapping=mapping, author=author)


def numbers(store) -> int:
    return store.changes("landuse")


@pytest.fixture
def typed(store):
    change(store, attributes=ATTRIBUTES)
    return store


def test_values_come_back_as_they_were(typed):
    made = typed.create("landuse", [forest(**VALUES), forest(height=7), forest()])
    assert made[0].attributes == VALUES
    assert [a.attributes for a in typed.query("landuse")] == [VALUES, {"height": 7.0}, {}]
    assert typed.query("landuse") == made
    assert typed.update("landuse", 1, AnnotationPatch(attributes={"checked": True, "height": None})).attributes == {
        "leaf": "needle",
        "source_text": "GPS «ü»",
        "checked": True,
    }
    typed.delete("landuse", 1)
    assert [c.annotation.attributes.get("checked") for c in typed.history("landuse", 1)] == [False, True, True]
    assert typed.history("landuse", 1)[0].annotation.attributes == VALUES
    back = typed.replace("landuse", 1, forest(checked=False))
    assert back.attributes == {"checked": False}
    assert typed.annotation("landuse", 1) == back


def test_a_new_class_takes_along_what_it_has(typed):
    typed.create("landuse", [forest(**VALUES)])
    after = typed.update("landuse", 1, AnnotationPatch(class_name="water"))
    assert after.attributes == {name: value for name, value in VALUES.items() if name != "leaf"}
    with pytest.raises(InvalidInput, match="'leaf' is for forest, not for 'water'"):
        typed.update("landuse", 1, AnnotationPatch(attributes={"leaf": "broad"}))


BAD_VALUES = [
    ({"leaf": "palm"}, "'leaf' is one of broad, needle, got 'palm'"),
    ({"height": 101}, "'height' is a number from 0 to 100, got 101"),
    ({"height": True}, "'height' is a number from 0 to 100, got True"),
    ({"height": float("nan")}, "'height' is a number"),
    ({"height": 10**400}, "'height' is a number"),
    ({"source_text": 3}, "'source_text' is a text of at most 10000 characters, got 3"),
    ({"source_text": "a\0"}, "The attribute 'a.x00' holds a NUL character"),
    ({"checked": 1}, "'checked' is true or false, got 1"),
    ({"species": "oak"}, "'species' is none of the project's, which are: leaf, height, source_text, checked"),
]


def test_values_that_cannot_be(typed):
    typed.create("landuse", [forest()])
    for values, message in BAD_VALUES:
        for write in (
            partial(typed.create, "landuse", [forest(), forest(**values)]),
            partial(typed.replace, "landuse", 1, forest(**values)),
            partial(typed.update, "landuse", 1, AnnotationPatch(attributes=values)),
        ):
            with pytest.raises(InvalidInput, match=message):
                write()
    assert typed.count("landuse") == typed.annotation("landuse", 1).version == 1


def test_a_required_attribute(store):
    change(store, attributes=make_attributes([{"name": "leaf", "required": True, "classes": ["forest"]}]))
    with pytest.raises(InvalidInput, match="feature 2: attribute 'leaf' is required: a text") as caught:
        store.create("landuse", [forest(leaf="x"), forest()])
    assert [p.pointer for p in caught.value.problems] == ["feature 2"]
    store.create("landuse", [NewAnnotation(SHAPE, "water")])
    for write in (
        lambda: store.update("landuse", 1, AnnotationPatch(class_name="forest")),
        lambda: store.replace("landuse", 1, forest()),
    ):
        with pytest.raises(InvalidInput, match="'leaf' is required") as caught:
            write()
        assert caught.value.problems[0].pointer == "/properties/leaf"
    store.update("landuse", 1, AnnotationPatch(class_name="forest", attributes={"leaf": "x"}))
    with pytest.raises(InvalidInput, match="'leaf' is required"):
        store.update("landuse", 1, AnnotationPatch(attributes={"leaf": None}))


def test_gdal_sees_the_columns(typed):
    typed.create("landuse", [forest(**VALUES), forest()])
    if not (file := typed.folder / "workspace.gpkg").exists():
        with typed._read() as connection:
            found = connection.exec_driver_sql("SELECT leaf, height, source_text, checked FROM landuse ORDER BY id")
            assert found.all() == [tuple(VALUES.values()), (None,) * 4]
        return
    change(typed, attributes=ATTRIBUTES[1:], mapping={"attributes": {"leaf": None}})
    info = pyogrio.read_info(file, layer="landuse")
    types = dict(zip(info["fields"], info["dtypes"], strict=True))
    assert [types[n] for n in ("height", "source_text", "checked")] == ["float64", "object", "bool"]
    assert "leaf" not in types
    frame = pyogrio.read_dataframe(file, layer="landuse", use_arrow=True)
    assert frame["height"][0] == VALUES["height"]
    assert frame["source_text"][0] == VALUES["source_text"]
    assert not frame["checked"][0]
    assert frame["checked"].isna().tolist() == [False, True]


def test_the_index_and_the_guard_outlive_a_change(typed):
    change(typed, attributes=(*ATTRIBUTES[2:], Attribute("storeys", "number")), mapping=None)
    typed.create("landuse", [NewAnnotation(SHAPE, "water", attributes={"storeys": 3})])
    typed.update("landuse", 1, AnnotationPatch(geometry=Point(0, 0)))
    assert typed.query("landuse", bbox=(-1, -1, 1, 1)) == [typed.annotation("landuse", 1)]
    assert typed.query("landuse", bbox=SHAPE.bounds) == []
    with pytest.raises(Exception, match="geolabel keeps this table|read-only"), typed._engine.begin() as connection:
        connection.exec_driver_sql("UPDATE landuse SET storeys = 4")


def test_a_class_is_renamed(typed):
    made = typed.create("landuse", [forest(**VALUES), NewAnnotation(SHAPE, "water")])
    after = change(
        typed,
        classes=make_classes(["water", "wood"]),
        attributes=(replace(ATTRIBUTES[0], classes=("wood",)), *ATTRIBUTES[1:]),
        mapping={"classes": {"forest": "wood"}},
        author="ann",
    )
    assert [c.name for c in after.classes] == ["water", "wood"]
    label, other = typed.query("landuse")
    assert (label.class_name, label.version, label.attributes, label.geometry.wkb) == (
        "wood",
        2,
        VALUES,
        made[0].geometry.wkb,
    )
    assert other == made[1]
    past = typed.history("landuse", 1)
    assert [(c.operation, c.author) for c in past] == [("create", None), ("update", "ann")]
    assert past[0].annotation == made[0]
    assert past[1].annotation == label
    with typed._read() as connection:
        row = connection.exec_driver_sql(
            "SELECT kind, created, updated, deleted FROM geolabel_changesets ORDER BY number DESC LIMIT 1"
        ).one()
        assert tuple(row) == ("schema", 0, 1, 0)
        assert connection.exec_driver_sql("SELECT until FROM geolabel_history").scalars().all() == [past[1].changeset]
    assert typed.query("landuse", bbox=SHAPE.bounds) == [label, other]


def test_classes_change_places_and_merge(store):
    store.create("landuse", [NewAnnotation(SHAPE, "water"), NewAnnotation(SHAPE, "forest")])
    change(store, mapping=SchemaMapping(classes={"water": "forest", "forest": "water"}))
    assert [a.class_name for a in store.query("landuse")] == ["forest", "water"]
    change(store, classes=make_classes(["nature"]), mapping=SchemaMapping({"water": "nature", "forest": "nature"}))
    assert store.counts("landuse") == {"nature": 2}
    assert [a.version for a in store.query("landuse")] == [3, 3]


def test_a_class_is_split(typed):
    typed.create("landuse", [forest(leaf="broad"), forest(leaf="needle", checked=True), forest(checked=False)])
    split = Split("leaf", {"broad": "broadleaf", "needle": "conifer"})
    mapping = SchemaMapping({"forest": split}, attributes={"leaf": None})
    classes = make_classes(["water", "broadleaf", "conifer"])
    with pytest.raises(InvalidInput, match="1 labels carry class 'forest', which the new schema leaves out"):
        change(typed, classes=classes, attributes=ATTRIBUTES[1:], mapping=mapping)
    assert [a.class_name for a in typed.query("landuse")] == ["forest"] * 3
    mapping = replace(mapping, classes={"forest": replace(split, otherwise="water")})
    change(typed, classes=classes, attributes=ATTRIBUTES[1:], mapping=mapping)
    assert [a.class_name for a in typed.query("landuse")] == ["broadleaf", "conifer", "water"]
    assert [a.attributes for a in typed.query("landuse")] == [{}, {"checked": True}, {"checked": False}]
    change(
        typed,
        classes=make_classes(["water", "yes", "no"]),
        mapping=read_mapping(
            {
                "classes": {
                    "conifer": {"attribute": "checked", "classes": {"true": "yes"}},
                    "broadleaf": "no",
                    "water": {"attribute": "checked", "classes": {"false": "no"}},
                }
            }
        ),
    )
    assert [a.class_name for a in typed.query("landuse")] == ["no", "yes", "no"]


def test_an_attribute_is_renamed_and_keeps_its_values(typed):
    made = typed.create("landuse", [forest(**VALUES), forest()])
    renamed = (*ATTRIBUTES[:1], replace(ATTRIBUTES[1], name="tallness"), *ATTRIBUTES[2:])
    change(typed, attributes=renamed, mapping={"attributes": {"height": "tallness"}})
    first, second = typed.query("landuse")
    assert first.attributes == {("tallness" if n == "height" else n): v for n, v in VALUES.items()}
    assert (first.version, second) == (2, made[1])
    assert typed.history("landuse", 1)[0].annotation.attributes == VALUES


def test_attributes_change_places(typed):
    typed.create("landuse", [forest(source_text="a", leaf="broad")])
    swapped = (replace(ATTRIBUTES[2], name="leaf"), replace(ATTRIBUTES[0], name="source_text", classes=()))
    change(
        typed,
        attributes=swapped,
        mapping=SchemaMapping(attributes={"leaf": "source_text", "source_text": "leaf"}),
    )
    assert typed.annotation("landuse", 1).attributes == {"leaf": "a", "source_text": "broad"}


def test_an_attribute_of_another_kind_takes_a_name_that_goes(typed):
    typed.create("landuse", [forest(height=3)])
    new = (*ATTRIBUTES[:1], Attribute("height", "text"), *ATTRIBUTES[2:])
    with pytest.raises(
        InvalidInput, match="1 labels have a value of attribute 'height', which .* keeps as another kind"
    ):
        change(typed, attributes=new)
    change(typed, attributes=new, mapping={"attributes": {"height": None}, "fill": {"height": "tall"}})
    assert typed.annotation("landuse", 1).attributes == {"height": "tall"}
    assert typed.history("landuse", 1)[0].annotation.attributes == {"height": 3.0}


ORPHANS = [
    (ATTRIBUTES[1:], "2 labels have a value of attribute 'leaf', which the new schema leaves out"),
    (
        (replace(ATTRIBUTES[0], values=("broad", "palm")), *ATTRIBUTES[1:]),
        "1 labels have the value 'needle' of 'leaf', which it does not take",
    ),
    (
        (replace(ATTRIBUTES[0], classes=("water",)), *ATTRIBUTES[1:]),
        "2 labels have a value of 'leaf', which is for 'water' only",
    ),
    (
        (ATTRIBUTES[0], replace(ATTRIBUTES[1], maximum=5), *ATTRIBUTES[2:]),
        "1 labels have a value of 'height' that is not a number from 0 to 5",
    ),
    ((*ATTRIBUTES, Attribute("new", required=True)), "3 labels have no value of 'new', which is required"),
    (
        (*ATTRIBUTES[:3], replace(ATTRIBUTES[3], required=True, classes=("forest",))),
        "2 labels have no value of 'checked', which is required",
    ),
    ((replace(ATTRIBUTES[0], classes=("road",)),), "'leaf' is for class 'road', which project 'landuse' does not"),
]


def test_what_would_orphan_a_label_is_refused(typed):
    made = typed.create(
        "landuse", [forest(leaf="broad", height=6), forest(leaf="needle"), NewAnnotation(SHAPE, "water")]
    )
    before = typed.project("landuse"), numbers(typed)
    for attributes, message in ORPHANS:
        with pytest.raises(InvalidInput, match=message):
            change(typed, attributes=attributes)
        assert (typed.project("landuse"), numbers(typed)) == before
        assert typed.query("landuse") == made


def test_an_enum_becomes_a_text_and_back(typed):
    made = typed.create("landuse", [forest(leaf="broad")])
    change(typed, attributes=(Attribute("leaf"), *ATTRIBUTES[1:]))
    assert typed.query("landuse") == made
    change(typed, attributes=ATTRIBUTES)
    assert typed.query("landuse") == made


def test_values_are_mapped_and_gaps_filled(typed):
    typed.create("landuse", [forest(leaf="broad"), forest(leaf="needle"), forest(), NewAnnotation(SHAPE, "water")])
    leaf = replace(ATTRIBUTES[0], values=("deciduous", "unknown"), required=True)
    change(
        typed,
        attributes=(leaf, *ATTRIBUTES[1:]),
        mapping={"values": {"leaf": {"broad": "deciduous", "needle": None}}, "fill": {"leaf": "unknown"}},
    )
    assert [a.attributes.get("leaf") for a in typed.query("landuse")] == ["deciduous", "unknown", "unknown", None]
    assert [a.version for a in typed.query("landuse")] == [2, 2, 2, 1]


def test_shapes_that_a_class_takes_no_more(store):
    store.create("landuse", [NewAnnotation(SHAPE, "water"), NewAnnotation(LineString([(0, 0), (1, 1)]), "water")])
    narrow = make_classes([{"name": "water", "geometries": ["polygon"]}, "forest"])
    with pytest.raises(InvalidInput, match="1 labels of class 'water' are drawn as a line, which it does not take"):
        change(store, classes=narrow)
    store.delete("landuse", 2)
    change(store, classes=narrow)
    with pytest.raises(InvalidInput, match="1 labels of class 'forest' are drawn as a polygon"):
        change(
            store,
            classes=make_classes([{"name": "forest", "geometries": ["line"]}]),
            mapping={"classes": {"water": "forest"}},
        )


BAD_MAPPINGS = [
    (
        {"classes": {"road": "water"}},
        "names the class 'road', which the project does not have; it has water, forest",
    ),
    ({"attributes": {"road": "x"}}, "names the attribute 'road', which the project does not have; it has leaf"),
    ({"values": {"height": {"1": "2"}}}, "Values are mapped in an enum or a text; 'height' is a number"),
    ({"classes": {"forest": {"attribute": "height", "classes": {"1": "water"}}}}, "'height' is a number"),
    ({"fill": {"leaf": "palm"}}, "fills 'leaf', which is one of broad, needle, got 'palm'"),
    ({"fill": {"road": "palm"}}, "fills 'road', which is none of the new schema"),
    ({"clases": {}}, "A mapping is an object with any of classes, attributes, values, fill"),
    ({"classes": []}, "The classes of a mapping are an object"),
    ({"classes": {"forest": 3}}, "Class 'forest' becomes another class, or is split"),
    ({"attributes": {"leaf": 3}}, "The attribute leaf becomes a text, or null for none; got 3"),
    ({"values": {"leaf": 3}}, "The values of 'leaf' are mapped by an object"),
    ({"classes": {"forest": "wood"}}, "1 labels carry class 'wood', which the new schema leaves out"),
]


def test_a_mapping_that_cannot_be(typed):
    typed.create("landuse", [forest()])
    for mapping, message in BAD_MAPPINGS:
        with pytest.raises(InvalidInput, match=message):
            change(typed, mapping=mapping)
        assert typed.annotation("landuse", 1).version == 1


def test_the_schema_that_a_mapping_implies():
    classes = make_classes(["water", {"name": "forest", "parent": "water"}, "road", "rail"])
    mapping = SchemaMapping({"water": "lake", "road": "way", "rail": "way"}, {"leaf": "foliage", "height": None})
    new, attributes = mapping.renamed(classes, (*ATTRIBUTES[:3], Attribute("lanes", classes=("road", "rail"))))
    assert [(c.id, c.name, c.parent) for c in new] == [(1, "lake", None), (2, "forest", "lake"), (3, "way", None)]
    assert [(a.name, a.classes) for a in attributes] == [
        ("foliage", ("forest",)),
        ("source_text", ()),
        ("lanes", ("way",)),
    ]


def test_classes_keep_what_is_not_given_anew():
    known = make_classes(["water", {"name": "forest", "priority": 3}])
    new = make_classes(["road", {"name": "forest", "color": "#000000"}, "water"], known)
    assert [(c.id, c.name) for c in new] == [(3, "road"), (2, "forest"), (1, "water")]
    assert (new[1].color, new[1].priority, new[1].hotkey, new[2]) == ("#000000", 3, "2", known[0])


def test_parents_do_not_go_in_circles():
    with pytest.raises(InvalidInput, match="The classes a > b > c > a are each above the other"):
        make_classes([{"name": n, "parent": p} for n, p in (("a", "b"), ("b", "c"), ("c", "a"))])


def test_a_schema_stays_while_labels_are_imported(store):
    with store._write() as (connection, _):
        connection.exec_driver_sql(
            "INSERT INTO geolabel_changesets (project, at, kind, published) "
            "SELECT key, '2024-01-01T00:00:00.000Z', 'import', false FROM geolabel_projects WHERE id = 'landuse'"
        )
    with pytest.raises(InvalidInput, match="cannot change while labels are being imported"):
        change(store, attributes=ATTRIBUTES)
    change(store, title="Other")


def test_many_labels(typed):
    random_ = random.Random(1)
    shapes = [Point(random_.random(), random_.random()) for _ in range(5_000)]
    typed.create("landuse", [NewAnnotation(s, "forest", attributes=VALUES) for s in shapes])
    change(
        typed,
        classes=make_classes(["water", "wood"]),
        attributes=(replace(ATTRIBUTES[0], name="foliage", classes=("wood",)), *ATTRIBUTES[1:]),
        mapping=SchemaMapping({"forest": "wood"}, {"leaf": "foliage"}),
    )
    assert typed.count("landuse", class_name="wood") == 5_000
    assert typed.history("landuse", 5_000)[0].annotation.attributes == VALUES


def test_a_class_that_was_never_used_is_unknown(store):
    change(store, classes=make_classes(["water"]))
    with pytest.raises(UnknownClass):
        store.create("landuse", [NewAnnotation(SHAPE, "forest")])
