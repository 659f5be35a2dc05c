"""Geometry in PostGIS: a table with a GiST index per project, geometries as EWKB with their doubles bit for bit.

What a GeoPackage keeps in `gpkg_contents` and `sqlite_sequence` is here in `geolabel_layers`: the exact extent of a table
and the last id that it gave out, both changed in the transaction that changes the rows.
"""

from __future__ import annotations

import hashlib
import re
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable, DropTable, SetTableComment
from sqlalchemy.types import UserDefinedType

from geolabel.cql.nodes import Wild
from geolabel.geo.crs import definition, same
from geolabel.model import CRS84
from geolabel.store.guard import guard_table
from geolabel.store.tables import changesets

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray
    from shapely.geometry.base import BaseGeometry
    from sqlalchemy import ColumnElement, Connection, Table

    from geolabel.attributes import AttributeKind
    from geolabel.cql.nodes import Predicate
    from geolabel.model import Bounds

_USER_SRIDS = (910_000, 998_999)
"""Ids for CRSs that PostGIS does not bring; it keeps those above to itself."""

_MAX_TEXT = 2048
_FLOAT_MAX = np.nextafter(np.float32(np.finfo(np.float32).max), np.float32(0))

_layers = sa.table(
    "geolabel_layers",
    sa.column("name", sa.Text),
    sa.column("last_id", sa.BigInteger),
    sa.column("last_change", sa.Text),
    *(sa.column(name, sa.Double) for name in ("min_x", "min_y", "max_x", "max_y")),
)


class _Geometry(UserDefinedType[bytes]):
    """A geometry column; with the schema of PostGIS, because a project's table may be called `geometry`."""

    cache_ok = True

    def __init__(self, home: str) -> None:
        self.home = home

    def get_col_spec(self, **_: Any) -> str:
        return f'"{self.home}".geometry'


def _home(connection: Connection) -> str:
    """The schema that PostGIS is installed in."""
    home: str = connection.exec_driver_sql(
        "SELECT nspname FROM pg_extension JOIN pg_namespace n ON n.oid = extnamespace WHERE extname = 'postgis'"
    ).scalar_one()
    return home


def _own_name(table: Table, what: str) -> str:
    """Name of an index or a constraint: tables and indexes share their names, and no project's begins with `geolabel_`."""
    return f"geolabel_{hashlib.sha256(table.name.encode()).hexdigest()[:16]}_{what}"


