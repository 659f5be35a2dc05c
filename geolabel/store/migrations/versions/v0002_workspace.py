"""Scenes, projects, change sets, history and jobs; the guard against writes that make no version."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from geolabel.store.guard import guard_table
from geolabel.store.tables import Instant, Json, Key

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the tables of an empty workspace."""
    tables = [_scenes(), _projects(), _project_scenes(), _changesets(), _history(), _jobs()]
    op.create_index("ix_geolabel_changesets_project", "geolabel_changesets", ["project"])
    if op.get_bind().dialect.name == "sqlite":
        _register(tables)
    for table in tables:
        guard_table(op.get_bind(), table.name)


def _register(tables: list[sa.Table]) -> None:
    bind = op.get_bind()
    bind.exec_driver_sql("CREATE TABLE geolabel_guard (one INTEGER PRIMARY KEY CHECK (one = 1), open INTEGER NOT NULL)")
    bind.exec_driver_sql("INSERT INTO geolabel_guard VALUES (1, 0)")
    for table in tables:
        bind.exec_driver_sql(
            "INSERT INTO gpkg_contents (table_name, data_type, identifier) VALUES (?, 'attributes', ?)",
            (table.name, table.name),
        )


def _scenes() -> sa.Table:
    return op.create_table(
        "geolabel_scenes",
        sa.Column("key", Key, primary_key=True),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        sa.Column("href", sa.Text, nullable=False),
        sa.Column("version", sa.Text, nullable=False),
        sa.Column("crs", sa.Text),
        sa.Column("transform", Json, nullable=False),
        sa.Column("width", Key, nullable=False),
        sa.Column("height", Key, nullable=False),
        sa.Column("bands", Json, nullable=False),
        sa.Column("datetime", sa.Text),
        sa.Column("bounds", Json),
        sa.Column("resolution", sa.Double),
        sa.Column("synthetic", sa.Boolean, nullable=False),
        sa.Column("warnings", Json, nullable=False),
        sqlite_autoincrement=True,
    )


def _projects() -> sa.Table:
    return op.create_table(
        "geolabel_projects",
        sa.Column("key", Key, primary_key=True),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("crs", sa.Text),
        sa.Column("srs_id", sa.Integer, nullable=False),
        sa.Column("classes", Json, nullable=False),
        sa.Column("unlabelled", sa.Text, nullable=False),
        sa.Column("on_invalid", sa.Text, nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sqlite_autoincrement=True,
    )


def _project_scenes() -> sa.Table:
    return op.create_table(
        "geolabel_project_scenes",
        sa.Column("key", Key, primary_key=True),
        sa.Column("project", Key, sa.ForeignKey("geolabel_projects.key", ondelete="CASCADE"), nullable=False),
        sa.Column("scene", Key, sa.ForeignKey("geolabel_scenes.key"), nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.UniqueConstraint("project", "scene"),
    )


def _changesets() -> sa.Table:
    counted = sa.text("geolabel_next_changeset()") if op.get_bind().dialect.name == "postgresql" else None
    return op.create_table(
        "geolabel_changesets",
        sa.Column("number", Key, primary_key=True, server_default=counted),
        sa.Column("project", Key, sa.ForeignKey("geolabel_projects.key", ondelete="SET NULL")),
        sa.Column("at", Instant, nullable=False),
        sa.Column("author", sa.Text),
        sqlite_autoincrement=True,
    )


def _history() -> sa.Table:
    return op.create_table(
        "geolabel_history",
        sa.Column("key", Key, primary_key=True),
        sa.Column("project", Key, sa.ForeignKey("geolabel_projects.key", ondelete="CASCADE"), nullable=False),
        sa.Column("operation", sa.Text, nullable=False),
        sa.Column("id", Key, nullable=False),
        sa.Column("geom", sa.LargeBinary, nullable=False),
        sa.Column("class", sa.Text, nullable=False),
        sa.Column("note", sa.Text),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("confidence", sa.Double),
        sa.Column("scene", sa.Text),
        sa.Column("author", sa.Text),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("updated_at", Instant, nullable=False),
        sa.Column("version", Key, nullable=False),
        sa.Column("changeset", Key, nullable=False),
        sa.UniqueConstraint("project", "id", "version"),
        sqlite_autoincrement=True,
    )


def _jobs() -> sa.Table:
    return op.create_table(
        "geolabel_jobs",
        sa.Column("id", Key, primary_key=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("project", sa.Text, nullable=False),
        sa.Column("params", Json, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("progress", sa.Double, nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("result", Json),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("updated_at", Instant, nullable=False),
        sqlite_autoincrement=True,
    )
