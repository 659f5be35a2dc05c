"""What label tiles are drawn from: class, status and geometry of many annotations, and which of them changed since."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import numpy as np
import sqlalchemy as sa

from geolabel.batches import LabelBatch, LabelChanges, LabelsState
from geolabel.errors import NotFound
from geolabel.store import layers
from geolabel.store.dialect import spatial
from geolabel.store.layers import visible
from geolabel.store.remembered import remembered
from geolabel.store.tables import changesets, history, projects

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from contextlib import AbstractContextManager

    from sqlalchemy import ColumnElement, Connection

    from geolabel.model import Bounds
    from geolabel.store.layers import Layer

_STAGED = changesets.alias()
# Few change sets were seen later than they were begun; "+ 0" keeps SQLite from looking at all of the project for them.
_LAST = [
    sa.select(sa.func.max(number)).where(*chosen).correlate(projects).scalar_subquery()
    for number, chosen in (
        (changesets.c.number, [changesets.c.project == projects.c.key]),
        (changesets.c.seen_from, [changesets.c.seen_from > 0, changesets.c.project + 0 == projects.c.key]),
    )
]
_LAST_AT = (
    sa.select(changesets.c.at)
    .where(changesets.c.project == projects.c.key, changesets.c.published)
    .order_by(changesets.c.number.desc())
    .limit(1)
    .correlate(projects)
    .scalar_subquery()
)
_STATE = (
    sa.select(projects.c.key, projects.c.created_at, projects.c.crs, *_LAST, _LAST_AT, _STAGED.c.number)
    .select_from(
        projects.outerjoin(_STAGED, sa.and_(_STAGED.c.project == projects.c.key, _STAGED.c.published == sa.false()))
    )
    .where(projects.c.id == sa.bindparam("project"))
    .order_by(_STAGED.c.number)
)


class TileFeed(ABC):
    """The part of Store that label tiles read; see `geolabel.store.store.Store`."""

    @abstractmethod
    def _read(self) -> AbstractContextManager[Connection]: ...

    def tile_state(self, project: str) -> LabelsState:
        """What the annotations of a project are now, whoever wrote them; one short query. NotFound."""
        with self._read() as connection:
            return state_of(connection, project)

    def tile_count(self, project: str, *, bbox: Bounds | None, limit: int) -> int:
        """How many annotations `tile_batches` would give, at most `limit`; NotFound."""
        with self._read() as connection:
            layer = layers.find(connection, project)
            some = sa.select(layer.table.c.id).where(*_wanted(connection, layer, bbox)).limit(limit)
            return connection.execute(sa.select(sa.func.count()).select_from(some.subquery())).scalar_one()

    def tile_batches(self, project: str, *, bbox: Bounds | None, size: int = 10_000) -> Generator[LabelBatch]:
        """Annotations as arrays with the column `status`, in order of id, from one snapshot.

        Args:
            project: its id.
            bbox: in the project's CRS; only those whose indexed box meets it, which may be a few more than touch it.
            size: at most so many in a batch.

        Raises:
            NotFound: no such project.
        """
        with self._read() as connection:
            layer = layers.find(connection, project)
            yield from _batches(connection, layer, _wanted(connection, layer, bbox), size)

    def tile_changes(self, project: str, since: LabelsState, *, limit: int) -> LabelChanges | None:
        """What happened since a state; None when it did not come out of that state, or when more than `limit` annotations changed."""
        with self._read() as connection:
            state = state_of(connection, project)
            if not _follows(connection, state, since):
                return None
            layer = layers.find(connection, project)
            # An import that was at work then has a lower number than what was written meanwhile.
            late = sa.select(changesets.c.number).where(
                changesets.c.project == state.key,
                sa.or_(changesets.c.seen_from > since.changes, changesets.c.number.in_(since.hidden)),
            )
            table, c = layer.table, history.c
            come = [
                *visible(layer),
                sa.or_(table.c.changeset > since.changes, table.c.changeset.in_(late)),
            ]
            some = sa.select(table.c.id).where(*come).limit(limit + 1).subquery()
            if connection.execute(sa.select(sa.func.count()).select_from(some)).scalar_one() > limit:
                return None
            deleted = sa.select(c.id).where(
                c.project == state.key,
                c.operation == "delete",
                sa.or_(c.changeset > since.changes, c.changeset.in_(late)),
            )
            gone = np.array(connection.execute(deleted).scalars().all(), dtype=np.int64)
            return LabelChanges(state, gone, tuple(_batches(connection, layer, come, limit)))


def state_of(connection: Connection, project: str) -> LabelsState:
    """What the annotations of a project are in a snapshot; NotFound."""
    return remembered(connection, ("state", project), lambda: _state_of(connection, project))


def _state_of(connection: Connection, project: str) -> LabelsState:
    rows = connection.execute(_STATE, {"project": project}).all()
    if not rows:
        raise NotFound(f"There is no project {project!r} in this workspace.")
    key, created_at, crs, number, seen_from, at = rows[0][:-1]
    hidden = tuple(row[-1] for row in rows if row[-1] is not None)
    return LabelsState(key, created_at, crs, max(number or 0, seen_from or 0), at, hidden)


def _follows(connection: Connection, state: LabelsState, since: LabelsState) -> bool:
    """Whether a state came out of an earlier one, and not out of a backup from before that."""
    if (state.key, state.created_at, state.crs) != (since.key, since.created_at, since.crs):
        return False
    last = (
        sa.select(changesets.c.at)
        .where(
            changesets.c.project == state.key,
            changesets.c.number <= since.changes,
            changesets.c.number.not_in(since.hidden),
            changesets.c.published,
        )
        .order_by(changesets.c.number.desc())
        .limit(1)
    )
    return connection.execute(last).scalar_one_or_none() == since.changed_at


def _wanted(connection: Connection, layer: Layer, bbox: Bounds | None) -> list[ColumnElement[bool]]:
    near = [] if bbox is None else [spatial(connection).overlapping(layer.table, bbox)]
    return [*visible(layer), *near]


def _batches(
    connection: Connection, layer: Layer, wanted: list[ColumnElement[bool]], size: int
) -> Iterator[LabelBatch]:
    c = layer.table.c
    select = sa.select(c.id, c["class"], c.status, c.geom).where(*wanted).order_by(c.id)
    with connection.execute(select, execution_options={"yield_per": size}) as result:
        for rows in result.partitions(size):
            ids, names, statuses, shapes = (list(column) for column in zip(*rows, strict=True))
            yield LabelBatch(
                ids=np.array(ids, dtype=np.int64),
                class_names=np.array(names, dtype=object),
                geometries=spatial(connection).decode(shapes),
                columns={"status": np.array(statuses, dtype=object)},
            )
