"""What SQLite has no function for, given to a connection: the exact relation of two geometries, texts without case."""

from __future__ import annotations

import json
import struct
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import shapely

from geolabel.cql.scalars import fold
from geolabel.store import blob

if TYPE_CHECKING:
    import sqlite3

    from shapely.geometry.base import BaseGeometry

RELATES = "geolabel_relates"
FOLD = "geolabel_fold"
ATTRIBUTES = "geolabel_attributes"

# Asked of the literal, which is prepared: "the label is within it" is "it contains the label".
_ASKED = {"within": "contains", "contains": "within"}
_TRUE_INSIDE = frozenset({"intersects", "within"})


def register_functions(connection: sqlite3.Connection) -> None:
    """Give a connection the SQL functions that a filter compiles to."""
    connection.create_function(RELATES, 3, relates, deterministic=True)
    connection.create_function(FOLD, 1, lambda text: None if text is None else fold(str(text)), deterministic=True)
    connection.create_function(ATTRIBUTES, -1, attributes, deterministic=True)


def attributes(so_far: str, kinds: str, *values: Any) -> str:
    """Values as the JSON object that history keeps: all digits of a number, which older versions of SQLite cut off.

    Args:
        so_far: an object to go on with; a function takes a hundred arguments at most.
        kinds: an object, kind of attribute by name, in the order of the values.
        values: as they are in their columns.
    """
    kept = json.loads(so_far)
    for (name, kind), value in zip(json.loads(kinds).items(), values, strict=True):
        if value is not None:
            kept[name] = bool(value) if kind == "boolean" else value
    return json.dumps(kept, ensure_ascii=False, separators=(",", ":"))


def relates(geometry: bytes, predicate: str, other: bytes) -> int:
    """Whether a stored geometry stands so to another one.

    Args:
        geometry: a blob of the geometry column.
        predicate: `intersects`, `within`, ... of the stored one to the other.
        other: WKB.
    """
    shape, box, is_box = _prepared(other)
    # The header says which boxes lie apart: no relation asked for here is one of such shapes. And what lies in a box
    # meets it, which spares a look at most shapes that a map asks for.
    if (geometry[3] >> 1) & 7 == 1 and geometry[3] & 1:
        min_x, max_x, min_y, max_y = struct.unpack_from("<4d", geometry, 8)
        if min_x > box[2] or max_x < box[0] or min_y > box[3] or max_y < box[1]:
            return 0
        inside = is_box and min_x > box[0] and max_x < box[2] and min_y > box[1] and max_y < box[3]
        if inside and predicate in _TRUE_INSIDE:
            return 1
    stored = blob.decode([geometry])[0]
    answer: Any = getattr(shapely, _ASKED.get(predicate, predicate))(shape, stored)
    return int(answer)


@lru_cache(maxsize=64)
def _prepared(wkb: bytes) -> tuple[BaseGeometry, tuple[float, float, float, float], bool]:
    shape = shapely.from_wkb(wkb)
    shapely.prepare(shape)
    return shape, shape.bounds, shape.geom_type == "Polygon" and bool(shape.equals(shapely.box(*shape.bounds)))
