"""A checked filter, evaluated in Python: for states that no table holds, such as those of the past.

It says what the SQL of `geolabel.store.where` says, and is tested against the same second reading.
"""

from __future__ import annotations

import math
import operator
import re
from typing import TYPE_CHECKING, Any

import shapely

from geolabel.cql.moments import DAY_ENDS, DAY_STARTS, Moment
from geolabel.cql.nodes import (
    And,
    Arithmetic,
    Compare,
    Constant,
    Folded,
    In,
    IsNull,
    Like,
    Not,
    Or,
    Property,
    Related,
    Timed,
    Truth,
    Value,
    Wild,
)
from geolabel.cql.scalars import fold

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from shapely.geometry.base import BaseGeometry

    from geolabel.cql.nodes import Scalar, Side, Span, Where

    Getter = Callable[[str], Any]

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_CALCULATE: dict[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
}
# Before the first moment that a label can have, and behind the last.
_OPEN: dict[Side, str] = {"start": "", "end": "~"}


def holds(where: Where, value: Getter, geometry: BaseGeometry) -> bool | None:  # noqa: C901, PLR0911 (one for each kind)
    """Whether a filter chooses a label.

    Args:
        where: the filter.
        value: the value of a property by its name; None where the label has none.
        geometry: of the label, in the CRS of the filter's geometries.

    Returns:
        True, False, or None for unknown: only what is True is chosen.
    """
    match where:
        case Constant(always):
            return always
        case And(parts):
            return _all(holds(part, value, geometry) for part in parts)
        case Or(parts):
            return _not(_all(_not(holds(part, value, geometry)) for part in parts))
        case Not(part):
            return _not(holds(part, value, geometry))
        case Truth(of):
            return _scalar(of, value)  # type: ignore[no-any-return]
        case Compare(comparison, left, right):
            return _compared(comparison, _scalar(left, value), _scalar(right, value))
        case Like(of_text, pattern):
            text = _scalar(of_text, value)
            return None if text is None else _matches(text, pattern)
        case In(one, items):
            found = _scalar(one, value)
            return _not(_all(_not(_compared("=", found, _scalar(item, value))) for item in items))
        case IsNull(of):
            return value(of.name) is None
        case Related(predicate, other):
            shapely.prepare(other)
            asked = {"within": "contains", "contains": "within"}.get(predicate, predicate)
            return bool(getattr(shapely, asked)(other, geometry))
        case Timed(comparison, left_side, right_side):
            return _compared(comparison, _side(*left_side, value), _side(*right_side, value))


def _all(parts: Iterable[bool | None]) -> bool | None:
    """SQL's AND: false when one is, else unknown when one is."""
    whole: bool | None = True
    for part in parts:
        if part is False:
            return False
        whole = whole if part else None
    return whole


def _not(truth: bool | None) -> bool | None:
    return None if truth is None else not truth


def _compared(comparison: str, left: Any, right: Any) -> bool | None:
    return None if left is None or right is None else _COMPARE[comparison](left, right)


def _scalar(scalar: Scalar, value: Getter) -> Any:
    match scalar:
        case Property(name):
            return value(name)
        case Value(constant):
            return constant
        case Folded(of):
            text = _scalar(of, value)
            return None if text is None else fold(str(text))
        case Arithmetic(sign, left, right):
            one, other = _scalar(left, value), _scalar(right, value)
            if one is None or other is None or (sign == "/" and other == 0):
                return None
            result = _CALCULATE[sign](float(one), float(other))
            return None if math.isnan(result) else result


def _matches(text: str, pattern: Sequence[str | Wild]) -> bool:
    """Whether a text matches a pattern.

    Piece by piece between the wildcards for any length, each as far left as it can be: no pattern takes longer than its
    length times that of the text, where one regular expression could go back and forth for ever.
    """
    pieces: list[list[str | Wild]] = [[]]
    for part in pattern:
        if part is Wild.ANY:
            pieces.append([])
        else:
            pieces[-1].append(part)
    first, *rest = map(_compiled, pieces)
    if not rest:
        return first.fullmatch(text) is not None
    *middle, last = rest
    found = first.match(text)
    for piece in middle:
        found = found and piece.search(text, found.end())
    begin = len(text) - sum(1 if isinstance(part, Wild) else len(part) for part in pieces[-1])
    return found is not None and begin >= found.end() and last.fullmatch(text, begin) is not None


def _compiled(piece: Sequence[str | Wild]) -> re.Pattern[str]:
    return re.compile("".join("." if isinstance(part, Wild) else re.escape(part) for part in piece), re.DOTALL)


def _side(span: Span, side: Side, value: Getter) -> str | None:
    """One side of a span as an instant; a day starts with its first millisecond and ends with its last."""
    end = span.start if side == "start" else span.end
    if end is None:
        return _OPEN[side]
    if isinstance(end, Moment):
        return end.start if side == "start" else end.end
    text: str | None = value(end.name)
    if text is None:
        return None if span.bounded else _OPEN[side]
    return text + (DAY_STARTS if side == "start" else DAY_ENDS) if len(text) == 10 else text
