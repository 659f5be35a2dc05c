"""Change sets and the states that annotations have left behind.

Every write opens one change set; its number is the change sequence of the workspace. A project's table holds the current
state of each annotation, history holds the states before it, and for a deleted one also the delete itself, as the
last state with the next version.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from geolabel.changes import Change
from geolabel.errors import NotFound
from geolabel.store import layers
from geolabel.store.dialect import spatial
from geolabel.store.layers import visible
from geolabel.store.states import attributes_in, to_annotations
from geolabel.store.tables import MAX_KEY, STATE, changesets, history
from geolabel.store.text import check_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import ColumnElement, Connection, RowMapping

    from geolabel.changes import ChangesetKind, Operation
    from geolabel.model import Annotation
    from geolabel.store.layers import Layer

_IDS_AT_ONCE = 500

# No attribute's name begins with `_`.
_WHO = (
    changesets.c.at,
    changesets.c.author.label("_by"),
    changesets.c.kind.label("_kind"),
    changesets.c.comment.label("_comment"),
)


def open_changeset(
    connection: Connection,
    layer: Layer,
    *,
    at: str,
    author: str | None,
    kind: ChangesetKind = "edit",
    comment: str | None = None,
    reverts: int | None = None,
    counts: Mapping[Operation, int] | None = None,
    published: bool = True,
) -> int:
    """Begin a change set; its number.

    Args:
        connection: in a write transaction.
        layer: the project.
        at: when.
        author: who writes.
        kind: what it comes from.
        comment: why, in words.
        reverts: number of the change set that it takes back.
        counts: how many annotations it makes, changes and takes away.
        published: False for rows that nobody shall see yet.
    """
    check_text("author", author)
    check_text("comment", comment)
    counts = counts or {}
    values = {
        "project": layer.key,
        "at": at,
        "author": author,
        "kind": kind,
        "comment": comment,
        "created": counts.get("create", 0),
        "updated": counts.get("update", 0),
        "deleted": counts.get("delete", 0),
        "reverts": reverts,
        "published": published,
    }
    number: int = connection.execute(
        sa.insert(changesets).values(values).returning(changesets.c.number),
    ).scalar_one()
    return number


def keep(
    connection: Connection,
    layer: Layer,
    rows: Sequence[Mapping[str, Any] | RowMapping],
    *,
    until: int | None,
    operation: Operation | None = None,
) -> None:
    """Put states into history.

    Args:
        connection: in a write transaction.
        layer: the project.
        rows: with the columns of the project's table.
        until: the change set that replaces them; None for a delete, which stands.
        operation: what made the states; None tells a creation from an update by the version.
    """
    if not rows:
        return
    typed = bool(layer.project.attributes)
    connection.execute(
        sa.insert(history),
        [
            {
                **{name: row[name] for name in STATE},
                "project": layer.key,
                "operation": operation or _made_by(row),
                "attributes": attributes_in(row, layer) if typed else None,
                "until": until,
            }
            for row in rows
        ],
    )


def keep_all(
    connection: Connection, layer: Layer, ids: Sequence[int], *, until: int, deleted_at: str | None = None
) -> None:
    """Put the current states of many annotations into history by one statement; those of a delete, too, when it is one.

    Args:
        connection: in a write transaction.
        layer: the project.
        ids: of the annotations, at most some hundreds at once.
        until: the change set that replaces the states.
        deleted_at: when they are deleted by it.
    """
    table = layer.table
    kept: dict[str, ColumnElement[Any]] = {
        "project": sa.literal(layer.key),
        "operation": sa.case((table.c.version == 1, "create"), else_="update"),
        **{name: table.c[name] for name in STATE},
        "attributes": spatial(connection).as_json(
            {a.name: (a.kind, table.c[a.name]) for a in layer.project.attributes}
        ),
        "until": sa.literal(until),
    }
    buried = kept | {
        "operation": sa.literal("delete"),
        "version": table.c.version + 1,
        "changeset": sa.literal(until),
        "updated_at": sa.literal(deleted_at),
        "until": sa.null(),
    }
    for values in (kept,) if deleted_at is None else (kept, buried):
        states = sa.select(*(value.label(f"_{name}") for name, value in values.items())).where(table.c.id.in_(ids))
        connection.execute(sa.insert(history).from_select(list(values), states, include_defaults=False))


def end_deletes(connection: Connection, layer: Layer, ids: Sequence[int], *, until: int) -> None:
    """Say of deletes which change set took them back."""
    if ids:
        c = history.c
        standing = sa.update(history).where(c.project == layer.key, c.id == sa.bindparam("_id"), c.until.is_(None))
        connection.execute(standing.values(until=until), [{"_id": id_} for id_ in ids])


def tombstone(connection: Connection, layer: Layer, annotation_id: int) -> RowMapping | None:
    """The delete of an annotation that is not there now; None when there never was one of that id."""
    if not 0 < annotation_id <= MAX_KEY:
        return None
    return (
        connection.execute(
            sa.select(history)
            .where(history.c.project == layer.key, history.c.id == annotation_id)
            .order_by(history.c.version.desc())
            .limit(1),
        )
        .mappings()
        .first()
    )


def states(connection: Connection, layer: Layer, versions: Sequence[tuple[int, int]]) -> list[Annotation]:
    """The states of annotations at versions that they have had.

    Args:
        connection: reads.
        layer: the project.
        versions: (id, version) of each; a delete is a version too.
    """
    wanted = {(id_, version) for id_, version in versions}
    ids = [id_ for id_, _ in wanted]
    rows: list[RowMapping] = []
    for start in range(0, len(ids), _IDS_AT_ONCE):
        some = ids[start : start + _IDS_AT_ONCE]
        past = sa.select(history).where(history.c.project == layer.key, history.c.id.in_(some))
        for select in (sa.select(layer.table).where(layer.table.c.id.in_(some)), past):
            found = connection.execute(select).mappings()
            rows += [row for row in found if (row["id"], row["version"]) in wanted]
    by_version = {(a.id, a.version): a for a in to_annotations(connection, rows, layer)}
    return [by_version[id_, version] for id_, version in versions]


def find(connection: Connection, project: str, annotation_id: int) -> list[Change]:
    """All changes of an annotation, oldest first, its creation included.

    Raises:
        NotFound: no such project, or there never was an annotation of that id.
    """
    layer = layers.find(connection, project)
    if not 0 < annotation_id <= MAX_KEY:
        raise missing(layer, annotation_id)
    past = sa.select(history, *_WHO)
    past = past.join(changesets, changesets.c.number == history.c.changeset)
    rows = list(
        connection.execute(
            past.where(history.c.project == layer.key, history.c.id == annotation_id).order_by(history.c.version),
        ).mappings(),
    )
    operations = [row["operation"] for row in rows]
    now = sa.select(layer.table, *_WHO)
    now = now.join(changesets, changesets.c.number == layer.table.c.changeset)
    for row in connection.execute(now.where(layer.table.c.id == annotation_id, *visible(layer))).mappings():
        rows.append(row)
        operations.append(_made_by(row))
    if not rows:
        raise missing(layer, annotation_id)
    return [
        Change(
            annotation=annotation,
            operation=operation,
            changeset=row["changeset"],
            at=row["at"],
            author=row["_by"],
            kind=row["_kind"],
            comment=row["_comment"],
        )
        for annotation, operation, row in zip(to_annotations(connection, rows, layer), operations, rows, strict=True)
    ]


def last_changeset(connection: Connection, project: str | None = None) -> int:
    """Number of the last change set, of a project or of the workspace; 0 before the first.

    Raises:
        NotFound: no such project.
    """
    c = changesets.c
    # The number of an import at work says nothing yet, and one that is done may be seen from a later number on.
    late = sa.select(sa.func.max(c.seen_from)).where(c.seen_from > 0)
    if project is None:
        last = sa.select(sa.func.max(c.number)).where(c.published == sa.true())
    else:
        layer = layers.find(connection, project)
        last = sa.select(sa.func.max(c.number)).where(c.project == layer.key, c.number.not_in(layer.hidden))
        # As a sum, the project does not tempt SQLite to go through all of its change sets.
        late = late.where(c.project + 0 == layer.key)
    return max(connection.execute(select).scalar() or 0 for select in (last, late))


def missing(layer: Layer, annotation_id: int) -> NotFound:
    """What to say of an id that was never given out."""
    return NotFound(f"There is no annotation {annotation_id} in project {layer.project.id!r}.")


def _made_by(row: Mapping[str, Any] | RowMapping) -> Operation:
    return "create" if row["version"] == 1 else "update"
