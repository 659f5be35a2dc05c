"""Labels in their project's CRS -> flat arrays in the CRS of a tile matrix set.

Every edge is looked at alone and from the same end whichever way it runs, so that two labels that share it get the same
vertices.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from geolabel.errors import InvalidCRS
from geolabel.geo import crs as crs_
from geolabel.labeltiles.around import go_around, torn
from geolabel.labeltiles.matrix import period_of
from geolabel.labeltiles.rings import POLYGON, Rings, flatten, starts_of
from geolabel.labeltiles.shapes import NOTHING, Shapes, join
from geolabel.model import CRS84

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geolabel.labeltiles.matrix import MatrixSet
    from geolabel.labeltiles.rings import Coordinates

_BEND_M = 0.05
"""How far an edge may bend on its way into the tiles' CRS before it gets vertices, in metres: a pixel at zoom 20."""

_STRAIGHT_M = 200.0
"""Shorter edges bend by less, wherever the tile matrix sets reach: a chord of the Earth of that length is off by 1 mm."""

_MOST_PIECES = 4096
_HIGHEST_LATITUDE = 89.9


def place(
    geometries: NDArray[np.object_],
    ids: NDArray[np.int64],
    classes: NDArray[np.int32],
    statuses: NDArray[np.int32],
    *,
    crs: str,
    matrices: MatrixSet,
) -> Shapes:
    """Bring labels into the CRS of a tile matrix set.

    Args:
        geometries: shapely objects (n,), in `crs`.
        ids: (n,).
        classes: (n,) numbers of their classes.
        statuses: (n,) numbers of their statuses.
        crs: the project's.
        matrices: the tile matrix set.

    Returns:
        The labels, whose ids ascend when those given do; those that the CRS cannot hold are left out.
    """
    rings = flatten(geometries)
    if not crs_.same(crs, matrices.crs):
        rings = _densified(rings, crs, matrices)
        rings = replace(rings, xy=_moved(rings.xy, crs, matrices))
    across = np.empty(0, dtype=np.int64)
    if matrices.period is not None:
        if period_of(crs) is None:
            across = torn(rings, matrices.period)
        rings = go_around(rings, matrices.period)
    lost = across
    finite = np.isfinite(rings.xy).all(axis=1)
    if not finite.all():
        lost = np.concatenate([across, np.repeat(rings.owner, np.diff(rings.starts))[~finite]])
    if len(lost):
        rings = rings.keep(~np.isin(rings.owner, lost))
    shapes = _shapes(rings, ids, classes, statuses) if len(rings.owner) else NOTHING
    if len(across) == 0:
        return shapes
    whole, found = _whole(geometries[across], crs)
    across = across[found]
    more = place(whole, ids[across], classes[across], statuses[across], crs=CRS84, matrices=matrices)
    shapes = join([shapes, more])
    return shapes.take(np.argsort(shapes.ids, kind="stable"))


def _whole(geometries: NDArray[np.object_], crs: str) -> tuple[NDArray[np.object_], NDArray[np.int64]]:
    """Shapes (n,) across the antimeridian or around a pole with longitudes that go on, and which of them have any."""
    bend = _BEND_M / crs_.METRES_PER_DEGREE
    found: list[Any] = []
    rows: list[int] = []
    for row in range(len(geometries)):
        try:
            found += crs_.transform_geometries(geometries[row : row + 1], crs, CRS84, tolerance=bend).tolist()
        except InvalidCRS:
            continue
        rows.append(row)
    return np.array([*found, None], dtype=object)[:-1], np.array(rows, dtype=np.int64)


def _moved(xy: Coordinates, crs: str, matrices: MatrixSet) -> Coordinates:
    """Coordinates in the CRS of the tiles; a point at a pole goes to the edge of a map that has none."""
    moved = np.array(crs_.transform_coordinates(xy, crs, matrices.crs))
    lost = ~np.isfinite(moved).all(axis=1)
    if lost.any():
        degrees = np.array(crs_.transform_coordinates(xy[lost], crs, CRS84))
        degrees[:, 1] = np.clip(degrees[:, 1], -_HIGHEST_LATITUDE, _HIGHEST_LATITUDE)
        moved[lost] = crs_.transform_coordinates(degrees, CRS84, matrices.crs)
    own = period_of(crs)
    if own is not None and matrices.period is not None:
        # A longitude of 190 stays right of one of 170.
        with np.errstate(invalid="ignore"):
            moved[:, 0] += np.round(xy[:, 0] / own - moved[:, 0] / matrices.period) * matrices.period
    return moved


