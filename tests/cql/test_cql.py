"""Filters read: the grammar against another parser, what is refused and how, and that nothing takes long."""

from __future__ import annotations

import gc
import json
import time
from typing import TYPE_CHECKING, Any

import cql2
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from geolabel.attributes import make_attributes
from geolabel.classes import make_classes
from geolabel.cql import queryables, read_filter, read_interval, read_moment, read_value
from geolabel.cql.nodes import And, Compare, Constant, In, Like, Not, Or, Property, Related, Value, Wild
from geolabel.cql.text import parse
from geolabel.errors import GeolabelError, InvalidInput
from geolabel.model import Project

if TYPE_CHECKING:
    from geolabel.cql import Where

PROJECT = Project(
    "fields",
    "Fields",
    "EPSG:32616",
    make_classes(["water", "forest"]),
    attributes=make_attributes(
        [
            {"name": "crop", "kind": "enum", "values": ["oats", "rye"]},
            {"name": "height", "kind": "number"},
            {"name": "checked", "kind": "boolean"},
        ]
    ),
)
KNOWN = queryables(PROJECT)


def read(text: str, lang: Any = "cql2-text", **more: Any) -> Where:
    return read_filter(text, lang, KNOWN, lambda shape, _: shape, **more)


def as_floats(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: as_floats(member) for name, member in value.items()}
    if isinstance(value, list):
        return [as_floats(member) for member in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


# Texts of the grammar, with space where it may be and words in any case.

space = st.sampled_from(["", " ", "  ", "\n", "\t "])
names = st.sampled_from(["class", "note", "height", "a.b", "Straße", '"a b"', '"class"', "nota", "inside", "trueness"])
words = st.text(st.sampled_from("abz'%_ \\ä😀()"), max_size=6).map(lambda t: "'" + t.replace("'", "''") + "'")
numbers = st.sampled_from(["0", "1", "12.5", "1e3", "2.5E-3", "-1", "-0.5"])
scalars = st.deferred(
    lambda: st.one_of(
        names,
        words,
        numbers,
        st.sampled_from(["DATE('2020-01-01')", "timestamp('2020-01-01T00:00:00Z')", "TRUE", "false"]),
        st.builds("casei({}{}{})".format, space, names | words, space),
        st.builds("({}{}{} {} {})".format, space, names, space, st.sampled_from("+-*/"), numbers),
    )
)
positions = st.builds("{} {}".format, *[st.sampled_from(["0", "1.5", "20", "733650.25"])] * 2)
shapes = st.one_of(
    st.builds("POINT({})".format, positions),
    st.builds("LineString ( {},{} )".format, positions, positions),
    st.builds("POLYGON(({0}, {1}, {2}, {0}))".format, positions, positions, positions),
    st.builds("MULTIPOINT({}, {})".format, positions, positions),
    st.builds("MULTIPOINT(({}), ({}))".format, positions, positions),
    st.builds("POINT Z({} 5)".format, positions),
    st.builds("BBOX(1, 2, {}, 4)".format, st.sampled_from(["3", "30.5"])),
    st.builds("GEOMETRYCOLLECTION(POINT({}), LINESTRING({}, {}))".format, positions, positions, positions),
)
conditions = st.one_of(
    st.builds("{}{}{}{}{}".format, scalars, space, st.sampled_from(["=", "<>", "<", "<=", ">", ">="]), space, scalars),
    st.builds("{} {}LIKE {}".format, names, st.sampled_from(["", "NOT ", "not "]), words),
    st.builds("{} {}BETWEEN {} AND {}".format, names, st.sampled_from(["", "NOT "]), numbers, numbers),
    st.builds("{} {}IN{}({},{}{})".format, names, st.sampled_from(["", "NOT "]), space, words, space, words),
    st.builds("{} IS {}NULL".format, names, st.sampled_from(["", "NOT ", "not "])),
    st.builds("S_INTERSECTS(geometry, {})".format, shapes),
    st.builds("s_within( {} , geometry )".format, shapes),
    st.builds("T_DURING({}, INTERVAL('2020-01-01', {}))".format, names, st.sampled_from(["'..'", "'2021-01-01'"])),
    st.sampled_from(["TRUE", "false"]),
)
filters = st.recursive(
    conditions,
    lambda inner: st.one_of(
        st.builds("({}{}{})".format, space, inner, space),
        st.builds("{} {} {}".format, inner, st.sampled_from(["AND", "and", "OR", "or"]), inner),
        st.builds("NOT ({})".format, inner),
    ),
    max_leaves=5,
)


@given(text=filters)
def test_the_grammar_is_that_of_another_parser(text: str) -> None:
    assert as_floats(parse(text)) == cql2.parse_text(text).to_json()


pieces = st.sampled_from(
    [
        "(",
        ")",
        ",",
        "'",
        '"',
        "=",
        "<>",
        "<=",
        ">",
        "+",
        "-",
        "*",
        "/",
        "%",
        "AND",
        "OR",
        "NOT",
        "LIKE",
        "BETWEEN",
        "IN",
        "IS",
        "NULL",
        "CASEI(",
        "DATE(",
        "INTERVAL(",
        "S_INTERSECTS(",
        "T_AFTER(",
        "BBOX(",
        "POINT(",
        "POLYGON((",
        "geometry",
        "class",
        "note",
        "height",
        "checked",
        "id",
        "valid_from",
        "'x'",
        "'..'",
        "1",
        "2.5",
        "1e400",
        "-1",
        "TRUE",
        "FALSE",
        ".",
        ";",
        ":",
        "\\",
        "\x00",
        "�",
        "ä",
        "'2020-01-01'",
        '"a',
        'b"',
        "(((((",
        ")))))",
        "a_equals(",
    ]
)
soup = st.lists(pieces, max_size=25).map(" ".join) | st.text(max_size=60)
tree = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["class", "x", "..", "2020-01-01", "\0"]),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.builds(lambda v: {"property": v}, inner | st.sampled_from(["class", "geometry", "checked", "valid_from"])),
        st.builds(
            lambda op, args: {"op": op, "args": args},
            st.sampled_from(
                [
                    "and",
                    "not",
                    "=",
                    "<",
                    "like",
                    "in",
                    "between",
                    "isNull",
                    "casei",
                    "+",
                    "s_intersects",
                    "t_after",
                    "x",
                ]
            ),
            st.lists(inner, max_size=3) | inner,
        ),
        st.builds(lambda k, v: {k: v}, st.sampled_from(["date", "timestamp", "interval", "bbox"]), inner),
        st.builds(
            lambda t, c: {"type": t, "coordinates": c, "geometries": c},
            st.sampled_from(["Point", "Polygon", "MultiPoint", "GeometryCollection", "x"]),
            inner,
        ),
    ),
    max_leaves=8,
)


