from __future__ import annotations

import antimeridian
import numpy as np
import pytest
import shapely
from shapely.geometry import LineString, MultiLineString, MultiPoint, MultiPolygon, Point, Polygon, box, mapping

from geolabel.geo import crs
from geolabel.geo.antimeridian import cut, cut_one, wrapped
from geolabel.geo.areas import areas_of
from geolabel.geo.shown import shown
from geolabel.geo.vertices import bring_in, one, restore_untouched
from geolabel.model import CRS84

# Where 180 degrees lies in each CRS, and how large a shape there may be, in its units.
HOMES = {
    "EPSG:32660": ((705_600.0, 5_790_000.0), 20_000.0),
    "EPSG:3832": ((3_339_584.7, -1_900_000.0), 90_000.0),
    "EPSG:3031": ((0.0, -1_500_000.0), 80_000.0),
    "EPSG:3413": ((-900_000.0, 900_000.0), 80_000.0),
    "EPSG:4326": ((180.0, -17.0), 1.0),
    "OGC:CRS84": ((180.0, 65.0), 2.0),
}


def crossing(seed: int, storage: str, *, count: int = 17, hole: bool = True) -> Polygon:
    """A ragged polygon with a hole about the antimeridian, with all the digits of doubles."""
    rng = np.random.default_rng(seed)
    (x, y), size = HOMES[storage]
    angles = np.sort(rng.uniform(0, 2 * np.pi, count))
    radii = rng.uniform(0.4, 1.0, count)[:, None] * size
    ring = np.column_stack((np.cos(angles), np.sin(angles))) * radii
    middle = (x + rng.uniform(-0.2, 0.2) * size, y)
    shape_ = Polygon(ring + middle)
    inner = [shapely.get_coordinates(Point(middle).buffer(size * 0.05, quad_segs=2))] if hole else []
    whole = Polygon(ring + middle, inner)
    return whole if whole.is_valid else shape_.buffer(0)


def rounded(geometry: shapely.Geometry, decimals: int) -> shapely.Geometry:
    """As a client prints and reads it."""
    return shapely.transform(
        geometry, lambda xy: np.array([[float(f"{v:.{decimals}f}") for v in p] for p in xy]), include_z=geometry.has_z
    )


def samples(count: int) -> list[tuple[str, Polygon]]:
    """Shapes that cross the antimeridian, in turn of each CRS."""
    names = list(HOMES)
    found = []
    for seed in range(count):
        storage = names[seed % len(names)]
        polygon = crossing(seed, storage)
        if polygon.is_valid and polygon.geom_type == "Polygon":
            found.append((storage, polygon))
    return found


SHAPES = samples(300)


def test_300_crossing_shapes_keep_their_area_and_are_found_from_both_sides() -> None:
    """Hardening row 21; the oracle of the cut is the library `antimeridian`."""
    assert len(SHAPES) >= 290
    for storage, polygon in SHAPES:
        [whole] = crs.transform_geometries(one(polygon), storage, CRS84)
        assert whole.is_valid
        west, _, east, _ = whole.bounds
        assert -180 <= west < 180 < east < 540, storage
        [parts] = shown(one(polygon), storage, CRS84)
        assert parts.geom_type == "MultiPolygon"
        assert parts.is_valid
        assert np.abs(shapely.get_coordinates(parts)[:, 0]).max() == 180
        assert parts.area == pytest.approx(whole.area, rel=1e-9)
        outline = Polygon(whole.exterior)  # the library stumbles over some holes, and rounds to 7 decimals
        theirs = antimeridian.fix_polygon(outline, great_circle=False)
        assert shapely.symmetric_difference(cut_one(outline), theirs).area <= 1e-6 * whole.area
        south, north = whole.bounds[1], whole.bounds[3]
        for side in ((179.0, south, 180.0, north), (-180.0, south, -179.0, north)):
            found = areas_of([side], CRS84, storage, polygon.bounds)
            assert any(_meets(area_, polygon) for area_ in found), (storage, side)
        for side in ((100.0, south, 170.0, north), (-170.0, south, -100.0, north)):
            found = areas_of([side], CRS84, storage, polygon.bounds)
            assert not any(_meets(area_, polygon) for area_ in found), (storage, side)


