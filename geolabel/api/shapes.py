"""The geometry of a request's body -> a shape in the storage CRS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from geolabel.errors import InvalidCRS, InvalidGeometry, Problem
from geolabel.geo import crs as crs_
from geolabel.geo.geometry import pointer_near, read_geojson
from geolabel.geo.places import ground_of, outside_area_of_use, refuse_misplaced
from geolabel.geo.policy import apply_policy, find_invalid, invalid_place, repair
from geolabel.geo.tolerance import tolerance_of
from geolabel.geo.vertices import bring_in, one, restore_untouched

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shapely.geometry.base import BaseGeometry

    from geolabel.api.negotiate import EdgeCRS
    from geolabel.geo.policy import InvalidPolicy
    from geolabel.model import Scene

_POINTER = "/geometry"


def read_shape(
    value: Any,
    current: BaseGeometry | None,
    *,
    edge: EdgeCRS,
    storage: str,
    scenes: Sequence[Scene],
    policy: InvalidPolicy,
    max_vertices: int,
) -> tuple[BaseGeometry, list[str]]:
    """Read the member `geometry`.

    Args:
        value: the decoded member.
        current: the stored shape that it replaces; its untouched vertices keep their doubles.
        edge: CRS of the request.
        storage: CRS of the project.
        scenes: of the project.
        policy: what becomes of a shape that cannot be kept.
        max_vertices: a shape with more is refused.

    Returns:
        The shape in `storage`, and sentences about what is odd about it.

    Raises:
        InvalidGeometry: it is no shape, lies nowhere, or the policy does not let it in; the problem points at the place.
        InvalidCRS: the storage CRS cannot hold it.
    """
    incoming = edge.turn(read_geojson(value, _POINTER, max_vertices=max_vertices, collections=policy == "repair"))
    refuse_misplaced(incoming, edge.crs, ground_of(scenes, storage))
    if incoming.geom_type == "GeometryCollection":  # its parts become one shape before anything else
        incoming = _of_one_kind(incoming)
    tolerance = tolerance_of(scenes)
    closest = tolerance.round_trip(edge.crs, storage)
    try:
        if current is None:
            bend = tolerance.bend(storage)
            stored = bring_in(incoming, edge.crs, storage, tolerance=bend, round_trip=closest)
        else:
            bend = tolerance.bend(edge.crs)
            stored = restore_untouched(incoming, current, edge.crs, storage, tolerance=bend, round_trip=closest)
        crs_.refuse_nowhere(one(stored), storage)
    except InvalidCRS as error:
        raise InvalidCRS(str(error), [Problem(_POINTER, str(error))]) from error
    reasons = find_invalid(one(stored))
    notes = (
        [f"It lies outside the area of use of {crs_.label(storage)}."] if outside_area_of_use(stored, storage) else []
    )
    if not reasons:
        return stored, notes
    if policy == "reject":
        raise _refused(stored, incoming, edge, storage)
    checked = apply_policy(one(stored), policy, [_POINTER])
    # Where it is wrong, in the CRS that the client speaks.
    seen = find_invalid(one(incoming)).get(0, reasons[0])
    messages = [problem.message.replace(reasons[0], seen) for problem in checked.problems]
    if len(checked.geometries) == 0:
        raise InvalidGeometry(f"The shape cannot be kept: {messages[0]}.", [Problem(_POINTER, messages[0])])
    return checked.geometries[0], [*(f"{message[:1].upper()}{message[1:]}." for message in messages), *notes]


def _of_one_kind(collection: BaseGeometry) -> BaseGeometry:
    joined = repair(collection)
    if joined is None:
        message = "the parts of a GeometryCollection that is to become a label are of one kind; these are not, or there are none"
        raise InvalidGeometry(f"The shape cannot be kept: {message}.", [Problem(f"{_POINTER}/type", message)])
    return joined


def _refused(stored: BaseGeometry, incoming: BaseGeometry, edge: EdgeCRS, storage: str) -> InvalidGeometry:
    """The refusal of an invalid shape; it says where in the CRS that the client speaks, and at which of its vertices."""
    place = invalid_place(incoming)
    shape = incoming if place is not None or not incoming.is_valid else stored
    if place is None and (there := invalid_place(stored)) is not None:
        x, y = crs_.transform_coordinates(np.array([there]), storage, edge.crs)[0]
        place = (float(x), float(y))
    reason = find_invalid(one(shape))[0]
    pointer = _POINTER if place is None else f"{_POINTER}{pointer_near(incoming, *place)}"
    return InvalidGeometry(f"The shape was refused: {reason}. Move the vertex there.", [Problem(pointer, reason)])
