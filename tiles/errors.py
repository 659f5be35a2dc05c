"""Everything that tiles raises on purpose.

    TilesError
    ├── UnknownScene         the catalogue has nothing of that name
    ├── SourceNotFound       no file there any more
    ├── SourceRefused        a format, a size or a layout that is not opened
    ├── SourceUnreadable     damaged or cut short: its pixels cannot be read
    ├── SourceChanged        another file than the one that was asked for; the same request, made again, finds the new one
    ├── SourceUnreachable    elsewhere, and whoever has it does not answer, or not in time
    ├── TooMuch              more pixels or memory than one request may take
    ├── NotOnMap             readable, but without a place in the tile matrix set
    ├── OutsideMatrix        no such tile in the tile matrix set
    ├── OutsideRaster        a place where the raster is not
    ├── InvalidParameter     a parameter that does not exist, or a value that cannot be used
    ├── Busy                 too many wait already
    ├── TooSlow              reading takes longer than one request may
    └── InvalidSetting       a variable TILES_* of the environment that cannot be used

Every message is a sentence that says what was expected, what came and what to do. HTTP status codes are given at the
edge (`tiles.router.STATUS`).
"""

from __future__ import annotations


class TilesError(Exception):
    """Base of everything that tiles raises on purpose; `str(error)` is a sentence for the user."""


class UnknownScene(TilesError):
    """The catalogue has nothing of that name."""


class SourceNotFound(TilesError):
    """There is no file."""


class SourceRefused(TilesError):
    """A format, a size or a layout that is not opened."""


class SourceUnreadable(TilesError):
    """Damaged or cut short: its pixels cannot be read."""


class SourceChanged(TilesError):
    """The file is another one than when its version was asked for."""


class SourceUnreachable(TilesError):
    """The server that has the raster does not answer, fails, or is too slow."""


class TooMuch(TilesError):
    """One request would read more pixels, or need more memory, than it may."""


class NotOnMap(TilesError):
    """The raster can be read, but it has no place in the tile matrix set; a preview still works."""


class OutsideMatrix(TilesError):
    """The tile matrix set has no such tile."""


class OutsideRaster(TilesError):
    """Nothing of the raster lies there."""


class InvalidParameter(TilesError):
    """A parameter that does not exist, or a value that cannot be used."""


class Busy(TilesError):
    """Too many wait already; the same request works when it is repeated later."""


class TooSlow(TilesError):
    """Reading the raster takes longer than one request may."""


class InvalidSetting(TilesError):
    """A variable TILES_* of the environment that cannot be used."""
