"""Filters on both databases, held against a second reading: another parser, and Python and shapely instead of SQL."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import cql2
import shapely
import shapely.affinity
from hypothesis import HealthCheck, given, settings

from geolabel.model import AnnotationPatch
from tests.store.fields import filters, read
from tests.store.second_reading import holds

if TYPE_CHECKING:
    from geolabel.model import NewAnnotation
    from geolabel.store import Store

unhurried = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])

TELLING = [
    "note LIKE '_lain'", "note LIKE 'a\\_b'", "remark LIKE '____'", "note LIKE '*star*'", "note LIKE '[x]_'", "note LIKE 'P%'",
    "CASEI(note) = CASEI('\u039f\u0394\u039f\u03a3')", "CASEI(note) LIKE CASEI('%\u03a3')", "note < 'a'", "crop >= 'oats'",
    "confidence IN (0, 0.25)", "NOT (confidence IN (1, 0.25))", "height / 2 > 1", "height BETWEEN 0 AND 3", "NOT (confidence > 0.25)", "NOT checked", "note <> 'plain'",
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