class PostGIS:
    """`geolabel.store.dialect.Spatial` for PostGIS."""

    def register_crs(self, connection: Connection, crs: str | None) -> int:
        """See Spatial. Coordinates in PostGIS are x, y always, so EPSG:4326 there means CRS84."""
        if crs is None:
            return 0
        if same(crs, CRS84):
            return 4326
        organization, code, wkt = definition(crs)
        known = sa.table(
            "spatial_ref_sys",
            *map(sa.column, ("srid", "auth_name", "auth_srid", "srtext", "proj4text")),
            schema=_home(connection),
        )
        c = known.c
        # A CRS without a code goes by its text; that may be longer than its column.
        name = organization if code is not None else f"geolabel:{hashlib.sha256(wkt.encode()).hexdigest()[:16]}"
        mine = (c.auth_name == name) & c.auth_srid.is_not_distinct_from(code)
        found: int | None = connection.execute(sa.select(sa.func.min(c.srid)).where(mine)).scalar()
        if found is not None:
            return found
        free = sa.select(sa.func.coalesce(sa.func.max(c.srid) + 1, _USER_SRIDS[0])).where(c.srid.between(*_USER_SRIDS))
        srid: int = connection.execute(free).scalar_one()
        if organization == "EPSG" and not connection.execute(sa.select(c.srid).where(c.srid == code)).first():
            srid = int(code or 0)
        text = wkt if len(wkt) <= _MAX_TEXT else None
        connection.execute(sa.insert(known).values(srid=srid, auth_name=name, auth_srid=code, srtext=text))
        return srid

    def create_layer(self, connection: Connection, table: Table, srs_id: int, title: str, at: str) -> None:
        """See Spatial. The column takes both two and three dimensions, which a type with an SRID would not."""
        made = table.to_metadata(sa.MetaData())
        made.c.geom.type = _Geometry(_home(connection))
        made.c.id.autoincrement = False
        made.primary_key.name = _own_name(table, "pk")
        made.append_constraint(
            sa.CheckConstraint(
                sa.func.ST_SRID(made.c.geom) == sa.literal_column(str(srs_id)), _own_name(table, "srid")
            ),
        )
        connection.execute(CreateTable(made))
        for what, columns in (("geom", "USING gist (geom)"), ("class", "(class)"), ("changeset", "(changeset)")):
            connection.exec_driver_sql(f'CREATE INDEX {_own_name(table, what)} ON "{table.name}" {columns}')
        connection.exec_driver_sql(
            f'CREATE INDEX {_own_name(table, "external_id")} ON "{table.name}" (external_id) WHERE external_id IS NOT NULL'
        )
        guard_table(connection, table.name)
        connection.execute(sa.insert(_layers).values(name=table.name, last_id=0, last_change=at))
        self.describe_layer(connection, table, title, at)

    def describe_layer(self, connection: Connection, table: Table, title: str, at: str) -> None:
        """See Spatial."""
        named = sa.Table(table.name, sa.MetaData(), comment=title)
        connection.execute(SetTableComment(named))
        connection.execute(sa.update(_layers).where(_layers.c.name == table.name).values(last_change=at))

    def drop_layer(self, connection: Connection, table: Table) -> None:
        """See Spatial."""
        connection.execute(sa.delete(_layers).where(_layers.c.name == table.name))
        connection.execute(DropTable(table))

    def touched(
        self,
        connection: Connection,
        table: Table,
        at: str,
        *,
        added: Bounds | None = None,
        removed: Bounds | None = None,
    ) -> None:
        """See Spatial."""
        c = _layers.c
        values: dict[str, Any] = {"last_change": at}
        before = self.extent(connection, table)
        if before is not None and removed is not None and _reaches(removed, before):
            values |= dict(zip(_EXTENT, self._extent(connection, table, before, added), strict=True))
        elif added is not None:
            values |= {
                "min_x": sa.func.least(c.min_x, added[0]),
                "min_y": sa.func.least(c.min_y, added[1]),
                "max_x": sa.func.greatest(c.max_x, added[2]),
                "max_y": sa.func.greatest(c.max_y, added[3]),
            }
        connection.execute(sa.update(_layers).where(c.name == table.name).values(values))

    def _extent(
        self, connection: Connection, table: Table, before: Bounds, added: Bounds | None
    ) -> tuple[float | None, ...]:
        """The exact extent, by the index: it finds a box (float32) next to each side, and all that may lie further out.

        Args:
            connection: in a write transaction.
            table: the layer.
            before: a box around all rows, save `added`.
            added: a box around rows that came since.
        """
        x0, y0, x1, y1 = before
        if added is not None:
            x0, y0, x1, y1 = min(x0, added[0]), min(y0, added[1]), max(x1, added[2]), max(y1, added[3])
        geom, staged = table.c.geom, sa.select(changesets.c.number).where(changesets.c.published.is_(sa.false()))
        seen = table.c.changeset.not_in(staged)
        found: list[float | None] = []
        for bound, side, strip, pick in (
            (sa.func.ST_XMin, (x0, y0, x0, y1), lambda v: (x0, y0, v, y1), sa.func.min),
            (sa.func.ST_YMin, (x0, y0, x1, y0), lambda v: (x0, y0, x1, v), sa.func.min),
            (sa.func.ST_XMax, (x1, y0, x1, y1), lambda v: (v, y0, x1, y1), sa.func.max),
            (sa.func.ST_YMax, (x0, y1, x1, y1), lambda v: (x0, v, x1, y1), sa.func.max),
        ):
            nearest = sa.select(bound(geom)).where(seen).order_by(geom.op("<#>")(_envelope(side))).limit(1)
            reach = connection.execute(nearest).scalar()
            if reach is None:
                return (None,) * 4
            outermost = sa.select(pick(bound(geom))).where(seen, geom.op("&&")(_envelope(strip(reach))))
            found.append(connection.execute(outermost).scalar())
        return tuple(found)

    def mark(self, connection: Connection) -> None:
        """See Spatial. PostgreSQL has nothing that is quicker to ask."""

    def extent(self, connection: Connection, table: Table) -> Bounds | None:
        """See Spatial."""
        c = _layers.c
        row = connection.execute(sa.select(*(c[name] for name in _EXTENT)).where(c.name == table.name)).one()
        return None if row.min_x is None else (row.min_x, row.min_y, row.max_x, row.max_y)

    def reserve_ids(self, connection: Connection, table: Table, count: int) -> range:
        """See Spatial."""
        c = _layers.c
        taken = sa.update(_layers).where(c.name == table.name).values(last_id=c.last_id + count).returning(c.last_id)
        last: int = connection.execute(taken).scalar_one()
        return range(last - count + 1, last + 1)

    def last_id(self, connection: Connection, table: Table) -> int:
        """See Spatial."""
        own = connection.execute(sa.select(_layers.c.last_id).where(_layers.c.name == table.name)).scalar()
        if own is None:
            own = connection.execute(sa.select(sa.func.pg_sequence_last_value(_serial(table)))).scalar()
        return own or 0

    def keep_ids(self, connection: Connection, table: Table, last: int) -> None:
        """See Spatial."""
        if last <= self.last_id(connection, table):
            return
        own = sa.update(_layers).where(_layers.c.name == table.name).values(last_id=last)
        if connection.execute(own).rowcount == 0:
            connection.execute(sa.select(sa.func.setval(_serial(table), last)))

    def settle(self, connection: Connection, table: Table) -> None:
        """See Spatial."""
        connection.exec_driver_sql(f'ANALYZE "{table.name}"')

    def encode(self, geometries: NDArray[np.object_], srs_id: int) -> list[bytes]:
        """See Spatial. Source: PostGIS, `ST_AsEWKB`."""
        placed = shapely.set_srid(geometries, srs_id)
        encoded: list[bytes] = shapely.to_wkb(
            placed, output_dimension=3, byte_order=1, include_srid=True, flavor="extended"
        ).tolist()
        return encoded

    def decode(self, values: Sequence[bytes]) -> NDArray[np.object_]:
        """See Spatial."""
        array = np.empty(len(values), dtype=object)
        array[:] = values
        shapes: NDArray[np.object_] = shapely.set_srid(shapely.from_wkb(array), 0)
        return shapes

    def overlapping(self, table: Table, bbox: Bounds) -> ColumnElement[bool]:
        """See Spatial. The index rounds both boxes outwards to float32, so it never misses."""
        return table.c.geom.bool_op("&&")(_envelope(bbox))

    def within(self, table: Table, bbox: Bounds) -> ColumnElement[bool]:
        """See Spatial. The box is rounded inwards to float32 first, so that what lies in it does so exactly."""
        inner = _inwards(bbox)
        return sa.false() if inner is None else table.c.geom.bool_op("@")(_envelope(inner))

    def crossing(self, table: Table, bbox: Bounds, inner: Bounds | None = None) -> ColumnElement[bool]:
        """See Spatial."""
        return self.overlapping(table, bbox) & sa.not_(self.within(table, bbox if inner is None else inner))

    def relates(self, table: Table, predicate: Predicate, geometry: BaseGeometry, srs_id: int) -> ColumnElement[bool]:
        """See Spatial."""
        other = sa.func.ST_GeomFromEWKB(sa.literal(shapely.to_wkb(geometry), sa.LargeBinary()))
        exact: ColumnElement[bool] = getattr(sa.func, f"ST_{predicate}")(
            table.c.geom, sa.func.ST_SetSRID(other, srs_id)
        )
        return self.overlapping(table, geometry.bounds) & exact

    def fold(self, text: ColumnElement[str]) -> ColumnElement[str]:
        """See Spatial. Without a collation of ICU, `lower` knows the letters of one language only."""
        return sa.func.replace(sa.func.lower(sa.collate(text, "und-x-icu")), "ς", "σ")  # noqa: RUF001 (both are Greek)

    def sortable(self, text: ColumnElement[str]) -> ColumnElement[str]:
        """See Spatial."""
        return sa.collate(text, "C")

    def like(self, text: ColumnElement[str], pattern: Sequence[str | Wild]) -> ColumnElement[bool]:
        """See Spatial."""
        whole = "".join(_LIKE[p] if isinstance(p, Wild) else _PLAIN.sub(r"\\\g<0>", p) for p in pattern)
        return text.like(sa.literal(whole, sa.Text()))

    def as_json(self, columns: Mapping[str, tuple[AttributeKind, ColumnElement[Any]]]) -> ColumnElement[Any]:
        """See Spatial. jsonb keeps all digits of a number."""
        items = list(columns.items())
        whole: ColumnElement[Any] = sa.null()
        for start in range(0, len(items), 50):  # a function takes a hundred arguments at most
            some = items[start : start + 50]
            words = (word for name, (_, column) in some for word in (sa.literal(name, sa.Text()), column))
            part = sa.func.jsonb_build_object(*words)
            whole = part if start == 0 else whole.op("||")(part)
        return sa.cast(sa.func.jsonb_strip_nulls(whole), sa.Text) if items else whole

    @contextmanager
    def time_limit(self, connection: Connection, seconds: float) -> Iterator[float]:
        """See Spatial."""
        limit = sa.func.set_config("statement_timeout", sa.bindparam("limit", type_=sa.Text), sa.true())
        connection.execute(sa.select(limit), {"limit": f"{max(seconds, 0.001) * 1000:.0f}"})
        yield time.monotonic() + seconds
        connection.execute(sa.select(limit), {"limit": "0"})  # not after an error: then the transaction is over


