"""How a raster is shown: which bands, stretched how, sampled how."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

import numpy as np

from tiles import expression
from tiles.bands import data_bands, default_bands, roles, scaling
from tiles.errors import InvalidParameter
from tiles.look import Look, make_look
from tiles.relief import Light, make_light

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from tiles.info import RasterInfo

Resampling = Literal["nearest", "bilinear", "cubic"]
RESAMPLINGS: Final[tuple[Resampling, ...]] = get_args(Resampling)

Range = tuple[float, float]
"""The values that become black and white."""

PERCENTILES: Final = (2.0, 98.0)
"""What the automatic stretch makes black and white, unless asked otherwise."""

PRESETS: Final = ("true-color", "false-color", "ndvi", "ndwi", "hillshade")
"""`false-color` shows near infrared as red, red as green and green as blue; `hillshade` takes the first band for elevation."""

VALUE_PARAMETERS: Final = ("bidx", "expression", "preset", "unscale", "resampling")
"""Query parameters that say which values are shown."""

COLOR_PARAMETERS: Final = (
    "rescale", "percentiles", "hillshade", "gamma", "brightness", "contrast", "saturation", "colormap",
)  # fmt: skip
"""Query parameters that say in which colors."""

PARAMETERS: Final = (*VALUE_PARAMETERS, *COLOR_PARAMETERS)
"""Query parameters that say how a raster is shown."""

_PRESET_LIGHT: Final = "315,45"


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
        percentiles: what the automatic stretch makes black and white.
        unscale: (scale, offset) of each band that is read, where values are wanted in their unit; None for them as stored.
        light: where it comes from, for shades of relief; None for the values themselves.
    """

    bands: tuple[int, ...]
    stretch: tuple[Range, ...] | None
    palette: bool
    resampling: Resampling
    expression: tuple[expression.Node, ...] | None = None
    look: Look = field(default_factory=Look)
    percentiles: Range = PERCENTILES
    unscale: tuple[Range, ...] | None = None
    light: Light | None = None

    @property
    def channels(self) -> int:
        """1 for gray or one band in colors, 3 for red, green, blue."""
        return len(self.bands if self.expression is None else self.expression)


def make_style(info: RasterInfo, *, values: bool = False, **given: Sequence[str]) -> Style:
    """Read a style from query parameters.

    Args:
        info: the raster.
        values: whether it is for values and not for a picture: any number of bands, all unless asked otherwise, no colors.
        given: of `PARAMETERS`, each as the list of its values; empty for one that was not sent.

    Raises:
        InvalidParameter: a value that cannot be used, or several that say what is shown.
    """
    single = {
        name: _one(name, given[name]) for name in PARAMETERS if given.get(name) and name not in {"bidx", "rescale"}
    }
    _check_together(given, values=values)
    nodes = None
    if "expression" in single:
        nodes = _expression(info, single["expression"])
    bands = data_bands(info) if values else default_bands(info)
    stretch: tuple[Range, ...] | None = None
    if given.get("bidx"):
        bands = _bands(info, given["bidx"], any_number=values)
    elif single.get("preset") == "hillshade":
        bands = data_bands(info)[:1]
        single.setdefault("hillshade", _PRESET_LIGHT)
    elif "preset" in single:
        bands, nodes = _preset(info, single["preset"])
        stretch = None if nodes is None else ((-1.0, 1.0),)
    if nodes is not None:
        bands = expression.bands_of(nodes)
    channels = len(bands if nodes is None else nodes)
    look = make_look(single)
    light = make_light(single["hillshade"]) if "hillshade" in single else None
    if given.get("rescale"):
        stretch = _ranges(given["rescale"], channels)
    for name in ("colormap", "hillshade"):
        if name in single and channels != 1:
            raise InvalidParameter(
                f"{name} cannot be used: expected one band, as with bidx=1 or an expression; got three."
            )
    unscale = scaling(info, bands) if _yes("unscale", single.get("unscale")) else None
    plain = nodes is None and stretch is None and look.colormap is None and unscale is None and light is None
    palette = info.palette is not None and bands == (1,) and plain
    resampling = _resampling(single["resampling"]) if "resampling" in single else "nearest" if palette else "bilinear"
    percentiles = _percentiles(single["percentiles"]) if "percentiles" in single else PERCENTILES
    return Style(bands, stretch, palette, resampling, nodes, look, percentiles, unscale, light)


def _check_together(given: Mapping[str, Sequence[str]], *, values: bool) -> None:
    sources = [name for name in ("bidx", "expression", "preset") if given.get(name)]
    if len(sources) > 1:
        raise InvalidParameter(f"{sources[0]} and {sources[1]} cannot be used together: each says what is shown.")
    painting = [name for name in COLOR_PARAMETERS if given.get(name)]
    if values and painting:
        raise InvalidParameter(
            f"{painting[0]} cannot be used here: expected what says which values are wanted ({', '.join(VALUE_PARAMETERS)}); "
            "tif and npy hold the values themselves, png, jpg and webp show them in colors."
        )
    if given.get("rescale") and given.get("percentiles"):
        raise InvalidParameter("rescale and percentiles cannot be used together: each says what is black and white.")


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


def _bands(info: RasterInfo, values: Sequence[str], *, any_number: bool) -> tuple[int, ...]:
    texts = [text.strip() for value in values for text in value.split(",")]
    count = "bands" if any_number else "one band or three"
    expected = f"expected {count}, numbered 1 to {len(info.bands)}, like bidx=1 or bidx=3,2,1"
    good_count = len(texts) <= len(info.bands) if any_number else len(texts) in {1, 3}
    if not all(re.fullmatch(r"[0-9]{1,5}", text) for text in texts) or not good_count:
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


def _percentiles(text: str) -> Range:
    try:
        low, high = (float(part) for part in text.split(","))
    except ValueError:
        low = high = math.nan
    if not 0 <= low < high <= 100:
        raise InvalidParameter(
            f"percentiles cannot be used: expected low,high between 0 and 100, like percentiles=2,98; got {text[:32]!r}."
        )
    return (low, high)


def _yes(name: str, text: str | None) -> bool:
    if text not in {None, "true", "false"}:
        raise InvalidParameter(f"{name} cannot be used: expected true or false; got {str(text)[:16]!r}.")
    return text == "true"


def needs_stretch(info: RasterInfo, style: Style) -> bool:
    """Whether the style leaves the stretch to the pixels: no bytes as they are, no palette, no range given."""
    if style.light is not None or style.stretch is not None or style.palette:
        return False
    if style.look.colormap is not None and style.look.colormap.stops:
        return False
    if style.percentiles != PERCENTILES or style.unscale is not None or style.expression is not None:
        return True
    return any(info.bands[band - 1].dtype != "uint8" for band in style.bands)


def percentile_range(values: NDArray[Any], percentiles: Range = PERCENTILES) -> Range:
    """The automatic stretch of one band.

    Args:
        values: (n,) valid pixels.
        percentiles: what becomes black and white.

    Returns:
        Their percentiles; (0, 1) without any, and a range around the value when there is only one.
    """
    if values.size == 0:
        return (0.0, 1.0)
    low, high = (float(v) for v in np.percentile(values, percentiles))
    return (low, high) if low < high else (low - 0.5, low + 0.5)
