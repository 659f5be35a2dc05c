"""The shapes of a batch on their way into the project's CRS: read, valid, reprojected, of a kind that the class takes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import shapely

from geolabel.errors import InvalidGeometry, Problem
from geolabel.geo.policy import apply_policy
from geolabel.geo.ragged import NONE, Ragged, from_shapely, join
from geolabel.geo.reproject import reproject
from geolabel.intake.report import Refusals

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from shapely.geometry.base import BaseGeometry

    from geolabel.formats.base import Features
    from geolabel.geo.policy import InvalidPolicy
    from geolabel.geo.tolerance import Tolerance
    from geolabel.model import Project

WORTH_COMPILED = 50_000
"""Vertices from which on compiled code is worth loading."""

_KINDS = np.array(["point", "line", "", "polygon", "point", "line", "polygon"])


@dataclass(frozen=True, slots=True)
class Way:
    """How shapes come into a project.

    Attributes:
        source: their CRS.
        target: the project's; None for a project without one.
        tolerance: how far edges may bend.
        policy: what becomes of an invalid shape.
        max_vertices: a shape with more counts as invalid.
    """

    source: str
    target: str | None
    tolerance: Tolerance
    policy: InvalidPolicy
    max_vertices: int


@dataclass(slots=True)
class Settled:
    """Shapes that can rest in the project.

    Attributes:
        shapes: (m,) valid, in the project's CRS.
        rows: (m,) which of the features they are, in order.
        repaired: how many were changed to become valid.
        area_change: sum over the repaired of |area after - area before|, in square units of the file's CRS.
        notes: one entry per shape that was repaired or skipped.
        reasons: how many were left out for which reason.
        refusals: shapes that keep the file out.
    """

    shapes: Ragged
    rows: NDArray[np.int64]
    repaired: int = 0
    area_change: float = 0.0
    notes: list[Problem] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)
    refusals: Refusals = field(default_factory=Refusals)


def settle(features: Features, way: Way) -> Settled:
    """Bring shapes into the project's CRS; those that are not valid there go by the policy.

    Raises:
        InvalidCRS: a coordinate that the project's CRS cannot hold.
    """
    shapes = features.shapes
    good = _sound(shapes, way.max_vertices)
    rows = np.flatnonzero(good)
    stored = shapes if good.all() else shapes.take(rows)
    if way.target is not None:
        stored = reproject(stored, way.source, way.target, way.tolerance)
    valid = _valid(stored)
    result = Settled(stored, rows)
    if valid.all() and good.all():
        return result
    bad = np.setdiff1d(np.arange(len(shapes)), rows[valid])
    mended, mended_rows = _by_policy(features, bad, way, result)
    kept = np.flatnonzero(valid)
    if len(mended_rows) == 0:
        result.shapes, result.rows = stored.take(kept), rows[kept]
        return result
    order = np.argsort(np.concatenate([rows[kept], mended_rows]), kind="stable")
    result.shapes, result.rows = (
        join([stored.take(kept), mended]).take(order),
        np.concatenate([rows[kept], mended_rows])[order],
    )
    return result


def _sound(shapes: Ragged, max_vertices: int) -> NDArray[np.bool_]:
    """Which shapes are there, finite, and not too large, (n,)."""
    counts = np.diff(shapes.vertices)
    good: NDArray[np.bool_] = (shapes.kinds != NONE) & (counts <= max_vertices)
    broken = ~np.isfinite(shapes.xy).all(axis=1)
    if shapes.z is not None:
        flat = np.isnan(shapes.z)
        solid = np.zeros(len(shapes), dtype=bool)
        there = np.flatnonzero(counts)
        solid[there] = ~np.logical_and.reduceat(flat, shapes.vertices[there])
        broken |= (flat & np.repeat(solid, counts)) | np.isinf(shapes.z)
    if broken.any():
        good[np.searchsorted(shapes.vertices, np.flatnonzero(broken), side="right") - 1] = False
    return good


def _valid(shapes: Ragged) -> NDArray[np.bool_]:
    if len(shapes.xy) < WORTH_COMPILED:
        valid: NDArray[np.bool_] = shapely.is_valid(shapes.to_shapely())
        return valid
    from geolabel.geo.simple import certainly_valid  # noqa: PLC0415 (compiled, see geolabel.compiled)

    valid = certainly_valid(shapes)
    doubtful = np.flatnonzero(~valid)
    if len(doubtful):
        valid[doubtful] = shapely.is_valid(shapes.take(doubtful).to_shapely())
    return valid


def _by_policy(
    features: Features, bad: NDArray[np.int64], way: Way, result: Settled
) -> tuple[Ragged, NDArray[np.int64]]:
    """The shapes among these rows that the policy saves, in the project's CRS, and their rows."""
    for row in bad.tolist():
        if row in features.unreadable:
            problem = features.unreadable[row]
            if way.policy == "reject":
                result.refusals.unreadable.extend([problem])
            else:
                result.notes.append(Problem(problem.pointer, f"skipped: {problem.message}"))
                result.reasons[problem.message] += 1
    rows = np.array([row for row in bad.tolist() if row not in features.unreadable], dtype=np.int64)
    given = features.shapes.take(rows).to_shapely()
    for index, row in enumerate(rows.tolist()):
        if row in features.odd:
            given[index] = features.odd[row]
    names = [f"feature {features.numbers[row]}" for row in rows.tolist()]
    saved, kept = _apply(given, names, way, result)
    rows, names = rows[kept], [names[i] for i in kept]
    stored = from_shapely(saved)
    if way.target is not None:
        stored = reproject(stored, way.source, way.target, way.tolerance)
    # What is valid in one CRS and touches itself in the other.
    again = np.flatnonzero(~shapely.is_valid(stored.to_shapely()))
    if len(again):
        mended, kept = _apply(stored.take(again).to_shapely(), [names[i] for i in again], way, result)
        lost = np.setdiff1d(again, again[kept])
        stored = stored.with_rows(again[kept], from_shapely(mended))
        left = np.setdiff1d(np.arange(len(rows)), lost)
        stored, rows = stored.take(left), rows[left]
    return stored, rows


