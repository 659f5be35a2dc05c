"""Annotations as rows of a table (Arrow): the same columns in every format that has columns, a batch at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pyarrow as pa
import shapely

from geolabel.batches import RARE_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from geolabel.batches import LabelBatch
    from geolabel.model import Project

GEOMETRY = "geometry"
"""The last column: ISO WKB."""

TYPES = ("Point", "LineString", "", "Polygon", "MultiPoint", "MultiLineString", "MultiPolygon")
"""Names of geometry types, by shapely's type id."""

_KINDS = {"enum": pa.string(), "text": pa.string(), "number": pa.float64(), "boolean": pa.bool_()}


def schema_of(project: Project, rare: Iterable[str] = RARE_COLUMNS) -> pa.Schema:
    """The columns of a project's annotations; of `RARE_COLUMNS` those named."""
    columns: dict[str, pa.DataType] = {"id": pa.int64(), "class": pa.string()}
    columns |= {"note": pa.string(), "status": pa.string(), "source": pa.string()}
    columns |= {"confidence": pa.float64(), "scene": pa.string(), "version": pa.int64()}
    columns |= dict.fromkeys(rare, pa.string())
    columns |= {a.name: _KINDS[a.kind] for a in project.attributes}
    return pa.schema([*columns.items(), (GEOMETRY, pa.binary())])


def rows_of(batch: LabelBatch, schema: pa.Schema) -> pa.RecordBatch:
    """Annotations as rows, in their order; a column that the batch does not have is empty."""
    none = [None] * len(batch.ids)
    given = {"id": batch.ids, "class": batch.class_names, **batch.columns}
    arrays = []
    for field in schema:
        if field.name == GEOMETRY:
            arrays.append(pa.array(shapely.to_wkb(batch.geometries, output_dimension=3, flavor="iso"), pa.binary()))
            continue
        values = given.get(field.name, none)
        arrays.append(_texts(values) if field.type == pa.string() else pa.array(list(values), field.type))
    return pa.record_batch(arrays, schema=schema)


def _texts(values: Sequence[Any] | NDArray[Any]) -> pa.Array:
    """Texts as they are; what else a column of texts holds as JSON."""
    try:
        return pa.array(values, pa.string())
    except (pa.ArrowTypeError, pa.ArrowInvalid):
        plain = (v if v is None or isinstance(v, str) else orjson.dumps(v).decode() for v in values)
        return pa.array(plain, pa.string())
