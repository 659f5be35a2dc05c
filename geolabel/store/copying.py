"""A whole workspace copied into an empty one, whichever databases the two are: ids, versions, history and snapshots stay.

The tables are walked as SQLAlchemy sees them, so that a column added later comes along. Left behind are imports that are
still at work and, save where a workspace is to go on elsewhere, jobs and the answers kept for repeated requests.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
import sqlalchemy as sa

from geolabel.errors import AlreadyExists, StoreFailed
from geolabel.store import layers
from geolabel.store.dialect import spatial
from geolabel.store.layers import visible
from geolabel.store.tables import changesets, idempotency, jobs, metadata, projects

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from sqlalchemy import ColumnElement, Connection, Table

    from geolabel.store.layers import Layer
    from geolabel.store.store import Store

    Progress = Callable[[float, str], None]

_WORK = {jobs.name, idempotency.name}
_ROWS_AT_ONCE = 5_000


@dataclass(frozen=True, slots=True)
class CopyReport:
    """What was copied, and proven to be there.

    Attributes:
        source: name of the workspace that was copied.
        target: name of the copy.
        projects: number of annotations of each project, by its id.
        rows: number of rows of each table, by its name.
        sha256: of all rows in order, geometries as ISO WKB: the same whichever database holds them.
    """

    source: str
    target: str
    projects: Mapping[str, int]
    rows: Mapping[str, int]
    sha256: str

    def to_json(self) -> dict[str, Any]:
        """The object that `--json` gives."""
        return {
            "source": self.source,
            "target": self.target,
            "projects": dict(self.projects),
            "rows": dict(self.rows),
            "sha256": self.sha256,
        }


def copy_workspace(source: Store, target: Store, *, work: bool = False, progress: Progress | None = None) -> CopyReport:
    """Copy everything that a workspace holds at this moment; people may go on working in it.

    Args:
        source: what to copy.
        target: an empty workspace; it holds the whole copy afterwards, or nothing.
        work: whether jobs and the answers kept for repeated requests come along, as they do in a backup. The files of
            imports that wait lie beside a workspace and are not copied.
        progress: called with a share and a sentence.

    Raises:
        AlreadyExists: the target holds something.
        StoreFailed: the copy is not equal to the original, and is not kept; or a database could not do it.
    """
    tell = progress or (lambda _share, _message: None)
    with source._read() as origin, target._write() as (copy, at):  # noqa: SLF001 (a part of the Store)
        _check_empty(copy, target.name)
        pages: list[_Page] = [
            _Page(table, origin, copy) for table in metadata.sorted_tables if work or table.name not in _WORK
        ]
        found = layers.find_all(origin, coverage=True)
        pages += [_LayerPage(layers.find(origin, project.id), origin, copy) for project in found]
        total = 2 * max(sum(page.count() for page in pages), 1)
        done = 0
        sums: list[_Sum] = []
        for page in pages:
            page.begin(at)
            sums.append(_Sum(page.name))
            for rows in page.read(origin):
                sums[-1].add(rows)
                page.write(rows)
                done += len(rows)
                tell(done / total, f"Copying {page.name}")
            page.end(at)
        for page, expected in zip(pages, sums, strict=True):
            there = _Sum(page.name)
            for rows in page.read(copy):
                there.add(rows)
                done += len(rows)
                tell(done / total, f"Checking {page.name}")
            if (there.rows, there.sha256) != (expected.rows, expected.sha256):
                raise StoreFailed(
                    f"The copy in {target.name} is not what was copied: {page.name} should hold {expected.rows} rows of hash "
                    f"{expected.sha256[:12]}, but holds {there.rows} of {there.sha256[:12]}. Nothing of it was kept."
                )
    tell(1.0, "Copied")
    return CopyReport(
        source=source.name,
        target=target.name,
        projects={s.name: s.rows for page, s in zip(pages, sums, strict=True) if isinstance(page, _LayerPage)},
        rows={s.name: s.rows for s in sums},
        sha256=hashlib.sha256("".join(s.sha256 for s in sums).encode()).hexdigest(),
    )


def _check_empty(copy: Connection, name: str) -> None:
    for table in metadata.sorted_tables:
        if copy.execute(sa.select(sa.literal(1)).select_from(table).limit(1)).first():
            raise AlreadyExists(
                f"The workspace {name} is not empty (it has rows in {table.name}): copy into a new one, made by `geolabel init`."
            )


class _Sum:
    """Number and SHA-256 of the rows of a table."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.rows = 0
        self._hash = hashlib.sha256()

    def add(self, rows: Sequence[Mapping[str, Any]]) -> None:
        # The ASCII form of a row tells types apart, keeps every bit of a double, and is the same in every Python.
        if rows and "geom" in rows[0]:
            for wkb in shapely.to_wkb(np.array([row["geom"] for row in rows], dtype=object), flavor="iso"):
                self._hash.update(wkb)
        plain = (tuple(value for name, value in row.items() if name != "geom") for row in rows)
        self._hash.update("".join(map(ascii, plain)).encode())
        self.rows += len(rows)

    @property
    def sha256(self) -> str:
        """Hexadecimal."""
        return self._hash.hexdigest()


