"""Colors after the stretch: gamma, brightness, contrast, saturation, and color maps."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from rio_tiler.colormap import cmap

from tiles.errors import InvalidParameter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

Color = tuple[int, int, int, int]
"""Red, green, blue, alpha, 0 to 255."""

MAX_STOPS: Final = 512
_HEX: Final = re.compile(r"#([0-9a-fA-F]{6})([0-9a-fA-F]{2})?\Z")
_LUMINANCE: Final = (0.2126, 0.7152, 0.0722)  # of red, green, blue; ITU-R BT.709


@dataclass(frozen=True, slots=True)
class Colormap:
    """Colors of values; one of the two is there.

    Attributes:
        name: of a map that goes from the stretch's low end to its high end.
        stops: (value, color) by ascending value; colors between are mixed, beyond they stay. The stretch plays no part.
    """

    name: str | None = None
    stops: tuple[tuple[float, Color], ...] = ()


@dataclass(frozen=True, slots=True)
class Look:
    """What happens to colors after the stretch; the defaults leave them as they are.

    Attributes:
        gamma: above 1 the middle becomes lighter, below 1 darker.
        brightness: -1 (black) to 1 (white).
        contrast: -1 (all gray) to 1 (black and white).
        saturation: -1 (gray) to 1 (twice as colorful); for red, green, blue only.
        colormap: for one band; None for gray.
    """

    gamma: float = 1.0
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    colormap: Colormap | None = None

    def table(self) -> NDArray[np.uint8] | None:
        """What each of the values 0 to 255 becomes by gamma, contrast and brightness; None when all stay."""
        if (self.gamma, self.brightness, self.contrast) == (1.0, 0.0, 0.0):
            return None
        return _table(self.gamma, self.brightness, self.contrast)


@lru_cache(maxsize=256)
def _table(gamma: float, brightness: float, contrast: float) -> NDArray[np.uint8]:
    values = (np.arange(256) / 255) ** (1 / gamma)
    # The slope goes from 0 over 1 to infinity.
    slope = math.tan((contrast + 1) * math.pi / 4) if contrast < 1 else 1e6
    values = (values - 0.5) * slope + 0.5 + brightness
    table: NDArray[np.uint8] = np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8)
    return table


def saturate(colors: NDArray[np.uint8], saturation: float) -> NDArray[np.uint8]:
    """Move colors away from gray of the same luminance, or towards it.

    Args:
        colors: (3, height, width).
        saturation: -1 to 1.
    """
    floats = colors.astype(np.float32)
    gray = sum(share * plane for share, plane in zip(_LUMINANCE, floats, strict=True))
    saturated: NDArray[np.uint8] = np.rint(np.clip(gray + (floats - gray) * (1 + saturation), 0, 255)).astype(np.uint8)
    return saturated


def colorize(values: NDArray[Any], stops: tuple[tuple[float, Color], ...]) -> NDArray[np.uint8]:
    """Colors (height, width, 4) of values (height, width), mixed between stops."""
    at = [value for value, _ in stops]
    channels = [np.interp(values, at, [color[i] for _, color in stops]) for i in range(4)]
    colors: NDArray[np.uint8] = np.rint(np.stack(channels, axis=-1)).astype(np.uint8)
    return colors


@lru_cache(maxsize=64)
def named(name: str) -> NDArray[np.uint8]:
    """The 256 colors (256, 4) of a named map."""
    colors = cmap.get(name)
    return np.array([colors[value] for value in range(256)], dtype=np.uint8)


def is_named(name: str) -> bool:
    """Whether there is a map of that name that goes from low to high."""
    return name in cmap.list() and set(cmap.get(name)) == set(range(256))


def make_look(given: Mapping[str, str]) -> Look:
    """Read a look from query parameters.

    Raises:
        InvalidParameter: a value that cannot be used.
    """
    return Look(
        gamma=_number(given, "gamma", 1.0, 0.1, 10.0),
        brightness=_number(given, "brightness", 0.0, -1.0, 1.0),
        contrast=_number(given, "contrast", 0.0, -1.0, 1.0),
        saturation=_number(given, "saturation", 0.0, -1.0, 1.0),
        colormap=_colormap(given["colormap"]) if "colormap" in given else None,
    )


def _number(given: Mapping[str, str], name: str, default: float, low: float, high: float) -> float:
    if name not in given:
        return default
    try:
        value = float(given[name])
    except ValueError:
        value = math.nan
    if not low <= value <= high:
        raise InvalidParameter(
            f"{name} cannot be used: expected a number from {low:g} to {high:g}; got {given[name][:32]!r}."
        )
    return value


def _colormap(text: str) -> Colormap:
    if not text.lstrip().startswith("{"):
        if not is_named(text.lower()):
            raise InvalidParameter(
                f"colormap cannot be used: there is no color map {text[:64]!r}; expected a name such as viridis, rdylgn or terrain, "
                'or stops like {"-1": "#a50026", "0": "#ffffbf", "1": "#006837"}.'
            )
        return Colormap(name=text.lower())
    expected = 'expected stops like {"-1": "#a50026", "0": "#ffffbf", "1": "#006837"}'
    try:
        given = json.loads(text)
        stops = sorted((float(value), _color(color)) for value, color in given.items())
    except (ValueError, RecursionError) as error:
        raise InvalidParameter(f"colormap cannot be used: {expected}; got {text[:80]!r}.") from error
    if not 1 <= len(stops) <= MAX_STOPS or not all(math.isfinite(value) for value, _ in stops):
        raise InvalidParameter(f"colormap cannot be used: {expected}, 1 to {MAX_STOPS} of them; got {len(stops)}.")
    return Colormap(stops=tuple(stops))


def _color(text: Any) -> Color:
    match = _HEX.match(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError(text)
    red, green, blue = bytes.fromhex(match[1])
    return red, green, blue, int(match[2] or "ff", 16)
