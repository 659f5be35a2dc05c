"""`/api/projects/{project}/uploads`: send a file of labels, look at it, import it with its classes mapped."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Annotated, Any, Literal

import anyio
from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from geolabel import workflows
from geolabel.api.context import Context, ContextDep, known_parameters
from geolabel.api.imports import receive
from geolabel.api.jobs import accepted
from geolabel.api.wire import BYTES, BodyDep, Json, bad_member, bad_parameter
from geolabel.errors import InvalidCRS, NotFound
from geolabel.geo import crs as crs_

if TYPE_CHECKING:
    from pathlib import Path

router = APIRouter(
    prefix="/api/projects", tags=["jobs"], dependencies=[Depends(known_parameters)], default_response_class=Json
)

_SUFFIX = ".upload.gpkg"  # GDAL wants a GeoPackage to be called one, and looks into the others
_ID = re.compile(r"[0-9a-f]{32}\Z")
_KEPT_S = 24 * 3600
"""Files that were sent and never imported go after a day."""

_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {BYTES: {"schema": {"type": "string", "format": "binary"}}},
    }
}


class ImportUpload(BaseModel):
    """How a file that was sent becomes labels."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field("the upload", min_length=1, max_length=200, description="What the file is called.")
    layer: str | None = Field(None, max_length=200)
    crs: str | None = Field(None, max_length=10_000, description="CRS of the coordinates, where the file says none.")
    class_field: str | None = Field(None, max_length=200, description="The column that names the class.")
    classes: dict[str, str | None] = Field(
        default_factory=dict, max_length=10_000, description="By value of that column: the class, or null to leave out."
    )
    class_name: str | None = Field(None, alias="class", description="One class for all, instead.")
    on_invalid: Literal["reject", "repair", "skip"] | None = None


@router.post("/{project}/uploads", status_code=201, openapi_extra=_BODY)
async def upload(request: Request, context: ContextDep, project: str) -> Response:
    """Send a file of labels: GeoJSON, GeoPackage, FlatGeobuf, or a zip with one of them or with a Shapefile.

    It is read and imported by further requests, and kept for a day.
    """
    await anyio.to_thread.run_sync(context.store.project, project)
    await anyio.to_thread.run_sync(_forget_old, context.store.folder / "imports")
    file, _ = await receive(request, context, _SUFFIX)
    name = file.name.removesuffix(_SUFFIX)
    at = context.url(f"/api/projects/{project}/uploads/{name}")
    return Json({"upload": name}, 201, {"Location": at})


@router.get("/{project}/uploads/{upload}")
def look(
    *,
    context: ContextDep,
    project: str,
    upload: str,
    name: Annotated[str, Query(max_length=200, description="What the file is called, for messages.")] = "The file",
    layer: Annotated[str | None, Query(max_length=200, description="Which layer; the first.")] = None,
    crs: Annotated[str | None, Query(description="CRS of the coordinates, where the file says none.")] = None,
) -> Response:
    """What is in a file that was sent: features, columns with their values, CRS, and shapes to show."""
    context.store.project(project)
    found, layers = workflows.look_at_upload(_file(context, upload), name, crs=_crs(crs), layer=layer)
    return Json({"upload": upload, "layers": layers, **found.to_json()})


@router.post("/{project}/uploads/{upload}/import", status_code=202)
def import_upload(context: ContextDep, project: str, upload: str, body: BodyDep) -> Response:
    """Import a file that was sent, all or none; follow the job at the `Location`."""
    project_ = context.store.project(project)
    file = _file(context, upload)
    new = body.model(ImportUpload)
    if (new.class_field is None) == (new.class_name is None):
        raise bad_member("/class_field", "Expected a 'class_field' or a 'class', one of them")
    known = {c.name for c in project_.classes}
    for value, name in new.classes.items():
        if name is not None and name not in known:
            raise bad_member("/classes", f"{value!r:.60} is to become {name!r:.60}, which is no class of the project")
    if new.class_name is not None and new.class_name not in known:
        raise bad_member("/class", f"The project has no class {new.class_name!r:.60}")
    params: dict[str, Any] = {
        "file": f"imports/{file.name}",
        "upload": {"name": new.name, "layer": new.layer, "crs": _crs(new.crs), "classes": new.classes},
        "class_field": new.class_field,
        "class": new.class_name,
        "on_invalid": new.on_invalid,
        "max_vertices": context.settings.max_vertices,
    }
    return accepted(context, context.store.add_job("import", project, params), None)


def _crs(text: str | None) -> str | None:
    try:
        return None if text is None else crs_.normalise(text)
    except InvalidCRS as error:
        raise bad_parameter("crs", str(error)) from error


def _file(context: Context, upload: str) -> Path:
    file = context.store.folder / "imports" / f"{upload}{_SUFFIX}"
    if not _ID.match(upload) or not file.is_file():
        raise NotFound(f"There is no upload {upload!r:.60}; it was imported, or a day has passed. Send the file again.")
    return file


def _forget_old(folder: Path) -> None:
    before = time.time() - _KEPT_S
    for file in folder.glob(f"*{_SUFFIX}"):
        if file.stat().st_mtime < before:
            file.unlink(missing_ok=True)
