"""A PostgreSQL server as the home of a workspace: its address, its connections, its transactions.

Everything of ours is in the database schema `geolabel`. One connection writes at a time, in READ COMMITTED after it has
taken the advisory lock of the workspace, so that change sets get their numbers in the order of their commits; readers
see one snapshot (REPEATABLE READ, READ ONLY).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from geolabel.errors import InvalidInput, StoreFailed
from geolabel.store.migrations import SCHEMA
from geolabel.store.postgis import PostGIS

try:
    import psycopg
    from psycopg.conninfo import conninfo_to_dict
except ImportError as error:
    raise StoreFailed(
        f"A PostGIS workspace needs the database driver psycopg, which cannot be loaded ({error}): pip install 'geolabel[postgis]'."
    ) from error

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection, Engine

BUSY_SECONDS = 10.0
"""How long a write waits for another one."""

READ_SECONDS = 300.0
"""How long a statement of a reader may take that has no limit of its own."""

_WRITER = int.from_bytes(b"geolabel", "big")
"""The advisory lock that the one who writes holds; such locks are of one database."""

# What a URL does not say. A server must notice within a minute that we are gone, or it would keep our locks.
_DEFAULTS = {
    "application_name": "geolabel",
    "connect_timeout": "10",
    "keepalives_idle": "20",
    "keepalives_interval": "10",
    "keepalives_count": "3",
}
_ON_CONNECT = f"""
SELECT set_config('search_path', concat_ws(', ', '{SCHEMA}', quote_ident(home.nspname)), false),
  set_config('statement_timeout', %s, false),
  set_config('tcp_keepalives_idle', '20', false),
  set_config('tcp_keepalives_interval', '10', false),
  set_config('tcp_keepalives_count', '3', false)
FROM (SELECT 1) one
LEFT JOIN (SELECT nspname FROM pg_extension JOIN pg_namespace n ON n.oid = extnamespace WHERE extname = 'postgis') home
  ON true
"""  # noqa: S608 (a constant)
# Lock last: what the others set holds for it, and for all of this transaction.
_ON_WRITE = f"""
SELECT set_config('lock_timeout', %s, true), set_config('statement_timeout', '0', true),
  set_config('idle_in_transaction_session_timeout', '600000', true),
  set_config('synchronous_commit', CASE WHEN current_setting('synchronous_commit') = 'off' THEN 'on'
    ELSE current_setting('synchronous_commit') END, true),
  set_config('geolabel.writing', 'on', true), pg_advisory_xact_lock({_WRITER})
"""


def parse_url(url: str) -> Mapping[str, str]:
    """The parts of a workspace's URL, as libpq names them.

    Args:
        url: `postgresql://USER@HOST:PORT/DATABASE`, with any option of libpq behind a `?`.

    Raises:
        InvalidInput: it cannot be read; the message does not repeat it, for there may be a password in it.
    """
    plain = re.sub(r"\Apostgresql\+psycopg:", "postgresql:", url)
    try:
        parts = {name: str(value) for name, value in conninfo_to_dict(plain).items() if value is not None}
    except (psycopg.Error, UnicodeError):
        parts = {}
    # A password with an @ or a / of its own is cut there, and would be shown as a part of the host or the port.
    odd = "@" in parts.get("host", "") + parts.get("dbname", "") or re.search(r"[^\d,]", parts.get("port", ""))
    if not parts or odd:
        raise InvalidInput(
            "The URL of the workspace cannot be read: expected postgresql://USER@HOST:PORT/DATABASE. "
            "In a password, write %40 for @, %3A for :, %2F for / and %25 for %."
        )
    return parts


def shown(parts: Mapping[str, str]) -> str:
    """The address of a database without its password."""
    user = f"{parts['user']}@" if parts.get("user") else ""
    port = f":{parts['port']}" if parts.get("port") else ""
    host = parts.get("host") or parts.get("hostaddr") or ""
    return f"postgresql://{user}{'' if host.startswith('/') else host}{port}/{parts.get('dbname', '')}"


def make_engine(parts: Mapping[str, str], *, pool_size: int) -> Engine:
    """An engine on a database.

    Args:
        parts: of its URL.
        pool_size: at most so many connections at once.
    """
    given: dict[str, Any] = {**_DEFAULTS, **parts, "client_encoding": "utf8"}

    def connect() -> psycopg.Connection[Any]:
        connection = psycopg.connect(**given, autocommit=True, cursor_factory=BinaryCursor)
        try:
            connection.server_cursor_factory = BinaryServerCursor
            connection.execute(_ON_CONNECT, (f"{READ_SECONDS * 1000:.0f}",))
            connection.autocommit = False
        except BaseException:
            connection.close()
            raise
        return connection

    engine = sa.create_engine(
        "postgresql+psycopg://",
        creator=connect,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=BUSY_SECONDS,
        pool_pre_ping=True,  # a server that was started anew costs nobody an error
        use_native_hstore=False,
        execution_options={"spatial": PostGIS()},
    )

    @sa.event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        write = connection.get_execution_options().get("write", False)
        driver: psycopg.Connection[Any] = connection.connection.driver_connection  # type: ignore[assignment]
        levels = psycopg.IsolationLevel
        driver.isolation_level = levels.READ_COMMITTED if write else levels.REPEATABLE_READ
        driver.read_only = not write
        if write:
            connection.exec_driver_sql(_ON_WRITE, (f"{BUSY_SECONDS * 1000:.0f}",))

    return engine


class BinaryCursor(psycopg.Cursor[Any]):
    """Rows come as PostgreSQL keeps them: doubles exact, geometries as EWKB, no hexadecimal digits in between."""

    def __init__(self, connection: psycopg.Connection[Any], **options: Any) -> None:
        super().__init__(connection, **options)
        self.format = psycopg.pq.Format.BINARY


class BinaryServerCursor(psycopg.ServerCursor[Any]):
    """The same, for rows that are fetched in parts."""

    def __init__(self, *given: Any, **options: Any) -> None:
        super().__init__(*given, **options)
        self.format = psycopg.pq.Format.BINARY

    def __del__(self, *_: Any) -> None:
        """A reader that stops early leaves it open; it ends with the transaction."""
