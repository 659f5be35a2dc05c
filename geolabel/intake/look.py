"""What is in a file of labels, before it is imported: how many features, which columns and values, and some of its shapes."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely

from geolabel.errors import InvalidCRS
from geolabel.geo import crs as crs_
from geolabel.intake.columns import as_text
from geolabel.model import CRS84

if TYPE_CHECKING:
    from geolabel.formats.base import Features, LabelStream

_SHAPES = 2000
_VERTICES = 200_000
_VALUES = 200


@dataclass(frozen=True, slots=True)
class FileLook:
    """What a file of labels holds.

    Attributes:
        crs: short name of the CRS of its coordinates.
        count: features.
        kinds: features by type of their geometry.
        fields: (name, values with their counts, most frequent first; values of a column with more than 200 are not counted on).
        shapes: the first of its geometries as GeoJSON in longitude and latitude; none where they have no place on the Earth.
        bounds: west, south, east, north of those; None without any.
    """

    crs: str
    count: int
    kinds: dict[str, int]
    fields: list[tuple[str, list[tuple[str, int]]]]
    shapes: list[dict[str, Any]]
    bounds: tuple[float, float, float, float] | None

    def to_json(self) -> dict[str, Any]:
        """The object that HTTP gives."""
        return {
            "crs": self.crs,
            "count": self.count,
            "kinds": self.kinds,
            "fields": [{"name": name, "values": values} for name, values in self.fields],
            "shapes": self.shapes,
            "bounds": self.bounds,
        }


def look_at(labels: LabelStream) -> FileLook:
    """Read a file to its end.

    Raises:
        InvalidInput: what is wrong further down.
    """
    count = 0
    kinds: Counter[str] = Counter()
    values: dict[str, Counter[str]] = {}
    shown: list[Any] = []
    vertices = 0
    for features in labels.batches:
        count += len(features)
        geometries = features.geometries()
        kinds.update("none" if one is None else one.geom_type for one in geometries)
        _count(features, values)
        for one in geometries[: max(0, _SHAPES - len(shown))]:
            if one is None or one.is_empty or vertices > _VERTICES:
                continue
            vertices += shapely.get_num_coordinates(one)
            shown.append(shapely.force_2d(one))
    fields = [(name, counter.most_common(_VALUES)) for name, counter in values.items()]
    shapes, bounds = _on_earth(np.array(shown, dtype=object), labels.crs)
    return FileLook(crs_.label(labels.crs), count, dict(kinds.most_common()), fields, shapes, bounds)


def _count(features: Features, values: dict[str, Counter[str]]) -> None:
    for name, column in features.columns.items():
        counter = values.setdefault(name, Counter())
        for value in column:
            text = (as_text(value) or "")[:200]
            if text in counter or len(counter) <= _VALUES:
                counter[text] += 1


def _on_earth(shapes: Any, crs: str) -> tuple[list[dict[str, Any]], tuple[float, float, float, float] | None]:
    if len(shapes) == 0 or not crs_.on_earth(crs):
        return [], None
    try:
        placed = crs_.transform_geometries(shapes, crs, CRS84)
    except InvalidCRS:
        return [], None
    west, south, east, north = (float(edge) for edge in shapely.total_bounds(placed))
    return [json.loads(text) for text in shapely.to_geojson(placed)], (west, south, east, north)
