"""The compiled loops against GDAL: no pixel may differ, of any polygon."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.features import rasterize
from shapely.geometry import MultiPolygon, Polygon, box

from geolabel.chips import burn as burning
from geolabel.chips.burn import Flat, burn, encode_many
from geolabel.chips.scanline import fill_shapes
from geolabel.formats import rle

WIDTH, HEIGHT = 48, 37
# Halves lie on the heights of the centres and between them, where every rule about edges counts.
NUMBERS = st.one_of(
    st.integers(-20, 140).map(lambda n: n / 2),
    st.floats(-20, 70, allow_nan=False),
    st.integers(-10, 60).map(lambda n: n + 1e-9),
)
RINGS = st.lists(st.tuples(NUMBERS, NUMBERS), min_size=3, max_size=9)


def ours(shapes: list[shapely.Geometry], values: list[int], col: int = 0, row: int = 0) -> np.ndarray:
    mask = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
    flat = Flat.of(np.array(shapes, dtype=object))
    counts = np.diff(flat.polygons, prepend=0)
    fill_shapes(mask, np.repeat(values, counts), flat.xy - (col, row), flat.ends, flat.rings)
    return mask


def encoded(shape: shapely.Geometry) -> np.ndarray:
    [text] = encode_many(np.array([shape, None], dtype=object)[:1], WIDTH, HEIGHT)
    return rle.decompress(text)


def gdal(shapes: list[shapely.Geometry], values: list[int], col: int = 0, row: int = 0) -> np.ndarray:
    pairs = zip(shapes, values, strict=True)
    return rasterize(pairs, (HEIGHT, WIDTH), transform=Affine.translation(col, row), dtype=np.uint8)


@settings(max_examples=150)
@given(st.lists(RINGS, min_size=1, max_size=4), st.integers(-5, 5), st.integers(-5, 5))
def test_polygons_of_any_form(rings: list[list[tuple[float, float]]], col: int, row: int) -> None:
    shapes = [Polygon(ring) for ring in rings]  # also those that cross themselves
    values = list(range(1, len(shapes) + 1))
    assert np.array_equal(ours(shapes, values, col, row), gdal(shapes, values, col, row))


@settings(max_examples=80)
@given(RINGS, RINGS, RINGS)
def test_holes_and_parts(outer: list, inner: list, other: list) -> None:
    shape = MultiPolygon([Polygon(outer, [inner]), Polygon(other)])
    assert np.array_equal(ours([shape], [7]), gdal([shape], [7]))


@given(st.integers(-4, 80), st.integers(-4, 80), st.integers(0, 90), st.integers(0, 90))
def test_boxes_on_whole_and_half_pixels(x: int, y: int, width: int, height: int) -> None:
    shape = box(x / 2, y / 2, (x + width) / 2, (y + height) / 2)
    for one in (shape, shape.reverse()):
        assert np.array_equal(ours([one], [1]), gdal([one], [1]))


@pytest.mark.parametrize("seed", range(3))
def test_many_on_a_chip(seed: int) -> None:
    random = np.random.default_rng(seed)
    centres = random.uniform(-20, 532, (400, 2))
    shapes = []
    for centre in centres:
        angles = np.sort(random.uniform(0, 2 * np.pi, random.integers(3, 60)))
        radii = random.uniform(2, 60) * random.uniform(0.6, 1, len(angles))
        shapes.append(Polygon(centre + np.column_stack((np.cos(angles), np.sin(angles))) * radii[:, np.newaxis]))
    array, values = np.array(shapes, dtype=object), random.integers(1, 255, 400)
    mask = np.zeros((512, 512), dtype=np.uint8)
    flat = Flat.of(array)
    fill_shapes(mask, values, flat.xy, flat.ends, flat.rings)
    assert np.array_equal(mask, rasterize(zip(shapes, values.tolist(), strict=True), (512, 512), dtype=np.uint8))


def test_far_away_and_huge() -> None:
    far = [box(1e17, 5, 1e18, 9), box(-1e18, -1e18, 1e18, 1e18), box(5, 1e9, 9, 1e10), Polygon()]
    assert np.array_equal(ours(far, [1, 2, 3, 4]), np.full((HEIGHT, WIDTH), 2))


def test_the_first_masks_and_the_later_ones_are_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    shapes = np.array([box(3, 4, 20.5, 30), Polygon([(1, 1), (40, 8), (22, 33)])], dtype=object)
    masks = []
    for count in (0, burning._FEW):
        monkeypatch.setattr(burning._used, "count", count)
        masks.append(burn(shapes, np.array([300, -1]), (-3, 2, 48, 37), dtype=np.int32, background=-7))
    assert np.array_equal(*masks)
    assert set(np.unique(masks[0])) == {-7, -1, 300}


@settings(max_examples=100)
@given(
    st.lists(
        st.tuples(st.integers(0, 96).map(lambda n: n / 2), st.integers(0, 74).map(lambda n: n / 2)),
        min_size=3,
        max_size=8,
    )
)
def test_counts_are_those_of_the_mask(ring: list[tuple[float, float]]) -> None:
    shape = Polygon(ring)
    mask = gdal([shape], [1])
    counts = encoded(shape)
    assert counts.tolist() == rle.encode(mask).tolist()
    assert np.array_equal(rle.decode(counts, HEIGHT, WIDTH), mask)


@pytest.mark.parametrize(
    "shape", [box(0, 0, WIDTH, HEIGHT), box(0, 0, 1, 1), box(3, 0, 9, HEIGHT), box(47, 36, 48, 37), box(0, 4, 48, 5)]
)
def test_counts_at_the_edges(shape: Polygon) -> None:
    assert encoded(shape).tolist() == rle.encode(gdal([shape], [1])).tolist()


def test_many_at_once_are_each_alone_and_as_the_slow_way_has_them() -> None:
    lot = np.random.default_rng(4)
    rings = [box(x, y, x + 90 * lot.random(), y + 70 * lot.random()) for x, y in lot.uniform(0, 400, (60, 2))]
    holed = [ring.difference(ring.centroid.buffer(3)) for ring in rings]
    shapes = [*holed, MultiPolygon([holed[0], box(480, 480, 511.5, 512)]), holed[1], *rings[:3]]
    shapes = [shapely.intersection(shape, box(0, 0, 512, 512)) for shape in shapes]
    fast = encode_many(np.array(shapes, dtype=object), 512, 512)
    slow = [rle.compress(rle.encode(rasterize([(shape, 1)], (512, 512), dtype=np.uint8))) for shape in shapes]
    assert fast == slow
