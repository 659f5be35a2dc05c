"""The routes of WMTS: one address for the capabilities and for requests in key-value pairs; tiles have their own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

import numpy as np
from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from tiles import measure, wmts
from tiles.errors import InvalidParameter
from tiles.parameters import merge, read_format
from tiles.standards import layer_of
from tiles.style import PARAMETERS, Style, make_style
from tiles.values import is_format

if TYPE_CHECKING:
    from tiles.desk import Desk
    from tiles.info import RasterInfo
    from tiles.pictures import Picture
    from tiles.sources import Source
    from tiles.wmts import TileRequest

_KEYS: Final = frozenset({
    "service", "version", "request", "layer", "style", "format", "tilematrixset", "tilematrix", "tilerow", "tilecol", "i", "j",
    "infoformat", "acceptversions", "sections", "updatesequence", "acceptformats",
})  # fmt: skip


def add_routes(router: APIRouter, desk: Desk) -> None:
    """Add them to a router.

    Args:
        router: of the imagery.
        desk: knows scenes, headers and pictures, and the threads to draw in.
    """

    @router.get("/{scene}/wmts.xml", name="imagery_wmts")
    @router.get("/{scene}/wmts", name="imagery_wmts_kvp")
    async def answer(*, request: Request, scene: str) -> Response:
        """WMTS 1.0.0: capabilities, with templates of tiles, and requests in key-value pairs (GetTile, GetFeatureInfo)."""
        query, style = split(request)
        wanted = wmts.read_request(query)
        service = _Service(desk, request, scene, style)
        if wanted is not None and wanted.layer != scene:
            raise InvalidParameter(f"LAYER cannot be used: expected {scene}; got {wanted.layer[:64]!r}.")

        async def respond(source: Source) -> Response:
            if wanted is None:
                content = await desk.run(request, source, lambda: service.capabilities(source))
                return Response(content, media_type=wmts.MEDIA_TYPE)
            if wanted.fmt is None:
                return JSONResponse(await desk.run(request, source, lambda: service.values(source, wanted)))
            picture = await desk.run(request, source, lambda: service.tile(source, wanted))
            return await desk.send(request, source, picture, wanted.fmt)

        return await desk.answer(scene, respond)


def split(request: Request, *more: str) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """What a request says in the words of WMTS, by names in lower case, and what it says of the style.

    Args:
        request: in key-value pairs.
        more: names of other parameters that it may have, in lower case.

    Raises:
        InvalidParameter: a parameter that is neither.
    """
    style = [(name.lower(), text) for name, text in request.query_params.multi_items() if name.lower() in PARAMETERS]
    query = {name.lower(): text for name, text in request.query_params.items() if name.lower() not in PARAMETERS}
    unknown = sorted(set(query) - _KEYS.union(more))
    if unknown:
        raise InvalidParameter(f"The parameter {unknown[0][:64]!r} is not known here; expected those of WMTS 1.0.0.")
    return query, style


@dataclass(frozen=True, slots=True)
class _Service:
    """The WMTS of one scene, for one request.

    Attributes:
        desk: knows headers and pictures.
        request: whose addresses it gets.
        scene: its id.
        style: query parameters that say how it is shown.
    """

    desk: Desk
    request: Request
    scene: str
    style: list[tuple[str, str]]

    def _chosen(self, info: RasterInfo, *, values: bool) -> Style:
        given: dict[str, list[str]] = {}
        for name, text in self.style:
            given.setdefault(name, []).append(text)
        return make_style(info, values=values, **merge(given, self.desk.saved(self.scene), values=values))

    def capabilities(self, source: Source) -> bytes:
        """The capabilities document."""
        info = self.desk.pictures.info(source)
        self._chosen(info, values=False)
        url = str(self.request.url_for("imagery_wmts_kvp", scene=self.scene))
        layer = layer_of(self.request, self.scene, info, source.name, self.style)
        return wmts.capabilities([layer], f"{url}?{urlencode(self.style, safe=',')}" if self.style else url, self.scene)

    def tile(self, source: Source, asked: TileRequest) -> Picture:
        """The tile that was asked for."""
        pictures, fmt = self.desk.pictures, read_format(str(asked.fmt))
        cell = pictures.placement(source, asked.tms).matrices.tile(*asked.address)
        return pictures.tile(source, cell, self._chosen(pictures.info(source), values=is_format(fmt)), fmt)

    def values(self, source: Source, asked: TileRequest) -> dict[str, Any]:
        """The values under a pixel of a tile."""
        placement, info = self.desk.pictures.placement(source, asked.tms), self.desk.pictures.info(source)
        cell = placement.matrices.tile(*asked.address)
        assert asked.pixel is not None
        column, row = (part + 0.5 for part in asked.pixel)
        size = placement.matrices.level(cell.z).size
        left, bottom, right, top = placement.matrices.bounds(cell)
        x, y = left + column * (right - left) / size, top - row * (top - bottom) / size
        found = [
            placement.locator(shift)(np.array([x]), np.array([y]))[:, 0] for shift in placement.shifts(cell) or (0,)
        ]
        at = next((at for at in found if 0 <= at[0] < info.width and 0 <= at[1] < info.height), found[0])
        return _collection(
            info, measure.at_pixel(source, info, float(at[0]), float(at[1]), settings=self.desk.settings)
        )


def _collection(info: RasterInfo, found: dict[str, Any]) -> dict[str, Any]:
    """Values of a pixel as a GeoJSON feature without geometry, which map clients show as a table."""
    values = found.get("scaled", found["values"])
    names = [band.description or f"Band {band.index}" for band in info.bands]
    properties = {
        **dict(zip(names, values, strict=True)),
        "column": int(found["pixel"][0]),
        "row": int(found["pixel"][1]),
    }
    return {"type": "FeatureCollection", "features": [{"type": "Feature", "geometry": None, "properties": properties}]}
