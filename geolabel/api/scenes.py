"""`/api/scenes`: list, look, register."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, ConfigDict, Field

from geolabel import workflows
from geolabel.api.context import ContextDep, known_parameters
from geolabel.api.wire import BodyDep, Json, bad_member
from geolabel.errors import NotFound
from geolabel.imagery import allowed_href

router = APIRouter(
    prefix="/api/scenes", tags=["scenes"], dependencies=[Depends(known_parameters)], default_response_class=Json
)


class NewScene(BaseModel):
    """A raster to register; the pixels stay where they are."""

    model_config = ConfigDict(extra="forbid")

    href: str = Field(
        min_length=1,
        max_length=4096,
        description="Absolute path of a file under GEOLABEL_IMAGERY_ROOTS, or an address that GEOLABEL_IMAGERY_HOSTS allows.",
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
    """Register a raster that lies under one of the roots, or on one of the hosts, of the settings."""
    new = body.model(NewScene)
    try:
        if new.project is not None:
            context.store.project(new.project)
    except NotFound as error:
        raise bad_member("/project", str(error)) from error
    place = allowed_href(new.href, context.settings)
    scene = workflows.add_scene(context.store, place, project=new.project, datetime=new.datetime)
    return Json(scene.to_json(), 201, {"Location": context.url(f"/api/scenes/{scene.id}")})
