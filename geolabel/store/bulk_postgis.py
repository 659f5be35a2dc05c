"""Bulk work on PostGIS: rows by binary COPY; the GiST index grows with them, and readers leave out what is not published."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import shapely
import sqlalchemy as sa

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray
    from sqlalchemy import Connection, Engine, Table

    from geolabel.geo.ragged import Ragged

_IMPORTS = int.from_bytes(b"glbl", "big")
"""The first half of the advisory locks of imports; the second is the number of the change set."""

_TYPES = sa.text(
    "SELECT attname, format_type(atttypid, NULL) FROM pg_attribute "
    "WHERE attrelid = to_regclass(quote_ident(:table)) AND attnum > 0 AND NOT attisdropped"
)


class BulkPostGIS:
    """`geolabel.store.bulk.Bulk` for PostGIS."""

    def encode(self, shapes: Ragged, srs_id: int) -> list[bytes]:
        """See Bulk."""
        placed = shapely.set_srid(shapes.to_shapely(), srs_id)
        encoded: list[bytes] = shapely.to_wkb(
            placed, output_dimension=3, byte_order=1, include_srid=True, flavor="extended"
        ).tolist()
        return encoded

    def insert(
        self, connection: Connection, table: Table, columns: Mapping[str, Sequence[Any]], constants: Mapping[str, Any]
    ) -> None:
        """See Bulk."""
        fixed = {name: value for name, value in constants.items() if value is not None}
        names = [*fixed, *columns]
        found = connection.execute(_TYPES, {"table": table.name})
        types = {name: kind for name, kind in found}  # noqa: C416 (rows of two, which dict() has no type for)
        driver: Any = connection.connection.driver_connection
        listed = ", ".join(f'"{name}"' for name in names)
        geometry = names.index("geom")
        with (
            driver.cursor() as cursor,
            cursor.copy(f'COPY "{table.name}" ({listed}) FROM STDIN (FORMAT BINARY)') as copy,
        ):
            # The input function of a geometry reads EWKB as it comes, which is what bytes are sent as.
            copy.set_types(["bytea" if i == geometry else types[name] for i, name in enumerate(names)])
            shared = list(fixed.values())
            for row in zip(*columns.values(), strict=True):
                copy.write_row([*shared, *row])

    def index_early(self, present: int, staged: int) -> bool:  # noqa: ARG002 (a GeoPackage looks at them)
        """See Bulk."""
        return False

    def index(self, connection: Connection, table: Table, ids: NDArray[np.int64], bounds: NDArray[np.float64]) -> None:
        """See Bulk. The rows are in the index since they were put in."""

    @contextmanager
    def claim(self, engine: Engine, folder: Path, number: int) -> Iterator[bool]:  # noqa: ARG002 (a GeoPackage needs it)
        """See Bulk. A lock of a session goes with the connection, and that with the process."""
        connection: Any = engine.raw_connection()
        driver = connection.driver_connection
        try:
            with driver.cursor() as cursor:
                cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", (_IMPORTS, number))
                claimed = bool(cursor.fetchone()[0])
            driver.rollback()  # the lock stays, and no snapshot is held
            try:
                yield claimed
            finally:
                if claimed:
                    with driver.cursor() as cursor:
                        cursor.execute("SELECT pg_advisory_unlock(%s, %s)", (_IMPORTS, number))
                    driver.rollback()
        finally:
            connection.close()
