"""One state of an annotation as a row: the same columns in a project's table and in history."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import shapely

from geolabel.attributes import check_attributes
from geolabel.errors import InvalidGeometry, InvalidInput, Problem, UnknownClass
from geolabel.model import Annotation, Provenance, Status
from geolabel.moments import in_order, read_moment
from geolabel.store.dialect import spatial
from geolabel.store.text import check_texts

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray
    from shapely.geometry.base import BaseGeometry
    from sqlalchemy import Connection, RowMapping

    from geolabel.model import NewAnnotation, Project
    from geolabel.store.layers import Layer

_LINEAR_RING = 2
_SHOWN = 20


def to_annotations(connection: Connection, rows: Sequence[RowMapping], layer: Layer) -> list[Annotation]:
    """Rows with the columns of one state, of a project's table or of history, to annotations."""
    geometries = spatial(connection).decode([row["geom"] for row in rows])
    return [to_annotation(row, geometry, layer) for row, geometry in zip(rows, geometries, strict=True)]


def to_annotation(row: Mapping[str, Any] | RowMapping, geometry: BaseGeometry, layer: Layer) -> Annotation:
    """One row, whose geometry is decoded."""
    return Annotation(
        id=row["id"],
        version=row["version"],
        geometry=geometry,
        class_name=row["class"],
        note=row["note"],
        status=Status(row["status"]),
        provenance=Provenance(
            source=row["source"],
            confidence=row["confidence"],
            scene=row["scene"],
            author=row["author"],
        ),
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        attributes=attributes_in(row, layer),
        valid_from=row["valid_from"],
        valid_to=row["valid_to"],
        track=row["track"],
        external_id=row["external_id"],
        external=row["external"],
    )


def attributes_in(row: Mapping[str, Any] | RowMapping, layer: Layer) -> dict[str, Any]:
    """The attributes that have a value in a row of a project's table (a column each) or of history (one for all)."""
    if "attributes" in row:  # no attribute can bear that name
        return row["attributes"] or {}
    return {a.name: row[a.name] for a in layer.project.attributes if row[a.name] is not None}


def to_values(annotation: Annotation, blob: bytes, changeset: int, layer: Layer) -> dict[str, Any]:
    """The row of a project's table of an annotation that a change set made."""
    provenance = annotation.provenance
    return {
        "id": annotation.id,
        "geom": blob,
        "class": annotation.class_name,
        "note": annotation.note,
        "status": annotation.status.value,
        "source": provenance.source,
        "confidence": provenance.confidence,
        "scene": provenance.scene,
        "author": provenance.author,
        "created_at": annotation.created_at,
        "updated_at": annotation.updated_at,
        "version": annotation.version,
        "changeset": changeset,
        "valid_from": annotation.valid_from,
        "valid_to": annotation.valid_to,
        "track": annotation.track,
        "external_id": annotation.external_id,
        "external": annotation.external,
        **{a.name: annotation.attributes.get(a.name) for a in layer.project.attributes},
    }


def check_new(
    layer: Layer, items: Sequence[NewAnnotation], pointers: Sequence[str] | None = None
) -> NDArray[np.object_]:
    """Refuse what cannot rest in a layer.

    Args:
        layer: where it is to rest.
        items: what is to be written.
        pointers: where each stands in what was given, for the messages; by number when None.

    Returns:
        The geometries (n,), without M, which is not kept.

    Raises:
        UnknownClass: a class that the schema does not have.
        InvalidInput: text that no database keeps, a confidence out of range, an attribute that cannot be, a time that is none.
        InvalidGeometry: no geometry, an empty one, a coordinate that is not finite; `problems` says which.
    """
    _check_classes(layer.project, items, pointers)
    for what in ("note", "track", "external_id"):
        check_texts(what, (getattr(item, what) for item in items))
    provenances = [item.provenance for item in items]
    for what in ("source", "scene", "author"):
        check_texts(what, (getattr(provenance, what) for provenance in provenances))
    for confidence in {provenance.confidence for provenance in provenances} - {None}:
        check_confidence(confidence)
    for valid in {(item.valid_from, item.valid_to) for item in items}:
        check_interval(*valid)
    _check_attributes(layer.project, items, pointers)
    return check_geometries([item.geometry for item in items], pointers)


def _check_classes(project: Project, items: Sequence[NewAnnotation], pointers: Sequence[str] | None) -> None:
    for name in dict.fromkeys(item.class_name for item in items):
        try:
            project.class_named(name)
        except UnknownClass as error:
            if pointers is None:
                raise
            places = [
                f"{at}/properties/class" for at, item in zip(pointers, items, strict=True) if item.class_name == name
            ]
            raise UnknownClass(str(error), [Problem(place, str(error)) for place in places[:_SHOWN]]) from error


