"""CQL2 JSON to a `Where`: every name known, every type right, every number finite, nothing without a limit."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, NoReturn, get_args

import orjson

from geolabel.cql import text as text_
from geolabel.cql.moments import Moment, read_moment
from geolabel.cql.nodes import (
    And,
    Arithmetic,
    Compare,
    Comparison,
    Constant,
    Folded,
    In,
    IsNull,
    Kind,
    Like,
    Not,
    Or,
    Predicate,
    Property,
    Related,
    Scalar,
    Sign,
    Span,
    Timed,
    Truth,
    Value,
    Where,
)
from geolabel.cql.queryables import GEOMETRY, Queryable
from geolabel.cql.scalars import WORDS, check_number, check_text, fold, kind_of, read_pattern, shown
from geolabel.cql.shapes import read_shape
from geolabel.cql.times import RELATIONS, compare_moment
from geolabel.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable

    from shapely.geometry.base import BaseGeometry

    Place = Callable[[BaseGeometry, Predicate], BaseGeometry | None]

Lang = Literal["cql2-text", "cql2-json"]

MAX_LENGTH = 50_000
# SQLite takes an expression of a thousand levels, each AND being one, and its parser forty parentheses within another.
MAX_PARTS = 800
MAX_DEPTH = 24

_PREDICATES: dict[str, Predicate] = {f"s_{predicate}": predicate for predicate in get_args(Predicate)}
_SIGNS: dict[str, Sign] = {sign: sign for sign in get_args(Sign)}
_TURNED: dict[Predicate, Predicate] = {"within": "contains", "contains": "within"}
_MIRRORED: dict[Comparison, Comparison] = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
_KNOWN = (
    "AND, OR, NOT, = <> < <= > >=, LIKE, BETWEEN, IN, IS NULL, CASEI, + - * /, S_INTERSECTS and its kin, "
    "T_INTERSECTS and its kin"
)


def read_filter(
    text: str,
    lang: Lang,
    known: Mapping[str, Queryable],
    place: Place,
    *,
    swaps: bool = False,
) -> Where:
    """Read a filter.

    Args:
        text: CQL2 as text or as JSON.
        lang: which of them.
        known: the properties that it may name.
        place: brings a valid geometry from the filter's CRS to the storage CRS, for a predicate of the label's
            geometry to it; None when no label can be there.
        swaps: whether positions are written y (latitude) first, as in the filter's CRS.

    Raises:
        InvalidInput: it cannot be read, names what is not there, sets a text against a number, is too long or too deep.
    """
    if len(text) > MAX_LENGTH:
        raise InvalidInput(f"A filter has at most {MAX_LENGTH:,} characters, got {len(text):,}.")
    check_text(text)
    if lang == "cql2-text":
        value = text_.parse(text)
    else:
        try:
            value = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            raise InvalidInput(f"The filter is not JSON: {error}.") from error
    return _Reader(known, place, swaps=swaps).where(value)


def read_value(queryable: Queryable, text: str) -> Where:
    """Read the value of a query parameter that bears a property's name: labels that have it.

    Raises:
        InvalidInput: the property cannot have such a value.
    """
    own = Property(queryable.name, queryable.kind)
    if queryable.kind == "instant":
        return compare_moment("=", own, read_moment(text))
    if queryable.kind == "number":
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            raise InvalidInput(f"expected a number, got {text!r:.80}")
        return Compare("=", own, Value(check_number(number), "number"))
    if queryable.kind == "boolean":
        if text not in {"true", "false"}:
            raise InvalidInput(f"expected true or false, got {text!r:.80}")
        return Compare("=", own, Value(text == "true", "boolean"))
    if queryable.values and text not in queryable.values:
        raise InvalidInput(f"expected one of {', '.join(queryable.values)}; got {text!r:.80}")
    return Compare("=", own, Value(check_text(text), "text"))


class _Reader:
    def __init__(self, known: Mapping[str, Queryable], place: Place, *, swaps: bool) -> None:
        self.known = known
        self.place = place
        self.swaps = swaps
        self.parts = 0

    def where(self, value: Any, depth: int = 0) -> Where:
        """What is true or false."""
        self._enter(depth)
        if isinstance(value, bool):
            return Constant(value)
        if isinstance(value, Mapping) and "property" in value:
            own = self.property(value)
            if own.kind != "boolean":
                raise InvalidInput(f"{own.name!r} is {WORDS[own.kind]}, not a condition: compare it with something.")
            return Truth(own)
        name, arguments = _operation(value, "a condition")
        if name in {"and", "or"}:
            parts = tuple(self.where(argument, depth + 1) for argument in _flat(name, arguments))
            if len(parts) < 2:
                raise InvalidInput(f"{name.upper()} joins at least two conditions, got {len(parts)}.")
            return And(parts) if name == "and" else Or(parts)
        if name == "not":
            return Not(self.where(_many(arguments, 1, "NOT")[0], depth + 1))
        return self.predicate(name, arguments, depth)

    def predicate(self, name: str, arguments: list[Any], depth: int) -> Where:
        """What is true or false by itself."""
        if name in _PREDICATES:
            return self.related(_PREDICATES[name], *_many(arguments, 2, name.upper()))
        if name in RELATIONS:
            left, right = _many(arguments, 2, name.upper())
            return RELATIONS[name](self.span(left), self.span(right))
        if name not in _READ:
            _unknown(name)
        count, read = _READ[name]
        return read(self, *_many(arguments, count, name.upper()), depth + 1)

    def _enter(self, depth: int) -> None:
        self.parts += 1
        if depth > MAX_DEPTH:
            raise InvalidInput(f"The filter is nested more than {MAX_DEPTH} deep: simplify it.")
        if self.parts > MAX_PARTS:
            raise InvalidInput(f"The filter has more than {MAX_PARTS} conditions, names and values: make it shorter.")

    def property(self, value: Any) -> Property:
        """A name of the allow-list."""
        name = value.get("property") if isinstance(value, Mapping) else None
        if not isinstance(name, str):
            raise InvalidInput(f"The filter has {shown(value)} where the name of a property is expected.")
        if name == GEOMETRY:
            raise InvalidInput("'geometry' goes into a spatial function, as in S_INTERSECTS(geometry, BBOX(...)).")
        if name not in self.known:
            raise InvalidInput(f"There is no property {name!r:.60}; there are {', '.join([GEOMETRY, *self.known])}.")
        return Property(name, self.known[name].kind)

    def scalar(self, value: Any, depth: int) -> Scalar | Moment:  # noqa: PLR0911 (one for each kind of value)
        """A property, a literal, or what is made of them."""
        self._enter(depth)
        if isinstance(value, bool):
            return Value(value, "boolean")
        if isinstance(value, str):
            return Value(check_text(value), "text")
        if isinstance(value, int | float):
            return Value(check_number(value), "number")
        if value is None:
            raise InvalidInput("Nothing equals NULL: ask IS NULL, or IS NOT NULL.")
        if isinstance(value, Mapping) and "property" in value:
            return self.property(value)
        if isinstance(value, Mapping) and ("date" in value or "timestamp" in value):
            return _moment(value)
        name, arguments = _operation(value, "a property or a value")
        if name == "casei":
            return Folded(self.of_kind("text", _many(arguments, 1, "CASEI")[0], depth + 1, "CASEI"))
        if name not in _SIGNS:
            _unknown(name)
        left, right = (self.of_kind("number", one, depth + 1, name) for one in _many(arguments, 2, name))
        return Arithmetic(_SIGNS[name], left, right)

    def of_kind(self, kind: Kind, value: Any, depth: int, what: str) -> Scalar:
        """A scalar of one kind."""
        scalar = self.scalar(value, depth)
        if isinstance(scalar, Moment) or kind_of(scalar) != kind:
            raise InvalidInput(f"{what} takes {WORDS[kind]}, got {shown(value)}.")
        return scalar

    def compare(self, comparison: Comparison, left: Any, right: Any, depth: int) -> Where:
        """Two scalars of one kind; a time may be written as a text beside a property that is one."""
        one, other = self.scalar(left, depth), self.scalar(right, depth)
        if isinstance(one, Moment) or (_is_time(other) and not _is_time(one)):
            one, other, left, right = other, one, right, left
            comparison = _MIRRORED.get(comparison, comparison)
        if isinstance(one, Property) and one.kind == "instant":
            if isinstance(other, Value) and other.kind == "text":
                other = read_moment(str(other.value))
            if isinstance(other, Moment):
                return compare_moment(comparison, one, other)
            if isinstance(other, Property) and other.kind == "instant":
                spans = Span(one, one, bounded=True), Span(other, other, bounded=True)
                return Timed(comparison, (spans[0], "start"), (spans[1], "start"))
        if isinstance(one, Moment) or isinstance(other, Moment) or kind_of(one) != kind_of(other):
            kinds = ("a time" if isinstance(s, Moment) else WORDS[kind_of(s)] for s in (one, other))
            said = " and ".join(f"{shown(v)} is {kind}" for v, kind in zip((left, right), kinds, strict=True))
            raise InvalidInput(f"{said}: these cannot be compared.")
        if kind_of(one) == "boolean" and comparison not in {"=", "<>"}:
            raise InvalidInput("True and false are compared with = and <> only.")
        return Compare(comparison, one, other)

    def between(self, value: Any, low: Any, high: Any, depth: int) -> Where:
        """Both ends belong to it."""
        return And((self.compare(">=", value, low, depth), self.compare("<=", value, high, depth)))

    def like(self, left: Any, right: Any, depth: int) -> Where:
        """A text against a pattern in quotes, both perhaps without case."""
        value = self.of_kind("text", left, depth, "LIKE")
        folded = isinstance(right, Mapping) and str(right.get("op")).lower() == "casei"
        literal = _many(_operation(right, "a pattern")[1], 1, "CASEI")[0] if folded else right
        if not isinstance(literal, str):
            raise InvalidInput(f"LIKE takes a pattern in quotes, as in note LIKE 'bridge%', got {shown(right)}.")
        check_text(literal)
        return Like(value, read_pattern(fold(literal) if folded else literal))

    def one_of(self, left: Any, right: Any, depth: int) -> Where:
        """One of several values."""
        if not isinstance(right, list) or not right:
            raise InvalidInput("IN takes a list of at least one value.")
        value = self.scalar(left, depth)
        if isinstance(value, Moment) or _is_time(value):
            return _any([self.compare("=", left, item, depth) for item in right])
        return In(value, tuple(self.of_kind(kind_of(value), item, depth, "IN") for item in right))

    def is_null(self, value: Any, _depth: int) -> Where:
        """A label without that property."""
        return IsNull(self.property(value))

    def related(self, predicate: Predicate, left: Any, right: Any) -> Where:
        """The label's geometry and a literal, in either order."""
        if not _is_geometry(left):
            left, right, predicate = right, left, _TURNED.get(predicate, predicate)
        if _is_geometry(left) and _is_geometry(right):
            return Constant(predicate in {"intersects", "equals", "within", "contains"})
        if not _is_geometry(left):
            raise InvalidInput(
                f"S_{predicate.upper()} takes the property 'geometry' and a geometry, as in S_INTERSECTS(geometry, BBOX(...))."
            )
        asked: Predicate = "intersects" if predicate == "disjoint" else predicate
        shapes = read_shape(right, swaps=self.swaps, apart=asked == "intersects")
        placed = [self.place(shape, asked) for shape in shapes]
        met = _any([Related(asked, geometry) for geometry in placed if geometry is not None])
        return Not(met) if predicate == "disjoint" else met

    def span(self, value: Any) -> Span:
        """An interval, or a time as one without length."""
        if not isinstance(value, Mapping) or "interval" not in value:
            one = self.side(value)
            if one is None:
                raise InvalidInput("'..' stands inside INTERVAL only.")
            return Span(one, one, bounded=True)
        sides = value["interval"]
        if not isinstance(sides, list) or len(sides) != 2:
            raise InvalidInput("INTERVAL takes two times, '..' for an open one.")
        start, end = (self.side(side) for side in sides)
        if isinstance(start, Moment) and isinstance(end, Moment) and start.start > end.end:
            raise InvalidInput(f"The interval ends before it starts: {start.start} to {end.end}.")
        return Span(start, end)

    def side(self, value: Any) -> Property | Moment | None:
        """One end of an interval; None for an open one."""
        if value == "..":
            return None
        scalar = read_moment(check_text(value)) if isinstance(value, str) else self.scalar(value, 0)
        if isinstance(scalar, Moment) or (isinstance(scalar, Property) and scalar.kind == "instant"):
            return scalar
        raise InvalidInput(f"A time is expected, got {shown(value)}.")


