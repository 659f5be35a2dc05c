"""Label tiles: Mapbox Vector Tiles of a project's labels, TileJSON, and the list of tile matrix sets."""

from __future__ import annotations

import gzip
import hashlib
import ipaddress
import json
import re
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Protocol

from anyio import to_thread
from fastapi import APIRouter, Depends, Path, Query, Request, Response

from geolabel.api.context import ContextDep, known_parameters
from geolabel.api.wire import JSON, Json, Refused, bad_parameter
from geolabel.errors import GeolabelError, NotFound
from geolabel.geo import crs as crs_
from geolabel.labeltiles.format import FIELDS, LAYER_NAME
from geolabel.labeltiles.matrix import check_fits, matrix_set, served
from geolabel.model import CRS84

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from starlette.types import ASGIApp, Receive, Scope, Send

    from geolabel.batches import LabelsState
    from geolabel.labeltiles.matrix import MatrixSet
    from geolabel.settings import Settings

router = APIRouter(prefix="/api/collections/{project}/tiles", tags=["label tiles"])
_Checked = [Depends(known_parameters)]

MVT = "application/vnd.mapbox-vector-tile"

_ENCODING = 1
"""To be raised when the same labels are encoded differently: clients then ask anew."""

_FINEST = 20
"""The last zoom that TileJSON names: a tile unit is 1 cm there, and maps draw closer views from it."""

# The URL of a tile stays the same when labels change: clients keep it, and ask each time whether it still holds.
_CACHE_CONTROL = "private, no-cache"
_WORTH_GZIP = 1400
"""Bytes that one packet carries."""

_Tms = Annotated[str, Path(description="Tile matrix set: WebMercatorQuad, or another one that `tiles` lists.")]
_TILE: dict[int | str, dict[str, Any]] = {
    200: {"description": "A Mapbox Vector Tile.", "content": {MVT: {}}},
    204: {"description": "Nothing is in the tile."},
    304: {"description": "The tile that the client has still holds (If-None-Match)."},
}
_PICTURE: dict[int | str, dict[str, Any]] = {
    200: {"description": "A picture of 256 by 256 pixels, or smaller.", "content": {"image/png": {}}},
    304: {"description": "The picture that the client has still holds (If-None-Match)."},
}


class Cache(Protocol):
    """Encoded tiles, bounded."""

    def get(self, key: Hashable, make: Callable[[], bytes]) -> bytes:
        """The bytes of a key, made when they are not there."""


@router.get("", response_class=Json, dependencies=_Checked)
def list_sets(context: ContextDep, project: str) -> Response:
    """The tile matrix sets that a project's labels are served in."""
    found = context.store.project(project)
    check_fits(found.crs, project)
    at = context.url(f"/api/collections/{project}/tiles")
    sets = [
        {
            "title": f"{found.title}: {name}",
            "dataType": "vector",
            "crs": crs_.to_uri(matrix_set(name).crs),
            "tileMatrixSetURI": f"http://www.opengis.net/def/tilematrixset/OGC/1.0/{name}",
            "links": [
                {"rel": "describedby", "type": JSON, "href": f"{at}/{name}/tilejson.json", "title": "TileJSON"},
                {
                    "rel": "item",
                    "type": MVT,
                    "href": f"{at}/{name}/{{tileMatrix}}/{{tileCol}}/{{tileRow}}.mvt",
                    "templated": True,
                    "title": "Tiles",
                },
            ],
        }
        for name in served()
    ]
    return Json({"links": [{"rel": "self", "type": JSON, "href": at, "title": "This page"}], "tilesets": sets})


