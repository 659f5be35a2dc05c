"""A project with real outlines and all kinds of values, to be filtered; and filters as people might write them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np
import shapely
from hypothesis import strategies as st

from geolabel.attributes import make_attributes
from geolabel.classes import make_classes
from geolabel.cql import queryables, read_filter
from geolabel.model import NewAnnotation, Project, Provenance, Status

if TYPE_CHECKING:
    from pathlib import Path

    from geolabel.cql import Where

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


def make_labels(data: Path) -> list[NewAnnotation]:
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


def make_fields() -> Project:
    return Project(
        "fields", "Fields", "EPSG:32616", make_classes(["water", "forest"]), attributes=make_attributes(ATTRIBUTES)
    )


def read(text: str, lang: Any = "cql2-text") -> Where:
    return read_filter(text, lang, queryables(make_fields()), lambda shape, _: shape)


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
