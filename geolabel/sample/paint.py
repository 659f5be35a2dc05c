"""The aerial photograph of the demo place, painted from its polygons."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageFilter

from geolabel.sample.cover import CLASS_NAMES, burn_place
from geolabel.sample.place import SIDE
from geolabel.sample.plants import plant
from geolabel.sample.relief import build_relief
from geolabel.sample.surfaces import SURFACES
from geolabel.sample.survey import lay_out

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.random import Generator
    from numpy.typing import NDArray

    from geolabel.sample.place import Patch
    from geolabel.sample.surfaces import Surface

    Plane = NDArray[np.float32]
    Progress = Callable[[float, str], None]

_STRIP = 256
"""Rows that are painted at once: few enough to stay in the processor's cache."""
# What each band (red, green, blue, near infrared) does.
_SHADE = (0.60, 0.55, 0.44, 0.66)
"""Share of the light that is lost in a cast shadow; the sky still gives blue."""
_GROWTH = (-0.7, -0.28, -0.5, 0.7)
"""What more plants do."""
_WARMTH = (0.8, 0.1, -0.8, 0.2)
"""What warmer ground does."""
_SHALLOW = (34, 32, 20, 16)
"""What the bed adds where water is shallow."""
_HAZE = (3, 4, 7, 1)
"""What the air adds."""


def paint(seed: int, size: int, progress: Progress | None = None) -> NDArray[np.uint8]:
    """Paint the place.

    Args:
        seed: which place, and which noise.
        size: width and height in pixels; the ground is the same, the pixels are finer or coarser.
        progress: told how far it is, 0..1, and what it is doing.

    Returns:
        Red, green, blue and near infrared, (4, size, size).
    """
    tell = progress or (lambda _share, _message: None)
    tell(0.0, "Laying out the ground")
    painter = _Painter(seed, size)
    picture = np.empty((4, size, size), np.uint8)
    for start in range(0, size, _STRIP):
        tell(0.3 + 0.6 * start / size, "Taking the picture")
        stop = min(size, start + _STRIP)
        # One row more on either side, for the lens.
        first, last = max(0, start - 1), min(size, stop + 1)
        picture[:, start:stop] = painter.strip(slice(first, last))[:, start - first : stop - first]
    return picture


class _Noise:
    """Smooth noise of mean 0, the same on the ground whatever the size of a pixel.

    Args:
        rng: makes it.
        size: width and height of the picture in pixels.
        octaves: (size of blotches in metres, weight) of each layer.
    """

    def __init__(self, rng: Generator, size: int, *octaves: tuple[float, float]) -> None:
        self.size = size
        self.layers = []
        for cell, weight in octaves:
            n = max(2, round(SIDE / cell))
            self.layers.append((n, rng.standard_normal((n + 4, n + 4), dtype=np.float32) * np.float32(weight)))

    def strip(self, rows: slice) -> Plane:
        """The noise on some rows of the picture."""
        total: Plane = np.zeros((rows.stop - rows.start, self.size), np.float32)
        for n, knots in self.layers:
            box = (2, 2 + n * rows.start / self.size, n + 2, 2 + n * rows.stop / self.size)
            total += np.asarray(Image.fromarray(knots).resize(total.shape[::-1], Image.Resampling.BICUBIC, box=box))
        return total


