"""Where trees and shrubs stand in the demo place. They are in the picture only, never in the truth."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import shapely

from geolabel.sample import shapes
from geolabel.sample.place import SIDE, SOUTH, WEST

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.random import Generator
    from numpy.typing import NDArray
    from shapely import LineString
    from shapely.geometry.base import BaseGeometry

    from geolabel.sample.place import Place

_CONIFER = np.array([48.0, 68.0, 50.0, 146.0])
_BROADLEAF = np.array([68.0, 96.0, 54.0, 192.0])


@dataclass(frozen=True, slots=True)
class Trees:
    """All trees, tallest last.

    Attributes:
        xy: centre of the crown in the place's CRS, (n, 2).
        radius: of the crown in metres, (n,).
        height: in metres, (n,).
        color: red, green, blue and near infrared, (n, 4).
    """

    xy: NDArray[np.float64]
    radius: NDArray[np.float64]
    height: NDArray[np.float64]
    color: NDArray[np.float64]


def plant(place: Place, seed: int) -> Trees:
    """Trees of the woods, along hedges, avenues and banks, in gardens and on pastures."""
    rng = np.random.default_rng([seed, 2])
    woods = shapely.union_all([patch.geometry for patch in place.truth if patch.class_name == "forest"])
    waters = [patch.geometry for patch in place.truth if patch.class_name == "water"]
    yards = shapely.union_all([patch.geometry for patch in place.ground if patch.surface == "yard"]).buffer(1)
    orchards = shapely.union_all([patch.geometry for patch in place.ground if patch.surface == "orchard"])
    gardens = shapely.union_all([patch.geometry for patch in place.ground if patch.surface in {"lawn", "beds"}])
    meadows = shapely.union_all([patch.geometry for patch in place.truth if patch.surface in {"meadow", "pasture"}])
    banks = [ring.exterior for water in waters for ring in shapes.polygons(water.buffer(5.5))]
    groups = [
        (_scatter(woods.buffer(-0.6), 4.4, rng), (2.3, 3.9), (15, 21)),
        (_line_up(place.hedges, 3.6, 1.3, 0.78, rng), (1.3, 2.9), (3, 8)),
        (_line_up(place.avenues, 11, 0.4, 0.92, rng), (2.2, 3.2), (8, 12)),
        (_line_up(banks, 5.5, 1.3, 0.42, rng, clumps=70), (1.8, 3.8), (6, 14)),
        (_scatter(orchards.difference(yards), 8.5, rng, share=0.75), (1.4, 2.5), (3, 6)),
        (_scatter(gardens.difference(yards), 11, rng, share=0.28), (1.2, 3.4), (3, 9)),
        (_scatter(meadows.buffer(-5), 42, rng, share=0.10), (2.2, 4.6), (6, 12)),
    ]
    xy = np.vstack([where for where, _, _ in groups])
    radius = np.concatenate([rng.uniform(*radii, len(where)) for where, radii, _ in groups])
    height = np.concatenate([rng.uniform(*heights, len(where)) for where, _, heights in groups])
    wooded = np.arange(len(xy)) < len(groups[0][0])
    # Stands of spruce and pine in the woods give way to oak and alder; elsewhere trees have leaves.
    waves = np.array([[1 / 95, 1 / 210], [-1 / 160, 1 / 80], [1 / 45, 1 / 60]])
    stand = np.sin(xy @ waves.T + rng.uniform(0, 6, 3)).sum(axis=1) + rng.normal(0, 0.45, len(xy))
    leafy = np.where(wooded, np.clip(0.5 + stand, 0, 1), rng.uniform(0.6, 1.1, len(xy)))[:, None]
    radius = radius * np.where(wooded, 0.82 + 0.34 * leafy[:, 0], 1)
    color = (_CONIFER * (1 - leafy) + _BROADLEAF * leafy) * rng.normal(1, 0.09, (len(xy), 1))
    color[:, 0] *= rng.normal(1, 0.05, len(xy))
    order = np.argsort(height, kind="stable")
    return Trees(xy[order], radius[order], height[order], color[order])


def _scatter(ground: BaseGeometry, spacing: float, rng: Generator, *, share: float = 1.0) -> NDArray[np.float64]:
    """Points inside the ground on an uneven triangular grid; `share` of them are kept."""
    x, y = np.meshgrid(np.arange(0, SIDE, spacing), np.arange(0, SIDE, spacing * math.sqrt(3) / 2))
    x[1::2] += spacing / 2
    xy = np.column_stack([x.ravel(), y.ravel()]) + rng.normal(0, spacing * 0.24, (x.size, 2)) + (WEST, SOUTH)
    kept = rng.uniform(size=len(xy)) < share
    shapely.prepare(ground)
    inside: NDArray[np.bool_] = shapely.contains_xy(ground, xy[:, 0], xy[:, 1])
    return np.asarray(xy[kept & inside])


def _line_up(
    lines: Sequence[LineString], spacing: float, jitter: float, share: float, rng: Generator, *, clumps: float = 0.0
) -> NDArray[np.float64]:
    """Points along lines; with `clumps` they gather in groups about so many metres long."""
    found = [np.empty((0, 2))]
    for line in lines:
        at = np.arange(spacing / 2, line.length, spacing)
        wanted = np.full(len(at), share)
        if clumps:
            knots = np.arange(0, line.length + 2 * clumps, clumps)
            wanted = share + 0.5 * np.interp(at, knots, rng.normal(0, 1, len(knots)))
        at = at[rng.uniform(size=len(at)) < wanted]
        points = shapely.get_coordinates(shapely.line_interpolate_point(line, at))
        found.append(points + rng.normal(0, jitter, points.shape))
    return np.vstack(found)
