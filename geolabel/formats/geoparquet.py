"""GeoParquet 1.x, read row group by row group: geometries as WKB or as GeoArrow lists."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from geolabel.errors import InvalidInput
from geolabel.formats.base import Features
from geolabel.formats.gdal import ArrowColumns, features_of_wkb
from geolabel.geo.ragged import NONE, Ragged
from geolabel.model import CRS84

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from numpy.typing import NDArray

_ROWS = 10_000
_NATIVE = {"point": 0, "linestring": 1, "polygon": 3, "multipoint": 4, "multilinestring": 5, "multipolygon": 6}


def open_geoparquet(file: Path) -> tuple[str | None, Generator[Features]]:
    """Begin to read a file.

    Returns:
        The CRS that it says, and its features.

    Raises:
        InvalidInput: not Parquet, no geometry in it, an encoding that is none of the standard's.
    """
    try:
        with pq.ParquetFile(file) as opened:
            meta = (opened.metadata.metadata or {}).get(b"geo")
            names = opened.schema_arrow.names
    except (ValueError, OSError, pa.ArrowException) as error:
        raise InvalidInput(f"{file.name} cannot be read as GeoParquet: {_first_line(error)}") from error
    if meta is None:
        raise InvalidInput(
            f"{file.name} cannot be read as GeoParquet: it is Parquet without the member 'geo', that says which column holds geometries."
        )
    try:
        described = orjson.loads(meta)
        primary = described["primary_column"]
        column = described["columns"][primary]
        encoding = str(column["encoding"])
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise InvalidInput(
            f"{file.name} cannot be read as GeoParquet: its member 'geo' is broken ({error})."
        ) from error
    if primary not in names:
        raise InvalidInput(f"{file.name} cannot be read as GeoParquet: it has no column {primary!r}.")
    if encoding != "WKB" and encoding not in _NATIVE:
        raise InvalidInput(f"{file.name} cannot be read as GeoParquet: no geometry is encoded as {encoding!r}.")
    return _crs(column), _batches(file, primary, encoding)


def _crs(column: dict[str, Any]) -> str | None:
    """The CRS of a column: CRS84 when it says nothing, None when it says that there is none."""
    if "crs" not in column:
        return CRS84
    if column["crs"] is None:
        return None
    import geopandas as gpd  # noqa: PLC0415 (heavy, and only this needs it)

    crs = gpd.GeoSeries([], crs=column["crs"]).crs
    return str(crs.to_wkt())


def _batches(file: Path, primary: str, encoding: str) -> Generator[Features]:
    read = 0
    try:
        with pq.ParquetFile(file) as opened:
            total = max(1, opened.metadata.num_rows)
            for batch in opened.iter_batches(batch_size=_ROWS):
                if not len(batch):
                    continue
                numbers = range(read, read + len(batch))
                read += len(batch)
                yield _features(batch, primary, encoding, numbers, read / total)
    except (ValueError, OSError, pa.ArrowException) as error:
        raise InvalidInput(
            f"{file.name} cannot be read as GeoParquet behind feature {read}: {_first_line(error)}"
        ) from error


def _features(batch: pa.RecordBatch, primary: str, encoding: str, numbers: range, share: float) -> Features:
    if encoding == "WKB":
        return features_of_wkb(batch, primary, set(), numbers, share)
    shapes = _from_arrow(batch.column(primary), _NATIVE[encoding])
    return Features(shapes, {}, {}, ArrowColumns(batch, {primary}), numbers, None, share)


def _from_arrow(column: pa.Array, kind: int) -> Ragged:
    """A column of nested lists of structs, which are flat arrays already."""
    kinds = np.where(np.asarray(column.is_null()), NONE, kind).astype(np.int8)
    offsets: list[NDArray[np.int64]] = []
    level = column
    while pa.types.is_list(level.type) or pa.types.is_large_list(level.type):
        lengths = np.asarray(level.value_lengths().fill_null(0), dtype=np.int64)
        offsets.append(np.concatenate(([0], np.cumsum(lengths))))
        level = level.flatten()
    if level.null_count:
        kept = ~np.asarray(level.is_null())
        if not offsets:
            offsets.append(np.concatenate(([0], np.cumsum(kept))))
        level = level.filter(pa.array(kept))
    xy = np.column_stack([np.asarray(level.field(i), dtype=np.float64) for i in range(2)])
    names = [level.type.field(i).name for i in range(level.type.num_fields)]
    z = np.asarray(level.field(names.index("z")), dtype=np.float64) if "z" in names else None
    ones = np.arange(len(kinds) + 1)
    none_as_part = np.concatenate(([0], np.cumsum(kinds != NONE)))
    if kind == 0:
        rings, parts, shapes = np.arange(len(xy) + 1), np.arange(len(xy) + 1), none_as_part
    elif kind in (1, 4):
        rings, parts, shapes = offsets[0], ones, ones
    elif kind in (3, 5):
        rings, parts, shapes = offsets[1], offsets[0], ones
    else:
        rings, parts, shapes = offsets[2], offsets[1], offsets[0]
    kinds[np.diff(rings[parts[shapes]]) == 0] = NONE
    return Ragged(kinds, xy, z, rings, parts, shapes)


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0].rstrip(".") + "."
