"""What becomes of a shape that cannot be kept as it is: one rule for every way in.

A project says `reject`, `repair` or `skip`. Nothing that is not finite ever reaches GEOS, which can crash on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import shapely
from shapely.geometry import MultiLineString, MultiPoint, MultiPolygon

from geolabel.errors import InvalidGeometry, Problem
from geolabel.geo.geometry import DIMENSION, KINDS, kind_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from shapely.geometry.base import BaseGeometry

    from geolabel.classes import GeometryKind

InvalidPolicy = Literal["reject", "repair", "skip"]

_COLLECTION = 7
_EMPTY = "it is empty"
_UNBOUNDED = "it has a coordinate that is not finite"
_MIXED = "it is a GeometryCollection, which has no one kind"
_JOINED: dict[GeometryKind, Callable[[Any], BaseGeometry]] = {
    "point": MultiPoint,
    "line": MultiLineString,
    "polygon": MultiPolygon,
}
_REASONS = {
    "Self-intersection": "its outline crosses itself",
    "Ring Self-intersection": "its outline touches or crosses itself",
    "Hole lies outside shell": "a hole lies outside it",
    "Holes are nested": "a hole lies inside a hole",
    "Nested shells": "one part lies inside another",
    "Interior is disconnected": "a hole cuts it in two",
    "Too few points in geometry component": "it has too few different points",
    "Duplicate Rings": "a ring appears twice",
}


def find_invalid(geometries: NDArray[np.object_], *, max_vertices: int | None = None) -> dict[int, str]:
    """What is wrong with which shape.

    Args:
        geometries: (n,) shapely objects or None, of any kind.
        max_vertices: a shape with more is refused.

    Returns:
        Index -> a phrase with the place, in the CRS of the shapes; in order of index.
    """
    reasons: dict[int, str] = {}
    missing = shapely.is_missing(geometries) | shapely.is_empty(geometries)
    for index in np.flatnonzero(missing):
        reasons[int(index)] = _EMPTY
    rest = np.flatnonzero(~missing)
    unbounded = _not_finite(geometries[rest])
    for index in rest[unbounded]:
        reasons[int(index)] = _UNBOUNDED
    rest = rest[~unbounded]
    if max_vertices is not None:
        counts = shapely.get_num_coordinates(geometries[rest])
        for index, count in zip(rest[counts > max_vertices], counts[counts > max_vertices], strict=True):
            reasons[int(index)] = f"it has {count} vertices, and a label holds at most {max_vertices}"
        rest = rest[counts <= max_vertices]
    for index in rest[~shapely.is_valid(geometries[rest])]:
        reasons[int(index)] = _reason(shapely.is_valid_reason(geometries[index]))
    for index in rest[shapely.get_type_id(geometries[rest]) == _COLLECTION]:
        reasons[int(index)] = _MIXED
    return dict(sorted(reasons.items()))


def _not_finite(geometries: NDArray[np.object_]) -> NDArray[np.bool_]:
    """Which of the shapes have a coordinate (x, y, or z where there is one) that is not finite, (n,)."""
    bad = np.zeros(len(geometries), dtype=bool)
    xy, owner = shapely.get_coordinates(geometries, return_index=True)
    bad[owner[~np.isfinite(xy).all(axis=1)]] = True
    solid = np.flatnonzero(shapely.has_z(geometries))
    xyz, owner = shapely.get_coordinates(geometries[solid], include_z=True, return_index=True)
    bad[solid[owner[~np.isfinite(xyz).all(axis=1)]]] = True
    return bad


def invalid_place(geometry: BaseGeometry) -> tuple[float, float] | None:
    """Where an invalid shape is wrong, (x, y); None for a valid one, or when GEOS names no place."""
    return _place(shapely.is_valid_reason(geometry))


def _place(text: str) -> tuple[float, float] | None:
    numbers = text.partition("[")[2].rstrip("]").split()
    return (float(numbers[0]), float(numbers[1])) if len(numbers) >= 2 else None


def _reason(text: str) -> str:
    """GEOS says `Self-intersection[3.5 4]`; people read 'its outline crosses itself at (3.5, 4)'."""
    name, _, rest = text.partition("[")
    numbers = rest.rstrip("]").split()
    where = f" at ({', '.join(numbers[:2])})" if numbers else ""
    return _REASONS.get(name.strip(), name.strip().lower()) + where


def repair(geometry: BaseGeometry) -> BaseGeometry | None:
    """Make a shape valid (GEOS, structure method), keeping its kind.

    Args:
        geometry: finite. A GeometryCollection whose parts are of one kind becomes the Multi of that kind.

    Returns:
        A valid Point, LineString, Polygon or Multi; None when nothing of the kind is left, or when there is no one kind.
    """
    joined = _as_one_kind(geometry)
    if joined is None:
        return None
    kind = kind_of(joined)
    fixed = shapely.make_valid(joined, method="structure", keep_collapsed=False)
    parts = [
        part
        for part in shapely.get_parts(shapely.get_parts(fixed))
        if shapely.get_dimensions(part) == DIMENSION[kind] and not part.is_empty
    ]
    if not parts:
        return None
    one: BaseGeometry = parts[0]
    return one if len(parts) == 1 else _JOINED[kind](parts)


def _as_one_kind(geometry: BaseGeometry) -> BaseGeometry | None:
    """The shape itself; of a GeometryCollection the Multi that its parts make when they are of one kind."""
    if geometry.geom_type in KINDS:
        return geometry
    parts = [geometry]
    while any(part.geom_type not in KINDS or part.geom_type.startswith("Multi") for part in parts):
        parts = [inner for part in parts for inner in (getattr(part, "geoms", None) or [part])]
        if not parts or any(part.is_empty for part in parts):
            return None
    kinds = {kind_of(part) for part in parts}
    return _JOINED[kinds.pop()](parts) if len(kinds) == 1 else None


def drop_m(geometries: NDArray[np.object_]) -> tuple[NDArray[np.object_], int]:
    """The shapes without measures (M), which no label has; and how many had some. Z is kept."""
    measured = np.flatnonzero(shapely.has_m(geometries))
    if len(measured) == 0:
        return geometries, 0
    result = np.array(geometries, dtype=object)
    for index in measured:
        flat = shapely.force_2d(result[index])
        if shapely.has_z(result[index]):
            xyz = shapely.get_coordinates(result[index], include_z=True)
            flat = shapely.set_coordinates(shapely.force_3d(flat), xyz)
        result[index] = flat
    return result, len(measured)


@dataclass(frozen=True, slots=True)
class Checked:
    """Shapes after a policy.

    Attributes:
        geometries: (m,) valid shapes.
        kept: (m,) which of the given ones they are.
        repaired: how many were changed to become valid.
        area_change: sum over the repaired of |area after - area before|, in square units of their CRS.
        problems: one entry per shape that was repaired or skipped, saying which.
    """

    geometries: NDArray[np.object_]
    kept: NDArray[np.int64]
    repaired: int
    area_change: float
    problems: tuple[Problem, ...]


def apply_policy(
    geometries: NDArray[np.object_],
    policy: InvalidPolicy,
    names: Sequence[str] | Callable[[int], str],
    *,
    max_vertices: int | None = None,
) -> Checked:
    """Reject, repair or skip invalid shapes.

    Args:
        geometries: (n,) shapely objects; missing ones count as invalid.
        policy: what to do with an invalid one.
        names: how to point at shape i (`feature 12`, `/features/12/geometry`).
        max_vertices: a shape with more counts as invalid and is never repaired.

    Raises:
        InvalidGeometry: the policy is `reject` and a shape is invalid; the problems list all of them.
    """
    name = names if callable(names) else names.__getitem__
    reasons = find_invalid(geometries, max_vertices=max_vertices)
    if reasons and policy == "reject":
        problems = [Problem(name(i), reason) for i, reason in reasons.items()]
        first = problems[0]
        more = f" and {len(problems) - 1} more" if len(problems) > 1 else ""
        of, cure = f" of {first.pointer}", "Mend it, or import with on-invalid repair or skip."
        if first.pointer.startswith("/"):  # one shape that somebody just drew
            of, cure = "", "Move the vertex there."
        raise InvalidGeometry(f"The shape{of} was refused: {first.message}{more}. {cure}", problems)
    result = np.array(geometries, dtype=object)
    kept = np.ones(len(result), dtype=bool)
    notes: list[Problem] = []
    repaired, area_change = 0, 0.0
    for index, reason in reasons.items():
        fixed = None
        mendable = reason not in {_EMPTY, _UNBOUNDED} and " vertices, and " not in reason
        if policy == "repair" and mendable:
            fixed = repair(result[index])
        if fixed is None:
            kept[index] = False
            notes.append(Problem(name(index), f"skipped: {reason}"))
            continue
        before, after = result[index].area, fixed.area
        area_change += abs(after - before)
        repaired += 1
        # Where an outline crosses itself, what lies on one side of it counts against the other: a share of little says nothing.
        share = f"{after / before - 1:+.2%}" if before > 0.1 * after else f"to {after:.6g}"
        notes.append(Problem(name(index), f"repaired: {reason}; its area changed {share}"))
        result[index] = fixed
    return Checked(result[kept], np.flatnonzero(kept), repaired, area_change, tuple(notes))
