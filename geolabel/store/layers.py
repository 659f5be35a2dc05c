"""A project and the table that its annotations rest in, found by name."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import sqlalchemy as sa

from geolabel.attributes import make_attributes
from geolabel.classes import LabelClass
from geolabel.errors import NotFound
from geolabel.model import COVERAGE, Project
from geolabel.store.remembered import remembered
from geolabel.store.tables import changesets, features, project_scenes, projects, scenes

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection, RowMapping, Table

    from geolabel.attributes import Attribute


# Built once: every request asks these.
_PROJECT = [sa.type_coerce(c, sa.Text).label(c.name) if c.name in {"classes", "attributes"} else c for c in projects.c]
_NAMED = sa.select(*_PROJECT).where(projects.c.id == sa.bindparam("project"))
_SCENES = (
    sa.select(scenes.c.id)
    .join(project_scenes, project_scenes.c.scene == scenes.c.key)
    .where(project_scenes.c.project == sa.bindparam("project"))
    .order_by(project_scenes.c.position)
)
_STAGED = sa.select(changesets.c.number).where(
    changesets.c.project == sa.bindparam("project"), changesets.c.published == sa.false()
)


@dataclass(frozen=True, slots=True)
class Layer:
    """A project and where its annotations rest.

    Attributes:
        project: the project.
        key: its number in the database.
        srs_id: of its CRS in the database's own table of CRSs.
        table: the current version of each annotation.
        hidden: numbers of the change sets whose rows nobody sees yet: imports at work.
    """

    project: Project
    key: int
    srs_id: int
    table: Table
    hidden: tuple[int, ...] = ()


def visible(layer: Layer) -> list[ColumnElement[bool]]:
    """The conditions that leave out rows of a project's table that nobody sees yet; none when no import is at work."""
    return [layer.table.c.changeset.not_in(layer.hidden)] if layer.hidden else []


def find(connection: Connection, project_id: str) -> Layer:
    """The project of that id.

    Raises:
        NotFound: no such project.
    """
    return remembered(connection, ("layer", project_id), lambda: _find(connection, project_id))


def _find(connection: Connection, project_id: str) -> Layer:
    row = None
    if "\0" not in project_id:  # PostgreSQL does not even compare with what no text can hold
        row = connection.execute(_NAMED, {"project": project_id}).mappings().first()
    if row is None:
        raise NotFound(f"There is no project {project_id!r} in this workspace.")
    return _layer(connection, row)


def of_key(connection: Connection, key: int) -> Layer | None:
    """The project with that number in the database; None when it was deleted."""
    row = connection.execute(sa.select(*_PROJECT).where(projects.c.key == key)).mappings().first()
    return None if row is None else _layer(connection, row)


def find_all(connection: Connection, *, coverage: bool = False) -> list[Project]:
    """All projects, in the order of their creation; with `coverage`, each with its coverage behind it."""
    wanted = sa.select(*_PROJECT).order_by(sa.func.coalesce(projects.c.coverage_of, projects.c.key), projects.c.key)
    if not coverage:
        wanted = wanted.where(projects.c.coverage_of.is_(None))
    rows = connection.execute(wanted).mappings().all()
    return [_layer(connection, row).project for row in rows]


@lru_cache(maxsize=256)
def _classes(text: str) -> tuple[LabelClass, ...]:
    return tuple(LabelClass(**{**c, "geometries": tuple(c["geometries"])}) for c in json.loads(text))


@lru_cache(maxsize=256)
def _attributes(text: str) -> tuple[Attribute, ...]:
    return make_attributes(json.loads(text))


def _layer(connection: Connection, row: RowMapping) -> Layer:
    used = connection.execute(_SCENES, {"project": row["coverage_of"] or row["key"]})
    project = Project(
        id=row["id"],
        title=row["title"],
        crs=row["crs"],
        classes=_classes(row["classes"]),
        scenes=tuple(used.scalars()),
        unlabelled=row["unlabelled"],
        on_invalid=row["on_invalid"],
        created_at=row["created_at"],
        attributes=_attributes(row["attributes"]),
        guidelines=row["guidelines"],
        require_if_match=row["require_if_match"],
        coverage_of=None if row["coverage_of"] is None else row["id"].removesuffix(COVERAGE),
    )
    return Layer(
        project=project,
        key=row["key"],
        srs_id=row["srs_id"],
        table=features(project.id, project.attributes),
        hidden=tuple(connection.execute(_STAGED, {"project": row["key"]}).scalars()),
    )
