"""Chips and what is on them in longitude and latitude, for formats that say where they lie."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
import shapely

from geolabel.errors import InvalidSpec
from geolabel.geo import crs as crs_
from geolabel.geo.pixels import DENSIFY_PX, PixelGeometry, footprint, pixel_size, pixel_to_map
from geolabel.geo.shown import shown
from geolabel.model import CRS84

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geolabel.chips.build import Chip
    from geolabel.formats.base import Context
    from geolabel.model import Grid


def check_earth(context: Context, name: str) -> None:
    """Refuse scenes that have no longitude and latitude.

    Raises:
        InvalidSpec: which scene.
    """
    for scene in context.scenes:
        if scene.grid.crs is None or not crs_.on_earth(scene.grid.crs):
            where = "no place on a map" if scene.grid.crs is None else crs_.label(scene.grid.crs)
            raise InvalidSpec(
                f"{name} says where chips lie in longitude and latitude; scene {scene.id!r} has {where}. Export a format such as coco."
            )


def to_degrees(shapes: NDArray[np.object_], grid: Grid) -> NDArray[np.object_]:
    """Shapes in pixels of a grid, in CRS84, cut at the antimeridian, outlines counter-clockwise."""
    assert grid.crs is not None
    tolerance = DENSIFY_PX * pixel_size(grid) * crs_.unit_metres(grid.crs) / crs_.METRES_PER_DEGREE
    on_ground = pixel_to_map(PixelGeometry(shapes, grid)).geometries
    turned: NDArray[np.object_] = shapely.orient_polygons(
        shown(on_ground, grid.crs, CRS84, tolerance=tolerance), exterior_cw=False
    )
    return turned


def outline_in_degrees(grid: Grid) -> tuple[Any, list[float]]:
    """The footprint of a grid as a GeoJSON geometry, and its box; west > east where it crosses the antimeridian."""
    assert grid.crs is not None
    shapes = np.array([footprint(grid)], dtype=object)
    tolerance = pixel_size(grid) * crs_.unit_metres(grid.crs) / crs_.METRES_PER_DEGREE
    outline = shapely.orient_polygons(shown(shapes, grid.crs, CRS84, tolerance=tolerance), exterior_cw=False)[0]
    west, south, east, north = outline.bounds
    parts = [part.bounds for part in shapely.get_parts(outline)]
    if len(parts) > 1 and west <= -180 and east >= 180:
        west = min(b[0] for b in parts if b[2] >= 180)
        east = max(b[2] for b in parts if b[0] <= -180)
    return orjson.loads(shapely.to_geojson(outline)), [west, south, east, north]


def features_of(chip: Chip, names: dict[int, str]) -> list[dict[str, Any]]:
    """What is on a chip, as GeoJSON features in the order of id."""
    labels = chip.labels
    shapes = to_degrees(labels.geometries, chip.grid)
    return [
        {
            "type": "Feature",
            "id": annotation,
            "geometry": orjson.Fragment(text),
            "properties": {"class": names[class_id], "truncated": truncated},
        }
        for annotation, class_id, truncated, text in zip(
            labels.ids.tolist(),
            labels.class_ids.tolist(),
            labels.truncated.tolist(),
            shapely.to_geojson(shapes),
            strict=True,
        )
    ]