def _comparing(comparison: Comparison) -> Callable[..., Where]:
    return lambda reader, left, right, depth: reader.compare(comparison, left, right, depth)


_READ: dict[str, tuple[int, Callable[..., Where]]] = {
    **{comparison: (2, _comparing(comparison)) for comparison in get_args(Comparison)},
    "between": (3, _Reader.between),
    "like": (2, _Reader.like),
    "in": (2, _Reader.one_of),
    "isnull": (1, _Reader.is_null),
}
"""How many arguments an operator takes, and what reads them."""


def _operation(value: Any, expected: str) -> tuple[str, list[Any]]:
    if not isinstance(value, Mapping) or not isinstance(value.get("op"), str):
        raise InvalidInput(f"The filter has {shown(value)} where {expected} is expected.")
    arguments = value.get("args")
    if not isinstance(arguments, list):
        raise InvalidInput(f"The operator {value['op']!r:.40} has no list of 'args'.")
    return value["op"].lower(), arguments


def _flat(name: str, arguments: list[Any]) -> list[Any]:
    """The conditions that an AND or an OR joins, with those of another one like it inside."""
    flat, left = [], arguments[::-1]
    while left:
        one = left.pop()
        if isinstance(one, Mapping) and str(one.get("op")).lower() == name and isinstance(one.get("args"), list):
            left += one["args"][::-1]
        else:
            flat.append(one)
    return flat


