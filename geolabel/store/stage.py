"""An import at work: its rows are staged, compared with those of an earlier import of the same source, and published."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
import shapely
import sqlalchemy as sa

from geolabel.errors import InvalidInput, NotFound, Problem, StoreFailed
from geolabel.store import history, jobs
from geolabel.store.bulk import ROWS_AT_ONCE, Rows, Tally, bulk
from geolabel.store.dialect import spatial
from geolabel.store.layers import visible
from geolabel.store.tables import changesets
from geolabel.store.tables import history as history_table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from numpy.typing import NDArray
    from sqlalchemy import ColumnElement, Connection, RowMapping, Table

    from geolabel.geo.ragged import Ragged
    from geolabel.model import Bounds
    from geolabel.store.imports import BulkImports
    from geolabel.store.layers import Layer

_SHOWN = 20


class ImportStage:
    """An import at work.

    Attributes:
        layer: the project as it was when the import began; its schema cannot change meanwhile.
        number: of the change set.
        published: whether the rows can be seen.
    """

    def __init__(
        self, store: BulkImports, layer: Layer, number: int, *, source: str, author: str | None, at: str
    ) -> None:
        self.layer = layer
        self.number = number
        self.published = False
        self.tally = Tally()
        self._store = store
        self._constants = {
            "status": "labelled",
            "source": source,
            "author": author,
            "created_at": at,
            "updated_at": at,
            "version": 1,
            "changeset": number,
        }
        self._source = source
        self._ids: list[NDArray[np.int64]] = []
        self._bounds: list[NDArray[np.float64]] = []
        self._named = False
        self._seen: list[NDArray[np.int64]] = []
        self._compared: dict[int, int] = {}
        self._overwritten: set[int] = set()
        self._kept: set[str] = set()
        self._bulk = bulk(store._engine)  # noqa: SLF001 (this class is a part of Store's)

    def encode(self, shapes: Ragged) -> list[bytes]:
        """Shapes (n,) in the project's CRS as the database takes them; from any thread."""
        return self._bulk.encode(shapes, self.layer.srs_id)

    def add(self, rows: Rows) -> None:
        """Stage rows; a feature with an id of the source's own that is there already is compared and not added.

        Raises:
            InvalidInput: the source has an id twice; the problems name the features.
            NotFound: the project was deleted meanwhile.
            StoreFailed: another process took this import for dead and removed its rows.
        """
        for start in range(0, len(rows.blobs), ROWS_AT_ONCE):
            part = rows
            if len(rows.blobs) > ROWS_AT_ONCE:
                part = rows.part(start, start + ROWS_AT_ONCE)
            with self._store._write() as (connection, _):  # noqa: SLF001
                self._check_there(connection)
                self._add(connection, part)

    def _check_there(self, connection: Connection) -> None:
        found = connection.execute(
            sa.select(changesets.c.project).where(
                changesets.c.number == self.number, changesets.c.published == sa.false()
            )
        ).first()
        if found is None:
            raise StoreFailed("The import was taken for dead by another process, which removed it: import again.")
        if found.project is None:
            raise NotFound(f"Project {self.layer.project.id!r} was deleted while labels were imported into it.")

    def _add(self, connection: Connection, rows: Rows) -> None:
        if "external_id" in rows.columns and any(rows.columns["external_id"]):
            self._named = True
            new = self._compare(connection, rows)
            rows = rows if len(new) == len(rows.blobs) else rows.take(new)
        if not rows.blobs:
            return
        ids = spatial(connection).reserve_ids(connection, self.layer.table, len(rows.blobs))
        self._bulk.insert(
            connection,
            self.layer.table,
            {"id": ids, "geom": rows.blobs, **rows.columns},
            {name: value for name, value in self._constants.items() if name not in rows.columns},
        )
        self._ids.append(np.arange(ids.start, ids.stop))
        self._bounds.append(rows.bounds)
        self.tally.added += len(ids)
        first = ids.start if self.tally.ids is None else self.tally.ids[0]
        self.tally.ids = (first, ids.stop - 1)

    # Features that an earlier import of the same source has brought

    def _compare(self, connection: Connection, rows: Rows) -> list[int]:
        """Which rows are new; what has changed is staged, and what has not is counted."""
        names = rows.columns["external_id"]
        self._refuse_twice(connection, rows)
        wanted = [name for name in names if name is not None]
        c = self.layer.table.c
        mine = (c.source == self._source, *visible(self.layer), c.changeset != self.number)
        current = {row["external_id"]: row for row in _by_name(connection, self.layer.table, mine, wanted)}
        missing = [name for name in wanted if name not in current]
        h = history_table.c
        standing = (
            h.project == self.layer.key,
            h.operation == "delete",
            h.until.is_(None),
            h.source == self._source,
        )
        deleted = {row["external_id"] for row in self._deletes(connection, standing, missing)} if missing else set()
        new: list[int] = []
        changed: list[int] = []
        there = [row for row, name in enumerate(names) if name in current]
        if there:
            before = [current[names[row]] for row in there]
            self._seen.append(np.array([row["id"] for row in before], dtype=np.int64))
            changed = self._changed(connection, rows, there, before)
        for row, name in enumerate(names):
            if name in deleted:
                self.tally.kept += 1
            elif name is None or name not in current:
                new.append(row)
        if changed:
            self._stage_changes(connection, rows.take(changed), [current[names[row]] for row in changed])
        return new

    def _deletes(
        self, connection: Connection, standing: tuple[ColumnElement[bool], ...], names: list[str]
    ) -> list[RowMapping]:
        if connection.execute(sa.select(history_table.c.key).where(*standing).limit(1)).first() is None:
            return []
        return _by_name(connection, history_table, standing, names)

    def _refuse_twice(self, connection: Connection, rows: Rows) -> None:
        names = rows.columns["external_id"]
        counts = Counter(name for name in names if name is not None)
        twice = {name for name, times in counts.items() if times > 1}
        c = self.layer.table.c
        staged = (c.changeset == self.number,)
        twice |= {row["external_id"] for row in _by_name(connection, self.layer.table, staged, list(counts))}
        if twice:
            found = [
                Problem(rows.names[row], f"the id {name!r} is another feature's already")
                for row, name in enumerate(names)
                if name in twice
            ]
            raise InvalidInput(
                f"The ids of the features are not unique: {found[-1].pointer} has {found[-1].message[4:]}. "
                "Name a column with ids of their own by --id-field, or import without.",
                found[:_SHOWN],
            )

    def _changed(self, connection: Connection, rows: Rows, there: list[int], before: list[RowMapping]) -> list[int]:
        """Which of the rows differ from what the source said last time; the others are counted."""
        given = [name for name in rows.columns if name != "external_id"]
        shapes = spatial(connection).decode([rows.blobs[row] for row in there])
        last = self._last_imported(connection, before)
        known = spatial(connection).decode([state["geom"] for state in last])
        same_shape = shapely.equals_identical(shapes, known)
        changed = []
        for row, state, now, same in zip(there, last, before, same_shape.tolist(), strict=True):
            edited = state is not now
            if same and all(_equal(_value(state, name), rows.columns[name][row]) for name in given):
                if edited:
                    self.tally.kept += 1
                else:
                    self.tally.unchanged += 1
            else:
                if edited:
                    self._overwritten.add(now["id"])
                changed.append(row)
        return changed

    def _last_imported(self, connection: Connection, before: list[RowMapping]) -> list[RowMapping]:
        """The states that imports have left: the current ones, or of those edited since, the ones in history."""
        numbers = {row["changeset"] for row in before}
        kinds = sa.select(changesets.c.number).where(
            changesets.c.number.in_(numbers), changesets.c.kind.in_(("import", "schema"))
        )
        imported = set(connection.execute(kinds).scalars())
        edited = [row["id"] for row in before if row["changeset"] not in imported]
        older: dict[int, RowMapping] = {}
        if edited:
            h = history_table.c
            past = (
                sa.select(history_table)
                .join(changesets, changesets.c.number == h.changeset)
                .where(h.project == self.layer.key, h.operation != "delete", changesets.c.kind == "import")
                .order_by(h.id, h.version)
            )
            for start in range(0, len(edited), ROWS_AT_ONCE):
                some = past.where(h.id.in_(edited[start : start + ROWS_AT_ONCE]))
                older |= {row["id"]: row for row in connection.execute(some).mappings()}
        return [older.get(row["id"], row) for row in before]

    def _stage_changes(self, connection: Connection, rows: Rows, before: list[RowMapping]) -> None:
        """The next states of rows that are there, under the negative of their ids."""
        c = self.layer.table.c
        staged = {name: list(rows.columns[name]) for name in rows.columns}
        others = [
            column.name
            for column in c
            if column.name not in staged and column.name not in self._constants and column.name not in {"id", "geom"}
        ]
        kept = [*others, *(name for name in ("status", "author", "created_at") if name not in staged)]
        self._kept.update(kept)
        raw = {name: [_plain(row[name]) for row in before] for name in kept}
        self._bulk.insert(
            connection,
            self.layer.table,
            {"id": [-row["id"] for row in before], "geom": rows.blobs, **staged, **raw},
            {name: value for name, value in self._constants.items() if name not in staged and name not in raw},
        )
        self._compared |= {row["id"]: row["version"] for row in before}

    # Publishing

    def publish(
        self,
        *,
        prune: bool = False,
        touched: bool = True,
        job: int | None = None,
        outcome: Callable[[Tally], Mapping[str, Any]] | None = None,
    ) -> Tally:
        """Let everybody see the rows, all at once.

        Args:
            prune: delete what an earlier import of this source made and this one does not have.
            touched: whether that takes also what somebody has changed since.
            job: that is done by this, in the same transaction: a worker that is killed right after it imports nothing twice.
            outcome: gives the job's result.

        Raises:
            Cancelled: the job has ended already; nothing is published.
        """
        ids = np.concatenate([np.empty(0, np.int64), *self._ids])
        bounds = np.concatenate([np.empty((0, 4)), *self._bounds])
        table = self.layer.table
        with self._store._read() as connection:  # noqa: SLF001
            present = self._count_others(connection)
            self.tally.gone = self._gone(connection)
        early = len(ids) > 0 and self._bulk.index_early(present, len(ids))
        for start in range(0, len(ids), ROWS_AT_ONCE) if early else ():
            with self._store._write() as (connection, _):  # noqa: SLF001
                self._check_there(connection)
                end = start + ROWS_AT_ONCE
                self._bulk.index(connection, table, ids[start:end], bounds[start:end])
        with self._store._write() as (connection, at):  # noqa: SLF001
            self._check_there(connection)
            effective = self._seen_from(connection)
            removed = [self._replace(connection, effective)]
            if prune:
                removed.append(self._prune(connection, effective, at, touched=touched))
            if len(ids) and not early:
                self._bulk.index(connection, table, ids, bounds)
            added = _box(bounds)
            for box in removed:
                if box is not None:
                    spatial(connection).touched(connection, table, at, removed=box)
            spatial(connection).touched(connection, table, at, added=added)
            values = {
                "at": at,
                "created": self.tally.added,
                "updated": self.tally.updated,
                "deleted": self.tally.deleted,
                "published": True,
                "seen_from": None if effective == self.number else effective,
            }
            connection.execute(sa.update(changesets).where(changesets.c.number == self.number).values(values))
            if job is not None:
                jobs.complete(connection, job, outcome(self.tally) if outcome else {}, at=at)
        self.published = True
        return self.tally

    def _count_others(self, connection: Connection) -> int:
        c = self.layer.table.c
        found = sa.select(sa.func.count()).select_from(self.layer.table).where(c.changeset != self.number)
        return connection.execute(found).scalar_one()

    def _gone(self, connection: Connection) -> list[int]:
        """Annotations of this source that bear an id of its own, and that it does not have any more."""
        if not self._named:
            return []
        c = self.layer.table.c
        of_source = sa.select(c.id).where(
            c.external_id.is_not(None), c.source == self._source, c.changeset != self.number, *visible(self.layer)
        )
        there = np.array(connection.execute(of_source).scalars().all(), dtype=np.int64)
        seen = np.concatenate([np.empty(0, np.int64), *self._seen])
        gone: list[int] = np.setdiff1d(there, seen).tolist()
        return gone

    def _seen_from(self, connection: Connection) -> int:
        """The number from which on the import is seen: its own while it is the last one, else a new one, given out for it."""
        last = history.last_changeset(connection)
        if last <= self.number:
            return self.number
        made = (
            sa.insert(changesets).values(at=self._constants["created_at"], kind="import").returning(changesets.c.number)
        )
        number: int = connection.execute(made).scalar_one()
        connection.execute(sa.delete(changesets).where(changesets.c.number == number))
        return number

    def _replace(self, connection: Connection, effective: int) -> Bounds | None:
        """Put staged states in the place of the current ones; the box around what has moved."""
        if not self._compared:
            return None
        table = self.layer.table
        staged = table.alias("staged")
        boxes: list[NDArray[np.float64]] = []
        names = [column.name for column in table.c if column.name not in {"id", "version", *self._kept}]
        low = 0
        while True:
            wanted = (
                sa.select(-staged.c.id)
                .where(staged.c.changeset == self.number, staged.c.id < low)
                .order_by(staged.c.id.desc())
                .limit(ROWS_AT_ONCE)
            )
            ids = list(connection.execute(wanted).scalars())
            if not ids:
                break
            low = -ids[-1]
            rows = _by_id(connection, table, ids)
            # What was edited after it was compared is overwritten like what was edited before.
            self._overwritten |= {row["id"] for row in rows if row["version"] != self._compared[row["id"]]}
            history.keep(connection, self.layer, rows, until=effective)
            boxes.append(shapely.bounds(spatial(connection).decode([row["geom"] for row in rows])))
            there = [row["id"] for row in rows]
            for start in range(0, len(there), 1000):
                some = there[start : start + 1000]
                change = sa.update(table).where(table.c.id.in_(some), staged.c.id == -table.c.id)
                connection.execute(
                    change.values({name: staged.c[name] for name in names} | {"version": table.c.version + 1})
                )
            moved = _by_id(connection, table, there)
            boxes.append(shapely.bounds(spatial(connection).decode([row["geom"] for row in moved])))
            self.tally.updated += len(there)
        self.tally.overwritten = len(self._overwritten)
        connection.execute(sa.delete(table).where(table.c.changeset == self.number, table.c.id < 0))
        return _box(np.concatenate(boxes)) if boxes else None

    def _prune(self, connection: Connection, effective: int, at: str, *, touched: bool) -> Bounds | None:
        """Delete what the source does not have any more; the box around it."""
        table = self.layer.table
        boxes = [np.empty((0, 4))]
        for start in range(0, len(self.tally.gone), ROWS_AT_ONCE):
            rows = _by_id(connection, table, self.tally.gone[start : start + ROWS_AT_ONCE])
            rows = [row for row in rows if touched or row["version"] == 1]
            if not rows:
                continue
            history.keep(connection, self.layer, rows, until=effective)
            last = [
                dict(row) | {"version": row["version"] + 1, "updated_at": at, "changeset": self.number} for row in rows
            ]
            history.keep(connection, self.layer, last, until=None, operation="delete")
            boxes.append(shapely.bounds(spatial(connection).decode([row["geom"] for row in rows])))
            for some in _parts([row["id"] for row in rows]):
                connection.execute(sa.delete(table).where(table.c.id.in_(some)))
            self.tally.deleted += len(rows)
        return _box(np.concatenate(boxes))


