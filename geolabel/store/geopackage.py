"""The embedded database: one SQLite file that is a valid GeoPackage, opened by plain `sqlite3`.

Each project has a feature table with the standard R*Tree index; QGIS and GDAL open the live file to read. Source: OGC
12-128r18 (GeoPackage 1.3.1), annexes C, D and F.3.
"""

from __future__ import annotations

import json
import re
import sqlite3
import time
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import shapely
import sqlalchemy as sa
from sqlalchemy.schema import CreateTable, DropTable

from geolabel.cql.nodes import Wild
from geolabel.geo.crs import definition, label, same
from geolabel.model import CRS84
from geolabel.store import blob, predicates
from geolabel.store.guard import guard_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray
    from shapely.geometry.base import BaseGeometry
    from sqlalchemy import ColumnElement, Connection, Engine, Table

    from geolabel.attributes import AttributeKind
    from geolabel.cql.nodes import Predicate
    from geolabel.model import Bounds

APPLICATION_ID = 0x47504B47
BUSY_SECONDS = 10.0
"""How long a write waits for another process that is writing."""

_FIRST_FREE_SRS_ID = 100_000
_STEPS = 10_000
"""Steps of SQLite's machine, about a millisecond, between two looks at the clock."""

_GLOB = {Wild.ANY: "*", Wild.ONE: "?"}
_PLAIN = re.compile(r"[*?\[]")
_WKT1 = re.compile(r"(GEOGCS|PROJCS|GEOCCS|LOCAL_CS|COMPD_CS)\[")

_srs = sa.table(
    "gpkg_spatial_ref_sys",
    *map(
        sa.column, ("srs_name", "srs_id", "organization", "organization_coordsys_id", "definition", "definition_12_063")
    ),
)
_contents = sa.table(
    "gpkg_contents",
    *map(sa.column, ("table_name", "data_type", "identifier", "description", "last_change", "srs_id")),
    *map(sa.column, ("min_x", "min_y", "max_x", "max_y")),
)
_geometry_columns = sa.table(
    "gpkg_geometry_columns",
    *map(sa.column, ("table_name", "column_name", "geometry_type_name", "srs_id", "z", "m")),
)
_extensions = sa.table(
    "gpkg_extensions",
    *map(sa.column, ("table_name", "column_name", "extension_name", "definition", "scope")),
)
_sequence = sa.table("sqlite_sequence", sa.column("name"), sa.column("seq"))
# Built once: every request asks it.
_EXTENT = sa.select(_contents.c.min_x, _contents.c.min_y, _contents.c.max_x, _contents.c.max_y).where(
    _contents.c.table_name == sa.bindparam("table")
)


