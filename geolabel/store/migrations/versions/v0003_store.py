"""Attributes, time, external ids, coverage; change sets that can be counted and reverted, snapshots, idempotency, PROJ operations."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from geolabel.store.dialect import spatial
from geolabel.store.guard import guard_lifted, guard_table
from geolabel.store.tables import Instant, Json, Key, Shape

revision = "0003"
down_revision = "0002"

_COVERAGE = (
    '[{"id":1,"name":"seen","color":"#2a8b6c","hotkey":null,"parent":null,"kind":"stuff","geometries":["polygon"],'
    '"priority":0,"description":"Ground that was looked at: it is labelled, or empty."},'
    '{"id":2,"name":"ignore","color":"#9aa0a6","hotkey":null,"parent":null,"kind":"stuff","geometries":["polygon"],'
    '"priority":1,"description":"Ground that no dataset shall learn from."}]'
)
_history = sa.table(
    "geolabel_history", *map(sa.column, ("project", "id", "version", "operation", "changeset", "until"))
)
_changesets = sa.table("geolabel_changesets", *map(sa.column, ("number", "created", "updated", "deleted")))
_projects = sa.table(
    "geolabel_projects",
    *map(sa.column, ("key", "id", "title", "crs", "srs_id", "unlabelled", "on_invalid", "created_at", "coverage_of")),
    sa.column("classes", sa.Text),
)


def upgrade() -> None:
    """Widen the tables of a workspace; what is there stays as it is."""
    bind = op.get_bind()
    found = bind.execute(sa.select(_projects.c.key, _projects.c.id).order_by(_projects.c.key)).all()
    _widen([name for _, name in found])
    tables = [_snapshots(), _idempotency(), _operations()]
    for table in tables:
        guard_table(bind, table.name)
    if bind.dialect.name == "sqlite":
        for table in tables:
            bind.exec_driver_sql(
                "INSERT INTO gpkg_contents (table_name, data_type, identifier) VALUES (?, 'attributes', ?)",
                (table.name, table.name),
            )
        with guard_lifted(bind):  # a new PostgreSQL workspace begins with this revision and holds nothing yet
            for key, name in found:
                _count_changes(key, name)
                _add_coverage(key)


def _widen(projects: list[str]) -> None:
    column: sa.Column[Any]
    for column in (
        sa.Column("attributes", Json, nullable=False, server_default="[]"),
        sa.Column("guidelines", sa.Text, nullable=False, server_default=""),
        sa.Column("require_if_match", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("coverage_of", Key),
    ):
        op.add_column("geolabel_projects", column)
    counted: tuple[sa.Column[Any], ...] = (
        sa.Column("kind", sa.Text, nullable=False, server_default="edit"),
        sa.Column("comment", sa.Text),
        *(sa.Column(name, Key, nullable=False, server_default="0") for name in ("created", "updated", "deleted")),
        sa.Column("reverts", Key),
        sa.Column("published", sa.Boolean, nullable=False, server_default=sa.true()),
        sa.Column("seen_from", Key),
    )
    for column in counted:
        op.add_column("geolabel_changesets", column)
    for table in ("geolabel_history", *projects):
        for column in (
            *(sa.Column(name, sa.Text) for name in ("valid_from", "valid_to", "track", "external_id")),
            sa.Column("external", Json),
        ):
            op.add_column(table, column)
    for name in ("published", "seen_from"):
        op.create_index(f"ix_geolabel_changesets_{name}", "geolabel_changesets", [name])
    for table in projects:
        op.create_index(f"ix_{table}_changeset", table, ["changeset"])
        op.create_index(
            f"ix_{table}_external_id", table, ["external_id"], sqlite_where=sa.text("external_id IS NOT NULL")
        )
    op.add_column("geolabel_history", sa.Column("attributes", Json))
    op.add_column("geolabel_history", sa.Column("until", Key))
    op.create_index("ix_geolabel_history_until", "geolabel_history", ["project", "until"])
    op.create_index("ix_geolabel_history_changeset", "geolabel_history", ["project", "changeset"])
    op.add_column("geolabel_jobs", sa.Column("worker", sa.Text))


def _count_changes(key: int, name: str) -> None:
    """Say of each state in history what replaced it, and of each change set how much it changed."""
    bind = op.get_bind()
    now = sa.table(name, *map(sa.column, ("id", "version", "changeset")))
    later = _history.alias()
    successor = sa.func.coalesce(
        sa.select(later.c.changeset)
        .where(later.c.project == key, later.c.id == _history.c.id, later.c.version == _history.c.version + 1)
        .scalar_subquery(),
        sa.select(now.c.changeset)
        .where(now.c.id == _history.c.id, now.c.version == _history.c.version + 1)
        .scalar_subquery(),
    )
    bind.execute(sa.update(_history).where(_history.c.project == key).values(until=successor))
    current = sa.select(now.c.changeset, sa.case((now.c.version == 1, "create"), else_="update").label("operation"))
    past = sa.select(_history.c.changeset, _history.c.operation).where(_history.c.project == key)
    every = sa.union_all(current, past).subquery()
    counted = sa.select(every.c.changeset, every.c.operation, sa.func.count()).group_by(
        every.c.changeset, every.c.operation
    )
    for changeset, operation, count in bind.execute(counted).all():
        bind.execute(
            sa.update(_changesets).where(_changesets.c.number == changeset).values({f"{operation}d": count}),
        )


def _add_coverage(key: int) -> None:
    bind = op.get_bind()
    project = bind.execute(sa.select(_projects).where(_projects.c.key == key)).mappings().one()
    name = f"{project['id']}.coverage"
    bind.execute(
        sa.insert(_projects).values(
            {
                **{n: project[n] for n in ("crs", "srs_id", "unlabelled", "on_invalid", "created_at")},
                "id": name,
                "title": f"{project['title']}: coverage",
                "classes": _COVERAGE,
                "coverage_of": key,
            }
        )
    )
    table = sa.Table(
        name,
        sa.MetaData(),
        sa.Column("id", Key, primary_key=True),
        sa.Column("geom", Shape, nullable=False),
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
        *(sa.Column(n, sa.Text) for n in ("valid_from", "valid_to", "track", "external_id")),
        sa.Column("external", Json),
        sqlite_autoincrement=True,
    )
    spatial(bind).create_layer(
        bind, table, project["srs_id"], f"{project['title']}: coverage", str(project["created_at"])
    )


def _snapshots() -> sa.Table:
    return op.create_table(
        "geolabel_snapshots",
        sa.Column("key", Key, primary_key=True),
        sa.Column("project", Key, sa.ForeignKey("geolabel_projects.key", ondelete="CASCADE"), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("changeset", Key, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
        sa.Column("count", Key, nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.Column("author", sa.Text),
        sa.Column("note", sa.Text),
        sa.Column("schema", Json, nullable=False),
        sa.UniqueConstraint("project", "name"),
        sqlite_autoincrement=True,
    )


def _idempotency() -> sa.Table:
    table = op.create_table(
        "geolabel_idempotency",
        sa.Column("serial", Key, primary_key=True),
        sa.Column("project", Key, sa.ForeignKey("geolabel_projects.key", ondelete="CASCADE"), nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("fingerprint", sa.Text, nullable=False),
        sa.Column("result", Json, nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.UniqueConstraint("project", "key"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_geolabel_idempotency_at", "geolabel_idempotency", ["at"])
    return table


def _operations() -> sa.Table:
    return op.create_table(
        "geolabel_operations",
        sa.Column("key", Key, primary_key=True),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("target", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("pipeline", sa.Text, nullable=False),
        sa.Column("accuracy", sa.Double),
        sa.Column("at", Instant, nullable=False),
        sa.UniqueConstraint("source", "target"),
        sqlite_autoincrement=True,
    )
