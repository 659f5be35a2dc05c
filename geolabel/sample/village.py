"""The village of the demo place, its farms and its barns."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import shapely
from shapely import LineString

from geolabel.sample import shapes
from geolabel.sample.place import Roof
from geolabel.sample.surfaces import ROOFS, SHEET_ROOFS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shapely.geometry.base import BaseGeometry

    from geolabel.sample.place import Draft
    from geolabel.sample.surfaces import Color

_REACH = 300.0
"""How far from the crossing a street is lined with houses, in metres."""
_FARMS = (((248.0, 1010.0), 1.45), ((1505.0, 905.0), 0.22))
"""Centre and direction of the farms outside the village."""
_BARNS = (
    ((1196.0, 905.0), 1.87, 46.0, 19.0),
    ((1232.0, 889.0), 1.87, 46.0, 19.0),
    ((1560.0, 917.0), 0.22, 58.0, 21.0),
)
"""Centre, direction, length and width of the barns with flat roofs."""


def settle(
    draft: Draft, crossing: shapes.Point, streets: Sequence[LineString], roads: BaseGeometry, water: BaseGeometry
) -> BaseGeometry:
    """Build the village around the crossing, and the farms outside it.

    Returns:
        The ground that is settled, where no field can be.
    """
    near = shapely.Point(crossing).buffer(_REACH)
    built_up = [part for street in streets for part in shapes.lines(street.intersection(near))]
    around = shapely.union_all(built_up).buffer(56).buffer(-20).buffer(20).difference(water.buffer(22))
    village = max(shapes.polygons(around), key=lambda part: part.area)
    for quarter in shapes.polygons(village.difference(roads)):
        for plot in shapes.divide(quarter, (650, 1500), draft.rng)[0]:
            surface = str(draft.rng.choice(["lawn", "orchard", "beds"], p=[0.62, 0.26, 0.12]))
            draft.ground(surface, plot.buffer(-0.4), shapes.long_axis(plot)[0])
    sites: list[BaseGeometry] = [shapes.rectangle(centre, 84, 70, angle) for centre, angle in _FARMS]
    sites += [shapes.rectangle(centre, length + 12, width + 12, angle) for centre, angle, length, width in _BARNS]
    drives = [shapely.shortest_line(site, roads).buffer(2.2) for site in sites]
    paved = shapely.union_all([*sites, *drives]).difference(roads)
    draft.ground("yard", paved)
    builder = _Builder(draft, village, shapely.union_all([roads, *drives]))
    for centre, angle in (((1012.0, 943.0), 0.35), *_FARMS):
        builder.farmstead(centre, angle)
    for centre, angle, length, width in _BARNS:
        builder.build([Roof(centre, length, width, angle, 5.5, 0.13, builder.pick(SHEET_ROOFS))])
    builder.church((1122, 1046), 0.12)
    for street in built_up:
        builder.line(street)
    return village.union(paved.buffer(3, join_style="mitre"))


class _Builder:
    """Puts up buildings where there is room."""

    def __init__(self, draft: Draft, village: BaseGeometry, kept_free: BaseGeometry) -> None:
        self.draft, self.rng = draft, draft.rng
        self.village = village.buffer(-4)
        self.kept_free = kept_free
        self.buildings: list[BaseGeometry] = []

    def pick(self, colors: Sequence[Color]) -> Color:
        """Any one of some colours."""
        return colors[int(self.rng.integers(len(colors)))]

    def build(self, roofs: list[Roof], *, yard: float = 0.0) -> bool:
        """Put up one building, unless something is in the way; says whether it stands."""
        footprint = shapely.union_all([roof.footprint for roof in roofs])
        crowded = any(footprint.distance(other) < 3.5 for other in self.buildings)
        if crowded or footprint.distance(self.kept_free) < 2.2:
            return False
        if yard:
            self.draft.ground("yard", footprint.buffer(yard, join_style="mitre"))
        self.draft.label("building", "building", footprint)
        self.draft.place.roofs += roofs
        self.buildings.append(footprint)
        return True

    def farmstead(self, centre: shapes.Point, angle: float) -> None:
        """Four wings around a courtyard."""
        across = angle + math.pi / 2
        wings = [
            Roof(shapes.beside(centre, angle, 0, -15), 40, 9, angle, 4.5, 0.8, ROOFS[0]),
            Roof(shapes.beside(centre, angle, 0, 15), 40, 9, angle, 4.5, 0.8, ROOFS[2]),
            Roof(shapes.beside(centre, angle, -15, 0), 31, 9, across, 4.5, 0.8, ROOFS[1]),
            Roof(shapes.beside(centre, angle, 15, 0), 31, 9, across, 4.5, 0.8, ROOFS[0]),
        ]
        self.build(wings, yard=7)

    def church(self, centre: shapes.Point, angle: float) -> None:
        """Nave, choir and a tower."""
        choir, tower = shapes.beside(centre, angle, 13, 0), shapes.beside(centre, angle, -14, 0)
        parts = [
            Roof(centre, 23, 11, angle, 8, 1.1, ROOFS[1]),
            Roof(choir, 9, 7.5, angle, 7, 1.0, ROOFS[1]),
            Roof(tower, 6.5, 6.5, angle, 22, 0.9, SHEET_ROOFS[2]),
        ]
        self.build(parts, yard=5)

    def line(self, street: LineString) -> None:
        """Houses on both sides of a street."""
        for door, angle in shapes.along(street, 23, self.rng, start=16):
            for side in (-1, 1):
                self._house(door, angle, side)

    def _house(self, door: shapes.Point, angle: float, side: int) -> None:
        """A house with its drive; often a wing, often a shed behind it."""
        rng, color = self.rng, self.pick(ROOFS)
        length, width, eaves = rng.uniform(11.5, 17), rng.uniform(8.5, 10.5), rng.uniform(3.4, 6)
        turned = rng.uniform() < 0.35
        back = side * (4 + rng.uniform(4, 9) + (length if turned else width) / 2)
        centre = shapes.beside(door, angle, 0, back)
        skew = angle + rng.normal(0, 0.05)
        ridge = skew + (math.pi / 2 if turned else 0)
        house = Roof(centre, length, width, ridge, eaves, rng.uniform(0.7, 0.95), color)
        roofs = [house]
        if rng.uniform() < 0.3:
            corner = shapes.beside(centre, angle, length / 2 - 3.5, side * (width / 2 + 1.5))
            roofs.append(Roof(corner, 10, 6.5, skew + math.pi / 2, eaves - 0.6, 0.7, color))
        inside = all(self.village.contains(roof.footprint) for roof in roofs)
        if not inside or rng.uniform() < 0.08 or not self.build(roofs):
            return
        drive = LineString([door, centre]).buffer(1.6, cap_style="flat")
        self.draft.ground("yard", drive.union(house.footprint.buffer(1.4)))
        if rng.uniform() < 0.65:
            garden = shapes.beside(centre, angle, rng.uniform(-7, 7), side * rng.uniform(15, 22))
            size = rng.uniform(6, 13), rng.uniform(4.5, 7)
            shed = Roof(garden, *size, skew, 2.8, 0.5, self.pick(ROOFS + SHEET_ROOFS))
            if self.village.contains(shed.footprint):
                self.build([shed])
