"""GeoPackage, FlatGeobuf, Shapefile and KML through GDAL (pyogrio), without a clock: the same labels give the same bytes.

GDAL takes a file as a whole, and Arrow a batch at a time: the rows rest in a temporary file between the two, so that the
memory is that of one batch.
"""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pyarrow as pa
import pyogrio
import shapely

from geolabel.batches import RARE_COLUMNS
from geolabel.errors import InvalidSpec
from geolabel.formats.areas import many
from geolabel.formats.rows import GEOMETRY, TYPES, rows_of, schema_of
from geolabel.geo import crs as crs_
from geolabel.geo.pixels import DENSIFY_PX
from geolabel.geo.shown import shown
from geolabel.model import CRS84

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from geolabel.batches import LabelBatch
    from geolabel.formats.base import Context
    from geolabel.formats.files import Files

_CLOCK = "OGR_CURRENT_DATE"
_THEN = "2000-01-01T00:00:00.000Z"
_NAME_LENGTH = 10
_NO_ROOM = 1_000_000  # bytes: what GDAL frees of a file that it gives up, at most
_TEXT_LENGTH = 254
_SORTS = {0: "points", 1: "lines", 2: "polygons"}


class Shelf:
    """Rows of annotations in a temporary file, until they are taken.

    Attributes:
        types: of the geometries: names, and whether one has heights.
        solid: how many have heights.
        count: of the rows.
    """

    def __init__(self, files: Files) -> None:
        self._file = files.closing.enter_context(tempfile.TemporaryFile(dir=files.scratch()))  # noqa: SIM115 - `closing` is one
        self._writer: pa.RecordBatchStreamWriter | None = None
        self.types: set[str] = set()
        self.solid = self.count = 0

    def add(self, rows: pa.RecordBatch, shapes: NDArray[np.object_]) -> None:
        """Keep rows and what is known of their shapes."""
        if self._writer is None:
            self._writer = pa.ipc.new_stream(self._file, rows.schema)
        self._writer.write_batch(rows)
        self.types |= {TYPES[kind] for kind in np.unique(shapely.get_type_id(shapes)).tolist()}
        self.solid += int(shapely.has_z(shapes).sum())
        self.count += len(shapes)

    def take(self, schema: pa.Schema) -> pa.RecordBatchReader:
        """All rows, a batch at a time; none of that schema when there are none."""
        if self._writer is None:
            return pa.RecordBatchReader.from_batches(schema, iter(()))
        self._writer.close()
        self._file.seek(0)
        return pa.ipc.open_stream(self._file)


class OgrWriter:
    """Writes one file with all annotations in order of id, in the project's CRS."""

    driver: ClassVar[str]
    suffix: ClassVar[str]
    folder: ClassVar[str]
    options: ClassVar[dict[str, Any]] = {}
    keeps_z: ClassVar[bool] = True

    def __init__(self, context: Context) -> None:
        project = context.project
        if project.crs is None:
            raise InvalidSpec(
                f"{self.driver} holds places on a map, and project {project.id!r} has pixels without one; export a pixel format such as coco."
            )
        self.context = context
        self.crs = project.crs
        self._schema = schema_of(project, ())
        self._shelf = Shelf(context.files)

    def add(self, batch: LabelBatch) -> None:
        """Keep the annotations of one batch."""
        self._schema = schema_of(self.context.project, [name for name in RARE_COLUMNS if name in batch.columns])
        self._shelf.add(rows_of(batch, self._schema), batch.geometries)

    def close(self) -> Sequence[str]:
        """Write the file."""
        shelf = self._shelf
        [kind] = shelf.types if len(shelf.types) == 1 else ["Unknown"]
        if shelf.solid and kind != "Unknown":
            kind += " Z"
        self._write(self.context.project.id, shelf.take(self._schema), kind)
        lost = shelf.solid and not self.keeps_z
        return (f"{self.driver} holds no heights: {many(shelf.solid, 'annotation')} lost theirs.",) if lost else ()

    def _write(self, name: str, rows: pa.RecordBatchReader, geometry_type: str) -> None:
        """Let GDAL make a file, and put what comes of it into the dataset."""
        files = self.context.files
        with tempfile.TemporaryDirectory(dir=files.scratch()) as folder, _no_clock():
            with _told_when_full(Path(folder)):
                pyogrio.write_arrow(
                    rows,
                    Path(folder) / f"{name}.{self.suffix}",
                    layer=name,
                    driver=self.driver,
                    geometry_name=GEOMETRY,
                    geometry_type=geometry_type,
                    crs=self.crs if self.crs.startswith(("EPSG:", "OGC:")) else crs_.to_wkt(self.crs),
                    **self.options,
                )
            for made in sorted(Path(folder).iterdir()):
                files.adopt(made, f"{self.folder}/{made.name}")


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
        self._stored = self.crs
        if not crs_.on_earth(self._stored):
            raise InvalidSpec(
                f"KML is longitude and latitude on the Earth; project {context.project.id!r} lies elsewhere ({crs_.label(self._stored)})."
            )
        self.crs = CRS84
        finest = min((s.resolution for s in context.scenes if s.resolution), default=0.1)
        self._tolerance = DENSIFY_PX * finest / crs_.METRES_PER_DEGREE

    def add(self, batch: LabelBatch) -> None:
        """Keep the annotations of one batch, in longitude and latitude."""
        super().add(replace(batch, geometries=shown(batch.geometries, self._stored, CRS84, tolerance=self._tolerance)))


