"""The tables that both databases share, as SQLAlchemy Core sees them.

The migrations make them; a test holds the two against each other. Annotations rest in one table per project
(`features`), all other tables are called `geolabel_...`, so that a project's table can bear the project's name.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    false,
    true,
)
from sqlalchemy.types import TypeEngine, UserDefinedType

if TYPE_CHECKING:
    from sqlalchemy import Dialect

    from geolabel.attributes import Attribute, AttributeKind


class _Datetime(UserDefinedType[str]):
    """GeoPackage's DATETIME: RFC 3339 text, UTC, milliseconds."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        return "DATETIME"


class _Geometry(UserDefinedType[bytes]):
    """The geometry column of a GeoPackage feature table: a blob that `geolabel.store.blob` reads and writes."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        return "GEOMETRY"


class Json(TypeDecorator[Any]):
    """JSON in a text column, which every reader of the file can show. NaN is kept: it is a common nodata value."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:  # noqa: ARG002 (SQLAlchemy's signature)
        """Into the database."""
        return None if value is None else json.dumps(value, ensure_ascii=False, separators=(",", ":"))

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:  # noqa: ARG002 (SQLAlchemy's signature)
        """Out of the database."""
        return None if value is None else json.loads(value)


MAX_KEY = 2**63 - 1
"""The largest id that a database can hold: nothing has a larger one."""

Key = Integer().with_variant(BigInteger(), "postgresql")
Instant = Text().with_variant(_Datetime(), "sqlite")
Shape = LargeBinary().with_variant(_Geometry(), "sqlite")

metadata = MetaData()