class _Painter:
    """Holds what the whole picture needs; paints it strip by strip."""

    def __init__(self, seed: int, size: int) -> None:
        self.size, self.pixel = size, SIDE / size
        place = lay_out(seed)
        self.patches, self.cover, self.classes = burn_place(place, size)
        self.relief = build_relief(plant(place, seed), place.roofs, self.classes)
        rng = np.random.default_rng([seed, 3])
        self.blotches = _Noise(rng, size, (160, 0.56), (60, 0.56), (22, 0.56), (9, 0.37), (4, 0.37), (1.6, 0.39))
        self.wobble = _Noise(rng, size, (110, 0.58))
        self.haze = _Noise(rng, size, (700, 0.023))
        self.shoals = _Noise(rng, size, (60, 0.055), (25, 0.055))
        self.passes = rng.standard_normal(8192, dtype=np.float32)
        self.white: Plane = rng.standard_normal((size, size), dtype=np.float32)
        self.colors = np.array([_color(patch) for patch in self.patches], np.float32)
        self.looks = self._looks()
        water = Image.fromarray((self.classes == CLASS_NAMES.index("water") + 1).astype(np.uint8) * 255)
        small = max(16, size // 4)
        blur = ImageFilter.GaussianBlur(9 * small / SIDE)
        self.offshore = water.resize((small, small), Image.Resampling.BOX).filter(blur)

    def _looks(self) -> dict[str, Plane]:
        """What the texture needs of each patch, by name, in the order of the patches."""
        surfaces = [_surface(patch) for patch in self.patches]
        angles = [patch.angle if patch else 0.0 for patch in self.patches]
        # Rows finer than two pixels cannot be seen: a coarse picture must not show what is not there.
        fades = [min(1.0, max(0.0, s.rows / self.pixel - 2)) for s in surfaces]
        looks = {
            "mottle": [s.mottle for s in surfaces],
            "green": [s.green for s in surfaces],
            "grain": [s.grain for s in surfaces],
            "cos": [math.cos(angle) for angle in angles],
            "sin": [math.sin(angle) for angle in angles],
            "rows": [2 * math.pi / (s.rows or 1) for s in surfaces],
            "row_contrast": [s.row_contrast * fade for s, fade in zip(surfaces, fades, strict=True)],
            "streaks": [s.streaks for s in surfaces],
            "tramlines": [s.tramlines * min(1.0, 0.6 / self.pixel) for s in surfaces],
        }
        return {name: np.array(values, np.float32) for name, values in looks.items()}

    def strip(self, rows: slice) -> Plane:
        """Paint some rows: (4, rows, size), 1..255."""
        light, growth = self._texture(rows)
        light += 1
        light *= self.relief.facing[rows]
        cover, thing, shadow = self.cover[rows], self.relief.thing[rows], self.relief.shadow[rows]
        standing = thing > 0
        shallow = self._shallow(rows)
        bands = np.empty((4, *cover.shape), np.float32)
        for b in range(4):
            band = bands[b]
            np.take(self.colors[:, b], cover, out=band, mode="clip")
            band *= 1 + np.float32(_GROWTH[b]) * growth
            np.copyto(band, self.relief.colors[:, b][thing], where=standing)
            band *= light
            band += np.float32(_SHALLOW[b]) * shallow
            band *= 1 - np.float32(_SHADE[b]) * shadow
            band += np.float32(_HAZE[b])
            # The lens: one pixel runs a little into the next.
            band[1:-1] += np.float32(0.15) * (band[:-2] + band[2:] - 2 * band[1:-1])
            band[:, 1:-1] += np.float32(0.15) * (band[:, :-2] + band[:, 2:] - 2 * band[:, 1:-1])
            # The sensor: no two bands may share its noise.
            band += np.float32(1.3) * np.roll(self.white[rows], 997 * (b + 1), axis=1)
        return np.clip(bands, 1, 255, out=bands)

    def _texture(self, rows: slice) -> tuple[Plane, Plane]:
        """By what share each pixel is lighter than its patch, and by what share more grows there."""
        cover = self.cover[rows]

        def look(name: str) -> Plane:
            return self.looks[name][cover]

        growth = self.blotches.strip(rows) * look("mottle")
        light = growth * np.float32(0.45)
        growth *= look("green")
        light += self.white[rows] * look("grain")
        light += self.haze.strip(rows)
        # Metres across the rows of the field, which no driver keeps quite straight.
        at = (np.arange(self.size, dtype=np.float32) + np.float32(0.5)) * np.float32(self.pixel)
        across = at[::-1][rows, None] * look("cos") - at[None, :] * look("sin") + self.wobble.strip(rows)
        light += look("row_contrast") * np.sin(across * look("rows"))
        passes = np.floor(across / np.float32(6)).astype(np.int32) + cover.astype(np.int32) * 61
        light += look("streaks") * self.passes[passes & 8191]
        # A sprayer leaves two wheel tracks every 18 m.
        across -= np.float32(18) * np.floor(across / np.float32(18))
        off_track = np.abs(np.abs(across - np.float32(9)) - np.float32(0.95))
        wheels = np.clip(1.25 - off_track / max(0.45, self.pixel / 2), 0, 1) * look("tramlines")
        light -= wheels * np.float32(0.35)
        growth -= wheels
        return light, growth

    def _shallow(self, rows: slice) -> Plane:
        """How much of the bed shows through the water, 0..1; 0 on land."""
        scale = self.offshore.height / self.size
        box = (0, rows.start * scale, self.offshore.width, rows.stop * scale)
        shape = (self.size, rows.stop - rows.start)
        offshore = np.asarray(self.offshore.resize(shape, Image.Resampling.BILINEAR, box=box), np.float32)
        water = self.classes[rows] == CLASS_NAMES.index("water") + 1
        shallow: Plane = np.clip(1.25 - offshore * np.float32(1.25 / 255) + self.shoals.strip(rows), 0, 1) * water
        return shallow


def _surface(patch: Patch | None) -> Surface:
    return SURFACES["rough" if patch is None else patch.surface]


def _color(patch: Patch | None) -> NDArray[np.float64]:
    """The mean colour of one patch: that of its surface, a little brighter, warmer or greener."""
    surface = _surface(patch)
    bright, warm, grown = patch.tint if patch else (0.0, 0.0, 0.0)
    color = np.array(surface.color) * (1 + surface.spread * (bright + 0.5 * warm * np.array(_WARMTH)))
    return np.asarray(color * (1 + 0.06 * surface.green * grown * np.array(_GROWTH)))
