"""Filters that are hostile, very large, or take too long, on both databases."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from geolabel.errors import InvalidInput, TooSlow
from tests.store.fields import quoted, read

if TYPE_CHECKING:
    from geolabel.store import Store

HOSTILE = [
    "' OR '1'='1", "'; DROP TABLE fields; --", "'); DELETE FROM geolabel_projects; --", "\\'; SELECT pg_sleep(10); --",
    "' UNION SELECT * FROM geolabel_jobs --", "%' AND 1=(SELECT COUNT(*) FROM sqlite_master); --", "${jndi:ldap://x}",
    "admin'/*", "' || (SELECT version()) || '", "1; ATTACH DATABASE 'x' AS y", "x' COLLATE NOCASE --", ":x", "%(x)s", "?",
    "'||load_extension('x')||'", "' AND randomblob(1000000000) --", "\ufeff'", "'\t\n", "\\", "%%%s%%", "{0}", "' GLOB '*",
]  # fmt: skip


def test_what_is_in_a_filter_is_never_in_the_text_of_a_statement(filled: Store) -> None:
    said: list[str] = []
    filled.query("fields", limit=1)  # what is known of the project is not asked again where nobody writes
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
