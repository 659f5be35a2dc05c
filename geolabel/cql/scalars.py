"""Texts, numbers and patterns of a filter, and what they are called in messages."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from geolabel.cql.nodes import Folded, Kind, Property, Value, Wild
from geolabel.errors import InvalidInput

if TYPE_CHECKING:
    from geolabel.cql.nodes import Scalar

WORDS: dict[Kind, str] = {
    "text": "a text",
    "number": "a number",
    "boolean": "true or false",
    "instant": "a time",
}
_SIGMAS = str.maketrans({"\N{GREEK SMALL LETTER FINAL SIGMA}": "\N{GREEK SMALL LETTER SIGMA}"})


def fold(text: str) -> str:
    """A text with the difference of upper and lower case taken out; both sigmas are one."""
    return text.lower().translate(_SIGMAS)


def kind_of(scalar: Scalar) -> Kind:
    """What a scalar is."""
    if isinstance(scalar, Property | Value):
        return scalar.kind
    return "text" if isinstance(scalar, Folded) else "number"


def check_text(value: str) -> str:
    """A text that a database can compare.

    Raises:
        InvalidInput: it holds NUL, or half of a character.
    """
    if "\0" in value:
        raise InvalidInput("A text in a filter may not hold the character NUL.")
    if not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
        raise InvalidInput("A text in a filter may not hold half of a character (a lone surrogate).")
    return value


def check_number(value: float) -> int | float:
    """A number as both databases compare it: an integer where it is one, so that the index of ids serves.

    Raises:
        InvalidInput: it is not finite.
    """
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise InvalidInput("A number in a filter is finite; this one is too large.")
    if isinstance(value, int):
        return value if abs(value) < 2**63 else number
    return int(number) if number.is_integer() and abs(number) < 2**53 else number


def read_pattern(text: str) -> tuple[str | Wild, ...]:
    r"""A LIKE pattern in pieces: `%` any characters, `_` one, `\` makes the next one plain."""
    pieces: list[str | Wild] = []
    plain, characters = "", iter(text)
    for character in characters:
        if character in {"%", "_"}:
            wild = Wild(character)
            if plain:
                pieces.append(plain)
            if wild is Wild.ONE or plain or pieces[-1:] != [Wild.ANY]:  # two of ANY in a row say nothing more
                pieces.append(wild)
            plain = ""
        elif character == "\\":
            plain += next(characters, "\\")
        else:
            plain += character
    return (*pieces, plain) if plain else tuple(pieces)


def shown(value: Any) -> str:
    """A part of a filter, for a message."""
    if isinstance(value, Mapping):
        name = value.get("property") or value.get("op") or value.get("type")
        return f"{name!r:.60}" if isinstance(name, str) else "an object"
    return "a list" if isinstance(value, list) else f"{value!r:.60}"
