"""Use cases of scenes: register, date, put a moved file in the place of another."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from geolabel import scenes as scenes_
from geolabel.cog import write_cog
from geolabel.errors import InvalidRaster
from geolabel.geo import crs as crs_
from geolabel.workflows.projects import check_ground, free_slug

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from geolabel.model import Scene
    from geolabel.store.store import Store

    Progress = Callable[[float, str], None]


def add_scene(
    store: Store,
    path: str | Path | Sequence[str | Path],
    *,
    project: str | None = None,
    datetime: str | None = None,
    cog: bool = False,
    assets: Sequence[str] = (),
    check: Callable[[str], str] = str,
    progress: Progress | None = None,
) -> Scene:
    """Register a raster as a scene; the file stays where it is.

    Args:
        store: the workspace.
        path: a raster that this machine can read; several single-band files on one grid, which become one scene; or a
            STAC item. One that is registered already is looked at again.
        project: slug of a project that the scene joins.
        datetime: RFC 3339; from the file's tags when None.
        cog: write a Cloud Optimized GeoTIFF beside it first, and register that.
        assets: of a STAC item, which to take; the data on its finest grid when none are named.
        check: looks at each file that a STAC item names, and raises when it may not be opened.
        progress: called with a share and a sentence.

    Raises:
        InvalidRaster: the file cannot be labelled on; nothing is registered.
        InvalidInput: an asset that a STAC item does not have.
    """
    if project:
        store.project(project)  # refused before the work, not after it
    found = scenes_.find_files(path, assets, check)
    href = str(write_cog(found.href, progress=progress)) if cog else found.href
    scene = scenes_.inspect(href, scene_id=found.id, datetime=datetime or found.datetime)
    taken = {s.id: s for s in store.scenes()}
    known = next((s for s in taken.values() if s.href == scene.href), None)
    if known is not None:
        scene = store.replace_scene(
            replace(scene, id=known.id, datetime=scene.datetime or known.datetime, rendering=known.rendering)
        )
    else:
        scene = store.add_scene(replace(scene, id=free_slug(scene.id, taken)))
    if project:
        joined = [*(s for s in map(store.scene, store.project(project).scenes) if s.id != scene.id), scene]
        check_ground(project, store.project(project).crs, joined)
        store.change_project(project, lambda p: replace(p, scenes=tuple(dict.fromkeys((*p.scenes, scene.id)))))
    return scene


def update_scene(store: Store, scene_id: str, **changes: Any) -> Scene:
    """Change what is said of a scene; what is not named stays.

    Args:
        store: the workspace.
        scene_id: slug.
        changes: `rendering`, query parameters of its tiles that hold where a request says nothing else; `datetime`, RFC 3339
            or None.

    Raises:
        NotFound: no such scene.
        InvalidInput: a parameter that its tiles cannot be drawn with, or a date that cannot be read.
    """
    scene = store.scene(scene_id)
    if "rendering" in changes:
        scenes_.check_rendering(scene, changes["rendering"])
    if changes.get("datetime") is not None:
        changes["datetime"] = scenes_.read_datetime(changes["datetime"])
    return store.replace_scene(replace(store.scene(scene_id), **changes))


def relink_scene(store: Store, scene_id: str, path: str | Path) -> Scene:
    """Say where a scene's file is now; chips cut before and after are on the same pixels.

    Raises:
        InvalidRaster: the file at the new place has another grid.
    """
    scene = store.scene(scene_id)
    found = scenes_.inspect(path, scene_id=scene_id, datetime=scene.datetime)
    if found.grid != scene.grid or len(found.bands) != len(scene.bands):
        raise InvalidRaster(
            f"{Path(found.href).name} is not the raster of scene {scene_id!r}: expected {_grid_words(scene)}, got {_grid_words(found)}. "
            "Register it as a scene of its own with `geolabel scene add`.",
        )
    return store.replace_scene(replace(found, rendering=scene.rendering))


def _grid_words(scene: Scene) -> str:
    grid = scene.grid
    crs = "no CRS" if grid.crs is None else crs_.label(grid.crs)
    return f"{grid.width} x {grid.height} px, {len(scene.bands)} bands, {crs}, corner ({grid.transform[2]:.12g}, {grid.transform[5]:.12g})"
