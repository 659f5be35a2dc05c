"""A checked filter: frozen values that a database compiles and a test can evaluate.

SQL's three values hold throughout: a comparison with what a label does not have is unknown, NOT unknown is unknown, and
only labels for which the whole is true are chosen.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

    from geolabel.cql.moments import Moment

Kind = Literal["text", "number", "boolean", "instant"]
"""What a value is. An `instant` is RFC 3339 in UTC with milliseconds, or a date, as text."""

Comparison = Literal["=", "<>", "<", "<=", ">", ">="]
Sign = Literal["+", "-", "*", "/"]
Predicate = Literal["intersects", "disjoint", "equals", "touches", "within", "overlaps", "crosses", "contains"]
Side = Literal["start", "end"]


class Wild(Enum):
    """What stands for other characters in a pattern."""

    ANY = "%"
    ONE = "_"


@dataclass(frozen=True, slots=True)
class Property:
    """A property of a label, by the name of its column."""

    name: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class Value:
    """A text, a finite number or a truth value."""

    value: str | float | bool
    kind: Kind


@dataclass(frozen=True, slots=True)
class Folded:
    """A text with the difference of upper and lower case taken out."""

    of: Scalar


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """Numbers reckoned with; division by zero is unknown."""

    sign: Sign
    left: Scalar
    right: Scalar


Scalar = Property | Value | Folded | Arithmetic


@dataclass(frozen=True, slots=True)
class Constant:
    """Always true, or never."""

    value: bool


@dataclass(frozen=True, slots=True)
class And:
    """All of the parts."""

    parts: tuple[Where, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """One of the parts."""

    parts: tuple[Where, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The contrary."""

    part: Where


@dataclass(frozen=True, slots=True)
class Truth:
    """A property that is true or false by itself."""

    of: Property


@dataclass(frozen=True, slots=True)
class Compare:
    """Two texts (by code point), two numbers or two truth values."""

    comparison: Comparison
    left: Scalar
    right: Scalar


@dataclass(frozen=True, slots=True)
class Like:
    """A text against a pattern: pieces of text and wildcards."""

    value: Scalar
    pattern: tuple[str | Wild, ...]


@dataclass(frozen=True, slots=True)
class In:
    """One of several."""

    value: Scalar
    items: tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class IsNull:
    """The label has no such value."""

    of: Property


@dataclass(frozen=True, slots=True)
class Related:
    """The label's geometry and another one.

    Attributes:
        predicate: of the label's geometry to the other.
        geometry: in the storage CRS, valid, two-dimensional, not empty, no collection.
    """

    predicate: Predicate
    geometry: BaseGeometry


@dataclass(frozen=True, slots=True)
class Span:
    """A time with a beginning and an end.

    Attributes:
        start: None for open.
        end: None for open.
        bounded: a property that the label does not have makes the span unknown; otherwise that side is open.
    """

    start: Property | Moment | None
    end: Property | Moment | None
    bounded: bool = False


@dataclass(frozen=True, slots=True)
class Timed:
    """One side of a span against one side of another."""

    comparison: Comparison
    left: tuple[Span, Side]
    right: tuple[Span, Side]


Where = Constant | And | Or | Not | Truth | Compare | Like | In | IsNull | Related | Timed
