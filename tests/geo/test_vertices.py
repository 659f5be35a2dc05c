from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Transformer
from shapely.geometry import LineString, MultiPoint, MultiPolygon, Point, Polygon

from geolabel.errors import InvalidCRS
from geolabel.geo.crs import transform_geometries
from geolabel.geo.vertices import decimals_used, restore_untouched
from geolabel.model import CRS84

UTM = "EPSG:32636"
POLAR = "EPSG:3031"


def field(seed: int, count: int = 40, *, crs: str = UTM) -> Polygon:
    """A ragged polygon with a hole; its vertices have all the digits of doubles."""
    rng = np.random.default_rng(seed)
    centre = {UTM: (452_000.0, 38_500.0), POLAR: (-1_200_000.0, 900_000.0)}[crs]
    angles = np.linspace(0, 2 * np.pi, count, endpoint=False)

    def ring(low: float, high: float) -> np.ndarray:
        radii = rng.uniform(low, high, count)
        points = np.column_stack((np.cos(angles), np.sin(angles))) * radii[:, None] + centre
        return np.vstack([points, points[:1]])

    return Polygon(ring(300, 500), [ring(50, 150)])


def served(geometry: shapely.Geometry, crs: str, target: str = CRS84, tolerance: float | None = None) -> np.ndarray:
    return transform_geometries(np.array([geometry], dtype=object), crs, target, tolerance=tolerance)[0]


def rounded(geometry: shapely.Geometry, decimals: int) -> shapely.Geometry:
    """As a client prints and reads it."""
    return shapely.transform(
        geometry,
        lambda xy: np.array([[float(f"{v:.{decimals}f}") for v in p] for p in xy]),
        include_z=geometry.has_z,
    )


@pytest.mark.parametrize("decimals", [6, 7, 9, 12, 17])
@pytest.mark.parametrize("crs", [UTM, POLAR])
def test_a_shape_that_comes_back_rounded_is_the_stored_one(crs: str, decimals: int) -> None:
    stored = field(1, crs=crs)
    incoming = rounded(served(stored, crs), decimals)
    assert shapely.equals_identical(restore_untouched(incoming, stored, CRS84, crs), stored)


@pytest.mark.parametrize("decimals", [6, 9, 17])
def test_only_the_moved_vertex_moves(decimals: int) -> None:
    stored = field(2)
    coordinates = shapely.get_coordinates(rounded(served(stored, UTM), decimals))
    coordinates[7] += (0.000123, -0.000077)
    incoming = shapely.set_coordinates(np.array([stored], dtype=object).copy(), coordinates)[0]
    restored = restore_untouched(incoming, stored, CRS84, UTM)
    before, after = shapely.get_coordinates(stored), shapely.get_coordinates(restored)
    changed = np.flatnonzero((before != after).any(axis=1))
    assert changed.tolist() == [7]
    expected = Transformer.from_crs("EPSG:4326", UTM, always_xy=True).transform(*coordinates[7])
    assert after[7] == pytest.approx(expected, abs=1e-6)


def test_one_vertex_with_all_its_digits_among_rounded_ones() -> None:
    stored = field(8)
    coordinates = shapely.get_coordinates(rounded(served(stored, UTM), 6))
    coordinates[11] += np.array([np.pi, -np.e]) * 1e-5
    incoming = shapely.set_coordinates(np.array([stored], dtype=object).copy(), coordinates)[0]
    restored = shapely.get_coordinates(restore_untouched(incoming, stored, CRS84, UTM))
    assert np.flatnonzero((restored != shapely.get_coordinates(stored)).any(axis=1)).tolist() == [11]


def test_inserted_and_removed_vertices_leave_the_others_alone() -> None:
    stored = Polygon(shapely.get_coordinates(field(3).exterior))
    sent = shapely.get_coordinates(rounded(served(stored, UTM), 6))
    sent = np.delete(sent, [5, 6], axis=0)
    middle = (sent[20] + sent[21]) / 2
    sent = np.insert(sent, 21, middle, axis=0)
    restored = shapely.get_coordinates(restore_untouched(Polygon(sent), stored, CRS84, UTM))
    known = {tuple(p) for p in shapely.get_coordinates(stored)}
    strangers = [i for i, p in enumerate(restored) if tuple(p) not in known]
    assert strangers == [21]


