"""Where a raster's pixels lie on the map: by its transform, or by a fit to its ground control points."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from tiles import crs, gcp
from tiles.errors import NotOnMap

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tiles.info import RasterInfo

Pair = tuple["NDArray[np.float64]", "NDArray[np.float64]"]


class Georef(Protocol):
    """The way between continuous pixel coordinates (corner origin) and a CRS."""

    @property
    def crs(self) -> str:
        """Name or WKT."""

    def to_map(self, columns: NDArray[np.float64], rows: NDArray[np.float64], /) -> Pair:
        """Places (x, y) of positions."""

    def to_pixels(self, x: NDArray[np.float64], y: NDArray[np.float64], /) -> Pair:
        """Positions (columns, rows) of places."""


@dataclass(frozen=True, slots=True)
class ByTransform:
    """By an affine transform: rotated, sheared and south-up ones as well.

    Attributes:
        crs: name or WKT.
        transform: (a, b, c, d, e, f), x = a col + b row + c, y = d col + e row + f.
    """

    crs: str
    transform: tuple[float, float, float, float, float, float]

    def to_map(self, columns: Any, rows: Any, /) -> Pair:
        """Places (x, y) of positions."""
        a, b, c, d, e, f = self.transform
        return a * columns + b * rows + c, d * columns + e * rows + f

    def to_pixels(self, x: Any, y: Any, /) -> Pair:
        """Positions (columns, rows) of places; not finite where a place is not."""
        a, b, c, d, e, f = self.transform
        x, y = x - c, y - f
        determinant = a * e - b * d
        with np.errstate(invalid="ignore"):  # infinite where PROJ knows no way
            return (e * x - b * y) / determinant, (a * y - d * x) / determinant


@dataclass(frozen=True, slots=True, eq=False)
class ByPoints:
    """By thin plate splines through ground control points, one for each direction.

    Attributes:
        crs: name or WKT of the points' places.
        forward: from pixels to the map.
        back: from the map to pixels.
    """

    crs: str
    forward: gcp.Spline
    back: gcp.Spline

    def to_map(self, columns: NDArray[np.float64], rows: NDArray[np.float64], /) -> Pair:
        """Places (x, y) of positions."""
        x, y = self.forward(columns, rows)
        return x, y

    def to_pixels(self, x: NDArray[np.float64], y: NDArray[np.float64], /) -> Pair:
        """Positions (columns, rows) of places; not finite where a place is not."""
        known = np.isfinite(x) & np.isfinite(y)
        columns, rows = self.back(np.where(known, x, 0), np.where(known, y, 0))
        return np.where(known, columns, np.inf), np.where(known, rows, np.inf)

    @property
    def left_out(self) -> tuple[float, float]:
        """How well points are found from the others, in pixels: root mean square, and the worst."""
        apart = self.back.left_out
        return float(np.sqrt((apart**2).mean())), float(apart.max())


def locate(info: RasterInfo, name: str) -> Georef:
    """Where a raster lies.

    Args:
        info: the raster.
        name: what to call it in a message.

    Raises:
        NotOnMap: it has neither a CRS nor ground control points that make a fit, or its transform is none.
    """
    if info.crs_wkt is None and info.gcps and info.gcp_crs:
        return _by_points(info, name)
    if info.crs_wkt is None:
        raise NotOnMap(
            f"{name!r} has no place on the map: it has no coordinate reference system; give it one (gdal_edit.py -a_srs EPSG:n FILE) "
            "if you know which. Its own pixels are served in the tile matrix set native."
        )
    a, b, _, d, e, _ = info.transform
    if a * e - b * d == 0 or not np.isfinite(info.transform).all():
        raise NotOnMap(f"{name!r} has no place on the map: its transform {info.transform} gives its pixels no area.")
    return ByTransform(info.crs_wkt, info.transform)


@lru_cache(maxsize=64)
def _by_points(info: RasterInfo, name: str) -> ByPoints:
    assert info.gcp_crs is not None
    pixels, places = gcp.arrange(info.gcp_points, degrees=crs.is_geographic(info.gcp_crs))
    try:
        return ByPoints(info.gcp_crs, gcp.fit(pixels, places), gcp.fit(places, pixels))
    except NotOnMap as error:
        raise NotOnMap(f"{name!r} has no place on the map. {error}") from error
