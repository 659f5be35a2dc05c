"""Filters on both databases, held against a second reading: another parser, and Python and shapely instead of SQL."""

from __future__ import annotations

import json
import operator
import re
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import cql2
import geopandas as gpd
import numpy as np
import pytest
import shapely
import shapely.affinity
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from geolabel.attributes import make_attributes
from geolabel.classes import make_classes
from geolabel.cql import queryables, read_filter
from geolabel.errors import InvalidInput, TooSlow
from geolabel.geo.areas import areas_of
from geolabel.model import AnnotationPatch, NewAnnotation, Project, Provenance, Status

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from geolabel.cql import Where
    from geolabel.model import Annotation
    from geolabel.store import Store

NOTES = [
    None, "", "plain", "Plain", "50% off", "a_b", "it's", r"back\slash", "*star*", "[x]?", "ÄÖÜ ß", "äöü SS",
    "ΟΔΟΣ", "οδος", "café", "'; DROP TABLE landuse; --", "  ", "line\nbreak", "😀", "Zebra", "éclair",
]  # fmt: skip
DATES = [None, "2019-12-31", "2020-01-01", "2020-01-01T00:00:00.000Z", "2020-06-15T12:00:00Z", "2021-01-01"]
ATTRIBUTES = [
    {"name": "crop", "kind": "enum", "values": ["oats", "rye", "Oats"]},
    {"name": "remark", "kind": "text"},
    {"name": "height", "kind": "number"},
    {"name": "checked", "kind": "boolean"},
]
AROUND = (733640.0, 3724750.0, 734040.0, 3725130.0)


@pytest.fixture(scope="module")
def labels(data: Path) -> list[NewAnnotation]:
    """Real outlines, their middles and their edges, with all kinds of values."""
    buildings = gpd.read_file(data / "pairs/atlanta_pan16_buildings/buildings_epsg32616.geojson").geometry.to_numpy()
    shapes = [*buildings, *shapely.centroid(buildings[:12]), *shapely.boundary(buildings[:8])]
    random = np.random.default_rng(5)

    def any_of(values: list[Any]) -> Any:
        return values[int(random.integers(len(values)))]

    return [
        NewAnnotation(
            shape,
            any_of(["water", "forest"]),
            note=NOTES[i % len(NOTES)] or None,
            status=any_of(list(Status)),
            provenance=Provenance(any_of(["api", "web"]), any_of([None, 0.0, 0.25, 1 / 3, 1.0]), None, any_of([None, "ann"])),
            attributes={
                name: value
                for name, value in (
                    ("crop", any_of([None, "oats", "rye", "Oats"])),
                    ("remark", any_of(NOTES)),
                    ("height", any_of([None, 0.0, -1.5, 3.0, 1e300, 0.1 + 0.2])),
                    ("checked", any_of([None, True, False])),
                )
                if value is not None
            },
            valid_from=any_of(DATES[:4]),
            valid_to=any_of([None, *DATES[4:]]),
        )
        for i, shape in enumerate(shapes)
    ]  # fmt: skip


@pytest.fixture
def filled(make_store: Callable[[], Store], labels: list[NewAnnotation]) -> Store:
    store = make_store()
    store.create_project(
        Project(
            "fields", "Fields", "EPSG:32616", make_classes(["water", "forest"]), attributes=make_attributes(ATTRIBUTES)
        )
    )
    store.create("fields", labels)
    return store


def read(text: str, lang: Any = "cql2-text") -> Where:
    project = Project("x", "X", "EPSG:32616", make_classes(["water", "forest"]), attributes=make_attributes(ATTRIBUTES))
    return read_filter(text, lang, queryables(project), lambda shape, _: shape)


# What a filter means, once more: on CQL2 JSON from another parser, with SQL's three values (None is unknown).

NUMBERS: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": lambda a, b: a / b if b else None,
}
COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq, "<>": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
EVER = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


def moment(text: str) -> tuple[datetime, datetime]:
    start = datetime.fromisoformat(text)
    if len(text) == 10:
        start = start.replace(tzinfo=UTC)
        return start, start + timedelta(days=1, milliseconds=-1)
    return start, start


