"""Ground control points: a smooth way between a raster's pixels and the map that passes through all of them.

A thin plate spline (Bookstein 1989) for each direction, as GDAL's `-tps` fits it. It meets every point, so its residual
says nothing; what is reported is how well each point is found from the others (leave-one-out, after Rippa 1999).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from tiles.errors import NotOnMap

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

MAX_POINTS: Final = 1000
"""Most points of a fit; of more, as many are taken, evenly spread: the work grows with their cube."""


@dataclass(frozen=True, slots=True, eq=False)
class Spline:
    """A thin plate spline from one plane to another.

    Attributes:
        points: (n, 2) where its values are known, moved and scaled to -1..1.
        weights: (n + 3, 2): of each point, then of 1, x and y.
        origin: (2,) what was taken away from the points before they were scaled.
        scale: what they were divided by.
        left_out: (n,) how far off each value would be without its point, in units of the target.
    """

    points: NDArray[np.float64]
    weights: NDArray[np.float64]
    origin: NDArray[np.float64]
    scale: float
    left_out: NDArray[np.float64]

    def __call__(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
        """The two coordinates, in the shape of x and y."""
        flat = (np.stack([np.ravel(x), np.ravel(y)], axis=1) - self.origin) / self.scale
        found = np.empty((len(flat), 2))
        for first in range(0, len(flat), 4096):  # in parts: every position looks at every point
            part = flat[first : first + 4096]
            terms = np.concatenate([_kernel(part, self.points), np.ones((len(part), 1)), part], axis=1)
            found[first : first + 4096] = terms @ self.weights
        return tuple(found.T.reshape(2, *np.shape(x)))


def fit(source: NDArray[np.float64], target: NDArray[np.float64]) -> Spline:
    """The spline that brings points (n, 2) to points (n, 2).

    Raises:
        NotOnMap: fewer than three points, or all on one line.
    """
    origin = source.mean(axis=0)
    scale = float(np.abs(source - origin).max()) or 1.0
    points = (source - origin) / scale
    n = len(points)
    plane = np.concatenate([np.ones((n, 1)), points], axis=1)
    if n < 3 or np.linalg.matrix_rank(plane, tol=1e-9) < 3:
        raise NotOnMap(f"Its {n} ground control points do not span a plane: expected three or more, not on one line.")
    system = np.zeros((n + 3, n + 3))
    system[:n, :n] = _kernel(points, points)
    system[:n, n:], system[n:, :n] = plane, plane.T
    try:
        inverse = np.linalg.inv(system)
    except np.linalg.LinAlgError as error:
        raise NotOnMap("Two of its ground control points are at the same place.") from error
    weights = inverse[:, :n] @ target
    with np.errstate(divide="ignore", invalid="ignore"):
        apart = weights[:n] / np.diag(inverse)[:n, np.newaxis]
    return Spline(points, weights, origin, scale, np.nan_to_num(np.hypot(*apart.T), posinf=0.0))


def _kernel(these: NDArray[np.float64], those: NDArray[np.float64]) -> NDArray[np.float64]:
    squares = ((these[:, np.newaxis] - those) ** 2).sum(axis=2)
    kernel: NDArray[np.float64] = squares * np.log(np.where(squares > 0, squares, 1.0))
    return kernel


def arrange(
    points: Sequence[tuple[float, float, float, float]], *, degrees: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Pixels (n, 2) and places (n, 2) of at most `MAX_POINTS` points, each pixel once.

    Args:
        points: (col, row, x, y) each.
        degrees: whether x is a longitude: those east and west of the antimeridian then become neighbours.
    """
    found = np.array(points, dtype=np.float64)
    _, first = np.unique(found[:, :2], axis=0, return_index=True)
    found = found[np.sort(first)]
    if len(found) > MAX_POINTS:
        found = found[np.linspace(0, len(found) - 1, MAX_POINTS).round().astype(int)]
    if degrees and np.ptp(found[:, 2]) > 180:
        found[:, 2] = np.where(found[:, 2] < 0, found[:, 2] + 360, found[:, 2])
    return found[:, :2], found[:, 2:]
