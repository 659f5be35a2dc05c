"""The seam between the Store and a database: what SQLAlchemy Core cannot say the same way in both.

The functions of the nouns take a connection and ask `spatial(connection)` for these few things; everything else they
say in Core. The two sides are `geolabel.store.geopackage.GeoPackage` and `geolabel.store.postgis.PostGIS`.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray
    from shapely.geometry.base import BaseGeometry
    from sqlalchemy import ColumnElement, Connection, Engine, Table

    from geolabel.attributes import AttributeKind
    from geolabel.cql.nodes import Predicate, Wild
    from geolabel.model import Bounds


@dataclass(frozen=True)
class Database:
    """A database that is open and up to date.

    Attributes:
        name: as messages say it, without a password.
        location: what opens it again, in another process; it may hold a password.
        folder: for files beside the database.
        engine: its connections read from one snapshot; one with the execution option `write` alone may write.
        busy_seconds: how long a write waits for another one.
        closing: to be entered while the connections are closed for good.
    """

    name: str
    location: str = field(repr=False)
    folder: Path
    engine: Engine
    busy_seconds: float
    closing: AbstractContextManager[None] = field(default_factory=nullcontext)


class Spatial(Protocol):
    """Geometry in one database."""

    def register_crs(self, connection: Connection, crs: str | None) -> int:
        """Id of a CRS in the database's table of CRSs; it is added when it is not there. InvalidCRS when unreadable."""

    def create_layer(self, connection: Connection, table: Table, srs_id: int, title: str, at: str) -> None:
        """Make a project's table with its spatial index."""

    def describe_layer(self, connection: Connection, table: Table, title: str, at: str) -> None:
        """Keep the title that other programs show."""

    def drop_layer(self, connection: Connection, table: Table) -> None:
        """Remove a project's table and its spatial index."""

    def touched(
        self,
        connection: Connection,
        table: Table,
        at: str,
        *,
        added: Bounds | None = None,
        removed: Bounds | None = None,
    ) -> None:
        """Keep extent and time of change right after rows have come (`added`) or gone (`removed`), by their boxes."""

    def mark(self, connection: Connection) -> Hashable | None:
        """What stays the same, on one connection to the database, until somebody writes; None when there is no such thing.

        It is of the transaction that the connection is in, which begins now when it is in none.
        """

    def extent(self, connection: Connection, table: Table) -> Bounds | None:
        """The box around all rows, exact; None when there are none."""

    def reserve_ids(self, connection: Connection, table: Table, count: int) -> range:
        """The next ids of a table, never given out before."""

    def last_id(self, connection: Connection, table: Table) -> int:
        """The largest id that a table ever gave out, a project's or one of ours; 0 when none."""

    def keep_ids(self, connection: Connection, table: Table, last: int) -> None:
        """Never give out ids up to `last`, after rows came that brought their own."""

    def settle(self, connection: Connection, table: Table) -> None:
        """Right after very many rows came: let the database look at them, for its plans."""

    def encode(self, geometries: NDArray[np.object_], srs_id: int) -> list[bytes]:
        """Shapely objects (n,) to what the geometry column takes."""

    def decode(self, values: Sequence[bytes]) -> NDArray[np.object_]:
        """What the geometry column gives to shapely objects (n,)."""

    def overlapping(self, table: Table, bbox: Bounds) -> ColumnElement[bool]:
        """Rows whose indexed box meets `bbox`: all that touch it, and perhaps some that do not."""

    def within(self, table: Table, bbox: Bounds) -> ColumnElement[bool]:
        """Rows whose indexed box lies in `bbox`: they touch it for certain."""

    def crossing(self, table: Table, bbox: Bounds, inner: Bounds | None = None) -> ColumnElement[bool]:
        """Rows that are `overlapping` a box but not `within` an inner one; that is the box itself when None."""

    def relates(self, table: Table, predicate: Predicate, geometry: BaseGeometry, srs_id: int) -> ColumnElement[bool]:
        """Rows whose exact geometry stands so to another one in the same CRS; the index serves."""

    def fold(self, text: ColumnElement[str]) -> ColumnElement[str]:
        """A text as `geolabel.cql.scalars.fold` gives it."""

    def sortable(self, text: ColumnElement[str]) -> ColumnElement[str]:
        """A text that compares by code point, whatever the language of the database."""

    def like(self, text: ColumnElement[str], pattern: Sequence[str | Wild]) -> ColumnElement[bool]:
        """Texts that match a pattern, upper and lower case being different."""

    def time_limit(self, connection: Connection, seconds: float) -> AbstractContextManager[float]:
        """Stop statements in the block when its time is over, at the moment (`time.monotonic`) that it gives.

        `said_in_sentences` makes TooSlow of it.
        """

    def as_json(self, columns: Mapping[str, tuple[AttributeKind, ColumnElement[Any]]]) -> ColumnElement[Any]:
        """The values of attributes, kind and column by name, as the JSON object that history keeps; NULL without any."""


def spatial(connection: Connection) -> Spatial:
    """The spatial side of the database at the other end of a connection."""
    dialect: Spatial = connection.get_execution_options()["spatial"]
    return dialect