def value_of(label: Annotation, expression: Any) -> Any:
    match expression:
        case {"property": name}:
            own = {"class": label.class_name, "status": str(label.status), "source": label.provenance.source}
            own |= {"confidence": label.provenance.confidence, "author": label.provenance.author}
            if name in own:
                return own[name]
            return label.attributes.get(name) if name in {a["name"] for a in ATTRIBUTES} else getattr(label, name)
        case {"op": "casei", "args": [inner]}:
            text = value_of(label, inner)
            return None if text is None else text.casefold().replace("ss", "\xdf")
        case {"op": op, "args": [left, right]} if op in NUMBERS:
            one, other = value_of(label, left), value_of(label, right)
            return None if one is None or other is None else NUMBERS[op](one, other)
        case _:
            return expression


def span_of(label: Annotation, expression: Any) -> tuple[datetime, datetime] | None:
    match expression:
        case {"interval": [start, end]}:
            first = None if start == ".." else span_of(label, start)
            last = None if end == ".." else span_of(label, end)
            return (EVER[0] if first is None else first[0], EVER[1] if last is None else last[1])
        case {"date": text} | {"timestamp": text}:
            return moment(text)
        case str():
            return moment(expression)
        case _:
            text = value_of(label, expression)
            return None if text is None else moment(text)


def timed(op: str, a: tuple[datetime, datetime], b: tuple[datetime, datetime]) -> bool:
    return {
        "t_after": a[0] > b[1],
        "t_before": a[1] < b[0],
        "t_intersects": a[0] <= b[1] and a[1] >= b[0],
        "t_disjoint": a[0] > b[1] or a[1] < b[0],
        "t_equals": a == b,
        "t_during": a[0] > b[0] and a[1] < b[1],
        "t_contains": a[0] < b[0] and a[1] > b[1],
        "t_starts": a[0] == b[0] and a[1] < b[1],
        "t_finishes": a[0] > b[0] and a[1] == b[1],
        "t_overlaps": a[0] < b[0] < a[1] < b[1],
        "t_meets": a[1] == b[0],
    }[op]


def compared(op: str, left: Any, right: Any, label: Annotation) -> bool | None:
    if any(isinstance(side, dict) and ("date" in side or "timestamp" in side) for side in (left, right)):
        span, (start, end) = span_of(label, left), span_of(label, right) or EVER
        if span is None:
            return None
        inside = span[0] >= start and span[1] <= end
        return {
            "=": inside, "<>": not inside, "<": span[0] < start, ">=": span[0] >= start, "<=": span[1] <= end,
            ">": span[1] > end,
        }[op]  # fmt: skip
    one, other = value_of(label, left), value_of(label, right)
    return None if one is None or other is None else COMPARISONS[op](one, other)


def both(parts: list[bool | None]) -> bool | None:
    return False if False in parts else None if None in parts else True


def opposite(value: bool | None) -> bool | None:
    return None if value is None else not value


def holds(label: Annotation, expression: Any) -> bool | None:  # noqa: C901, PLR0911 (one case for each operator)
    match expression:
        case bool():
            return expression
        case {"property": _}:
            return value_of(label, expression)  # type: ignore[no-any-return]
        case {"op": "and", "args": args}:
            return both([holds(label, part) for part in args])
        case {"op": "or", "args": args}:
            return opposite(both([opposite(holds(label, part)) for part in args]))
        case {"op": "not", "args": [part]}:
            return opposite(holds(label, part))
        case {"op": "isNull", "args": [part]}:
            return value_of(label, part) is None
        case {"op": "between", "args": [value, low, high]}:
            return both([compared(">=", value, low, label), compared("<=", value, high, label)])
        case {"op": "in", "args": [value, items]}:
            return opposite(both([opposite(compared("=", value, item, label)) for item in items]))
        case {"op": "like", "args": [value, pattern]}:
            text, shape = value_of(label, value), value_of(label, pattern)
            wild = {"%": ".*", "_": "."}
            parts = (wild.get(c) or re.escape(c[-1]) for c in re.findall(r"\\.|.", shape, re.DOTALL))
            return None if text is None else re.fullmatch("".join(parts), text, re.DOTALL) is not None
        case {"op": op, "args": [{"property": "geometry"}, other]} if op.startswith("s_"):
            box = other.get("bbox")
            shape = shapely.box(*box) if box else shapely.from_geojson(json.dumps(other))
            return bool(getattr(shapely, op[2:])(label.geometry, shape))
        case {"op": op, "args": [left, right]} if op.startswith("t_"):
            one, other = span_of(label, left), span_of(label, right)
            return None if one is None or other is None else timed(op, one, other)
        case {"op": op, "args": [left, right]}:
            return compared(op, left, right, label)
    raise AssertionError(expression)


