"""One change set, whatever it holds: every step of it is written here, and nowhere else."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
import sqlalchemy as sa

from geolabel.store import history
from geolabel.store.dialect import spatial
from geolabel.store.states import to_values

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray
    from shapely.geometry.base import BaseGeometry
    from sqlalchemy import Connection, RowMapping

    from geolabel.changes import ChangesetKind, Operation
    from geolabel.model import Annotation, Bounds
    from geolabel.store.layers import Layer

_ROWS_AT_ONCE = 10_000


@dataclass(frozen=True, slots=True)
class Step:
    """The way of one annotation from its last state to the next.

    Attributes:
        operation: what is done; an `update` without a `row` brings back what was deleted.
        after: the next state; for a delete the last one, with the version of the delete.
        row: the current row of the project's table; None when there is none.
        before: the same row as an annotation. When `after` has its very geometry, the shape is left alone.
    """

    operation: Operation
    after: Annotation
    row: RowMapping | None = None
    before: Annotation | None = None

    @property
    def reshapes(self) -> bool:
        """Whether the shape changes."""
        return self.before is None or self.after.geometry is not self.before.geometry


def write(
    connection: Connection,
    layer: Layer,
    steps: Sequence[Step],
    *,
    at: str,
    author: str | None,
    kind: ChangesetKind = "edit",
    comment: str | None = None,
    reverts: int | None = None,
) -> int:
    """Write steps as one change set: what they replace goes into history, what they make into the project's table.

    Args:
        connection: in a write transaction.
        layer: the project.
        steps: at most one for each annotation.
        at: the time of all of them.
        author: who writes.
        kind: what the change set comes from.
        comment: why, in words.
        reverts: number of the change set that is taken back.

    Returns:
        Number of the change set.
    """
    counts = Counter(step.operation for step in steps)
    number = history.open_changeset(
        connection,
        layer,
        at=at,
        author=author,
        kind=kind,
        comment=comment,
        reverts=reverts,
        counts=counts,
    )
    history.keep(connection, layer, [step.row for step in steps if step.row is not None], until=number)
    gone = [step for step in steps if step.operation == "delete" and step.row is not None]
    put = [step for step in steps if step.operation != "delete"]
    _delete(connection, layer, gone, number)
    back = [step.after.id for step in put if step.row is None and step.operation == "update"]
    history.end_deletes(connection, layer, back, until=number)
    for start in range(0, len(put), _ROWS_AT_ONCE):
        _put(connection, layer, put[start : start + _ROWS_AT_ONCE], number)
    added = [step.after.geometry for step in put if step.reshapes]
    removed = [step.before.geometry for step in steps if step.before and (step.operation == "delete" or step.reshapes)]
    spatial(connection).touched(connection, layer.table, at, added=_box(added), removed=_box(removed))
    return number


def _delete(connection: Connection, layer: Layer, steps: Sequence[Step], number: int) -> None:
    if not steps:
        return
    last = [
        dict(step.row or {}) | {"version": step.after.version, "updated_at": step.after.updated_at, "changeset": number}
        for step in steps
    ]
    history.keep(connection, layer, last, until=None, operation="delete")
    which = sa.delete(layer.table).where(layer.table.c.id == sa.bindparam("_id"))
    connection.execute(which, [{"_id": step.after.id} for step in steps])


def _put(connection: Connection, layer: Layer, steps: Sequence[Step], number: int) -> None:
    """Insert what is not there, update what is: an untouched shape leaves the spatial index alone."""
    shaped = [step for step in steps if step.reshapes]
    blobs = iter(spatial(connection).encode(_array(step.after.geometry for step in shaped), layer.srs_id))
    new: list[dict[str, Any]] = []
    moved: list[dict[str, Any]] = []
    kept: list[dict[str, Any]] = []
    for step in steps:
        values = to_values(step.after, next(blobs) if step.reshapes else b"", number, layer)
        if step.row is None:
            new.append(values)
            continue
        values["_id"] = values.pop("id")
        if step.reshapes:
            moved.append(values)
        else:
            del values["geom"]
            kept.append(values)
    if new:
        connection.execute(sa.insert(layer.table), new)
    change = sa.update(layer.table).where(layer.table.c.id == sa.bindparam("_id"))
    for rows in (moved, kept):
        if rows:
            connection.execute(change, rows)


def _box(geometries: Sequence[BaseGeometry]) -> Bounds | None:
    if not geometries:
        return None
    min_x, min_y, max_x, max_y = shapely.total_bounds(_array(geometries)).tolist()
    return min_x, min_y, max_x, max_y


def _array(geometries: Iterable[BaseGeometry]) -> NDArray[np.object_]:
    return np.array([*geometries, None], dtype=object)[:-1]
