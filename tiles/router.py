"""create_router(catalogue) -> APIRouter: HTTP in, pictures out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Protocol
from urllib.parse import urlencode

from fastapi import APIRouter, Path, Query, Request, Response

from tiles import grid
from tiles.cache import etag_matches
from tiles.errors import (
    Busy,
    InvalidParameter,
    InvalidSetting,
    NotOnMap,
    OutsideMatrix,
    SourceNotFound,
    SourceRefused,
    SourceUnreadable,
    TilesError,
    UnknownScene,
)
from tiles.pictures import Picture, Pictures
from tiles.render import FORMATS, MEDIA_TYPES, Format
from tiles.settings import TilesSettings, from_environment
from tiles.style import RESAMPLINGS, Style, make_style
from tiles.workers import Workers

if TYPE_CHECKING:
    from tiles.sources import Source

STATUS: dict[type[TilesError], int] = {
    UnknownScene: 404,
    SourceNotFound: 404,
    OutsideMatrix: 404,
    InvalidParameter: 400,
    InvalidSetting: 500,
    NotOnMap: 422,
    SourceRefused: 422,
    SourceUnreadable: 422,
    Busy: 503,
}
"""HTTP status of each error; those with 503 come with `Retry-After: 1`."""

MAX_PREVIEW = 2048
"""Longest side of a preview, in pixels."""

# The URL of a tile stays the same when the raster changes: clients keep it, and ask each time whether it still holds.
_CACHE_CONTROL = "private, no-cache"

_STYLE_PARAMETERS = frozenset({"bidx", "rescale", "resampling"})

_Tms = Annotated[str, Path(description=f"Tile matrix set: {', '.join(grid.TILE_MATRIX_SETS)}.")]
_Fmt = Annotated[
    str, Path(description=f"{', '.join(FORMATS)}. JPEG is white where there is no data, the others are transparent.")
]
_Bidx = Annotated[
    list[str] | None,
    Query(
        description="One band or three, from 1: `3,2,1`. By default red, green, blue as the file names them, else the first three, else the first."
    ),
]
_Rescale = Annotated[
    list[str] | None,
    Query(
        description="`min,max` that become black and white, once or per band. By default 8-bit values as they are, others between their 2nd and 98th percentile."
    ),
]
_Resampling = Annotated[
    list[str] | None, Query(description=f"{', '.join(RESAMPLINGS)}. By default bilinear, nearest for a palette.")
]


class Catalogue(Protocol):
    """Where scenes are looked up: any callable from a scene's name to its source.

    create_router({"a": local_source("a.tif")}.__getitem__)    # but raise UnknownScene rather than KeyError
    """

    def __call__(self, scene: str, /) -> Source:
        """The source of a scene.

        Raises:
            UnknownScene: there is none of that name.
        """


def create_router(catalogue: Catalogue, settings: TilesSettings | None = None) -> APIRouter:
    """Make the imagery routes, relative to wherever they are included.

    The routes raise TilesError; the application turns them into responses, by `STATUS`.

    Args:
        catalogue: where scenes are looked up.
        settings: limits and cache; the environment's unless given.
    """
    router = APIRouter(tags=["imagery"])
    settings = settings or from_environment()
    pictures = Pictures(settings)
    workers = Workers(settings.max_waiting)
    images: dict[int | str, dict[str, Any]] = {
        200: {"description": "The image.", "content": {media: {} for media in MEDIA_TYPES.values()}},
        304: {"description": "The image that the client has still holds (If-None-Match)."},
    }

    def style_of(source: Source, request: Request, *more: str) -> Style:
        _check_parameters(request, _STYLE_PARAMETERS.union(more))
        given = {name: request.query_params.getlist(name) for name in _STYLE_PARAMETERS}
        return make_style(pictures.info(source), **given)

    @router.get(
        "/{scene}/tiles/{tms}/{z}/{x}/{y}.{fmt}", response_class=Response, responses=images, name="imagery_tile"
    )
    async def tile(
        *,
        request: Request,
        scene: str,
        tms: _Tms,
        z: str,
        x: str,
        y: Annotated[str, Path(description="Row, with `@2x` for a tile of 512 pixels instead of 256.")],
        fmt: _Fmt,
        bidx: _Bidx = None,  # noqa: ARG001 - read from the request, named here for the API's description
        rescale: _Rescale = None,  # noqa: ARG001
        resampling: _Resampling = None,  # noqa: ARG001
    ) -> Response:
        """A tile of a scene.

        Outside the scene's footprint it is an empty tile, outside the tile matrix set 404.
        """
        known = _format(fmt)
        row = y.removesuffix("@2x")
        cell = grid.make_tile(tms, _number("z", z), _number("x", x), _number("y", row))
        source = catalogue(scene)

        def find() -> Picture:
            style = style_of(source, request)
            pictures.placement(source, tms)
            return pictures.tile(source, cell, style, known, scale=1 if row == y else 2)

        # What is in memory is answered at once; whatever opens a raster or draws takes its turn.
        gone = request.is_disconnected
        picture = find() if pictures.knows(source, tms) else await workers.run(find, gone)
        headers = {"ETag": picture.etag, "Cache-Control": _CACHE_CONTROL}
        if etag_matches(request.headers.get("if-none-match"), picture.etag):
            return Response(status_code=304, headers=headers)
        content = picture.kept()
        if content is None:
            content = await workers.run(picture.content, gone)
        return Response(content, media_type=MEDIA_TYPES[known], headers=headers)

    @router.get("/{scene}/{tms}/tilejson.json", name="imagery_tilejson")
    def tilejson(
        *,
        request: Request,
        scene: str,
        tms: _Tms,
        bidx: _Bidx = None,  # noqa: ARG001
        rescale: _Rescale = None,  # noqa: ARG001
        resampling: _Resampling = None,  # noqa: ARG001
    ) -> dict[str, Any]:
        """The TileJSON 3.0.0 document of a scene; what is asked about the style is passed on to its tiles."""
        grid.check_tile_matrix_set(tms)
        source = catalogue(scene)
        style_of(source, request)
        placement = pictures.placement(source, tms)
        url = request.url_for("imagery_tile", scene=scene, tms=tms, z="{z}", x="{x}", y="{y}", fmt="webp")
        query = urlencode(request.query_params.multi_items(), safe=",")
        return grid.tilejson(placement, f"{url}?{query}" if query else str(url), scene)

    @router.get("/{scene}/preview.{fmt}", response_class=Response, responses=images, name="imagery_preview")
    def preview(
        *,
        request: Request,
        scene: str,
        fmt: _Fmt,
        max_size: Annotated[str, Query(description=f"Longest side in pixels, 1 to {MAX_PREVIEW}.")] = "512",
        bidx: _Bidx = None,  # noqa: ARG001
        rescale: _Rescale = None,  # noqa: ARG001
        resampling: _Resampling = None,  # noqa: ARG001
    ) -> Response:
        """The whole scene on its own pixel grid, smaller."""
        known = _format(fmt)
        size = _number("max_size", max_size)
        if not 1 <= size <= MAX_PREVIEW:
            raise InvalidParameter(f"max_size cannot be used: expected 1 to {MAX_PREVIEW} pixels; got {size}.")
        source = catalogue(scene)
        style = style_of(source, request, "max_size")
        return _respond(request, pictures.preview(source, style, known, max_size=size), known)

    return router


def _respond(request: Request, picture: Picture, fmt: Format) -> Response:
    headers = {"ETag": picture.etag, "Cache-Control": _CACHE_CONTROL}
    if etag_matches(request.headers.get("if-none-match"), picture.etag):
        return Response(status_code=304, headers=headers)
    return Response(picture.content(), media_type=MEDIA_TYPES[fmt], headers=headers)


def _format(text: str) -> Format:
    for fmt in FORMATS:
        if text == fmt:
            return fmt
    raise InvalidParameter(f"The format {text[:16]!r} is not served; expected one of {', '.join(FORMATS)}.")


def _number(name: str, text: str) -> int:
    # Digits only: int() would take '+1', '1_0' and numbers of any length.
    if not (text.isascii() and text.isdigit() and len(text) <= 10):
        raise InvalidParameter(
            f"{name} cannot be used: expected a whole number of at most 10 digits; got {text[:32]!r}."
        )
    return int(text)


def _check_parameters(request: Request, known: frozenset[str]) -> None:
    unknown = sorted(set(request.query_params) - known)
    if unknown:
        raise InvalidParameter(
            f"The parameter {unknown[0][:64]!r} is not known here; expected any of {', '.join(sorted(known))}."
        )
