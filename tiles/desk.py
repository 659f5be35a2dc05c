"""Where requests meet scenes, pictures and the threads that draw."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final, TypeVar

from fastapi import Response

from tiles import render, values
from tiles.cache import etag_matches
from tiles.errors import SourceChanged
from tiles.pictures import Pictures
from tiles.recall import Memory
from tiles.workers import Workers

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from fastapi import Request

    from tiles.catalogue import Catalogue
    from tiles.errors import Busy
    from tiles.pictures import Picture
    from tiles.settings import TilesSettings
    from tiles.sources import Source

Result = TypeVar("Result")

MEDIA_TYPES: Final[dict[str, str]] = dict((*render.MEDIA_TYPES.items(), *values.MEDIA_TYPES.items()))
"""Media type of each format."""

_REMOTE_THREADS: Final = 16

_TILES: Final = "/tiles/"
_BELOW_TILES: Final = 3
_MOST_KNOWN: Final = 20_000

# The URL of a tile stays the same when the raster changes: clients keep it, and ask each time whether it still holds.
_CACHE_CONTROL: Final = "private, no-cache"


class Desk:
    """Answers requests about scenes. One event loop uses it.

    What is on this machine and what is elsewhere have threads of their own: however long a far server takes, nobody waits
    for it who does not want its rasters.

    Args:
        catalogue: where scenes are looked up.
        settings: limits and caches.
        saved: query parameters that hold for a scene where a request says nothing else.
        exhausted: called when too many threads are lost (`tiles.workers`).

    Attributes:
        pictures: makes the images.
        memory: of what addresses came to.
        saved: as given.
        settings: as given.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        settings: TilesSettings,
        saved: Callable[[str], Mapping[str, str]] = lambda _: {},
        *,
        exhausted: Callable[[], None] = lambda: None,
    ) -> None:
        self._catalogue = catalogue
        self.saved = saved
        self.settings = settings
        self.pictures = Pictures(settings)
        self.memory = Memory(self.find, saved)
        self._here = Workers(settings.max_waiting, settings.max_seconds, exhausted=exhausted)
        self._elsewhere = Workers(settings.max_waiting, settings.max_seconds, _REMOTE_THREADS)
        self._drawn_by: OrderedDict[str | None, tuple[Workers, object]] = OrderedDict()

    async def answer(self, scene: str, respond: Callable[[Source], Awaitable[Result]]) -> Result:
        """Answer with what a scene is now; once more from the beginning when its file is replaced meanwhile.

        Raises:
            UnknownScene, SourceNotFound, SourceRefused, SourceUnreadable: there is no such scene, or its file has gone.
        """
        try:
            return await respond(self._catalogue(scene))
        except SourceChanged:
            return await respond(self._catalogue(scene))

    def find(self, scene: str) -> Source:
        """What a scene is now.

        Raises:
            UnknownScene, SourceNotFound, SourceRefused, SourceUnreadable: as `answer`.
        """
        return self._catalogue(scene)

    async def run(self, request: Request, source: Source | None, work: Callable[[], Result]) -> Result:
        """Do what opens or draws a raster, in one of the threads, in its turn.

        Raises:
            Busy: too many wait, or whoever asked has gone.
            TooSlow: it takes too long.
        """
        workers = self._elsewhere if source is not None and source.is_remote else self._here
        scene = _scene_of_tile(request.scope["path"])
        if scene is not None:
            self._drawn_by[scene] = workers, request.scope.get("route")
            if len(self._drawn_by) > _MOST_KNOWN:
                self._drawn_by.popitem(last=False)
        return await workers.run(work, request.is_disconnected, source)

    def refusal(self, path: str) -> tuple[Busy, object] | None:
        """Why a tile is refused that was not looked up yet, and the route it would have taken; None when it may be looked up.

        In a flood, most of the time went into finding out what each tile was that nobody would draw.
        """
        workers, route = self._drawn_by.get(_scene_of_tile(path), (None, None))
        busy = workers.refusal if workers is not None else None
        return None if busy is None else (busy, route)

    async def send(self, request: Request, source: Source | None, picture: Picture, fmt: str) -> Response:
        """An image, made unless it is there or the client has it."""
        headers = {"ETag": picture.etag, "Cache-Control": _CACHE_CONTROL}
        if etag_matches(request.headers.get("if-none-match"), picture.etag):
            return Response(status_code=304, headers=headers)
        content = picture.kept()
        if content is None:
            content = await self.run(request, source, picture.content)
        return Response(content, media_type=MEDIA_TYPES[fmt], headers=headers)


def _scene_of_tile(path: str) -> str | None:
    """The address before `/tiles/{tms}/{z}/{x}/{y}`; None for what is no tile."""
    scene, _, tile = path.rpartition(_TILES)
    return scene if tile.count("/") == _BELOW_TILES else None
