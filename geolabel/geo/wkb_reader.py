"""Well-known binary to flat arrays, in compiled code: what our databases give, little-endian, the doubles bit for bit.

It takes GeoPackage blobs (OGC 12-128r18, clause 2.1.3), ISO WKB and PostGIS's EWKB; all else is left to GEOS.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from geolabel.compiled import compiled
from geolabel.geo.ragged import Ragged

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_ENVELOPES = np.array([0, 32, 48, 48, 64, 0, 0, 0])


def read_wkb(blobs: Sequence[bytes]) -> Ragged | None:
    """Read shapes.

    Args:
        blobs: (n,), one for each shape.

    Returns:
        The shapes (n,); None when one of them is empty, has M, is a collection, or is not written as we write.
    """
    data = np.frombuffer(b"".join(blobs), dtype=np.uint8)
    begins = np.zeros(len(blobs) + 1, dtype=np.int64)
    np.cumsum(np.fromiter(map(len, blobs), np.int64, len(blobs)), out=begins[1:])
    most = len(data) // 16 + 1  # a vertex has 16 bytes at least, and no ring or part is without one
    kinds = np.empty(len(blobs), dtype=np.int8)
    xy, z = np.empty((most, 2)), np.empty(most)
    rings, parts = np.zeros(most + 1, dtype=np.int64), np.zeros(most + 1, dtype=np.int64)
    shapes = np.zeros(len(blobs) + 1, dtype=np.int64)
    used = np.zeros(4, dtype=np.int64)
    if not _read(data, begins, kinds, xy.view(np.uint8).reshape(-1), z, rings, parts, shapes, used):
        return None
    vertex, ring, part, solid = used.tolist()
    return Ragged(kinds, xy[:vertex], z[:vertex] if solid else None, rings[: ring + 1], parts[: part + 1], shapes)


def warm_up() -> None:
    """Compile what is here, or load it when it was compiled before."""
    read_wkb([b"\1\1\0\0\0" + bytes(16)])


@compiled
def _u32(data: NDArray[np.uint8], at: int) -> int:
    value: int = data[at] | data[at + 1] << 8 | data[at + 2] << 16 | data[at + 3] << 24
    return value


@compiled
def _header(data: NDArray[np.uint8], at: int, end: int) -> tuple[int, int, bool]:
    """Where what follows the type begins, the type, and whether there is Z; type 0 for what is not ours."""
    if at + 9 > end or data[at] != 1:
        return at, 0, False
    code = _u32(data, at + 1)
    at += 5
    if code & 0x40000000:
        return at, 0, False
    solid = code & 0x80000000 != 0
    if code & 0x20000000:
        at += 4
    code &= 0x0FFFFFFF
    if code > 1000:
        solid = True
        code -= 1000
    return at, code if code < 7 else 0, solid


@compiled
def _put(
    data: NDArray[np.uint8],
    place: tuple[int, int, int],
    solid: bool,
    xy: NDArray[np.uint8],
    z: NDArray[np.float64],
    vertex: int,
) -> int:
    """Copy so many vertices from a place, (at, count, end); the number of the next one, -1 when they are not there."""
    at, count, end = place
    if count < 1 or at + count * (24 if solid else 16) > end:
        return -1
    if not solid:
        xy[16 * vertex : 16 * (vertex + count)] = data[at : at + 16 * count]
        z[vertex : vertex + count] = np.nan
        return vertex + count
    heights = z.view(np.uint8)
    for i in range(count):
        xy[16 * (vertex + i) : 16 * (vertex + i + 1)] = data[at + 24 * i : at + 24 * i + 16]
        heights[8 * (vertex + i) : 8 * (vertex + i + 1)] = data[at + 24 * i + 16 : at + 24 * i + 24]
    return vertex + count


@compiled
def _run(
    data: NDArray[np.uint8],
    at: int,
    end: int,
    solid: bool,
    xy: NDArray[np.uint8],
    z: NDArray[np.float64],
    vertex: int,
) -> tuple[int, int]:
    """Copy vertices that are counted first: where what follows begins, and the number of the next one as `_put` gives it."""
    if at + 4 > end:
        return at, -1
    count = _u32(data, at)
    at += 4
    return at + count * (24 if solid else 16), _put(data, (at, count, end), solid, xy, z, vertex)


@compiled
def _read(
    data: NDArray[np.uint8],
    begins: NDArray[np.int64],
    kinds: NDArray[np.int8],
    xy: NDArray[np.uint8],
    z: NDArray[np.float64],
    rings: NDArray[np.int64],
    parts: NDArray[np.int64],
    shapes: NDArray[np.int64],
    used: NDArray[np.int64],
) -> bool:
    part = ring = vertex = 0
    some_solid = False
    for shape in range(len(begins) - 1):
        at, end = begins[shape], begins[shape + 1]
        if end - at > 8 and data[at] == 71:  # the G of GP
            at += 8 + _ENVELOPES[(data[at + 3] >> 1) & 7]
        at, kind, solid = _header(data, at, end)
        if kind == 0:
            return False
        some_solid |= solid
        members = 1
        if kind > 3:
            if at + 4 > end:
                return False
            members = _u32(data, at)
            at += 4
            if members < 1 or members > end - at:
                return False
        kinds[shape] = kind - 1 if kind < 3 else kind
        for member in range(members):
            if kind > 3:
                at, one, is_solid = _header(data, at, end)
                if one != kind - 3 or is_solid != solid:
                    return False
            if kind in (1, 4):
                vertex = _put(data, (at, 1, end), solid, xy, z, vertex)
                if vertex < 0 or np.isnan(xy[16 * vertex - 16 : 16 * vertex].view(np.float64)[0]):
                    return False
                at += 24 if solid else 16
                if member < members - 1:
                    continue  # points are one run
                ring += 1
                rings[ring] = vertex
            elif kind in (2, 5):
                at, vertex = _run(data, at, end, solid, xy, z, vertex)
                if vertex < 0:
                    return False
                ring += 1
                rings[ring] = vertex
                if member < members - 1:
                    continue  # lines are one part
            else:
                if at + 4 > end:
                    return False
                holes = _u32(data, at)
                at += 4
                if holes < 1:
                    return False
                for _ in range(holes):
                    at, vertex = _run(data, at, end, solid, xy, z, vertex)
                    if vertex < 0:
                        return False
                    ring += 1
                    rings[ring] = vertex
            part += 1
            parts[part] = ring
        shapes[shape + 1] = part
    used[0], used[1], used[2], used[3] = vertex, ring, part, some_solid
    return True
