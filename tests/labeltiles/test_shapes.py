"""Shapes of all sorts against shapely: clipped, rounded to the grid, and no gap between neighbours."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from shapely import affinity
from shapely.geometry import LineString, MultiLineString, MultiPoint, MultiPolygon, Polygon

from geolabel.labeltiles.format import MOST_BYTES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conftest import Kit
    from shapely.geometry.base import BaseGeometry

seeds = st.integers(0, 2**32 - 1)


def star(rng: np.random.Generator, corners: int, radius: float) -> Polygon:
    """A ragged polygon around the origin, half of the time with a hole."""
    angles = np.sort(rng.random(corners)) * 2 * math.pi
    outer = rng.uniform(0.5, 1.0, corners) * radius
    ring = np.column_stack([np.cos(angles), np.sin(angles)]) * outer[:, None]
    holes = [ring[::-1] * 0.3] if rng.random() < 0.5 else []
    return Polygon(ring, holes)


def random_shape(seed: int) -> BaseGeometry:
    """One to three ragged polygons in, across and around the tile."""
    rng = np.random.default_rng(seed)
    parts = []
    for _ in range(rng.integers(1, 4)):
        part = star(rng, int(rng.integers(3, 40)), float(10 ** rng.uniform(0.5, 4.2)))
        parts.append(affinity.translate(part, *rng.uniform(-2000, 6000, 2)))
    whole = shapely.union_all([shapely.make_valid(part) for part in parts])
    polygons = [g for g in shapely.get_parts(whole) if g.geom_type == "Polygon"]
    return polygons[0] if len(polygons) == 1 else MultiPolygon(polygons)


@given(seeds)
def test_polygons_are_clipped_and_rounded_as_shapely_says(kit: Kit, seed: int) -> None:
    wanted = random_shape(seed)
    drawn = kit.decode(kit.draw(kit.layer_of([wanted])))
    kit.assert_within_a_unit(drawn.get(1, Polygon()), wanted.intersection(kit.clip))


@given(seeds, st.integers(0, 24))
def test_the_same_at_every_zoom_and_place_of_the_earth(kit: Kit, seed: int, zoom: int) -> None:
    rng = np.random.default_rng(seed)
    size = 40_075_016.686 / 2**zoom
    column, row = rng.integers(0, 2**zoom, 2).tolist()
    box = kit.web.box(zoom, column, row)
    shape = random_shape(seed)
    on_map = affinity.affine_transform(shape, [size / 4096, 0, 0, size / 4096, box[0], box[1]])
    half = shapely.box(-20_037_508.34, -20_037_508.34, 20_037_508.34, 20_037_508.34)
    on_map = on_map.intersection(half)  # what goes beyond comes back on the other side
    on_map = MultiPolygon([g for g in shapely.get_parts(on_map) if g.geom_type == "Polygon"])
    if on_map.is_empty:
        return
    drawn = kit.decode(kit.draw(kit.layer_of([on_map], matrices=kit.web), box))
    kit.assert_within_a_unit(drawn.get(1, Polygon()), kit.in_tile(on_map, box).intersection(kit.clip))


@given(seeds)
def test_lines_are_clipped_and_rounded_as_shapely_says(kit: Kit, seed: int) -> None:
    rng = np.random.default_rng(seed)
    lines = [
        LineString(rng.uniform(-3000, 7000, 2) + np.cumsum(rng.normal(0, 10 ** rng.uniform(0, 3.3), (n, 2)), axis=0))
        for n in rng.integers(2, 30, rng.integers(1, 4))
    ]
    drawn = kit.decode(kit.draw(kit.layer_of([MultiLineString(lines)])))
    wanted = MultiLineString(lines).intersection(kit.clip)
    line = drawn.get(1, LineString())
    # At the edge of the clipping square both the vertices and the point between them are rounded.
    assert line.difference(wanted.buffer(1.3)).length < 1e-6
    # A piece that is shorter than the grid may be a point there, which no line can be.
    inside = wanted.intersection(shapely.box(-60, -60, 4156, 4156))
    assert inside.difference(line.buffer(1.0)).length <= 2.0 * max(len(shapely.get_parts(inside)), 1)


@given(seeds)
def test_points_go_to_the_nearest_unit(kit: Kit, seed: int) -> None:
    rng = np.random.default_rng(seed)
    xy = rng.uniform(-200, 4300, (20, 2))
    drawn = kit.decode(kit.draw(kit.layer_of([MultiPoint(xy)])))
    rounded = np.column_stack([np.floor(xy[:, 0] + 0.5), 4096 - np.floor(4096 - xy[:, 1] + 0.5)])
    inside = ((rounded >= -64) & (rounded <= 4160)).all(axis=1)
    assert shapely.get_coordinates(drawn[1]).tolist() == rounded[inside].tolist()


def parcels(rng: np.random.Generator, count: int, span: float) -> list[Polygon]:
    """A mosaic without gaps in the middle of the tile."""
    points = shapely.multipoints(rng.random((count, 2)) * span + 2048 - span / 2)
    frame = shapely.box(*(2048 - span / 2,) * 2, *(2048 + span / 2,) * 2)
    cells = shapely.get_parts(shapely.voronoi_polygons(points, extend_to=frame))
    found = [p for c in cells for p in shapely.get_parts(shapely.intersection(c, frame)) if p.area]
    assert shapely.coverage_is_valid(np.array(found, dtype=object))
    return found


def gaps_and_overlaps(kit: Kit, drawn: Sequence[BaseGeometry], within: BaseGeometry) -> tuple[float, float]:
    valid = [kit.mended(d) for d in drawn]
    together = shapely.union_all(valid)
    return within.difference(together).area, sum(v.area for v in valid) - together.area


@pytest.mark.parametrize("span", [20_000, 5000, 1000, 300, 100, 30, 10, 3])
def test_no_gap_opens_in_a_mosaic_at_any_zoom(kit: Kit, span: float) -> None:
    """The same parcels from where one fills the tile to where all of them are three units wide."""
    mosaic = parcels(np.random.default_rng(5), 1000, 2000)
    scale = span / 2000
    shapes = [affinity.scale(p, scale, scale, origin=(2048, 2048)) for p in mosaic]
    tile = kit.draw(kit.layer_of(shapes))
    frame = shapely.box(*(2048 - span / 2,) * 2, *(2048 + span / 2,) * 2)
    gap, overlap = gaps_and_overlaps(kit, list(kit.decode(tile).values()), frame.intersection(kit.clip).buffer(-1.0))
    assert gap < 1e-6
    # Rounding may fold a corner over its neighbour: less than a unit here and there.
    assert overlap < 2.0


def test_a_mosaic_too_dense_for_a_tile_is_coarser_and_has_no_gap(kit: Kit) -> None:
    mosaic = parcels(np.random.default_rng(6), 15_000, 4000)
    tile = kit.draw(kit.layer_of(mosaic))
    assert len(tile) <= MOST_BYTES
    drawn = kit.decode(tile)
    assert len(drawn) > 5000
    step = min(np.gcd.reduce(shapely.get_coordinates(list(drawn.values())).astype(int).ravel()), 64)
    assert step > 1
    frame = shapely.box(48, 48, 4048, 4048).buffer(-float(step))
    gap, overlap = gaps_and_overlaps(kit, list(drawn.values()), frame)
    # A parcel as small as a cell of the grid may be folded: a cell here and there.
    assert gap < frame.area * 1e-3
    assert overlap < frame.area * 1e-3


def test_neighbours_meet_across_the_edge_of_a_tile(kit: Kit) -> None:
    """Both tiles put the vertices of a shape on the same grid."""
    shape = affinity.translate(star(np.random.default_rng(3), 200, 700.0), 4096, 2000)
    layer = kit.layer_of([shape])
    left, right = (kit.mended(kit.decode(kit.draw(layer, box))[1]) for box in (kit.box, (4096.0, 0.0, 8192.0, 4096.0)))
    both = shapely.union_all(
        [
            left.intersection(shapely.box(0, 0, 4096, 4096)),
            affinity.translate(right, 4096, 0).intersection(shapely.box(4096, 0, 8192, 4096)),
        ]
    )
    kit.assert_within_a_unit(both, shape.intersection(shapely.box(0, 0, 8192, 4096)))


def test_small_shapes_go_and_their_share_of_the_ground_stays(kit: Kit) -> None:
    """Buildings far below a unit: a few are drawn as a unit, in all about as large as all of them."""
    rng = np.random.default_rng(7)
    corners = rng.uniform(0, 4000, (100_000, 2))
    side = 0.3
    shapes = shapely.box(corners[:, 0], corners[:, 1], corners[:, 0] + side, corners[:, 1] + side)
    tile = kit.draw(kit.layer_of(list(shapes)))
    assert len(tile) <= MOST_BYTES
    drawn = sum(g.area for g in kit.decode(tile).values())
    assert drawn == pytest.approx(100_000 * side**2, rel=0.1)


def test_of_a_crowd_of_points_some_are_drawn(kit: Kit) -> None:
    rng = np.random.default_rng(8)
    points = list(shapely.points(rng.uniform(0, 4096, (100_000, 2))))
    tile = kit.draw(kit.layer_of(points))
    assert MOST_BYTES / 4 < len(tile) <= MOST_BYTES
    spread = shapely.get_coordinates(list(kit.decode(tile).values()))
    counts, _, _ = np.histogram2d(spread[:, 0], spread[:, 1], bins=8, range=[[0, 4096], [0, 4096]])
    assert counts.min() > 0.5 * counts.mean()


def test_of_large_shapes_one_over_the_other_the_largest_are_drawn(kit: Kit) -> None:
    rng = np.random.default_rng(9)
    shapes = [affinity.translate(star(rng, 60, r), 2048, 2048) for r in np.linspace(200, 2000, 6000)]
    tile = kit.draw(kit.layer_of(shapes))
    assert MOST_BYTES / 4 < len(tile) <= MOST_BYTES
    drawn = set(kit.decode(tile))
    assert 6000 in drawn
    assert min(drawn) > 1000
