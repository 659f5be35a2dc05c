from __future__ import annotations

import numpy as np
import pytest

from tiles.errors import InvalidParameter
from tiles.look import Colormap, Look, colorize, make_look, named, saturate
from tiles.read import Pixels
from tiles.render import paint


def gray(values: list[int]) -> Pixels:
    data = np.array([[values]], dtype=np.uint8)
    return Pixels(data, np.full(data.shape[1:], 255, np.uint8))


def shown(look: Look, values: list[int]) -> list[int]:
    return paint(gray(values), stretch=None, palette=None, look=look)[0, :, 0].tolist()


def test_the_defaults_change_nothing() -> None:
    assert Look().table() is None
    assert shown(Look(), [0, 17, 255]) == [0, 17, 255]


def test_gamma_brightness_and_contrast() -> None:
    assert shown(Look(gamma=2), [0, 64, 255]) == [0, 128, 255]
    assert shown(Look(gamma=0.5), [0, 128, 255]) == [0, 64, 255]
    assert shown(Look(brightness=0.2), [0, 100, 255]) == [51, 151, 255]
    assert shown(Look(contrast=1), [0, 127, 128, 255]) == [0, 0, 255, 255]
    assert shown(Look(contrast=-1), [0, 127, 255]) == [128, 128, 128]


def test_saturation_keeps_gray_and_luminance() -> None:
    colors = np.array([[[200]], [[100]], [[50]]], np.uint8)
    assert saturate(colors, 0).ravel().tolist() == [200, 100, 50]
    none = saturate(colors, -1).ravel()
    assert set(none.tolist()) == {round(0.2126 * 200 + 0.7152 * 100 + 0.0722 * 50)}
    assert saturate(np.full((3, 1, 1), 99, np.uint8), 1).ravel().tolist() == [99, 99, 99]


def test_stops_mix_between_values_and_stay_beyond() -> None:
    look = make_look({"colormap": '{"1": "#ffffff", "-1": "#000000", "0": "#ff000080"}'})
    assert look.colormap == Colormap(stops=((-1, (0, 0, 0, 255)), (0, (255, 0, 0, 128)), (1, (255, 255, 255, 255))))
    colors = colorize(np.array([[-9, -0.5, 0, 1, 9]]), look.colormap.stops)
    assert colors[0].tolist() == [
        [0, 0, 0, 255],
        [128, 0, 0, 192],
        [255, 0, 0, 128],
        [255, 255, 255, 255],
        [255, 255, 255, 255],
    ]


def test_a_named_map_hides_what_the_mask_hides() -> None:
    pixels = Pixels(np.array([[[0, 255, 7]]], np.uint8), np.array([[255, 255, 0]], np.uint8))
    painted = paint(pixels, stretch=None, palette=None, look=make_look({"colormap": "Viridis"}))
    assert painted[0, 0].tolist() == named("viridis")[0].tolist()
    assert painted[0, 1].tolist() == named("viridis")[255].tolist()
    assert painted[0, 2].tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"gamma": "nan"}, "gamma cannot be used: expected a number from 0.1 to 10"),
        ({"contrast": "2"}, "contrast cannot be used: expected a number from -1 to 1; got '2'"),
        ({"saturation": "x"}, "saturation cannot be used"),
        ({"colormap": "../etc"}, "there is no color map '../etc'"),
        ({"colormap": "{"}, "expected stops like"),
        ({"colormap": "{}"}, "1 to 512 of them; got 0"),
        ({"colormap": '{"a": "#000000"}'}, "expected stops like"),
        ({"colormap": '{"1": "red"}'}, "expected stops like"),
        ({"colormap": '{"1": [1, 2]}'}, "expected stops like"),
        ({"colormap": '{"nan": "#000000"}'}, "expected stops like"),
        ({"colormap": "[" * 100_000}, "there is no color map"),
        ({"colormap": '{"a":' * 100_000}, "expected stops like"),
    ],
)
def test_what_cannot_be_used_is_said(given: dict[str, str], sentence: str) -> None:
    with pytest.raises(InvalidParameter, match=sentence):
        make_look(given)
