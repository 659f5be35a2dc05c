"""Relations of times: of a property to a moment, and of two intervals by their ends (OGC 21-065r2, from ISO 19108)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from geolabel.cql.nodes import And, Comparison, Not, Side, Span, Timed

if TYPE_CHECKING:
    from collections.abc import Callable

    from geolabel.cql.moments import Moment
    from geolabel.cql.nodes import Property, Where

    Relation = Callable[[Span, Span], Where]


def compare_moment(comparison: Comparison, own: Property, moment: Moment) -> Where:
    """A property that is a time against a time; a day is all of it: `=` is within it, `<=` up to its end."""
    span, other = Span(own, own, bounded=True), Span(moment, moment)
    if comparison in {"=", "<>"}:
        inside = And((Timed(">=", (span, "start"), (other, "start")), Timed("<=", (span, "end"), (other, "end"))))
        return inside if comparison == "=" else Not(inside)
    side: Side = "start" if comparison in {"<", ">="} else "end"
    return Timed(comparison, (span, side), (other, side))


def _sides(comparison: Comparison, left: Side, right: Side) -> Relation:
    return lambda one, other: Timed(comparison, (one, left), (other, right))


def _all(*relations: Relation) -> Relation:
    return lambda one, other: And(tuple(relation(one, other) for relation in relations))


meets = _all(_sides("<=", "start", "end"), _sides(">=", "end", "start"))
"""Two spans share a moment; an open side shares them all."""

RELATIONS: dict[str, Relation] = {
    "t_after": _sides(">", "start", "end"),
    "t_before": _sides("<", "end", "start"),
    "t_intersects": meets,
    "t_disjoint": lambda one, other: Not(meets(one, other)),
    "t_equals": _all(_sides("=", "start", "start"), _sides("=", "end", "end")),
    "t_contains": _all(_sides("<", "start", "start"), _sides(">", "end", "end")),
    "t_during": _all(_sides(">", "start", "start"), _sides("<", "end", "end")),
    "t_finishedby": _all(_sides("<", "start", "start"), _sides("=", "end", "end")),
    "t_finishes": _all(_sides(">", "start", "start"), _sides("=", "end", "end")),
    "t_meets": _sides("=", "end", "start"),
    "t_metby": _sides("=", "start", "end"),
    "t_overlappedby": _all(_sides(">", "start", "start"), _sides("<", "start", "end"), _sides(">", "end", "end")),
    "t_overlaps": _all(_sides("<", "start", "start"), _sides(">", "end", "start"), _sides("<", "end", "end")),
    "t_startedby": _all(_sides("=", "start", "start"), _sides(">", "end", "end")),
    "t_starts": _all(_sides("=", "start", "start"), _sides("<", "end", "end")),
}
