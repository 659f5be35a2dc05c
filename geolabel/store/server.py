"""Open a workspace in a PostGIS database: what the server must have and allow, each with a sentence when it does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from geolabel.errors import InvalidInput, NotFound, StoreFailed
from geolabel.settings import data_folder, load_settings
from geolabel.store import migrations, postgres
from geolabel.store.dialect import Database
from geolabel.store.failures import said_in_sentences

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Connection, Engine

_OLDEST_POSTGRESQL = 13
_OLDEST_POSTGIS = (3, 1)


def open_database(url: str, *, create: bool) -> Database:
    """Open the workspace in a database.

    Args:
        url: `postgresql://USER@HOST:PORT/DATABASE`.
        create: make the workspace when there is none; the database itself must be there.

    Raises:
        InvalidInput: the URL cannot be read.
        NotFound: no workspace in the database, and `create` was not asked for.
        StoreFailed: the server cannot be reached, lacks something, does not allow it, or holds a newer workspace.
    """
    parts = postgres.parse_url(url)
    name = postgres.shown(parts)
    settings = load_settings(workspace=url)
    engine = postgres.make_engine(parts, pool_size=settings.pool_size)
    try:
        with said_in_sentences(name):
            _check_server(engine, name, settings.pool_size)
            _bring_up_to_date(engine, name, create=create)
            folder = _folder(engine, settings.data_dir, name)
    except BaseException:
        engine.dispose()
        raise
    return Database(name=name, location=url, folder=folder, engine=engine, busy_seconds=postgres.BUSY_SECONDS)


def _check_server(engine: Engine, name: str, pool_size: int) -> None:
    with engine.connect() as connection:
        version, encoding = connection.exec_driver_sql(
            "SELECT current_setting('server_version_num')::int / 10000, current_setting('server_encoding')"
        ).one()
        if version < _OLDEST_POSTGRESQL:
            raise StoreFailed(
                f"The database {name} is PostgreSQL {version}; a workspace needs {_OLDEST_POSTGRESQL} or newer."
            )
        if encoding != "UTF8":
            raise StoreFailed(
                f"The database {name} keeps text as {encoding}, which cannot hold every name: make one with "
                "CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0."
            )
        allowed = connection.exec_driver_sql(_CONNECTIONS).scalar_one()
    # A server and the worker of its jobs have a pool each.
    if 2 * pool_size > allowed:
        raise InvalidInput(
            f"GEOLABEL_POOL_SIZE is {pool_size}, so a server and its worker may open {2 * pool_size} connections, but the "
            f"database {name} allows {allowed}: set it to {max(allowed // 2, 1)} or less, or raise max_connections there."
        )


# What the server, the database and the role allow; -1 is no limit.
_CONNECTIONS = """
SELECT least(
  current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int,
  (SELECT nullif(datconnlimit, -1) FROM pg_database WHERE datname = current_database()),
  (SELECT nullif(rolconnlimit, -1) FROM pg_roles WHERE rolname = current_user)
)
"""


def _bring_up_to_date(engine: Engine, name: str, *, create: bool) -> None:
    with engine.connect() as connection:
        revision = migrations.revision(connection)
        has_postgis = _postgis(connection) is not None
    if revision == migrations.HEAD:
        return
    if revision is None and not create:
        raise NotFound(f"There is no workspace in {name}. `geolabel init -w {name}` makes one.")
    with engine.execution_options(write=True).begin() as connection:
        if not has_postgis:
            _add_postgis(connection, name)
        version = _postgis(connection)
        if version is None or version < _OLDEST_POSTGIS:
            raise StoreFailed(
                f"The database {name} has PostGIS {version}; a workspace needs {_OLDEST_POSTGIS} or newer."
            )
        migrations.upgrade(connection, name)
    engine.dispose()  # connections look for PostGIS once, when they are made


def _postgis(connection: Connection) -> tuple[int, ...] | None:
    found = connection.exec_driver_sql("SELECT extversion FROM pg_extension WHERE extname = 'postgis'").scalar()
    return None if found is None else tuple(int(part) for part in str(found).split(".")[:2])


def _add_postgis(connection: Connection, name: str) -> None:
    try:
        with connection.begin_nested():
            connection.exec_driver_sql("CREATE EXTENSION IF NOT EXISTS postgis SCHEMA public")
    except sa.exc.DBAPIError as error:
        words = str(error.orig).splitlines()[0]
        raise StoreFailed(
            f"The database {name} has no PostGIS, and adding it failed ({words}): install it on the server, then let an "
            "administrator run CREATE EXTENSION postgis in the database."
        ) from error


def _folder(engine: Engine, data_dir: Path | None, name: str) -> Path:
    """Where the files of the workspace are: a folder of its own, on whichever path it was reached."""
    with engine.connect() as connection:
        identity, database = connection.exec_driver_sql("SELECT id, current_database() FROM geolabel_workspace").one()
    folder = data_dir.absolute() if data_dir is not None else data_folder() / f"{database}-{identity[:8]}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreFailed(
            f"The folder {folder} for the files of the workspace {name} cannot be made: {error.strerror}. "
            "Name another with GEOLABEL_DATA_DIR."
        ) from error
    return folder
