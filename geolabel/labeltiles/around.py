"""Labels that go on beyond the edge of a map of the whole Earth: they show at the other edge, too."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from geolabel.labeltiles.rings import POINT, Rings, starts_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from geolabel.labeltiles.rings import Coordinates

_LEAST = 1e-9
"""Share of a turn by which a rounding error may reach beyond the edge."""


def torn(rings: Rings, period: float) -> NDArray[np.int64]:
    """Which labels have an edge that jumps from one end of the map to the other, for x was wrapped into it."""
    jumps = (np.abs(np.diff(rings.xy[:, 0])) > period / 2) & rings.edges()
    vertices = np.flatnonzero(jumps)
    return np.unique(rings.owner[np.searchsorted(rings.starts, vertices, side="right") - 1])


def go_around(rings: Rings, period: float) -> Rings:
    """Draw what reaches beyond an edge of the map at the other edge, as further parts of the same label.

    Args:
        rings: in the CRS of the tiles, whose middle is x = 0; x goes on beyond its edges.
        period: what to add to x to come to the same place again.
    """
    counts = np.diff(rings.starts)
    beyond = np.abs(rings.xy[:, 0]) > period / 2 * (1 + _LEAST)
    if not beyond.any():
        return rings
    touched = np.isin(rings.owner, np.repeat(rings.owner, counts)[beyond])
    pieces: list[Coordinates] = []
    source: list[int] = []
    part = 0
    while part < len(counts):
        end = part + 1
        while end < len(counts) and rings.holes[end]:
            end += 1
        own = [rings.xy[rings.starts[i] : rings.starts[i + 1]] for i in range(part, end)]
        if not touched[part]:
            copies = iter([own])
        elif rings.kinds[part] == POINT:
            copies = iter([[own[0] - np.round(own[0] / period) * (period, 0.0)]])
        else:
            copies = _copies(own, period)
        for copy in copies:
            pieces += copy
            source += range(part, end)
        part = end
    index = np.array(source, dtype=np.int64)
    lengths = np.array([len(piece) for piece in pieces], dtype=np.int64)
    return Rings(np.concatenate(pieces), starts_of(lengths), rings.owner[index], rings.holes[index], rings.kinds[index])


def _copies(part: list[Coordinates], period: float) -> Iterator[list[Coordinates]]:
    """A polygon with its holes, or a line, wherever it shows on the map."""
    left, right = part[0][:, 0].min(), part[0][:, 0].max()
    half = period / 2 * (1 - _LEAST)
    for turn in range(math.floor((-half - right) / period), math.ceil((half - left) / period) + 1):
        if left + turn * period < half and right + turn * period > -half:
            shift = np.array([turn * period, 0.0])
            yield [ring + shift if turn else ring for ring in part]
