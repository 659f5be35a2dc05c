"""Read labels from vector files: GeoJSON by our own reader, GeoParquet by pyarrow, the others through GDAL."""

from __future__ import annotations

import hashlib
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from geolabel.errors import InvalidInput
from geolabel.formats.base import LabelStream
from geolabel.formats.geojson_reader import open_geojson
from geolabel.geo import crs as crs_

if TYPE_CHECKING:
    from collections.abc import Generator

    from geolabel.formats.base import Features, LabelFile

_PARQUET = {".parquet", ".geoparquet"}
_POINTERS = (b"<OGR", b"<GDAL", b'<?xml version="1.0"?><OGR')
"""How files begin that only say where the data is: reading one would follow a path or a URL that a stranger wrote."""


def read_labels(
    path: str | Path, *, format_name: str = "auto", crs: str | None = None, layer: str | None = None
) -> LabelFile:
    """Read a vector file at once. See `open_labels`."""
    return open_labels(path, format_name=format_name, crs=crs, layer=layer).whole()


def open_labels(
    path: str | Path, *, format_name: str = "auto", crs: str | None = None, layer: str | None = None
) -> LabelStream:
    """Begin to read a vector file that the person at this machine named.

    Args:
        path: GeoJSON, GeoPackage, Shapefile (also zipped), FlatGeobuf, KML and what else GDAL reads; GeoParquet.
        format_name: which format it must be; `auto` lets the file's content choose.
        crs: CRS of the coordinates; wins over what the file says.
        layer: which layer, where the file has several.

    Raises:
        InvalidInput: no such file, nothing in it, no geometry, no CRS, a layer to choose; while reading also what is
            wrong further down.
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
        opened = _open(file, format_name, crs, layer)
        fingerprint = _fingerprint(file)
    except OSError as error:
        raise InvalidInput(f"{file.name:.60} cannot be read: {error.strerror}.") from error
    name = crs_.normalise(opened[0]) if opened[0] is not None else None
    if name is None:
        raise InvalidInput(f"{file.name} does not say in which CRS its coordinates are. Say it with --crs EPSG:n.")
    return LabelStream(file.name, name, _some(opened[1], file.name), fingerprint)


def open_body(file: Path, *, crs: str | None, name: str) -> LabelStream:
    """Begin to read GeoJSON that a stranger has sent; GDAL never sees it.

    Args:
        file: where it was put.
        crs: CRS of the coordinates; wins over what the text says.
        name: for messages and provenance.

    Raises:
        InvalidInput: it is not GeoJSON, or holds no feature.
    """
    opened = open_geojson(file, name, crs)
    if opened is None:
        raise InvalidInput(
            f"{name} is not GeoJSON labels: expected a FeatureCollection, a Feature, a list of Features or GeoJSONSeq."
        )
    return LabelStream(name, opened[0], _some(opened[1], name))


def _open(file: Path, format_name: str, crs: str | None, layer: str | None) -> tuple[str | None, Generator[Features]]:
    if format_name in {"auto", "geojson"} and layer is None and file.is_file():
        opened = open_geojson(file, file.name, crs)
        if opened is not None:
            return opened
    if format_name == "geoparquet" or (format_name == "auto" and file.suffix.lower() in _PARQUET):
        from geolabel.formats import geoparquet  # noqa: PLC0415 (pyarrow is heavy)

        found, batches = geoparquet.open_geoparquet(file)
    else:
        from geolabel.formats import gdal  # noqa: PLC0415 (so is GDAL)

        found, batches = gdal.open_layer(file, format_name, layer)
    return crs or found, batches


def _some(batches: Generator[Features], name: str) -> Generator[Features]:
    """The same batches, of which there must be one with a feature."""
    seen = False
    with closing(batches):
        for features in batches:
            seen = seen or len(features) > 0
            yield features
    if not seen:
        raise InvalidInput(f"{name} holds no features; expected at least one.")


def _fingerprint(file: Path) -> str | None:
    """SHA-256 of a file's bytes; None for a folder, whose files change one by one."""
    if not file.is_file():
        return None
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _refuse_pointers(file: Path) -> None:
    if not file.is_file():
        return
    with file.open("rb") as stream:
        head = b"".join(stream.read(400).split())
    if head.lstrip(b"\xef\xbb\xbf").startswith(tuple(b"".join(p.split()) for p in _POINTERS)):
        raise InvalidInput(f"{file.name} holds no labels, only where others are (a GDAL virtual file). Name that file.")
