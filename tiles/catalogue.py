"""Where scenes are looked up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from tiles.sources import Source


class Catalogue(Protocol):
    """Where scenes are looked up: any callable from a scene's name to its source.

    create_router({"a": local_source("a.tif")}.__getitem__)    # but raise UnknownScene rather than KeyError
    """

    def __call__(self, scene: str, /) -> Source:
        """The source of a scene.

        Raises:
            UnknownScene: there is none of that name.
        """
