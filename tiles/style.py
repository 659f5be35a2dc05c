"""How a raster is shown: which bands, stretched how, sampled how."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

import numpy as np

from tiles import expression
from tiles.errors import InvalidParameter
from tiles.look import Look, make_look

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tiles.sources import RasterInfo

Resampling = Literal["nearest", "bilinear", "cubic"]
RESAMPLINGS: Final[tuple[Resampling, ...]] = get_args(Resampling)

Range = tuple[float, float]
"""The values that become black and white."""

PERCENTILES: Final = (2, 98)
"""What the automatic stretch makes black and white."""

ROLES: Final = ("red", "green", "blue", "nir")
"""What a band can be for the presets."""

# Band names as Sentinel-2 and Landsat 8/9 products give them, beside the plain words.
_NAMES: Final = {
    "red": ("b4", "b04"),
    "green": ("b3", "b03"),
    "blue": ("b2", "b02"),
    # Landsat's near infrared is B5; Sentinel-2 has B05 at the red edge, and B8 or B08 as well.
    "nir": ("nir08", "near infrared", "nearinfrared", "b8", "b08", "b5"),
}

PRESETS: Final = ("true-color", "false-color", "ndvi", "ndwi")
"""`false-color` shows near infrared as red, red as green and green as blue."""

PARAMETERS: Final = (
    "bidx", "expression", "preset", "rescale", "resampling", "gamma", "brightness", "contrast", "saturation", "colormap",
)  # fmt: skip
"""Query parameters that say how a raster is shown."""


@dataclass(frozen=True, slots=True)
class Style:
    """How a raster is shown.

    Attributes:
        bands: that are read, 1-based; without an expression, the one (gray, or through a palette) or the three (red,
            green, blue) that are shown.
        stretch: values that become 0 and 255, per channel; None for the bytes of an 8-bit raster as they are, and for
            the automatic stretch of any other.
        palette: whether the one band goes through the file's palette.
        resampling: how pixels are sampled where the tile's grid is not the raster's.
        expression: what is made of the bands, one or three; None for the bands themselves.
        look: what happens to the colors in the end.
    """

    bands: tuple[int, ...]
    stretch: tuple[Range, ...] | None
    palette: bool
    resampling: Resampling
    expression: tuple[expression.Node, ...] | None = None
    look: Look = field(default_factory=Look)

    @property
    def channels(self) -> int:
        """1 for gray or one band in colors, 3 for red, green, blue."""
        return len(self.bands if self.expression is None else self.expression)


def roles(info: RasterInfo) -> dict[str, int]:
    """Which band is red, green, blue and near infrared, as far as the file says it.

    By color interpretation; else by the bands' names (`red`, `nir`, `B4`/`B04`...: Sentinel-2 and Landsat 8/9). Four
    bands of which nothing is said are red, green, blue and near infrared, in this order: aerial imagery comes so.
    """
    shown = [band for band in info.bands if band.color_interp != "alpha"]
    by_color = {band.color_interp: band.index for band in reversed(shown)}
    found: dict[str, int] = {role: by_color[role] for role in ROLES if role in by_color}
    if not {"red", "green", "blue"} <= set(found):
        by_name = {(band.description or "").strip().lower(): band.index for band in reversed(shown)}
        for words in zip(*([role, *_NAMES[role][:2]] for role in ROLES[:3]), strict=True):
            if all(word in by_name for word in words):
                found = {role: by_name[word] for role, word in zip(ROLES, words, strict=False)}
                break
        if not found and len(shown) == 4:
            found = {role: band.index for role, band in zip(ROLES, shown, strict=True)}
        infrared = next((by_name[name] for name in ("nir", *_NAMES["nir"]) if name in by_name), None)
        return found if infrared is None else {**found, "nir": infrared}
    if "nir" not in found and len(shown) == 4:
        found["nir"] = next(band.index for band in shown if band.index not in found.values())
    return found


def default_bands(info: RasterInfo) -> tuple[int, ...]:
    """What is shown unless asked otherwise: red, green and blue (see `roles`), else the first three bands, else the first."""
    found = roles(info)
    if {"red", "green", "blue"} <= set(found):
        return found["red"], found["green"], found["blue"]
    shown = [band for band in info.bands if band.color_interp != "alpha"] or list(info.bands)
    return tuple(band.index for band in (shown[:3] if len(shown) >= 3 else shown[:1]))


def make_style(info: RasterInfo, **given: Sequence[str]) -> Style:
    """Read a style from query parameters.

    Args:
        info: the raster.
        given: of `PARAMETERS`, each as the list of its values; empty for one that was not sent.

    Raises:
        InvalidParameter: a value that cannot be used, or several that say what is shown.
    """
    single = {
        name: _one(name, given[name]) for name in PARAMETERS if given.get(name) and name not in {"bidx", "rescale"}
    }
    sources = [name for name in ("bidx", "expression", "preset") if given.get(name)]
    if len(sources) > 1:
        raise InvalidParameter(f"{sources[0]} and {sources[1]} cannot be used together: each says what is shown.")
    nodes = None
    if "expression" in single:
        nodes = _expression(info, single["expression"])
    bands = default_bands(info)
    stretch: tuple[Range, ...] | None = None
    if given.get("bidx"):
        bands = _bands(info, given["bidx"])
    elif "preset" in single:
        bands, nodes = _preset(info, single["preset"])
        stretch = None if nodes is None else ((-1.0, 1.0),)
    if nodes is not None:
        bands = expression.bands_of(nodes)
    channels = len(bands if nodes is None else nodes)
    look = make_look(single)
    if given.get("rescale"):
        stretch = _ranges(given["rescale"], channels)
    if look.colormap is not None and channels != 1:
        raise InvalidParameter(
            "colormap cannot be used: expected one band, as with bidx=1 or an expression; got three."
        )
    palette = info.palette is not None and bands == (1,) and nodes is None and stretch is None and look.colormap is None
    resampling = _resampling(single["resampling"]) if "resampling" in single else "nearest" if palette else "bilinear"
    return Style(bands, stretch, palette, resampling, nodes, look)


def _one(name: str, values: Sequence[str]) -> str:
    if len(values) != 1:
        raise InvalidParameter(f"{name} cannot be used: expected it once; got it {len(values)} times.")
    return values[0]


def _expression(info: RasterInfo, text: str) -> tuple[expression.Node, ...]:
    nodes = expression.parse(text)
    beyond = [band for band in expression.bands_of(nodes) if band > len(info.bands)]
    if beyond:
        raise InvalidParameter(
            f"The expression names band {beyond[0]}, which the raster does not have: it has 1 to {len(info.bands)}."
        )
    if not expression.bands_of(nodes):
        raise InvalidParameter(f"The expression names no band: expected one such as b1; got {text[:64]!r}.")
    return nodes


def _preset(info: RasterInfo, name: str) -> tuple[tuple[int, ...], tuple[expression.Node, ...] | None]:
    if name not in PRESETS:
        raise InvalidParameter(f"preset cannot be used: expected one of {', '.join(PRESETS)}; got {name[:64]!r}.")
    if name == "true-color":
        return default_bands(info), None
    found = roles(info)
    wanted = {"false-color": ("nir", "red", "green"), "ndvi": ("nir", "red"), "ndwi": ("nir", "green")}[name]
    missing = [role for role in wanted if role not in found]
    if missing:
        raise InvalidParameter(
            f"preset={name} cannot be used: the raster does not say which band is {missing[0]}; name the bands with bidx or expression."
        )
    if name == "false-color":
        return tuple(found[role] for role in wanted), None
    text = expression.PRESETS[name].format(**{role: f"b{band}" for role, band in found.items()})
    return (), expression.parse(text)


def _bands(info: RasterInfo, values: Sequence[str]) -> tuple[int, ...]:
    texts = [text.strip() for value in values for text in value.split(",")]
    expected = f"expected one band or three, numbered 1 to {len(info.bands)}, like bidx=1 or bidx=3,2,1"
    if not all(re.fullmatch(r"[0-9]{1,5}", text) for text in texts) or len(texts) not in {1, 3}:
        raise InvalidParameter(f"bidx cannot be used: {expected}; got {','.join(values)[:64]!r}.")
    bands = tuple(int(text) for text in texts)
    if not all(1 <= band <= len(info.bands) for band in bands):
        raise InvalidParameter(f"bidx names a band that the raster does not have: {expected}; got {','.join(texts)}.")
    return bands


def _ranges(values: Sequence[str], count: int) -> tuple[Range, ...]:
    expected = f"expected min,max with min < max, once or {count} times, like rescale=0,3000"
    try:
        numbers = [float(text) for value in values for text in value.split(",")]
    except ValueError:
        numbers = []
    pairs = tuple(zip(numbers[::2], numbers[1::2], strict=False))
    usable = all(math.isfinite(low) and math.isfinite(high) and low < high for low, high in pairs)
    if len(numbers) % 2 or len(pairs) not in {1, count} or not usable:
        raise InvalidParameter(f"rescale cannot be used: {expected}; got {' '.join(values)[:64]!r}.")
    return pairs * count if len(pairs) == 1 else pairs


def _resampling(text: str) -> Resampling:
    for known in RESAMPLINGS:
        if text == known:
            return known
    raise InvalidParameter(f"resampling cannot be used: expected one of {', '.join(RESAMPLINGS)}; got {text[:64]!r}.")


def needs_stretch(info: RasterInfo, style: Style) -> bool:
    """Whether the style leaves the stretch to the pixels: no bytes as they are, no palette, no range given."""
    if style.stretch is not None or style.palette or (style.look.colormap is not None and style.look.colormap.stops):
        return False
    return style.expression is not None or any(info.bands[band - 1].dtype != "uint8" for band in style.bands)


def percentile_range(values: NDArray[Any]) -> Range:
    """The automatic stretch of one band.

    Args:
        values: (n,) valid pixels.

    Returns:
        Their 2nd and 98th percentile; (0, 1) without any, and a range around the value when there is only one.
    """
    if values.size == 0:
        return (0.0, 1.0)
    low, high = (float(v) for v in np.percentile(values, PERCENTILES))
    return (low, high) if low < high else (low - 0.5, low + 0.5)
