"""What a map draws of a crowd: a picture, in the place of labels that are too small to be told apart."""

from __future__ import annotations

import io
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from geolabel.labeltiles import crowds
from geolabel.labeltiles.format import COUNT_NAME, EXTENT
from geolabel.labeltiles.framing import field, text, varint
from geolabel.labeltiles.rings import POINT

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from numpy.typing import NDArray

    from geolabel.labeltiles.layer import Layer

_CROWD = 8000
"""A tile of fewer labels shows each of them."""

_SMALL = 64
"""Tile units, 8 pixels: in a crowd, labels smaller than this are pooled."""

_FINE, _COARSE = 16, 32
"""Tile units along the side of a cell: 2 or 4 pixels."""

_MOST_SUMS = 2**23
"""Cells of all groups together: with more, the cells are coarser."""

_GREY = "#9098a3"
"""Of a class that the project does not have any more."""

_FAINT = 0.5
"""How strong what is suggested or rejected is beside what is labelled."""


def in_crowd(layer: Layer, rows: NDArray[np.int64], window: tuple[float, float, float]) -> NDArray[np.bool_]:
    """Which rows (m,) around a tile are too small to be told apart: none of them where no crowd is.

    Args:
        layer: the labels.
        rows: those around the tile.
        window: left and top of the tile in the units of the layer, and tile units per such unit.
    """
    shapes = layer.shapes
    if len(rows) <= _CROWD:
        return np.zeros(len(rows), dtype=np.bool_)
    boxes = shapes.boxes[rows]
    sides = np.maximum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]) * window[2]
    small: NDArray[np.bool_] = (sides < _SMALL) & (shapes.kinds[rows] != POINT)
    return small


def picture(
    layer: Layer,
    rows: NDArray[np.int64],
    window: tuple[float, float, float],
    *,
    classes: Sequence[str],
    statuses: Sequence[str],
    colors: Mapping[str, str],
    hidden: Collection[str] = (),
) -> bytes:
    """Draw the small labels of a crowd.

    Args:
        layer: the labels.
        rows: those around the tile.
        window: left and top of the tile in the units of the layer, and tile units per such unit.
        classes: names by the numbers that the layer has.
        statuses: the same for the statuses.
        colors: as '#rrggbb', by the name of the class.
        hidden: names of classes that are left out.

    Returns:
        A PNG: a pixel for each cell of 2 by 2 pixels of the tile, or 4 by 4, in the colour of the class that takes most
        of it; no bytes when there is no crowd.
    """
    shapes = layer.shapes
    crowd = rows[in_crowd(layer, rows, window)]
    out = [number for number, name in enumerate(classes) if name in hidden]
    crowd = crowd[~np.isin(shapes.classes[crowd], out)]
    if len(crowd) == 0:
        return b""
    pairs = shapes.classes[crowd].astype(np.int64) << 32 | shapes.statuses[crowd]
    groups, group = np.unique(pairs, return_inverse=True)
    cell = _FINE if len(groups) * (EXTENT // _FINE) ** 2 <= _MOST_SUMS else _COARSE
    sums = np.zeros((len(groups), EXTENT // cell, EXTENT // cell), dtype=np.float32)
    crowds.spread(
        crowd,
        group,
        *(shapes.kinds, shapes.rings, shapes.starts, shapes.xy, shapes.boxes),
        *(window, cell, sums),
    )
    named = [(classes[pair >> 32], statuses[pair & 0xFFFFFFFF]) for pair in groups.tolist()]
    rgb = np.array([_rgb(colors.get(name, _GREY)) for name, _ in named], dtype=np.uint8)
    weights = np.array([1.0 if status == "labelled" else _FAINT for _, status in named])
    return _png(crowds.paint(sums, rgb, weights))


def _rgb(color: str) -> tuple[int, int, int]:
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)


def _png(rgba: NDArray[np.uint8]) -> bytes:
    from PIL import Image  # noqa: PLC0415 (the server starts without it)

    out = io.BytesIO()
    Image.fromarray(rgba).save(out, "PNG", compress_level=1)
    return out.getvalue()


@lru_cache(maxsize=1)
def empty() -> bytes:
    """The picture where no crowd is."""
    return _png(np.zeros((1, 1, 4), dtype=np.uint8))


def count_in(
    layer: Layer, rows: NDArray[np.int64], window: tuple[float, float, float], crowd: NDArray[np.bool_]
) -> bytes:
    """The layer `count`: a point in the middle of the tile, with the number of labels whose middle lies in the tile.

    Args:
        layer: the labels.
        rows: those around the tile.
        window: left and top of the tile in the units of the layer, and tile units per such unit.
        crowd: which of the rows are in the picture.
    """
    left, top, scale = window
    boxes = layer.shapes.boxes[rows]
    side = EXTENT / scale
    x, y = (boxes[:, 0] + boxes[:, 2]) / 2 - left, top - (boxes[:, 1] + boxes[:, 3]) / 2
    inside = (x >= 0) & (x < side) & (y >= 0) & (y < side)
    numbers = (int(np.count_nonzero(inside)), int(np.count_nonzero(inside & crowd)))
    middle = varint(1 << 3 | 1) + 2 * varint(EXTENT)  # zigzag: twice the half
    feature = text(2, text(2, bytes([0, 0, 1, 1])) + field(3, POINT) + text(4, middle))
    keys = text(3, b"labels") + text(3, b"pooled") + b"".join(text(4, field(5, n)) for n in numbers)
    return text(3, field(15, 2) + text(1, COUNT_NAME.encode()) + feature + keys + field(5, EXTENT))
