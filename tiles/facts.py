"""The routes that answer in numbers: statistics, point values, footprint, legend."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from tiles import measure
from tiles.errors import InvalidParameter
from tiles.parameters import STYLE, check_names, read_bbox, read_degrees, read_position, read_style

if TYPE_CHECKING:
    from tiles.catalogue import Catalogue
    from tiles.pictures import Pictures
    from tiles.settings import TilesSettings


def add_routes(router: APIRouter, catalogue: Catalogue, pictures: Pictures, settings: TilesSettings) -> None:
    """Add them to a router.

    Args:
        router: of the imagery.
        catalogue: where scenes are looked up.
        pictures: knows headers and stretches.
        settings: limits for opening.
    """

    @router.get("/{scene}/statistics", name="imagery_statistics", openapi_extra=STYLE)
    def statistics(
        *,
        request: Request,
        scene: str,
        bbox: Annotated[
            str | None, Query(description="`west,south,east,north` in degrees: only what lies there, as on a screen.")
        ] = None,
    ) -> dict[str, Any]:
        """Statistics and histogram of each band, or of an expression, from a sample."""
        source = catalogue(scene)
        info = pictures.info(source)
        style = read_style(request, info, "bbox")
        box = None if bbox is None else read_bbox(bbox)
        return {"channels": measure.statistics(source, info, style, settings=settings, bbox=box)}

    @router.get("/{scene}/point/{lon},{lat}", name="imagery_point")
    def point(*, request: Request, scene: str, lon: str, lat: str) -> dict[str, Any]:
        """The values of all bands at a longitude and latitude."""
        check_names(request, frozenset())
        source = catalogue(scene)
        return measure.point(
            source, pictures.info(source), read_degrees("lon", lon), read_degrees("lat", lat), settings=settings
        )

    @router.get("/{scene}/pixel/{column},{row}", name="imagery_pixel")
    def pixel(*, request: Request, scene: str, column: str, row: str) -> dict[str, Any]:
        """The values of all bands at a pixel, also of a scene that has no place on Earth."""
        check_names(request, frozenset())
        source = catalogue(scene)
        position = read_position("column", column), read_position("row", row)
        return measure.at_pixel(source, pictures.info(source), *position, settings=settings)

    @router.get("/{scene}/footprint", name="imagery_footprint")
    def footprint(*, request: Request, scene: str) -> Response:
        """The outline of what has data, as a GeoJSON feature."""
        check_names(request, frozenset())
        source = catalogue(scene)
        geometry = measure.footprint(source, pictures.info(source), settings=settings)
        feature = {"type": "Feature", "geometry": geometry, "properties": {"scene": scene}}
        return Response(json.dumps(feature), media_type="application/geo+json")

    @router.get("/{scene}/legend", name="imagery_legend", openapi_extra=STYLE)
    def legend(*, request: Request, scene: str) -> dict[str, Any]:
        """What the colors of one band mean."""
        source = catalogue(scene)
        style = read_style(request, pictures.info(source))
        if style.channels != 1:
            raise InvalidParameter("There is no legend of three bands: expected one, as with bidx=1 or an expression.")
        return measure.legend(style, pictures.stretch(source, style), pictures.info(source))