_LIKE = {Wild.ANY: "%", Wild.ONE: "_"}
_PLAIN = re.compile(r"[%_\\]")
_EXTENT = ("min_x", "min_y", "max_x", "max_y")


def _serial(table: Table) -> ColumnElement[Any]:
    """The sequence behind the key of one of our tables."""
    (key,) = table.primary_key
    return sa.cast(sa.func.pg_get_serial_sequence(table.name, key.name), postgresql.REGCLASS)


def _envelope(bbox: Bounds) -> ColumnElement[Any]:
    return sa.func.ST_MakeEnvelope(*map(float, bbox))


def _reaches(box: Bounds, extent: Bounds) -> bool:
    """Whether a box touches the edge of the extent that it was part of."""
    return box[0] <= extent[0] or box[1] <= extent[1] or box[2] >= extent[2] or box[3] >= extent[3]


def _inwards(bbox: Bounds) -> Bounds | None:
    """The largest box of float32 numbers in a box; None when there is none."""
    exact = np.array(bbox)
    with np.errstate(over="ignore"):
        rounded = exact.astype(np.float32)
        outside = np.where([True, True, False, False], rounded < exact, rounded > exact)
        step = np.array([np.inf, np.inf, -np.inf, -np.inf], dtype=np.float32)
        inner = np.where(outside, np.nextafter(rounded, step), rounded)
    # PostGIS takes what is too large for a float32 for the largest: a box that ends there may go on.
    inner[:2], inner[2:] = np.maximum(inner[:2], -_FLOAT_MAX), np.minimum(inner[2:], _FLOAT_MAX)
    min_x, min_y, max_x, max_y = inner.astype(np.float64).tolist()
    return None if min_x > max_x or min_y > max_y else (min_x, min_y, max_x, max_y)
