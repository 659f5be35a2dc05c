"""Bring a database to the form that this version of geolabel works with."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import inspect, text

from geolabel.errors import StoreFailed

if TYPE_CHECKING:
    from alembic.config import Config
    from sqlalchemy import Connection

HEAD = "0004"
"""The newest revision. Written out, so that opening a current workspace need not load Alembic."""

SCHEMA = "geolabel"
"""The schema of a PostgreSQL database that holds a workspace."""

# Alembic's `context` is one per process.
_alembic = threading.Lock()


def revision(connection: Connection) -> str | None:
    """The revision that a database is at; None when it has none."""
    schema = SCHEMA if connection.dialect.name == "postgresql" else None
    if not inspect(connection).has_table("alembic_version", schema=schema):
        return None
    found: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return found


def upgrade(connection: Connection, name: str) -> None:
    """Migrate to HEAD inside the transaction of `connection`: all of it and its record, or nothing.

    Args:
        connection: in a write transaction.
        name: of the workspace, for messages.

    Raises:
        StoreFailed: the database was made by a newer geolabel.
    """
    # Alembic takes 0.2 s to load and is needed only here.
    from alembic import command  # noqa: PLC0415
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    current = revision(connection)
    config = _config()
    known = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]
    if current is not None and current not in known:
        raise StoreFailed(
            f"The workspace {name} was made by a newer geolabel (format {current}, this version knows formats up to {HEAD}): "
            "update geolabel to open it.",
        )
    config.attributes["connection"] = connection
    with _alembic:
        command.upgrade(config, "head")


def _config() -> Config:
    from alembic.config import Config  # noqa: PLC0415 (see upgrade)

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    return config
