"""What stands on the ground of the demo place, how the sun falls on it, and the shadow that it casts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from geolabel.sample.cover import CLASS_NAMES
from geolabel.sample.place import SIDE, SOUTH, WEST

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geolabel.sample.place import Roof
    from geolabel.sample.plants import Trees

    Plane = NDArray[np.float32]

_EAST, _NORTH = 0.5 / math.hypot(0.5, 1), -1 / math.hypot(0.5, 1)
"""The way to the sun over the ground: late morning, half as far east as south."""
_HIGH = 0.9
"""How much a ray of sun rises over one metre of ground: it stands 42 degrees high."""


@dataclass(frozen=True, slots=True)
class Relief:
    """What stands on each pixel, (size, size) each.

    Attributes:
        thing: which one it is: a row of `colors`; 0 where nothing stands.
        facing: how much light falls on it, 1 for level ground.
        shadow: how deep it is in cast shadow, 0..1.
        colors: red, green, blue and near infrared of each thing, (things + 1, 4).
    """

    thing: NDArray[np.int32]
    facing: Plane
    shadow: Plane
    colors: Plane


def build_relief(trees: Trees, roofs: list[Roof], classes: NDArray[np.uint8]) -> Relief:
    """Stand trees and roofs on a class raster. They never hide what the truth says is there."""
    size = len(classes)
    pixel = SIDE / size
    height: Plane = np.zeros((size, size), np.float32)
    thing = np.zeros((size, size), np.int32)
    _plant(trees, height, thing, pixel)
    open_ground = np.array([True, *[name in {"forest", "grassland"} for name in CLASS_NAMES]])
    bare = ~open_ground[classes]
    height[bare] = 0
    thing[bare] = 0
    down, right = (np.asarray(rise, np.float32) for rise in np.gradient(height, pixel))
    slope = down * np.float32(_NORTH) - right * np.float32(_EAST)
    facing: Plane = np.clip(slope, -1.6, 1.6) * np.float32(0.24) + np.float32(0.98)
    facing[thing == 0] = 1
    for i, roof in enumerate(roofs):
        _roof(roof, len(trees.xy) + 1 + i, classes, height=height, thing=thing, facing=facing)
    colors = np.vstack([np.zeros((1, 4)), trees.color, np.array([roof.color for roof in roofs])]).astype(np.float32)
    return Relief(thing, facing, _cast(height, pixel), colors)


def _plant(trees: Trees, height: Plane, thing: NDArray[np.int32], pixel: float) -> None:
    """Stamp a dome for each tree; the highest wins."""
    size = len(height)
    column = ((trees.xy[:, 0] - WEST) / pixel).astype(int)
    row = ((SOUTH + SIDE - trees.xy[:, 1]) / pixel).astype(int)
    reach = np.maximum(1, np.round(trees.radius / pixel)).astype(int)
    domes = {}
    for steps in np.unique(reach).tolist():
        y, x = np.mgrid[1 - steps : steps, 1 - steps : steps]
        away = (x**2 + y**2) / max(1.0, (steps - 0.35) ** 2)
        domes[steps] = (away <= 1, (-0.62 * away * steps * pixel).astype(np.float32))
    for i, (r, c, steps) in enumerate(zip(row.tolist(), column.tolist(), reach.tolist(), strict=True)):
        if not (steps <= r <= size - steps and steps <= c <= size - steps):
            continue
        window = slice(r - steps + 1, r + steps), slice(c - steps + 1, c + steps)
        inside, dome = domes[steps]
        top = dome + np.float32(trees.height[i])
        wins = inside & (top > height[window])
        height[window][wins] = top[wins]
        thing[window][wins] = i + 1


def _roof(
    roof: Roof, number: int, classes: NDArray[np.uint8], *, height: Plane, thing: NDArray[np.int32], facing: Plane
) -> None:
    """Put a gable roof on the pixels that the truth calls building."""
    size = len(height)
    pixel = SIDE / size
    reach = math.hypot(roof.length, roof.width) / 2 / pixel + 1
    left, top = (roof.centre[0] - WEST) / pixel, (SOUTH + SIDE - roof.centre[1]) / pixel
    window = (
        slice(max(0, int(top - reach)), min(size, int(top + reach) + 1)),
        slice(max(0, int(left - reach)), min(size, int(left + reach) + 1)),
    )
    y, x = np.mgrid[window]
    east, north = (x + 0.5 - left) * pixel, (top - y - 0.5) * pixel
    cos, sin = math.cos(roof.angle), math.sin(roof.angle)
    along, across = east * cos + north * sin, north * cos - east * sin
    z = roof.eaves + (roof.width / 2 - np.abs(across)) * roof.pitch
    inside = (np.abs(along) <= roof.length / 2 + pixel) & (np.abs(across) <= roof.width / 2 + pixel)
    wins = inside & (classes[window] == CLASS_NAMES.index("building") + 1) & (z > height[window])
    # Lambert: a side of a roof leans away from the ridge, towards the sun or not.
    lean = np.sign(across) * roof.pitch * (cos * _NORTH - sin * _EAST)
    lit = (lean + _HIGH) / math.hypot(roof.pitch, 1) / _HIGH
    courses = 0.03 * np.sin(2 * math.pi * across / 1.3) * (pixel < 0.6)
    ridge = 0.10 * (np.abs(across) < 0.5 * pixel) * (roof.pitch > 0.3)
    height[window][wins] = z[wins]
    thing[window][wins] = number
    facing[window][wins] = np.clip(0.45 + 0.55 * lit + courses + ridge, 0.3, 1.4)[wins]


def _cast(height: Plane, pixel: float) -> Plane:
    """Cast shadows: sweep the grazing ray away from the sun, one row of pixels at a time."""
    fall = np.float32(pixel * math.hypot(1, 0.5) * _HIGH)
    shadow: Plane = np.zeros_like(height)
    ray: Plane = np.zeros(height.shape[1], np.float32)
    for row in range(len(height) - 2, -1, -1):
        np.maximum(ray, height[row + 1], out=ray)
        if row % 2:  # half a column for each row
            ray[:-1] = ray[1:]
        ray -= fall
        shadow[row] = ray - height[row]
    shadow /= np.float32(0.7)
    return np.clip(shadow, 0, 1, out=shadow)
