"""Edits laid over a packed layer, and shapes of a million vertices."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import Polygon

from geolabel.labeltiles.format import MOST_BYTES
from geolabel.labeltiles.layer import make_layer
from geolabel.labeltiles.shapes import NOTHING, join, largest
from geolabel.labeltiles.tree import pack

if TYPE_CHECKING:
    from conftest import Kit

    from geolabel.labeltiles.shapes import Shapes


def squares(kit: Kit, ids: list[int], seed: int) -> Shapes:
    rng = np.random.default_rng(seed)
    low = rng.uniform(0, 4000, (len(ids), 2))
    size = rng.uniform(1, 300, (len(ids), 2))
    return kit.layer_of(list(shapely.box(*low.T, *(low + size).T)), ids=ids).shapes if ids else NOTHING


edits = st.lists(
    st.tuples(st.sets(st.integers(1, 60), max_size=5), st.sets(st.integers(1, 60), max_size=5)), max_size=8
)


@given(edits)
@settings(max_examples=30)
def test_an_edited_layer_draws_what_a_fresh_one_draws(kit: Kit, edits: list[tuple[set[int], set[int]]]) -> None:
    """Byte for byte: another process, which did not see the edits one by one, gives the same tile the same ETag."""
    now = {i: squares(kit, [i], i) for i in range(1, 40)}
    layer = make_layer([now[i] for i in sorted(now)])
    layers = [(layer, kit.draw(layer))]
    for turn, (gone, changed) in enumerate(edits):
        for number in gone:
            now.pop(number, None)
        come = {i: squares(kit, [i], 1000 * turn + i) for i in sorted(changed)}
        now |= come
        layer = layer.changed(np.array(sorted(gone | changed), dtype=np.int64), join(list(come.values())))
        layers.append((layer, kit.draw(make_layer([now[i] for i in sorted(now)]))))
        assert len(layer) == len(now)
    for layer, expected in layers:  # and those before the edits still draw what was
        assert kit.draw(layer) == expected


def test_many_edits_are_packed_in_between(kit: Kit) -> None:
    layer = make_layer([squares(kit, list(range(1, 101)), 0)])
    before = layer.tree
    for turn in range(4):
        ids = list(range(1 + 500 * turn, 501 + 500 * turn))
        layer = layer.changed(np.array(ids), squares(kit, ids, turn))
    assert layer.tree is not before
    assert len(layer) == 2000
    assert set(kit.decode(kit.draw(layer))) <= set(range(1, 2001))


@given(st.integers(0, 2**32 - 1), st.integers(0, 2000))
@settings(max_examples=30)
def test_the_tree_finds_what_a_look_at_every_box_finds(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    low = rng.uniform(0, 1000, (count, 2))
    boxes = np.column_stack([low, low + 10 ** rng.uniform(-2, 2.5, (count, 2))])
    tree = pack(boxes)
    for _ in range(5):
        x, y = rng.uniform(-100, 1100, 2)
        w, h = 10 ** rng.uniform(-1, 3.2, 2)
        window = (x, y, x + w, y + h)
        meets = (
            (boxes[:, 0] <= window[2])
            & (boxes[:, 2] >= window[0])
            & (boxes[:, 1] <= window[3])
            & (boxes[:, 3] >= window[1])
        )
        assert sorted(tree.find(window).tolist()) == np.flatnonzero(meets).tolist()


def test_the_largest_are_kept_where_there_is_no_room_for_all(kit: Kit) -> None:
    shapes = squares(kit, list(range(1, 1001)), 3)
    kept = largest([shapes], shapes.nbytes // 4)
    assert 100 < len(kept) < 400
    assert kept.nbytes <= shapes.nbytes // 3
    assert (np.diff(kept.ids) > 0).all()
    sides = np.hypot(*(shapes.boxes[:, 2:] - shapes.boxes[:, :2]).T)
    assert sides[kept.ids - 1].min() >= sides[np.setdiff1d(np.arange(1000), kept.ids - 1)].max()


def coast(vertices: int, noise: float) -> Polygon:
    """A closed line of many vertices around (500000, 5300000), 8 km in radius."""
    rng = np.random.default_rng(1)
    angle = np.linspace(0, 2 * math.pi, vertices, endpoint=False)
    radius = 8000 * (1 + 0.1 * np.sin(7 * angle) + noise * rng.random(vertices))
    return Polygon(np.column_stack([500_000 + radius * np.cos(angle), 5_300_000 + radius * np.sin(angle)]))


@pytest.mark.parametrize("vertices", [50_000, 1_000_000])
@pytest.mark.parametrize("noise", [0.0, 1e-4, 0.1])
def test_the_tiles_of_a_very_large_polygon_are_small_and_quick(kit: Kit, vertices: int, noise: float) -> None:
    shape = coast(vertices, noise)
    started = time.thread_time()
    layer = kit.layer_of([shape], crs="EPSG:32633", matrices=kit.web)
    assert time.thread_time() - started < 10.0
    kit.draw(layer, kit.web.box(20, 0, 0))  # compiled by now
    box = layer.shapes.boxes[0]
    edge = layer.shapes.xy[len(layer.shapes.xy) // 3]
    half = 20_037_508.342789244
    for z in (0, 4, 8, 9, 10, 11, 12, 13, 14, 16, 18, 20, 22, 24):
        for x, y in (((box[0] + box[2]) / 2, (box[1] + box[3]) / 2), edge):
            column, row = int((x + half) / (2 * half) * 2**z), int((half - y) / (2 * half) * 2**z)
            place = kit.web.box(z, column, row)
            started = time.thread_time()  # of the processor: the machine may be busy
            tile = kit.draw(layer, place)
            assert time.thread_time() - started < 0.5, z
            assert len(tile) <= MOST_BYTES
            assert z < 8 or len(tile) > 40, z  # it is there