def _meets(area, polygon: Polygon) -> bool:
    near = area.bounds is None or polygon.intersects(box(*area.bounds))
    return bool(near and area.meets(one(polygon))[0])


@pytest.mark.parametrize("edge", ["OGC:CRS84", "EPSG:4326", "EPSG:3857"])
@pytest.mark.parametrize("storage", HOMES)
def test_what_a_client_was_given_cut_comes_back_whole(storage: str, edge: str) -> None:
    bend = 2.5 / crs.unit_metres(edge)
    for seed in range(4):
        stored = crossing(seed, storage)
        [seen] = shown(one(stored), storage, edge, tolerance=bend)
        for decimals in (6, 9, 17):
            back = restore_untouched(rounded(seen, decimals), stored, edge, storage, tolerance=bend)
            assert shapely.equals_identical(back, stored), (seed, decimals)


@pytest.mark.parametrize("storage", HOMES)
def test_one_vertex_of_a_cut_shape_is_moved(storage: str) -> None:
    stored = crossing(5, storage, hole=False)
    [seen] = shown(one(stored), storage, CRS84)
    sent = rounded(seen, 9)
    coordinates = shapely.get_coordinates(sent)
    inland = int(np.argmin(np.abs(coordinates[:, 0])))
    place = coordinates[inland].copy()
    coordinates[(coordinates == place).all(axis=1)] += (1e-4, 2e-4)
    back = restore_untouched(shapely.set_coordinates(one(sent), coordinates)[0], stored, CRS84, storage)
    assert back.geom_type == "Polygon"
    before, after = ({tuple(p) for p in shapely.get_coordinates(g)} for g in (stored, back))
    assert len(after - before) == len(before - after) == 1


@pytest.mark.parametrize("storage", HOMES)
def test_a_cut_shape_that_is_new_is_joined(storage: str) -> None:
    drawn = crossing(7, storage, hole=False)
    [seen] = shown(one(drawn), storage, CRS84, tolerance=1e-6)
    made = bring_in(rounded(seen, 9), CRS84, storage)
    assert made.geom_type == "Polygon"
    assert made.is_valid
    assert shapely.hausdorff_distance(made, drawn) < 0.5 / crs.unit_metres(storage)
    for unrolled in (360.0, -360.0):  # as a map that was panned around the Earth sends it
        other_way = shapely.transform(
            seen, lambda xy, t=unrolled: np.column_stack((xy[:, 0] + t * (xy[:, 0] * t < 0), xy[:, 1]))
        )
        made = bring_in(other_way, CRS84, storage)
        assert made.geom_type == "Polygon"


@pytest.mark.parametrize(("storage", "pole"), [("EPSG:3031", -90.0), ("EPSG:3413", 90.0), ("EPSG:32661", 90.0)])
def test_shapes_around_a_pole(storage: str, pole: float) -> None:
    middle = (2e6, 2e6) if storage == "EPSG:32661" else (0.0, 0.0)
    island = Point(middle[0] + 90_000.5, middle[1] + 40_000.25).buffer(400_000, quad_segs=5)
    lake = Polygon(island.exterior, [Point(middle).buffer(50_000, quad_segs=3).exterior])
    for stored in (island, lake):
        [seen] = shown(one(stored), storage, CRS84, tolerance=1e-4)
        assert seen.is_valid
        west, south, east, north = seen.bounds
        assert (west, east) == (-180, 180)
        assert (pole in {south, north}) == (stored is island)
        # A point inside is inside, a point outside is outside.
        inside = crs.transform_coordinates(np.array([[middle[0] + 200_000.0, middle[1] + 1000]]), storage, CRS84)[0]
        outside = crs.transform_coordinates(np.array([[middle[0] + 900_000.0, middle[1]]]), storage, CRS84)[0]
        assert seen.contains(Point(inside))
        assert not seen.contains(Point(outside))
        area = areas_of([(-10.0, min(pole, 0), 10.0, max(pole, 0))], CRS84, storage, stored.bounds)
        assert any(_meets(a, stored) for a in area)
    [seen] = shown(one(island), storage, CRS84, tolerance=1e-4)
    for decimals in (9, 17):
        back = restore_untouched(rounded(seen, decimals), island, CRS84, storage, tolerance=1e-4)
        assert shapely.equals_identical(back, island)
    made = bring_in(seen, CRS84, storage)
    assert made.is_valid
    assert made.area == pytest.approx(island.area, rel=1e-6)


