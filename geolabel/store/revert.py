"""Take a change set back: a new change set that leads from the states that it left to those that it found.

Which annotations go where is decided on a few columns of each; their states are then moved between the project's table
and history inside the database, so that an import of a hundred thousand labels is taken back in seconds.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import shapely
import sqlalchemy as sa

from geolabel.attributes import check_attributes, keep_values
from geolabel.errors import Conflict, Conflicts, InvalidInput
from geolabel.store import history, idempotency, layers
from geolabel.store.annotations import find_rows
from geolabel.store.changesets import PAST, ends_of, find, operation_of, row_of
from geolabel.store.dialect import spatial
from geolabel.store.states import attributes_in
from geolabel.store.tables import STATE
from geolabel.store.tables import history as states

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sqlalchemy import ColumnElement, Connection, RowMapping

    from geolabel.changes import Changeset
    from geolabel.model import Bounds
    from geolabel.store.idempotency import Once
    from geolabel.store.layers import Layer

_IDS_AT_ONCE = 500
_KEPT = tuple(name for name in STATE if name not in {"id", "version", "changeset", "updated_at"})
"""What an earlier state brings back; the rest of a row is of its new version."""

_CONTENT = tuple(name for name in _KEPT if name not in {"geom", "created_at"})
"""What makes two states the same, beside their shape and their attributes."""


@dataclass(frozen=True, slots=True)
class Reverted:
    """What came of a revert.

    Attributes:
        changeset: the new change set.
        conflicts: what stayed as it is.
        unchanged: how many annotations were as before already.
        lost: attributes that the project does not have any more, with the number of annotations that had a value.
    """

    changeset: Changeset
    conflicts: tuple[Conflict, ...]
    unchanged: int
    lost: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class _Turn:
    """One annotation on its way back.

    Attributes:
        id: of the annotation.
        version: that is current.
        grave: key of its delete in history; None when it is there now.
        before: the state that it is to have again, without its shape; None when it is to go.
    """

    id: int
    version: int
    grave: int | None
    before: RowMapping | None


def revert(
    connection: Connection,
    project: str,
    number: int,
    *,
    skip_conflicts: bool,
    at: str,
    author: str | None,
    comment: str | None,
    once: Once | None,
) -> Reverted:
    """Take a change set back. See Store.revert."""
    layer = layers.find(connection, project)
    if once is not None and (given := idempotency.find(connection, layer, once)) is not None:
        kept = tuple(Conflict(*conflict) for conflict in given["conflicts"])
        return Reverted(find(connection, project, given["changeset"]), kept, given["unchanged"], given["lost"])
    row = row_of(connection, layer, number)
    turns, conflicts, unchanged = _look(connection, layer, row)
    turns, unfit = _fitting(connection, layer, turns)
    conflicts = sorted([*conflicts, *unfit], key=lambda conflict: conflict.id)
    if conflicts and (not skip_conflicts or not turns):
        raise _refusal(number, conflicts, some=bool(turns))
    if not turns:
        raise InvalidInput(_nothing(row, unchanged))
    made = history.open_changeset(
        connection,
        layer,
        at=at,
        author=author,
        kind="revert",
        comment=comment,
        reverts=number,
        counts=Counter("delete" if turn.before is None else "update" for turn in turns),
    )
    _write(connection, layer, turns, made, at=at)
    known = {attribute.name for attribute in layer.project.attributes}
    restored = (turn.before for turn in turns if turn.before is not None)
    lost = Counter(name for state in restored for name in attributes_in(state, layer) if name not in known)
    if once is not None:
        listed = [(conflict.id, conflict.version, conflict.deleted, conflict.reason) for conflict in conflicts]
        result = {"changeset": made, "conflicts": listed, "unchanged": unchanged, "lost": dict(lost)}
        idempotency.keep(connection, layer, once, result, at=at)
    return Reverted(find(connection, project, made), tuple(conflicts), unchanged, dict(lost))


def _refusal(number: int, conflicts: Sequence[Conflict], *, some: bool) -> Conflicts:
    first = conflicts[0]
    rest = "The rest can be taken back with conflicts=skip." if some else "Nothing else is in it."
    what = f"{len(conflicts)} annotations" if len(conflicts) > 1 else "1 annotation"
    return Conflicts(
        f"Change set {number} cannot be taken back for {what}; annotation {first.id} {first.reason}. {rest}", conflicts
    )


def _nothing(row: RowMapping, unchanged: int) -> str:
    if unchanged:
        return f"There is nothing to take back: all that change set {row['number']} changed is as it was before."
    return f"Change set {row['number']} ({row['kind']}) changed no annotation: there is nothing to take back."


def _look(connection: Connection, layer: Layer, row: RowMapping) -> tuple[list[_Turn], list[Conflict], int]:
    """What can be taken back, what others changed since, and how many are as before already."""
    number, c = row["number"], states.c
    mine = c.project == layer.key
    earlier = sa.select(c.id, c.operation, c["class"], c.source, c.external_id, c.attributes, c.key)
    found = {
        state["id"]: state
        for state in connection.execute(earlier.where(mine, c.until.in_(ends_of(row)))).mappings()
        if state["operation"] != "delete"
    }
    table = layer.table.c
    current = sa.select(table.id, table.version).where(table.changeset == number)
    turns = [
        _Turn(state["id"], state["version"], None, found.get(state["id"]))
        for state in connection.execute(current).mappings()
    ]
    left = sa.select(c.id, c.version, c.operation, c.until, c.key).where(mine, c.changeset == number)
    since = []
    for state in connection.execute(left).mappings():
        if state["operation"] == "delete" and state["until"] is None:
            turns.append(_Turn(state["id"], state["version"], state["key"], found.get(state["id"])))
        else:
            since.append(state)
    conflicts, unchanged = [], 0
    for turn, conflict in _since(connection, layer, since, found):
        if turn is not None:
            turns.append(turn)
        elif conflict is not None:
            conflicts.append(conflict)
        else:
            unchanged += 1
    return sorted(turns, key=lambda turn: turn.id), conflicts, unchanged


def _since(
    connection: Connection, layer: Layer, left: Sequence[RowMapping], found: Mapping[int, RowMapping]
) -> Iterator[tuple[_Turn | None, Conflict | None]]:
    """Of states that were replaced since: what can be taken back all the same, what cannot; neither for what was already."""
    for some in _parts(left):
        now = _now(connection, layer, [state["id"] for state in some])
        keys = [state["key"] for state in some] + [found[s["id"]]["key"] for s in some if s["id"] in found]
        whole = sa.select(*PAST).where(states.c.key.in_(keys))
        states_ = {state["key"]: state for state in connection.execute(whole).mappings()}
        for state in some:
            current, before = now[state["id"]], found.get(state["id"])
            there = None if operation_of(current) == "delete" else current
            after = None if state["operation"] == "delete" else states_[state["key"]]
            if _same(connection, layer, there, after):
                yield _Turn(state["id"], current["version"], current.get("key"), before), None
            elif _same(connection, layer, there, None if before is None else states_[before["key"]]):
                yield None, None
            else:
                reason = f"was changed since by change set {current['changeset']}"
                yield None, Conflict(state["id"], current["version"], there is None, reason)


def _now(connection: Connection, layer: Layer, ids: Sequence[int]) -> dict[int, RowMapping]:
    """The present states of annotations, deletes included."""
    now: dict[int, RowMapping] = dict(find_rows(connection, layer, ids))
    c = states.c
    gone = [id_ for id_ in ids if id_ not in now]
    deletes = sa.select(*PAST).where(c.project == layer.key, c.id.in_(gone), c.operation == "delete")
    now.update((row["id"], row) for row in connection.execute(deletes.where(c.until.is_(None))).mappings())
    return now


def _same(connection: Connection, layer: Layer, one: RowMapping | None, other: RowMapping | None) -> bool:
    """Whether two states say the same, to the last bit of the shape."""
    if one is None or other is None:
        return one is other
    if any(one[name] != other[name] for name in _CONTENT) or _values(one, layer) != _values(other, layer):
        return False
    shapes = spatial(connection).decode([one["geom"], other["geom"]])
    return bool(shapes[0].wkb == shapes[1].wkb)


def _values(state: RowMapping, layer: Layer) -> dict[str, Any]:
    """The attributes of a state that the project still has."""
    return keep_values(layer.project.attributes, attributes_in(state, layer))


def _fitting(connection: Connection, layer: Layer, turns: Sequence[_Turn]) -> tuple[list[_Turn], list[Conflict]]:
    """Those whose earlier state can rest in the project as it is now, and why the others cannot."""
    taken = _taken_ids(connection, layer, turns)
    fitting, unfit = [], []
    for turn in turns:
        reason = taken.get(turn.id) or (None if turn.before is None else _unfit(layer, turn.before))
        if reason is None:
            fitting.append(turn)
        else:
            unfit.append(Conflict(turn.id, turn.version, turn.grave is not None, reason))
    return fitting, unfit


def _unfit(layer: Layer, state: RowMapping) -> str | None:
    project, name = layer.project, state["class"]
    if all(c.name != name for c in project.classes):
        return f"was of the class {name!r}, which the project does not have now"
    problems = check_attributes(project.attributes, name, _values(state, layer)) if project.attributes else ()
    return f"does not fit the schema as it is now: {problems[0][0]!r} {problems[0][1]}" if problems else None


def _taken_ids(connection: Connection, layer: Layer, turns: Sequence[_Turn]) -> dict[int, str]:
    """Annotations whose earlier state has an external id that another one has now."""
    befores = {turn.id: turn.before for turn in turns if turn.before is not None}
    wanted = {(b["source"], b["external_id"]): id_ for id_, b in befores.items() if b["external_id"] is not None}
    taken: dict[int, str] = {}
    c = layer.table.c
    for some in _parts(list(wanted)):
        which = c.external_id.in_([external_id for _, external_id in some])
        for source, external_id, id_ in connection.execute(sa.select(c.source, c.external_id, c.id).where(which)):
            mine = wanted.get((source, external_id), id_)
            if mine != id_:
                taken[mine] = f"had the id {external_id!r} of {source!r}, which annotation {id_} has now"
    return taken


def _write(connection: Connection, layer: Layer, turns: Sequence[_Turn], number: int, *, at: str) -> None:
    reach = spatial(connection).extent(connection, layer.table)
    boxes: list[Bounds] = []
    for some in _parts(turns):
        _delete(connection, layer, [turn.id for turn in some if turn.before is None], number, at=at)
        keys = {turn.id: turn.before["key"] for turn in some if turn.before is not None}
        graves = {turn.id: turn.grave for turn in some if turn.before is not None and turn.grave is not None}
        _update(connection, layer, {id_: key for id_, key in keys.items() if id_ not in graves}, number, at=at)
        _bring_back(connection, layer, [keys[id_] for id_ in graves], list(graves.values()), number, at=at)
        if keys:
            boxes.append(_box(connection, list(keys.values())))
        if layer.project.attributes:
            _put_attributes(connection, layer, {t.id: t.before for t in some if t.before is not None})
    added = None
    if boxes:
        west, south, east, north = zip(*boxes, strict=True)
        added = min(west), min(south), max(east), max(north)
    # What goes may have reached as far as all there was.
    spatial(connection).touched(connection, layer.table, at, added=added, removed=reach)


def _delete(connection: Connection, layer: Layer, ids: Sequence[int], number: int, *, at: str) -> None:
    if ids:
        history.keep_all(connection, layer, ids, until=number, deleted_at=at)
        connection.execute(sa.delete(layer.table).where(layer.table.c.id.in_(ids)))


def _update(connection: Connection, layer: Layer, keys: Mapping[int, int], number: int, *, at: str) -> None:
    if not keys:
        return
    table, c = layer.table, states.c
    history.keep_all(connection, layer, list(keys), until=number)
    pairs = [table.c.id == c.id, c.key.in_(keys.values())]
    # An untouched shape leaves the spatial index alone.
    reshaped = sa.cast(table.c.geom, sa.LargeBinary) != c.geom
    connection.execute(sa.update(table).where(*pairs, reshaped).values(geom=c.geom))
    values: dict[str, Any] = {name: c[name] for name in _KEPT if name != "geom"}
    values |= {"version": table.c.version + 1, "changeset": number, "updated_at": at}
    connection.execute(sa.update(table).where(*pairs).values(values))


def _bring_back(
    connection: Connection, layer: Layer, keys: Sequence[int], graves: Sequence[int], number: int, *, at: str
) -> None:
    if not keys:
        return
    deletes, c = states.alias("deletes"), states.c
    values: dict[str, ColumnElement[Any]] = {name: c[name] for name in _KEPT}
    last = sa.select(sa.func.max(deletes.c.version)).where(deletes.c.project == layer.key, deletes.c.id == c.id)
    values |= {"id": c.id, "version": last.scalar_subquery() + 1}
    values |= {"changeset": sa.literal(number), "updated_at": sa.literal(at)}
    rows = sa.select(*values.values()).where(c.key.in_(keys))
    connection.execute(sa.insert(layer.table).from_select(list(values), rows, include_defaults=False))
    connection.execute(sa.update(states).where(c.key.in_(graves)).values(until=number))


def _put_attributes(connection: Connection, layer: Layer, befores: Mapping[int, RowMapping]) -> None:
    """Fill the attributes' columns: history has them as JSON, whose digits the databases do not all read alike."""
    blank = {attribute.name: None for attribute in layer.project.attributes}
    rows = [{"_id": id_, **blank, **_values(state, layer)} for id_, state in befores.items()]
    if rows:
        names: dict[str, Any] = {name: sa.bindparam(name) for name in blank}
        change = sa.update(layer.table).where(layer.table.c.id == sa.bindparam("_id")).values(names)
        connection.execute(change, rows)


def _box(connection: Connection, keys: Sequence[int]) -> Bounds:
    shapes = connection.execute(sa.select(states.c.geom).where(states.c.key.in_(keys))).scalars().all()
    west, south, east, north = shapely.total_bounds(spatial(connection).decode(shapes)).tolist()
    return west, south, east, north


def _parts(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    return (items[start : start + _IDS_AT_ONCE] for start in range(0, len(items), _IDS_AT_ONCE))
