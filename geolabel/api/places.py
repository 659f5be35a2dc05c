"""Is this label where the project's imagery is? Swapped coordinates are told apart from labels that lie far away."""

from __future__ import annotations

from typing import TYPE_CHECKING

from geolabel.errors import InvalidCRS, InvalidGeometry, Problem
from geolabel.geo import crs as crs_
from geolabel.model import CRS84

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shapely.geometry.base import BaseGeometry

    from geolabel.model import Bounds, Scene

_POINTER = "/geometry/coordinates"


def check_place(geometry: BaseGeometry, crs: str, scenes: Sequence[Scene]) -> None:
    """Refuse coordinates that can be no place, or that are one only when x and y are exchanged.

    A label outside every scene is accepted: imagery may come later.

    Args:
        geometry: (x, y) in `crs`.
        crs: its CRS.
        scenes: of the project.

    Raises:
        InvalidGeometry: a latitude beyond 90 degrees, a longitude beyond 360, or coordinates that are swapped.
    """
    west, south, east, north = given = geometry.bounds
    if crs_.is_geographic(crs) and (south < -90 or north > 90 or west < -360 or east > 360):
        message = (
            f"expected longitudes (x) from -180 to 180 and latitudes (y) from -90 to 90, got x from {west:g} to {east:g} "
            f"and y from {south:g} to {north:g}"
        )
        hint = "; x and y look swapped" if abs(west) <= 90 and abs(east) <= 90 else ""
        raise InvalidGeometry(f"The label is nowhere on Earth: {message}{hint}.", [Problem(_POINTER, message + hint)])
    footprints = [scene.bounds for scene in scenes if scene.bounds is not None]
    if not footprints or _meets_any(given, crs, footprints):
        return
    if _meets_any((south, west, north, east), crs, footprints):
        message = (
            f"x and y look swapped: ({west:g}, {south:g}) lies outside every scene of the project, "
            f"and ({south:g}, {west:g}) lies inside one"
        )
        raise InvalidGeometry(
            f"The label was not saved: {message}. Send x (easting, longitude) first, or name the CRS whose axis order "
            "you use in Content-Crs.",
            [Problem(_POINTER, message)],
        )


def _meets_any(box: Bounds, crs: str, footprints: Sequence[Bounds]) -> bool:
    try:
        degrees = crs_.bounds_to(box, crs, CRS84)
    except InvalidCRS:
        return False
    return any(meets(degrees, footprint) for footprint in footprints)


def meets(one: Bounds, other: Bounds) -> bool:
    """Whether two CRS84 boxes touch; west > east crosses the antimeridian."""
    if one[1] > other[3] or one[3] < other[1]:
        return False
    return any(a[0] <= b[1] and a[1] >= b[0] for a in _spans(one) for b in _spans(other))


def _spans(box: Bounds) -> list[tuple[float, float]]:
    west, _, east, _ = box
    if west > east:
        return [(west, 180.0), (-180.0, east)]
    # Longitudes beyond 180 name the same meridians once more.
    return [(west + turn, east + turn) for turn in (-360.0, 0.0, 360.0)]