def only_refused(text: str, lang: str) -> None:
    said = ""
    gc.freeze()  # to look through what the tests before this one have left is no work of the parser; its own garbage is
    started = time.thread_time()
    try:
        read(text, lang)
    except InvalidInput as error:
        said = str(error)
    finally:
        took = time.thread_time() - started
        gc.unfreeze()
    assert said[-1:] in {".", ")", ""}, said
    assert len(said) < 700
    assert took < 1


@given(text=soup)
def test_no_text_breaks_it(text: str) -> None:
    only_refused(text, "cql2-text")


@given(value=tree)
def test_no_json_breaks_it(value: Any) -> None:
    only_refused(json.dumps(value), "cql2-json")


@pytest.mark.soak
@settings(max_examples=20_000, deadline=None)
@given(text=filters | soup)
def test_twenty_thousand_texts(text: str) -> None:
    only_refused(text, "cql2-text")


@pytest.mark.parametrize(
    "text",
    [
        "(" * 20_000 + "a=1" + ")" * 20_000,
        "((((((((((((((((((((((((((((((((((((((((a=1 b",
        "(" * 60 + "a=1 b" + ")" * 60,
        "NOT " * 10_000 + "TRUE",
        "casei(" * 10_000,
        "-" * 40_000 + "1 = id",
        "'" * 49_999,
        "id = " + "+".join(["1"] * 20_000),
        "GEOMETRYCOLLECTION(" * 2_000,
        " AND ".join(["TRUE"] * 7_000),
        "id IN (" + ",".join(["1"] * 20_000) + ")",
        "S_INTERSECTS(geometry, MULTIPOINT(" + ",".join(["1 2"] * 12_000) + "))",
        '"' * 40_000,
        " " * 49_990 + "x",
        "x" * 50_001,
        "note LIKE '" + "%_" * 20_000 + "'",
    ],
)
def test_work_follows_the_length_of_the_text(text: str) -> None:
    only_refused(text, "cql2-text")


