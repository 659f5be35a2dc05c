"""Read the layer of a file through GDAL (pyogrio), a batch at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyogrio
import shapely
from pyogrio.errors import DataLayerError, DataSourceError

from geolabel.errors import InvalidInput, Problem
from geolabel.formats.base import Features, odd_shapes
from geolabel.geo.ragged import from_shapely

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

_ROWS = 10_000
_DRIVERS = {
    "flatgeobuf": {"FlatGeobuf"},
    "geojson": {"GeoJSON", "GeoJSONSeq", "TopoJSON"},
    "gpkg": {"GPKG"},
    "kml": {"KML", "LIBKML"},
    "shapefile": {"ESRI Shapefile"},
}
_ALSO = {"ESRIJSON", "GML", "GPX", "JSONFG", "MapInfo File", "OpenFileGDB", "TopoJSON"}
_COLLECTION = 7
_BROKEN = "a ring does not close, or a line has one point"


def open_layer(file: Path, format_name: str, layer: str | None) -> tuple[str | None, Generator[Features]]:
    """Begin to read a layer.

    Args:
        file: of any format that labels are read from; a `.zip` is looked into.
        format_name: which driver must read it; `auto` lets the file's content choose.
        layer: which layer, where the file has several.

    Returns:
        The CRS that the layer says, and its features.

    Raises:
        InvalidInput: not such a file, no geometry, a layer to choose.
    """
    source = f"/vsizip/{file.resolve()}" if file.suffix.lower() == ".zip" else str(file)
    try:
        chosen = _choose_layer(file.name, source, layer)
        info = pyogrio.read_info(source, layer=chosen)
    except (DataSourceError, DataLayerError) as error:
        told = _first_line(error).replace(str(file), file.name).partition("; It might help")[0]
        raise InvalidInput(f"{file.name} cannot be read as vector data: {told.rstrip('.;')}.") from error
    _check_driver(file.name, str(info["driver"]), format_name)
    if info["geometry_type"] is None:
        raise InvalidInput(f"{file.name} has no geometry, only columns: {', '.join(map(str, info['fields']))}.")
    return info["crs"], _batches(file.name, source, chosen, max(1, int(info["features"])))


def spatial_layers(file: Path, name: str) -> list[str]:
    """Names of the layers that have a geometry.

    Raises:
        InvalidInput: GDAL cannot read it.
    """
    try:
        return [str(found) for found, kind in pyogrio.list_layers(str(file)) if kind is not None]
    except (DataSourceError, DataLayerError) as error:
        raise InvalidInput(f"{name} cannot be read as vector data: {_first_line(error)}") from error


def _batches(name: str, source: str, layer: str, total: int) -> Generator[Features]:
    read = 0
    try:
        with pyogrio.raw.open_arrow(source, layer=layer, batch_size=_ROWS, return_fids=True, use_pyarrow=True) as (
            meta,
            reader,
        ):
            shapes, fids = meta["geometry_name"] or "wkb_geometry", meta["fid_column"] or "OGC_FID"
            for batch in reader:
                read += len(batch)
                if len(batch):
                    numbers = batch.column(fids).to_numpy()
                    yield features_of_wkb(batch, shapes, {fids}, numbers, min(1.0, read / total))
    except (DataSourceError, DataLayerError, pa.ArrowException) as error:
        raise InvalidInput(
            f"{name} cannot be read as vector data behind feature {read}: {_first_line(error)}"
        ) from error


def features_of_wkb(
    batch: pa.RecordBatch, shapes: str, besides: set[str], numbers: Sequence[int] | NDArray[np.int64], share: float
) -> Features:
    """Features whose geometries are a column of WKB.

    Args:
        batch: a row for each feature.
        shapes: name of the column with the geometries.
        besides: names of other columns that are no attributes.
        numbers: (n,) what messages call the features.
        share: of the file that has been read now.
    """
    wkb = np.array(batch.column(shapes).to_pylist(), dtype=object)
    geometries = shapely.from_wkb(wkb, on_invalid="ignore")
    broken = np.flatnonzero(shapely.is_missing(geometries) & np.array([one is not None for one in wkb]))
    ragged = from_shapely(geometries)
    return Features(
        shapes=ragged,
        odd=odd_shapes(geometries, ragged.kinds),
        unreadable={row: Problem(f"feature {numbers[row]}", _BROKEN) for row in broken.tolist()},
        columns=ArrowColumns(batch, {shapes, *besides}),
        numbers=[int(n) for n in numbers],
        ids=None,
        share=share,
        measures=int(np.count_nonzero(shapely.has_m(geometries))),
    )


class ArrowColumns(Mapping[str, list[Any]]):
    """Columns of an Arrow batch as Python values, made when they are asked for."""

    def __init__(self, batch: pa.RecordBatch, besides: set[str]) -> None:
        self._batch = batch
        self._names = [name for name in batch.schema.names if name not in besides]

    def __getitem__(self, name: str) -> list[Any]:
        if name not in self._names:
            raise KeyError(name)
        values: list[Any] = self._batch.column(name).to_pylist()
        return values

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def _choose_layer(name: str, source: str, layer: str | None) -> str:
    listed = [(str(found), kind) for found, kind in pyogrio.list_layers(source)]
    if layer is not None:
        if layer not in {found for found, _ in listed}:
            raise InvalidInput(f"{name} has no layer {layer!r}; it has {', '.join(found for found, _ in listed)}.")
        return layer
    spatial = [found for found, kind in listed if kind is not None]
    if len(spatial) > 1:
        raise InvalidInput(f"{name} has several layers: {', '.join(spatial)}. Choose one with --layer.")
    if not spatial:
        raise InvalidInput(f"{name} has no layer with geometry.")
    return spatial[0]


def _check_driver(name: str, driver: str, format_name: str) -> None:
    if format_name == "auto":
        if driver not in _ALSO.union(*_DRIVERS.values()):
            raise InvalidInput(f"{name} is a {driver} file, which labels are not read from. Convert it to GeoPackage.")
        return
    if driver not in _DRIVERS[format_name]:
        raise InvalidInput(
            f"{name} is no {format_name}: GDAL reads it as {driver}. Leave --format at auto, or name that."
        )


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0].rstrip(".") + "."
