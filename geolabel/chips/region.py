"""Ground given by a person: polygons on the map, with a name each where they have one."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely

from geolabel.errors import GeolabelError, InvalidSpec
from geolabel.geo import crs as crs_
from geolabel.model import CRS84

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MOST_VERTICES = 200_000


@dataclass(frozen=True, slots=True)
class Region:
    """Polygons.

    Attributes:
        crs: of the coordinates.
        wkb: a polygon or a multipolygon each.
        properties: of each polygon, as JSON text; `{}` where it has none.
    """

    crs: str
    wkb: tuple[bytes, ...]
    properties: tuple[str, ...]

    @property
    def geometries(self) -> NDArray[np.object_]:
        """(n,) polygons in `crs`."""
        return np.asarray(shapely.from_wkb(np.array(self.wkb, dtype=object)))

    def values(self, name: str) -> list[Any]:
        """The property of that name of each polygon; None where it has none."""
        return [json.loads(properties).get(name) for properties in self.properties]

    def to_json(self) -> dict[str, Any]:
        """GeoJSON, with the CRS by name where it is not CRS84."""
        features = [
            {"type": "Feature", "geometry": json.loads(shapely.to_geojson(shape)), "properties": json.loads(properties)}
            for shape, properties in zip(self.geometries, self.properties, strict=True)
        ]
        named = {} if self.crs == CRS84 else {"crs": self.crs}
        return {"type": "FeatureCollection", **named, "features": features}

    @classmethod
    def from_json(cls, name: str, value: Any) -> Region:
        """Read GeoJSON: a polygon, a feature or a collection of features; `crs` names another CRS than CRS84.

        Raises:
            InvalidSpec: it is none, it has no polygon, or it holds something else than polygons.
        """
        if isinstance(value, cls):
            return value
        if not isinstance(value, dict):
            raise InvalidSpec(f"{name} must be polygons as GeoJSON, got {value!r:.80}.")
        crs = value.get("crs", CRS84)
        if isinstance(crs, dict):  # as GDAL writes it
            crs = crs.get("properties", {}).get("name") if isinstance(crs.get("properties"), dict) else None
        features = value.get("features") if value.get("type") == "FeatureCollection" else [value]
        if not isinstance(features, list) or not features:
            raise InvalidSpec(f"{name} must hold at least one polygon; there are no features.")
        shapes, properties = [], []
        for index, feature in enumerate(features):
            shape, own = _feature(name, index, feature)
            shapes.append(shape)
            properties.append(json.dumps(own, sort_keys=True))
        return cls.of(name, np.array([*shapes, None], dtype=object)[:-1], crs, tuple(properties))

    @classmethod
    def of(cls, name: str, shapes: NDArray[np.object_], crs: Any, properties: tuple[str, ...] | None = None) -> Region:
        """Take polygons.

        Raises:
            InvalidSpec: something else than polygons, not finite, or too many vertices.
        """
        try:
            crs = crs_.normalise(crs) if isinstance(crs, str) else None
        except GeolabelError as error:
            raise InvalidSpec(f"{name} names a CRS that cannot be read: {error}") from error
        if crs is None:
            raise InvalidSpec(f"{name} must name its CRS as text, such as EPSG:32633.")
        for index, shape in enumerate(shapes):
            if shape is None or shape.is_empty or shape.geom_type not in {"Polygon", "MultiPolygon"}:
                kind = "nothing" if shape is None or shape.is_empty else f"a {shape.geom_type}"
                raise InvalidSpec(f"{name} must hold polygons; feature {index} is {kind}.")
        xy = shapely.get_coordinates(shapes)
        if not np.isfinite(xy).all():
            raise InvalidSpec(f"{name} has a coordinate that is not finite.")
        if len(xy) > _MOST_VERTICES:
            raise InvalidSpec(f"{name} has {len(xy):,} vertices; simplify it to {_MOST_VERTICES:,} or fewer.")
        broken = ~shapely.is_valid(shapes)
        valid = np.where(broken, shapely.make_valid(shapes, method="structure", keep_collapsed=False), shapes)
        if any(shape.is_empty for shape in valid):
            raise InvalidSpec(f"{name} has a polygon without an area.")
        flat = shapely.force_2d(valid)
        return cls(crs, tuple(shapely.to_wkb(flat).tolist()), properties or ("{}",) * len(shapes))


def _feature(name: str, index: int, feature: Any) -> tuple[Any, dict[str, Any]]:
    geometry = feature.get("geometry") if isinstance(feature, dict) and feature.get("type") == "Feature" else feature
    own = feature.get("properties") if isinstance(feature, dict) and feature.get("type") == "Feature" else None
    try:
        shape = shapely.from_geojson(json.dumps(geometry))
    except (shapely.GEOSException, TypeError, ValueError) as error:
        raise InvalidSpec(f"{name} must be polygons as GeoJSON; feature {index} cannot be read.") from error
    return shape, own if isinstance(own, dict) else {}
