"""Shapes as flat arrays to the text of GeoJSON: all numbers in one go, then cut into pieces."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import orjson

from geolabel.compiled import when_ready
from geolabel.geo.ragged import NONE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geolabel.geo.ragged import Ragged

_HEADS = tuple(
    b'{"type":"' + name + b'","coordinates":'
    for name in (b"Point", b"LineString", b"", b"Polygon", b"MultiPoint", b"MultiLineString", b"MultiPolygon")
)
_CLOSING = 93  # ]

WORTH_COMPILED = 2_000
"""Vertices in a page of labels from which on the next pages are worth compiled code."""


def geojson_texts(shapes: Ragged) -> list[bytes]:
    """GeoJSON geometries of shapes (n,) with all digits: what orjson makes of the same objects, and null for NONE."""
    if shapes.z is None and (shapes.kinds != NONE).all():
        writer = when_ready("geolabel.geo.geojson_writer", worth=len(shapes.xy) >= WORTH_COMPILED)
        if writer is not None:
            texts: list[bytes] = writer.write_texts(shapes, _dump(shapes.xy), _HEADS)
            return texts
    return _texts(shapes)


def _texts(shapes: Ragged) -> list[bytes]:
    flat = _Numbers(shapes.xy)
    solid = None if shapes.z is None else _Numbers(np.column_stack((shapes.xy, shapes.z)))
    is_solid = (
        np.zeros(len(shapes), bool)
        if shapes.z is None
        else ~np.isnan(np.append(shapes.z, np.nan)[shapes.vertices[:-1]])
    )
    rings, parts, begins = shapes.rings.tolist(), shapes.parts.tolist(), shapes.shapes.tolist()
    texts = []
    for row, (kind, solid_one) in enumerate(zip(shapes.kinds.tolist(), is_solid.tolist(), strict=True)):
        if kind == NONE:
            texts.append(b"null")
            continue
        numbers = solid if solid is not None and solid_one else flat
        first, last = begins[row], begins[row + 1]
        if kind == 6:
            polygons = (numbers.lines(rings[parts[part] : parts[part + 1] + 1]) for part in range(first, last))
            text = b"[" + b",".join(polygons) + b"]"
        elif kind in {3, 5}:
            text = numbers.lines(rings[parts[first] : parts[last] + 1])
        else:
            ring = parts[first]
            text = numbers.run(rings[ring], rings[ring + 1])
            if kind == 0:
                text = text[1:-1]
        texts.append(_HEADS[kind] + text + b"}")
    return texts


def _dump(positions: NDArray[np.float64]) -> bytes:
    """Positions (n, 2 or 3) as a list of lists."""
    return orjson.dumps(np.ascontiguousarray(positions), option=orjson.OPT_SERIALIZE_NUMPY)


class _Numbers:
    """Positions (n, 2 or 3) as text."""

    def __init__(self, positions: NDArray[np.float64]) -> None:
        self._text = _dump(positions)
        ends = np.flatnonzero(np.frombuffer(self._text, np.uint8) == _CLOSING)
        # Where each position begins, and behind them all what the next one would.
        self._begins = [1, *(ends[:-1] + 2).tolist()]

    def run(self, begin: int, end: int) -> bytes:
        """Some positions as a list."""
        return b"[" + self._text[self._begins[begin] : self._begins[end] - 1] + b"]"

    def lines(self, begins: list[int]) -> bytes:
        """Runs of positions as a list of lists."""
        if len(begins) == 2:
            return b"[[" + self._text[self._begins[begins[0]] : self._begins[begins[1]] - 1] + b"]]"
        return b"[" + b",".join(map(self.run, begins[:-1], begins[1:])) + b"]"
