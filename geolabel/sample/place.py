"""The demo place: two kilometres of farmland with a village, a river, two lakes and woods, as polygons.

Everything is laid out in metres from the south-west corner (x east, y north) and moved to its CRS at the end.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import shapely
from shapely import LineString, MultiLineString, Polygon
from shapely.affinity import translate
from shapely.geometry.base import BaseGeometry
from shapely.ops import substring

from geolabel.sample import shapes
from geolabel.sample.surfaces import CROPS, ROOFS, SHEET_ROOFS, Color

CRS = "EPSG:32633"
SIDE = 2048.0
"""Width and height of the place, in metres."""
WEST, SOUTH = 482_000.0, 5_425_952.0
"""Its south-west corner, in metres of its CRS: southern Bohemia."""

_CROSSING = (1085.0, 1010.0)
_ROADS: tuple[tuple[str, float, tuple[shapes.Point, ...]], ...] = (
    ("asphalt", 7.0, ((-20, 1180), (250, 1140), (520, 1165), (760, 1100), (930, 1030), _CROSSING)),
    ("asphalt", 7.0, (_CROSSING, (1250, 985), (1420, 1010), (1640, 950), (1850, 960), (2068, 900))),
    ("asphalt", 6.0, (_CROSSING, (1110, 1130), (1210, 1280), (1290, 1500), (1260, 1760), (1330, 2068))),
    ("asphalt", 6.0, (_CROSSING, (1065, 880), (1130, 700), (1120, 450), (1060, 230), (1090, -20))),
    ("lane", 4.5, ((1262, 989), (1275, 1060), (1225, 1130), (1122, 1150))),
    ("lane", 4.5, ((962, 1024), (950, 930), (1005, 868), (1075, 852))),
    ("track", 3.4, ((330, 1150), (300, 1010), (380, 700), (350, 420), (395, -20))),
    ("track", 3.4, ((430, 1154), (440, 1300), (520, 1420), (545, 1600), (500, 1750), (560, 2068))),
    ("track", 3.4, ((1660, 952), (1705, 1150), (1610, 1320), (1480, 1480), (1283, 1540))),
    ("track", 3.4, ((1420, 1003), (1440, 800), (1390, 600), (1230, 470), (1122, 440))),
    ("track", 3.4, ((1850, 954), (1830, 760), (1915, 600), (1965, 300), (1980, -20))),
    ("track", 3.4, ((360, 660), (200, 610), (-20, 640))),
)
"""Surface, width in metres and course of each road; an earlier one runs through where two meet."""
_LAST_LANE = 6
_AVENUES = (1, 3)
"""Which roads are lined with trees."""
_IN_VILLAGE = 300.0
"""How far from the crossing a road is lined with houses, in metres."""


@dataclass(frozen=True, slots=True)
class Patch:
    """A piece of ground of one look.

    Attributes:
        geometry: polygon, in the place's CRS.
        surface: name of its surface.
        class_name: the class that it belongs to; None for ground of no class.
        angle: direction of its rows, in radians from east.
        tint: its own (brightness, warmth, growth), each about -1..1.
    """

    geometry: BaseGeometry
    surface: str
    class_name: str | None = None
    angle: float = 0.0
    tint: tuple[float, float, float] = (0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Roof:
    """One gable roof; a building has one or more.

    Attributes:
        centre: (x, y) in the place's CRS.
        length: along the ridge, in metres.
        width: across the ridge, in metres.
        angle: of the ridge, in radians from east.
        eaves: height of the eaves, in metres.
        pitch: rise per metre; 0 for a flat roof.
        color: of the roof.
    """

    centre: shapes.Point
    length: float
    width: float
    angle: float
    eaves: float
    pitch: float
    color: Color

    @property
    def footprint(self) -> Polygon:
        """The ground that it covers."""
        return shapes.rectangle(self.centre, self.length, self.width, self.angle)


@dataclass(slots=True)
class Place:
    """What is where.

    Attributes:
        ground: patches of no class, later over earlier.
        truth: patches with a class; the picture is drawn from them.
        marks: finer things on top (road lines, headlands, cars), each only on the class that it names.
        roofs: of the buildings.
        hedges: lines along which shrubs grow.
        avenues: lines along which trees stand.
    """

    ground: list[Patch] = field(default_factory=list)
    truth: list[Patch] = field(default_factory=list)
    marks: list[Patch] = field(default_factory=list)
    roofs: list[Roof] = field(default_factory=list)
    hedges: list[LineString] = field(default_factory=list)
    avenues: list[LineString] = field(default_factory=list)


@lru_cache(maxsize=2)
def lay_out(seed: int) -> Place:
    """The place that a seed gives. The caller must not change it."""
    return _Surveyor(np.random.default_rng([seed, 1])).survey()


class _Surveyor:
    """Lays the place out: water first, then roads, woods, the village, and fields on what is left."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.place = Place()
        self.scene = shapely.box(0, 0, SIDE, SIDE)
        self.lines = [shapes.curve(points) for _, _, points in _ROADS]
        self.roads: BaseGeometry = shapely.union_all(
            [shapes.band(line, _ROADS[i][1]) for i, line in enumerate(self.lines)]
        )
        self.buildings: list[BaseGeometry] = []

    def survey(self) -> Place:
        water = self._water()
        self._roads(water)
        woods = self._woods(water)
        settled = self._village(water)
        for k in _AVENUES:
            for side in (-1, 1):
                row = (
                    self.lines[k]
                    .offset_curve(side * (_ROADS[k][1] / 2 + 3.4))
                    .difference(settled.union(water.buffer(6)))
                )
                self.place.avenues += [part for part in shapely.get_parts(row) if part.length > 30]
        avenues = shapely.union_all([self.lines[k] for k in _AVENUES]).buffer(10)
        taken = shapely.union_all([water.buffer(9), self.roads.buffer(2.6), avenues, woods.buffer(3), settled])
        self._fields(self.scene.difference(taken), water)
        return self._at_home()

    def _tint(self) -> tuple[float, float, float]:
        one, two, three = np.clip(self.rng.normal(0, 0.6, 3), -1.2, 1.2)
        return float(one), float(two), float(three)

    def _add(self, class_name: str, surface: str, geometry: BaseGeometry, angle: float = 0.0) -> list[Patch]:
        """Add every sound part of a shape to the truth."""
        found = []
        for part in shapes.polygons(shapely.set_precision(geometry.intersection(self.scene), 0.01), least=12.0):
            found.append(Patch(part, surface, class_name, angle, self._tint()))
        self.place.truth += found
        return found

    def _water(self) -> BaseGeometry:
        rng = self.rng
        xy, bend = shapes.meander((820, 2110), math.radians(-97), wave=940, swing=1.2, waves=4.0, rng=rng)
        half = 13 + 2.5 * np.sin(np.arange(len(xy)) / 9.0 + rng.uniform(0, 6)) + rng.normal(0, 0.4, len(xy))
        river = shapes.ribbon(xy, half, -half)
        # Sand gathers on the inner side of a bend, where the water is slow.
        inner = np.clip((np.abs(bend) - 0.72) / 0.28, 0, 1) * 0.95
        left = shapes.ribbon(xy, half, half * (1 - inner * (bend > 0)) - 0.01)
        right = shapes.ribbon(xy, -half * (1 - inner * (bend < 0)) + 0.01, -half)
        bars = shapely.union_all([left, right]).buffer(-1.2).buffer(1.2, quad_segs=2)
        pond = shapes.blob((190, 880), (105, 70), rng, rough=0.10, jitter=0.8, step=10)
        islet = shapes.blob((205, 885), (26, 17), rng, rough=0.14, step=6)
        lake = shapes.blob((1610, 420), (230, 150), rng, rough=0.17, jitter=1.3, step=12)
        island = shapes.blob((1655, 430), (42, 28), rng, rough=0.16, step=8)
        water = shapely.union_all([river.difference(bars), pond.difference(islet), lake.difference(island)])
        water = water.simplify(0.25)
        shore = shapely.union_all([pond, lake])
        beaches = [
            shapes.blob((x, y), (60, 45), rng, rough=0.3)
            for x, y in ((1390, 330), (1700, 545), (1655, 405), (265, 830))
        ]
        reed = [
            shapes.blob((x, y), (95, 70), rng, rough=0.3)
            for x, y in ((1800, 330), (1480, 540), (105, 915), (1600, 290))
        ]
        self.place.ground += [
            Patch(water.buffer(9), "bank"),
            Patch(shore.buffer(6) & shapely.union_all(reed), "reed"),
            Patch(bars.buffer(0.8), "sand"),
            Patch(shore.buffer(3.5) & shapely.union_all(beaches), "sand"),
        ]
        self._add("water", "water", water)
        self._add("forest", "forest", island.buffer(-4).simplify(0.5))
        self._add("grassland", "meadow", islet.buffer(-2.5).simplify(0.5))
        return water

    def _roads(self, water: BaseGeometry) -> None:
        done: BaseGeometry = Polygon()
        for (surface, width, _), line in zip(_ROADS, self.lines, strict=True):
            area = shapes.band(line, width)
            self.place.ground.append(Patch(area.buffer(2.6), "verge", tint=self._tint()))
            self._add("road", surface, area.difference(done))
            done = done.union(area)
            mark = self.place.marks.append
            if surface == "asphalt":
                dashes = MultiLineString([substring(line, at, at + 4) for at in np.arange(0, line.length - 4, 12)])
                junctions = (
                    shapely.union_all([other.buffer(7) for other in self.lines if other is not line]) if done else done
                )
                mark(Patch(dashes.buffer(0.26, cap_style="flat").difference(junctions), "line", "road"))
                edges = area.buffer(-0.35).difference(area.buffer(-0.85)).difference(junctions)
                mark(Patch(edges, "edge", "road"))
                for crossed in shapely.get_parts(line.intersection(water.buffer(3))):
                    if crossed.length > 8:
                        mark(
                            Patch(
                                crossed.buffer(width / 2, cap_style="flat").difference(crossed.buffer(width / 2 - 0.9)),
                                "kerb",
                                "road",
                            )
                        )
                for (x, y), angle in shapes.along(line, 110, self.rng, start=40):
                    side = -1.6 if self.rng.uniform() < 0.5 else 1.6
                    at = (x - math.sin(angle) * side, y + math.cos(angle) * side)
                    paint = str(self.rng.choice(["white", "black", "red", "blue", "kerb"]))
                    mark(Patch(shapes.rectangle(at, 4.3, 1.8, angle), paint, "road"))
            if surface == "track":
                mark(Patch(line.buffer(0.5), "worn", "road"))

    def _woods(self, water: BaseGeometry) -> BaseGeometry:
        rng = self.rng
        big = shapes.blob((215, 1680), (330, 270), rng, rough=0.15, jitter=2.6).union(
            shapes.blob((330, 1890), (160, 210), rng, rough=0.15, jitter=2.6)
        )
        clearing = shapes.blob((205, 1640), (85, 55), rng, rough=0.16, jitter=1.5, step=12)
        east = shapes.blob((1830, 1500), (270, 290), rng, rough=0.17, jitter=2.6)
        gap = shapes.blob((1800, 1590), (55, 70), rng, rough=0.16, jitter=1.5, step=12)
        copses = [
            shapes.blob((130, 240), (135, 110), rng, rough=0.16, jitter=2.2),
            shapes.blob((1330, 190), (100, 75), rng, rough=0.16, jitter=2.2),
            shapes.blob((890, 560), (60, 85), rng, rough=0.16, jitter=2.0),
            shapes.blob((1500, 1850), (75, 60), rng, rough=0.16, jitter=2.0),
        ]
        woods = shapely.union_all([big.difference(clearing), east.difference(gap), *copses])
        woods = woods.difference(shapely.union_all([self.roads.buffer(3.2), water.buffer(8)]))
        woods = shapely.union_all(shapes.polygons(woods.buffer(-3).buffer(3, join_style="mitre"), least=800)).simplify(
            0.4
        )
        self._add("forest", "forest", woods)
        self._add("grassland", "pasture", clearing.buffer(-3).simplify(0.5))
        self._add("grassland", "meadow", gap.buffer(-3).simplify(0.5))
        return shapely.union_all([woods, clearing, gap])

    def _village(self, water: BaseGeometry) -> BaseGeometry:
        rng = self.rng
        near = shapely.Point(_CROSSING).buffer(_IN_VILLAGE)
        streets = [line.intersection(near) for line in self.lines[:_LAST_LANE]]
        around = shapely.union_all(streets).buffer(56).buffer(-20).buffer(20).difference(water.buffer(22))
        village = max(shapes.polygons(around), key=lambda part: part.area)
        yards = [
            shapes.rectangle(centre, 84, 70, angle) for centre, angle in (((248, 1010), 1.45), ((1505, 905), 0.22))
        ]
        for quarter in shapes.polygons(village.difference(self.roads)):
            for plot in shapes.divide(quarter, (650, 1500), rng)[0]:
                surface = str(rng.choice(["lawn", "orchard", "beds"], p=[0.62, 0.26, 0.12]))
                self.place.ground.append(
                    Patch(plot.buffer(-0.4), surface, None, shapes.long_axis(plot)[0], self._tint())
                )
        self.village = village
        self._farmstead((1012, 943), 0.35)
        for yard, (centre, angle) in zip(yards, (((248, 1010), 1.45), ((1505, 905), 0.22)), strict=True):
            self.place.ground.append(Patch(yard.difference(self.roads), "yard", tint=self._tint()))
            self._farmstead(centre, angle)
        self._church((1122, 1046), 0.12)
        for line in streets:
            for half in shapely.get_parts(line):
                self._houses(half)
        for (x, y), angle in (((1196, 905), 0.30), ((1232, 889), 0.30)):
            self._build(
                [Roof((x, y), 46, 19, angle + math.pi / 2, 5.5, 0.12, SHEET_ROOFS[int(rng.integers(3))])], yard=6
            )
        self._build([Roof((1560, 917), 58, 21, 0.22, 6, 0.14, SHEET_ROOFS[0])], yard=5)
        sites = [
            *yards,
            *[
                building.buffer(6, join_style="mitre")
                for building in self.buildings
                if not building.intersects(village)
            ],
        ]
        drives = [shapely.shortest_line(site, self.roads).buffer(2.2) for site in sites]
        self.place.ground.append(Patch(shapely.union_all(drives), "yard"))
        return shapely.union_all([village, *[site.buffer(3, join_style="mitre") for site in (*sites, *drives)]])

    def _build(self, roofs: list[Roof], *, yard: float = 0.0, apart: float = 3.5) -> bool:
        """Put up a building, unless something is in the way."""
        footprint = shapely.union_all([roof.footprint for roof in roofs])
        if any(footprint.distance(other) < apart for other in self.buildings) or footprint.distance(self.roads) < 2.2:
            return False
        if yard:
            self.place.ground.append(Patch(footprint.buffer(yard, join_style="mitre"), "yard", tint=self._tint()))
        self._add("building", "building", footprint)
        self.buildings.append(footprint)
        self.place.roofs += roofs
        return True

    def _houses(self, street: LineString) -> None:
        rng = self.rng
        for (x, y), angle in shapes.along(street, 23, rng, start=16):
            for side in (-1, 1):
                color = ROOFS[int(rng.integers(len(ROOFS)))]
                length, width = rng.uniform(11.5, 17), rng.uniform(8.5, 10.5)
                turned = rng.uniform() < 0.35
                out = side * (4 + rng.uniform(4, 9) + (length if turned else width) / 2)
                skew = angle + rng.normal(0, 0.05)
                across = np.array([-math.sin(angle), math.cos(angle)])
                at = np.array([x, y]) + across * out
                ridge = skew + (math.pi / 2 if turned else 0)
                eaves = rng.uniform(3.4, 6)
                roofs = [Roof((float(at[0]), float(at[1])), length, width, ridge, eaves, rng.uniform(0.7, 0.95), color)]
                if rng.uniform() < 0.3:
                    wing = (
                        at
                        + across * side * (width / 2 + 1.5)
                        + np.array([math.cos(angle), math.sin(angle)]) * (length / 2 - 3.5)
                    )
                    roofs.append(
                        Roof((float(wing[0]), float(wing[1])), 10, 6.5, skew + math.pi / 2, eaves - 0.6, 0.7, color)
                    )
                inside = self.village.buffer(-4).contains(shapely.union_all([roof.footprint for roof in roofs]))
                if not inside or rng.uniform() < 0.08 or not self._build(roofs):
                    continue
                drive = LineString([(x, y), at]).buffer(1.6, cap_style="flat")
                self.place.ground.append(Patch(drive.union(roofs[0].footprint.buffer(1.4)), "yard", tint=self._tint()))
                if rng.uniform() < 0.65:
                    shed = (
                        at
                        + across * side * rng.uniform(15, 22)
                        + np.array([math.cos(angle), math.sin(angle)]) * rng.uniform(-7, 7)
                    )
                    color = (ROOFS + SHEET_ROOFS)[int(rng.integers(len(ROOFS + SHEET_ROOFS)))]
                    barn = Roof(
                        (float(shed[0]), float(shed[1])), rng.uniform(6, 13), rng.uniform(4.5, 7), skew, 2.8, 0.5, color
                    )
                    if self.village.contains(barn.footprint):
                        self._build([barn])

    def _farmstead(self, centre: shapes.Point, angle: float) -> None:
        """Four wings around a courtyard."""
        east, north = np.array([math.cos(angle), math.sin(angle)]), np.array([-math.sin(angle), math.cos(angle)])
        wings = []
        for k, (side, length) in enumerate(((-15.0, 40.0), (15.0, 40.0), (-15.0, 31.0), (15.0, 31.0))):
            at = np.asarray(centre) + (north if k < 2 else east) * side
            turn = angle if k < 2 else angle + math.pi / 2
            wings.append(Roof((float(at[0]), float(at[1])), length, 9.0, turn, 4.5, 0.8, ROOFS[(0, 2, 1, 0)[k]]))
        self._build(wings, yard=7)

    def _church(self, centre: shapes.Point, angle: float) -> None:
        east = np.array([math.cos(angle), math.sin(angle)])
        tower, choir = np.asarray(centre) - east * 14, np.asarray(centre) + east * 13
        self._build(
            [
                Roof(centre, 23, 11, angle, 8, 1.1, ROOFS[1]),
                Roof((float(choir[0]), float(choir[1])), 9, 7.5, angle, 7, 1.0, ROOFS[1]),
                Roof((float(tower[0]), float(tower[1])), 6.5, 6.5, angle, 22, 0.9, SHEET_ROOFS[2]),
            ],
            yard=5,
        )

    def _fields(self, land: BaseGeometry, water: BaseGeometry) -> None:
        rng = self.rng
        crops, shares = list(CROPS), list(CROPS.values())
        for block in shapes.polygons(land.buffer(-4).buffer(4, join_style="mitre"), least=3000):
            parcels, cuts = shapes.divide(block.simplify(0.6), (14_000, 62_000), rng)
            hedged = [cut for cut in cuts if cut.length > 90 and rng.uniform() < 0.22]
            self.place.hedges += hedged
            margin = shapely.union_all([hedge.buffer(4.2, cap_style="flat") for hedge in hedged])
            for parcel in parcels:
                # A plough cannot turn in a sharp corner: open the shape and keep clear of the edge.
                field_shape = parcel.difference(margin).buffer(-7).buffer(6.3, join_style="mitre", mitre_limit=2.5)
                for shape in shapes.polygons(field_shape.simplify(0.6), least=1500):
                    angle, length, width = shapes.long_axis(shape)
                    wet = shape.distance(water) < 14 and rng.uniform() < 0.7
                    odd = width < 38 or shape.area < 4500 or length * width > 2.1 * shape.area
                    if wet or odd or rng.uniform() < 0.12:
                        self._add("grassland", str(rng.choice(["meadow", "mown", "pasture"])), shape, angle)
                        continue
                    for whole in self._add("cropland", str(rng.choice(crops, p=shares)), shape, angle + math.pi / 2):
                        # Machines turn on the headlands at both ends, and rows there run across.
                        east, north = np.array([math.cos(angle), math.sin(angle)]) * rng.uniform(9, 16)
                        inner = (
                            whole.geometry
                            & translate(whole.geometry, east, north)
                            & translate(whole.geometry, -east, -north)
                        )
                        self.place.marks.append(
                            Patch(inner, whole.surface, "cropland", angle + rng.normal(0, 0.02), whole.tint)
                        )

    def _at_home(self) -> Place:
        """Everything moved from local metres to the place's CRS."""

        def move(geometry: BaseGeometry) -> BaseGeometry:
            return translate(geometry, WEST, SOUTH)

        def settle(patch: Patch) -> Patch:
            # Centimetres, as people would keep them, and still valid after rounding.
            shape = shapely.set_precision(move(patch.geometry), 0.01)
            return Patch(shape, patch.surface, patch.class_name, patch.angle, patch.tint)

        place = self.place
        return Place(
            [settle(patch) for patch in place.ground],
            [settle(patch) for patch in place.truth],
            [settle(patch) for patch in place.marks],
            [
                Roof((r.centre[0] + WEST, r.centre[1] + SOUTH), r.length, r.width, r.angle, r.eaves, r.pitch, r.color)
                for r in place.roofs
            ],
            [move(hedge) for hedge in place.hedges],
            [move(avenue) for avenue in place.avenues],
        )