@pytest.mark.parametrize("depth", [65, 100_000])
def test_json_is_no_deeper_than_text(depth: int) -> None:
    for text in (
        '{"op":"not","args":[' * depth + "true" + "]}" * depth,
        '{"op":"=","args":[' + '{"op":"+","args":[1,' * depth + "1" + "]}" * depth + ",1]}",
        "[" * depth + "]" * depth,
    ):
        with pytest.raises(InvalidInput):
            read(text[:50_000], "cql2-json")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "cannot be read at character 1: expected a name, a number or a 'text', got the end"),
        ("class = ", "at character 9: .* got the end"),
        ("class = 'water' note = 'x'", "at character 17: expected AND, OR or the end, got \"note = 'x'\""),
        ("(class = 'water'", "expected '\\)', got the end"),
        ("class = 'water", "at character 9"),
        ("class NOT 'water'", "expected LIKE, BETWEEN or IN after NOT"),
        ("height BETWEEN 1 OR 2", "expected AND, got 'OR 2'"),
        ("DATE(1) = valid_from", "expected a 'text' inside DATE"),
        ("S_INTERSECTS(geometry, POINT(1))", "a position of two or three numbers"),
        ("colour = 'red'", "There is no property 'colour'; there are geometry, class, note, .*, crop, height, checked"),
        ("class", "'class' is a text, not a condition: compare it with something"),
        ("class = 1", "'class' is a text and 1 is a number: these cannot be compared"),
        ("height = 'tall'", "'height' is a number and 'tall' is a text"),
        ("checked > TRUE", "compared with = and <> only"),
        ("class = NULL", "Nothing equals NULL: ask IS NULL"),
        ("class = DATE('2020-01-01')", "'class' is a text and .* is a time"),
        ("created_at = 'yesterday'", "A moment is a date such as 2024-05-01"),
        ("created_at = 5", "'created_at' is a time and 5 is a number"),
        ("valid_from > DATE('2020-02-30')", "A moment is a date"),
        ("valid_from > DATE('2020-01-01T00:00:00Z')", "DATE is written as '2024-05-01'"),
        ("valid_from > TIMESTAMP('2020-01-01')", "TIMESTAMP is written as '2024-05-01T12:00:00Z'"),
        ("height > 1e400", "is finite"),
        ("height + 'x' > 1", r"\+ takes a number, got 'x'"),
        ("height % 2 = 1", "no '%' here"),
        ("ACCENTI(note) = 'e'", "no 'accenti' here; there are AND, OR"),
        ("note LIKE class", "LIKE takes a pattern in quotes"),
        ("height LIKE '1%'", "LIKE takes a text, got 'height'"),
        ("note IN (1)", "IN takes a text, got 1"),
        ("geometry = 'x'", "goes into a spatial function"),
        ("S_INTERSECTS(class, POINT(1 2))", "takes the property 'geometry' and a geometry"),
        ("S_INTERSECTS(geometry, 'x')", "takes a geometry such as POINT"),
        ("S_INTERSECTS(geometry)", "S_INTERSECTS takes 2 arguments, got 1"),
        ("S_INTERSECTS(geometry, BBOX(1, 2, 3))", "BBOX takes four numbers"),
        ("S_INTERSECTS(geometry, BBOX(1, 4, 3, 2))", "The lower edge 4 of the BBOX lies above its upper edge 2"),
        ("S_INTERSECTS(geometry, BBOX(500, 1, 400, 2))", "The left edge 500"),
        (
            "S_INTERSECTS(geometry, POLYGON((0 0, 1 1, 1 0, 0 1, 0 0)))",
            "Polygon of the filter is not valid: Self-inter",
        ),
        ("S_INTERSECTS(geometry, POLYGON((0 0, 1 1, 1 0)))", "cannot be read"),
        (
            "S_WITHIN(geometry, GEOMETRYCOLLECTION(POINT(0 0), LINESTRING(0 0, 1 1)))",
            "into S_INTERSECTS and S_DISJOINT only",
        ),
        ("T_AFTER(class, DATE('2020-01-01'))", "A time is expected, got 'class'"),
        ("T_AFTER(created_at, '..')", "stands inside INTERVAL only"),
        ("T_AFTER(created_at, INTERVAL('2021-01-01', '2020-01-01'))", "ends before it starts"),
        ("note = 'a\0'", "NUL"),
        ("foo(1)", "no 'foo' here"),
    ],
)
def test_refusals_are_sentences(text: str, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        read(text)


def test_values_with_their_kinds() -> None:
    assert read("class = 'water'") == Compare("=", Property("class", "text"), Value("water", "text"))
    assert read("'water' = class") == Compare("=", Value("water", "text"), Property("class", "text"))
    assert read("height = 3.0") == Compare("=", Property("height", "number"), Value(3, "number"))
    assert read("note LIKE 'a%%\\_b_'") == Like(Property("note", "text"), ("a", Wild.ANY, "_b", Wild.ONE))
    assert read("id IN (1, 2)") == In(Property("id", "number"), (Value(1, "number"), Value(2, "number")))
    assert read("TRUE AND (FALSE OR TRUE)") == And((Constant(True), Or((Constant(False), Constant(True)))))
    assert read("NOT NOT TRUE") == Not(Not(Constant(True)))
    assert read("S_WITHIN(geometry, geometry)") == Constant(True)
    assert read("S_TOUCHES(geometry, geometry)") == Constant(False)


def test_shapes_come_x_first_flat_and_whole() -> None:
    box = read("S_INTERSECTS(geometry, BBOX(33, -84, 34, -83))", swaps=True)
    assert isinstance(box, Related)
    assert box.geometry.bounds == (-84, 33, -83, 34)
    crossing = read("S_INTERSECTS(geometry, BBOX(179, -1, -179, 1))")
    assert isinstance(crossing, Related)
    assert crossing.geometry.equals(
        shapely.MultiPolygon([shapely.box(179, -1, 180, 1), shapely.box(-180, -1, -179, 1)])
    )
    tall = read("S_CONTAINS(POINT Z(1 2 3), geometry)")
    assert tall == Related("within", shapely.Point(1, 2))
    degenerate = [read(f"S_INTERSECTS(geometry, BBOX({b}))") for b in ("1, 2, 1, 2", "1, 2, 3, 2")]
    assert [getattr(d, "geometry").geom_type for d in degenerate] == ["Point", "LineString"]  # noqa: B009
    merged = read("S_WITHIN(geometry, GEOMETRYCOLLECTION(POINT(0 0), POINT(1 1)))")
    assert isinstance(merged, Related)
    assert merged.geometry.geom_type == "MultiPoint"


def test_a_shape_that_no_label_is_near() -> None:
    def nowhere(text: str) -> Where:
        return read_filter(text, "cql2-text", KNOWN, lambda *_: None)

    assert nowhere("S_INTERSECTS(geometry, POINT(0 0))") == Constant(False)
    assert nowhere("S_DISJOINT(geometry, POINT(0 0))") == Not(Constant(False))


def test_values_of_query_parameters() -> None:
    assert read_value(KNOWN["height"], "2.50") == Compare("=", Property("height", "number"), Value(2.5, "number"))
    assert read_value(KNOWN["checked"], "true") == Compare("=", Property("checked", "boolean"), Value(True, "boolean"))
    for name, text, message in (
        ("crop", "wheat", "expected one of oats, rye; got 'wheat'"),
        ("height", "tall", "expected a number"),
        ("height", "nan", "expected a number"),
        ("checked", "1", "expected true or false"),
        ("created_at", "now", "A moment is a date"),
        ("note", "\0", "NUL"),
        ("note", "\ud800", "half of a character"),
    ):
        with pytest.raises(GeolabelError, match=message):
            read_value(KNOWN[name], text)


def test_times() -> None:
    assert read_moment("2024-05-01").end == "2024-05-01T23:59:59.999Z"
    assert read_moment("2024-05-01T01:30:00.25+02:00").start == "2024-04-30T23:30:00.250Z"
    assert read_moment("2016-12-31T23:59:60Z").start == "2016-12-31T23:59:59.999Z"
    assert read_moment("0000-01-01T00:00:00Z").start == "0001-01-01T00:00:00.000Z"  # what QGIS sends
    start, end = read_interval("../2024-05-01")
    assert start is None
    assert end == read_moment("2024-05-01")
    assert read_interval("2024-05-01") == (end, end)
    for text in ("", "..", "2024", "2024-05-01/2024-04-01", "a/b", "1/2/3", "2024-13-01"):
        with pytest.raises(InvalidInput):
            read_interval(text)
