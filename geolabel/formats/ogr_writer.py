"""GeoPackage, FlatGeobuf, Shapefile and KML through GDAL (pyogrio), without a clock: the same labels give the same bytes."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import shapely

from geolabel.errors import InvalidSpec
from geolabel.formats.areas import many
from geolabel.geo import crs as crs_
from geolabel.geo.pixels import DENSIFY_PX
from geolabel.geo.shown import shown
from geolabel.model import CRS84

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from geolabel.formats.base import Context
    from geolabel.model import LabelBatch

_CLOCK = "OGR_CURRENT_DATE"
_THEN = "2000-01-01T00:00:00.000Z"
_NAME_LENGTH = 10
_TEXT_LENGTH = 254
_SORTS = {0: "points", 1: "lines", 2: "polygons"}


class OgrWriter:
    """Writes one file with all annotations in order of id, in the project's CRS."""

    driver: ClassVar[str]
    suffix: ClassVar[str]
    folder: ClassVar[str]
    options: ClassVar[dict[str, Any]] = {}

    def __init__(self, context: Context) -> None:
        project = context.project
        if project.crs is None:
            raise InvalidSpec(
                f"{self.driver} holds places on a map, and project {project.id!r} has pixels without one; export a pixel format such as coco."
            )
        self.context = context
        self.crs = project.crs
        self._batches: list[LabelBatch] = []

    def add(self, batch: LabelBatch) -> None:
        """Keep the annotations of one batch: GDAL writes a file as a whole."""
        self._batches.append(batch)

    def close(self) -> Sequence[str]:
        """Write the file."""
        frame = self._frame()
        name = f"{self.folder}/{self.context.project.id}.{self.suffix}"
        self._write(frame, name)
        solid = int(shapely.has_z(frame.geometry.array).sum())
        return (
            ()
            if not solid or self.keeps_z
            else (f"{self.driver} holds no heights: {many(solid, 'annotation')} lost theirs.",)
        )

    keeps_z: ClassVar[bool] = True

    def _frame(self) -> gpd.GeoDataFrame:
        kinds = {attribute.name: attribute.kind for attribute in self.context.project.attributes}
        columns: dict[str, Any] = {"id": _joined([b.ids for b in self._batches], np.int64)}
        columns["class"] = _joined([b.class_names for b in self._batches], object)
        for name in dict.fromkeys(name for batch in self._batches for name in batch.columns):
            values = _joined([b.columns.get(name, np.full(len(b.ids), None)) for b in self._batches], object)
            columns[name] = pd.Series(values, dtype=_dtype(name, kinds))
        shapes = _joined([b.geometries for b in self._batches], object)
        crs = crs_.to_wkt(self.crs) if not self.crs.startswith(("EPSG:", "OGC:")) else self.crs
        return gpd.GeoDataFrame(columns, geometry=self._shapes(shapes), crs=crs)

    def _shapes(self, shapes: NDArray[np.object_]) -> NDArray[np.object_]:
        return shapes

    def _write(self, frame: gpd.GeoDataFrame, name: str, **options: Any) -> None:
        """Write a frame, and put the files that come of it into the dataset."""
        with tempfile.TemporaryDirectory() as folder, _no_clock():
            path = Path(folder) / Path(name).name
            types = set(frame.geom_type)
            pyogrio.write_dataframe(
                frame,
                path,
                driver=self.driver,
                layer=path.stem,
                geometry_type=None if len(types) == 1 else "Unknown",
                **{**self.options, **options},
            )
            for file in sorted(Path(folder).iterdir()):
                self.context.files.write(f"{self.folder}/{file.name}", file.read_bytes())


class GeoPackageWriter(OgrWriter):
    """Writes `gpkg/{project}.gpkg`."""

    driver, suffix, folder = "GPKG", "gpkg", "gpkg"
    options: ClassVar = {"dataset_options": {"VERSION": "1.3"}}


class FlatGeobufWriter(OgrWriter):
    """Writes `flatgeobuf/{project}.fgb`, with its spatial index: readers get the features in the order of that."""

    driver, suffix, folder = "FlatGeobuf", "fgb", "flatgeobuf"