@router.get("/{tms}/tilejson.json", response_class=Json, dependencies=_Checked)
def tilejson(context: ContextDep, project: str, tms: _Tms) -> Response:
    """The TileJSON 3.0.0 document of a project's labels."""
    matrices = matrix_set(tms)
    found = context.store.project(project)
    crs = check_fits(found.crs, project)
    body: dict[str, Any] = {
        "tilejson": "3.0.0",
        "name": found.title,
        "scheme": "xyz",
        "tiles": [context.url(f"/api/collections/{project}/tiles/{tms}/{{z}}/{{x}}/{{y}}.mvt")],
        "minzoom": matrices.minzoom,
        "maxzoom": min(matrices.maxzoom, _FINEST),
        "vector_layers": [{"id": LAYER_NAME, "description": "The labels.", "fields": FIELDS}],
    }
    extent = context.store.extent(project)
    if extent is not None:
        west, south, east, north = crs_.bounds_to(extent, crs, CRS84)
        # Bounds in TileJSON must not wrap around the antimeridian.
        if west > east or east > 180 or west < -180:
            west, east = -180.0, 180.0
        body["bounds"] = [west, south, east, north]
    return Json(body)


@router.get("/{tms}/{z}/{x}/{y}.mvt", response_class=Response, responses=_TILE)
def tile(*, request: Request, project: str, tms: _Tms, z: str, x: str, y: str) -> Response:
    """A tile of a project's labels in the layer `labels`: class, id and status of each, and its id as the feature's.

    Outside the tile matrix set it is 404, and without labels 204.
    """
    return _answer(request, project, tms, (z, x, y), pooled=False)


@router.get("/{tms}/pooled/{z}/{x}/{y}.mvt", response_class=Response, responses=_TILE)
def pooled_tile(*, request: Request, project: str, tms: _Tms, z: str, x: str, y: str) -> Response:
    """The same tile for a quick picture of very many labels: those that are too small to be told apart are left out.

    They are in the picture of the same name, `.png`. The layer `count` is a point that says how many labels lie in the
    tile, and how many of them are in the picture.
    """
    return _answer(request, project, tms, (z, x, y), pooled=True)


@router.get("/{tms}/pooled/{z}/{x}/{y}.png", response_class=Response, responses=_PICTURE, dependencies=_Checked)
def crowd_picture(
    *,
    request: Request,
    context: ContextDep,
    project: str,
    tms: _Tms,
    z: str,
    x: str,
    y: str,
    hide: Annotated[str, Query(description="Names of classes that are left out, as a JSON list.")] = "[]",
) -> Response:
    """The labels that a pooled tile leaves out, as a picture in the colours of their classes; transparent elsewhere."""
    matrices, place = _place(tms, (z, x, y))
    hidden = _hidden(hide)
    app = request.app.state
    state = app.label_tiles.state(project)
    colors = {c.name: c.color for c in context.store.project(project).classes}
    look = hashlib.sha256(json.dumps([colors, hidden]).encode()).hexdigest()[:16]
    tag = f'{_etag(state, compressed=False)[:-1]}{look}"'
    headers = {"ETag": tag, "Cache-Control": _CACHE_CONTROL}
    if tag in [part.strip().removeprefix("W/") for part in request.headers.get("if-none-match", "").split(",")]:
        return Response(status_code=304, headers=headers)
    cache: Cache = app.label_tile_cache
    body = cache.get(
        (state, tms, place, look),
        lambda: app.label_tiles.picture(project, state, matrices, place, colors=colors, hidden=hidden),
    )
    return Response(body or _empty(), media_type="image/png", headers=headers)


def _hidden(text: str) -> list[str]:
    try:
        names = json.loads(text)
    except (ValueError, RecursionError):
        names = None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise bad_parameter("hide", f"expected names of classes as a JSON list, got {text[:64]!r}")
    return sorted(set(names))


def _empty() -> bytes:
    from geolabel.labeltiles.pooling import empty  # noqa: PLC0415 (numba takes a second to load)

    return empty()


def _place(tms: str, numbers: tuple[str, str, str]) -> tuple[MatrixSet, tuple[int, int, int]]:
    matrices = matrix_set(tms)
    place = (_number(numbers[0]), _number(numbers[1]), _number(numbers[2]))
    matrices.box(*place)
    return matrices, place


