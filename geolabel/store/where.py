"""A checked filter as SQL: SQLAlchemy Core over the columns of a table, every value bound.

The text of a statement follows from the filter's shape alone, never from what is in it.
"""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

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
)
from geolabel.cql.scalars import fold, kind_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import ColumnElement, Table

    from geolabel.cql.nodes import Kind, Scalar, Side, Sign, Span, Where
    from geolabel.store.dialect import Spatial

_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_CALCULATE: dict[Sign, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": lambda left, right: left / sa.func.nullif(right, sa.literal(0.0, sa.Double)),
}
_TYPES: dict[Kind, Any] = {"text": sa.Text, "number": sa.Double, "boolean": sa.Boolean, "instant": sa.Text}
# Before the first moment that a label can have, and behind the last.
_OPEN: dict[Side, str] = {"start": "", "end": "~"}


def condition(where: Where, table: Table, spatial: Spatial, srs_id: int) -> ColumnElement[bool]:
    """Compile a filter.

    Args:
        where: the filter; its geometries are in the CRS of the table.
        table: rows of annotations, with a spatial index.
        spatial: the database.
        srs_id: of the table's CRS there.
    """
    return _Compiler(table, spatial, srs_id).where(where)


class _Compiler:
    def __init__(self, table: Table, spatial: Spatial, srs_id: int) -> None:
        self.table = table
        self.spatial = spatial
        self.srs_id = srs_id

    def where(self, where: Where) -> ColumnElement[bool]:  # noqa: C901, PLR0911 (one for each kind of condition)
        """One condition."""
        match where:
            case Constant(value):
                return sa.true() if value else sa.false()
            case And(parts):
                return sa.and_(*map(self.where, parts))
            case Or(parts):
                return sa.or_(*map(self.where, parts))
            case Not(part):
                return sa.not_(self.where(part))
            case Truth(of):
                return self.column(of) == sa.true()
            case Compare():
                return self.compare(where)
            case Like(value, pattern):
                return self.spatial.like(self.scalar(value), pattern)
            case In():
                return self.one_of(where)
            case IsNull(of):
                return self.column(of).is_(None)
            case Related(predicate, geometry):
                return self.spatial.relates(self.table, predicate, geometry, self.srs_id)
            case Timed(comparison, left, right):
                sides = (self.spatial.sortable(self.side(*left)), self.side(*right))
                compared: ColumnElement[bool] = _COMPARE[comparison](*sides)
                return compared

    def column(self, own: Property) -> ColumnElement[Any]:
        return self.table.c[own.name]

    def scalar(self, scalar: Scalar) -> ColumnElement[Any]:
        """A value, or what gives one."""
        match scalar:
            case Property():
                return self.column(scalar)
            case Value(value, kind):
                return sa.literal(value, sa.BigInteger() if _is_whole(scalar) else _TYPES[kind]())
            case Folded(Value(value)):
                return sa.literal(fold(str(value)), sa.Text())
            case Folded(of):
                return self.spatial.fold(self.scalar(of))
            case Arithmetic(sign, left, right):
                made: ColumnElement[Any] = _CALCULATE[sign](self.real(left), self.real(right))
                return made

    def real(self, scalar: Scalar) -> ColumnElement[Any]:
        """A number as a double: whole numbers would be divided without remainder, and could overflow."""
        if isinstance(scalar, Value):
            return sa.literal(float(scalar.value), sa.Double())
        value = self.scalar(scalar)
        return value if isinstance(scalar, Arithmetic) else sa.cast(value, sa.Double())

    def compare(self, compare: Compare) -> ColumnElement[bool]:
        left, right = self.scalar(compare.left), self.scalar(compare.right)
        if kind_of(compare.left) == "text" and compare.comparison not in {"=", "<>"}:
            left = self.spatial.sortable(left)
        compared: ColumnElement[bool] = _COMPARE[compare.comparison](left, right)
        return compared

    def one_of(self, within: In) -> ColumnElement[bool]:
        value = self.scalar(within.value)
        literals = [item for item in within.items if isinstance(item, Value)]
        chosen: list[ColumnElement[bool]] = [
            value == self.scalar(item) for item in within.items if not isinstance(item, Value)
        ]
        # Of one list, PostgreSQL is told one type: 0.25 among whole numbers would be one.
        for whole in (True, False):
            some = [self.scalar(item) for item in literals if _is_whole(item) == whole]
            if some:
                chosen.append(value.in_(some))
        return sa.or_(*chosen)

    def side(self, span: Span, side: Side) -> ColumnElement[str]:
        """One side of a span as an instant; a day starts with its first millisecond and ends with its last."""
        end = span.start if side == "start" else span.end
        if end is None:
            return sa.literal(_OPEN[side], sa.Text())
        if isinstance(end, Moment):
            return sa.literal(end.start if side == "start" else end.end, sa.Text())
        column = sa.cast(self.column(end), sa.Text())
        rest = DAY_STARTS if side == "start" else DAY_ENDS
        whole = sa.case((sa.func.length(column) == 10, column + rest), else_=column)
        return whole if span.bounded else sa.func.coalesce(whole, _OPEN[side])


def _is_whole(value: Value) -> bool:
    return value.kind == "number" and isinstance(value.value, int)
