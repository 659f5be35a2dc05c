"""Boxes of other CRSs on labels of a project, on both databases."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import shapely

from geolabel.geo import crs as crs_
from geolabel.geo.areas import areas_of

if TYPE_CHECKING:
    from geolabel.store import Store


@pytest.mark.parametrize("crs", ["OGC:CRS84", "EPSG:3857", "EPSG:3413"])
def test_a_box_of_another_crs_is_counted_by_the_index_and_exactly_at_its_edge(filled: Store, crs: str) -> None:
    everything = filled.query("fields")
    extent = filled.extent("fields")
    assert extent is not None
    x0, y0, x1, y1 = crs_.bounds_to(extent, "EPSG:32616", crs)
    random = np.random.default_rng(7)
    seen = crs_.transform_geometries(np.array([a.geometry for a in everything], dtype=object), "EPSG:32616", crs)
    for _ in range(25):
        (left, right), (low, high) = np.sort(random.uniform((x0, y0), (x1, y1), (2, 2)), axis=0).T
        box = float(left), float(low), float(right), float(high)
        areas = areas_of([box], crs, "EPSG:32616", extent)
        expected = [a.id for a, hit in zip(everything, shapely.intersects(shapely.box(*box), seen), strict=True) if hit]
        assert [a.id for a in filled.query("fields", areas=areas)] == expected
        assert filled.count("fields", areas=areas) == len(expected)
    halves = areas_of([(x0, y0, (x0 + x1) / 2, y1), ((x0 + x1) / 2, y0, x1, y1)], crs, "EPSG:32616", extent)
    assert filled.count("fields", areas=halves) == len(filled.query("fields", areas=halves)) == len(everything)