class ShapefileWriter(OgrWriter):
    """Writes `shapefile/{project}-polygons.shp` and so on, a file for each sort of shape that there is."""

    driver, suffix, folder = "ESRI Shapefile", "shp", "shapefile"
    options: ClassVar = {"layer_options": {"ENCODING": "UTF-8", "DBF_DATE_LAST_UPDATE": "2000-01-01"}}

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._shelves = {dimension: Shelf(context.files) for dimension in _SORTS}
        self._names: dict[str, str] = {}
        self._cut = 0

    def add(self, batch: LabelBatch) -> None:
        """Keep the annotations of one batch, by the sort of their shapes."""
        schema = schema_of(self.context.project, [name for name in RARE_COLUMNS if name in batch.columns])
        self._names = _short_names([name for name in schema.names if name != GEOMETRY]) | {GEOMETRY: GEOMETRY}
        rows = rows_of(batch, schema)
        columns = [
            self._fitting(rows.column(field.name)) if field.type == pa.string() else rows.column(field.name)
            for field in schema
        ]
        rows = pa.record_batch(columns, names=[self._names[name] for name in schema.names])
        sorts = shapely.get_dimensions(batch.geometries)
        for dimension in np.unique(sorts).tolist():
            here = sorts == dimension
            self._shelves[dimension].add(rows.filter(pa.array(here)), batch.geometries[here])

    def close(self) -> Sequence[str]:
        """Write the files; say what the table behind them cannot hold."""
        for dimension, shelf in self._shelves.items():
            if not shelf.count:
                continue
            rows, kind = shelf.take(pa.schema([])), TYPES[(0, 1, 3)[dimension]]
            if "MultiPoint" in shelf.types:  # the one sort that is not of one type in a Shapefile
                rows, kind = pa.RecordBatchReader.from_batches(rows.schema, _many_points(rows)), "MultiPoint"
            self._write(f"{self.context.project.id}-{_SORTS[dimension]}", rows, kind + " Z" * (shelf.solid > 0))
        changed = [f"{old!r} is {new!r}" for old, new in self._names.items() if old != new]
        said = []
        if changed:
            said.append(f"A Shapefile's column names have {_NAME_LENGTH} characters: {', '.join(changed)} there.")
        if self._cut:
            said.append(f"A Shapefile's texts have {_TEXT_LENGTH} bytes: {many(self._cut, 'text')} cut off.")
        return said

    def _fitting(self, column: pa.Array) -> pa.Array:
        """Texts of as many bytes as the table behind a Shapefile holds."""
        texts = column.to_pylist()
        cut = [t if t is None else t.encode()[:_TEXT_LENGTH].decode(errors="ignore") for t in texts]
        self._cut += sum(1 for old, new in zip(texts, cut, strict=True) if old != new)
        return pa.array(cut, pa.string())


def _many_points(rows: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
    """Points as MultiPoints of one."""
    for batch in rows:
        shapes = shapely.from_wkb(batch.column(GEOMETRY).to_pylist())
        single = shapely.get_type_id(shapes) == 0
        shapes[single] = shapely.multipoints(shapes[single][:, np.newaxis])
        wkb = pa.array(shapely.to_wkb(shapes, output_dimension=3, flavor="iso"), pa.binary())
        yield batch.set_column(batch.schema.get_field_index(GEOMETRY), GEOMETRY, wkb)


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
def _told_when_full(folder: Path) -> Iterator[None]:
    """Say of a file that GDAL could not write that the disk is full, also where it keeps that to itself (as with KML).

    Raises:
        OSError: there is no room left where it was written.
    """
    error: Exception | None = None
    try:
        yield
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError, RuntimeError) as caught:
        error = caught
    if shutil.disk_usage(folder).free < _NO_ROOM:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder)) from error
    if error is not None:
        raise error


@contextmanager
def _no_clock() -> Iterator[None]:
    """GDAL writes a date of our choice instead of today's."""
    before = pyogrio.get_gdal_config_option(_CLOCK)
    pyogrio.set_gdal_config_options({_CLOCK: _THEN})
    try:
        yield
    finally:
        pyogrio.set_gdal_config_options({_CLOCK: before})
