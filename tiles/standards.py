"""OGC API Tiles: the routes that tell clients in which tile matrix sets a scene is, and how these are made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Path, Request

from tiles import matrix, ogc, render, values
from tiles.errors import InvalidParameter, UnknownScene
from tiles.grid import lonlat_box
from tiles.layers import Layer, definition, tilesets_of
from tiles.parameters import check_names, read_style
from tiles.style import COLOR_PARAMETERS

if TYPE_CHECKING:
    from collections.abc import Callable

    from tiles.desk import Desk
    from tiles.info import RasterInfo
    from tiles.sources import Source


def create_matrix_router() -> APIRouter:
    """The tile matrix sets that everybody knows: `/tileMatrixSets`."""
    router = APIRouter(tags=["imagery"])

    @router.get("/tileMatrixSets", name="tile_matrix_sets")
    async def tile_matrix_sets(request: Request) -> dict[str, Any]:
        """The tile matrix sets in which every scene on Earth is served."""
        check_names(request, frozenset())
        return ogc.tile_matrix_sets(str(request.url_for("tile_matrix_sets")))

    @router.get("/tileMatrixSets/{tms}", name="tile_matrix_set")
    async def tile_matrix_set(request: Request, tms: Annotated[str, Path(description="Its name.")]) -> dict[str, Any]:
        """The definition of a tile matrix set."""
        check_names(request, frozenset())
        own = str(request.url_for("tile_matrix_set", tms=tms))
        return ogc.tile_matrix_set(_known(tms), own if tms.endswith(matrix.TWICE) else definition(tms))

    return router


def _known(tms: str) -> matrix.MatrixSet:
    try:
        return matrix.find(tms)
    except InvalidParameter as error:
        raise UnknownScene(str(error)) from error  # a resource that is not there, and no parameter


def add_routes(router: APIRouter, desk: Desk) -> None:  # each route is a function in it
    """Add them to a router.

    Args:
        router: of the imagery.
        desk: knows scenes, headers and pictures, and the threads to draw in.
    """
    pictures = desk.pictures

    async def describe(request: Request, scene: str, find: Callable[[Layer], Any]) -> Any:
        def look(source: Source) -> Any:
            info = pictures.info(source)
            read_style(request, info)
            return find(layer_of(request, scene, info, source.name, request.query_params.multi_items()))

        return await desk.answer(scene, lambda source: desk.run(request, source, lambda: look(source)))

    @router.get("/{scene}/tiles", name="imagery_tilesets")
    async def tilesets(*, request: Request, scene: str) -> dict[str, Any]:
        """In which tile matrix sets the scene is served (OGC API Tiles)."""
        url, schemes = str(request.url_for("imagery_tilesets", scene=scene)), str(request.url_for("tile_matrix_sets"))
        found: dict[str, Any] = await describe(request, scene, lambda layer: ogc.tilesets(layer, url, schemes))
        return found

    @router.get("/{scene}/tiles/{tms}", name="imagery_tileset")
    async def tileset(*, request: Request, scene: str, tms: str) -> dict[str, Any]:
        """The scene in one tile matrix set: where its tiles are, and which show something (OGC API Tiles)."""
        if tms != matrix.NATIVE:
            _known(tms)
        url = str(request.url_for("imagery_tileset", scene=scene, tms=tms))
        schemes = str(request.url_for("tile_matrix_sets"))

        def find(layer: Layer) -> dict[str, Any]:
            one = next((one for one in layer.tilesets if one.matrices.id == tms), None)
            if one is None:
                names = ", ".join(one.matrices.id for one in layer.tilesets)
                raise UnknownScene(f"Scene {scene!r} has no tileset {tms!r} of its own; it has {names}.")
            return ogc.tileset(layer, one, url, schemes)

        found: dict[str, Any] = await describe(request, scene, find)
        return found

    @router.get("/{scene}/tileMatrixSets/native", name="imagery_native")
    async def native(*, request: Request, scene: str) -> dict[str, Any]:
        """The tile matrix set of the scene's own pixels: at its last level, a tile is a window of the file."""
        url = str(request.url_for("imagery_native", scene=scene))

        def find(source: Source) -> dict[str, Any]:
            check_names(request, frozenset())
            return ogc.tile_matrix_set(matrix.on_map(pictures.info(source)), url)

        return await desk.answer(scene, lambda source: desk.run(request, source, lambda: find(source)))


def layer_of(request: Request, scene: str, info: RasterInfo, name: str, style: list[tuple[str, str]]) -> Layer:
    """What is said of a scene's picture.

    Args:
        request: whose addresses it gets.
        scene: its id.
        info: its header.
        name: of its file, for messages.
        style: query parameters that its tiles get.
    """
    url = request.url_for(
        "imagery_tile",
        scene=scene,
        tms="{TileMatrixSet}",
        z="{TileMatrix}",
        x="{TileCol}",
        y="{TileRow}",
        fmt="{format}",
    )
    query = urlencode(style, safe=",")
    native = str(request.url_for("imagery_native", scene=scene))
    template = f"{url}?{query}" if query else str(url)
    return Layer(scene, scene, tilesets_of(info, name, native), lonlat_box(info, name), template, formats(style))


def formats(style: list[tuple[str, str]]) -> tuple[str, ...]:
    """How the names of tiles may end: values have no colors."""
    colored = any(name in COLOR_PARAMETERS for name, _ in style)
    return render.FORMATS if colored else (*render.FORMATS, *values.FORMATS)
