"""The routes of mosaics: several scenes as one layer, filtered by date, in tiles, TileJSON, WMTS and OGC API Tiles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Path, Query, Request, Response

from tiles import grid, matrix, ogc, wmts
from tiles.errors import InvalidParameter, UnknownScene
from tiles.mosaic import METHODS
from tiles.mosaics import View, days, together
from tiles.parameters import STYLE, check_names, read_format, read_number
from tiles.style import PARAMETERS
from tiles.values import is_format
from tiles.wmts_router import split

if TYPE_CHECKING:
    from tiles.desk import Desk
    from tiles.mosaics import Mosaics

_OWN = ("datetime", "method")
_Method = Annotated[str | None, Query(description=f"{', '.join(METHODS)}: which scene shows where several have data.")]
_Datetime = Annotated[
    str | None, Query(description="Only scenes of then: `2024-05-01`, `2024-01-01/2024-06-30`, `2024-01-01/..`.")
]


def create_mosaic_router(desk: Desk, mosaics: Mosaics) -> APIRouter:
    """Make the routes, relative to wherever they are included: `/{mosaic}/mosaic/...`.

    Args:
        desk: knows scenes and pictures.
        mosaics: where they are looked up.
    """
    router = APIRouter(tags=["imagery"])

    async def look(request: Request, name: str, **asked: Any) -> View:
        return await desk.run(request, None, lambda: View(desk, request, name, mosaics(name), **asked))

    @router.get("/{name}/mosaic", name="mosaic")
    async def describe(*, request: Request, name: str) -> dict[str, Any]:
        """The scenes of a project as one layer: their order, their dates, and where the tiles are."""
        check_names(request, frozenset())
        asked = await look(request, name)
        return await asked.run(asked.description)

    @router.get(
        "/{name}/mosaic/tiles/{tms}/{z}/{x}/{y}.{fmt}", name="mosaic_tile", response_class=Response, openapi_extra=STYLE
    )
    async def tile(
        *,
        request: Request,
        name: str,
        tms: str,
        z: str,
        x: str,
        y: Annotated[str, Path(description="Row, with `@2x` for a tile of 512 pixels instead of 256.")],
        fmt: str,
        method: _Method = None,
        datetime: _Datetime = None,
    ) -> Response:
        """A tile of all scenes of a project: the first, the latest or the mean of those that have data."""
        check_names(request, frozenset(PARAMETERS).union(_OWN))
        known, row = read_format(fmt), y.removesuffix("@2x")
        cell = _shared_set(tms).tile(read_number("z", z), read_number("x", x), read_number("y", row))
        asked = await look(request, name, style=_style(request), method=method, datetime=datetime)
        scale = 1 if row == y else 2
        return await asked.send(fmt, lambda: asked.mosaic(values=is_format(known)).tile(cell, known, scale=scale))

    @router.get("/{name}/mosaic/{tms}/tilejson.json", name="mosaic_tilejson", openapi_extra=STYLE)
    async def tilejson(
        *, request: Request, name: str, tms: str, method: _Method = None, datetime: _Datetime = None
    ) -> dict[str, Any]:
        """The TileJSON 3.0.0 document of all scenes of a project; what is asked is passed on to its tiles."""
        check_names(request, frozenset(PARAMETERS).union(_OWN))
        _shared_set(tms)
        asked = await look(request, name, style=_style(request), method=method, datetime=datetime)

        def find() -> dict[str, Any]:
            placements = asked.placements(tms)
            url = request.url_for("mosaic_tile", name=name, tms=tms, z="{z}", x="{x}", y="{y}", fmt="webp")
            query = urlencode(request.query_params.multi_items(), safe=",")
            return grid.tilejson(together(placements), f"{url}?{query}" if query else str(url), name)

        return await asked.run(find)

    @router.get("/{name}/mosaic/tiles", name="mosaic_tilesets")
    async def tilesets(*, request: Request, name: str) -> dict[str, Any]:
        """In which tile matrix sets the scenes of a project are served as one (OGC API Tiles)."""
        check_names(request, frozenset())
        asked = await look(request, name)
        url, schemes = str(request.url_for("mosaic_tilesets", name=name)), str(request.url_for("tile_matrix_sets"))
        return await asked.run(lambda: ogc.tilesets(asked.layer(), url, schemes))

    @router.get("/{name}/mosaic/tiles/{tms}", name="mosaic_tileset")
    async def tileset(*, request: Request, name: str, tms: str) -> dict[str, Any]:
        """The scenes of a project as one in a tile matrix set (OGC API Tiles)."""
        check_names(request, frozenset())
        asked = await look(request, name)
        url, schemes = (
            str(request.url_for("mosaic_tileset", name=name, tms=tms)),
            str(request.url_for("tile_matrix_sets")),
        )

        def find() -> dict[str, Any]:
            layer = asked.layer()
            one = next((one for one in layer.tilesets if one.matrices.id == tms), None)
            if one is None:
                names = ", ".join(one.matrices.id for one in layer.tilesets)
                raise UnknownScene(f"The mosaic of {name!r} has no tileset {tms[:64]!r}; it has {names or 'none'}.")
            return ogc.tileset(layer, one, url, schemes)

        return await asked.run(find)

    _add_wmts(router, desk, mosaics)
    return router


def _add_wmts(router: APIRouter, desk: Desk, mosaics: Mosaics) -> None:
    @router.get("/{name}/mosaic/wmts.xml", name="mosaic_wmts")
    @router.get("/{name}/mosaic/wmts", name="mosaic_wmts_kvp")
    async def answer(*, request: Request, name: str) -> Response:
        """WMTS 1.0.0: all scenes of a project as one layer, and one layer for each date."""
        query, style = split(request, "method")
        wanted, method = wmts.read_request(query), query.get("method")
        entries = await desk.run(request, None, lambda: mosaics(name))

        def view(day: str | None = None) -> View:
            return View(desk, request, name, entries, style=style, method=method, datetime=day)

        if wanted is None:
            everything = view()

            def capabilities() -> bytes:
                url, more = str(request.url_for("mosaic_wmts_kvp", name=name)), everything.query()
                layers = [one.layer() for one in (everything, *map(view, days(entries)))]
                return wmts.capabilities(layers, f"{url}?{more}" if more else url, name, values=False)

            return Response(await everything.run(capabilities), media_type=wmts.MEDIA_TYPE)
        day = _day(wanted.layer, name, days(entries))
        if wanted.fmt is None:
            raise InvalidParameter(
                "REQUEST cannot be used: a mosaic has no GetFeatureInfo; ask a scene of it for its values."
            )
        known = read_format(wanted.fmt)
        cell = _shared_set(wanted.tms).tile(*wanted.address)
        asked = await desk.run(request, None, lambda: view(day))
        return await asked.send(known, lambda: asked.mosaic(values=is_format(known)).tile(cell, known))


def _day(layer: str, name: str, known: list[str]) -> str | None:
    """The day of a layer, which is that of a mosaic or of one of its days."""
    first, at, day = layer.partition("@")
    if first != name or (at and day not in known):
        expected = ", ".join((name, *(f"{name}@{day}" for day in known[:5])))
        raise InvalidParameter(f"LAYER cannot be used: expected one of {expected}; got {layer[:64]!r}.")
    return day or None


def _shared_set(tms: str) -> matrix.MatrixSet:
    if tms == matrix.NATIVE:
        raise InvalidParameter(
            "A mosaic has no pixels of its own: expected a tile matrix set such as WebMercatorQuad; got native."
        )
    return matrix.find(tms)


def _style(request: Request) -> list[tuple[str, str]]:
    return [(name, text) for name, text in request.query_params.multi_items() if name in PARAMETERS]
