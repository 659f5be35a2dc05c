"""create_router(catalogue) -> APIRouter: HTTP in, pictures out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Path, Query, Request, Response

from tiles import facts, grid, matrix, render, standards, values, wmts_router
from tiles.desk import MEDIA_TYPES, Desk
from tiles.errors import (
    Busy,
    InvalidParameter,
    InvalidSetting,
    NotOnMap,
    OutsideMatrix,
    OutsideRaster,
    SourceChanged,
    SourceNotFound,
    SourceRefused,
    SourceUnreachable,
    SourceUnreadable,
    TilesError,
    TooMuch,
    TooSlow,
    UnknownScene,
)
from tiles.parameters import STYLE, read_format, read_number, read_picture_format, read_style
from tiles.quick import QuickRoute
from tiles.settings import TilesSettings, from_environment

if TYPE_CHECKING:
    from tiles.catalogue import Catalogue
    from tiles.pictures import Picture
    from tiles.sources import Source

STATUS: dict[type[TilesError], int] = {
    UnknownScene: 404,
    SourceNotFound: 404,
    OutsideMatrix: 404,
    OutsideRaster: 404,
    InvalidParameter: 400,
    InvalidSetting: 500,
    NotOnMap: 422,
    SourceRefused: 422,
    SourceUnreadable: 422,
    SourceChanged: 503,
    SourceUnreachable: 503,
    TooMuch: 413,
    Busy: 503,
    TooSlow: 503,
}
"""HTTP status of each error; those with 503 come with `Retry-After: 1`."""

MAX_PREVIEW = 2048
"""Longest side of a preview, in pixels."""

_Tms = Annotated[
    str,
    Path(
        description=f"Tile matrix set: {', '.join(matrix.names())}, UTM01WGS84Quad to UTM60WGS84Quad, or {matrix.NATIVE}: the scene's own pixels."
    ),
]
_Fmt = Annotated[
    str,
    Path(
        description=f"{', '.join(render.FORMATS)}: a picture; JPEG is white where there is no data, the others are transparent. "
        f"{', '.join(values.FORMATS)} (tiles only): the values, of all bands unless asked otherwise."
    ),
]


def create_router(catalogue: Catalogue | Desk, settings: TilesSettings | None = None) -> APIRouter:  # noqa: C901 - as facts
    """Make the imagery routes, relative to wherever they are included.

    The routes raise TilesError; the application turns them into responses, by `STATUS`.

    Args:
        catalogue: where scenes are looked up; or a desk that other routes use as well, which has its own settings.
        settings: limits and cache; the environment's unless given.
    """
    router = APIRouter(tags=["imagery"])
    desk = catalogue if isinstance(catalogue, Desk) else Desk(catalogue, settings or from_environment())
    pictures, saved = desk.pictures, desk.saved

    images: dict[int | str, dict[str, Any]] = {
        200: {"description": "The image.", "content": {media: {} for media in render.MEDIA_TYPES.values()}},
        304: {"description": "The image that the client has still holds (If-None-Match)."},
    }

    async def tile(
        *,
        request: Request,
        scene: str,
        tms: _Tms,
        z: str,
        x: str,
        y: Annotated[str, Path(description="Row, with `@2x` for a tile of 512 pixels instead of 256.")],
        fmt: _Fmt,
    ) -> Response:
        """A tile of a scene.

        Outside the scene's footprint it is an empty tile, outside the tile matrix set 404.
        """
        known = read_format(fmt)
        row = y.removesuffix("@2x")
        address = (read_number("z", z), read_number("x", x), read_number("y", row))
        if tms != matrix.NATIVE:
            matrix.find(tms).tile(*address)  # refused without opening anything

        async def respond(source: Source) -> Response:
            def find() -> Picture:
                style = read_style(request, pictures.info(source), values=values.is_format(known), saved=saved(scene))
                cell = pictures.placement(source, tms).matrices.tile(*address)
                return pictures.tile(source, cell, style, known, scale=1 if row == y else 2)

            # What is in memory is answered at once; whatever opens a raster or draws takes its turn.
            picture = find() if pictures.knows(source, tms) else await desk.run(request, source, find)
            response = await desk.send(request, source, picture, known)
            desk.memory.keep(request.scope, scene, source, picture, MEDIA_TYPES[known])
            return response

        return await desk.answer(scene, respond)

    router.add_api_route(
        "/{scene}/tiles/{tms}/{z}/{x}/{y}.{fmt}",
        tile,
        response_class=Response,
        responses=images,
        name="imagery_tile",
        openapi_extra=STYLE,
        route_class_override=QuickRoute,
    )

    @router.get("/{scene}/{tms}/tilejson.json", name="imagery_tilejson", openapi_extra=STYLE)
    async def tilejson(
        *,
        request: Request,
        scene: str,
        tms: _Tms,
    ) -> dict[str, Any]:
        """The TileJSON 3.0.0 document of a scene; what is asked about the style is passed on to its tiles."""

        async def respond(source: Source) -> dict[str, Any]:
            def find() -> grid.Placement:
                read_style(request, pictures.info(source))
                return pictures.placement(source, tms)

            placement = await desk.run(request, source, find)
            url = request.url_for("imagery_tile", scene=scene, tms=tms, z="{z}", x="{x}", y="{y}", fmt="webp")
            query = urlencode(request.query_params.multi_items(), safe=",")
            return grid.tilejson(placement, f"{url}?{query}" if query else str(url), scene)

        return await desk.answer(scene, respond)

    @router.get(
        "/{scene}/preview.{fmt}",
        response_class=Response,
        responses=images,
        name="imagery_preview",
        openapi_extra=STYLE,
    )
    async def preview(
        *,
        request: Request,
        scene: str,
        fmt: _Fmt,
        max_size: Annotated[str, Query(description=f"Longest side in pixels, 1 to {MAX_PREVIEW}.")] = "512",
    ) -> Response:
        """The whole scene on its own pixel grid, smaller."""
        known = read_picture_format(fmt)
        size = read_number("max_size", max_size)
        if not 1 <= size <= MAX_PREVIEW:
            raise InvalidParameter(f"max_size cannot be used: expected 1 to {MAX_PREVIEW} pixels; got {size}.")

        async def respond(source: Source) -> Response:
            def find() -> Picture:
                style = read_style(request, pictures.info(source), "max_size", saved=saved(scene))
                return pictures.preview(source, style, known, max_size=size)

            return await desk.send(request, source, await desk.run(request, source, find), known)

        return await desk.answer(scene, respond)

    facts.add_routes(router, desk)
    standards.add_routes(router, desk)
    wmts_router.add_routes(router, desk)
    return router