# Filters as people might write them.


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


texts = st.sampled_from(
    [n for n in NOTES if n] + ["water", "forest", "api", "oats", "rye", "labelled", "ann", "zz"]
).map(quoted)
text_names = st.sampled_from(["class", "note", "status", "source", "author", "crop", "remark"])
folded = st.builds("CASEI({})".format, text_names)
number_names = st.sampled_from(["confidence", "version", "id", "height"])
plain_numbers = st.sampled_from(["0", "1", "3", "0.25", "2.5", "17", "1e300", "0.30000000000000004"])
numbers = st.one_of(
    number_names,
    plain_numbers,
    st.builds(
        "({} {} {})".format, number_names, st.sampled_from(["+", "-", "/"]), st.sampled_from(["1", "0.5", "2", "0"])
    ),
)
signs = st.sampled_from(["=", "<>", "<", "<=", ">", ">="])
patterns = st.sampled_from(
    ["%", "p%", "%a%", "_lain", "a\\_b", "50\\%%", "%''%", "*%", "[x]_", "%\\\\%", "", "____", "%ß", "%é%", "% %", "_"]
).map(lambda p: f"'{p}'")
folded_patterns = st.sampled_from(["CASEI('PL%')", "CASEI('%Ö%')", "CASEI('ΟΔΟΣ')", "CASEI('%É%')"])
times = st.sampled_from(
    [
        "DATE('2020-01-01')",
        "TIMESTAMP('2020-01-01T00:00:00Z')",
        "TIMESTAMP('2020-06-15T12:00:00Z')",
        "DATE('2024-05-01')",
    ]
)
time_names = st.sampled_from(["valid_from", "valid_to", "created_at", "updated_at"])
spans = st.sampled_from(
    [
        "INTERVAL(valid_from, valid_to)",
        "INTERVAL('2020-01-01', '2020-06-15T12:00:00Z')",
        "INTERVAL('..', '2020-06-15')",
        "INTERVAL('2020-01-01', '..')",
        "INTERVAL('2019-12-31', '2021-01-01')",
    ]
)
relations = st.sampled_from(
    [
        "AFTER",
        "BEFORE",
        "INTERSECTS",
        "DISJOINT",
        "EQUALS",
        "DURING",
        "CONTAINS",
        "STARTS",
        "FINISHES",
        "OVERLAPS",
        "MEETS",
    ]
)
xs, ys = (
    st.floats(AROUND[0], AROUND[2]).map(lambda v: round(v, 2)),
    st.floats(AROUND[1], AROUND[3]).map(lambda v: round(v, 2)),
)


@st.composite
def shapes(draw: st.DrawFn) -> str:
    (x0, x1), (y0, y1) = sorted([draw(xs), draw(xs) + 1]), sorted([draw(ys), draw(ys) + 1])
    kind = draw(st.sampled_from(["box", "point", "line", "polygon", "multipoint", "multipolygon"]))
    ring = f"({x0} {y0}, {x1} {y0}, {x1} {y1}, {x0} {y0})"
    return {
        "box": f"BBOX({x0}, {y0}, {x1}, {y1})",
        "point": f"POINT({x0} {y0})",
        "line": f"LINESTRING({x0} {y0}, {x1} {y1})",
        "polygon": f"POLYGON({ring})",
        "multipoint": f"MULTIPOINT(({x0} {y0}), ({x1} {y1}))",
        "multipolygon": f"MULTIPOLYGON(({ring}))",
    }[kind]


