"""Query and path parameters, read strictly: what is not known, and what cannot be used, is refused with a sentence."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from tiles import render, values
from tiles.errors import InvalidParameter
from tiles.style import COLOR_PARAMETERS, PARAMETERS, PRESETS, RESAMPLINGS, Style, make_style

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fastapi import Request

    from tiles.info import RasterInfo

_INSTEAD = (("rescale", "percentiles"),)  # one takes the place of the other

STYLE: dict[str, Any] = {
    "parameters": [
        {"name": name, "in": "query", "description": text, "schema": {"type": "string"}}
        for name, text in {
            "bidx": "One band or three, from 1: `3,2,1`. By default red, green, blue as the file names them, else the first three, else the first.",
            "expression": "Band math, one for gray or three with `;` between them: `(b4-b3)/(b4+b3)`.",
            "preset": f"{', '.join(PRESETS)}: bands found by what the file says of them.",
            "unscale": "`true` for values in their unit (stored * scale + offset, as the file says), `false` (default) for stored ones.",
            "percentiles": "`low,high` that become black and white, `2,98` by default, instead of rescale.",
            "hillshade": "`azimuth,altitude[,exaggeration]`: shades of relief under a light, of one band: `315,45`.",
            "rescale": "`min,max` that become black and white, once or per band. By default 8-bit values as they are, others between their 2nd and 98th percentile.",
            "resampling": f"{', '.join(RESAMPLINGS)}. By default bilinear, nearest for a palette.",
            "gamma": "0.1 to 10, above 1 lighter.",
            "brightness": "-1 to 1.",
            "contrast": "-1 to 1.",
            "saturation": "-1 (gray) to 1.",
            "colormap": 'Colors of one band: a name such as viridis, or stops in its values: `{"-1": "#a50026", "1": "#006837"}`.',
        }.items()
    ]
}
"""What the API's description says of the query parameters that are read into a Style."""


def read_style(
    request: Request, info: RasterInfo, *more: str, values: bool = False, saved: Mapping[str, str] | None = None
) -> Style:
    """The style that a request asks for.

    Args:
        request: with the parameters of `STYLE`.
        info: the raster.
        more: names of other parameters that the request may have.
        values: whether it asks for values and not for a picture.
        saved: what holds for the scene where the request says nothing else.

    Raises:
        InvalidParameter: one is not known, or cannot be used.
    """
    check_names(request, frozenset(PARAMETERS).union(more))
    asked = {name: given for name in PARAMETERS if (given := request.query_params.getlist(name))}
    return make_style(info, values=values, **merge(asked, saved or {}, values=values))


def merge(
    asked: Mapping[str, Sequence[str]], saved: Mapping[str, str], *, values: bool = False
) -> dict[str, Sequence[str]]:
    """What a request says, and what is saved for the scene where it says nothing.

    A saved choice of bands and all that goes with its values (stretch, colors of values, shades) gives way to another choice.
    """
    dropped = {name for pair in _INSTEAD for name in pair if any(other in asked for other in pair)}
    if any(name in asked for name in ("bidx", "expression", "preset")):
        dropped |= {"bidx", "expression", "preset", "rescale", "percentiles", "colormap", "hillshade", "unscale"}
    if values:
        dropped |= set(COLOR_PARAMETERS)
    return {**{name: [text] for name, text in saved.items() if name not in dropped}, **asked}


def read_picture_format(text: str) -> render.Format:
    """The format of an image, by the end of its name; InvalidParameter for others."""
    for fmt in render.FORMATS:
        if text == fmt:
            return fmt
    raise InvalidParameter(f"The format {text[:16]!r} is not served; expected one of {', '.join(render.FORMATS)}.")


def read_format(text: str) -> render.Format | values.Format:
    """The format of a tile, by the end of its name; InvalidParameter for others."""
    for fmt in values.FORMATS:
        if text == fmt:
            return fmt
    if text in render.FORMATS:
        return read_picture_format(text)
    expected = ", ".join((*render.FORMATS, *values.FORMATS))
    raise InvalidParameter(f"The format {text[:16]!r} is not served; expected one of {expected}.")


def read_number(name: str, text: str) -> int:
    """A whole number from 0; InvalidParameter when it is none."""
    # Digits only: int() would take '+1', '1_0' and numbers of any length.
    if not (text.isascii() and text.isdigit() and len(text) <= 10):
        raise InvalidParameter(
            f"{name} cannot be used: expected a whole number of at most 10 digits; got {text[:32]!r}."
        )
    return int(text)


def read_degrees(name: str, text: str) -> float:
    """A longitude or latitude; InvalidParameter when it cannot be one."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not -360 <= value <= 360:
        raise InvalidParameter(f"{name} cannot be used: expected degrees; got {text[:32]!r}.")
    return value


def read_position(name: str, text: str) -> float:
    """A continuous pixel coordinate; InvalidParameter when it cannot be one."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InvalidParameter(f"{name} cannot be used: expected a number of pixels; got {text[:32]!r}.")
    return value


def read_bbox(text: str) -> tuple[float, float, float, float]:
    """West, south, east and north of a box in degrees, west > east across the antimeridian; InvalidParameter when it cannot be one."""
    try:
        west, south, east, north = (float(part) for part in text.split(","))
        usable = -360 <= west <= 360 and -360 <= east <= 360 and -90 <= south < north <= 90 and west != east
    except ValueError:
        usable = False
    if not usable:
        raise InvalidParameter(
            f"bbox cannot be used: expected west,south,east,north in degrees, south < north; got {text[:80]!r}."
        )
    return west, south, east, north


def check_names(request: Request, known: frozenset[str]) -> None:
    """Raises InvalidParameter when a request has a query parameter of another name."""
    unknown = sorted(set(request.query_params) - known)
    if unknown:
        raise InvalidParameter(
            f"The parameter {unknown[0][:64]!r} is not known here; expected any of {', '.join(sorted(known))}."
        )
