"""Projects in the database: the schema, the scenes, and the layer that the annotations rest in."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from geolabel.attributes import make_attributes
from geolabel.classes import LabelClass
from geolabel.errors import AlreadyExists, InvalidInput, NotFound
from geolabel.model import COVERAGE, Project
from geolabel.store.dialect import spatial
from geolabel.store.tables import changesets, features, project_scenes, projects, scenes
from geolabel.store.text import check_text

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection, RowMapping, Table

_RESERVED = ("alembic_", "geolabel_", "gpkg_", "rtree_", "sqlite_")


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
    row = connection.execute(sa.select(projects).where(projects.c.id == project_id)).mappings().first()
    if row is None:
        raise NotFound(f"There is no project {project_id!r} in this workspace.")
    return _layer(connection, row)


def find_all(connection: Connection) -> list[Project]:
    """All projects, in the order of their creation, without their coverage."""
    own = projects.c.coverage_of.is_(None)
    rows = connection.execute(sa.select(projects).where(own).order_by(projects.c.key)).mappings().all()
    return [_layer(connection, row).project for row in rows]


def create(connection: Connection, project: Project, *, at: str) -> Project:
    """Make a project with an empty layer.

    Raises:
        AlreadyExists: the id is taken.
        InvalidInput: the id begins like the names of the database's own tables.
        InvalidCRS: the CRS cannot be read.
        NotFound: a scene is not registered.
    """
    if project.id.startswith(_RESERVED):
        raise InvalidInput(
            f"The project name {project.id!r} cannot be used: names that start with {', '.join(_RESERVED)} belong to the "
            "database's own tables.",
        )
    if connection.execute(sa.select(projects.c.key).where(projects.c.id == project.id)).first():
        raise AlreadyExists(f"There is a project {project.id!r} already: give this one another name.")
    project = replace(project, created_at=project.created_at or at)
    srs_id = spatial(connection).register_crs(connection, project.crs)
    values = _values(project) | {
        "id": project.id,
        "crs": project.crs,
        "srs_id": srs_id,
        "created_at": project.created_at,
    }
    key: int = connection.execute(sa.insert(projects).values(values).returning(projects.c.key)).scalar_one()
    _put_scenes(connection, key, project)
    spatial(connection).create_layer(connection, features(project.id), srs_id, project.title, at)
    return project


def update(connection: Connection, project: Project, *, at: str) -> Project:
    """Change title, classes, scenes and policies.

    Raises:
        NotFound: no such project or scene.
        InvalidInput: a class goes that annotations carry; the CRS differs.
    """
    layer = find(connection, project.id)
    if project.crs != layer.project.crs:
        raise InvalidInput(
            f"Project {project.id!r} keeps its annotations in {layer.project.crs}, which cannot be changed to {project.crs}: "
            "make a new project in that CRS and import there.",
        )
    going = {c.name for c in layer.project.classes} - {c.name for c in project.classes}
    carried = {name: n for name, n in _carried(connection, layer).items() if name in going}
    if carried:
        listed = ", ".join(f"{name!r} ({n})" for name, n in carried.items())
        raise InvalidInput(
            f"{sum(carried.values())} annotations of project {project.id!r} carry classes that the new schema leaves out: {listed}. "
            "Give them another class first.",
        )
    connection.execute(sa.update(projects).where(projects.c.key == layer.key).values(_values(project)))
    connection.execute(sa.delete(project_scenes).where(project_scenes.c.project == layer.key))
    _put_scenes(connection, layer.key, project)
    spatial(connection).describe_layer(connection, layer.table, project.title, at)
    return replace(project, created_at=layer.project.created_at)


def delete(connection: Connection, project_id: str) -> None:
    """Remove a project with its annotations and their history.

    Raises:
        NotFound: no such project.
    """
    layer = find(connection, project_id)
    spatial(connection).drop_layer(connection, layer.table)
    connection.execute(sa.delete(projects).where(projects.c.key == layer.key))


def counts(connection: Connection, project_id: str) -> dict[str, int]:
    """How many annotations carry each class, in the order of the schema.

    Raises:
        NotFound: no such project.
    """
    layer = find(connection, project_id)
    carried = _carried(connection, layer)
    return {c.name: carried.get(c.name, 0) for c in layer.project.classes}


def _carried(connection: Connection, layer: Layer) -> dict[str, int]:
    name = layer.table.c["class"]
    rows = connection.execute(sa.select(name, sa.func.count()).where(*visible(layer)).group_by(name))
    return {name: n for name, n in rows}  # noqa: C416 (rows of two, which dict() has no type for)


def _put_scenes(connection: Connection, key: int, project: Project) -> None:
    for position, id_ in enumerate(dict.fromkeys(project.scenes)):
        scene = connection.execute(sa.select(scenes.c.key).where(scenes.c.id == id_)).scalar()
        if scene is None:
            raise NotFound(
                f"There is no scene {id_!r} in this workspace: register it before project {project.id!r} uses it."
            )
        connection.execute(sa.insert(project_scenes).values(project=key, scene=scene, position=position))


def _values(project: Project) -> dict[str, Any]:
    check_text("title", project.title)
    for c in project.classes:
        check_text("class text", c.name, c.hotkey, c.parent, c.description)
    return {
        "title": project.title,
        "classes": [c.to_json() for c in project.classes],
        "unlabelled": project.unlabelled,
        "on_invalid": project.on_invalid,
    }


def _layer(connection: Connection, row: RowMapping) -> Layer:
    used = connection.execute(
        sa.select(scenes.c.id)
        .join(project_scenes, project_scenes.c.scene == scenes.c.key)
        .where(project_scenes.c.project == row["key"])
        .order_by(project_scenes.c.position),
    )
    project = Project(
        id=row["id"],
        title=row["title"],
        crs=row["crs"],
        classes=tuple(LabelClass(**{**c, "geometries": tuple(c["geometries"])}) for c in row["classes"]),
        scenes=tuple(used.scalars()),
        unlabelled=row["unlabelled"],
        on_invalid=row["on_invalid"],
        created_at=row["created_at"],
        attributes=make_attributes(row["attributes"]),
        guidelines=row["guidelines"],
        require_if_match=row["require_if_match"],
        coverage_of=None if row["coverage_of"] is None else row["id"].removesuffix(COVERAGE),
    )
    staged = sa.select(changesets.c.number).where(
        changesets.c.project == row["key"], changesets.c.published == sa.false()
    )
    return Layer(
        project=project,
        key=row["key"],
        srs_id=row["srs_id"],
        table=features(project.id, project.attributes),
        hidden=tuple(connection.execute(staged).scalars()),
    )