def test_a_ring_that_starts_elsewhere_or_runs_backwards_keeps_its_doubles() -> None:
    stored = Polygon(shapely.get_coordinates(field(4).exterior))
    ring = shapely.get_coordinates(rounded(served(stored, UTM), 6))[:-1]
    turned = np.roll(ring, 9, axis=0)[::-1]
    restored = restore_untouched(Polygon(turned), stored, CRS84, UTM)
    assert {tuple(p) for p in shapely.get_coordinates(restored)} == {tuple(p) for p in shapely.get_coordinates(stored)}


def test_vertices_nearer_than_the_rounding_stay_apart() -> None:
    x, y = 452_000.123456, 38_500.654321
    stored = LineString([(x, y), (x + 30, y), (x + 30.004, y + 0.003), (x + 30.008, y), (x + 60, y + 5)])
    incoming = rounded(served(stored, UTM), 6)
    assert len(np.unique(shapely.get_coordinates(incoming), axis=0)) < 5, "the rounding joins some of them"
    assert shapely.equals_identical(restore_untouched(incoming, stored, CRS84, UTM), stored)


def test_vertices_that_only_bend_an_edge_are_dropped() -> None:
    stored = Polygon([(400_000.5, 4_000_000.25), (490_000.5, 4_000_000.25), (490_000.5, 4_090_000.75)])
    tolerance = 1e-7
    shown = served(stored, UTM, tolerance=tolerance)
    assert shapely.get_num_coordinates(shown) > 20
    for decimals in (7, 17):
        incoming = rounded(shown, decimals)
        restored = restore_untouched(incoming, stored, CRS84, UTM, tolerance=tolerance)
        assert shapely.equals_identical(restored, stored)
    parts = MultiPolygon([stored, shapely.affinity.translate(stored, 200_000)])
    shown = served(parts, UTM, tolerance=tolerance)
    restored = restore_untouched(shown, parts, CRS84, UTM, tolerance=tolerance)
    assert shapely.equals_identical(restored, parts)


def test_the_storage_crs_itself_may_come_back_rounded() -> None:
    stored = field(5)
    restored = restore_untouched(rounded(stored, 6), stored, UTM, UTM)
    assert shapely.equals_identical(restored, stored)


def test_a_coarse_request_is_a_new_place() -> None:
    stored = Point(33.00000049, 1.0000004)
    incoming = Point(33, 1)
    assert restore_untouched(incoming, Point(33.1, 1.2), CRS84, CRS84) == incoming
    assert restore_untouched(incoming, Point(33.000002, 1), CRS84, CRS84) == incoming
    assert restore_untouched(incoming, stored, CRS84, CRS84) == stored  # this is what six decimals make of it


def test_other_types_and_z() -> None:
    stored = MultiPoint(shapely.get_coordinates(field(6)))
    assert shapely.equals_identical(restore_untouched(rounded(served(stored, UTM), 6), stored, CRS84, UTM), stored)
    high = LineString([(452_000.1, 38_500.2, 7.25), (452_100.3, 38_500.4, 8.5)])
    restored = restore_untouched(rounded(served(high, UTM), 9), high, CRS84, UTM)
    assert shapely.equals_identical(restored, high)


def test_a_place_that_the_storage_cannot_hold_is_refused() -> None:
    with pytest.raises(InvalidCRS, match="has no place"):
        restore_untouched(Point(200.0, 91.0), field(1), CRS84, UTM)


def test_decimals_used() -> None:
    used = decimals_used(np.array([[1.0, 2.0], [1.25, 2.123456], [33.123456789, -0.000000001], [np.pi, 1.0]]))
    assert used[:3].tolist() == [0, 6, 9]
    assert used[3] >= 15


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    decimals=st.integers(6, 17),
    moved=st.sets(st.integers(1, 38), max_size=6),
    crs=st.sampled_from([UTM, POLAR]),
)
def test_untouched_vertices_never_move(seed: int, decimals: int, moved: set[int], crs: str) -> None:
    stored = field(seed, crs=crs)
    coordinates = shapely.get_coordinates(rounded(served(stored, crs), decimals))
    for index in moved:
        coordinates[index] += (1e-4, 2e-4)
    incoming = shapely.set_coordinates(np.array([stored], dtype=object).copy(), coordinates)[0]
    restored = shapely.get_coordinates(restore_untouched(incoming, stored, CRS84, crs))
    same = (restored == shapely.get_coordinates(stored)).all(axis=1)
    assert set(np.flatnonzero(~same).tolist()) == moved
