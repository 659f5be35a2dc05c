"""Change sets: listed, looked into, and taken back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

import sqlalchemy as sa

from geolabel.changes import Changeset, ChangesetKind
from geolabel.errors import InvalidInput, NotFound
from geolabel.store import layers
from geolabel.store.states import to_annotations
from geolabel.store.tables import MAX_KEY, STATE, changesets, history

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection, RowMapping

    from geolabel.changes import Operation
    from geolabel.model import Annotation
    from geolabel.store.layers import Layer

MOST = 1000
"""So many change sets are listed at once, at most."""

PAST = (*(history.c[name] for name in STATE), history.c.attributes, history.c.operation, history.c.until, history.c.key)
"""The columns of history that say what a state was, what made it, and what replaced it."""


@dataclass(frozen=True, slots=True)
class Touch:
    """What a change set did to one annotation.

    Attributes:
        id: of the annotation.
        operation: `create`, `update` or `delete` (an `update` without a state before it brings back).
        version: that it made.
        before: the state that it found; None when there was none.
        after: the state that it left; None after a delete.
    """

    id: int
    operation: Operation
    version: int
    before: Annotation | None
    after: Annotation | None


def page(
    connection: Connection,
    project: str,
    *,
    before: int | None,
    limit: int,
    author: str | None,
    kind: str | None,
) -> list[Changeset]:
    """Change sets, newest first. See Store.changesets."""
    layer = layers.find(connection, project)
    if not 1 <= limit <= MOST:
        raise InvalidInput(f"Change sets are listed 1 to {MOST} at once, got the limit {limit}.")
    if kind is not None and kind not in get_args(ChangesetKind):
        raise InvalidInput(f"A change set is one of {', '.join(get_args(ChangesetKind))}, got {kind!r:.60}.")
    c = changesets.c
    wanted: list[ColumnElement[bool]] = [c.project == layer.key, c.published]
    if before is not None:
        wanted.append(c.number < min(before, MAX_KEY))
    if author is not None:
        wanted.append(c.author == author)
    if kind is not None:
        wanted.append(c.kind == kind)
    listed = sa.select(changesets).where(*wanted).order_by(c.number.desc()).limit(limit)
    return [_changeset(row) for row in connection.execute(listed).mappings()]


def since(connection: Connection, project: str, *, after: int, limit: int) -> list[tuple[int, Changeset]]:
    """Change sets in the order in which they came to be seen. See Store.changesets_since."""
    layer = layers.find(connection, project)
    c = changesets.c
    seen = sa.func.coalesce(c.seen_from, c.number)
    later = sa.or_(c.number > min(after, MAX_KEY), c.seen_from > min(after, MAX_KEY))
    wanted = (
        sa.select(changesets, seen.label("_seen"))
        .where(c.project == layer.key, c.published, later)
        .order_by(seen)
        .limit(limit)
    )
    return [(row["_seen"], _changeset(row)) for row in connection.execute(wanted).mappings()]


def find(connection: Connection, project: str, number: int) -> Changeset:
    """One change set. See Store.changeset."""
    return _changeset(row_of(connection, layers.find(connection, project), number))


def row_of(connection: Connection, layer: Layer, number: int) -> RowMapping:
    """The row of a change set of a project that has been published.

    Raises:
        NotFound: there is none of that number.
    """
    c = changesets.c
    wanted = sa.select(changesets).where(c.project == layer.key, c.published, c.number == number)
    row = connection.execute(wanted).mappings().first() if 0 < number <= MAX_KEY else None
    if row is None:
        raise NotFound(f"There is no change set {number} in project {layer.project.id!r}.")
    return row


def touched(connection: Connection, project: str, number: int, *, after: int, limit: int | None) -> list[Touch]:
    """What a change set did, in order of id. See Store.changeset_changes."""
    layer = layers.find(connection, project)
    row = row_of(connection, layer, number)
    left = left_by(connection, layer, number, after=after, limit=limit)
    if not left:
        return []
    found = found_by(connection, layer, row, first=left[0]["id"], last=left[-1]["id"])
    earlier = [state for state in found.values() if state["operation"] != "delete"]
    before = {annotation.id: annotation for annotation in to_annotations(connection, earlier, layer)}
    return [
        Touch(
            id=state["id"],
            operation=operation_of(state),
            version=state["version"],
            before=before.get(state["id"]),
            after=None if operation_of(state) == "delete" else annotation,
        )
        for state, annotation in zip(left, to_annotations(connection, left, layer), strict=True)
    ]


def left_by(
    connection: Connection, layer: Layer, number: int, *, after: int = 0, limit: int | None = None
) -> list[RowMapping]:
    """The states that a change set left, deletes included, in order of id: of a project's table or of history."""
    if after >= MAX_KEY:
        return []
    rows: list[RowMapping] = []
    for table, columns, mine in (
        (layer.table, tuple(layer.table.c), ()),
        (history, PAST, (history.c.project == layer.key,)),
    ):
        wanted = sa.select(*columns).where(*mine, table.c.changeset == number, table.c.id > max(after, 0))
        rows += connection.execute(wanted.order_by(table.c.id).limit(limit)).mappings()
    return sorted(rows, key=lambda row: row["id"])[:limit]


def found_by(
    connection: Connection, layer: Layer, row: RowMapping, *, first: int = 1, last: int = MAX_KEY
) -> dict[int, RowMapping]:
    """The states that a change set replaced, deletes included, by id, of the ids from `first` to `last`."""
    c = history.c
    wanted = sa.select(*PAST).where(c.project == layer.key, c.until.in_(ends_of(row)), c.id.between(first, last))
    return {state["id"]: state for state in connection.execute(wanted).mappings()}


def ends_of(row: RowMapping) -> list[int]:
    """What `until` says of the states that a change set replaced: its number, or the one that an import is seen from."""
    return [number for number in (row["number"], row["seen_from"]) if number is not None]


def operation_of(state: RowMapping) -> Operation:
    """What made a state."""
    operation: Operation | None = state.get("operation")
    return operation or ("create" if state["version"] == 1 else "update")


def _changeset(row: RowMapping) -> Changeset:
    return Changeset(**{name: row[name] for name in Changeset.__slots__})
