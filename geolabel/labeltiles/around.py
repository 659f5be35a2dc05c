"""Rings that go around the Earth: across the antimeridian, or around a pole."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from shapely import contains_xy
from shapely.geometry import Polygon

from geolabel.geo import crs as crs_
from geolabel.labeltiles.rings import POINT, POLYGON, Rings
from geolabel.model import CRS84

if TYPE_CHECKING:
    from collections.abc import Iterator

    from geolabel.labeltiles.rings import Coordinates

_LEAST = 1e-9
"""Share of a turn by which a rounding error may reach across the antimeridian."""


def go_around(rings: Rings, stored: Coordinates, *, crs: str, period: float, torn: bool) -> Rings:
    """Put in one piece what was torn at the edge of the map, and draw at both edges what crosses it.

    Args:
        rings: in the CRS of the tiles, whose middle is x = 0.
        stored: (v, 2), the same vertices in the project's CRS.
        crs: the project's.
        period: what to add to x to come to the same place again.
        torn: whether x jumps by a period where an edge crosses the antimeridian; if not, it goes on beyond.

    Returns:
        The same when nothing crosses; else with copies a period beside, as further parts of the same label.
    """
    x = rings.xy[:, 0]
    crossing = np.abs(x) > period / 2 * (1 + _LEAST)
    if torn:
        crossing[:-1] |= (np.abs(np.diff(x)) > period / 2) & rings.edges()
    if not crossing.any():
        return rings
    counts = np.diff(rings.starts)
    touched = np.isin(rings.owner, np.unique(np.repeat(rings.owner, counts)[crossing]))
    pieces: list[Coordinates] = []
    source: list[int] = []
    part = 0
    while part < len(counts):
        end = part + 1
        while end < len(counts) and rings.holes[end]:
            end += 1
        members = range(part, end)
        own = [rings.xy[rings.starts[i] : rings.starts[i + 1]] for i in members]
        if not touched[part]:
            pieces += own
            source += members
        else:
            kind = rings.kinds[part]
            if torn and kind != POINT:
                own = [_unwrapped(ring, period) for ring in own]
            if torn and kind == POLYGON:
                given = (stored[rings.starts[i] : rings.starts[i + 1]] for i in members)
                own = [_over_the_pole(ring, at, crs, period) for ring, at in zip(own, given, strict=True)]
            for copy in _copies(own, period) if kind != POINT else _wrapped(own, period):
                pieces += copy
                source += members
        part = end
    index = np.array(source, dtype=np.int64)
    starts = np.concatenate([[0], np.cumsum([len(piece) for piece in pieces])]).astype(np.int64)
    return Rings(np.concatenate(pieces), starts, rings.owner[index], rings.holes[index], rings.kinds[index])


def _unwrapped(ring: Coordinates, period: float) -> Coordinates:
    """A ring without jumps: it goes on beyond the edge of the map."""
    turns = np.concatenate([[0.0], np.cumsum(np.round(np.diff(ring[:, 0]) / period))])
    return ring - np.column_stack([turns * period, np.zeros(len(ring))])


def _over_the_pole(ring: Coordinates, stored: Coordinates, crs: str, period: float) -> Coordinates:
    """A ring around a pole ends a period beside where it begins: close it along the upper or lower edge of the map."""
    if abs(ring[-1, 0] - ring[0, 0]) < period / 2:
        return ring
    pole = crs_.transform_coordinates(np.array([[0.0, 90.0]]), CRS84, crs)[0]
    north = bool(np.isfinite(pole).all()) and bool(contains_xy(Polygon(stored), *pole))
    degrees = math.isclose(period, 360.0)
    edge = (90.0 if degrees else period) * (1 if north else -1)
    return np.concatenate([ring, [[ring[-1, 0], edge], [ring[0, 0], edge], ring[0]]])


def _copies(part: list[Coordinates], period: float) -> Iterator[list[Coordinates]]:
    """A polygon with its holes, or a line, wherever it shows on the map."""
    left, right = part[0][:, 0].min(), part[0][:, 0].max()
    aligned = [part[0]]
    for hole in part[1:]:
        turns = math.ceil((left - hole[:, 0].min()) / period - _LEAST)
        aligned.append(hole + (turns * period, 0.0))
    half = period / 2 * (1 - _LEAST)
    for turn in range(math.floor((-half - right) / period), math.ceil((half - left) / period) + 1):
        if left + turn * period < half and right + turn * period > -half:
            yield [ring + (turn * period, 0.0) if turn else ring for ring in aligned]


def _wrapped(points: list[Coordinates], period: float) -> Iterator[list[Coordinates]]:
    yield [p - np.column_stack([np.round(p[:, 0] / period) * period, np.zeros(len(p))]) for p in points]