def _answer(request: Request, project: str, tms: str, numbers: tuple[str, str, str], *, pooled: bool) -> Response:
    if request.url.query:  # as `known_parameters` does, but a map asks for hundreds of tiles
        name = next(iter(request.query_params), "")
        raise bad_parameter(name, "a label tile takes no parameters")
    matrices, place = _place(tms, numbers)
    app = request.app.state
    state = app.label_tiles.state(project)
    compressed = _wants_gzip(request, app.settings)
    headers = {
        "ETag": _etag(state, compressed=compressed),
        "Cache-Control": _CACHE_CONTROL,
        "Vary": "Accept-Encoding",
    }
    if _still_holds(request, state):
        return Response(status_code=304, headers=headers)
    cache: Cache = app.label_tile_cache
    key = (state, tms, place, pooled)
    body = cache.get(key, lambda: app.label_tiles.tile(project, state, matrices, place, pooled=pooled))
    if not body:
        return Response(status_code=204, headers=headers)
    if compressed and len(body) > _WORTH_GZIP:
        plain = body
        body = cache.get((*key, "gzip"), lambda: gzip.compress(plain, 1, mtime=0))
        headers["Content-Encoding"] = "gzip"
    return Response(body, media_type=MVT, headers=headers)


class ShortWay:
    """Answers requests for label tiles past routing and parameters, which take as long as a tile (pure ASGI).

    What it cannot answer goes the long way, which says why.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._route = next(route for route in router.routes if getattr(route, "endpoint", None) is tile)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        found = None
        if (
            scope["type"] == "http"
            and scope["method"] == "GET"
            and not scope["query_string"]
            and not scope["root_path"]
        ):
            found = _PATH.match(scope["path"])
        if found is not None:
            try:
                answer = await to_thread.run_sync(partial(tile, request=Request(scope), **found.groupdict()))
            except (GeolabelError, Refused):  # it comes up again below, where it is answered
                answer = None
            if answer is not None:
                scope["route"] = self._route
                await answer(scope, receive, send)
                return
        await self._app(scope, receive, send)


_PATH = re.compile(
    r"/api/collections/(?P<project>[^/]+)/tiles/(?P<tms>[^/]+)/(?P<z>[^/]+)/(?P<x>[^/]+)/(?P<y>[^/]+)\.mvt\Z"
)


def _number(text: str) -> int:
    # Digits only: int() would take '+1', '1_0' and numbers of any length.
    if not (text.isascii() and text.isdigit() and len(text) <= 10):
        raise NotFound(f"There is no such tile: zoom, column and row are whole numbers, got {text[:32]!r}.")
    return int(text)


def _etag(state: LabelsState, *, compressed: bool) -> str:
    parts = (
        _ENCODING,
        state.key,
        state.created_at,
        state.changes,
        state.changed_at,
        *state.hidden,
        "gzip" if compressed else "",
    )
    return '"' + "/".join(map(str, parts)) + '"'


def _still_holds(request: Request, state: LabelsState) -> bool:
    """Whether the client has the tile, compressed or not."""
    given = [part.strip().removeprefix("W/") for part in request.headers.get("if-none-match", "").split(",")]
    return any(_etag(state, compressed=compressed) in given for compressed in (False, True)) or given == ["*"]


def _wants_gzip(request: Request, settings: Settings) -> bool:
    """Whether the client asks for it and is not on this machine, where compressing takes longer than sending."""
    header = request.headers.get("accept-encoding", "").lower()
    if "gzip" not in header:
        return False
    accepted = {
        name.strip(): quality.replace(" ", "")
        for name, _, quality in (part.partition(";") for part in header.split(","))
    }
    if "gzip" not in accepted or accepted["gzip"] in {"q=0", "q=0.0", "q=0.00", "q=0.000"}:
        return False
    if settings.public_url or "x-forwarded-for" in request.headers or "forwarded" in request.headers:
        return True
    try:
        return request.client is None or not ipaddress.ip_address(request.client.host).is_loopback
    except ValueError:
        return True
