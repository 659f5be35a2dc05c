"""Scenes in the database: what was registered, not the pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from geolabel.errors import AlreadyExists, InvalidInput, NotFound
from geolabel.model import Band, Grid, Scene
from geolabel.store.remembered import remembered
from geolabel.store.tables import project_scenes, projects, scenes
from geolabel.store.text import check_text

if TYPE_CHECKING:
    from sqlalchemy import Connection, RowMapping


def add(connection: Connection, scene: Scene) -> Scene:
    """Register a scene; the same file under the same id again brings its entry up to date.

    Raises:
        AlreadyExists: the id belongs to another file.
    """
    href = connection.execute(sa.select(scenes.c.href).where(scenes.c.id == scene.id)).scalar()
    if href == scene.href:
        return replace(connection, scene)
    if href is not None:
        raise AlreadyExists(f"There is a scene {scene.id!r} already, of the file {href}: give this one another name.")
    connection.execute(sa.insert(scenes).values(_values(scene)))
    return scene


def replace(connection: Connection, scene: Scene) -> Scene:
    """Put what is known of a scene in place of what was.

    Raises:
        NotFound: no such scene.
    """
    values = _values(scene)
    if connection.execute(sa.update(scenes).where(scenes.c.id == scene.id).values(values)).rowcount == 0:
        raise _missing(scene.id)
    return scene


def find(connection: Connection, scene_id: str) -> Scene:
    """The scene of that id.

    Raises:
        NotFound: no such scene.
    """
    return remembered(connection, ("scene", scene_id), lambda: _find(connection, scene_id))


def _find(connection: Connection, scene_id: str) -> Scene:
    row = None
    if "\0" not in scene_id:  # PostgreSQL does not even compare with what no text can hold
        row = connection.execute(sa.select(scenes).where(scenes.c.id == scene_id)).mappings().first()
    if row is None:
        raise _missing(scene_id)
    return _scene(row)


def find_all(connection: Connection) -> list[Scene]:
    """All scenes, in the order of their registration."""
    return [_scene(row) for row in connection.execute(sa.select(scenes).order_by(scenes.c.key)).mappings()]


def remove(connection: Connection, scene_id: str) -> None:
    """Forget a scene; its file stays.

    Raises:
        NotFound: no such scene.
        InvalidInput: projects use it.
    """
    find(connection, scene_id)
    users = connection.execute(
        sa.select(projects.c.id)
        .join(project_scenes, project_scenes.c.project == projects.c.key)
        .join(scenes, scenes.c.key == project_scenes.c.scene)
        .where(scenes.c.id == scene_id)
        .order_by(projects.c.key),
    )
    if names := ", ".join(users.scalars()):
        raise InvalidInput(f"Scene {scene_id!r} is used by {names}: take it out of there first.")
    connection.execute(sa.delete(scenes).where(scenes.c.id == scene_id))


def _missing(scene_id: str) -> NotFound:
    return NotFound(f"There is no scene {scene_id!r} in this workspace.")


def _values(scene: Scene) -> dict[str, Any]:
    check_text("path", scene.href)
    check_text("text", scene.version, scene.datetime, scene.grid.crs, *scene.warnings, *scene.rendering.values())
    for band in scene.bands:
        check_text("band name", band.name, band.color, band.unit)
    return {
        "id": scene.id,
        "href": scene.href,
        "version": scene.version,
        "crs": scene.grid.crs,
        "transform": list(scene.grid.transform),
        "width": scene.grid.width,
        "height": scene.grid.height,
        "bands": [band.to_json() for band in scene.bands],
        "datetime": scene.datetime,
        "bounds": None if scene.bounds is None else list(scene.bounds),
        "resolution": scene.resolution,
        "synthetic": scene.synthetic,
        "warnings": list(scene.warnings),
        "rendering": dict(scene.rendering),
    }


def _scene(row: RowMapping) -> Scene:
    a, b, c, d, e, f = row["transform"]
    return Scene(
        id=row["id"],
        href=row["href"],
        grid=Grid(crs=row["crs"], transform=(a, b, c, d, e, f), width=row["width"], height=row["height"]),
        bands=tuple(Band(**band) for band in row["bands"]),
        version=row["version"],
        datetime=row["datetime"],
        bounds=None if row["bounds"] is None else tuple(row["bounds"]),
        resolution=row["resolution"],
        synthetic=row["synthetic"],
        warnings=tuple(row["warnings"]),
        rendering=row["rendering"],
    )
