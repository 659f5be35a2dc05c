"""Flat arrays to well-known binary, in compiled code: ISO 13249-3, little-endian, the doubles bit for bit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from geolabel.compiled import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geolabel.geo.ragged import Ragged


def write_wkb(shapes: Ragged, headers: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Write shapes one after the other.

    Args:
        shapes: (n,), none of them NONE.
        headers: (n, h) bytes that go before each.

    Returns:
        The bytes, and where each header begins in them (n + 1,).
    """
    z = np.empty(0) if shapes.z is None else shapes.z
    arrays = (shapes.kinds, z, shapes.rings, shapes.parts, shapes.shapes)
    begins = np.zeros(len(shapes) + 1, dtype=np.int64)
    begins[1:] = headers.shape[1]
    _add_sizes(*arrays, begins)
    np.cumsum(begins, out=begins)
    out = np.empty(begins[-1], dtype=np.uint8)
    _write(shapes.xy.view(np.uint8), z.view(np.uint8), *arrays, headers, begins, out)
    return out, begins


@compiled
def _add_sizes(
    kinds: NDArray[np.int8],
    z: NDArray[np.float64],
    rings: NDArray[np.int64],
    parts: NDArray[np.int64],
    shapes: NDArray[np.int64],
    sizes: NDArray[np.int64],
) -> None:
    for shape in range(len(kinds)):
        kind = kinds[shape]
        first_part, last_part = shapes[shape], shapes[shape + 1]
        first_ring, last_ring = parts[first_part], parts[last_part]
        first, last = rings[first_ring], rings[last_ring]
        vertex = 24 if len(z) and not np.isnan(z[first]) else 16
        size = (last - first) * vertex
        if kind == 0:
            size += 5
        elif kind == 1:
            size += 9
        elif kind == 3:
            size += 9 + 4 * (last_ring - first_ring)
        elif kind == 4:
            size += 9 + 5 * (last - first)
        elif kind == 5:
            size += 9 + 9 * (last_ring - first_ring)
        else:
            size += 9 + 9 * (last_part - first_part) + 4 * (last_ring - first_ring)
        sizes[shape + 1] += size


@compiled
def _put_count(out: NDArray[np.uint8], at: int, value: int) -> int:
    for i in range(4):
        out[at + i] = (value >> (8 * i)) & 255
    return at + 4


@compiled
def _put_type(out: NDArray[np.uint8], at: int, kind: int, solid: bool) -> int:
    out[at] = 1
    return _put_count(out, at + 1, kind + 1000 if solid else kind)


@compiled
def _put_vertices(
    xy: NDArray[np.uint8], z: NDArray[np.uint8], begin: int, end: int, solid: bool, out: NDArray[np.uint8], at: int
) -> int:
    if not solid:
        size = 16 * (end - begin)
        flat = xy.reshape(-1)
        out[at : at + size] = flat[16 * begin : 16 * end]
        return at + size
    for vertex in range(begin, end):
        out[at : at + 16] = xy[vertex]
        out[at + 16 : at + 24] = z[8 * vertex : 8 * vertex + 8]
        at += 24
    return at


@compiled
def _write(
    xy: NDArray[np.uint8],
    z_bytes: NDArray[np.uint8],
    kinds: NDArray[np.int8],
    z: NDArray[np.float64],
    rings: NDArray[np.int64],
    parts: NDArray[np.int64],
    shapes: NDArray[np.int64],
    headers: NDArray[np.uint8],
    begins: NDArray[np.int64],
    out: NDArray[np.uint8],
) -> None:
    # GEOS numbers its types from 0 and counts bare rings; WKB has 1 Point, 2 LineString, 3 Polygon, 4..6 the Multis.
    for shape in range(len(kinds)):
        at = begins[shape]
        out[at : at + headers.shape[1]] = headers[shape]
        at += headers.shape[1]
        kind = kinds[shape]
        first_part, last_part = shapes[shape], shapes[shape + 1]
        first_ring, last_ring = parts[first_part], parts[last_part]
        first, last = rings[first_ring], rings[last_ring]
        solid = len(z) > 0 and not np.isnan(z[first])
        at = _put_type(out, at, kind + 1 if kind < 2 else kind, solid)
        if kind == 0:
            _put_vertices(xy, z_bytes, first, last, solid, out, at)
        elif kind == 1:
            at = _put_count(out, at, last - first)
            _put_vertices(xy, z_bytes, first, last, solid, out, at)
        elif kind == 4:
            at = _put_count(out, at, last - first)
            for vertex in range(first, last):
                at = _put_type(out, at, 1, solid)
                at = _put_vertices(xy, z_bytes, vertex, vertex + 1, solid, out, at)
        elif kind == 5:
            at = _put_count(out, at, last_ring - first_ring)
            for ring in range(first_ring, last_ring):
                at = _put_type(out, at, 2, solid)
                at = _put_count(out, at, rings[ring + 1] - rings[ring])
                at = _put_vertices(xy, z_bytes, rings[ring], rings[ring + 1], solid, out, at)
        else:
            if kind == 6:
                at = _put_count(out, at, last_part - first_part)
            for part in range(first_part, last_part):
                if kind == 6:
                    at = _put_type(out, at, 3, solid)
                at = _put_count(out, at, parts[part + 1] - parts[part])
                for ring in range(parts[part], parts[part + 1]):
                    at = _put_count(out, at, rings[ring + 1] - rings[ring])
                    at = _put_vertices(xy, z_bytes, rings[ring], rings[ring + 1], solid, out, at)
