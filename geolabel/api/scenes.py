"""`/api/scenes`: list, look, register."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, ConfigDict, Field

from geolabel import workflows
from geolabel.api.context import ContextDep, known_parameters
from geolabel.api.wire import BodyDep, Json, bad_member
from geolabel.errors import NotAllowed, NotFound

if TYPE_CHECKING:
    from collections.abc import Sequence


router = APIRouter(
    prefix="/api/scenes", tags=["scenes"], dependencies=[Depends(known_parameters)], default_response_class=Json
)


class NewScene(BaseModel):
    """A raster to register; the pixels stay where they are."""

    model_config = ConfigDict(extra="forbid")

    href: str = Field(
        min_length=1, max_length=4096, description="Absolute path of a file under GEOLABEL_IMAGERY_ROOTS."
    )
    project: str | None = Field(None, description="Id of a project that gets the scene.")
    datetime: str | None = Field(None, description="When the picture was taken, RFC 3339.")


@router.get("")
def list_scenes(context: ContextDep) -> Response:
    """All registered scenes."""
    return Json({"scenes": [scene.to_json() for scene in context.store.scenes()]})


@router.get("/{scene}")
def get_scene(context: ContextDep, scene: str) -> Response:
    """CRS, transform, bounds, bands, size, date and what is odd."""
    return Json(context.store.scene(scene).to_json())


@router.post("", status_code=201)
def add_scene(context: ContextDep, body: BodyDep) -> Response:
    """Register a raster that lies under one of the roots of the settings."""
    new = body.model(NewScene)
    try:
        if new.project is not None:
            context.store.project(new.project)
    except NotFound as error:
        raise bad_member("/project", str(error)) from error
    path = allowed_path(new.href, context.settings.imagery_roots)
    scene = workflows.add_scene(context.store, path, project=new.project, datetime=new.datetime)
    return Json(scene.to_json(), 201, {"Location": context.url(f"/api/scenes/{scene.id}")})


def allowed_path(href: str, roots: Sequence[Path]) -> Path:
    """The real path of a file that may be registered over HTTP.

    Links are followed before the path is compared, and nothing is said about files outside the roots.

    Raises:
        NotAllowed: it is not an absolute path under one of the roots.
    """
    how = "Register it at the command line with `geolabel scene add`, or name its folder in GEOLABEL_IMAGERY_ROOTS."
    if not roots:
        raise NotAllowed(f"No raster may be registered over HTTP here. {how}")
    # GDAL reads addresses, /vsi paths and XML as file names; only a plain absolute path goes on.
    if not href.startswith("/") or href.startswith(("//", "/vsi")) or not href.isprintable():
        raise NotAllowed(f"Only an absolute path of a file may be registered over HTTP, got {href!r:.120}. {how}")
    try:
        path = Path(href).resolve()
        inside = any(path.is_relative_to(root.resolve()) for root in roots)
    except (OSError, RuntimeError, ValueError):  # a loop of links, a name that is too long
        inside = False
    if not inside:
        raise NotAllowed(f"The file {href!r:.120} does not lie under the folders of GEOLABEL_IMAGERY_ROOTS. {how}")
    return path