class _Page:
    """A table of the workspace on its way from one database into another; shapes travel as shapely objects.

    Attributes:
        name: of the table.
    """

    def __init__(self, table: Table, origin: Connection, copy: Connection) -> None:
        self.name = table.name
        self._table, self._origin, self._copy = table, origin, copy
        self._last = 0

    def count(self) -> int:
        """Rows to copy."""
        counted = sa.select(sa.func.count()).select_from(self._table).where(*self._wanted())
        return self._origin.execute(counted).scalar_one()

    def begin(self, at: str) -> None:
        """Make the table, where it is not there."""

    def read(self, connection: Connection) -> Iterator[list[dict[str, Any]]]:
        """The rows in order of their keys, from either side."""
        select = sa.select(self._table).where(*self._wanted()).order_by(*self._table.primary_key)
        result = connection.execute(select, execution_options={"yield_per": _ROWS_AT_ONCE})
        for part in result.mappings().partitions():
            rows = [dict(row) for row in part]
            if "geom" in self._table.c:
                for row, shape in zip(rows, spatial(connection).decode([row["geom"] for row in rows]), strict=True):
                    row["geom"] = shape
            if self._table is projects:
                for row in rows:  # each database has a number of its own for a CRS, and `crs` says which one it is
                    del row["srs_id"]
            yield rows

    def write(self, rows: Sequence[dict[str, Any]]) -> None:
        """Put rows into the copy."""
        self._copy.execute(sa.insert(self._table), self._encoded(rows))
        (key,) = self._table.primary_key
        self._last = rows[-1][key.name]

    def end(self, at: str) -> None:  # noqa: ARG002 (a layer keeps it)
        """What belongs to the table beside its rows."""
        last = max(self._last, spatial(self._origin).last_id(self._origin, self._table))
        spatial(self._copy).keep_ids(self._copy, self._table, last)

    def _wanted(self) -> list[ColumnElement[bool]]:
        return [changesets.c.published == sa.true()] if self._table is changesets else []

    def _encoded(self, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        if self._table is projects:
            return [{**row, "srs_id": spatial(self._copy).register_crs(self._copy, row["crs"])} for row in rows]
        if "geom" not in self._table.c:
            return list(rows)
        encoded: list[dict[str, Any]] = []
        for srs_id, group in groupby(rows, key=self._srs_id):
            several = list(group)
            shapes = np.array([row["geom"] for row in several], dtype=object)
            blobs = spatial(self._copy).encode(shapes, srs_id)
            encoded += [{**row, "geom": blob} for row, blob in zip(several, blobs, strict=True)]
        return encoded

    def _srs_id(self, row: Mapping[str, Any]) -> int:
        return self._srs_ids[row["project"]]

    @cached_property
    def _srs_ids(self) -> dict[int, int]:
        return {row.key: row.srs_id for row in self._copy.execute(sa.select(projects.c.key, projects.c.srs_id))}


class _LayerPage(_Page):
    """The table of a project."""

    def __init__(self, layer: Layer, origin: Connection, copy: Connection) -> None:
        super().__init__(layer.table, origin, copy)
        self._layer = layer

    def begin(self, at: str) -> None:
        """See _Page."""
        title = self._layer.project.title
        spatial(self._copy).create_layer(self._copy, self._table, self._srs_ids[self._layer.key], title, at)

    def end(self, at: str) -> None:
        """See _Page."""
        super().end(at)
        extent = spatial(self._origin).extent(self._origin, self._table)
        spatial(self._copy).touched(self._copy, self._table, at, added=extent)
        spatial(self._copy).settle(self._copy, self._table)

    def _wanted(self) -> list[ColumnElement[bool]]:
        return visible(self._layer)

    def _srs_id(self, row: Mapping[str, Any]) -> int:  # noqa: ARG002 (a layer has one)
        return self._srs_ids[self._layer.key]
