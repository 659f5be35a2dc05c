"""Annotations as GeoParquet 1.1, batch after batch: the stored doubles in the project's CRS, memory for one batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import orjson
import pyarrow.parquet as pq
import shapely

from geolabel.formats.rows import TYPES, rows_of, schema_of
from geolabel.geo import crs as crs_
from geolabel.model import CRS84

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import ExitStack
    from pathlib import Path

    from geolabel.batches import LabelBatch
    from geolabel.formats.base import Context
    from geolabel.model import Project


class GeoParquetWriter:
    """Writes `geoparquet/{project}.parquet`, a row for each annotation in order of id."""

    def __init__(self, context: Context) -> None:
        self._table = AnnotationTable(context.files.open(f"geoparquet/{context.project.id}.parquet"), context.project)
        context.files.closing.callback(self._table.abandon)

    def add(self, batch: LabelBatch) -> None:
        """Write the annotations of one batch."""
        self._table.add(batch)

    def close(self) -> tuple[str, ...]:
        """Finish the file."""
        self._table.close()
        return ()


class AnnotationTable:
    """One GeoParquet file that grows by batches.

    Args:
        stream: where to write.
        project: whose annotations.
    """

    def __init__(self, stream: BinaryIO, project: Project) -> None:
        self._crs = project.crs
        self._schema = schema_of(project)
        self._writer = pq.ParquetWriter(stream, self._schema, compression="snappy")
        self._types: set[str] = set()
        self._boxes: list[tuple[float, ...]] = []

    def add(self, batch: LabelBatch) -> None:
        """Write annotations, in order of id."""
        self._writer.write_batch(rows_of(batch, self._schema))
        pairs = zip(shapely.get_type_id(batch.geometries), shapely.has_z(batch.geometries), strict=True)
        self._types |= {f"{TYPES[kind]}{' Z' if solid else ''}" for kind, solid in set(pairs)}
        self._boxes.append(tuple(shapely.total_bounds(batch.geometries).tolist()))

    def close(self) -> None:
        """Write what is known at the end, and close the file."""
        geometry: dict[str, Any] = {"encoding": "WKB", "geometry_types": sorted(self._types)}
        if self._crs is None:
            geometry["crs"] = None
        elif not crs_.same(self._crs, CRS84):
            geometry["crs"] = crs_.to_projjson(self._crs)
        if self._boxes:
            boxes = np.array(self._boxes)
            geometry["bbox"] = [*boxes[:, :2].min(axis=0).tolist(), *boxes[:, 2:].max(axis=0).tolist()]
        described = {"version": "1.1.0", "primary_column": "geometry", "columns": {"geometry": geometry}}
        self._writer.add_key_value_metadata({"geo": orjson.dumps(described).decode()})
        self._writer.close()

    def abandon(self) -> None:
        """Close the file as it is, after an error."""
        if self._writer.is_open:
            self._writer.close()


def write_annotations(files: ExitStack, path: Path, project: Project, batches: Iterator[LabelBatch]) -> int:
    """Write annotations to a file of its own; how many there were.

    Args:
        files: closes the file, also when the work fails.
        path: of the file; one that is there is replaced.
        project: whose annotations.
        batches: in order of id.
    """
    table = AnnotationTable(files.enter_context(path.open("wb")), project)
    files.callback(table.abandon)
    count = 0
    for batch in batches:
        table.add(batch)
        count += len(batch.ids)
    table.close()
    return count
