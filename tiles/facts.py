"""The routes that answer in numbers: statistics, point values, footprint, legend."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from tiles import measure
from tiles.errors import InvalidParameter
from tiles.parameters import STYLE, check_names, read_bbox, read_degrees, read_position, read_style

if TYPE_CHECKING:
    from collections.abc import Callable

    from tiles.desk import Desk
    from tiles.sources import Source


def add_routes(router: APIRouter, desk: Desk) -> None:  # noqa: C901 - each route is a function in it
    """Add them to a router.

    Args:
        router: of the imagery.
        desk: knows scenes, headers and stretches, and the threads to read in.
    """
    pictures, settings, saved = desk.pictures, desk.settings, desk.saved

    async def answer(request: Request, scene: str, find: Callable[[Source], dict[str, Any]]) -> dict[str, Any]:
        return await desk.answer(scene, lambda source: desk.run(request, source, lambda: find(source)))

    @router.get("/{scene}/statistics", name="imagery_statistics", openapi_extra=STYLE)
    async def statistics(
        *,
        request: Request,
        scene: str,
        bbox: Annotated[
            str | None, Query(description="`west,south,east,north` in degrees: only what lies there, as on a screen.")
        ] = None,
    ) -> dict[str, Any]:
        """Statistics and histogram of each band, or of an expression, from a sample."""
        box = None if bbox is None else read_bbox(bbox)

        def find(source: Source) -> dict[str, Any]:
            info = pictures.info(source)
            style = read_style(request, info, "bbox", saved=saved(scene))
            return {"channels": measure.statistics(source, info, style, settings=settings, bbox=box)}

        return await answer(request, scene, find)

    @router.get("/{scene}/point/{lon},{lat}", name="imagery_point")
    async def point(*, request: Request, scene: str, lon: str, lat: str) -> dict[str, Any]:
        """The values of all bands at a longitude and latitude."""
        check_names(request, frozenset())
        place = read_degrees("lon", lon), read_degrees("lat", lat)

        def find(source: Source) -> dict[str, Any]:
            return measure.point(source, pictures.info(source), *place, settings=settings)

        return await answer(request, scene, find)

    @router.get("/{scene}/pixel/{column},{row}", name="imagery_pixel")
    async def pixel(*, request: Request, scene: str, column: str, row: str) -> dict[str, Any]:
        """The values of all bands at a pixel, also of a scene that has no place on Earth."""
        check_names(request, frozenset())
        position = read_position("column", column), read_position("row", row)

        def find(source: Source) -> dict[str, Any]:
            return measure.at_pixel(source, pictures.info(source), *position, settings=settings)

        return await answer(request, scene, find)

    @router.get("/{scene}/footprint", name="imagery_footprint")
    async def footprint(*, request: Request, scene: str) -> Response:
        """The outline of what has data, as a GeoJSON feature."""
        check_names(request, frozenset())

        def find(source: Source) -> dict[str, Any]:
            return measure.footprint(source, pictures.info(source), settings=settings)

        geometry = await answer(request, scene, find)
        feature = {"type": "Feature", "geometry": geometry, "properties": {"scene": scene}}
        return Response(json.dumps(feature), media_type="application/geo+json")

    @router.get("/{scene}/legend", name="imagery_legend", openapi_extra=STYLE)
    async def legend(*, request: Request, scene: str) -> dict[str, Any]:
        """What the colors of one band mean."""

        def find(source: Source) -> dict[str, Any]:
            style = read_style(request, pictures.info(source), saved=saved(scene))
            if style.channels != 1:
                raise InvalidParameter(
                    "There is no legend of three bands: expected one, as with bidx=1 or an expression."
                )
            return measure.legend(style, pictures.stretch(source, style), pictures.info(source))

        return await answer(request, scene, find)
