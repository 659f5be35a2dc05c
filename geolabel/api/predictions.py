"""Predictions of a model come back to the map: a file is sent, a job places it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal

import anyio
from fastapi import APIRouter, Depends, Query, Request, Response

from geolabel import formats
from geolabel.api.context import ContextDep, known_parameters
from geolabel.api.imports import check_dataset, queue, receive
from geolabel.api.once import IdempotencyKey, read_once
from geolabel.api.wire import ZIP, Json, bad_parameter
from geolabel.errors import InvalidInput
from geolabel.geo import crs as crs_
from geolabel.predictions import BackOptions, check_model

if TYPE_CHECKING:
    from geolabel.model import Project

router = APIRouter(prefix="/api", tags=["jobs"], dependencies=[Depends(known_parameters)], default_response_class=Json)

_DEFAULTS = BackOptions()
Share = Annotated[float, Query(ge=0, le=1)]


@router.post("/projects/{project}/predictions", status_code=202)
async def import_predictions(
    *,
    request: Request,
    context: ContextDep,
    project: str,
    model: Annotated[str, Query(description="The model, `name@version`.")],
    format_: Annotated[str, Query(alias="format", description="How to read the body; by what is in it.")] = "auto",
    export: Annotated[
        int | None, Query(ge=1, le=2**63 - 1, description="The export job whose chips were predicted on.")
    ] = None,
    class_: Annotated[str | None, Query(alias="class", description="One class for all.")] = None,
    class_field: Annotated[str | None, Query(description="The property of GeoJSON that names the class.")] = None,
    crs: Annotated[str | None, Query(description="CRS of GeoJSON's coordinates; CRS84.")] = None,
    voc_base: Annotated[Literal["0", "1"], Query(description="What Pascal VOC calls the first pixel.")] = "1",
    threshold: Annotated[
        float, Query(ge=0, le=1, description="From which probability on a pixel belongs to a class.")
    ] = 0.5,
    replace: Annotated[
        bool, Query(description="Delete untouched suggestions of this model that the body does not have.")
    ] = False,
    border: Annotated[float, Query(ge=0, le=64, description="Pixels from the edge of a chip.")] = _DEFAULTS.border,
    iou: Share = _DEFAULTS.iou,
    ios: Share = _DEFAULTS.ios,
    min_score: Share = _DEFAULTS.min_score,
    min_area_px: Annotated[float, Query(ge=0, le=1e9)] = _DEFAULTS.min_area_px,
    simplify_px: Annotated[float, Query(ge=0, le=1000)] = _DEFAULTS.simplify_px,
    merge: Annotated[bool, Query(description="Join pieces and leave out duplicates.")] = True,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Put predictions on the map as suggestions; follow the job at the `Location`."""
    project_ = await anyio.to_thread.run_sync(context.store.project, project)
    _check_class(project_, class_)
    options = {
        "border": border,
        "iou": iou,
        "ios": ios,
        "min_score": min_score,
        "min_area_px": min_area_px,
        "simplify_px": simplify_px,
        "merge": merge,
    }
    params: dict[str, Any] = {
        "model": _checked("model", partial(check_model, model)),
        "format": format_ if format_ == "auto" else _checked("format", partial(formats.readable, format_)).name,
        "export": export,
        "class": class_,
        "class_field": class_field,
        "crs": None if crs is None else _checked("crs", partial(crs_.normalise, crs)),
        "voc_base": int(voc_base),
        "threshold": threshold,
        "replace": replace,
        "options": options,
    }
    if export is not None:
        await anyio.to_thread.run_sync(check_dataset, context, project, export)
    read_once(request, idempotency_key, "")  # refused before the body comes, not after it
    zipped = request.headers.get("content-type", "").lower() == ZIP
    file, digest = await receive(request, context, ".zip" if zipped else ".json")
    once = read_once(request, idempotency_key, digest)
    params["file"] = f"imports/{file.name}"
    return await queue(context, "predictions", project, params, file=file, once=once)


def _check_class(project: Project, name: str | None) -> None:
    if name is not None:
        _checked("class", partial(project.class_named, name))


def _checked(name: str, check: partial[Any]) -> Any:
    try:
        return check()
    except InvalidInput as error:
        raise bad_parameter(name, str(error)) from error
