"""Chips that are built together hold what each of them holds alone."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from shapely.geometry import LineString, Point, box

from geolabel.chips import planned
from geolabel.chips.burn import Flat
from geolabel.chips.frame import frames
from geolabel.chips.planned import Near, PlannedChip, placed
from geolabel.chips.spec import ChipSpec
from geolabel.chips.together import areas, bounds, dimensions
from geolabel.formats.coco import ground_areas
from geolabel.geo import crs as crs_
from geolabel.geo.pixels import PixelGeometry, pixel_to_map
from tests.chips.laying import scene

NONE = np.array([], dtype=object)


def chips(*, crs: str | None = "EPSG:32633") -> list[PlannedChip]:
    """Ten chips of two scenes, some of them turned, one without anything on it; areas with holes, lines and points."""
    random = np.random.default_rng(5)
    two = frames([scene(400, 300, name="a", crs=crs), scene(300, 300, name="b", crs=crs)], ChipSpec())
    found = []
    for number in range(10):
        frame, turn = two[number > 5], [0.0, 90.0, 33.0][number % 3]
        window = (int(random.integers(-20, 200)), int(random.integers(-20, 200)), 64, 64 if turn == 90.0 else 48)
        centre = np.array(window[:2]) + 30
        count = 0 if number == 4 else 7
        shapes = [
            Point(centre + spot).buffer(size).difference(Point(centre + spot).buffer(size / 3))
            for spot, size in zip(random.uniform(-14, 14, (count, 2)), random.uniform(1, 25, count), strict=True)
        ]
        if count:
            shapes += [LineString([centre - 40, centre + 3]), Point(centre + 1)]
        pixels = PixelGeometry(np.array([*shapes, None], dtype=object)[:-1], frame.grid)
        wkb = np.array([*shapely.to_wkb(pixel_to_map(pixels).geometries).tolist(), None], dtype=object)[:-1]
        ids = np.arange(len(shapes)) + 10 * number + 1
        kept = np.arange(len(shapes)) != 2
        near = Near(ids, ids % 3 + 1, random.integers(0, 2, len(ids)), kept, wkb)
        ground = np.array([box(*(centre - 5), *(centre + 9)), None], dtype=object)[:1]
        found.append(
            PlannedChip(
                number, f"c{number}", "train", frame, window, turn, near, ground, ground if number % 2 else NONE, 255
            )
        )
    return found


def same(one: np.ndarray, other: np.ndarray) -> bool:
    return shapely.to_wkb(one).tolist() == shapely.to_wkb(other).tolist()


@pytest.mark.parametrize("at_once", [1, 20, 20_000])
def test_what_is_on_a_chip_is_the_same_alone_and_together(monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    monkeypatch.setattr(planned, "_AT_ONCE", at_once)
    alone = chips()
    for one, other in zip(placed(chips()), alone, strict=True):
        assert (one.name, one.window) == (other.name, other.window)
        assert same(one.labels.geometries, other.labels.geometries)
        assert same(one.drawn.geometries, other.drawn.geometries)
        for name in ("ids", "class_ids", "truncated"):
            assert np.array_equal(getattr(one.labels, name), getattr(other.labels, name))
        for name in ("ids", "class_ids"):
            assert np.array_equal(getattr(one.drawn, name), getattr(other.drawn, name))


def test_each_chip_gets_its_own_of_what_is_known_of_all() -> None:
    for chip in placed(chips()):
        shapes = chip.labels.geometries
        assert np.array_equal(chip.labels.each(dimensions), shapely.get_dimensions(shapes))
        assert np.array_equal(chip.labels.each(areas), shapely.area(shapes))
        assert np.array_equal(chip.labels.each(bounds), shapely.bounds(shapes).reshape(-1, 4), equal_nan=True)


def test_the_ground_of_each_is_measured_on_the_grid_of_its_chip() -> None:
    for chip in placed(chips()):
        on_map = pixel_to_map(PixelGeometry(chip.labels.geometries, chip.grid)).geometries
        assert np.allclose(
            chip.labels.each(ground_areas).astype(float), crs_.ground_area(on_map, "EPSG:32633"), rtol=1e-12, atol=0
        )
    assert all(area is None for chip in placed(chips(crs=None)) for area in chip.labels.each(ground_areas))


def test_flat_rings_of_some_are_those_of_them_alone() -> None:
    shapes = np.array(
        [box(0, 0, 1, 1), Point(3, 3).buffer(2).difference(Point(3, 3).buffer(1)), Point(1, 1)], dtype=object
    )
    shapes = np.append(shapes, shapely.multipolygons([box(5, 5, 6, 6), box(7, 7, 9, 9)]))
    whole = Flat.of(shapes)
    for start in range(5):
        for stop in range(start, 5):
            some, alone = whole.some(slice(start, stop)), Flat.of(shapes[start:stop])
            for name in ("xy", "ends", "rings", "polygons"):
                assert np.array_equal(getattr(some, name), getattr(alone, name))
