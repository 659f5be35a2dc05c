"""A tile from a layer: chooses how coarse it must be to stay small, and frames what the compiled loops wrote.

Source: Mapbox Vector Tile Specification 2.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from geolabel.labeltiles import lines, points, polygons
from geolabel.labeltiles.format import BUFFER, COARSEST, EXTENT, FIELDS, LAYER_NAME, MOST_BYTES, reach
from geolabel.labeltiles.framing import field, text
from geolabel.labeltiles.pooling import count_in, in_crowd, picture
from geolabel.labeltiles.rings import LINE, POINT, POLYGON

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from numpy.typing import NDArray

    from geolabel.labeltiles.layer import Layer
    from geolabel.model import Bounds

_SAMPLE = 256


def encode_tile(
    layer: Layer, box: Bounds, *, classes: Sequence[str], statuses: Sequence[str], pooled: bool = False
) -> bytes:
    """Write a Mapbox Vector Tile: polygons, then lines, then points, each in order of id.

    It is drawn on the finest grid (one tile unit, or two, four ... 64) that keeps it below `MOST_BYTES`; what is thinner
    than the grid vanishes from it, and its neighbours meet where it was. Where the coarsest grid is not enough, the
    smallest labels are left out.

    Args:
        layer: what to draw.
        box: of the tile, in the CRS of the layer.
        classes: names by the numbers that the layer has.
        statuses: the same for the statuses.
        pooled: whether small labels of a crowd are left to `draw_picture`; a layer `count` says how many there are.

    Returns:
        The tile, which depends on nothing but the labels that it shows; no bytes when nothing is in it.
    """
    rows, window = _around(layer, box)
    if len(rows) == 0:
        return b""
    count = b""
    if pooled:
        crowd = in_crowd(layer, rows, window)
        count = count_in(layer, rows, window, crowd)
        rows = rows[~crowd]
    return _labels(layer, rows, window, MOST_BYTES - len(count), classes=classes, statuses=statuses) + count


def draw_picture(
    layer: Layer,
    box: Bounds,
    *,
    classes: Sequence[str],
    statuses: Sequence[str],
    colors: Mapping[str, str],
    hidden: Collection[str] = (),
) -> bytes:
    """Draw what a pooled tile leaves out; see `geolabel.labeltiles.pooling.picture`."""
    rows, window = _around(layer, box)
    return picture(layer, rows, window, classes=classes, statuses=statuses, colors=colors, hidden=hidden)


def _around(layer: Layer, box: Bounds) -> tuple[NDArray[np.int64], tuple[float, float, float]]:
    """The rows that a tile may show; its left and top in the units of the layer, and tile units per such unit."""
    left, _, right, top = box
    return layer.find(reach(box)), (left, top, EXTENT / (right - left))


def _labels(
    layer: Layer,
    rows: NDArray[np.int64],
    window: tuple[float, float, float],
    most: int,
    *,
    classes: Sequence[str],
    statuses: Sequence[str],
) -> bytes:
    """The layer of labels that are drawn one by one."""
    class_names, class_values = _used(layer.shapes.classes[rows], classes, 0)
    status_names, status_values = _used(layer.shapes.statuses[rows], statuses, len(class_names))
    names = (*class_names, *status_names)
    words = _words(names)
    budget = most - len(_HEAD) - len(words) - len(_TAIL) - 8
    drawn = _Drawer(layer, window, (class_values, status_values, len(names)), budget).draw(rows)
    if not drawn.features:
        return b""
    return text(3, b"".join([_HEAD, drawn.features, words, drawn.values, _TAIL]))


def _used(numbers: NDArray[np.int32], names: Sequence[str], first: int) -> tuple[list[str], NDArray[np.int64]]:
    """The names that are used, sorted; and by number of a name, its place among them, counted from `first`."""
    used = sorted((names[i], i) for i in np.flatnonzero(np.bincount(numbers)).tolist())
    places = np.zeros(len(names), dtype=np.int64)
    for place, (_, number) in enumerate(used, first):
        places[number] = place
    return [name for name, _ in used], places


@dataclass(frozen=True, slots=True)
class _Drawn:
    """Features and the values of their ids as fields of a layer, and how many rows were looked at."""

    features: bytes
    values: bytes
    done: int

    @property
    def size(self) -> int:
        return len(self.features) + len(self.values)


@dataclass(frozen=True, slots=True)
class _Drawer:
    """Draws rows of a layer, again and more coarsely until they fit."""

    layer: Layer
    window: tuple[float, float, float]
    values: tuple[NDArray[np.int64], NDArray[np.int64], int]
    budget: int

    def draw(self, rows: NDArray[np.int64]) -> _Drawn:
        step = self._first_step(rows)
        drawn = self._encode(rows, step)
        while drawn.done < len(rows) and step < COARSEST:
            step *= 2
            drawn = self._encode(rows, step)
        if drawn.done == len(rows):
            return drawn
        largest = rows[np.argsort(-self.layer.sizes(rows), kind="stable")]
        while drawn.done < len(rows) and len(rows) > 1:
            rows = largest[: max(drawn.done * 9 // 10, 1)]
            rows = rows[np.argsort(self.layer.shapes.ids[rows])]
            drawn = self._encode(rows, step)
        while drawn.done < len(rows) and step < EXTENT:  # one shape of very many corners
            step *= 2
            drawn = self._encode(rows, step)
        return drawn

    def _first_step(self, rows: NDArray[np.int64]) -> int:
        """The step at which a sample of the rows says that all of them will fit; 1 when it says that none will do."""
        if len(rows) < 4 * _SAMPLE:
            return 1
        sample = rows[:: len(rows) // _SAMPLE]
        step = 1
        while step <= COARSEST:
            drawn = self._encode(sample, step)
            if drawn.done == len(sample) and drawn.size * len(rows) < self.budget * len(sample):
                return step
            step *= 2
        return 1

    def _encode(self, rows: NDArray[np.int64], step: int) -> _Drawn:
        s = self.layer.shapes
        square = (step, -BUFFER, EXTENT + BUFFER)
        features, values = b"", b""
        done = count = 0
        kinds = s.kinds[rows]
        for kind in (POLYGON, LINE, POINT):
            chosen = rows[kinds == kind]
            if len(chosen) == 0:
                continue
            numbers = (*self.values[:2], self.values[2] + count)
            budget = self.budget - len(features) - len(values)
            if kind == POLYGON:
                more = polygons.encode(
                    chosen,
                    *(s.ids, s.classes, s.statuses, s.rings, s.starts, s.holes, s.xy, s.boxes),
                    *(self.window, square, *numbers, budget),
                )
            else:
                more = (lines if kind == LINE else points).encode(
                    chosen,
                    *(s.ids, s.classes, s.statuses, s.rings, s.starts, s.xy),
                    *(self.window, square, *numbers, budget),
                )
            features += more[0].tobytes()
            values += more[1].tobytes()
            count += more[2]
            done += more[3]
            if more[3] < len(chosen):
                break
        return _Drawn(features, values, done)


@lru_cache(maxsize=1024)
def _words(names: tuple[str, ...]) -> bytes:
    """The keys of a layer, and its values that are names."""
    keys = b"".join(text(3, key.encode()) for key in FIELDS)
    return keys + b"".join(text(4, text(1, name.encode())) for name in names)


_HEAD = field(15, 2) + text(1, LAYER_NAME.encode())
_TAIL = field(5, EXTENT)
