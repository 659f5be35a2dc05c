"""Pooled tiles: in a crowd, labels too small to be told apart are a picture, and the picture is true."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import mapbox_vector_tile
import numpy as np
import pyogrio
import pytest
import shapely
from PIL import Image

from geolabel.labeltiles.format import MOST_BYTES
from geolabel.labeltiles.layer import make_layer
from geolabel.labeltiles.placing import place
from geolabel.labeltiles.tile import draw_picture, encode_tile
from tests.labeltiles.conftest import UNITS

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from geolabel.labeltiles.layer import Layer
    from tests.labeltiles.conftest import Box, Kit

CLASSES, STATUSES = ["field", "wood", "water"], ["labelled", "suggested"]
COLORS = {"field": "#ff0000", "wood": "#00ff00", "water": "#0000ff"}
SIDE = 120
HERE: Box = (0.0, 0.0, 4096.0, 4096.0)


def boxes(left: Any, top: Any, right: Any, bottom: Any) -> NDArray[Any]:
    found: NDArray[Any] = shapely.box(*np.broadcast_arrays(left, top, right, bottom))
    return found


def layer_of(shapes: Any, classes: Any, statuses: Any = 0) -> Layer:
    count = len(shapes)
    numbers = (np.broadcast_to(np.asarray(n, dtype=np.int32), count) for n in (classes, statuses))
    return make_layer([place(np.array(shapes), np.arange(1, count + 1), *numbers, crs="EPSG:3857", matrices=UNITS)])


def grid(step: float) -> NDArray[np.float64]:
    """Corners of SIDE by SIDE labels."""
    return np.stack(np.meshgrid(np.arange(SIDE), np.arange(SIDE)), axis=-1).reshape(-1, 2) * step


def tile_of(layer: Layer, box: Box = HERE) -> dict[str, list[dict[str, Any]]]:
    tile = encode_tile(layer, box, classes=CLASSES, statuses=STATUSES, pooled=True)
    assert len(tile) <= MOST_BYTES
    return {name: found["features"] for name, found in mapbox_vector_tile.decode(tile).items()}


def picture_of(layer: Layer, box: Box = HERE, **asked: Any) -> NDArray[np.int64] | None:
    """Red, green, blue and alpha (rows from the top); None when there is no picture."""
    data = draw_picture(layer, box, classes=CLASSES, statuses=STATUSES, colors=COLORS, **asked)
    return np.asarray(Image.open(io.BytesIO(data))).astype(np.int64) if data else None


def covered(corners: NDArray[np.float64], sides: NDArray[np.float64], cell: int) -> NDArray[np.float64]:
    """What boxes cover of each cell, 0..1 and more where they overlap; corners are the upper left ones, y down."""
    edges = np.arange(4096 // cell) * cell
    lengths = [
        np.minimum(corners[:, i, None] + sides[:, None], edges + cell) - np.maximum(corners[:, i, None], edges)
        for i in (0, 1)
    ]
    area: NDArray[np.float64] = np.einsum("ny,nx->yx", lengths[1].clip(0), lengths[0].clip(0))
    return area / cell**2


def test_few_labels_are_drawn_one_by_one(kit: Kit) -> None:
    layer = layer_of(shapely.box([10, 500, 4090], [10, 500, 10], [30, 900, 4120], [30, 900, 30]), [0, 1, 2])
    tile = tile_of(layer)
    plain = encode_tile(layer, kit.box, classes=CLASSES, statuses=STATUSES)
    assert tile["labels"] == mapbox_vector_tile.decode(plain)["labels"]["features"]
    (count,) = tile["count"]
    assert count["properties"] == {"labels": 2, "pooled": 0}  # the middle of the third lies in the next tile
    assert count["geometry"]["coordinates"] == [2048, 2048]
    assert picture_of(layer) is None


@pytest.mark.parametrize(("number", "largest"), [(9000, 30), (60_000, 12)])
def test_a_picture_is_as_dense_as_its_labels(number: int, largest: int) -> None:
    rng = np.random.default_rng(number)
    sides = rng.uniform(0.5, largest, number)
    corners = rng.uniform(0, 4096 - sides[:, None], (number, 2))
    classes = (corners[:, 0] > 2048).astype(int) + (corners[:, 1] > 2048)
    (left, top), (right, bottom) = corners.T, (corners + sides[:, None]).T
    layer = layer_of(shapely.box(left, 4096 - bottom, right, 4096 - top), classes)
    tile = tile_of(layer)
    assert set(tile) == {"count"}
    assert tile["count"][0]["properties"] == {"labels": number, "pooled": number}
    drawn = picture_of(layer)
    assert drawn is not None
    by_class = np.stack([covered(corners[classes == c], sides[classes == c], 16) for c in range(3)])
    exact = by_class.sum(axis=0)
    # Nothing is empty where a label is, and nothing is drawn where none is: but for labels thinner than a unit.
    assert ((drawn[..., 3] > 0) == (exact > 0)).mean() > 0.995
    here = exact > 0.01
    assert np.abs(drawn[..., 3] - (0.3 + 0.35 * exact.clip(0, 1)) * 255)[here].max() < 3
    first, second = np.sort(by_class, axis=0)[-1:-3:-1]
    clear = first > second + 0.01
    assert (drawn[..., :3].argmax(axis=-1) == by_class.argmax(axis=0))[clear].all()
    assert (drawn[..., :3].sum(axis=-1) == 255)[here].all()


def test_large_labels_and_points_stay_themselves_in_a_crowd() -> None:
    rng = np.random.default_rng(3)
    at = rng.uniform(100, 4000, (9000, 2))
    small = boxes(at[:, 0], at[:, 1], at[:, 0] + 9, at[:, 1] + 9)
    large = boxes(np.arange(50) * 80, 0, np.arange(50) * 80 + 70, 64)
    points = shapely.points(rng.uniform(0, 4096, (40, 2)))
    tile = tile_of(layer_of(np.concatenate([small, large, points]), 0))
    assert {f["id"] for f in tile["labels"]} == set(range(9001, 9091))
    assert tile["count"][0]["properties"] == {"labels": 9090, "pooled": 9000}


def test_holes_are_not_covered_and_lines_take_their_width() -> None:
    at = grid(32) + 16
    frames = [shapely.box(x, y, x + 16, y + 16).difference(shapely.box(x + 1, y + 1, x + 15, y + 15)) for x, y in at]
    drawn = picture_of(layer_of(frames, 0))
    assert drawn is not None
    assert set(np.unique(drawn[..., 3])) == {0, round((0.3 + 0.35 * 60 / 256) * 255)}
    drawn = picture_of(layer_of([shapely.LineString([(x, y + 8), (x + 16, y + 8)]) for x, y in at], 1))
    assert drawn is not None
    assert set(np.unique(drawn[..., 3])) == {0, round((0.3 + 0.35 * 0.75) * 255)}  # 1.5 of 2 pixels
    assert (drawn[..., 3] > 0).sum() == len(at)


def test_suggestions_are_fainter_in_a_crowd() -> None:
    at = grid(32)
    statuses = (at[:, 0] >= 2048).astype(int)
    drawn = picture_of(layer_of(boxes(at[:, 0], at[:, 1], at[:, 0] + 32, at[:, 1] + 32), 2, statuses))
    assert drawn is not None
    assert set(drawn[30:, :120, 3].ravel()) == {round(0.65 * 255)}
    assert set(drawn[30:, 132:240, 3].ravel()) == {round(0.65 * 127.5)}


def test_what_is_hidden_gives_room_to_what_lies_beside_it() -> None:
    """A small label in a cell that others take most of shows as soon as those are hidden."""
    at = grid(32)
    fields = boxes(at[:, 0], at[:, 1], at[:, 0] + 24, at[:, 1] + 24)
    wells = boxes(at[:, 0] + 24, at[:, 1], at[:, 0] + 28, at[:, 1] + 4)
    layer = layer_of(np.concatenate([fields, wells]), np.repeat([0, 2], len(at)))
    both, alone = picture_of(layer), picture_of(layer, hidden=["field"])
    assert both is not None
    assert alone is not None
    assert (both[..., 2] > 0).sum() < len(at)
    assert (alone[..., 2] > 0).sum() == len(at)
    assert alone[..., 0].max() == 0
    assert picture_of(layer, hidden=["field", "water"]) is None


def test_what_crosses_the_edge_of_a_tile_is_drawn_on_both_sides() -> None:
    ys = np.arange(9000) / 9000 * 4000
    layer = layer_of(boxes(4080, ys, 4112, ys + 30), 0)
    sides: tuple[Box, Box] = (HERE, (4096.0, 0.0, 8192.0, 4096.0))
    left, right = (picture_of(layer, box) for box in sides)
    assert left is not None
    assert right is not None
    assert (left[10:-10, -1, 3] == right[10:-10, 0, 3]).all()
    assert (left[10:-10, -1, 3] > 0).all()
    assert sum(tile_of(layer, box)["count"][0]["properties"]["labels"] for box in sides) == 9000


def test_many_classes_and_classes_that_are_gone() -> None:
    rng = np.random.default_rng(5)
    names = [f"class {i}" for i in range(300)]
    at = rng.uniform(0, 4090, (50_000, 2))
    layer = layer_of(boxes(at[:, 0], at[:, 1], at[:, 0] + 6, at[:, 1] + 6), rng.integers(0, 300, 50_000))
    data = draw_picture(layer, HERE, classes=names, statuses=STATUSES, colors={})
    drawn = np.asarray(Image.open(io.BytesIO(data)))
    assert drawn.shape == (128, 128, 4)
    assert {tuple(color) for color in drawn[drawn[..., 3] > 0][:, :3]} == {(0x90, 0x98, 0xA3)}


def test_gdal_reads_the_count(tmp_path: Path) -> None:
    at = grid(32)
    layer = layer_of(boxes(at[:, 0], at[:, 1], at[:, 0] + 20, at[:, 1] + 20), 1)
    file = tmp_path / "tile.mvt"
    file.write_bytes(encode_tile(layer, HERE, classes=CLASSES, statuses=STATUSES, pooled=True))
    found = pyogrio.read_dataframe(f"MVT:{file}", layer="count")
    assert found[["labels", "pooled"]].to_numpy().tolist() == [[SIDE**2, SIDE**2]]