def _apply(
    shapes: NDArray[np.object_], names: Sequence[str], way: Way, result: Settled
) -> tuple[NDArray[np.object_], NDArray[np.int64]]:
    if len(shapes) == 0:
        return shapes, np.empty(0, dtype=np.int64)
    try:
        checked = apply_policy(shapes, way.policy, names, max_vertices=way.max_vertices)
    except InvalidGeometry as error:
        result.refusals.invalid.extend(error.problems)
        none: NDArray[np.object_] = np.empty(0, dtype=object)
        return none, np.empty(0, dtype=np.int64)
    result.repaired += checked.repaired
    result.area_change += checked.area_change
    result.notes += checked.problems
    for problem in checked.problems:
        if problem.message.startswith("skipped: "):
            result.reasons[problem.message.removeprefix("skipped: ").partition(" at (")[0]] += 1
    return checked.geometries, checked.kept


def check_kinds(project: Project, settled: Settled, names: Sequence[str], features: Features) -> None:
    """Refuse shapes of a kind that their class does not take; `names` (m,) are the classes of the settled shapes."""
    allowed = {c.name: c.geometries for c in project.classes}
    if all(len(kinds) == 3 for kinds in allowed.values()):
        return
    kinds = _KINDS[settled.shapes.kinds]
    for index, (name, kind) in enumerate(zip(names, kinds.tolist(), strict=True)):
        if name in allowed and kind not in allowed[name]:
            number = features.numbers[int(settled.rows[index])]
            message = f"class {name!r} takes {' or '.join(allowed[name])}, got a {kind}"
            settled.refusals.kinds.extend([Problem(f"feature {number}", message)])


def count_outside(shapes: Ragged, bounds: NDArray[np.float64], ground: BaseGeometry) -> int:
    """How many shapes touch no part of the ground, in the same CRS; boxes tell for most."""
    low, high = bounds[:, :2].min(axis=0), bounds[:, 2:].max(axis=0)
    if shapely.contains(ground, shapely.box(*low, *high)):
        return 0
    boxes: NDArray[np.object_] = np.asarray(shapely.box(*bounds.T), dtype=object)
    doubtful = np.flatnonzero(~shapely.contains(ground, boxes))
    far = ~shapely.intersects(ground, boxes[doubtful])
    near = doubtful[~far]
    return int(far.sum()) + int((~shapely.intersects(ground, shapes.take(near).to_shapely())).sum())
