"""Alembic runs this; `geolabel.store.migrations.upgrade` brings the connection, which is in a transaction already."""

from __future__ import annotations

from alembic import context

# SQLite's DDL rolls back like any other statement once the transaction was begun explicitly.
context.configure(connection=context.config.attributes["connection"], transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
