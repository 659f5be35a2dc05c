"""Query and path parameters, read strictly: what is not known, and what cannot be used, is refused with a sentence."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from tiles.errors import InvalidParameter
from tiles.render import FORMATS, Format
from tiles.style import PARAMETERS, PRESETS, RESAMPLINGS, Style, make_style

if TYPE_CHECKING:
    from fastapi import Request

    from tiles.sources import RasterInfo

STYLE: dict[str, Any] = {
    "parameters": [
        {"name": name, "in": "query", "description": text, "schema": {"type": "string"}}
        for name, text in {
            "bidx": "One band or three, from 1: `3,2,1`. By default red, green, blue as the file names them, else the first three, else the first.",
            "expression": "Band math, one for gray or three with `;` between them: `(b4-b3)/(b4+b3)`.",
            "preset": f"{', '.join(PRESETS)}: bands found by what the file says of them.",
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


def read_style(request: Request, info: RasterInfo, *more: str) -> Style:
    """The style that a request asks for.

    Args:
        request: with the parameters of `STYLE`.
        info: the raster.
        more: names of other parameters that the request may have.

    Raises:
        InvalidParameter: one is not known, or cannot be used.
    """
    check_names(request, frozenset(PARAMETERS).union(more))
    return make_style(info, **{name: request.query_params.getlist(name) for name in PARAMETERS})


def read_format(text: str) -> Format:
    """The format of an image, by the end of its name; InvalidParameter for others than `FORMATS`."""
    for fmt in FORMATS:
        if text == fmt:
            return fmt
    raise InvalidParameter(f"The format {text[:16]!r} is not served; expected one of {', '.join(FORMATS)}.")


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


def check_names(request: Request, known: frozenset[str]) -> None:
    """Raises InvalidParameter when a request has a query parameter of another name."""
    unknown = sorted(set(request.query_params) - known)
    if unknown:
        raise InvalidParameter(
            f"The parameter {unknown[0][:64]!r} is not known here; expected any of {', '.join(sorted(known))}."
        )
