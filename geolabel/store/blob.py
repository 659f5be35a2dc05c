"""GeoPackage geometry blobs: the header `GP` with an envelope, then ISO WKB. Doubles go in and come out bit for bit.

Source: OGC 12-128r18 (GeoPackage 1.3.1), clause 2.1.3.
"""

from __future__ import annotations

import math
import struct
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from geolabel.geo.ragged import Ragged

_HEADER = np.dtype(
    [
        ("magic", "S2"),
        ("version", "u1"),
        ("flags", "u1"),
        ("srs_id", "<i4"),
        ("min_x", "<f8"),
        ("max_x", "<f8"),
        ("min_y", "<f8"),
        ("max_y", "<f8"),
    ],
)
_LITTLE_ENDIAN = 0b0000_0001
_XY_ENVELOPE = 0b0000_0010
_EMPTY = 0b0001_0000
# Length of the envelope by its code in bits 1-3 of the flags: none, xy, xyz, xym, xyzm.
_ENVELOPES = (0, 32, 48, 48, 64)

WORTH_COMPILED = 50_000
"""Vertices from which on compiled code is worth loading."""


def encode(geometries: NDArray[np.object_], srs_id: int) -> list[bytes]:
    """Geometries to blobs.

    Args:
        geometries: shapely objects (n,), none of them empty, without M.
        srs_id: the id of their CRS in `gpkg_spatial_ref_sys`.
    """
    headers = _headers(shapely.bounds(geometries), srs_id)
    raw = headers.tobytes()
    size = _HEADER.itemsize
    bodies = shapely.to_wkb(geometries, output_dimension=3, byte_order=1, flavor="iso")
    return [raw[i * size : (i + 1) * size] + body for i, body in enumerate(bodies)]


def encode_ragged(shapes: Ragged, srs_id: int) -> list[bytes]:
    """Shapes (n,) as flat arrays to blobs, the same bytes that `encode` gives; none of them is NONE."""
    if len(shapes.xy) < WORTH_COMPILED:
        return encode(shapes.to_shapely(), srs_id)
    from geolabel.geo.wkb import write_wkb  # noqa: PLC0415 (compiled, see geolabel.compiled)

    headers = _headers(shapes.bounds(), srs_id).view(np.uint8).reshape(len(shapes), -1)
    written, begins = write_wkb(shapes, headers)
    raw, ends = written.tobytes(), begins.tolist()
    return [raw[begin:end] for begin, end in pairwise(ends)]


def _headers(bounds: NDArray[np.float64], srs_id: int) -> NDArray[Any]:
    headers = np.empty(len(bounds), dtype=_HEADER)
    headers["magic"] = b"GP"
    headers["version"] = 0
    headers["flags"] = _LITTLE_ENDIAN | _XY_ENVELOPE
    headers["srs_id"] = srs_id
    for name, column in (("min_x", 0), ("max_x", 2), ("min_y", 1), ("max_y", 3)):
        headers[name] = bounds[:, column]
    return headers


def decode(blobs: Sequence[bytes]) -> NDArray[np.object_]:
    """Blobs to shapely objects (n,)."""
    bodies = np.empty(len(blobs), dtype=object)
    bodies[:] = [blob[8 + _ENVELOPES[(blob[3] >> 1) & 7] :] for blob in blobs]
    result: NDArray[np.object_] = shapely.from_wkb(bodies)
    return result


def envelope(blob: bytes) -> tuple[float, float, float, float]:
    """(min x, max x, min y, max y) of a blob, in the order of its header."""
    if (blob[3] >> 1) & 7:
        min_x, max_x, min_y, max_y = struct.unpack_from("<4d" if blob[3] & _LITTLE_ENDIAN else ">4d", blob, 8)
    else:
        min_x, min_y, max_x, max_y = shapely.bounds(decode([blob])[0])
    return min_x, max_x, min_y, max_y


def is_empty(blob: bytes | None) -> int | None:
    """What SQL's ST_IsEmpty gives: 1 for an empty geometry, 0 for another, NULL for NULL."""
    if blob is None:
        return None
    if blob[3] & _EMPTY:
        return 1
    # GDAL writes points without an envelope; an envelope is there to save the look into the WKB.
    return 0 if (blob[3] >> 1) & 7 else int(shapely.is_empty(decode([blob])[0]))


def register_functions(connection: sqlite3.Connection) -> None:
    """Give a connection the SQL functions that the R*Tree triggers of the standard call."""

    def bound(index: int) -> Callable[[bytes | None], Any]:
        def function(blob: bytes | None) -> float | None:
            if blob is None:
                return None
            value = envelope(blob)[index]
            return None if math.isnan(value) else value

        return function

    for index, name in enumerate(("ST_MinX", "ST_MaxX", "ST_MinY", "ST_MaxY")):
        connection.create_function(name, 1, bound(index), deterministic=True)
    connection.create_function("ST_IsEmpty", 1, is_empty, deterministic=True)
