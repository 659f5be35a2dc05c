"""How exact a project's labels are kept: one rule for every way in and out, in pixels of its finest scene."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from geolabel.geo import crs as crs_
from geolabel.geo.pixels import DENSIFY_PX

if TYPE_CHECKING:
    from collections.abc import Iterable

    from geolabel.model import Scene

ROUND_TRIP_PX = 1e-3
"""A coordinate that does not come back within this many pixels has no place in the other CRS."""

_ROUND_TRIP_M = 3e-3  # PROJ itself inverts some projections to no better than two millimetres at their edge
_SHIFT_M = (
    2e-2  # between datums it drops the height that a shift gives, and comes back up to a centimetre beside the place
)
_NO_SCENE_M = 0.1  # as fine as aerial imagery usually is: labels may come before their scenes


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far things may be off.

    Attributes:
        pixel: ground size of the finest scene's pixel in metres.
    """

    pixel: float = _NO_SCENE_M

    def bend(self, crs: str) -> float:
        """How far an edge may bend on its way into `crs` before it gets vertices, in units of `crs`."""
        return DENSIFY_PX * self.pixel / crs_.unit_metres(crs)

    def round_trip(self, source: str, crs: str) -> float:
        """How near a coordinate brought from `source` into `crs` must come back to where it was, in units of `crs`."""
        least = _ROUND_TRIP_M if crs_.same_datum(source, crs) else _SHIFT_M
        return max(ROUND_TRIP_PX * self.pixel, least) / crs_.unit_metres(crs)


def tolerance_of(scenes: Iterable[Scene]) -> Tolerance:
    """The tolerance of a project with these scenes; that of a 10 cm pixel while there are none."""
    return Tolerance(min((scene.resolution for scene in scenes if scene.resolution), default=_NO_SCENE_M))