def _unknown(name: str) -> NoReturn:
    raise InvalidInput(f"A filter has no {name!r:.40} here; there are {_KNOWN}.")


def _many(arguments: list[Any], count: int, what: str) -> list[Any]:
    if len(arguments) != count:
        raise InvalidInput(f"{what} takes {count} argument{'s' if count > 1 else ''}, got {len(arguments)}.")
    return arguments


def _moment(value: Mapping[str, Any]) -> Moment:
    name = "timestamp" if "timestamp" in value else "date"
    if not isinstance(value[name], str):
        raise InvalidInput(f"{name.upper()} takes a text, got {shown(value[name])}.")
    moment = read_moment(check_text(value[name]))
    if (moment.start == moment.end) != (name == "timestamp"):
        example = "'2024-05-01'" if name == "date" else "'2024-05-01T12:00:00Z'"
        raise InvalidInput(f"{name.upper()} is written as {example}, got {value[name]!r:.60}.")
    return moment


def _is_time(value: Scalar | Moment) -> bool:
    return isinstance(value, Property) and value.kind == "instant"


def _is_geometry(value: Any) -> bool:
    return isinstance(value, Mapping) and value.get("property") == GEOMETRY


def _any(parts: list[Where]) -> Where:
    if not parts:
        return Constant(value=False)
    return parts[0] if len(parts) == 1 else Or(tuple(parts))