def make_engine(path: Path) -> Engine:
    """An engine on an existing file; several threads and processes may have one each.

    Transactions are begun explicitly: a read takes a snapshot, and a connection with the execution option `write` takes
    the write lock at once, because an upgrade from read to write fails whatever the time-out.
    """

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(
            f"{path.as_uri()}?mode=rw",  # never make a file that somebody has just removed
            uri=True,
            timeout=BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            # FULL: an acknowledged change survives a power cut. Ours to pay for: 5 ms per edit on a local disk.
            for pragma in (
                "synchronous = FULL",
                "foreign_keys = ON",
                "cache_size = -16384",
                "journal_size_limit = 67108864",
            ):
                connection.execute(f"PRAGMA {pragma}")
            blob.register_functions(connection)
            predicates.register_functions(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    engine = sa.create_engine(
        "sqlite+pysqlite://",
        creator=connect,
        poolclass=sa.QueuePool,
        pool_size=4,
        max_overflow=-1,
        execution_options={"spatial": GeoPackage()},
    )

    @sa.event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        if connection.get_execution_options().get("write", False):
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        else:  # which waits for nobody, and every request does it
            driver: Any = connection.connection.driver_connection
            driver.execute("BEGIN")

    return engine


def use_log(engine: Engine) -> None:
    """Turn to write-ahead logging, which stays on while we are connected; another program may have turned it off before."""
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            _outside_transaction(engine, "PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            # The change of mode does not wait for other connections as everything else does.
            if (
                error.sqlite_errorcode not in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
                or time.monotonic() > deadline
            ):
                raise
            time.sleep(0.02)
        else:
            return


def settle(engine: Engine) -> None:
    """Bring what was written from the log into the file: GDAL looks for the header of a GeoPackage there and nowhere else."""
    _outside_transaction(engine, "PRAGMA wal_checkpoint(PASSIVE)")


def _outside_transaction(engine: Engine, pragma: str) -> None:
    connection = engine.raw_connection()
    try:
        connection.cursor().execute(pragma)
    finally:
        connection.close()


def is_blank(connection: Connection) -> bool:
    """Whether the file holds nothing yet."""
    return connection.exec_driver_sql("SELECT count(*) FROM sqlite_schema").scalar() == 0


def is_geopackage(connection: Connection) -> bool:
    """Whether the file says that it is a GeoPackage."""
    return connection.exec_driver_sql("PRAGMA application_id").scalar() == APPLICATION_ID


@lru_cache(maxsize=1024)
def _rtree(table: Table) -> sa.TableClause:
    return sa.table(
        f"rtree_{table.name}_geom",
        *(sa.column(name, sa.Double) for name in ("id", "minx", "maxx", "miny", "maxy")),
    )


def _create_index(connection: Connection, table: Table) -> None:
    """The R*Tree and its triggers, word for word as in annex F.3."""
    rtree = _rtree(table).name
    connection.exec_driver_sql(f'CREATE VIRTUAL TABLE "{rtree}" USING rtree(id, minx, maxx, miny, maxy)')
    box = "NEW.id, ST_MinX(NEW.geom), ST_MaxX(NEW.geom), ST_MinY(NEW.geom), ST_MaxY(NEW.geom)"
    put = f'INSERT OR REPLACE INTO "{rtree}" VALUES ({box})'  # noqa: S608 (a project's id is a slug)
    drop = f'DELETE FROM "{rtree}" WHERE id'  # noqa: S608 (a project's id is a slug)
    full = "(NEW.geom NOTNULL AND NOT ST_IsEmpty(NEW.geom))"
    blank = "(NEW.geom ISNULL OR ST_IsEmpty(NEW.geom))"
    for name, event, when, body in (
        ("insert", "INSERT", full, put),
        ("update1", "UPDATE OF geom", f"OLD.id = NEW.id AND {full}", put),
        ("update2", "UPDATE OF geom", f"OLD.id = NEW.id AND {blank}", f"{drop} = OLD.id"),
        ("update3", "UPDATE", f"OLD.id != NEW.id AND {full}", f"{drop} = OLD.id; {put}"),
        ("update4", "UPDATE", f"OLD.id != NEW.id AND {blank}", f"{drop} IN (OLD.id, NEW.id)"),
        ("delete", "DELETE", "OLD.geom NOT NULL", f"{drop} = OLD.id"),
    ):
        connection.exec_driver_sql(
            f'CREATE TRIGGER "{rtree}_{name}" AFTER {event} ON "{table.name}" WHEN {when} BEGIN {body}; END',
        )


class GeoPackage:
    """`geolabel.store.dialect.Spatial` for a GeoPackage."""

    def register_crs(self, connection: Connection, crs: str | None) -> int:
        """See Spatial. Coordinates in a GeoPackage are x, y always, so EPSG:4326 there means CRS84."""
        if crs is None:
            return -1
        if same(crs, CRS84):
            return 4326
        organization, code, wkt = definition(crs)
        texts = {"definition": wkt} if _WKT1.match(wkt) else {"definition": "undefined", "definition_12_063": wkt}
        known = sa.select(_srs.c.srs_id)
        if code is None:
            known = known.where(*(_srs.c[name] == value for name, value in texts.items()))
        else:
            known = known.where(_srs.c.organization == organization, _srs.c.organization_coordsys_id == code)
        found: int | None = connection.execute(known).scalar()
        if found is not None:
            return found
        free = connection.execute(sa.select(sa.func.max(_srs.c.srs_id) + 1)).scalar_one()
        srs_id = code if organization == "EPSG" and code is not None else max(free, _FIRST_FREE_SRS_ID)
        connection.execute(
            sa.insert(_srs).values(
                srs_name=label(crs),
                srs_id=srs_id,
                organization=organization,
                organization_coordsys_id=srs_id if code is None else code,
                **texts,
            ),
        )
        return srs_id

    def create_layer(self, connection: Connection, table: Table, srs_id: int, title: str, at: str) -> None:
        """See Spatial."""
        name = table.name
        connection.execute(CreateTable(table))
        for column in ("class", "changeset"):
            connection.exec_driver_sql(f'CREATE INDEX "ix_{name}_{column}" ON "{name}" ({column})')
        connection.exec_driver_sql(
            f'CREATE INDEX "ix_{name}_external_id" ON "{name}" (external_id) WHERE external_id IS NOT NULL'
        )
        connection.execute(
            sa.insert(_contents).values(
                table_name=name,
                data_type="features",
                identifier=name,
                description=title,
                last_change=at,
                srs_id=srs_id,
            ),
        )
        connection.execute(
            sa.insert(_geometry_columns).values(
                table_name=name,
                column_name="geom",
                geometry_type_name="GEOMETRY",
                srs_id=srs_id,
                z=2,  # allowed, not asked for
                m=0,
            ),
        )
        connection.execute(
            sa.insert(_extensions).values(
                table_name=name,
                column_name="geom",
                extension_name="gpkg_rtree_index",
                definition="http://www.geopackage.org/spec120/#extension_rtree",
                scope="write-only",
            ),
        )
        _create_index(connection, table)
        guard_table(connection, name)

    def describe_layer(self, connection: Connection, table: Table, title: str, at: str) -> None:
        """See Spatial."""
        connection.execute(
            sa.update(_contents).where(_contents.c.table_name == table.name).values(description=title, last_change=at),
        )

    def drop_layer(self, connection: Connection, table: Table) -> None:
        """See Spatial."""
        for kept in (_extensions, _geometry_columns, _contents):
            connection.execute(sa.delete(kept).where(kept.c.table_name == table.name))
        connection.execute(DropTable(table))
        connection.exec_driver_sql(f'DROP TABLE "{_rtree(table).name}"')

    def touched(
        self,
        connection: Connection,
        table: Table,
        at: str,
        *,
        added: Bounds | None = None,
        removed: Bounds | None = None,
    ) -> None:
        """See Spatial. The extent is that of the exact coordinates."""
        c = _contents.c
        mine = c.table_name == table.name
        values: dict[str, Any] = {"last_change": at}
        if (
            removed is not None
            and connection.execute(
                sa.select(c.table_name).where(
                    mine,
                    (c.min_x >= removed[0])
                    | (c.min_y >= removed[1])
                    | (c.max_x <= removed[2])
                    | (c.max_y <= removed[3]),
                ),
            ).scalar()
        ):
            values |= self._extent(connection, table)
        elif added is not None:
            values |= {
                "min_x": sa.func.min(sa.func.coalesce(c.min_x, added[0]), added[0]),
                "min_y": sa.func.min(sa.func.coalesce(c.min_y, added[1]), added[1]),
                "max_x": sa.func.max(sa.func.coalesce(c.max_x, added[2]), added[2]),
                "max_y": sa.func.max(sa.func.coalesce(c.max_y, added[3]), added[3]),
            }
        connection.execute(sa.update(_contents).where(mine).values(values))

    def _extent(self, connection: Connection, table: Table) -> dict[str, Any]:
        """The exact extent: the index (float32, rounded outwards) finds the outermost rows, their headers have the doubles."""
        rtree = _rtree(table)
        extent: dict[str, Any] = {}
        for name, bound, index, pick in (
            ("min_x", sa.func.ST_MinX, rtree.c.minx, sa.func.min),
            ("min_y", sa.func.ST_MinY, rtree.c.miny, sa.func.min),
            ("max_x", sa.func.ST_MaxX, rtree.c.maxx, sa.func.max),
            ("max_y", sa.func.ST_MaxY, rtree.c.maxy, sa.func.max),
        ):
            outermost = sa.select(rtree.c.id).where(index == sa.select(pick(index)).scalar_subquery())
            extent[name] = connection.execute(
                sa.select(pick(bound(table.c.geom))).where(table.c.id.in_(outermost)),
            ).scalar()
        return extent

    def mark(self, connection: Connection) -> tuple[int, int]:
        """See Spatial. SQLite counts what others have committed, and apart from that what this connection has written."""
        if not connection.in_transaction():
            connection.begin()
        driver: Any = connection.connection.driver_connection
        [version] = driver.execute("PRAGMA data_version").fetchone()
        return version, driver.total_changes

    def extent(self, connection: Connection, table: Table) -> Bounds | None:
        """See Spatial."""
        row = connection.execute(_EXTENT, {"table": table.name}).one()
        return None if row.min_x is None else (row.min_x, row.min_y, row.max_x, row.max_y)

    def reserve_ids(self, connection: Connection, table: Table, count: int) -> range:
        """See Spatial. Rows that are then inserted with these ids move the sequence on."""
        last = self.last_id(connection, table)
        return range(last + 1, last + 1 + count)

    def last_id(self, connection: Connection, table: Table) -> int:
        """See Spatial."""
        return connection.execute(sa.select(_sequence.c.seq).where(_sequence.c.name == table.name)).scalar() or 0

    def keep_ids(self, connection: Connection, table: Table, last: int) -> None:
        """See Spatial."""
        if last <= self.last_id(connection, table):
            return
        connection.execute(sa.delete(_sequence).where(_sequence.c.name == table.name))
        connection.execute(sa.insert(_sequence).values(name=table.name, seq=last))

    def settle(self, connection: Connection, table: Table) -> None:
        """See Spatial. SQLite plans by the indexes alone."""

    def encode(self, geometries: NDArray[np.object_], srs_id: int) -> list[bytes]:
        """See Spatial."""
        return blob.encode(geometries, srs_id)

    def decode(self, values: Sequence[bytes]) -> NDArray[np.object_]:
        """See Spatial."""
        return blob.decode(values)

    def overlapping(self, table: Table, bbox: Bounds) -> ColumnElement[bool]:
        """See Spatial. The index rounds outwards to float32, so it never misses."""
        return _indexed(table, _meets(_rtree(table), bbox))

    def within(self, table: Table, bbox: Bounds) -> ColumnElement[bool]:
        """See Spatial."""
        return _indexed(table, _lies_in(_rtree(table), bbox))

    def crossing(self, table: Table, bbox: Bounds, inner: Bounds | None = None) -> ColumnElement[bool]:
        """See Spatial."""
        rtree = _rtree(table)
        return _indexed(table, _meets(rtree, bbox) & ~_lies_in(rtree, bbox if inner is None else inner))

    def relates(self, table: Table, predicate: Predicate, geometry: BaseGeometry, srs_id: int) -> ColumnElement[bool]:  # noqa: ARG002
        """See Spatial. A function of ours looks at what the index finds."""
        wkb = sa.literal(shapely.to_wkb(geometry), sa.LargeBinary())
        relates = getattr(sa.func, predicates.RELATES)(table.c.geom, sa.literal(predicate, sa.Text()), wkb)
        exact: ColumnElement[bool] = relates == sa.true()
        return self.overlapping(table, geometry.bounds) & exact

    def fold(self, text: ColumnElement[str]) -> ColumnElement[str]:
        """See Spatial."""
        folded: ColumnElement[str] = getattr(sa.func, predicates.FOLD)(text)
        return folded

    def sortable(self, text: ColumnElement[str]) -> ColumnElement[str]:
        """See Spatial. SQLite compares the bytes of UTF-8, which is the order of code points."""
        return text

    def like(self, text: ColumnElement[str], pattern: Sequence[str | Wild]) -> ColumnElement[bool]:
        """See Spatial. SQLite's LIKE takes upper for lower case, its GLOB does not."""
        glob = "".join(_GLOB[piece] if isinstance(piece, Wild) else _PLAIN.sub(r"[\g<0>]", piece) for piece in pattern)
        return text.bool_op("GLOB")(sa.literal(glob, sa.Text()))

    def as_json(self, columns: Mapping[str, tuple[AttributeKind, ColumnElement[Any]]]) -> ColumnElement[Any]:
        """See Spatial."""
        json_: ColumnElement[Any] = sa.literal("{}", sa.Text())
        items = list(columns.items())
        for start in range(0, len(items), 100):  # as many arguments as a function takes
            some = items[start : start + 100]
            kinds = json.dumps({name: kind for name, (kind, _) in some})
            values = (column for _, (_, column) in some)
            json_ = getattr(sa.func, predicates.ATTRIBUTES)(json_, sa.literal(kinds, sa.Text()), *values)
        return json_ if columns else sa.null()

    @contextmanager
    def time_limit(self, connection: Connection, seconds: float) -> Iterator[float]:
        """See Spatial."""
        deadline = time.monotonic() + seconds
        driver: Any = connection.connection.driver_connection
        driver.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS)
        try:
            yield deadline
        finally:
            driver.set_progress_handler(None, 0)


def _indexed(table: Table, condition: ColumnElement[bool]) -> ColumnElement[bool]:
    return table.c.id.in_(sa.select(_rtree(table).c.id).where(condition))


def _meets(rtree: sa.TableClause, bbox: Bounds) -> ColumnElement[bool]:
    c = rtree.c
    return sa.and_(c.minx <= bbox[2], c.maxx >= bbox[0], c.miny <= bbox[3], c.maxy >= bbox[1])


def _lies_in(rtree: sa.TableClause, bbox: Bounds) -> ColumnElement[bool]:
    c = rtree.c
    return sa.and_(c.minx >= bbox[0], c.maxx <= bbox[2], c.miny >= bbox[1], c.maxy <= bbox[3])