spatial = st.builds(
    "S_{}(geometry, {})".format,
    st.sampled_from(["INTERSECTS", "DISJOINT", "WITHIN", "CONTAINS", "TOUCHES", "CROSSES", "OVERLAPS", "EQUALS"]),
    shapes(),
)
predicates = st.one_of(
    st.builds("{} {} {}".format, text_names, signs, texts | text_names),
    st.builds("{} {} CASEI({})".format, folded, st.sampled_from(["=", "<>"]), texts),
    st.builds("{} {} {}".format, numbers, signs, numbers),
    st.builds("{} {} {}".format, st.just("checked"), st.sampled_from(["=", "<>"]), st.sampled_from(["TRUE", "FALSE"])),
    st.sampled_from(["checked", "TRUE", "FALSE"]),
    st.builds("{}{} LIKE {}".format, text_names, st.sampled_from(["", " NOT"]), patterns),
    st.builds("{} LIKE {}".format, folded, folded_patterns),
    st.builds(
        "{}{} BETWEEN {} AND {}".format, number_names, st.sampled_from(["", " NOT"]), plain_numbers, plain_numbers
    ),
    st.builds("{}{} IN ({}, {})".format, text_names, st.sampled_from(["", " NOT"]), texts, texts),
    st.builds("{} IN ({}, {})".format, number_names, plain_numbers, plain_numbers),
    st.builds("{} IS {}NULL".format, text_names | number_names | time_names, st.sampled_from(["", "NOT "])),
    st.builds("{} {} {}".format, time_names, signs, times),
    st.builds("T_{}({}, {})".format, relations, spans | time_names, spans | times),
    spatial,
)
filters = st.recursive(
    predicates,
    lambda inner: st.one_of(
        st.builds("({} AND {})".format, inner, inner),
        st.builds("({} OR {})".format, inner, inner),
        st.builds("NOT ({})".format, inner),
        st.builds("{} AND {} OR {}".format, inner, inner, inner),
    ),
    max_leaves=6,
)
unhurried = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


TELLING = [
    "note LIKE '_lain'", "note LIKE 'a\\_b'", "remark LIKE '____'", "note LIKE '*star*'", "note LIKE '[x]_'", "note LIKE 'P%'",
    "CASEI(note) = CASEI('\u039f\u0394\u039f\u03a3')", "CASEI(note) LIKE CASEI('%\u03a3')", "note < 'a'", "crop >= 'oats'",
    "height / 2 > 1", "height BETWEEN 0 AND 3", "NOT (confidence > 0.25)", "NOT checked", "note <> 'plain'",
    "S_WITHIN(geometry, BBOX(733700, 3724800, 733900, 3725000))", "S_INTERSECTS(geometry, BBOX(733700, 3724800, 733900, 3725000))",
    "T_INTERSECTS(INTERVAL(valid_from, valid_to), INTERVAL('..', '2019-12-31'))",
    "T_BEFORE(INTERVAL(valid_from, valid_to), DATE('2020-12-31'))", "valid_to > TIMESTAMP('2021-01-01T12:00:00Z')",
    "valid_to <= DATE('2020-06-15')", "valid_from = DATE('2020-01-01')", "NOT (valid_from < DATE('2020-01-01'))",
]  # fmt: skip


def test_each_kind_of_condition_tells_labels_apart(filled: Store, labels: list[NewAnnotation]) -> None:
    everything = filled.query("fields")
    building, middle = labels[0].geometry, labels[43].geometry
    spatial_ = [
        f"S_CONTAINS(geometry, {middle.wkt})",
        f"S_WITHIN(geometry, {building.buffer(1).wkt})",
        f"S_CROSSES(geometry, {building.buffer(-1).envelope.wkt})",
        f"S_OVERLAPS(geometry, {shapely.affinity.translate(building, 5).wkt})",
    ]
    for text in [*TELLING, *spatial_]:
        meant = cql2.parse_text(text).to_json()
        expected = [label.id for label in everything if holds(label, meant) is True]
        assert [label.id for label in filled.query("fields", where=read(text))] == expected, text
        assert (0 < len(expected) < len(everything)) or "CROSSES" in text, text
    # To the last digit, which the other parser does not keep.
    x, y = building.exterior.coords[0]
    for text in (
        f"S_TOUCHES(geometry, POINT({x!r} {y!r}))",
        f"S_EQUALS(geometry, {shapely.to_wkt(building, rounding_precision=17)})",
    ):
        found = filled.query("fields", where=read(text))
        assert 1 in [label.id for label in found], text
        assert len(found) < 5


