"""What differs between two moments of a project, found among what was changed between them and nothing else."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import shapely
import sqlalchemy as sa

from geolabel.store import layers
from geolabel.store.changesets import PAST
from geolabel.store.dialect import spatial
from geolabel.store.history import last_changeset
from geolabel.store.past import changeset_at
from geolabel.store.pastrows import hidden_at
from geolabel.store.states import attributes_in, to_annotations
from geolabel.store.tables import history

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sqlalchemy import Connection, FromClause, RowMapping

    from geolabel.model import Annotation
    from geolabel.store.layers import Layer

    Places = Mapping[int, int | None]
    """By id of an annotation: the key of its state in history, or None for the row of the project's table."""

_AT_ONCE = 500

NOW = "now"
"""The moment of the last change set, beside what `changeset_at` takes."""

FACETS: Mapping[str, tuple[str, ...]] = {
    "class": ("class",),
    "status": ("status",),
    "note": ("note",),
    "confidence": ("confidence",),
    "scene": ("scene",),
    "validity": ("valid_from", "valid_to"),
    "track": ("track",),
    "provenance": ("source", "author", "external_id", "external"),
}
"""What of an annotation can be different, with the columns that hold it; `geometry` and `attributes` beside them."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One annotation that is different.

    Attributes:
        id: of the annotation.
        change: `added`, `changed` or `deleted`.
        what: what is different in a changed one: `geometry`, `attributes`, or of `FACETS`.
        before: its state at the one moment; None when it was not there.
        after: its state at the other moment; None when it was not there.
    """

    id: int
    change: str
    what: tuple[str, ...]
    before: Annotation | None
    after: Annotation | None

    def to_json(self) -> dict[str, Any]:
        """The object that HTTP and `--json` give, without the states themselves."""
        versions = [None if state is None else state.version for state in (self.before, self.after)]
        return {"id": self.id, "change": self.change, "what": list(self.what), "versions": versions}


@dataclass(frozen=True, slots=True)
class Diff:
    """What is different at `b` from what was at `a`; the same content in another version is no difference.

    Attributes:
        a: number of a change set.
        b: number of a change set.
        added: how many annotations are there at `b` only.
        changed: how many are there at both and differ.
        deleted: how many are there at `a` only.
        entries: those that were asked for, in order of id.
    """

    a: int
    b: int
    added: int
    changed: int
    deleted: int
    entries: tuple[Entry, ...]

    def to_json(self) -> dict[str, Any]:
        """The object that HTTP and `--json` give, without the entries."""
        counts = {name: getattr(self, name) for name in ("added", "changed", "deleted")}
        return {"from": self.a, "to": self.b, **counts}


def diff(connection: Connection, project: str, a: str | int, b: str | int, *, after: int, limit: int | None) -> Diff:
    """What differs between two moments. See Store.diff."""
    start, end = (
        last_changeset(connection) if moment == NOW else changeset_at(connection, project, moment) for moment in (a, b)
    )
    span = _Span(connection, layers.find(connection, project), min(start, end), max(start, end))
    new, old = (span.came(), span.went()) if start <= end else (span.went(), span.came())
    changed = span.changed(old, new)
    kinds = dict.fromkeys(changed, "changed")
    kinds |= dict.fromkeys(new.keys() - old.keys(), "added")
    kinds |= dict.fromkeys(old.keys() - new.keys(), "deleted")
    counts = Counter(kinds.values())
    listed = sorted(id_ for id_ in kinds if id_ > after)[:limit]
    before, now = span.annotations(old, listed), span.annotations(new, listed)
    return Diff(
        a=start,
        b=end,
        added=counts["added"],
        changed=counts["changed"],
        deleted=counts["deleted"],
        entries=tuple(Entry(id_, kinds[id_], changed.get(id_, ()), before.get(id_), now.get(id_)) for id_ in listed),
    )


class _Span:
    """What came and what went between two change sets."""

    def __init__(self, connection: Connection, layer: Layer, first: int, last: int) -> None:
        self._connection, self._layer = connection, layer
        self._first, self._last = first, last
        self._unseen = hidden_at(connection, first), hidden_at(connection, last)

    def came(self) -> Places:
        """The states that are there at the end and were not at the start."""
        table, c = self._layer.table.c, history.c
        later = sa.select(c.id, c.key).where(
            c.project == self._layer.key, c.operation != "delete", *self._made(history)
        )
        places = {id_: key for id_, key in self._connection.execute(later.where(c.until > self._last))}  # noqa: C416
        now = sa.select(table.id).where(*self._made(self._layer.table))
        return places | dict.fromkeys(self._connection.execute(now).scalars())

    def _made(self, table: FromClause) -> tuple[sa.ColumnElement[bool], ...]:
        made = table.c.changeset
        since = sa.or_(made > self._first, made.in_(self._unseen[0]))
        return made <= self._last, made.not_in(self._unseen[1]), since

    def went(self) -> Places:
        """The states that were there at the start and are not at the end."""
        c = history.c
        ended = sa.select(c.id, c.key).where(
            c.project == self._layer.key,
            c.operation != "delete",
            c.changeset <= self._first,
            c.changeset.not_in(self._unseen[0]),
            c.until > self._first,
            c.until <= self._last,
        )
        return {id_: key for id_, key in self._connection.execute(ended)}  # noqa: C416 (rows have no type for dict)

    def changed(self, old: Places, new: Places) -> dict[int, tuple[str, ...]]:
        """Of annotations that were there at both ends: those that differ, and in what."""
        differing: dict[int, tuple[str, ...]] = {}
        both = sorted(old.keys() & new.keys())
        for start in range(0, len(both), _AT_ONCE):
            ids = both[start : start + _AT_ONCE]
            before, now = (sorted(self._rows(places, ids), key=itemgetter("id")) for places in (old, new))
            shapes = [
                shapely.to_wkb(spatial(self._connection).decode([row["geom"] for row in s])) for s in (before, now)
            ]
            for a, b, reshaped in zip(before, now, shapes[0] != shapes[1], strict=True):
                if what := tuple(self._facets(a, b, reshaped=bool(reshaped))):
                    differing[a["id"]] = what
        return differing

    def _facets(self, old: RowMapping, new: RowMapping, *, reshaped: bool) -> Iterator[str]:
        if reshaped:
            yield "geometry"
        for name, columns in FACETS.items():
            if any(old[column] != new[column] for column in columns):
                yield name
        if attributes_in(old, self._layer) != attributes_in(new, self._layer):
            yield "attributes"

    def annotations(self, places: Places, ids: Sequence[int]) -> dict[int, Annotation]:
        """The states of some annotations, by id."""
        found = to_annotations(self._connection, list(self._rows(places, ids)), self._layer)
        return {annotation.id: annotation for annotation in found}

    def _rows(self, places: Places, ids: Sequence[int]) -> Iterator[RowMapping]:
        there = [id_ for id_ in ids if id_ in places]
        for start in range(0, len(there), _AT_ONCE):
            some = {id_: places[id_] for id_ in there[start : start + _AT_ONCE]}
            keys = [key for key in some.values() if key is not None]
            now = [id_ for id_, key in some.items() if key is None]
            table = self._layer.table
            for select, wanted in (
                (sa.select(*PAST).where(history.c.key.in_(keys)), keys),
                (sa.select(table).where(table.c.id.in_(now)), now),
            ):
                if wanted:
                    yield from self._connection.execute(select).mappings()
