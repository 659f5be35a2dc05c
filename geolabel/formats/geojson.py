"""GeoJSON as RFC 7946 has it: longitude and latitude, outlines counter-clockwise, the full doubles."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
import shapely

from geolabel.errors import InvalidSpec
from geolabel.geo import crs as crs_
from geolabel.geo.pixels import DENSIFY_PX
from geolabel.geo.shown import shown
from geolabel.model import CRS84

if TYPE_CHECKING:
    from geolabel.batches import LabelBatch
    from geolabel.formats.base import Context


class GeoJSONWriter:
    """Writes `geojson/{project}.geojson`, a feature for each annotation in order of id."""

    def __init__(self, context: Context) -> None:
        project = context.project
        if project.crs is None:
            raise InvalidSpec(
                f"GeoJSON is longitude and latitude, and project {project.id!r} has pixels without a place on the Earth; "
                "export a pixel format such as coco.",
            )
        if not crs_.on_earth(project.crs):
            raise InvalidSpec(
                f"GeoJSON is longitude and latitude on the Earth; project {project.id!r} lies elsewhere "
                f"({crs_.label(project.crs)}). Export a pixel format such as coco.",
            )
        self._crs = project.crs
        finest = min((s.resolution for s in context.scenes if s.resolution), default=0.1)
        self._tolerance = DENSIFY_PX * finest / crs_.METRES_PER_DEGREE
        self._stream = context.files.open(f"geojson/{project.id}.geojson")
        self._stream.write(b'{"type":"FeatureCollection","features":[')
        self._written = 0

    def add(self, batch: LabelBatch) -> None:
        """Write the annotations of one batch."""
        shapes = shown(batch.geometries, self._crs, CRS84, tolerance=self._tolerance)
        texts = shapely.to_geojson(shapely.orient_polygons(shapes, exterior_cw=False))
        for row, (annotation, name, text) in enumerate(zip(batch.ids, batch.class_names, texts, strict=True)):
            feature = {
                "type": "Feature",
                "id": int(annotation),
                "geometry": orjson.Fragment(text),
                "properties": {"class": name} | {field: column[row] for field, column in batch.columns.items()},
            }
            self._stream.write((b",\n" if self._written else b"\n") + orjson.dumps(feature))
            self._written += 1

    def close(self) -> tuple[str, ...]:
        """Finish the file."""
        self._stream.write(b"\n]}\n")
        return ()
