from __future__ import annotations

import numpy as np
import pytest
import rasterio
import rasterio.features
import shapely
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import LineString, MultiPolygon, Point, Polygon, box

from geolabel.chips.burn import burn, burn_one, mask_type
from geolabel.classes import LabelClass


def shapes(*geometries: object) -> np.ndarray:
    made = np.empty(len(geometries), dtype=object)
    made[:] = geometries
    return made


def test_a_pixel_belongs_to_the_polygon_that_covers_its_centre() -> None:
    mask = burn_one(box(0.6, 0.4, 3.4, 2.6), 5, 4)
    assert mask.tolist() == [[0, 1, 1, 0, 0], [0, 1, 1, 0, 0], [0, 1, 1, 0, 0], [0, 0, 0, 0, 0]]


def test_later_shapes_are_burnt_over_earlier_ones_and_holes_stay_open() -> None:
    ring = Polygon(box(0, 0, 5, 5).exterior, [box(1, 1, 4, 4).exterior])
    mask = burn(shapes(ring, box(3, 3, 6, 6)), np.array([1, 2]), (0, 0, 6, 6), dtype=np.uint8)
    assert mask[0].tolist() == [1, 1, 1, 1, 1, 0]
    assert mask[2].tolist() == [1, 0, 0, 0, 1, 0]
    assert mask[4].tolist() == [1, 1, 1, 2, 2, 2]


@given(
    xy=st.lists(st.tuples(st.floats(-30, 90), st.floats(-30, 90)), min_size=3, max_size=7),
    window=st.tuples(st.integers(-10, 40), st.integers(-10, 40)),
    kind=st.sampled_from([Polygon, LineString]),
)
def test_a_window_shows_what_the_whole_scene_shows(
    xy: list[tuple[float, float]], window: tuple[int, int], kind: type[Polygon | LineString]
) -> None:
    shape = kind(xy)
    col, row = window
    part = burn(shapes(shape), np.array([7]), (col, row, 24, 20), dtype=np.uint16)
    whole = rasterio.features.rasterize(
        [(shape, 7)], out_shape=(120, 120), transform=Affine.translation(-20, -20), dtype="uint16"
    )
    expected = whole[row + 20 : row + 40, col + 20 : col + 44]
    rows, cols = np.nonzero(part != expected)
    if kind is Polygon:  # a centre that lies on the outline itself is on either side, as the last bit falls
        centres = shapely.points(cols + col + 0.5, rows + row + 0.5)
        assert (shapely.distance(centres, shape.exterior) <= 1e-9).all()
    else:
        # GDAL draws a line from the first pixel that the window sees: where it runs between two pixels, the step may
        # fall to either. Both are pixels that the line passes through.
        squares = shapely.box(cols + col, rows + row, cols + col + 1, rows + row + 1)
        assert (shapely.distance(squares, shape) <= 1e-6).all()


def test_nothing_to_burn_gives_the_background() -> None:
    assert (burn(shapes(), np.array([], dtype=np.int64), (0, 0, 3, 2), dtype=np.uint8, background=255) == 255).all()


def test_multi_shapes_and_points() -> None:
    two = MultiPolygon([box(0, 0, 1, 1), box(2, 0, 3, 1)])
    mask = burn(shapes(two, Point(1.5, 0.5)), np.array([1, 2]), (0, 0, 3, 1), dtype=np.uint8)
    assert mask.tolist() == [[1, 2, 1]]


@pytest.mark.parametrize(
    ("highest", "expected"), [(1, (np.uint8, 255)), (254, (np.uint8, 255)), (255, (np.uint16, 65535))]
)
def test_masks_grow_to_16_bits_when_the_ids_need_it(highest: int, expected: tuple[type, int]) -> None:
    assert mask_type([LabelClass(highest, "water", "#4478ff")]) == expected