def _by_name(
    connection: Connection, table: Table, wanted: tuple[ColumnElement[bool], ...], names: list[str]
) -> list[RowMapping]:
    """Rows by the ids that their source gave them."""
    found: list[RowMapping] = []
    for some in _parts(names):
        found += connection.execute(sa.select(table).where(table.c.external_id.in_(some), *wanted)).mappings()
    return found


def _by_id(connection: Connection, table: Table, ids: list[int]) -> list[RowMapping]:
    found: list[RowMapping] = []
    for some in _parts(ids):
        found += connection.execute(sa.select(table).where(table.c.id.in_(some)).order_by(table.c.id)).mappings()
    return found


def _parts(values: list[Any]) -> Iterator[list[Any]]:
    """As many at a time as one statement may be asked for."""
    for start in range(0, len(values), 5000):
        yield values[start : start + 5000]


def _value(state: RowMapping, name: str) -> Any:
    """A column of a state, of a project's table or of history, where attributes are one column."""
    if name in state:
        return state[name]
    return (state["attributes"] or {}).get(name)


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, dict) and isinstance(other, str):  # `external`, decoded and not
        return bool(one == orjson.loads(other))
    return bool(one == other)


def _plain(value: Any) -> Any:
    """A value as the driver takes it: JSON is text in both databases."""
    return orjson.dumps(value).decode() if isinstance(value, dict) else value


def _box(bounds: NDArray[np.float64]) -> Bounds | None:
    if not len(bounds):
        return None
    low, high = np.nanmin(bounds, axis=0).tolist(), np.nanmax(bounds, axis=0).tolist()
    return low[0], low[1], high[2], high[3]
