from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from tiles.read import Pixels
from tiles.render import FORMATS, Format, empty, encode, paint


def image(content: bytes, mode: str = "RGBA") -> np.ndarray:
    return np.asarray(Image.open(BytesIO(content)).convert(mode))


def pixels(*bands: list[list[float]], mask: list[list[int]], dtype: str = "uint8") -> Pixels:
    return Pixels(np.array(bands, dtype=dtype), np.array(mask, dtype=np.uint8))


def test_bytes_are_shown_as_they_are() -> None:
    painted = paint(pixels([[1, 2]], [[3, 4]], [[5, 6]], mask=[[255, 0]]), stretch=None, palette=None)
    assert painted.tolist() == [[[1, 3, 5, 255], [0, 0, 0, 0]]]


def test_a_stretch_is_linear_rounded_and_clipped() -> None:
    painted = paint(
        pixels([[-5, 100, 150, 200, 999]], mask=[[255] * 5], dtype="int16"), stretch=[(100, 200)], palette=None
    )
    assert painted[0, :, 0].tolist() == [0, 0, 128, 255, 255]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300, -1e300])
def test_a_stretch_survives_what_is_not_a_number(value: float) -> None:
    painted = paint(pixels([[value, 5]], mask=[[255, 255]], dtype="float64"), stretch=[(0, 10)], palette=None)
    assert painted[0, 1].tolist() == [128]
    assert painted[0, 0, 0] in {0, 255}


def test_a_palette_is_looked_up() -> None:
    palette = [(9, 9, 9, 255), (10, 20, 30, 255), (40, 50, 60, 128)]
    painted = paint(pixels([[0, 1, 2, 3]], mask=[[0, 255, 255, 255]]), stretch=None, palette=palette)
    assert painted.tolist() == [[[0, 0, 0, 0], [10, 20, 30, 255], [40, 50, 60, 128], [0, 0, 0, 0]]]


@pytest.mark.parametrize("channels", [2, 4])
def test_png_keeps_every_value(channels: int) -> None:
    painted = np.random.default_rng(1).integers(0, 256, (16, 16, channels), dtype=np.uint8)
    assert (image(encode(painted, "png"), "LA" if channels == 2 else "RGBA") == painted).all()


@pytest.mark.parametrize("fmt", FORMATS)
def test_opaque_images_need_no_alpha(fmt: Format) -> None:
    painted = np.full((8, 8, 4), 255, np.uint8)
    assert Image.open(BytesIO(encode(painted, fmt))).mode == "RGB"


def test_jpeg_is_white_where_there_is_no_data() -> None:
    painted = np.zeros((16, 16, 4), np.uint8)
    painted[:, :8] = (10, 200, 10, 255)
    shown = image(encode(painted, "jpg"), "RGB").astype(int)
    assert abs(shown[:, 12:] - 255).max() < 12
    assert abs(shown[:, :4] - (10, 200, 10)).max() < 30


@pytest.mark.parametrize("size", [256, 512])
@pytest.mark.parametrize("fmt", FORMATS)
def test_the_empty_tile(fmt: Format, size: int) -> None:
    shown = image(empty(fmt, size))
    assert shown.shape == (size, size, 4)
    assert set(np.unique(shown[..., 3])) == ({255} if fmt == "jpg" else {0})
    assert fmt != "jpg" or (shown == 255).all()
    assert empty(fmt, size) is empty(fmt, size)
