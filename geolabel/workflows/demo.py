"""The use case of the demo: a sample scene with a part-labelled project."""

from __future__ import annotations

from typing import TYPE_CHECKING

from geolabel import sample
from geolabel.errors import AlreadyExists
from geolabel.model import NewAnnotation, Project, Provenance, slugify
from geolabel.workflows.projects import create_project
from geolabel.workflows.scenes import add_scene

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from geolabel.store.store import Store

    Progress = Callable[[float, str], None]


DEMO_PROJECT = "Land use"


def make_demo(store: Store, raster: Path | None = None, *, progress: Progress | None = None) -> tuple[Project, bool]:
    """Make the demo project, or find it.

    Args:
        store: the workspace.
        raster: the user's own; a generated scene, kept in the workspace's folder, when None.
        progress: called with a share and a sentence.

    Returns:
        The project, and whether it was made now.

    Raises:
        AlreadyExists: the workspace has a project of that name, of another raster.
        InvalidRaster: the raster cannot be labelled on.
    """
    if raster is None:
        path, title = store.folder / "sample.tif", DEMO_PROJECT
    else:
        path, title = raster, raster.stem
    found = next((p for p in store.projects() if p.id == slugify(title)), None)
    if found is None:
        if raster is None and not path.exists():
            sample.write_scene(path, progress=progress)
        scene = add_scene(store, path)
        project = create_project(store, title, scenes=[scene.id], classes=sample.CLASSES)
    else:
        project = found
        if raster is not None and str(path.resolve()) not in {store.scene(s).href for s in project.scenes}:
            raise AlreadyExists(
                f"{store.folder} has a project {project.id!r} of another raster than {path}: make this demo in another folder."
            )
    if raster is None and store.changes(project.id) == 0:  # also where an earlier run was stopped in between
        provenance = Provenance(source="sample", scene=project.scenes[0])
        store.create(project.id, [NewAnnotation(g, name, provenance=provenance) for name, g in sample.partial_labels()])
    return project, found is None
