"""Take labels that are in memory already: GeoDataFrames and GeoJSON objects; and label files read whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely

from geolabel.errors import InvalidInput
from geolabel.formats.base import Features, LabelStream, odd_shapes
from geolabel.formats.geojson_reader import features_of, old_crs
from geolabel.geo import crs as crs_
from geolabel.geo.ragged import from_shapely
from geolabel.model import CRS84

if TYPE_CHECKING:
    from collections.abc import Generator

    import geopandas as gpd
    from numpy.typing import NDArray

    from geolabel.formats.base import LabelFile

_ROWS = 10_000


def labels_from_frame(frame: gpd.GeoDataFrame, *, crs: str | None = None, name: str = "GeoDataFrame") -> LabelStream:
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
    return _stream(name, given, np.asarray(frame.geometry.array, dtype=object), columns, frame.index.to_numpy())


def stream_of(labels: LabelFile) -> LabelStream:
    """Labels that a format has read whole, as a stream."""
    return _stream(labels.name, labels.crs, labels.geometries, labels.columns, labels.feature_ids)


def _stream(
    name: str, crs: str | None, geometries: NDArray[np.object_], columns: Mapping[str, NDArray[Any]], ids: NDArray[Any]
) -> LabelStream:
    if len(geometries) == 0:
        raise InvalidInput(f"{name} holds no features; expected at least one.")
    if crs is None:
        raise InvalidInput(f"{name} does not say in which CRS its coordinates are. Say it with --crs EPSG:n.")

    def batches() -> Generator[Features]:
        for start in range(0, len(geometries), _ROWS):
            part = slice(start, start + _ROWS)
            shapes = from_shapely(geometries[part])
            yield Features(
                shapes=shapes,
                odd=odd_shapes(geometries[part], shapes.kinds),
                unreadable={},
                columns=_Slices(columns, part),
                numbers=ids[part].tolist(),
                ids=None,
                share=min(1.0, part.stop / len(geometries)),
                measures=int(np.count_nonzero(shapely.has_m(geometries[part]))),
            )

    return LabelStream(name, crs_.normalise(crs), batches())


class _Slices(Mapping[str, list[Any]]):
    """Some rows of columns."""

    def __init__(self, columns: Mapping[str, NDArray[Any]], part: slice) -> None:
        self._columns, self._part = columns, part

    def __getitem__(self, name: str) -> list[Any]:
        return list(self._columns[name][self._part])

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)


def labels_from_geojson(value: Any, *, crs: str | None = None, name: str = "GeoJSON") -> LabelStream:
    """Take the labels of decoded GeoJSON, strictly; no file and no GDAL is touched.

    Args:
        value: a FeatureCollection, a Feature, or a list of Features.
        crs: CRS of the coordinates; else the old `crs` member, else CRS84.
        name: for messages and provenance.

    Raises:
        InvalidInput: it is not GeoJSON, or holds no feature.
    """
    features, pointer = _features(value, name)
    if crs is None and isinstance(value, Mapping) and value.get("crs") is not None:
        crs = old_crs(value["crs"])
    if not features:
        raise InvalidInput(f"{name} holds no features; expected at least one.")

    def batches() -> Generator[Features]:
        for start in range(0, len(features), _ROWS):
            part = features[start : start + _ROWS]
            yield features_of(part, start, pointer, (start + len(part)) / len(features))

    return LabelStream(name, crs_.normalise(crs or CRS84), batches())


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
