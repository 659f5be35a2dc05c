"""What one request asks of a mosaic: which scenes, in which order, styles and time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from urllib.parse import urlencode

from tiles.errors import InvalidParameter, NotOnMap, SourceChanged, TilesError
from tiles.grid import Placement
from tiles.layers import USUAL, Layer, Tileset, around, common, nearby
from tiles.mosaic import METHODS, Member, Method, Mosaic
from tiles.ogc import TILESETS
from tiles.parameters import merge
from tiles.standards import formats
from tiles.style import make_style
from tiles.times import read_interval

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fastapi import Request, Response

    from tiles.desk import Desk
    from tiles.pictures import Picture
    from tiles.sources import Source

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Entry:
    """One scene of a mosaic.

    Attributes:
        scene: its id.
        date: RFC 3339, or None.
    """

    scene: str
    date: str | None


class Mosaics(Protocol):
    """Where mosaics are looked up: any callable from a name to the scenes, in the stated order."""

    def __call__(self, name: str, /) -> Sequence[Entry]:
        """The scenes of a mosaic, the uppermost first.

        Raises:
            UnknownScene: there is no mosaic of that name.
        """


def days(entries: Sequence[Entry]) -> list[str]:
    """The days on which scenes were taken, the earliest first."""
    return sorted({entry.date[:10] for entry in entries if entry.date})


def together(placements: Sequence[Placement]) -> Placement:
    """Where several rasters lie in one tile matrix set, as if they were one.

    Raises:
        NotOnMap: there are none.
    """
    if not placements:
        raise NotOnMap("There is no scene here that has a place on the map.")
    boxes = [placement.bounds for placement in placements if placement.bounds]
    pieces = tuple(piece for placement in placements for piece in placement.pieces)
    low, high = min(one.minzoom for one in placements), max(one.maxzoom for one in placements)
    return Placement(placements[0].matrices, None, around(boxes), pieces, low, high)


class View:
    """What one request asks of a mosaic.

    Args:
        desk: knows scenes and pictures.
        request: whose addresses it gets.
        name: of the mosaic.
        entries: its scenes, in the stated order.
        style: query parameters that say how they are shown.
        method: which of them shows; the first when None.
        datetime: only those of then; all when None.

    Raises:
        InvalidParameter: one of them cannot be used.
    """

    def __init__(
        self,
        desk: Desk,
        request: Request,
        name: str,
        entries: Sequence[Entry],
        *,
        style: Sequence[tuple[str, str]] = (),
        method: str | None = None,
        datetime: str | None = None,
    ) -> None:
        self._desk, self._request, self._name = desk, request, name
        self._style, self._datetime, self._given_method = list(style), datetime, method
        self._method = _read_method(method)
        interval = None if datetime is None else read_interval(datetime)
        self._entries = [entry for entry in entries if interval is None or interval.holds(entry.date)]
        self._sources: list[tuple[Entry, Source]] = []
        self._missing: dict[str, str] = {}
        self._look_up()

    def _look_up(self) -> None:
        """Where the scenes are now; one that cannot be found leaves the others their place."""
        self._sources.clear()
        for entry in self._entries:
            try:
                self._sources.append((entry, self._desk.find(entry.scene)))
            except TilesError as error:
                self._missing[entry.scene] = str(error)

    def query(self) -> str:
        """What its tiles are asked with."""
        own = {"method": self._given_method, "datetime": self._datetime}
        return urlencode([*self._style, *((name, text) for name, text in own.items() if text)], safe=",")

    async def run(self, work: Callable[[], Result]) -> Result:
        """Do it in one of the threads; once more when a file was replaced meanwhile."""
        try:
            return await self._desk.run(self._request, self._slowest(), work)
        except SourceChanged:
            self._look_up()
            return await self._desk.run(self._request, self._slowest(), work)

    async def send(self, fmt: str, find: Callable[[], Picture]) -> Response:
        """A tile; drawn once more when a file was replaced meanwhile."""
        try:
            return await self._desk.send(self._request, self._slowest(), await self.run(find), fmt)
        except SourceChanged:
            self._look_up()
            return await self._desk.send(self._request, self._slowest(), await self.run(find), fmt)

    def _slowest(self) -> Source | None:
        """One that is elsewhere, when there is one: then all of it waits with those."""
        sources = [source for _, source in self._sources]
        return next((source for source in sources if source.is_remote), sources[0] if sources else None)

    def mosaic(self, *, values: bool) -> Mosaic:
        """The mosaic itself.

        Args:
            values: whether values are wanted and not a picture.

        Raises:
            InvalidParameter: no scene can be shown in the style.
        """
        return Mosaic(self._desk.pictures, self._members(values=values), self._method)

    def _members(self, *, values: bool) -> list[Member]:
        """The scenes with their styles; those that cannot be shown so (no near infrared for NDVI) are left out while others can."""
        given: dict[str, list[str]] = {}
        for name, text in self._style:
            given.setdefault(name, []).append(text)
        found, refusal = [], None
        for entry, source in self._sources:
            try:
                info = self._desk.pictures.info(source)
                style = make_style(info, values=values, **merge(given, self._desk.saved(entry.scene), values=values))
            except InvalidParameter as error:
                refusal = error
                continue
            except SourceChanged:
                raise
            except TilesError as error:
                self._missing[entry.scene] = str(error)
                continue
            found.append(Member(entry.scene, source, style, entry.date))
        if refusal is not None and not found:
            raise refusal
        return found

    def placements(self, tms: str) -> list[Placement]:
        """Where its scenes lie in a tile matrix set.

        Raises:
            InvalidParameter: no scene can be shown in the style.
        """
        return self.mosaic(values=False).placements(tms)

    def layer(self) -> Layer:
        """What is said of its picture."""
        url = self._request.url_for(
            "mosaic_tile",
            name=self._name,
            tms="{TileMatrixSet}",
            z="{TileMatrix}",
            x="{TileCol}",
            y="{TileRow}",
            fmt="{format}",
        )
        query, mosaic = self.query(), self.mosaic(values=False)
        usual = [mosaic.placements(tms) for tms in USUAL]
        bounds = around([placement.bounds for placement in usual[0] if placement.bounds])
        near = nearby(bounds) if bounds else ()
        tilesets: list[Tileset] = [common(placed) for placed in (*usual, *map(mosaic.placements, near)) if placed]
        day = self._datetime
        return Layer(
            f"{self._name}@{day}" if day else self._name,
            f"{self._name}, {day}" if day else self._name,
            tuple(tilesets),
            bounds,
            f"{url}?{query}" if query else str(url),
            formats(self._style),
        )

    def description(self) -> dict[str, Any]:
        """Order, dates, and where the tiles are."""
        self._members(values=False)
        tiles = str(self._request.url_for("mosaic_tilejson", name=self._name, tms="WebMercatorQuad"))
        capabilities = str(self._request.url_for("mosaic_wmts", name=self._name))
        tilesets = str(self._request.url_for("mosaic_tilesets", name=self._name))
        by_day = {day: [e.scene for e in self._entries if e.date and e.date[:10] == day] for day in days(self._entries)}
        return {
            "id": self._name,
            "methods": list(METHODS),
            "scenes": [{"id": entry.scene, "datetime": entry.date} for entry in self._entries],
            "dates": [
                {"datetime": day, "scenes": scenes, "tilejson": f"{tiles}?datetime={day}"}
                for day, scenes in by_day.items()
            ],
            "undated": [entry.scene for entry in self._entries if not entry.date],
            "missing": [{"id": scene, "why": why} for scene, why in self._missing.items()],
            "links": [
                {
                    "rel": "self",
                    "type": "application/json",
                    "title": "This page",
                    "href": str(self._request.url_for("mosaic", name=self._name)),
                },
                {"rel": "tilejson", "type": "application/json", "title": "TileJSON of all scenes", "href": tiles},
                {"rel": "wmts", "type": "application/xml", "title": "WMTS", "href": capabilities},
                {"rel": TILESETS, "type": "application/json", "title": "Tilesets", "href": tilesets},
            ],
        }


def _read_method(text: str | None) -> Method:
    for method in METHODS:
        if text in {None, method}:
            return method
    raise InvalidParameter(f"method cannot be used: expected one of {', '.join(METHODS)}; got {str(text)[:32]!r}.")
