"""Annotation <-> GeoJSON feature."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import repeat
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
import shapely

from geolabel.api.properties import check_server_owned, columns_of, merge_properties, read_properties, show
from geolabel.api.shapes import read_shape
from geolabel.api.wire import Refused, bad_member
from geolabel.errors import Problem
from geolabel.geo import crs as crs_
from geolabel.geo.geojson_text import geojson_texts
from geolabel.geo.geometry import MAX_VERTICES, all_to_geojson, kind_of
from geolabel.geo.shown import page, shown_and_measured
from geolabel.geo.tolerance import tolerance_of
from geolabel.model import Annotation, NewAnnotation, Provenance, Status

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from shapely.geometry.base import BaseGeometry

    from geolabel.api.negotiate import EdgeCRS
    from geolabel.classes import LabelClass
    from geolabel.geo.placed import Placed
    from geolabel.model import Project, Scene


@dataclass(frozen=True, slots=True)
class View:
    """How the labels of a project are shown to a client, and read from it.

    Attributes:
        project: whose labels.
        storage: CRS that they rest in.
        edge: CRS that the client speaks.
        scenes: of the project; the finest gives the tolerances.
        max_vertices: a shape with more is refused.
        notes: sentences on what is odd about the geometry that was read last; they go with the answer.
    """

    project: Project
    storage: str
    edge: EdgeCRS
    scenes: tuple[Scene, ...]
    max_vertices: int = MAX_VERTICES
    notes: list[str] = field(default_factory=list)

    def features(self, annotations: Sequence[Annotation]) -> list[dict[str, Any]]:
        """GeoJSON features in the client's CRS and axis order, all digits kept."""
        stored = np.array([*(a.geometry for a in annotations), None], dtype=object)[:-1]
        return [
            {
                "type": "Feature",
                "id": annotation.id,
                "geometry": geometry,
                "properties": show(annotation, self.project, area),
            }
            for annotation, geometry, area in zip(annotations, *self.shapes(stored), strict=True)
        ]

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of a row of `listed`."""
        return (*columns_of(self.project), "external", "id")

    def listed(self, rows: Sequence[Sequence[Any]], stored: Placed) -> list[dict[str, Any]]:
        """The same features of current labels that came out of the store as rows, (n,), that begin with `columns`.

        Their geometries are text already.
        """
        names = columns_of(self.project)
        external, id_ = len(names), len(names) + 1
        visible, areas = page(stored, self.storage, self.edge.crs, tolerance=self._bend)
        if self.edge.swaps:
            visible = replace(visible, xy=visible.xy[:, ::-1])
        said = list(map(dict, map(zip, repeat(names), rows)))
        for properties, row, area in zip(said, rows, _measured(stored.shapes.kinds, areas), strict=True):
            if row[external] is not None:
                properties["external"] = row[external]
            if area is not None:
                properties["area_m2"] = area
        geometries = map(orjson.Fragment, geojson_texts(visible))
        return [
            {"type": "Feature", "id": row[id_], "geometry": geometry, "properties": properties}
            for row, geometry, properties in zip(rows, geometries, said, strict=True)
        ]

    def shapes(self, stored: NDArray[np.object_]) -> tuple[list[dict[str, Any]], list[float | None]]:
        """GeoJSON geometries of shapes (n,), and their areas in square metres; None for what has none."""
        visible, areas = shown_and_measured(stored, self.storage, self.edge.crs, tolerance=self._bend)
        return all_to_geojson(self.edge.turn_all(visible)), _measured(shapely.get_type_id(stored), areas)

    @property
    def _bend(self) -> float:
        return tolerance_of(self.scenes).bend(self.edge.crs)

    def feature(self, annotation: Annotation) -> dict[str, Any]:
        """One feature, with what is odd about it as a member `warnings`."""
        feature = self.features([annotation])[0]
        return {**feature, "warnings": list(self.notes)} if self.notes else feature

    def create(self, value: Any, source: str) -> NewAnnotation:
        """Read the feature of a POST. The server's own properties are those of another label and are passed over.

        Raises:
            Refused: 422, with a pointer to each thing wrong.
            InvalidInput: the same, found deeper.
        """
        feature = _feature_object(value, partial=False)
        sent = read_properties(self.project, feature.get("properties"))
        geometry = self._read_geometry(feature.get("geometry"), None)
        return self._new(geometry, sent, Provenance(source=source))

    def replace(self, value: Any, current: Annotation, history: Callable[[], Sequence[Annotation]]) -> NewAnnotation:
        """Read the feature of a PUT.

        Args:
            value: the decoded body.
            current: what it replaces.
            history: gives the earlier states: a stale echo of the server's own properties is no attempt to change them.
        """
        feature = _feature_object(value, partial=False)
        _check_id(feature, current)
        sent = read_properties(self.project, feature.get("properties"), current=current)
        check_server_owned(feature["properties"], self._own(current), lambda: map(self._own, history()))
        geometry = self._read_geometry(feature.get("geometry"), current.geometry)
        return self._new(geometry, sent, current.provenance)

    def patch(self, value: Any, current: Annotation, history: Callable[[], Sequence[Annotation]]) -> NewAnnotation:
        """Read the JSON merge patch (RFC 7396) of a PATCH; what it does not name stays, to the last bit."""
        feature = _feature_object(value, partial=True)
        _check_id(feature, current)
        given = feature.get("properties", {})
        sent = merge_properties(self.project, given, current=current)
        check_server_owned(given, self._own(current), lambda: map(self._own, history()))
        if "geometry" in feature:
            geometry = self._read_geometry(feature["geometry"], current.geometry)
        else:
            geometry = current.geometry
        return self._new(geometry, sent, current.provenance)

    def _own(self, annotation: Annotation) -> dict[str, Any]:
        geometry = np.array([annotation.geometry, None], dtype=object)[:-1]
        areas = crs_.ground_area(geometry, self.storage)
        return show(annotation, self.project, *_measured(shapely.get_type_id(geometry), areas))

    def _new(self, geometry: BaseGeometry, sent: dict[str, Any], before: Provenance) -> NewAnnotation:
        _check_kind(geometry, self.project.class_named(sent["class"]))
        provenance = Provenance(before.source, sent["confidence"], sent["scene"], before.author)
        return NewAnnotation(
            geometry,
            sent["class"],
            sent["note"],
            Status(sent["status"]),
            provenance,
            sent["attributes"],
            sent["valid_from"],
            sent["valid_to"],
            sent["track"],
        )

    def _read_geometry(self, value: Any, current: BaseGeometry | None) -> BaseGeometry:
        geometry, self.notes[:] = read_shape(
            value,
            current,
            edge=self.edge,
            storage=self.storage,
            scenes=self.scenes,
            policy=self.project.on_invalid,
            max_vertices=self.max_vertices,
        )
        return geometry


def _measured(kinds: NDArray[np.integer[Any]], areas: NDArray[np.float64]) -> list[float | None]:
    """The areas of polygons; None for shapes without one, and where there is no ellipsoid."""
    known = ((kinds == 3) | (kinds == 6)) & np.isfinite(areas)
    return [area if is_known else None for area, is_known in zip(areas.tolist(), known.tolist(), strict=True)]


def _feature_object(value: Any, *, partial: bool) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise bad_member("", "Expected a GeoJSON Feature, an object")
    kind = value.get("type", "Feature" if partial else None)
    if kind != "Feature":
        raise bad_member("/type", f"Expected the type 'Feature', got {kind!r:.80}")
    if not partial and "geometry" not in value:
        raise bad_member("/geometry", "A Feature has the member 'geometry'")
    return value


def _check_id(feature: dict[str, Any], current: Annotation) -> None:
    given = feature.get("id", current.id)
    if isinstance(given, bool) or str(given) != str(current.id):  # QGIS sends the id as a text
        raise bad_member("/id", f"The body is feature {given!r:.80} and the address is feature {current.id}")


def _check_kind(geometry: BaseGeometry, label_class: LabelClass) -> None:
    kind = kind_of(geometry)
    if kind not in label_class.geometries:
        message = f"Class {label_class.name!r} is drawn as {' or '.join(label_class.geometries)}, got a {kind}."
        raise Refused(422, message, [Problem("/geometry/type", message)])