def test_a_filter_chooses_what_a_second_reading_of_it_says(filled: Store) -> None:
    everything = filled.query("fields")

    @unhurried
    @given(text=filters)
    def agree(text: str) -> None:
        meant = cql2.parse_text(text).to_json()
        expected = [label.id for label in everything if holds(label, meant) is True]
        for where in (read(text), read(json.dumps(meant), "cql2-json")):
            assert [label.id for label in filled.query("fields", where=where)] == expected, text
        assert filled.count("fields", where=read(text)) == len(expected)

    agree()


def test_the_past_is_filtered_as_it_was(filled: Store) -> None:
    everything = filled.query("fields")
    then = filled.changes("fields")
    for label in everything[::3]:
        filled.update("fields", label.id, AnnotationPatch(note="later", attributes={"height": 99.0}))
    for label in everything[1::3]:
        filled.delete("fields", label.id)

    @unhurried
    @given(text=filters)
    def agree(text: str) -> None:
        meant = cql2.parse_text(text).to_json()
        expected = [label.id for label in everything if holds(label, meant) is True]
        assert [label.id for label in filled.query("fields", at=then, where=read(text))] == expected, text

    agree()
    where = read("note = 'plain' OR height = 3")
    expected = [label.id for label in everything if label.note == "plain" or label.attributes.get("height") == 3.0]
    assert [label.id for label in filled.query("fields", at=then, where=where, limit=2)] == expected[:2]
    assert filled.count("fields", at=then, where=where) == len(expected)
    [batch] = filled.batches("fields", at=then, where=where)
    assert batch.ids.tolist() == expected


HOSTILE = [
    "' OR '1'='1", "'; DROP TABLE fields; --", "'); DELETE FROM geolabel_projects; --", "\\'; SELECT pg_sleep(10); --",
    "' UNION SELECT * FROM geolabel_jobs --", "%' AND 1=(SELECT COUNT(*) FROM sqlite_master); --", "${jndi:ldap://x}",
    "admin'/*", "' || (SELECT version()) || '", "1; ATTACH DATABASE 'x' AS y", "x' COLLATE NOCASE --", ":x", "%(x)s", "?",
    "'||load_extension('x')||'", "' AND randomblob(1000000000) --", "\ufeff'", "'\t\n", "\\", "%%%s%%", "{0}", "' GLOB '*",
]  # fmt: skip


def test_what_is_in_a_filter_is_never_in_the_text_of_a_statement(filled: Store) -> None:
    said: list[str] = []
    # psycopg renders lists of IN, and both render LIMIT, in the same way for the same shape.
    sa.event.listen(filled._engine, "before_cursor_execute", lambda *given: said.append(given[2]))
    shapes_: dict[str, set[str]] = {}
    forms = {
        "=": "note = {0}",
        "like": "remark LIKE {0}",
        "fold": "CASEI(remark) = CASEI({0})",
        "in": "note IN ({0}, 'x')",
        "between": "note BETWEEN {0} AND {0}",
        "not": "NOT (note <> {0} AND author > {0})",
        "box": "S_INTERSECTS(geometry, BBOX({1}, 3724750, {2}, 3725130))",
        "number": "height * {1} > {2}",
    }
    for i, text in enumerate(["plain", *HOSTILE]):
        for name, form in forms.items():
            said.clear()
            filled.query("fields", where=read(form.format(quoted(text), 700000 + i, 800000.5 + i)), limit=5)
            shapes_.setdefault(name, set()).add("\n".join(said))
            assert not any(text in statement for statement in said if len(text) > 2)
    assert {name: len(statements) for name, statements in shapes_.items()} == dict.fromkeys(forms, 1)
    assert len(filled.query("fields")) == len(filled.query("fields", where=read("TRUE"))) > 50


def test_names_are_those_of_the_schema_alone() -> None:
    for name in (
        "geom",
        "changeset",
        "external",
        "rowid",
        "oid",
        "ctid",
        "sqlite_master",
        "fields",
        "height ",
        "HEIGHT",
        "",
    ):
        with pytest.raises(InvalidInput, match="There is no property"):
            read(f'"{name}" = 1')


