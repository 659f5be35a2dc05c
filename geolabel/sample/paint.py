"""The aerial photograph of the demo place, painted from its polygons."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageFilter
from rasterio.features import rasterize
from rasterio.transform import from_origin

from geolabel.sample.place import SIDE, SOUTH, WEST, lay_out
from geolabel.sample.plants import plant
from geolabel.sample.surfaces import SURFACES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from affine import Affine
    from numpy.typing import NDArray

    from geolabel.sample.place import Patch, Place, Roof
    from geolabel.sample.plants import Trees

    Plane = NDArray[np.float32]
    Progress = Callable[[float, str], None]

CLASS_NAMES = ("water", "forest", "cropland", "grassland", "road", "building")
"""In the order of their values in a class raster: 1 is water; 0 is ground of no class."""
PRIORITY = {"water": 1, "road": 2, "building": 3}
"""Where polygons overlap, the class of higher priority is what is seen; the others are 0 and never overlap."""

_SUN = (math.sin(math.radians(153.435)), math.cos(math.radians(153.435)), 1.0)
"""The way to the sun (east, north, up): late morning, half as far east as south, 42 degrees high."""
_RISE = _SUN[2] / math.hypot(_SUN[0], _SUN[1]) * 0.9
_SHADOW = (0.60, 0.55, 0.44, 0.66)
"""How much of each band's light is lost in a cast shadow; the sky still gives blue."""
_GROWTH = (-0.7, -0.28, -0.5, 0.7)
"""What more plants do to each band."""
_WARMTH = (0.8, 0.1, -0.8, 0.2)


def transform_of(size: int) -> Affine:
    """The affine transform of the picture, from pixels to metres of the place's CRS."""
    return from_origin(WEST, SOUTH + SIDE, SIDE / size, SIDE / size)


def paint(seed: int, size: int, progress: Progress | None = None) -> NDArray[np.uint8]:
    """Paint the place.

    Args:
        seed: which place, and which noise.
        size: width and height in pixels; the ground is the same, the pixels are finer or coarser.
        progress: told how far it is, 0..1, and what it is doing.

    Returns:
        Red, green, blue and near infrared, (4, size, size).
    """
    return _Painter(seed, size, progress or (lambda _share, _message: None)).paint()


def class_raster(patches: Sequence[Patch], size: int) -> tuple[NDArray[np.uint16], NDArray[np.uint8]]:
    """Burn patches that have a class, pixel centre by pixel centre.

    Returns:
        Which patch is seen at each pixel (its place in `patches`, from 1; 0 for none), and of which class it is.
    """
    order = sorted(range(len(patches)), key=lambda i: PRIORITY.get(patches[i].class_name or "", 0))
    seen = _burn([(patches[i], i + 1) for i in order], size)
    classes = np.array([0, *[CLASS_NAMES.index(patch.class_name or "") + 1 for patch in patches]], np.uint8)
    return seen, classes[seen]


def _burn(patches: Sequence[tuple[Patch, int]], size: int) -> NDArray[np.uint16]:
    shapes = [(patch.geometry, value) for patch, value in patches if not patch.geometry.is_empty]
    burnt: NDArray[np.uint16] = rasterize(shapes, (size, size), transform=transform_of(size), dtype="uint16")
    return burnt


