"""Alembic runs this; `geolabel.store.migrations.upgrade` brings the connection, which is in a transaction already."""

from __future__ import annotations

from alembic import context

from geolabel.store.migrations import SCHEMA

connection = context.config.attributes["connection"]
version_schema = None
if connection.dialect.name == "postgresql":
    # The record stands beside what it is about: another program's in `public` is none of ours.
    version_schema = SCHEMA
    known = connection.exec_driver_sql("SELECT 1 FROM pg_namespace WHERE nspname = %s", (SCHEMA,)).scalar()
    if not known:
        connection.exec_driver_sql(f"CREATE SCHEMA {SCHEMA}")
# SQLite's DDL rolls back like any other statement once the transaction was begun explicitly.
context.configure(connection=connection, transactional_ddl=True, version_table_schema=version_schema)
with context.begin_transaction():
    context.run_migrations()