def test_lines_points_and_parts() -> None:
    line = LineString([(179.0, 0.0, 5.0), (181.0, 2.0, 7.0), (179.5, 3.0, 9.0)])
    parts = cut_one(line)
    assert mapping(parts)["coordinates"] == (
        ((179.0, 0.0, 5.0), (180.0, 1.0, 6.0)),
        ((-180.0, 1.0, 6.0), (-179.0, 2.0, 7.0), (-180.0, 2.0 + 2 / 3, 7.0 + 4 / 3)),
        ((180.0, 2.0 + 2 / 3, 7.0 + 4 / 3), (179.5, 3.0, 9.0)),
    )
    assert shapely.equals_identical(restore_untouched(parts, line, CRS84, "EPSG:4326"), line)
    loop = LineString([(179, 0), (181, 2), (181, 0), (179, 2)])  # it crosses itself, and stays so
    assert shapely.equals_identical(restore_untouched(cut_one(loop), loop, CRS84, "EPSG:4326"), loop)
    lines = MultiLineString([line, LineString([(10, 10, 0), (11, 11, 1)])])
    assert len(cut_one(lines).geoms) == 4
    assert shapely.equals_identical(restore_untouched(cut_one(lines), lines, CRS84, "EPSG:4326"), lines)
    assert cut_one(MultiPoint([(181, 1), (179, 1)])).equals(MultiPoint([(-179, 1), (179, 1)]))
    two = MultiPolygon([box(179, 0, 181, 1), box(10, 0, 11, 1)])
    assert [p.bounds for p in cut_one(two).geoms] == [(179, 0, 180, 1), (-180, 0, -179, 1), (10, 0, 11, 1)]
    assert shapely.equals_identical(restore_untouched(cut_one(two), two, CRS84, "EPSG:4326"), two)
    same = np.array([box(170, 0, 180, 1), box(-180, 0, 180, 1), Point(-180, 0)], dtype=object)
    assert cut(same) is same
    assert wrapped(np.array([-180.0, 180.0, 181.0, -190.0, 540.5])).tolist() == [-180, 180, -179, 170, -179.5]


def test_two_shapes_that_only_look_alike_stay_two() -> None:
    apart = MultiPolygon(
        [box(179, 0, 180, 1), box(-180, 5, -179, 6)]
    )  # both on the antimeridian, not beside each other
    made = bring_in(apart, CRS84, "EPSG:4326")
    assert shapely.equals(made, apart)
    around = box(-180, -10, 180, 10)
    assert bring_in(around, CRS84, "EPSG:4326").equals(around)


def test_a_shape_as_wide_as_the_map_does_not_cross() -> None:
    wide = box(-1.8e7, -1e6, 1.8e7, 1e6)
    [seen] = shown(one(wide), "EPSG:3857", CRS84, tolerance=1e-3)
    west, _, east, _ = seen.bounds
    assert (west, east) == pytest.approx((-161.6967, 161.6967), abs=1e-3)
    assert seen.geom_type == "Polygon"


def test_degrees_of_another_datum_stay_continuous() -> None:
    [moved] = crs.transform_geometries(one(box(179, 60, 181, 61)), CRS84, "EPSG:4267")
    west, _, east, _ = moved.bounds
    assert 178.9 < west < 179.1
    assert 180.9 < east < 181.1
