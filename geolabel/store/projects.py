"""Projects in the database: made with their layers, changed, removed, counted."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from geolabel.classes import COVERAGE_CLASSES
from geolabel.errors import AlreadyExists, InvalidInput, NotFound
from geolabel.mapping import SchemaMapping
from geolabel.model import COVERAGE, MAX_SLUG, Project
from geolabel.store import schema
from geolabel.store.dialect import spatial
from geolabel.store.layers import find, visible
from geolabel.store.tables import features, project_scenes, projects, scenes
from geolabel.store.text import check_text

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from geolabel.store.layers import Layer

_RESERVED = ("alembic_", "geolabel_", "gpkg_", "rtree_", "sqlite_")


def create(connection: Connection, project: Project, *, at: str) -> Project:
    """Make a project with an empty layer, and the layer of its coverage.

    Raises:
        AlreadyExists: the id is taken.
        InvalidInput: the id is too long, or begins like the names of the database's own tables.
        InvalidCRS: the CRS cannot be read.
        NotFound: a scene is not registered.
    """
    if project.id.startswith(_RESERVED):
        raise InvalidInput(
            f"The project name {project.id!r} cannot be used: names that start with {', '.join(_RESERVED)} belong to the "
            "database's own tables.",
        )
    if project.coverage_of is not None or len(project.id) > MAX_SLUG:
        raise InvalidInput(
            f"The project name {project.id!r} cannot be used: expected at most {MAX_SLUG} characters, and no dot."
        )
    if connection.execute(sa.select(projects.c.key).where(projects.c.id == project.id)).first():
        raise AlreadyExists(f"There is a project {project.id!r} already: give this one another name.")
    schema.check_references(project)
    project = replace(project, created_at=project.created_at or at)
    srs_id = spatial(connection).register_crs(connection, project.crs)
    key = _insert(connection, project, srs_id, at=at)
    _put_scenes(connection, key, project)
    _insert(connection, _coverage(project), srs_id, at=at, coverage_of=key)
    return project


def _insert(connection: Connection, project: Project, srs_id: int, *, at: str, coverage_of: int | None = None) -> int:
    values = _values(project) | {
        "id": project.id,
        "crs": project.crs,
        "srs_id": srs_id,
        "created_at": project.created_at,
        "coverage_of": coverage_of,
    }
    key: int = connection.execute(sa.insert(projects).values(values).returning(projects.c.key)).scalar_one()
    spatial(connection).create_layer(connection, features(project.id, project.attributes), srs_id, project.title, at)
    return key


def _coverage(project: Project) -> Project:
    """The layer that says which ground of a project was seen."""
    return replace(
        project,
        id=project.id + COVERAGE,
        title=f"{project.title}: coverage",
        classes=COVERAGE_CLASSES,
        attributes=(),
        guidelines="",
        coverage_of=project.id,
    )


def update(
    connection: Connection,
    project: Project,
    *,
    at: str,
    author: str | None = None,
    mapping: SchemaMapping | None = None,
) -> Project:
    """Change title, schema, scenes and policies. See Store.update_project."""
    layer = find(connection, project.id)
    if layer.project.coverage_of is not None:
        raise InvalidInput(
            f"{project.id!r} is the coverage of project {layer.project.coverage_of!r}: its classes are always seen and ignore, "
            "and all else is that of the project. Change the project.",
        )
    if project.crs != layer.project.crs:
        raise InvalidInput(
            f"Project {project.id!r} keeps its annotations in {layer.project.crs}, which cannot be changed to {project.crs}: "
            "make a new project in that CRS and import there.",
        )
    schema.change(connection, layer, project, mapping or SchemaMapping(), at=at, author=author)
    connection.execute(sa.update(projects).where(projects.c.key == layer.key).values(_values(project)))
    connection.execute(sa.delete(project_scenes).where(project_scenes.c.project == layer.key))
    _put_scenes(connection, layer.key, project)
    spatial(connection).describe_layer(connection, layer.table, project.title, at)
    coverage = _coverage(project)
    connection.execute(sa.update(projects).where(projects.c.coverage_of == layer.key).values(_values(coverage)))
    spatial(connection).describe_layer(connection, features(coverage.id), coverage.title, at)
    return replace(project, created_at=layer.project.created_at)


def delete(connection: Connection, project_id: str) -> None:
    """Remove a project with its annotations, their history and its coverage.

    Raises:
        NotFound: no such project.
        InvalidInput: it is the coverage of one.
    """
    layer = find(connection, project_id)
    if layer.project.coverage_of is not None:
        raise InvalidInput(f"{project_id!r} goes together with project {layer.project.coverage_of!r}: delete that one.")
    for table, which in (
        (features(project_id + COVERAGE), projects.c.coverage_of == layer.key),
        (layer.table, projects.c.key == layer.key),
    ):
        spatial(connection).drop_layer(connection, table)
        connection.execute(sa.delete(projects).where(which))


def carried(connection: Connection, layer: Layer) -> dict[str, int]:
    """How many annotations carry each class that any carries."""
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
    for a in project.attributes:
        check_text("attribute", *a.values, a.title, a.description)
    check_text("guidelines", project.guidelines)
    return {
        "title": project.title,
        "classes": [c.to_json() for c in project.classes],
        "unlabelled": project.unlabelled,
        "on_invalid": project.on_invalid,
        "attributes": [a.to_json() for a in project.attributes],
        "guidelines": project.guidelines,
        "require_if_match": project.require_if_match,
    }