def check_confidence(value: float | None) -> None:
    """Refuse a confidence out of range.

    Raises:
        InvalidInput: not a number between 0 and 1.
    """
    if value is not None and not 0.0 <= value <= 1.0:
        raise InvalidInput(f"A confidence is a number from 0 to 1, got {value}.")


def check_interval(start: str | None, end: str | None) -> None:
    """Refuse an interval of validity that is none.

    Raises:
        InvalidInput: an end that cannot be read, or before the start.
    """
    if not in_order(start and read_moment(start), end and read_moment(end)):
        raise InvalidInput(f"A label is valid from a moment to a later one, got {start} to {end}.")


def _check_attributes(project: Project, items: Sequence[NewAnnotation], pointers: Sequence[str] | None) -> None:
    if not project.attributes and not any(item.attributes for item in items):
        return
    problems: list[Problem] = []
    for i, item in enumerate(items):
        found = check_attributes(project.attributes, item.class_name, item.attributes)
        place = f"feature {i + 1}" if pointers is None and len(items) > 1 else "/properties"
        if pointers is not None:
            place = f"{pointers[i]}/properties"
        problems += (
            Problem(f"{place}/{name}" if place.startswith("/") else place, f"attribute {name!r} {message}")
            for name, message in found
        )
    if problems:
        raise InvalidInput(
            f"{problems[0].pointer}: {problems[0].message} ({len(problems)} such values)."
            if len(problems) > 1
            else f"{problems[0].pointer}: {problems[0].message}.",
            problems[:_SHOWN],
        )
    texts: Iterable[Any] = (value for item in items for value in item.attributes.values() if isinstance(value, str))
    check_texts("attribute", texts)


def check_geometries(geometries: Sequence[BaseGeometry], pointers: Sequence[str] | None = None) -> NDArray[np.object_]:
    """Refuse shapes that cannot be stored exactly; validity is checked where they come in, not here.

    Returns:
        The geometries (n,), without M.

    Raises:
        InvalidGeometry: no geometry, an empty one, a coordinate that is not finite; `problems` says which.
    """
    shapes = np.empty(len(geometries), dtype=object)
    shapes[:] = geometries
    strange = np.flatnonzero(~shapely.is_geometry(shapes)).tolist()
    if strange:
        raise _refusal(
            {i: f"expected a geometry, got {type(shapes[i]).__name__}" for i in strange}, len(shapes), pointers
        )
    problems = dict.fromkeys(np.flatnonzero(shapely.is_empty(shapes)).tolist(), "the geometry is empty")
    for i in np.flatnonzero(shapely.get_type_id(shapes) == _LINEAR_RING).tolist():
        problems.setdefault(i, "a bare ring is no label, make it a LineString or a Polygon")
    for i in _not_finite(shapes):
        problems.setdefault(i, "a coordinate is not a finite number (Z must be given for all positions or for none)")
    if problems:
        raise _refusal(problems, len(shapes), pointers)
    return _without_m(shapes)


def _not_finite(shapes: NDArray[np.object_]) -> list[int]:
    found: set[int] = set()
    for chosen, include_z in ((~shapely.has_z(shapes), False), (shapely.has_z(shapes), True)):
        where = np.flatnonzero(chosen)
        if len(where):
            values, owner = shapely.get_coordinates(shapes[where], include_z=include_z, return_index=True)
            found.update(where[owner[~np.isfinite(values).all(axis=1)]].tolist())
    return sorted(found)


def _refusal(problems: dict[int, str], total: int, pointers: Sequence[str] | None) -> InvalidGeometry:
    if pointers is None:
        places = {i: "/geometry" if total == 1 else f"feature {i + 1}" for i in problems}
    else:
        places = {i: f"{pointers[i]}/geometry" for i in problems}
    first = min(problems)
    message = f"{len(problems)} of {total} geometries cannot be stored; {places[first]}: {problems[first]}."
    return InvalidGeometry(message, [Problem(places[i], problems[i]) for i in sorted(problems)[:_SHOWN]])


def _without_m(shapes: NDArray[np.object_]) -> NDArray[np.object_]:
    has_m = shapely.has_m(shapes)
    if has_m.any():
        shapes[has_m] = [
            shapely.from_wkb(shapely.to_wkb(shape, output_dimension=3)) if shape.has_z else shapely.force_2d(shape)
            for shape in shapes[has_m]
        ]
    return shapes
