"""Take labels that are in memory already: GeoDataFrames and GeoJSON objects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely

from geolabel.errors import InvalidGeometry, InvalidInput, Problem
from geolabel.formats.base import LabelFile
from geolabel.geo import crs as crs_
from geolabel.geo.geometry import read_geojson
from geolabel.model import CRS84

if TYPE_CHECKING:
    import geopandas as gpd
    from numpy.typing import NDArray


def labels_from_frame(frame: gpd.GeoDataFrame, *, crs: str | None = None, name: str = "GeoDataFrame") -> LabelFile:
    """Take the labels of a GeoDataFrame.

    Args:
        frame: its index counts the features.
        crs: CRS of the coordinates; wins over the frame's own.
        name: for messages and provenance.

    Raises:
        InvalidInput: the frame has no rows, no geometry, or no CRS and none was given.
    """
    if frame.active_geometry_name is None:
        raise InvalidInput(f"{name} has no geometry column, only {', '.join(map(str, frame.columns)) or 'nothing'}.")
    given = crs or (frame.crs.to_wkt() if frame.crs is not None else None)
    others = [c for c in frame.columns if c != frame.geometry.name]
    columns = {str(c): frame[c].to_numpy(dtype=object, na_value=None) for c in others}
    return make_labels(name, given, np.asarray(frame.geometry.array, dtype=object), columns, frame.index.to_numpy())


def labels_from_geojson(value: Any, *, crs: str | None = None, name: str = "GeoJSON") -> LabelFile:
    """Take the labels of decoded GeoJSON, strictly; no file and no GDAL is touched.

    Args:
        value: a FeatureCollection, a Feature, or a list of Features.
        crs: CRS of the coordinates; else the old `crs` member, else CRS84.
        name: for messages and provenance.

    Raises:
        InvalidGeometry: with a JSON pointer for each feature that cannot be read.
        InvalidInput: it is not GeoJSON, or holds no feature.
    """
    features, pointer = _features(value, name)
    if crs is None and isinstance(value, Mapping) and value.get("crs") is not None:
        crs = _old_crs(value["crs"])
    geometries = np.full(len(features), None, dtype=object)
    problems: list[Problem] = []
    for index, feature in enumerate(features):
        at = f"{pointer}/{index}" if pointer is not None else ""
        if not isinstance(feature, Mapping) or feature.get("type") != "Feature":
            problems.append(Problem(at, "expected a GeoJSON Feature"))
            continue
        if not isinstance(feature.get("properties") or {}, Mapping):
            problems.append(Problem(f"{at}/properties", "expected an object or null"))
        try:
            geometries[index] = read_geojson(feature.get("geometry"), f"{at}/geometry")
        except InvalidGeometry as error:
            problems += error.problems
    if problems:
        first = problems[0]
        raise InvalidGeometry(
            f"{name} cannot be read: {first.message} at {first.pointer} ({len(problems)} such places).", problems
        )
    rows = [feature.get("properties") or {} for feature in features]
    fields = list(dict.fromkeys(str(field) for row in rows for field in row))
    columns = {field: _column([row.get(field) for row in rows]) for field in fields}
    return make_labels(name, crs or CRS84, geometries, columns, np.arange(len(features)))


def _features(value: Any, name: str) -> tuple[Sequence[Any], str | None]:
    """The features, and the JSON pointer of the list that holds them (None for a single one)."""
    if isinstance(value, Mapping):
        if value.get("type") == "Feature":
            return [value], None
        if value.get("type") == "FeatureCollection" and isinstance(value.get("features"), list):
            return value["features"], "/features"
    elif isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return value, ""
    got = repr(value.get("type")) if isinstance(value, Mapping) else type(value).__name__
    raise InvalidInput(
        f"{name} is not GeoJSON labels: expected a FeatureCollection, a Feature or a list of Features, got {got}."
    )


def _old_crs(member: Any) -> str:
    """The CRS that GeoJSON before RFC 7946 could name."""
    try:
        return str(member["properties"]["name"])
    except (TypeError, KeyError):
        raise InvalidInput(
            "The member 'crs' of the GeoJSON cannot be read: expected {type: name, properties: {name: ...}}."
        ) from None


def _column(values: list[Any]) -> NDArray[np.object_]:
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return column


def make_labels(
    name: str, crs: str | None, geometries: NDArray[np.object_], columns: Mapping[str, NDArray[Any]], ids: NDArray[Any]
) -> LabelFile:
    """Check that there is something, in a known CRS; M is dropped.

    Raises:
        InvalidInput: no feature, or no CRS.
    """
    if len(geometries) == 0:
        raise InvalidInput(f"{name} holds no features; expected at least one.")
    if crs is None:
        raise InvalidInput(f"{name} does not say in which CRS its coordinates are. Say it with --crs EPSG:n.")
    return LabelFile(name, crs_.normalise(crs), _without_m(geometries), columns, ids)


def _without_m(geometries: NDArray[np.object_]) -> NDArray[np.object_]:
    measured = np.flatnonzero(shapely.has_m(geometries))
    if len(measured) == 0:
        return geometries
    result = geometries.copy()
    for index in measured:
        shape = geometries[index]
        coordinates = shapely.get_coordinates(shape, include_z=shape.has_z)
        result[index] = shapely.set_coordinates(np.array([shapely.force_2d(shape)], dtype=object), coordinates)[0]
    return result
