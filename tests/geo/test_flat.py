"""Compiled loops over flat arrays, held against GEOS and numpy: the same shapes and the same doubles, to the last bit."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
import shapely.affinity
from hypothesis import given
from hypothesis import strategies as st

from geolabel import compiled
from geolabel.geo import flat_areas, measure
from geolabel.geo.crs import ground_area
from geolabel.geo.placed import Placed
from geolabel.geo.ragged import from_shapely
from geolabel.geo.shown import page
from geolabel.geo.wkb_reader import read_wkb
from geolabel.store import blob

ELLIPSOID = 6378137.0, 1 / 298.257223563
SHAPES = [
    "POINT (1 2)",
    "POINT Z (1 2 3)",
    "LINESTRING (0 0, 1 1, 2 0.1)",
    "LINESTRING Z (0 0 1, 1 1 2)",
    "POLYGON ((0 0, 3 0, 3 2, 0 0))",
    "POLYGON Z ((0 0 1, 9 0 2, 9 9 3, 0 0 1), (5 3 1, 5 4 1, 6 4 1, 5 3 1))",
    "MULTIPOINT (0 0, 5 5)",
    "MULTIPOINT Z (0 0 1, 5 5 2)",
    "MULTILINESTRING ((0 0, 1 1), (2 2, 3 3, 4 2))",
    "MULTIPOLYGON (((0 0, 1 0, 1 1, 0 0)), ((3 3, 5 3, 5 5, 3 3), (4 3.5, 4.5 3.5, 4.5 4, 4 3.5)))",
]


def written(shapes: list[shapely.Geometry], flavor: str) -> list[bytes]:
    array = np.array([*shapes, None], dtype=object)[:-1]
    if flavor == "geopackage":
        return blob.encode(array, 32633)
    if flavor == "ewkb":
        return shapely.to_wkb(shapely.set_srid(array, 910001), include_srid=True, flavor="extended").tolist()
    return shapely.to_wkb(array, flavor="iso").tolist()


def check(shapes: list[shapely.Geometry], flavor: str) -> None:
    found = read_wkb(written(shapes, flavor))
    assert found is not None
    expected = from_shapely(np.array([*shapes, None], dtype=object)[:-1])
    for name in ("kinds", "xy", "rings", "parts", "shapes"):
        assert getattr(found, name).tolist() == getattr(expected, name).tolist(), name
    assert (found.z is None) == (expected.z is None)
    if found.z is not None:
        np.testing.assert_array_equal(found.z, expected.z)


@pytest.mark.parametrize("flavor", ["geopackage", "ewkb", "iso"])
def test_shapes_come_out_as_geos_reads_them(flavor: str) -> None:
    shapes = [shapely.from_wkt(text) for text in SHAPES]
    check(shapes, flavor)
    check([], flavor)
    for shape in shapes:
        check([shape], flavor)
        check([shape, shapes[0], shape], flavor)


coordinates = st.floats(allow_nan=False, allow_infinity=False)


@given(st.lists(st.lists(st.tuples(coordinates, coordinates), min_size=2, max_size=9), min_size=1, max_size=5))
def test_every_double_is_kept(lines: list[list[tuple[float, float]]]) -> None:
    shapes = [shapely.LineString(line) for line in lines]
    check([*shapes, shapely.MultiLineString(shapes), shapely.MultiPoint(lines[0])], "geopackage")


@pytest.mark.parametrize(
    "text",
    [
        "POINT EMPTY",
        "POLYGON EMPTY",
        "MULTIPOLYGON EMPTY",
        "GEOMETRYCOLLECTION (POINT (1 2))",
        "POINT M (1 2 3)",
        "LINESTRING ZM (0 0 1 2, 1 1 2 3)",
    ],
)
def test_what_is_not_ours_is_left_to_geos(text: str) -> None:
    assert read_wkb([shapely.to_wkb(shapely.from_wkt(text), flavor="iso")]) is None


@pytest.mark.parametrize("flavor", ["geopackage", "ewkb", "iso"])
def test_broken_bytes_are_never_read_beyond(flavor: str) -> None:
    whole = written([shapely.from_wkt(text) for text in SHAPES], flavor)
    random = np.random.default_rng(2)
    for one in whole:
        for end in range(len(one)):
            read_wkb([one[:end]])
        for _ in range(200):
            broken = bytearray(one)
            broken[int(random.integers(len(one)))] = int(random.integers(256))
            read_wkb([bytes(broken), whole[0]])
    assert read_wkb([shapely.to_wkb(shapely.Point(1, 2), byte_order=0)]) is None, "big-endian"


@pytest.mark.parametrize("corners", [3, 4, 7, 8, 9, 10, 17, 64, 128, 129, 200])
def test_areas_are_those_of_numpy_to_the_last_bit(corners: int) -> None:
    random = np.random.default_rng(corners)
    shapes = []
    for _ in range(200):
        angle = np.sort(random.uniform(0, 2 * np.pi, corners))
        ring = np.column_stack((np.cos(angle), np.sin(angle))) * random.uniform(1e-6, 2.5e-3)
        middle = random.uniform((-180, -89), (180, 89))
        hole = shapely.LinearRing(middle + ring[::-1] * 0.3)
        outline = shapely.Polygon(middle + ring)
        holed = shapely.Polygon(middle + ring, [hole])
        aside = shapely.affinity.translate(outline, 1e-3)
        shapes += [outline, holed, shapely.MultiPolygon([outline, aside]), shapely.MultiPolygon([holed, aside])]
    shapes += [shapely.Point(1, 2), shapely.LineString([(0, 0), (1, 1)]), shapely.Polygon([(0, 0), (5, 0), (5, 5)])]
    array = np.array(shapes, dtype=object)
    flat = from_shapely(array)
    found = flat_areas.small_areas(flat, flat.bounds(), *ELLIPSOID)
    expected = measure.small_areas(array, *ELLIPSOID)
    known = ~np.isnan(found)
    assert found[known].tolist() == expected[known].tolist()
    if corners < 129:  # longer rings are left to numpy
        assert (known == ~np.isnan(expected)).all()
        assert 0.5 < known.mean() < 1


def test_a_page_is_the_same_before_and_after_its_kernels_are_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    """Coordinates and areas to the last bit, so that no client sees a label change that nobody has changed."""
    random = np.random.default_rng(8)
    shapes = []
    for _ in range(400):
        corners = int(random.integers(3, 160))
        angle = np.sort(random.uniform(0, 2 * np.pi, corners))
        ring = np.column_stack((np.cos(angle), np.sin(angle))) * 10 ** random.uniform(-0.5, 2.7)
        middle = random.uniform((4e5, 4e6), (6e5, 6e6))
        holes = [middle + ring * 0.3] if random.random() < 0.3 else []
        one = shapely.Polygon(middle + ring, holes)
        shapes.append(
            shapely.MultiPolygon([one, shapely.affinity.translate(one, 900)]) if random.random() < 0.2 else one
        )
    flat = from_shapely(np.array(shapes, dtype=object))
    found = []
    for name in ("nothing", "geolabel.geo.flat_areas"):
        monkeypatch.setattr(compiled, "_ready", {})
        monkeypatch.setattr(compiled, "_begun", {"geolabel.geo.flat_areas"})
        if name != "nothing":
            compiled.make_ready(name)
        seen, areas = page(Placed(flat), "EPSG:32633", "OGC:CRS84", tolerance=1e-5)
        found.append((seen.xy.tolist(), areas.tolist()))
    assert found[0] == found[1]
    alone = [ground_area(np.array([shape], dtype=object), "EPSG:32633")[0] for shape in shapes]
    assert found[0][1] == alone, "as the label by itself"
