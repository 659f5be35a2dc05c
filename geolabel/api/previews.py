"""A dataset before it is made, over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Depends, Query, Request, Response

from geolabel import preview as preview_
from geolabel.api.context import ContextDep, Turn, further_parameters, known_parameters, takes_properties
from geolabel.api.wire import Json, Refused
from geolabel.chips.text import spec_from_text
from geolabel.errors import InvalidInput, InvalidSpec, Problem

if TYPE_CHECKING:
    from geolabel.chips.spec import ChipSpec

router = APIRouter(prefix="/api", tags=["jobs"], dependencies=[Depends(known_parameters)], default_response_class=Json)

Snapshot = Annotated[str | None, Query(description="Name of a snapshot; the present state when not sent.")]


@router.get("/projects/{project}/exports/preview", dependencies=[Turn])
@takes_properties
def preview(
    *,
    request: Request,
    context: ContextDep,
    project: str,
    snapshot: Snapshot = None,
    samples: Annotated[int, Query(ge=0, le=30, description="How many chips to show, about.")] = 8,
    lot: Annotated[int, Query(ge=0, le=2**31, description="Draws other chips.")] = 0,
) -> Response:
    """What an export would make: counts, the chips on the map, and a few of them as pictures.

    Every field of ChipSpec is a parameter, as the command line writes it: `size=512&split=0.7,0.2,0.1`.
    """
    spec = _spec(request)
    try:
        found = preview_.preview(context.store, project, spec, snapshot=snapshot, samples=samples, lot=lot)
    except InvalidInput as error:
        raise _refused(error) from error
    asked = {**further_parameters(request), **({} if snapshot is None else {"snapshot": snapshot})}
    query = f"?{urlencode(asked)}" if asked else ""
    at = context.url(f"/api/projects/{quote(project)}/exports/preview")
    pictures = [{**sample, "href": f"{at}/{quote(sample['chip'])}.png{query}"} for sample in found.samples]
    return Json({"report": found.report, "crs": found.crs, "grid": found.grid, "samples": pictures})


@router.get("/projects/{project}/exports/preview/{chip}.png", dependencies=[Turn])
@takes_properties
def picture(request: Request, context: ContextDep, project: str, chip: str, snapshot: Snapshot = None) -> Response:
    """A chip of the preview as training will see it, its labels over it."""
    spec = _spec(request)
    try:
        content = preview_.picture(context.store, project, spec, chip, snapshot=snapshot)
    except InvalidInput as error:
        raise _refused(error) from error
    return Response(content, media_type="image/png", headers={"Cache-Control": "private, max-age=60"})


def _spec(request: Request) -> ChipSpec:
    try:
        return spec_from_text(further_parameters(request))
    except InvalidInput as error:
        raise _refused(error) from error


def _refused(error: InvalidInput) -> Refused:
    """400: what cannot be planned came with the query."""
    pointer = "/chips" if isinstance(error, InvalidSpec) else "/project"
    return Refused(400, str(error), error.problems or [Problem(pointer, str(error))])
