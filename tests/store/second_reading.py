"""What a filter means, once more: on CQL2 JSON from another parser, in Python, with SQL's three values (None is unknown)."""

from __future__ import annotations

import json
import operator
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import shapely

from tests.store.fields import ATTRIBUTES

if TYPE_CHECKING:
    from collections.abc import Callable

    from geolabel.model import Annotation

NUMBERS: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": lambda a, b: a / b if b else None,
}
COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq, "<>": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
EVER = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


def moment(text: str) -> tuple[datetime, datetime]:
    start = datetime.fromisoformat(text)
    if len(text) == 10:
        start = start.replace(tzinfo=UTC)
        return start, start + timedelta(days=1, milliseconds=-1)
    return start, start


def value_of(label: Annotation, expression: Any) -> Any:
    match expression:
        case {"property": name}:
            own = {"class": label.class_name, "status": str(label.status), "source": label.provenance.source}
            own |= {"confidence": label.provenance.confidence, "author": label.provenance.author}
            if name in own:
                return own[name]
            return label.attributes.get(name) if name in {a["name"] for a in ATTRIBUTES} else getattr(label, name)
        case {"op": "casei", "args": [inner]}:
            text = value_of(label, inner)
            return None if text is None else text.casefold().replace("ss", "\xdf")
        case {"op": op, "args": [left, right]} if op in NUMBERS:
            one, other = value_of(label, left), value_of(label, right)
            return None if one is None or other is None else NUMBERS[op](one, other)
        case _:
            return expression


def span_of(label: Annotation, expression: Any) -> tuple[datetime, datetime] | None:
    match expression:
        case {"interval": [start, end]}:
            first = None if start == ".." else span_of(label, start)
            last = None if end == ".." else span_of(label, end)
            return (EVER[0] if first is None else first[0], EVER[1] if last is None else last[1])
        case {"date": text} | {"timestamp": text}:
            return moment(text)
        case str():
            return moment(expression)
        case _:
            text = value_of(label, expression)
            return None if text is None else moment(text)


def timed(op: str, a: tuple[datetime, datetime], b: tuple[datetime, datetime]) -> bool:
    return {
        "t_after": a[0] > b[1],
        "t_before": a[1] < b[0],
        "t_intersects": a[0] <= b[1] and a[1] >= b[0],
        "t_disjoint": a[0] > b[1] or a[1] < b[0],
        "t_equals": a == b,
        "t_during": a[0] > b[0] and a[1] < b[1],
        "t_contains": a[0] < b[0] and a[1] > b[1],
        "t_starts": a[0] == b[0] and a[1] < b[1],
        "t_finishes": a[0] > b[0] and a[1] == b[1],
        "t_overlaps": a[0] < b[0] < a[1] < b[1],
        "t_meets": a[1] == b[0],
    }[op]


def compared(op: str, left: Any, right: Any, label: Annotation) -> bool | None:
    if any(isinstance(side, dict) and ("date" in side or "timestamp" in side) for side in (left, right)):
        span, (start, end) = span_of(label, left), span_of(label, right) or EVER
        if span is None:
            return None
        inside = span[0] >= start and span[1] <= end
        return {
            "=": inside, "<>": not inside, "<": span[0] < start, ">=": span[0] >= start, "<=": span[1] <= end,
            ">": span[1] > end,
        }[op]  # fmt: skip
    one, other = value_of(label, left), value_of(label, right)
    return None if one is None or other is None else COMPARISONS[op](one, other)


def both(parts: list[bool | None]) -> bool | None:
    return False if False in parts else None if None in parts else True


def opposite(value: bool | None) -> bool | None:
    return None if value is None else not value


def holds(label: Annotation, expression: Any) -> bool | None:  # noqa: C901, PLR0911 (one case for each operator)
    match expression:
        case bool():
            return expression
        case {"property": _}:
            return value_of(label, expression)  # type: ignore[no-any-return]
        case {"op": "and", "args": args}:
            return both([holds(label, part) for part in args])
        case {"op": "or", "args": args}:
            return opposite(both([opposite(holds(label, part)) for part in args]))
        case {"op": "not", "args": [part]}:
            return opposite(holds(label, part))
        case {"op": "isNull", "args": [part]}:
            return value_of(label, part) is None
        case {"op": "between", "args": [value, low, high]}:
            return both([compared(">=", value, low, label), compared("<=", value, high, label)])
        case {"op": "in", "args": [value, items]}:
            return opposite(both([opposite(compared("=", value, item, label)) for item in items]))
        case {"op": "like", "args": [value, pattern]}:
            text, shape = value_of(label, value), value_of(label, pattern)
            wild = {"%": ".*", "_": "."}
            parts = (wild.get(c) or re.escape(c[-1]) for c in re.findall(r"\\.|.", shape, re.DOTALL))
            return None if text is None else re.fullmatch("".join(parts), text, re.DOTALL) is not None
        case {"op": op, "args": [{"property": "geometry"}, other]} if op.startswith("s_"):
            box = other.get("bbox")
            shape = shapely.box(*box) if box else shapely.from_geojson(json.dumps(other))
            return bool(getattr(shapely, op[2:])(label.geometry, shape))
        case {"op": op, "args": [left, right]} if op.startswith("t_"):
            one, other = span_of(label, left), span_of(label, right)
            return None if one is None or other is None else timed(op, one, other)
        case {"op": op, "args": [left, right]}:
            return compared(op, left, right, label)
    raise AssertionError(expression)
