"""Hillshade: what a relief looks like under a light. Pure arrays."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import cv2
import numpy as np

from tiles import crs
from tiles.errors import InvalidParameter, NotOnMap
from tiles.georef import locate

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tiles.info import RasterInfo

_DEGREE: Final = 111_195.0  # metres, on a sphere of 6371 km
_HORN: Final = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]], dtype=np.float64) / 8


@dataclass(frozen=True, slots=True)
class Light:
    """Where the light comes from.

    Attributes:
        azimuth: degrees from north, clockwise.
        altitude: degrees above the horizon.
        exaggeration: how many times heights are taken; also the way to say that they are in other units than metres.
    """

    azimuth: float
    altitude: float
    exaggeration: float = 1.0


def make_light(text: str) -> Light:
    """Read `azimuth,altitude[,exaggeration]`.

    Raises:
        InvalidParameter: it cannot be read.
    """
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    azimuth, altitude, exaggeration = (*numbers, 1.0)[:3] if len(numbers) in {2, 3} else (math.nan,) * 3
    if not (0 <= azimuth <= 360 and 0 <= altitude <= 90 and 0 < exaggeration <= 1e6):
        raise InvalidParameter(
            "hillshade cannot be used: expected azimuth (0 to 360), altitude (0 to 90) and, if wanted, exaggeration, like "
            f"hillshade=315,45 or hillshade=315,45,2; got {text[:48]!r}."
        )
    return Light(azimuth, altitude, exaggeration)


def ground_steps(info: RasterInfo, at: tuple[float, float], name: str) -> NDArray[np.float64]:
    """How far one pixel goes on the ground: [[east, north] per column, [east, north] per row], in metres.

    Args:
        info: the raster; one without a place has pixels of a metre.
        at: (col, row) of the pixel.
        name: what to call the raster in a message.
    """
    try:
        georef = locate(info, name)
    except NotOnMap:
        return np.array([[1.0, 0.0], [0.0, -1.0]])
    column, row = at
    x, y = georef.to_map(np.array([column, column + 1, column]), np.array([row, row, row + 1]))
    steps = np.stack([np.diff(x[[0, 1, 0, 2]])[::2], np.diff(y[[0, 1, 0, 2]])[::2]], axis=1)
    if crs.is_geographic(georef.crs):
        return steps * [_DEGREE * math.cos(math.radians(min(abs(float(y[0])), 89.0))), _DEGREE]
    return steps * crs.metres(georef.crs)


def shade(
    heights: NDArray[Any], weights: NDArray[np.float32] | None, steps: NDArray[np.float64], light: Light
) -> NDArray[np.uint8]:
    """Shades (height, width) from 1 (dark) to 255 (lit) of heights (height, width), after Horn (1981), as gdaldem has them.

    Args:
        heights: in metres.
        weights: 0 where there is none; such neighbors count as high as those that are there.
        steps: of one pixel on the ground (see `ground_steps`).
        light: where it comes from.
    """
    exact = heights.astype(np.float64)
    if weights is not None and (weights == 0).any():
        there = (weights > 0).astype(np.float64)
        around = cv2.blur(exact * there, (3, 3)), cv2.blur(there, (3, 3))
        exact = np.where(there > 0, exact, np.divide(*around, out=np.zeros_like(exact), where=around[1] > 1e-6))
    across = cv2.filter2D(exact, cv2.CV_64F, _HORN, borderType=cv2.BORDER_REPLICATE)
    down = cv2.filter2D(exact, cv2.CV_64F, _HORN.T.copy(), borderType=cv2.BORDER_REPLICATE)
    # From heights per pixel to heights per metre, east and north.
    (a, b), (c, d) = np.linalg.inv(steps) * light.exaggeration
    east, north = a * across + b * down, c * across + d * down
    azimuth, altitude = math.radians(light.azimuth), math.radians(light.altitude)
    lit = math.sin(altitude) - math.cos(altitude) * (math.sin(azimuth) * east + math.cos(azimuth) * north)
    lit /= np.sqrt(1 + east * east + north * north)
    shades: NDArray[np.uint8] = np.rint(np.clip(1 + 254 * lit, 1, 255)).astype(np.uint8)
    return shades
