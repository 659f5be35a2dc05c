"""Take a change set back: a new change set that leads from the states that it left to those that it found."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from geolabel.attributes import check_attributes, keep_values
from geolabel.errors import Conflict, Conflicts, InvalidInput
from geolabel.store import projects
from geolabel.store.annotations import find_rows, to_delete
from geolabel.store.changesets import PAST, find, found_by, left_by, operation_of, row_of
from geolabel.store.dialect import spatial
from geolabel.store.states import attributes_in, to_annotations
from geolabel.store.tables import STATE, history
from geolabel.store.writing import Step, write

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection, RowMapping

    from geolabel.model import Annotation, Changeset
    from geolabel.store.projects import Layer

_IDS_AT_ONCE = 500
_CONTENT = tuple(
    name for name in STATE if name not in {"id", "geom", "version", "changeset", "created_at", "updated_at"}
)
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
    """One annotation on the way back: the rows of its present state and of the one that it had before; None: deleted."""

    id: int
    version: int
    present: RowMapping | None
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
) -> Reverted:
    """Take a change set back. See Store.revert."""
    layer = projects.find(connection, project)
    row = row_of(connection, layer, number)
    known = {attribute.name for attribute in layer.project.attributes}
    turns, conflicts, unchanged = _look(connection, layer, row)
    turns, unfit = _fitting(connection, layer, turns)
    conflicts = sorted([*conflicts, *unfit], key=lambda conflict: conflict.id)
    if conflicts and (not skip_conflicts or not turns):
        raise _refusal(number, conflicts, bool(turns))
    if not turns:
        raise InvalidInput(_nothing(row, unchanged))
    restored = [turn.before for turn in turns if turn.before is not None]
    lost = Counter(name for state in restored for name in attributes_in(state, layer) if name not in known)
    steps = _steps(connection, layer, turns, at=at)
    made = write(connection, layer, steps, at=at, author=author, kind="revert", comment=comment, reverts=number)
    return Reverted(find(connection, project, made), tuple(conflicts), unchanged, dict(lost))


def _refusal(number: int, conflicts: Sequence[Conflict], some: bool) -> Conflicts:
    first = conflicts[0]
    rest = "The rest can be reverted with conflicts=skip." if some else "Nothing else is in it."
    what = f"{len(conflicts)} annotations" if len(conflicts) > 1 else "1 annotation"
    return Conflicts(
        f"Change set {number} cannot be taken back for {what}; annotation {first.id} {first.reason}. {rest}", conflicts
    )


def _nothing(row: RowMapping, unchanged: int) -> str:
    if unchanged:
        return f"There is nothing to revert: all that change set {row['number']} changed is as it was before it."
    return f"Change set {row['number']} ({row['kind']}) changed no annotation, so there is nothing to revert."


def _look(connection: Connection, layer: Layer, row: RowMapping) -> tuple[list[_Turn], list[Conflict], int]:
    """What can be taken back, what others changed since, and how many are as before already."""
    number = row["number"]
    left = left_by(connection, layer, number)
    found = found_by(connection, layer, row)
    # A state of history was replaced since, save a delete that stands.
    since = [state["id"] for state in left if state.get("until")]
    now = _now(connection, layer, since)
    turns, conflicts, unchanged = [], [], 0
    for state in left:
        id_ = state["id"]
        before = found.get(id_)
        before = None if before is None or before["operation"] == "delete" else before
        after = None if operation_of(state) == "delete" else state
        current = now.get(id_, state)
        present = None if operation_of(current) == "delete" else current
        if current is not state and not _same(connection, layer, present, after):
            if _same(connection, layer, present, before):
                unchanged += 1
            else:
                reason = f"was changed since by change set {current['changeset']}"
                conflicts.append(Conflict(id_, current["version"], present is None, reason))
            continue
        turns.append(_Turn(id_, current["version"], present, before))
    return turns, conflicts, unchanged


def _now(connection: Connection, layer: Layer, ids: Sequence[int]) -> dict[int, RowMapping]:
    """The present states of annotations, deletes included."""
    now: dict[int, RowMapping] = dict(find_rows(connection, layer, ids))
    c = history.c
    gone = [id_ for id_ in ids if id_ not in now]
    for start in range(0, len(gone), _IDS_AT_ONCE):
        some = c.id.in_(gone[start : start + _IDS_AT_ONCE])
        deletes = sa.select(*PAST).where(c.project == layer.key, some, c.operation == "delete", c.until.is_(None))
        now.update((row["id"], row) for row in connection.execute(deletes).mappings())
    return now


def _same(connection: Connection, layer: Layer, one: RowMapping | None, other: RowMapping | None) -> bool:
    """Whether two states say the same, to the last bit of the shape."""
    if one is None or other is None:
        return one is other
    if any(one[name] != other[name] for name in _CONTENT) or _values(one, layer) != _values(other, layer):
        return False
    if bytes(one["geom"]) == bytes(other["geom"]):
        return True
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
        reason = taken.get(turn.id) if turn.before is None else taken.get(turn.id) or _unfit(layer, turn.before)
        if reason is None:
            fitting.append(turn)
        else:
            unfit.append(Conflict(turn.id, turn.version, turn.present is None, reason))
    return fitting, unfit


def _unfit(layer: Layer, state: RowMapping) -> str | None:
    project, name = layer.project, state["class"]
    if all(c.name != name for c in project.classes):
        return f"was of the class {name!r}, which the project does not have now"
    problems = check_attributes(project.attributes, name, _values(state, layer))
    return f"does not fit the schema as it is now: attribute {problems[0][0]!r} {problems[0][1]}" if problems else None


def _taken_ids(connection: Connection, layer: Layer, turns: Sequence[_Turn]) -> dict[int, str]:
    """Annotations whose earlier state has an external id that another one has now."""
    wanted = {
        (turn.before["source"], turn.before["external_id"]): turn.id
        for turn in turns
        if turn.before is not None
        and turn.before["external_id"] is not None
        and (turn.present is None or turn.present["external_id"] != turn.before["external_id"])
    }
    taken: dict[int, str] = {}
    names, c = [external_id for _, external_id in wanted], layer.table.c
    for start in range(0, len(names), _IDS_AT_ONCE):
        some = c.external_id.in_(names[start : start + _IDS_AT_ONCE])
        for source, external_id, id_ in connection.execute(sa.select(c.source, c.external_id, c.id).where(some)):
            mine = wanted.get((source, external_id), id_)
            if mine != id_:
                taken[mine] = f"had the id {external_id!r} of {source!r}, which annotation {id_} has now"
    return taken


def _steps(connection: Connection, layer: Layer, turns: Sequence[_Turn], *, at: str) -> list[Step]:
    present = _decoded(connection, layer, [turn.present for turn in turns])
    before = _decoded(connection, layer, [turn.before for turn in turns])
    return [_step(layer, turn, now, earlier, at=at) for turn, now, earlier in zip(turns, present, before, strict=True)]


def _decoded(connection: Connection, layer: Layer, rows: Sequence[RowMapping | None]) -> list[Annotation | None]:
    there = iter(to_annotations(connection, [row for row in rows if row is not None], layer))
    return [None if row is None else next(there) for row in rows]


def _step(layer: Layer, turn: _Turn, now: Annotation | None, before: Annotation | None, *, at: str) -> Step:
    if before is None:
        assert now is not None
        assert turn.present is not None
        return to_delete(turn.present, now, at=at)
    attributes = keep_values(layer.project.attributes, before.attributes)
    after = replace(before, version=turn.version + 1, updated_at=at, attributes=attributes)
    if now is not None and now.geometry.wkb == before.geometry.wkb:
        after = replace(after, geometry=now.geometry)  # an untouched shape leaves the spatial index alone
    return Step("update", after, turn.present, now)