class _Painter:
    def __init__(self, seed: int, size: int, progress: Progress) -> None:
        self.size, self.pixel, self.progress = size, SIDE / size, progress
        self.place: Place = lay_out(seed)
        self.trees: Trees = plant(self.place, seed)
        self.rng = np.random.default_rng([seed, 3])

    def paint(self) -> NDArray[np.uint8]:
        self.progress(0.05, "Laying out the ground")
        self._cover()
        self.progress(0.15, "Planting trees and building houses")
        self._raise()
        self.progress(0.35, "Casting shadows")
        shadow = self._shadow()
        self.progress(0.45, "Ploughing fields")
        light, growth = self._texture()
        self.progress(0.70, "Taking the picture")
        return self._expose(shadow, light, growth)

    def _noise(self, *cells: float) -> Plane:
        """Smooth noise of mean 0 and deviation about 1, blotches of `cells` metres; the same ground pattern at any size."""
        total: Plane = np.zeros((self.size, self.size), np.float32)
        for cell in cells:
            n = max(2, round(SIDE / cell))
            knots = Image.fromarray(self.rng.standard_normal((n + 4, n + 4), dtype=np.float32))
            total += np.asarray(
                knots.resize((self.size, self.size), Image.Resampling.BICUBIC, box=(2, 2, n + 2, n + 2))
            )
        total *= 1.3 / math.sqrt(len(cells))
        return total

    def _cover(self) -> None:
        """Which patch covers each pixel: ground below, the truth over it, marks only on the class that they name."""
        place, size = self.place, self.size
        n_ground, n_truth = len(place.ground) + 1, len(place.truth)
        self.patches = [None, *place.ground, *place.truth, *place.marks]
        cover = _burn([(patch, i + 1) for i, patch in enumerate(place.ground)], size)
        truth, self.classes = class_raster(place.truth, size)
        np.copyto(cover, truth + np.uint16(n_ground - 1), where=truth > 0)
        marks = _burn([(patch, i + 1) for i, patch in enumerate(place.marks)], size)
        on = np.array([255, *[CLASS_NAMES.index(mark.class_name or "") + 1 for mark in place.marks]], np.uint8)
        np.copyto(cover, marks + np.uint16(n_ground - 1 + n_truth), where=on[marks] == self.classes)
        self.cover = cover

    def _raise(self) -> None:
        """What stands on the ground: its height in metres, which thing it is (0: none), how it faces the sun."""
        size, pixel = self.size, self.pixel
        self.height: Plane = np.zeros((size, size), np.float32)
        self.thing = np.zeros((size, size), np.int32)
        self._stamp_trees()
        # A crown never hides what the truth says is there.
        solid = np.isin(
            self.classes, [CLASS_NAMES.index(name) + 1 for name in ("water", "cropland", "road", "building")]
        )
        self.height[solid] = 0
        self.thing[solid] = 0
        south, east = np.gradient(self.height, pixel)
        slope = np.clip(south * _SUN[1] - east * _SUN[0], -1.6, 1.6)
        self.facing: Plane = np.where(
            self.thing > 0, np.float32(0.98) + np.float32(0.24) * slope, np.float32(1)
        ).astype(np.float32)
        self.things = np.vstack(
            [np.zeros((1, 4)), self.trees.color, *[np.array(roof.color)[None] for roof in self.place.roofs]]
        )
        for i, roof in enumerate(self.place.roofs):
            self._stamp_roof(roof, len(self.trees.xy) + 1 + i)

    def _stamp_trees(self) -> None:
        trees, pixel = self.trees, self.pixel
        column = ((trees.xy[:, 0] - WEST) / pixel).astype(int)
        row = ((SOUTH + SIDE - trees.xy[:, 1]) / pixel).astype(int)
        steps = np.maximum(1, np.round(trees.radius / max(pixel, 0.25))).astype(int)
        domes = {}
        for step in np.unique(steps):
            y, x = np.mgrid[1 - step : step, 1 - step : step]
            away = (x**2 + y**2) / max(1.0, (step - 0.35) ** 2)
            domes[int(step)] = (away <= 1, (-0.62 * away * step * pixel).astype(np.float32))
        last = self.size
        for i, (r, c, step) in enumerate(zip(row.tolist(), column.tolist(), steps.tolist(), strict=True)):
            if r < step or c < step or r + step > last or c + step > last:
                continue
            window = slice(r - step + 1, r + step), slice(c - step + 1, c + step)
            inside, dome = domes[step]
            top = dome + np.float32(trees.height[i])
            wins = inside & (top > self.height[window])
            self.height[window][wins] = top[wins]
            self.thing[window][wins] = i + 1

    def _stamp_roof(self, roof: Roof, thing: int) -> None:
        pixel, size = self.pixel, self.size
        reach = math.hypot(roof.length, roof.width) / 2 + pixel
        left, top = (roof.centre[0] - WEST) / pixel, (SOUTH + SIDE - roof.centre[1]) / pixel
        rows = slice(max(0, int(top - reach / pixel)), min(size, int(top + reach / pixel) + 1))
        columns = slice(max(0, int(left - reach / pixel)), min(size, int(left + reach / pixel) + 1))
        y, x = np.mgrid[rows, columns]
        east, north = (x + 0.5 - left) * pixel, (top - y - 0.5) * pixel
        cos, sin = math.cos(roof.angle), math.sin(roof.angle)
        along, across = east * cos + north * sin, north * cos - east * sin
        z = roof.eaves + (roof.width / 2 - np.abs(across)) * roof.pitch
        inside = (np.abs(along) <= roof.length / 2 + pixel) & (np.abs(across) <= roof.width / 2 + pixel)
        building = self.classes[rows, columns] == CLASS_NAMES.index("building") + 1
        wins = inside & building & (z > self.height[rows, columns])
        # Lambert: the normal of a roof side leans away from the ridge.
        lean = np.sign(across) * roof.pitch
        normal = np.stack([-sin * lean, cos * lean, np.ones_like(lean)]) / math.hypot(roof.pitch, 1)
        lit = np.tensordot(np.array(_SUN) / np.linalg.norm(_SUN), normal, 1) / 0.707
        course = 0.03 * np.sin(2 * math.pi * across / 1.3) * (pixel < 0.6)
        ridge = 0.10 * (np.abs(across) < 0.5 * pixel) * (roof.pitch > 0.3)
        shade = np.clip(0.42 + 0.58 * lit + course + ridge, 0.3, 1.5)
        self.height[rows, columns][wins] = z[wins]
        self.thing[rows, columns][wins] = thing
        self.facing[rows, columns][wins] = shade[wins]

    def _shadow(self) -> Plane:
        """How deep in cast shadow each pixel is, 0..1: sweeps from the sunny edge, one row of pixels at a time."""
        size = self.size
        fall = np.float32(self.pixel * math.hypot(1, 0.5) * _RISE)
        shadow: Plane = np.zeros((size, size), np.float32)
        ray: Plane = np.zeros(size, np.float32)
        for row in range(size - 2, -1, -1):
            np.maximum(ray, self.height[row + 1], out=ray)
            if row % 2:  # half a column for each row: that is where the sun stands
                ray[:-1] = ray[1:]
            ray -= fall
            shadow[row] = ray - self.height[row]
        return np.clip(shadow / 0.7, 0, 1, out=shadow)

    def _texture(self) -> tuple[Plane, Plane]:
        """Share by which each pixel is lighter than its patch, and by which it has more plants on it."""
        pixel, cover = self.pixel, self.cover
        surfaces = [SURFACES["rough" if patch is None else patch.surface] for patch in self.patches]

        def spread(values: list[float]) -> Plane:
            return np.asarray(values, np.float32)[cover]

        patchy = self._noise(160, 60, 22) * np.float32(0.75) + self._noise(9, 4) * np.float32(0.4)
        patchy += self._noise(1.6) * np.float32(0.3)
        patchy *= spread([surface.mottle for surface in surfaces])
        growth = patchy * spread([surface.green for surface in surfaces])
        light = patchy * np.float32(0.45)
        del patchy
        angles = [0.0 if patch is None else patch.angle for patch in self.patches]
        at = (np.arange(self.size, dtype=np.float32) + np.float32(0.5)) * np.float32(pixel)
        across = at[::-1, None] * spread([math.cos(a) for a in angles]) - at[None, :] * spread(
            [math.sin(a) for a in angles]
        )
        across += self._noise(110) * np.float32(0.45)
        # Rows finer than two pixels cannot be seen; the coarse picture must not show what is not there.
        fade = [s.row_contrast * max(0.0, min(1.0, s.rows / pixel - 2.0)) if s.rows else 0.0 for s in surfaces]
        light += spread(fade) * np.sin(across * spread([2 * math.pi / (s.rows or 1) for s in surfaces]))
        table = self.rng.standard_normal(8192, dtype=np.float32)
        passes = np.floor(across / np.float32(6)).astype(np.int32) + cover.astype(np.int32) * 61
        light += spread([s.streaks for s in surfaces]) * table[passes & 8191]
        del passes
        wheel = np.abs(np.abs(across % np.float32(18) - np.float32(9)) - np.float32(0.95))
        wheel = np.clip(1.25 - wheel / max(0.45, pixel / 2), 0, 1) * spread([s.tramlines for s in surfaces])
        wheel *= np.float32(min(1.0, 0.6 / pixel))
        light -= wheel * np.float32(0.35)
        growth -= wheel
        light += self.rng.standard_normal(light.shape, dtype=np.float32) * spread([s.grain for s in surfaces])
        light += self._noise(700) * np.float32(0.018)
        return light, growth

    def _expose(self, shadow: Plane, light: Plane, growth: Plane) -> NDArray[np.uint8]:
        colors = np.array([self._color(patch) for patch in self.patches], np.float32)
        standing = self.thing > 0
        rooted = self.things.astype(np.float32)
        depth = self._depth()
        picture = np.empty((4, self.size, self.size), np.uint8)
        lit = (1 + light) * self.facing
        del light
        for b in range(4):
            band = colors[:, b][self.cover]
            band *= 1 + np.float32(_GROWTH[b]) * growth
            np.copyto(band, rooted[:, b][self.thing], where=standing)
            band *= lit
            # Shallow water lets the bed shine through, least of all in the infrared.
            band += depth * np.float32((34, 32, 20, 16)[b])
            band *= 1 - np.float32(_SHADOW[b]) * shadow
            band += np.float32((3, 4, 7, 1)[b])
            # The lens: one pixel runs a little into the next.
            for _ in range(2):
                band[1:-1] = 0.7 * band[1:-1] + 0.15 * (band[:-2] + band[2:])
                band = band.T
            band += self.rng.standard_normal(band.shape, dtype=np.float32) * np.float32(1.3)
            picture[b] = np.clip(band + np.float32(0.5), 1, 255).astype(np.uint8)
            self.progress(0.75 + 0.05 * (b + 1), "Taking the picture")
        return picture

    def _color(self, patch: Patch | None) -> NDArray[np.float64]:
        surface = SURFACES["rough" if patch is None else patch.surface]
        bright, warm, grown = patch.tint if patch else (0.0, 0.0, 0.0)
        factor = 1 + surface.spread * (bright + 0.5 * warm * np.array(_WARMTH))
        factor = factor * (1 + 0.10 * surface.green * grown * np.array(_GROWTH))
        return np.array(surface.color) * factor

    def _depth(self) -> Plane:
        """How shallow the water is, 0..1; 0 on land."""
        water = self.classes == 1
        coarse = Image.fromarray(water.astype(np.uint8) * 255)
        small = max(16, self.size // 4)
        near = coarse.resize((small, small), Image.Resampling.BOX).filter(ImageFilter.GaussianBlur(9 / (SIDE / small)))
        inner = np.asarray(near.resize((self.size, self.size), Image.Resampling.BILINEAR), np.float32) / 255
        shallow = np.clip(1.25 - inner * 1.25 + 0.06 * self._noise(60, 25), 0, 1) * water
        return np.asarray(shallow, np.float32)
