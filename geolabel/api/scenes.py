"""`/api/scenes`: list, look, register."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, ConfigDict, Field

from geolabel import workflows
from geolabel.api.collections import TILESETS
from geolabel.api.context import Context, ContextDep, known_parameters
from geolabel.api.negotiate import CRS84_URI
from geolabel.api.wire import GEOJSON, JSON, BodyDep, Json, bad_member
from geolabel.errors import NotFound
from geolabel.imagery import allowed_href

if TYPE_CHECKING:
    from geolabel.model import Scene

router = APIRouter(
    prefix="/api/scenes", tags=["scenes"], dependencies=[Depends(known_parameters)], default_response_class=Json
)


class NewScene(BaseModel):
    """A raster to register; the pixels stay where they are."""

    model_config = ConfigDict(extra="forbid")

    href: str = Field(
        default_factory=str,
        min_length=1,
        max_length=4096,
        description="Absolute path of a file under GEOLABEL_IMAGERY_ROOTS, or an address that GEOLABEL_IMAGERY_HOSTS allows; of a raster or a STAC item.",
    )
    stack: list[Annotated[str, Field(min_length=1, max_length=4096)]] = Field(
        default_factory=list,
        min_length=1,
        max_length=64,
        description="Instead of href: such files, single bands on one grid, which become one scene, in this order.",
    )
    assets: list[Annotated[str, Field(min_length=1, max_length=200)]] = Field(
        default_factory=list,
        max_length=64,
        description="Of a STAC item: which to take; by default the data on its finest grid.",
    )
    project: str | None = Field(None, description="Id of a project that gets the scene.")
    datetime: str | None = Field(None, description="When the picture was taken, RFC 3339.")


class ScenePatch(BaseModel):
    """What is to change; the rest stays."""

    model_config = ConfigDict(extra="forbid")

    datetime: str | None = Field(None, description="When the picture was taken, RFC 3339; null when nobody knows.")
    rendering: dict[str, str] | None = Field(
        None,
        description="Query parameters of the scene's tiles that hold where a request says nothing else; null for none.",
    )


@router.get("")
def list_scenes(context: ContextDep) -> Response:
    """All registered scenes."""
    return Json({"scenes": [scene.to_json() for scene in context.store.scenes()]})


@router.get("/{scene}")
def get_scene(context: ContextDep, scene: str) -> Response:
    """CRS, transform, bounds, bands, size, date, what is odd, and where its tiles are."""
    found = context.store.scene(scene)
    return Json({**found.to_json(), **_whereabouts(context, found)})


@router.patch("/{scene}")
def update_scene(context: ContextDep, scene: str, body: BodyDep) -> Response:
    """Say when a scene was taken, and how it is shown unless a request says otherwise."""
    patch = body.model(ScenePatch)
    changes = {name: getattr(patch, name) for name in patch.model_fields_set}
    if "rendering" in changes:
        changes["rendering"] = changes["rendering"] or {}
    return Json(workflows.update_scene(context.store, scene, **changes).to_json())


def _whereabouts(context: Context, scene: Scene) -> dict[str, Any]:
    """Extent and links, as OGC API Tiles has them."""
    at = f"/api/scenes/{scene.id}"
    links = [
        (at, "self", JSON, "This page"),
        (f"{at}/tiles", TILESETS, JSON, "Tilesets (OGC API Tiles)"),
        (f"{at}/WebMercatorQuad/tilejson.json", "tilejson", JSON, "TileJSON"),
        (f"{at}/wmts.xml", "wmts", "application/xml", "WMTS"),
        (f"{at}/preview.png", "preview", "image/png", "The whole scene, small"),
        (f"{at}/statistics", "statistics", JSON, "Numbers and histograms"),
        (f"{at}/footprint", "footprint", GEOJSON, "The outline of what has data"),
    ]
    if scene.bounds is None:  # not on Earth: only its own pixels are served
        links[2] = (f"{at}/native/tilejson.json", "tilejson", JSON, "TileJSON of its own pixels")
        links.pop()
    named = [
        {"href": context.url(path), "rel": rel, "type": media, "title": title} for path, rel, media, title in links
    ]
    extent = {} if scene.bounds is None else {"extent": {"spatial": {"bbox": [list(scene.bounds)], "crs": CRS84_URI}}}
    return {**extent, "links": named}


@router.post("", status_code=201)
def add_scene(context: ContextDep, body: BodyDep) -> Response:
    """Register a raster that lies under one of the roots, or on one of the hosts, of the settings."""
    new = body.model(NewScene)
    try:
        if new.project is not None:
            context.store.project(new.project)
    except NotFound as error:
        raise bad_member("/project", str(error)) from error
    if bool(new.href) == bool(new.stack):
        raise bad_member("/href", "expected one of href and stack: a raster or STAC item, or the files of one scene.")

    def check(href: str) -> str:
        return allowed_href(href, context.settings)

    scene = workflows.add_scene(
        context.store,
        check(new.href) if new.href else [check(href) for href in new.stack],
        project=new.project,
        datetime=new.datetime,
        assets=new.assets,
        check=check,
    )
    return Json(scene.to_json(), 201, {"Location": context.url(f"/api/scenes/{scene.id}")})
