"""Annotation <-> GeoJSON feature."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from geolabel.api.properties import SETTABLE, check_server_owned, read_properties
from geolabel.api.wire import Refused, bad_member
from geolabel.errors import InvalidCRS, InvalidGeometry, Problem
from geolabel.geo import crs as crs_
from geolabel.geo.geometry import kind_of, read_geojson, to_geojson
from geolabel.geo.places import ground_of, refuse_misplaced
from geolabel.geo.policy import apply_policy, find_invalid
from geolabel.geo.tolerance import Tolerance, tolerance_of
from geolabel.geo.vertices import restore_untouched
from geolabel.model import Annotation, NewAnnotation, Provenance, Status

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from shapely.geometry.base import BaseGeometry

    from geolabel.api.negotiate import EdgeCRS
    from geolabel.classes import LabelClass
    from geolabel.model import Project, Scene


@dataclass(frozen=True, slots=True)
class View:
    """How the labels of a project are shown to a client, and read from it.

    Attributes:
        project: whose labels.
        storage: CRS that they rest in.
        edge: CRS that the client speaks.
        scenes: of the project; the finest gives the tolerances.
    """

    project: Project
    storage: str
    edge: EdgeCRS
    scenes: tuple[Scene, ...]

    @property
    def tolerance(self) -> Tolerance:
        """How far things may be off."""
        return tolerance_of(self.scenes)

    def features(self, annotations: Sequence[Annotation]) -> list[dict[str, Any]]:
        """GeoJSON features in the client's CRS and axis order, all digits kept."""
        stored = np.array([*(a.geometry for a in annotations), None], dtype=object)[:-1]
        tolerance = self.tolerance.bend(self.edge.crs)
        shown = crs_.transform_geometries(stored, self.storage, self.edge.crs, tolerance=tolerance)
        areas = crs_.ground_area(stored, self.storage)
        return [
            {
                "type": "Feature",
                "id": annotation.id,
                "geometry": to_geojson(geometry),
                "properties": properties(annotation, float(area)),
            }
            for annotation, geometry, area in zip(annotations, self.edge.turn_all(shown), areas, strict=True)
        ]

    def feature(self, annotation: Annotation) -> dict[str, Any]:
        """One feature."""
        return self.features([annotation])[0]

    def create(self, value: Any, source: str) -> NewAnnotation:
        """Read the feature of a POST. The server's own properties are those of another label and are passed over.

        Raises:
            Refused: 422, with a pointer to each thing wrong.
            InvalidInput: the same, found deeper.
        """
        feature = _feature_object(value, partial=False)
        sent = read_properties(self.project, feature.get("properties"), partial=False)
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
        sent = read_properties(
            self.project, feature.get("properties"), partial=False, current_scene=current.provenance.scene
        )
        check_server_owned(feature["properties"], self._own(current), lambda: map(self._own, history()))
        geometry = self._read_geometry(feature.get("geometry"), current.geometry)
        return self._new(geometry, sent, current.provenance)

    def patch(self, value: Any, current: Annotation, history: Callable[[], Sequence[Annotation]]) -> NewAnnotation:
        """Read the JSON merge patch (RFC 7396) of a PATCH; what it does not name stays, to the last bit."""
        feature = _feature_object(value, partial=True)
        _check_id(feature, current)
        given = feature.get("properties", {})
        before = properties(current, 0.0)
        sent = {name: before[name] for name in SETTABLE}
        sent |= read_properties(self.project, given, partial=True, current_scene=current.provenance.scene)
        check_server_owned(given, self._own(current), lambda: map(self._own, history()))
        if "geometry" in feature:
            geometry = self._read_geometry(feature["geometry"], current.geometry)
        else:
            geometry = current.geometry
        return self._new(geometry, sent, current.provenance)

    def _own(self, annotation: Annotation) -> dict[str, Any]:
        geometry = np.array([annotation.geometry, None], dtype=object)[:-1]
        return properties(annotation, float(crs_.ground_area(geometry, self.storage)[0]))

    def _new(self, geometry: BaseGeometry, sent: dict[str, Any], before: Provenance) -> NewAnnotation:
        _check_kind(geometry, self.project.class_named(sent["class"]))
        provenance = Provenance(before.source, sent["confidence"], sent["scene"], before.author)
        return NewAnnotation(geometry, sent["class"], sent["note"], Status(sent["status"]), provenance)

    def _read_geometry(self, value: Any, current: BaseGeometry | None) -> BaseGeometry:
        incoming = self.edge.turn(read_geojson(value))
        refuse_misplaced(incoming, self.edge.crs, ground_of(self.scenes, self.storage))
        try:
            if current is None:
                one = np.array([incoming, None], dtype=object)[:-1]
                bend = self.tolerance.bend(self.storage)
                stored = crs_.transform_geometries(
                    one, self.edge.crs, self.storage, tolerance=bend, round_trip=self.tolerance.round_trip(self.storage)
                )[0]
            else:
                stored = restore_untouched(
                    incoming,
                    current,
                    self.edge.crs,
                    self.storage,
                    tolerance=self.tolerance.bend(self.edge.crs),
                    round_trip=self.tolerance.round_trip(self.storage),
                )
            crs_.refuse_nowhere(np.array([stored, None], dtype=object)[:-1], self.storage)
        except InvalidCRS as error:
            raise InvalidCRS(str(error), [Problem("/geometry", str(error))]) from error
        one, policy = np.array([stored, None], dtype=object)[:-1], self.project.on_invalid
        if policy == "reject" and find_invalid(one):
            sent = np.array([incoming, None], dtype=object)[:-1]
            one = sent if find_invalid(sent) else one  # say where in the CRS that the client speaks
        checked = apply_policy(one, policy, ["/geometry"])
        if len(checked.geometries) == 0:
            problem = checked.problems[0]
            raise InvalidGeometry(f"The shape cannot be kept: {problem.message}.", checked.problems)
        valid: BaseGeometry = checked.geometries[0]
        return valid


def properties(annotation: Annotation, area: float) -> dict[str, Any]:
    """The properties of a feature: what can be set first, then the server's own."""
    own: dict[str, Any] = {
        "class": annotation.class_name,
        "note": annotation.note,
        "status": annotation.status.value,
        "confidence": annotation.provenance.confidence,
        "scene": annotation.provenance.scene,
        "source": annotation.provenance.source,
        "author": annotation.provenance.author,
        "created_at": annotation.created_at,
        "updated_at": annotation.updated_at,
        "version": annotation.version,
    }
    if kind_of(annotation.geometry) == "polygon" and math.isfinite(area):
        own["area_m2"] = area
    return own


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
