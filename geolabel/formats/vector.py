"""Read labels from vector files: through GDAL (pyogrio), and GeoParquet."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import geopandas as gpd
import numpy as np
import pyogrio
import shapely
from pyogrio.errors import DataLayerError, DataSourceError

from geolabel.errors import InvalidGeometry, InvalidInput, Problem
from geolabel.formats.memory import labels_from_frame, make_labels

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geolabel.formats.base import LabelFile

_PARQUET = {".parquet", ".geoparquet"}
_DRIVERS = {
    "flatgeobuf": {"FlatGeobuf"},
    "geojson": {"GeoJSON", "GeoJSONSeq", "TopoJSON"},
    "gpkg": {"GPKG"},
    "kml": {"KML", "LIBKML"},
    "shapefile": {"ESRI Shapefile"},
}
_ALSO = {"ESRIJSON", "GML", "GPX", "JSONFG", "MapInfo File", "OpenFileGDB", "TopoJSON"}
_POINTERS = (b"<OGR", b"<GDAL", b'<?xml version="1.0"?><OGR')
"""How files begin that only say where the data is: reading one would follow a path or a URL that a stranger wrote."""


def read_labels(
    path: str | Path, *, format_name: str = "auto", crs: str | None = None, layer: str | None = None
) -> LabelFile:
    """Read a vector file that the person at this machine named.

    Args:
        path: GeoJSON, GeoPackage, Shapefile (also zipped), FlatGeobuf, KML and what else GDAL reads; GeoParquet.
        format_name: which driver must read it; `auto` lets the file's content choose.
        crs: CRS of the coordinates; wins over what the file says.
        layer: which layer, where the file has several.

    Raises:
        InvalidInput: no such file, nothing in it, no geometry, no CRS, a layer to choose.
    """
    file = Path(path)
    try:
        if not file.exists():
            raise InvalidInput(f"There is no file {file}.")
        if file.is_file() and file.stat().st_size == 0:
            raise InvalidInput(
                f"{file.name} is empty: it has no bytes. Expected GeoJSON, GeoPackage, Shapefile or the like."
            )
        _refuse_pointers(file)
    except OSError as error:
        raise InvalidInput(f"{file.name:.60} cannot be read: {error.strerror}.") from error
    if format_name == "geoparquet" or (format_name == "auto" and file.suffix.lower() in _PARQUET):
        return labels_from_frame(_read_parquet(file), crs=crs, name=file.name)
    source = f"/vsizip/{file.resolve()}" if file.suffix.lower() == ".zip" else str(file)
    try:
        chosen = _choose_layer(file.name, source, layer)
        _check_driver(file.name, source, chosen, format_name)
        meta, ids, wkb, values = pyogrio.raw.read(source, layer=chosen, return_fids=True)
    except (DataSourceError, DataLayerError) as error:
        raise InvalidInput(f"{file.name} cannot be read as vector data: {_first_line(error)}") from error
    if wkb is None:
        raise InvalidInput(f"{file.name} has no geometry, only columns: {', '.join(map(str, meta['fields']))}.")
    columns = {str(name): column for name, column in zip(meta["fields"], values, strict=True)}
    return make_labels(file.name, crs or meta["crs"], _geometries(file.name, wkb, ids), columns, ids)


def _geometries(name: str, wkb: NDArray[np.object_], ids: NDArray[np.int64]) -> NDArray[np.object_]:
    """Shapes, None where a feature has none.

    Raises:
        InvalidGeometry: shapes that cannot even be held: a ring that does not close, a line of one point.
    """
    shapes: NDArray[np.object_] = shapely.from_wkb(wkb, on_invalid="ignore")
    lost = [i for i in np.flatnonzero(shapely.is_missing(shapes)) if wkb[i] is not None]
    if lost:
        raise InvalidGeometry(
            f"{name} has {len(lost)} shapes that are none, the first is feature {ids[lost[0]]}: a ring that does not end where "
            "it starts, or a line of one point. Close the rings and leave out the points.",
            [Problem(f"feature {ids[i]}", "a ring does not close, or a line has one point") for i in lost],
        )
    return shapes


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


def _refuse_pointers(file: Path) -> None:
    if not file.is_file():
        return
    with file.open("rb") as stream:
        head = b"".join(stream.read(400).split())
    if head.lstrip(b"\xef\xbb\xbf").startswith(tuple(b"".join(p.split()) for p in _POINTERS)):
        raise InvalidInput(f"{file.name} holds no labels, only where others are (a GDAL virtual file). Name that file.")


def _check_driver(name: str, source: str, layer: str, format_name: str) -> None:
    driver = pyogrio.read_info(source, layer=layer)["driver"]
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


def _read_parquet(file: Path) -> gpd.GeoDataFrame:
    try:
        return gpd.read_parquet(file)
    except (ValueError, OSError) as error:  # pyarrow's own errors are ValueErrors
        raise InvalidInput(f"{file.name} cannot be read as GeoParquet: {_first_line(error)}") from error
