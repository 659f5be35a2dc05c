"""`tiles.warp` alone: how exactly positions are interpolated, and that parts of an output meet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tiles import warp

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIZE = 256
BOUNDS = (0.0, 0.0, float(SIZE), float(SIZE))


def bent(by: float) -> warp.Locator:
    """A smooth way to the raster that no projective map follows: off by as many pixels as `by` says, half of it either way."""

    def locate(x: NDArray[Any], y: NDArray[Any], /) -> NDArray[np.float64]:
        right, down = x / SIZE, 1 - y / SIZE
        across, along = right * (1 - right), down * (1 - down)
        return np.stack([20 + 1.1 * SIZE * right + by * along, 20 + 1.1 * SIZE * down + by * across])

    return locate


def positions(moved: warp.Warp) -> NDArray[np.float64]:
    """(2, size, size) as pixels that carry their own position are brought there."""
    columns, rows = np.meshgrid(np.arange(400, dtype=np.float32), np.arange(400, dtype=np.float32))
    # Four channels: of two, OpenCV interpolates positions between 32 steps only.
    there = moved.bring(np.stack([columns, rows, columns, rows], axis=-1), "bilinear")
    return there[..., :2].transpose(2, 0, 1).astype(np.float64) + 0.5


def expected(locate: warp.Locator) -> NDArray[np.float64]:
    middles = np.arange(SIZE) + 0.5
    x, y = np.meshgrid(middles, SIZE - middles)
    return locate(x, y)


def sampled(plane: NDArray[Any], columns: NDArray[np.float64], rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Bilinear between four pixels, in double precision; whole numbers are pixel centres."""
    left, top = np.floor(columns).astype(int), np.floor(rows).astype(int)
    right, down = columns - left, rows - top
    above = plane[top, left] * (1 - right) + plane[top, left + 1] * right
    below = plane[top + 1, left] * (1 - right) + plane[top + 1, left + 1] * right
    there: NDArray[np.float64] = above * (1 - down) + below * down
    return there


@pytest.mark.parametrize(("by", "parts"), [(0.0, 1), (0.04, 1), (0.15, 2), (0.6, 4)])
@pytest.mark.parametrize("samples", [1, 2])
def test_as_few_projective_maps_as_the_bound_allows(by: float, parts: int, samples: int) -> None:
    locate = bent(by)
    moved = warp.make_warp(warp.cast(locate, BOUNDS, SIZE), (1, 1), (0, 0), samples)
    assert moved.maps is not None
    assert len(moved.maps) == parts
    # The bound itself, and what single precision makes of it.
    assert np.hypot(*(positions(moved) - expected(locate))).max() <= warp.TOLERANCE + 1e-3


def test_what_bends_more_is_a_net() -> None:
    locate = bent(20.0)
    moved = warp.make_warp(warp.cast(locate, BOUNDS, SIZE), (1, 1), (0, 0))
    assert moved.maps is None
    assert np.hypot(*(positions(moved) - expected(locate))).max() <= 0.05


@pytest.mark.parametrize("by", [0.04, 0.15, 0.6, 20.0])
@pytest.mark.parametrize("kind", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("channels", [1, 3, 4, 6])
def test_every_part_is_in_its_place(by: float, kind: str, channels: int) -> None:
    made = np.random.default_rng(7).integers(0, 250, (400, 400, channels)).astype(kind)
    # Smooth, so that a hundredth of a pixel is less than a level.
    made = np.cumsum(np.cumsum(made.astype(float) / 250, axis=0), axis=1)
    made = (made / made.max() * 240).astype(kind)
    locate = bent(by)
    there = warp.make_warp(warp.cast(locate, BOUNDS, SIZE), (1, 1), (0, 0)).bring(made, "bilinear")
    columns, rows = expected(locate) - 0.5
    for channel in range(channels):
        ours = there[..., channel] if channels > 1 else there
        assert abs(ours - sampled(made[..., channel].astype(float), columns, rows)).max() <= 1.1


@pytest.mark.parametrize("by", [0.04, 0.15, 0.6])
def test_inside_is_the_same_in_parts(by: float) -> None:
    locate = bent(by)
    moved = warp.make_warp(warp.cast(locate, BOUNDS, SIZE), (1, 1), (0, 0))
    box = (100.3, 60.7, 250.2, 290.9)
    columns, rows = expected(locate)
    left, top, right, bottom = box
    inside = (columns > left) & (columns < right) & (rows > top) & (rows < bottom)
    near = np.min([abs(columns - left), abs(columns - right), abs(rows - top), abs(rows - bottom)], axis=0) < 0.02
    assert ((moved.inside(box) > 0) == inside)[~near].all()
    assert inside.any()


def test_pixels_that_are_the_rasters_own_are_copied() -> None:
    def locate(x: NDArray[Any], y: NDArray[Any], /) -> NDArray[np.float64]:
        return np.stack([x + 30, SIZE - y + 40])

    moved = warp.make_warp(warp.cast(locate, BOUNDS, SIZE), (1, 1), (10, 15))
    assert moved.shift == (20, 25)
    made = np.random.default_rng(3).integers(0, 255, (300, 290, 3)).astype("uint8")
    assert (moved.bring(made, "bilinear") == made[25 : 25 + SIZE, 20 : 20 + SIZE]).all()