scenes = Table(
    "geolabel_scenes",
    metadata,
    Column("key", Key, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("href", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("crs", Text),
    Column("transform", Json, nullable=False),
    Column("width", Key, nullable=False),
    Column("height", Key, nullable=False),
    Column("bands", Json, nullable=False),
    Column("datetime", Text),
    Column("bounds", Json),
    Column("resolution", Double),
    Column("synthetic", Boolean, nullable=False),
    Column("warnings", Json, nullable=False),
    Column("rendering", Json, nullable=False, server_default="{}"),
    sqlite_autoincrement=True,
)

projects = Table(
    "geolabel_projects",
    metadata,
    Column("key", Key, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("title", Text, nullable=False),
    Column("crs", Text),
    Column("srs_id", Integer, nullable=False),
    Column("classes", Json, nullable=False),
    Column("unlabelled", Text, nullable=False),
    Column("on_invalid", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("attributes", Json, nullable=False, server_default="[]"),
    Column("guidelines", Text, nullable=False, server_default=""),
    Column("require_if_match", Boolean, nullable=False, server_default=false()),
    Column("coverage_of", Key),
    sqlite_autoincrement=True,
)

project_scenes = Table(
    "geolabel_project_scenes",
    metadata,
    Column("key", Key, primary_key=True),
    Column("project", Key, ForeignKey("geolabel_projects.key", ondelete="CASCADE"), nullable=False),
    Column("scene", Key, ForeignKey("geolabel_scenes.key"), nullable=False),
    Column("position", Integer, nullable=False),
    UniqueConstraint("project", "scene"),
)

changesets = Table(
    "geolabel_changesets",
    metadata,
    Column("number", Key, primary_key=True),
    Column("project", Key, ForeignKey("geolabel_projects.key", ondelete="SET NULL"), index=True),
    Column("at", Instant, nullable=False),
    Column("author", Text),
    Column("kind", Text, nullable=False, server_default="edit"),
    Column("comment", Text),
    Column("created", Key, nullable=False, server_default="0"),
    Column("updated", Key, nullable=False, server_default="0"),
    Column("deleted", Key, nullable=False, server_default="0"),
    Column("reverts", Key),
    # False while a bulk import is staging its rows, which nobody sees until then.
    Column("published", Boolean, nullable=False, server_default=true(), index=True),
    # A staged import got its number before changes that were made meanwhile, and is seen only from this one on.
    Column("seen_from", Key, index=True),
    sqlite_autoincrement=True,
)


def _state(id_column: Column[int], shape: Column[bytes]) -> tuple[Column[Any], ...]:
    """The columns of one state of an annotation: the same in a project's table and in history."""
    return (
        id_column,
        shape,
        Column("class", Text, nullable=False),
        Column("note", Text),
        Column("status", Text, nullable=False),
        Column("source", Text, nullable=False),
        Column("confidence", Double),
        Column("scene", Text),
        Column("author", Text),
        Column("created_at", Instant, nullable=False),
        Column("updated_at", Instant, nullable=False),
        Column("version", Key, nullable=False),
        Column("changeset", Key, nullable=False),
        Column("valid_from", Text),
        Column("valid_to", Text),
        Column("track", Text),
        Column("external_id", Text),
        Column("external", Json),
    )


history = Table(
    "geolabel_history",
    metadata,
    Column("key", Key, primary_key=True),
    Column("project", Key, ForeignKey("geolabel_projects.key", ondelete="CASCADE"), nullable=False),
    Column("operation", Text, nullable=False),
    *_state(Column("id", Key, nullable=False), Column("geom", LargeBinary, nullable=False)),
    # A project's attributes are columns of its table, which come and go; history keeps what they were.
    Column("attributes", Json),
    # The changeset that replaced this state; NULL for a delete that still stands.
    Column("until", Key),
    UniqueConstraint("project", "id", "version"),
    Index("ix_geolabel_history_until", "project", "until"),
    Index("ix_geolabel_history_changeset", "project", "changeset"),
    sqlite_autoincrement=True,
)

snapshots = Table(
    "geolabel_snapshots",
    metadata,
    Column("key", Key, primary_key=True),
    Column("project", Key, ForeignKey("geolabel_projects.key", ondelete="CASCADE"), nullable=False),
    Column("name", Text, nullable=False),
    Column("changeset", Key, nullable=False),
    Column("hash", Text, nullable=False),
    Column("count", Key, nullable=False),
    Column("at", Instant, nullable=False),
    Column("author", Text),
    Column("note", Text),
    Column("schema", Json, nullable=False),
    UniqueConstraint("project", "name"),
    sqlite_autoincrement=True,
)

idempotency = Table(
    "geolabel_idempotency",
    metadata,
    Column("serial", Key, primary_key=True),
    Column("project", Key, ForeignKey("geolabel_projects.key", ondelete="CASCADE"), nullable=False),
    Column("key", Text, nullable=False),
    # Which request it was: route, and a hash of its body.
    Column("fingerprint", Text, nullable=False),
    Column("result", Json, nullable=False),
    Column("at", Instant, nullable=False, index=True),
    UniqueConstraint("project", "key"),
    sqlite_autoincrement=True,
)

operations = Table(
    "geolabel_operations",
    metadata,
    Column("key", Key, primary_key=True),
    # Two CRSs by name, and the PROJ operation that leads from one to the other in this workspace.
    Column("source", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("pipeline", Text, nullable=False),
    Column("accuracy", Double),
    Column("at", Instant, nullable=False),
    UniqueConstraint("source", "target"),
    sqlite_autoincrement=True,
)

jobs = Table(
    "geolabel_jobs",
    metadata,
    Column("id", Key, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("project", Text, nullable=False),
    Column("params", Json, nullable=False),
    Column("state", Text, nullable=False),
    Column("progress", Double, nullable=False),
    Column("message", Text, nullable=False),
    Column("result", Json),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Column("worker", Text),
    sqlite_autoincrement=True,
)

COLUMN_TYPES: dict[AttributeKind, TypeEngine[Any]] = {
    "enum": Text(),
    "number": Double(),
    "text": Text(),
    "boolean": Boolean(),
}
"""Column type by kind of attribute."""


def features(project: str, attributes: tuple[Attribute, ...] = ()) -> Table:
    """The table of a project's annotations: the current version of each, by id.

    Args:
        project: slug, also the name of the table.
        attributes: of its schema; each is a column behind those of the state.
    """
    return feature_table(project, tuple((attribute.name, attribute.kind) for attribute in attributes))


@lru_cache(maxsize=1024)
def feature_table(name: str, columns: tuple[tuple[str, AttributeKind], ...]) -> Table:
    """The same by names and kinds of the columns behind those of the state."""
    return Table(
        name,
        MetaData(),
        *_state(Column("id", Key, primary_key=True), Column("geom", Shape, nullable=False)),
        *(Column(column, COLUMN_TYPES[kind]) for column, kind in columns),
        sqlite_autoincrement=True,
    )


STATE = tuple(column.name for column in features("any").columns)
"""Names of the columns of one state, in order, without the project's attributes."""
