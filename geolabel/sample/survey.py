"""The demo place: two kilometres of farmland with a village, a river, two lakes and woods.

It is laid out as land was: water first, then roads, woods and the village, and fields on what is left.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import shapely
from shapely import LineString, Polygon
from shapely.affinity import translate
from shapely.ops import substring

from geolabel.sample import shapes
from geolabel.sample.place import SIDE, Draft, Patch, Place
from geolabel.sample.surfaces import CROPS
from geolabel.sample.village import settle

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

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
_STREETS = 6
"""The first so many roads run through the village."""
_AVENUES = (1, 3)
"""Which roads are lined with trees."""


@lru_cache(maxsize=2)
def lay_out(seed: int) -> Place:
    """The place that a seed gives. It is shared: nobody may change it."""
    draft = Draft(np.random.default_rng([seed, 1]))
    courses = _courses()
    widths = [width for _, width, _ in _ROADS]
    roads = shapely.union_all([shapes.band(course, width) for course, width in zip(courses, widths, strict=True)])
    water = _water(draft)
    _roads(draft, courses, water)
    woods = _woods(draft, roads, water)
    settled = settle(draft, _CROSSING, courses[:_STREETS], roads, water)
    open_land = shapely.box(0, 0, SIDE, SIDE).difference(settled.union(water.buffer(6)))
    for k in _AVENUES:
        for side in (-1, 1):
            row = courses[k].offset_curve(side * (widths[k] / 2 + 3.4))
            draft.place.avenues += shapes.lines(row.intersection(open_land), least=30)
    avenues = shapely.union_all([courses[k] for k in _AVENUES]).buffer(10)
    taken = shapely.union_all([water.buffer(9), roads.buffer(2.6), avenues, woods.buffer(3), settled])
    _fields(draft, shapely.box(0, 0, SIDE, SIDE).difference(taken), water)
    return draft.finish()


def _courses() -> list[LineString]:
    """The centre lines of the roads; one that ends near an earlier one is led to it."""
    courses: list[LineString] = []

    def lead(end: shapes.Point) -> shapes.Point:
        earlier = shapely.union_all(courses)
        if not courses or shapely.Point(end).distance(earlier) > 30:
            return end
        met = shapely.shortest_line(shapely.Point(end), earlier).coords[-1]
        return met[0], met[1]

    for _, _, points in _ROADS:
        courses.append(shapes.curve([lead(points[0]), *points[1:-1], lead(points[-1])]))
    return courses


def _water(draft: Draft) -> BaseGeometry:
    """A river with sand bars, a pond and a lake, each with an island.

    Returns:
        Their ground, sand bars and islands included.
    """
    rng = draft.rng
    xy, bend = shapes.meander((820, 2110), math.radians(-97), wave=940, swing=1.2, waves=4.0, rng=rng)
    half = 13 + 2.5 * np.sin(np.arange(len(xy)) / 9.0 + rng.uniform(0, 6)) + rng.normal(0, 0.4, len(xy))
    river = shapes.ribbon(xy, half, -half)
    # Sand gathers on the inner side of a bend, where the water is slow.
    inner = np.clip((np.abs(bend) - 0.72) / 0.28, 0, 1) * 0.95
    left = shapes.ribbon(xy, half, half * (1 - inner * (bend > 0)) - 0.01)
    right = shapes.ribbon(xy, -half * (1 - inner * (bend < 0)) + 0.01, -half)
    bars = left.union(right).buffer(-1.2).buffer(1.2, quad_segs=2)
    pond = shapes.blob((190, 880), (105, 70), rng, rough=0.10, jitter=0.8, step=10)
    islet = shapes.blob((205, 885), (26, 17), rng, rough=0.14, step=6)
    lake = shapes.blob((1610, 420), (230, 150), rng, rough=0.17, jitter=1.3, step=12)
    island = shapes.blob((1655, 430), (42, 28), rng, rough=0.16, step=8)
    water = shapely.union_all([river.difference(bars), pond.difference(islet), lake.difference(island)]).simplify(0.25)
    sandy, reedy = (
        ((1390, 330), (1700, 545), (1655, 405), (265, 830)),
        ((1800, 330), (1480, 540), (105, 915), (1600, 290)),
    )
    beaches = shapely.union_all([shapes.blob(at, (60, 45), rng, rough=0.3) for at in sandy])
    reeds = shapely.union_all([shapes.blob(at, (95, 70), rng, rough=0.3) for at in reedy])
    draft.ground("bank", water.buffer(9))
    draft.ground("reed", pond.union(lake).buffer(6).intersection(reeds))
    draft.ground("sand", pond.union(lake).buffer(3.5).intersection(beaches))
    draft.ground("sand", bars.buffer(0.8))
    draft.label("water", "water", water)
    draft.label("forest", "forest", island.buffer(-4).simplify(0.5))
    draft.label("grassland", "meadow", islet.buffer(-2.5).simplify(0.5))
    return shapely.union_all([river, pond, lake])


def _roads(draft: Draft, courses: list[LineString], water: BaseGeometry) -> None:
    """Roads with verges, and what is painted and drives on them."""
    done: BaseGeometry = Polygon()
    for (surface, width, _), course in zip(_ROADS, courses, strict=True):
        area = shapes.band(course, width)
        draft.ground("verge", area.buffer(2.6))
        draft.label("road", surface, area.difference(done))
        done = done.union(area)
        if surface == "track":
            draft.mark("road", "worn", course.buffer(0.5))
        if surface != "asphalt":
            continue
        junctions = shapely.union_all([other.buffer(7) for other in courses if other is not course])
        dashes = shapely.union_all([substring(course, at, at + 4) for at in np.arange(0, course.length - 4, 12)])
        draft.mark("road", "line", dashes.buffer(0.26, cap_style="flat").difference(junctions))
        draft.mark("road", "edge", area.buffer(-0.35).difference(area.buffer(-0.85)).difference(junctions))
        for bridge in shapes.lines(course.intersection(water.buffer(3)), least=8):
            draft.mark("road", "kerb", shapes.band(bridge, width).difference(shapes.band(bridge, width - 1.8)))
        for (x, y), angle in shapes.along(course, 110, draft.rng, start=40):
            lane = shapes.beside((x, y), angle, 0, 1.6 if draft.rng.uniform() < 0.5 else -1.6)
            paint = str(draft.rng.choice(["white", "black", "red", "blue", "kerb"]))
            draft.mark("road", paint, shapes.rectangle(lane, 4.3, 1.8, angle))


def _woods(draft: Draft, roads: BaseGeometry, water: BaseGeometry) -> BaseGeometry:
    """Two forests, each with a clearing, and copses."""
    rng = draft.rng

    def wood(centre: shapes.Point, radii: shapes.Point) -> Polygon:
        return shapes.blob(centre, radii, rng, rough=0.16, jitter=2.4)

    west, east = wood((215, 1680), (330, 270)).union(wood((330, 1890), (160, 210))), wood((1830, 1500), (270, 290))
    clearing = shapes.blob((205, 1640), (85, 55), rng, rough=0.16, jitter=1.5, step=12)
    glade = shapes.blob((1800, 1590), (55, 70), rng, rough=0.16, jitter=1.5, step=12)
    copses = [
        wood((130, 240), (135, 110)),
        wood((1330, 190), (100, 75)),
        wood((890, 560), (60, 85)),
        wood((1500, 1850), (75, 60)),
    ]
    grown = shapely.union_all([west.difference(clearing), east.difference(glade), *copses])
    grown = grown.difference(roads.buffer(3.2).union(water.buffer(8)))
    sound = grown.buffer(-3).buffer(3, join_style="mitre").intersection(grown)
    woods = shapely.union_all(shapes.polygons(sound, least=800)).simplify(0.4)
    draft.label("forest", "forest", woods)
    draft.label("grassland", "pasture", clearing.buffer(-3).simplify(0.5))
    draft.label("grassland", "meadow", glade.buffer(-3).simplify(0.5))
    return shapely.union_all([woods, clearing, glade])


def _fields(draft: Draft, land: BaseGeometry, water: BaseGeometry) -> None:
    """Fields and meadows on the land that is left, some with hedges between them."""
    rng = draft.rng
    for block in shapes.polygons(land.buffer(-4).buffer(4, join_style="mitre").simplify(0.6), least=3000):
        parcels, cuts = shapes.divide(block, (14_000, 62_000), rng)
        hedges = [cut for cut in cuts if cut.length > 90 and rng.uniform() < 0.22]
        draft.place.hedges += hedges
        tilled = land.difference(shapely.union_all([hedge.buffer(4.2, cap_style="flat") for hedge in hedges]))
        for parcel in parcels:
            # A plough cannot turn in a sharp corner, and keeps off the border.
            own = parcel.buffer(-0.7, join_style="mitre").intersection(tilled)
            opened = own.buffer(-6.3).buffer(6.3, join_style="mitre", mitre_limit=2.5).intersection(own)
            for shape in shapes.polygons(opened.simplify(0.6), least=1500):
                _field(draft, shape, wet=shape.distance(water) < 14)


def _field(draft: Draft, shape: Polygon, *, wet: bool) -> None:
    """A meadow where it is wet or hard to plough, otherwise a field with a headland at either end."""
    rng = draft.rng
    angle, length, width = shapes.long_axis(shape)
    awkward = width < 38 or shape.area < 4500 or length * width > 2.1 * shape.area
    if awkward or rng.uniform() < (0.74 if wet else 0.12):
        draft.label("grassland", str(rng.choice(["meadow", "mown", "pasture"])), shape, angle)
        return
    crop = str(rng.choice(list(CROPS), p=list(CROPS.values())))
    turn = rng.uniform(9, 16)
    for field in draft.label("cropland", crop, shape, angle + math.pi / 2):
        inner = field.geometry
        for end in (-turn, turn):
            inner = inner.intersection(translate(field.geometry, *shapes.beside((0, 0), angle, end, 0)))
        draft.place.marks.append(Patch(inner, crop, "cropland", angle + rng.normal(0, 0.02), field.tint))
