"""The rows of a moment of the past: what is still current, and what history kept of the rest, together in order of id."""

from __future__ import annotations

import heapq
from collections import ChainMap
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import numpy as np
import sqlalchemy as sa

from geolabel.cql.evaluate import holds
from geolabel.store.dialect import spatial
from geolabel.store.limits import check_time
from geolabel.store.states import attributes_in
from geolabel.store.tables import MAX_KEY, STATE, changesets, history
from geolabel.store.where import condition

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray
    from shapely.geometry.base import BaseGeometry
    from sqlalchemy import ColumnElement, Connection, FromClause, RowMapping

    from geolabel.cql import Where
    from geolabel.geo.areas import Area
    from geolabel.model import Status
    from geolabel.store.layers import Layer

    Hit = tuple[int, RowMapping, BaseGeometry]
    """Id, row, and its geometry."""

ROWS_AT_ONCE = 10_000
_PAST = (*(history.c[name] for name in STATE), history.c.attributes)


def hidden_at(connection: Connection, number: int) -> tuple[int, ...]:
    """Numbers up to that one of imports that were still at work when it was given out: nobody saw their rows then."""
    c = changesets.c
    # As a sum, the number does not tempt SQLite to go through all of them.
    late = sa.select(c.number).where(c.number + 0 <= number, sa.or_(c.published == sa.false(), c.seen_from > number))
    return tuple(connection.execute(late).scalars())


def states(
    connection: Connection,
    layer: Layer,
    at: int,
    *,
    areas: Sequence[Area] | None = None,
    class_name: str | None = None,
    status: Status | None = None,
    after: int = 0,
    limit: int | None = None,
    where: Where | None = None,
    deadline: float | None = None,
) -> Iterator[Hit]:
    """Every state that was there, in order of id; areas are tested on the exact geometry, what history has on the whole state."""
    if limit == 0 or after >= MAX_KEY:
        return
    size = ROWS_AT_ONCE if limit is None else min(limit, ROWS_AT_ONCE)
    side = spatial(connection)
    found = []
    for table, columns, wanted in sources(connection, layer, at):
        chosen = [*wanted, *filters(table, class_name, status), table.c.id > max(after, 0)]
        rest = where if table is history else None
        if table is not history:
            if areas is not None:
                near = (side.overlapping(layer.table, a.bounds) for a in areas if a.bounds is not None)
                chosen.append(sa.or_(sa.false(), *near))
            if where is not None:
                chosen.append(condition(where, layer.table, side, layer.srs_id))
        # The little that history has since then is found by `until` and put in order, not by going through all of it.
        order = table.c.id + 0 if table is history else table.c.id
        select = sa.select(*columns).where(*chosen).order_by(order)
        if areas is None and rest is None and limit is not None:
            select = select.limit(limit)
        hits = _hits(connection, select, areas, size, deadline)
        found.append(hits if rest is None else _chosen(hits, rest, layer))
    for number, hit in enumerate(heapq.merge(*found, key=itemgetter(0))):
        if number == limit:
            break
        yield hit


def _hits(
    connection: Connection,
    select: sa.Select[Any],
    areas: Sequence[Area] | None,
    size: int,
    deadline: float | None,
) -> Iterator[Hit]:
    result = connection.execute(select, execution_options={"yield_per": size})
    for rows in result.mappings().partitions():
        check_time(deadline)
        geometries = spatial(connection).decode([row["geom"] for row in rows])
        hit: NDArray[np.bool_] = np.full(len(rows), areas is None)
        for area in areas or ():
            hit |= area.meets(geometries)
        yield from (
            (row["id"], row, geometry) for row, geometry, is_hit in zip(rows, geometries, hit, strict=True) if is_hit
        )


def _chosen(hits: Iterator[Hit], where: Where, layer: Layer) -> Iterator[Hit]:
    """Those that a filter chooses: history keeps attributes as one text, so that no database can say.

    An attribute that was of another kind then has no value that could be compared today.
    """
    kinds = {attribute.name: attribute for attribute in layer.project.attributes}
    for number, row, geometry in hits:
        then = {n: v for n, v in attributes_in(row, layer).items() if n in kinds and kinds[n].is_kind_of(v)}
        if holds(where, ChainMap(dict(row), then).get, geometry):
            yield number, row, geometry


def sources(
    connection: Connection, layer: Layer, at: int
) -> list[tuple[FromClause, tuple[ColumnElement[Any], ...], list[ColumnElement[bool]]]]:
    """Where states of a moment are: table, columns and conditions; no annotation is in both."""
    unseen = hidden_at(connection, at)
    found = []
    tables: tuple[tuple[FromClause, tuple[ColumnElement[Any], ...]], ...] = (
        (layer.table, tuple(layer.table.c)),
        (history, _PAST),
    )
    for table, columns in tables:
        # As a sum, the number does not tempt SQLite to read most of a table by an index on it, out of order.
        wanted = [table.c.changeset + 0 <= at]
        if unseen:
            wanted.append(table.c.changeset.not_in(unseen))
        if table is history:
            wanted += [history.c.project == layer.key, history.c.until > at, history.c.operation != "delete"]
        found.append((table, columns, wanted))
    return found


def filters(table: FromClause, class_name: str | None, status: Status | None) -> list[ColumnElement[bool]]:
    """The conditions that choose a class and a status, of either table."""
    wanted: list[ColumnElement[bool]] = []
    if class_name is not None:
        wanted.append(table.c["class"] == class_name)
    if status is not None:
        wanted.append(table.c.status == str(status))
    return wanted
