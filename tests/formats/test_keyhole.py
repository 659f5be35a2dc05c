from __future__ import annotations

import numpy as np
import pytest
import rasterio.features
import shapely
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import Polygon, box

from geolabel.formats.keyhole import keyhole


def shoelace(ring: np.ndarray) -> float:
    x, y = ring.T
    return 0.5 * float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))


@st.composite
def cheeses(draw: st.DrawFn) -> Polygon:
    """A polygon with holes in some cells of a grid, each of another shape."""
    angles = np.linspace(0, 2 * np.pi, draw(st.integers(8, 24)), endpoint=False) + draw(st.floats(0, 1))
    outline = Polygon(np.column_stack((50 + 50 * np.cos(angles), 50 + 50 * np.sin(angles))))
    holes = []
    for col in range(5):
        for row in range(5):
            if draw(st.booleans()):
                x, y = 20 + 13 * col + draw(st.floats(0, 2)), 20.137 + 13 * row + draw(st.sampled_from([0.0, 0.7, 1.9]))
                hole = Polygon([(x, y), (x + 9, y + draw(st.floats(0, 3))), (x + 7, y + 8), (x + 1, y + 9)])
                if outline.buffer(-1).covers(hole):
                    holes.append(hole.exterior)
    return Polygon(outline.exterior, holes)


@given(cheese=cheeses())
def test_the_one_ring_covers_the_same_ground(cheese: Polygon) -> None:
    ring = keyhole(cheese)
    assert shoelace(ring) == pytest.approx(cheese.area, rel=1e-9)
    # Even-odd filling by GDAL, which takes any ring: the same pixels (no bridge runs through pixel centres here, which
    # GDAL would burn).
    size = (110, 110)
    assert np.array_equal(
        rasterio.features.rasterize([Polygon(ring)], out_shape=size),
        rasterio.features.rasterize([cheese], out_shape=size),
    )
    vertices = shapely.get_coordinates(cheese)
    assert {tuple(v) for v in vertices} <= {tuple(v) for v in ring}


def test_a_polygon_without_holes_is_its_outline() -> None:
    assert Polygon(keyhole(box(0, 0, 3, 2))).equals(box(0, 0, 3, 2))
