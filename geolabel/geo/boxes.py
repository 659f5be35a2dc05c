"""The image of a box in another CRS: its extremes lie on the outline, between any points that were tried before."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geolabel.geo.edges import Image
    from geolabel.model import Bounds

_STEPS = 84  # around the box, 21 an edge
_TRIES = 17
_ROUNDS = 6  # each narrows the place of an extreme eightfold


def corners_of(xy: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The lowest and the highest x and y of coordinates (n, 2), n > 0; (2,) each.

    Column by column: along the first axis of a narrow array numpy takes forty times as long.
    """
    x, y = xy[:, 0], xy[:, 1]
    return np.array([x.min(), y.min()]), np.array([x.max(), y.max()])


def image_box(box: Bounds, image: Image, *, degrees: bool) -> Bounds | None:
    """The box that holds the image of a box.

    Args:
        box: min x, min y, max x, max y.
        image: leads to the other CRS.
        degrees: whether the other CRS has longitudes.

    Returns:
        The box in the other CRS; with longitudes, west > east crosses the antimeridian, and a box that holds a pole
        runs from -180 to 180. None when a point of the outline has no image.
    """
    at = np.linspace(0, 4, _STEPS, endpoint=False)
    xy = image(_outline(box, at))
    if not np.isfinite(xy).all():
        return None
    if degrees:
        steps = (np.diff(xy[:, 0], append=xy[0, 0]) + 180) % 360 - 180
        if abs(steps.sum()) > 180 or np.abs(steps).max() > 90:
            return _with_pole(xy)
        xy[:, 0] = xy[0, 0] + np.concatenate([[0], np.cumsum(steps[:-1])])
    low, high = _extremes(box, image, at, xy, degrees=degrees)
    if not degrees:
        return (float(low[0]), float(low[1]), float(high[0]), float(high[1]))
    west, east = float(low[0]), float(high[0])
    if east - west >= 360:
        west, east = -180.0, 180.0
    turn = 360.0 * math.floor((west + 180) / 360)
    west, east = west - turn, east - turn
    return (west, float(low[1]), east - 360 if east > 180 else east, float(high[1]))


def _outline(box: Bounds, at: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points of the outline, by how many edges lie before them: 2.5 is the middle of the third, (n, 2)."""
    x0, y0, x1, y1 = box
    corners = np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1), (x0, y0)])
    at %= 4
    edge = at.astype(np.int64)
    share = (at - edge)[:, None]
    return corners[edge] * (1 - share) + corners[edge + 1] * share


def _with_pole(xy: NDArray[np.float64]) -> Bounds:
    south, north = float(xy[:, 1].min()), float(xy[:, 1].max())
    return (-180.0, south, 180.0, 90.0) if south + north > 0 else (-180.0, -90.0, 180.0, north)


def _extremes(
    box: Bounds, image: Image, at: NDArray[np.float64], xy: NDArray[np.float64], *, degrees: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Lowest and highest x and y on the image of the outline: near the extremes of the points tried, looked for closer."""
    low, high = corners_of(xy)
    places = at[np.concatenate([xy.argmin(axis=0), xy.argmax(axis=0)])]
    homes = np.array([low[0], xy[xy[:, 1].argmin(), 0], high[0], xy[xy[:, 1].argmax(), 0]])
    reach = 4 / _STEPS
    axis = np.array([0, 1, 0, 1])
    for _ in range(_ROUNDS):
        tries = places[:, None] + np.linspace(-reach, reach, _TRIES)
        found = image(_outline(box, tries.ravel())).reshape(4, _TRIES, 2)
        if degrees:
            found[..., 0] += 360 * np.round((homes[:, None] - found[..., 0]) / 360)
        values = found[np.arange(4), :, axis]
        best = np.concatenate([values[:2].argmin(axis=1), values[2:].argmax(axis=1)])
        places = tries[np.arange(4), best]
        low = np.fmin(low, values[:2].min(axis=1))
        high = np.fmax(high, values[2:].max(axis=1))
        reach /= (_TRIES - 1) / 2
    return low, high
