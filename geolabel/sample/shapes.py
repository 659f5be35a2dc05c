"""The drawing instruments of the demo place: curves, ribbons, blobs, rectangles and land division. Metres, x east, y north."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import shapely
from shapely import LineString, Polygon
from shapely.ops import split

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.random import Generator
    from numpy.typing import NDArray
    from shapely.geometry.base import BaseGeometry

Point = tuple[float, float]


def curve(points: Sequence[Point], rounds: int = 3) -> LineString:
    """A smooth line near the points given (Chaikin's corner cutting); its ends stay where they are."""
    xy = np.asarray(points, dtype=float)
    for _ in range(rounds):
        cut = np.empty((2 * len(xy) - 2, 2))
        cut[0::2] = 0.75 * xy[:-1] + 0.25 * xy[1:]
        cut[1::2] = 0.25 * xy[:-1] + 0.75 * xy[1:]
        xy = np.vstack([xy[:1], cut, xy[-1:]])
    # Chaikin's points lie closer together than anybody would draw them.
    return LineString(shapely.get_coordinates(shapely.simplify(LineString(xy), 0.15)))


def band(line: LineString, width: float) -> Polygon:
    """The ground that a road of this width covers."""
    return line.buffer(width / 2, cap_style="flat", join_style="mitre")


def meander(
    start: Point, heading: float, *, wave: float, swing: float, waves: float, rng: Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A river's centre line: a sine-generated curve (Langbein and Leopold, 1966).

    Args:
        start: where it begins.
        heading: the way down the valley, in radians from east.
        wave: length of one wave along the river, in metres.
        swing: largest angle between river and valley, in radians.
        waves: how many waves.
        rng: makes no two bends alike.

    Returns:
        Points (n, 2), 12 m apart, and how sharply it bends there (n,): -1 is a full right bend, 1 a full left one.
    """
    step = 12.0
    phase = np.cumsum(np.full(int(waves * wave / step), 2 * math.pi * step / wave))
    knots = np.arange(0, phase[-1] + 2 * math.pi, math.pi)
    bends = np.interp(phase, knots, rng.uniform(0.62, 1.0, len(knots)))
    angle = heading + swing * bends * np.sin(phase)
    xy = np.asarray(start) + np.cumsum(step * np.column_stack([np.cos(angle), np.sin(angle)]), axis=0)
    return xy, np.cos(phase)


def ribbon(xy: NDArray[np.float64], left: NDArray[np.float64], right: NDArray[np.float64]) -> BaseGeometry:
    """The polygon between two offsets of a line: `left` and `right` metres from it, point by point (left is positive)."""
    along = np.gradient(xy, axis=0)
    normal = np.column_stack([-along[:, 1], along[:, 0]]) / np.hypot(along[:, 0], along[:, 1])[:, None]
    outline = np.vstack([xy + normal * left[:, None], (xy + normal * right[:, None])[::-1]])
    return shapely.make_valid(Polygon(outline)).buffer(0)


def blob(
    centre: Point, radii: Point, rng: Generator, *, rough: float = 0.12, jitter: float = 0.0, step: float = 14.0
) -> Polygon:
    """An irregular closed shape.

    Args:
        centre: of the ellipse that it is made from.
        radii: of that ellipse along x and y.
        rng: shapes it.
        rough: how far its bays and capes reach, as a share of the radius.
        jitter: unevenness from vertex to vertex, in metres.
        step: distance between vertices, in metres.
    """
    n = max(10, int(2 * math.pi * math.hypot(*radii) / math.sqrt(2) / step))
    angle = np.linspace(0, 2 * math.pi, n, endpoint=False)
    wave = np.zeros(n)
    for k in range(2, 9):
        wave += rng.normal(0, 1 / k) * np.sin(k * angle + rng.uniform(0, 2 * math.pi))
    reach = 1 + rough * wave
    xy = np.column_stack([np.cos(angle) * radii[0], np.sin(angle) * radii[1]]) * reach[:, None]
    return Polygon(xy + rng.normal(0, jitter, (n, 2)) + np.asarray(centre)).buffer(0)


def beside(point: Point, angle: float, forward: float, left: float) -> Point:
    """The point so many metres forward and to the left, for someone who looks along `angle` (radians from east)."""
    cos, sin = math.cos(angle), math.sin(angle)
    return point[0] + forward * cos - left * sin, point[1] + forward * sin + left * cos


def rectangle(centre: Point, length: float, width: float, angle: float) -> Polygon:
    """A rectangle whose long side runs at `angle` (radians from east)."""
    corners = ((1, 1), (-1, 1), (-1, -1), (1, -1))
    return Polygon([beside(centre, angle, u * length / 2, v * width / 2) for u, v in corners])


def along(line: LineString, step: float, rng: Generator, *, start: float = 0.0) -> Iterator[tuple[Point, float]]:
    """Points on a line about `step` apart, each with the line's direction there (radians from east)."""
    at = start
    while at < line.length:
        here, ahead = line.interpolate(at), line.interpolate(min(at + 1, line.length))
        behind = line.interpolate(max(at - 1, 0))
        yield (here.x, here.y), math.atan2(ahead.y - behind.y, ahead.x - behind.x)
        at += step * rng.uniform(0.85, 1.2)


def long_axis(polygon: Polygon) -> tuple[float, float, float]:
    """Direction of the longer side of the tightest box around a polygon (radians from east), and its length and width."""
    corners = shapely.get_coordinates(shapely.minimum_rotated_rectangle(polygon))
    one, two = corners[1] - corners[0], corners[2] - corners[1]
    if np.hypot(*one) < np.hypot(*two):
        one, two = two, one
    return math.atan2(one[1], one[0]), float(np.hypot(*one)), float(np.hypot(*two))


def polygons(geometry: BaseGeometry, least: float = 0.0) -> list[Polygon]:
    """The polygons of any geometry that cover at least so many square metres."""
    parts = shapely.get_parts(shapely.get_parts(geometry))
    return [part for part in parts if isinstance(part, Polygon) and part.area >= max(least, 1e-6)]


def lines(geometry: BaseGeometry, least: float = 0.0) -> list[LineString]:
    """The lines of any geometry that are at least so many metres long."""
    return [part for part in shapely.get_parts(geometry) if isinstance(part, LineString) and part.length >= least]


def divide(
    land: Polygon, area: Point, rng: Generator, *, strips: float = 0.35
) -> tuple[list[Polygon], list[LineString]]:
    """Divide land the way it is inherited: halve it across the longer side until the parts are small enough.

    Args:
        land: what there is.
        area: the least and the greatest size of what a part may be divided down to, in square metres.
        rng: decides.
        strips: chance of a cut along the longer side, which makes long fields.

    Returns:
        The parts, and the lines where land was cut.
    """
    whole, done, cuts = [land], list[Polygon](), list[LineString]()
    while whole:
        part = whole.pop()
        if part.area < rng.uniform(*area):
            done.append(part)
            continue
        angle, length, width = long_axis(part)
        if length / width > 2.4 or rng.uniform() > strips:
            angle += math.pi / 2
        angle += rng.normal(0, 0.035)
        middle = beside((part.centroid.x, part.centroid.y), angle, 0, rng.uniform(-0.12, 0.12) * min(length, width))
        line = LineString([beside(middle, angle, -2 * length, 0), beside(middle, angle, 2 * length, 0)])
        halves = polygons(split(part, line))
        if len(halves) < 2:
            done.append(part)
            continue
        whole.extend(halves)
        cuts.extend(lines(line.intersection(part)))
    return done, cuts
