"""`/api/basemaps`: the backdrops that the web map offers."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Response

from geolabel.api.context import ContextDep, known_parameters
from geolabel.api.wire import Json

router = APIRouter(
    prefix="/api/basemaps", tags=["server"], dependencies=[Depends(known_parameters)], default_response_class=Json
)


@router.get("")
async def list_basemaps(context: ContextDep) -> Response:
    """The backdrops that `GEOLABEL_BASEMAPS` names, in its order. Their tiles come from other servers."""
    return Json({"basemaps": [basemap.model_dump() for basemap in context.settings.basemaps]})
