"""Where requests meet scenes, pictures and the threads that draw."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from tiles.errors import SourceChanged
from tiles.pictures import Pictures
from tiles.workers import Workers

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from fastapi import Request

    from tiles.catalogue import Catalogue
    from tiles.settings import TilesSettings
    from tiles.sources import Source

Result = TypeVar("Result")

_REMOTE_THREADS: Final = 16


class Desk:
    """Answers requests about scenes. One event loop uses it.

    What is on this machine and what is elsewhere have threads of their own: however long a far server takes, nobody waits
    for it who does not want its rasters.

    Args:
        catalogue: where scenes are looked up.
        settings: limits and caches.

    Attributes:
        pictures: makes the images.
    """

    def __init__(self, catalogue: Catalogue, settings: TilesSettings) -> None:
        self._catalogue = catalogue
        self.pictures = Pictures(settings)
        self._here = Workers(settings.max_waiting)
        self._elsewhere = Workers(settings.max_waiting, _REMOTE_THREADS)

    async def answer(self, scene: str, respond: Callable[[Source], Awaitable[Result]]) -> Result:
        """Answer with what a scene is now; once more from the beginning when its file is replaced meanwhile.

        Raises:
            UnknownScene, SourceNotFound, SourceRefused, SourceUnreadable: there is no such scene, or its file has gone.
        """
        try:
            return await respond(self._catalogue(scene))
        except SourceChanged:
            return await respond(self._catalogue(scene))

    async def run(self, request: Request, source: Source, work: Callable[[], Result]) -> Result:
        """Do what opens or draws a raster, in one of the threads, in its turn.

        Raises:
            Busy: too many wait, or whoever asked has gone.
        """
        workers = self._elsewhere if source.is_remote else self._here
        return await workers.run(work, request.is_disconnected)
