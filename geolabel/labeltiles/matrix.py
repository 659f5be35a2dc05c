"""Tile matrix sets that labels are served in: which there are, and the box of a tile."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import morecantile

from geolabel.errors import InvalidCRS, NotFound
from geolabel.geo import crs as crs_

if TYPE_CHECKING:
    from geolabel.model import Bounds

_AROUND_THE_EQUATOR = 2 * math.pi * 6_378_137.0
_MERCATOR = ("EPSG:3857", "EPSG:3395")

_WIDE = 2.0
"""Degrees: the box of a wider tile may be anything in another CRS, so that all labels are looked at."""


@dataclass(frozen=True, slots=True)
class MatrixSet:
    """A tile matrix set of the OGC registry.

    Attributes:
        name: as the OGC and morecantile call it.
        crs: of its tiles.
        minzoom: the first matrix.
        maxzoom: the last one.
        period: what to add to x to come to the same place again, going east around the Earth; None when x does not go
            around.
    """

    name: str
    crs: str
    minzoom: int
    maxzoom: int
    period: float | None

    def box(self, z: int, x: int, y: int) -> Bounds:
        """The box of a tile in `crs`.

        Raises:
            NotFound: there is no such tile.
        """
        if not self.minzoom <= z <= self.maxzoom:
            raise NotFound(f"{self.name} has the zoom levels {self.minzoom} to {self.maxzoom}, got {z}.")
        left, top, width, height, columns, rows = _grid(self.name, z)
        if not (0 <= x < columns and 0 <= y < rows):
            raise NotFound(f"{self.name} has {columns} columns and {rows} rows at zoom {z}, got x={x}, y={y}.")
        return (left + x * width, top - (y + 1) * height, left + (x + 1) * width, top - y * height)

    def over(self, box: Bounds, most: int) -> list[tuple[int, int, int]]:
        """The tiles over a box in `crs`, of every zoom at which they are `most` or fewer: zoom, column, row."""
        found: list[tuple[int, int, int]] = []
        for z in range(self.minzoom, self.maxzoom + 1):
            left, top, width, height, columns, rows = _grid(self.name, z)
            xs = range(
                max(math.floor((box[0] - left) / width), 0), min(math.floor((box[2] - left) / width), columns - 1) + 1
            )
            ys = range(
                max(math.floor((top - box[3]) / height), 0), min(math.floor((top - box[1]) / height), rows - 1) + 1
            )
            if len(xs) * len(ys) > most:
                break
            found += [(z, x, y) for y in ys for x in xs]
        return found


@lru_cache(maxsize=1024)
def _grid(name: str, z: int) -> tuple[float, float, float, float, int, int]:
    """Left, top, width and height of the first tile of a matrix, and how many columns and rows it has."""
    matrices = _matrices(name)
    first = matrices.xy_bounds(morecantile.Tile(0, 0, z))
    matrix = matrices.matrix(z)
    return (
        *(first.left, first.top, matrix.cellSize * matrix.tileWidth, matrix.cellSize * matrix.tileHeight),
        *(int(matrix.matrixWidth), int(matrix.matrixHeight)),
    )


@lru_cache(maxsize=32)
def _matrices(name: str) -> morecantile.TileMatrixSet:
    return morecantile.tms.get(name)


@lru_cache(maxsize=1)
def served() -> tuple[str, ...]:
    """Names of the sets that are served: all of the registry whose rows have the same number of columns."""
    return tuple(sorted(name for name in morecantile.tms.list() if not _matrices(name).is_variable))


@lru_cache(maxsize=32)
def matrix_set(name: str) -> MatrixSet:
    """The tile matrix set of that name.

    Raises:
        NotFound: it is not served.
    """
    if name not in served():
        raise NotFound(f"There is no tile matrix set {name[:64]!r} here; there are {', '.join(served())}.")
    matrices = _matrices(name)
    crs = crs_.normalise(str(matrices.crs.root))
    return MatrixSet(name, crs, int(matrices.minzoom), int(matrices.maxzoom), period_of(crs))


@lru_cache(maxsize=256)
def period_of(crs: str) -> float | None:
    """What to add to x to come to the same place again, going east around the Earth; None when x does not go around."""
    if crs_.is_geographic(crs):
        return 360.0
    return _AROUND_THE_EQUATOR if crs in _MERCATOR else None


def check_fits(crs: str | None, project: str) -> str:
    """The CRS of a project, when its labels have a place in the tile matrix sets.

    Raises:
        InvalidCRS: the project has no CRS, or one of another celestial body.
    """
    if crs is None:
        raise InvalidCRS(f"Project {project!r} has no CRS, so its labels have no place in map tiles.")
    if not crs_.on_earth(crs):
        raise InvalidCRS(
            f"Project {project!r} lies in {crs_.label(crs)}, which is not on the Earth; the tile matrix sets are. "
            "Read its labels from `items` in their own CRS."
        )
    return crs


def boxes_around(box: Bounds, matrices: MatrixSet, crs: str) -> list[Bounds | None]:
    """Boxes in the project's CRS that hold all that a tile shows; None for no limit."""
    margin = (box[2] - box[0]) / 32
    wide = (box[0] - margin, box[1] - margin, box[2] + margin, box[3] + margin)
    if (box[2] - box[0]) * crs_.unit_metres(matrices.crs) > _WIDE * crs_.METRES_PER_DEGREE:
        return [None]
    try:
        found = crs_.bounds_to(wide, matrices.crs, crs)
    except InvalidCRS:
        return [None]
    if found[0] > found[2]:
        return [None]
    period = period_of(crs)
    if period is None:
        return [found]
    # Labels of such a project may lie beyond the antimeridian, on either side.
    return [(found[0] + turn * period, found[1], found[2] + turn * period, found[3]) for turn in (-1, 0, 1)]
