"""Vector files that strangers send: what they are follows from their bytes, and GDAL reads only what is just data."""

from __future__ import annotations

from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from geolabel.errors import InvalidInput
from geolabel.formats.archive import Limits, is_archive, unpacked
from geolabel.formats.base import LabelStream
from geolabel.formats.vector import open_body
from geolabel.geo import crs as crs_

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_LIMITS = Limits(members=1000, total=2_000_000_000, depth=8)
_SQLITE = b"SQLite format 3\x00"
_GEOPACKAGES = (b"GPKG", b"GP10", b"GP11")
_FLATGEOBUF = b"fgb"
_SHAPE = b"\x00\x00\x27\x0a"
_INSIDE = {".gpkg", ".shp", ".fgb", ".geojson", ".json", ".geojsonl"}
_EXPECTED = "expected GeoJSON, GeoPackage, FlatGeobuf, or a zip with one of them or with a Shapefile"


@contextmanager
def opened_upload(
    file: Path, name: str, *, crs: str | None = None, layer: str | None = None
) -> Iterator[tuple[LabelStream, list[str]]]:
    """Labels of a file that came over HTTP, and the names of its layers.

    Args:
        file: where it was put.
        name: as it was called where it comes from.
        crs: CRS of the coordinates; wins over what the file says.
        layer: which one, where the file has several; the first when None.

    Raises:
        InvalidInput: it is none of the formats, has no feature, no geometry, no such layer, or says no CRS.
    """
    if is_archive(file):
        with unpacked(file, _LIMITS) as folder:
            yield _opened(_only_file(folder, name), name, crs, layer)
    else:
        yield _opened(file, name, crs, layer)


def _only_file(folder: Path, name: str) -> Path:
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in _INSIDE and path.is_file())
    if len(found) != 1:
        listed = ", ".join(path.name for path in found[:5]) or "none"
        raise InvalidInput(f"{name} holds {listed} of the files that labels are read from; expected one of them.")
    return found[0]


def _opened(file: Path, name: str, crs: str | None, layer: str | None) -> tuple[LabelStream, list[str]]:
    with file.open("rb") as stream:
        head = stream.read(100)
    if head.startswith(_SQLITE) and head[68:72] in _GEOPACKAGES:
        kind = "gpkg"
    elif head.startswith(_FLATGEOBUF):
        kind = "flatgeobuf"
    elif head.startswith(_SHAPE):
        kind = "shapefile"
    elif head.startswith(_SQLITE):
        raise InvalidInput(f"{name} is a database but no GeoPackage; {_EXPECTED}.")
    else:
        return open_body(file, crs=crs, name=name), []
    return _through_gdal(file, name, kind, crs, layer)


def _through_gdal(
    file: Path, name: str, kind: str, crs: str | None, layer: str | None
) -> tuple[LabelStream, list[str]]:
    from geolabel.formats import gdal  # noqa: PLC0415 (GDAL is heavy)

    layers = gdal.spatial_layers(file, name)
    if not layers:
        raise InvalidInput(f"{name} has no layer with a geometry.")
    found, batches = gdal.open_layer(file, kind, layer or layers[0])
    said = crs or found
    if said is None:
        with closing(batches):
            raise InvalidInput(f"{name} does not say in which CRS its coordinates are; say which, such as EPSG:32633.")
    return LabelStream(name, crs_.normalise(said), batches), layers