class KmlWriter(OgrWriter):
    """Writes `kml/{project}.kml` in longitude and latitude; the class is the name of the placemark."""

    driver, suffix, folder = "KML", "kml", "kml"
    options: ClassVar = {"dataset_options": {"NameField": "class"}}

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        if not crs_.on_earth(self.crs):
            raise InvalidSpec(
                f"KML is longitude and latitude on the Earth; project {context.project.id!r} lies elsewhere ({crs_.label(self.crs)})."
            )

    def _frame(self) -> gpd.GeoDataFrame:
        return super()._frame().set_crs(CRS84, allow_override=True)

    def _shapes(self, shapes: NDArray[np.object_]) -> NDArray[np.object_]:
        finest = min((s.resolution for s in self.context.scenes if s.resolution), default=0.1)
        return shown(shapes, self.crs, CRS84, tolerance=DENSIFY_PX * finest / crs_.METRES_PER_DEGREE)


class ShapefileWriter(OgrWriter):
    """Writes `shapefile/{project}-polygons.shp` and so on, a file for each sort of shape that there is."""

    driver, suffix, folder = "ESRI Shapefile", "shp", "shapefile"
    options: ClassVar = {"layer_options": {"ENCODING": "UTF-8", "DBF_DATE_LAST_UPDATE": "2000-01-01"}}

    def close(self) -> Sequence[str]:
        """Write the files; say what the table behind them cannot hold."""
        frame = self._frame()
        names = _short_names([c for c in frame.columns if c != "geometry"])
        cut = 0
        for column in (c for c in frame.columns if frame[c].dtype == object and c != "geometry"):
            texts = [_cut(value) for value in frame[column]]
            cut += sum(1 for old, new in zip(frame[column], texts, strict=True) if old != new)
            frame[column] = pd.Series(texts, index=frame.index, dtype=object)
        frame = frame.rename(columns=names)
        sorts = shapely.get_dimensions(frame.geometry.array)
        for dimension in np.unique(sorts).tolist():
            some = frame[sorts == dimension]
            plain = set(shapely.get_type_id(some.geometry.array)) <= {0, 1, 3}
            kind = {0: "Point" if plain else "MultiPoint", 1: "LineString", 2: "Polygon"}[dimension]
            if kind == "MultiPoint":
                some = some.set_geometry(
                    [g if "Multi" in g.geom_type else shapely.MultiPoint([g]) for g in some.geometry]
                )
            name = f"{self.folder}/{self.context.project.id}-{_SORTS[dimension]}.shp"
            self._write(some, name, geometry_type=None if plain or dimension == 0 else "Unknown")
        changed = [f"{old!r} is {new!r}" for old, new in names.items() if old != new]
        said = []
        if changed:
            said.append(f"A Shapefile's column names have {_NAME_LENGTH} characters: {', '.join(changed)} there.")
        if cut:
            said.append(f"A Shapefile's texts have {_TEXT_LENGTH} bytes: {many(cut, 'text')} cut off.")
        return said

    def _write(self, frame: gpd.GeoDataFrame, name: str, **options: Any) -> None:
        options.pop("geometry_type", None)
        with tempfile.TemporaryDirectory() as folder, _no_clock():
            path = Path(folder) / Path(name).name
            pyogrio.write_dataframe(frame, path, driver=self.driver, **self.options)
            for file in sorted(Path(folder).iterdir()):
                self.context.files.write(f"{self.folder}/{file.name}", file.read_bytes())


def _joined(parts: list[NDArray[Any]], dtype: type) -> NDArray[Any]:
    return np.concatenate([np.empty(0, dtype=dtype), *parts])


def _dtype(name: str, kinds: Mapping[str, str]) -> str:
    if name == "version":
        return "int64"
    if name == "confidence" or kinds.get(name) == "number":
        return "float64"
    return "boolean" if kinds.get(name) == "boolean" else "object"


def _cut(value: Any) -> Any:
    """A text of as many bytes as a table behind a Shapefile holds."""
    return value.encode()[:_TEXT_LENGTH].decode(errors="ignore") if isinstance(value, str) else value


def _short_names(names: list[str]) -> dict[str, str]:
    """Names of at most ten bytes, each once, by name."""
    short: dict[str, str] = {}
    for name in names:
        cut = name.encode()[:_NAME_LENGTH].decode(errors="ignore")
        number = 1
        while cut.casefold() in {s.casefold() for s in short.values()}:
            number += 1
            cut = name.encode()[: _NAME_LENGTH - len(f"_{number}")].decode(errors="ignore") + f"_{number}"
        short[name] = cut
    return short


@contextmanager
def _no_clock() -> Iterator[None]:
    """GDAL writes a date of our choice instead of today's."""
    before = pyogrio.get_gdal_config_option(_CLOCK)
    pyogrio.set_gdal_config_options({_CLOCK: _THEN})
    try:
        yield
    finally:
        pyogrio.set_gdal_config_options({_CLOCK: before})
