"""Raster -> tiles. Knows nothing of labels.

Names are loaded when they are first used, so that `import tiles.sources` brings no web framework with it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tiles.app import create_app
    from tiles.catalogue import Catalogue
    from tiles.errors import TilesError
    from tiles.info import BandInfo, RasterInfo
    from tiles.router import STATUS, create_router
    from tiles.settings import TilesSettings
    from tiles.sources import Source, describe, find_source, inspect, local_source, open_raster

__all__ = [
    "STATUS",
    "BandInfo",
    "Catalogue",
    "RasterInfo",
    "Source",
    "TilesError",
    "TilesSettings",
    "create_app",
    "create_router",
    "describe",
    "find_source",
    "inspect",
    "local_source",
    "open_raster",
]

_HOME = {
    "app": ("create_app",),
    "errors": ("TilesError",),
    "catalogue": ("Catalogue",),
    "router": ("STATUS", "create_router"),
    "settings": ("TilesSettings",),
    "info": ("BandInfo", "RasterInfo"),
    "sources": (
        "Source",
        "describe",
        "find_source",
        "inspect",
        "local_source",
        "open_raster",
    ),
}
_MODULE = {name: module for module, names in _HOME.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _MODULE:
        raise AttributeError(f"module 'tiles' has no attribute {name!r}")
    return getattr(import_module(f"tiles.{_MODULE[name]}"), name)


def __dir__() -> list[str]:
    return __all__