def test_an_index_serves_a_filter_by_place(filled: Store) -> None:
    said: list[tuple[str, Any]] = []
    sa.event.listen(
        filled._engine,
        "before_cursor_execute",
        lambda *given: said.append((given[2], given[3])),
    )
    filled.query("fields", where=read("S_INTERSECTS(geometry, BBOX(733640, 3724750, 733700, 3724800))"))
    statement, parameters = said[-1]
    with filled._engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
            expected = "rtree_fields_geom VIRTUAL TABLE INDEX"
        else:  # so few rows are read one by one faster
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
            connection.exec_driver_sql("SET LOCAL enable_indexscan = off")
            plan = connection.exec_driver_sql(f"EXPLAIN {statement}", parameters).all()
            expected = "Bitmap Index Scan on"
    assert any(expected in str(row[-1]) for row in plan), plan


def test_numbers_beyond_the_largest(filled: Store) -> None:
    where = read("height * 1e300 * 1e300 > 1")
    for search in (filled.query, filled.count):
        try:
            search("fields", where=where)
        except InvalidInput as error:  # PostgreSQL knows no infinite result
            assert str(error) == "The filter reckons with numbers that grow too large."  # noqa: PT017


def alternating(depth: int, inner: str) -> str:
    for level in range(depth):
        inner = f"(note IS NULL {'AND' if level % 2 else 'OR'} {inner})"
    return inner


def subtracted(depth: int) -> str:
    return "(1 - " * depth + "1" + ")" * depth


@pytest.mark.parametrize(
    "text",
    [
        " OR ".join(["checked"] * 799),
        " AND ".join(["id > 0"] * 266),
        "(" * 46 + "checked" + ")" * 46,
        "(" * 46 + "checked" + " AND id > 0)" * 46,
        "NOT " * 24 + "checked",
        "NOT (note IS NULL AND " * 12 + "checked" + ")" * 12,
        alternating(23, "checked"),
        alternating(11, f"id > {subtracted(11)}"),
        f"id > {subtracted(22)}",
        " AND ".join(["(id > 0 OR height IS NULL)"] * 150),
        "id IN (" + ", ".join(map(str, range(790))) + ")",
        "CASEI(remark) LIKE CASEI('" + "%a" * 5000 + "')",
    ],
)
def test_the_largest_filters_are_answered(filled: Store, text: str) -> None:
    filled.query("fields", where=read(text), limit=3)


def test_a_search_that_takes_too_long_is_stopped(filled: Store) -> None:
    # Every row is looked at again and again by a condition that no index serves.
    slow = read(" OR ".join(["CASEI(remark) LIKE CASEI('%x%y%z%q')"] * 260))
    started = time.monotonic()
    for search in (filled.query, filled.count):
        with pytest.raises(TooSlow, match="took longer than it may"):
            search("fields", where=slow, seconds=0.001)
    assert time.monotonic() - started < 30
    assert filled.count("fields", where=read("id > 0"), seconds=5) > 50  # the connection is as good as before


@pytest.mark.parametrize("crs", ["OGC:CRS84", "EPSG:3857", "EPSG:3413"])
def test_a_box_of_another_crs_is_counted_by_the_index_and_exactly_at_its_edge(filled: Store, crs: str) -> None:
    everything = filled.query("fields")
    extent = filled.extent("fields")
    assert extent is not None
    from geolabel.geo import crs as crs_

    x0, y0, x1, y1 = crs_.bounds_to(extent, "EPSG:32616", crs)
    random = np.random.default_rng(7)
    seen = crs_.transform_geometries(np.array([a.geometry for a in everything], dtype=object), "EPSG:32616", crs)
    for _ in range(25):
        (left, right), (low, high) = np.sort(random.uniform((x0, y0), (x1, y1), (2, 2)), axis=0).T
        box = float(left), float(low), float(right), float(high)
        areas = areas_of([box], crs, "EPSG:32616", extent)
        expected = [a.id for a, hit in zip(everything, shapely.intersects(shapely.box(*box), seen), strict=True) if hit]
        assert [a.id for a in filled.query("fields", areas=areas)] == expected
        assert filled.count("fields", areas=areas) == len(expected)
    halves = areas_of([(x0, y0, (x0 + x1) / 2, y1), ((x0 + x1) / 2, y0, x1, y1)], crs, "EPSG:32616", extent)
    assert filled.count("fields", areas=halves) == len(filled.query("fields", areas=halves)) == len(everything)