def _densified(rings: Rings, crs: str, matrices: MatrixSet) -> Rings:
    """Put vertices on the edges that bend, as many on each as it needs by itself."""
    steps = np.diff(rings.xy, axis=0)
    long = np.flatnonzero(rings.edges() & (np.hypot(steps[:, 0], steps[:, 1]) * crs_.unit_metres(crs) > _STRAIGHT_M))
    if len(long) == 0:
        return rings
    begin, end = rings.xy[long], rings.xy[long + 1]
    turned = (begin[:, 0] > end[:, 0]) | ((begin[:, 0] == end[:, 0]) & (begin[:, 1] > end[:, 1]))
    begin[turned], end[turned] = end[turned], begin[turned]
    bend = _bends(begin, end, crs, matrices) * crs_.unit_metres(matrices.crs)
    # A smooth edge cut in n bends n squared times less; a quarter of an edge more keeps the estimate safe.
    pieces = np.ceil(np.sqrt(bend / _BEND_M) * 1.25)
    added = np.where(np.isfinite(pieces), np.clip(pieces, 1, _MOST_PIECES), 1).astype(np.int64) - 1
    edge = np.repeat(np.arange(len(long)), added)
    number = np.arange(len(edge)) - np.repeat(np.cumsum(added) - added, added) + 1
    number = np.where(turned[edge], added[edge] + 1 - number, number)
    new = begin[edge] + (number / (added[edge] + 1))[:, None] * (end[edge] - begin[edge])
    at = np.zeros(len(rings.xy), dtype=np.int64)
    at[long + 1] = added
    return Rings(
        np.insert(rings.xy, np.repeat(long + 1, added), new, axis=0),
        rings.starts + starts_of(at)[rings.starts],
        rings.owner,
        rings.holes,
        rings.kinds,
    )


def _bends(begin: Coordinates, end: Coordinates, crs: str, matrices: MatrixSet) -> NDArray[np.float64]:
    """How far the images of edges lie off the straight line between the images of their ends, in the tiles' units."""
    first, last = _moved(begin, crs, matrices), _moved(end, crs, matrices)
    wraps = matrices.period is not None and period_of(crs) is None
    if wraps:
        last = _beside(last, first, matrices)
    bend = np.zeros(len(begin))
    for share in (0.25, 0.5, 0.75):
        image = _moved(begin + share * (end - begin), crs, matrices)
        if wraps:
            image = _beside(image, first, matrices)
        with np.errstate(invalid="ignore"):
            bend = np.maximum(bend, np.hypot(*(image - (first + share * (last - first))).T))
    return bend


def _beside(xy: Coordinates, others: Coordinates, matrices: MatrixSet) -> Coordinates:
    """The same points, half a turn around the Earth from the others at most."""
    assert matrices.period is not None
    with np.errstate(invalid="ignore"):
        turns = np.round((others[:, 0] - xy[:, 0]) / matrices.period)
    return xy + np.column_stack((turns * matrices.period, np.zeros(len(xy))))


def _shapes(rings: Rings, ids: NDArray[np.int64], classes: NDArray[np.int32], statuses: NDArray[np.int32]) -> Shapes:
    owners, first_ring = np.unique(rings.owner, return_index=True)
    begins = rings.starts[first_ring]
    boxes = np.column_stack(
        [np.minimum.reduceat(rings.xy, begins, axis=0), np.maximum.reduceat(rings.xy, begins, axis=0)]
    )
    xy, starts = _wound(rings)
    return Shapes(
        ids=ids[owners],
        classes=classes[owners],
        statuses=statuses[owners],
        kinds=rings.kinds[first_ring],
        rings=np.append(first_ring, len(rings.owner)).astype(np.int64),
        starts=starts,
        holes=rings.holes,
        xy=xy,
        boxes=boxes,
    )


def _wound(rings: Rings) -> tuple[Coordinates, NDArray[np.int64]]:
    """Polygon rings without their last vertex, outer ones clockwise and holes the other way; and where each begins."""
    xy, starts = rings.xy, rings.starts
    counts = np.diff(starts)
    polygon = rings.kinds == POLYGON
    # Twice the area, from the ring's first vertex so that large coordinates cost no digits.
    local = xy - np.repeat(xy[starts[:-1]], counts, axis=0)
    cross = np.zeros(len(xy))
    cross[:-1] = local[:-1, 0] * local[1:, 1] - local[1:, 0] * local[:-1, 1]
    cross[starts[1:] - 1] = 0.0
    counterclockwise = np.add.reduceat(cross, starts[:-1]) > 0
    backwards = polygon & (counterclockwise != rings.holes)
    if backwards.any():
        ring = np.repeat(np.arange(len(counts)), counts)
        index = np.arange(len(xy))
        mirrored = starts[:-1][ring] + starts[1:][ring] - 1 - index
        xy = xy[np.where(backwards[ring], mirrored, index)]
    kept = np.ones(len(xy), dtype=np.bool_)
    kept[starts[1:][polygon] - 1] = False
    return np.ascontiguousarray(xy[kept]), starts_of(counts - polygon)
