"""One state of an annotation as a row: the same columns in a project's table and in history."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import shapely

from geolabel.errors import InvalidGeometry, InvalidInput, Problem
from geolabel.model import Annotation, Provenance, Status
from geolabel.store.dialect import spatial
from geolabel.store.text import check_texts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from shapely.geometry.base import BaseGeometry
    from sqlalchemy import Connection, RowMapping

    from geolabel.model import NewAnnotation
    from geolabel.store.projects import Layer

_LINEAR_RING = 2
_SHOWN = 20


def to_annotations(connection: Connection, rows: Sequence[RowMapping]) -> list[Annotation]:
    """Rows with the columns of one state to annotations."""
    geometries = spatial(connection).decode([row["geom"] for row in rows])
    return [to_annotation(row, geometry) for row, geometry in zip(rows, geometries, strict=True)]


def to_annotation(row: RowMapping, geometry: BaseGeometry) -> Annotation:
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
    )


def to_values(annotation: Annotation, blob: bytes, changeset: int) -> dict[str, Any]:
    """The row of an annotation that a change set made."""
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
    }


def check_new(layer: Layer, items: Sequence[NewAnnotation]) -> NDArray[np.object_]:
    """Refuse what cannot rest in a layer.

    Returns:
        The geometries (n,), without M, which is not kept.

    Raises:
        UnknownClass: a class that the schema does not have.
        InvalidInput: text that no database keeps, a confidence out of range.
        InvalidGeometry: no geometry, an empty one, a coordinate that is not finite; `problems` says which.
    """
    for name in dict.fromkeys(item.class_name for item in items):
        layer.project.class_named(name)
    check_texts("note", (item.note for item in items))
    provenances = [item.provenance for item in items]
    for what in ("source", "scene", "author"):
        check_texts(what, (getattr(provenance, what) for provenance in provenances))
    for confidence in {provenance.confidence for provenance in provenances} - {None}:
        check_confidence(confidence)
    return check_geometries([item.geometry for item in items])


def check_confidence(value: float | None) -> None:
    """Refuse a confidence out of range.

    Raises:
        InvalidInput: not a number between 0 and 1.
    """
    if value is not None and not 0.0 <= value <= 1.0:
        raise InvalidInput(f"A confidence is a number from 0 to 1, got {value}.")


def check_geometries(geometries: Sequence[BaseGeometry]) -> NDArray[np.object_]:
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
        raise _refusal({i: f"expected a geometry, got {type(shapes[i]).__name__}" for i in strange}, len(shapes))
    problems = dict.fromkeys(np.flatnonzero(shapely.is_empty(shapes)).tolist(), "the geometry is empty")
    for i in np.flatnonzero(shapely.get_type_id(shapes) == _LINEAR_RING).tolist():
        problems.setdefault(i, "a bare ring is no label, make it a LineString or a Polygon")
    for i in _not_finite(shapes):
        problems.setdefault(i, "a coordinate is not a finite number (Z must be given for all positions or for none)")
    if problems:
        raise _refusal(problems, len(shapes))
    return _without_m(shapes)


def _not_finite(shapes: NDArray[np.object_]) -> list[int]:
    found: set[int] = set()
    for chosen, include_z in ((~shapely.has_z(shapes), False), (shapely.has_z(shapes), True)):
        where = np.flatnonzero(chosen)
        if len(where):
            values, owner = shapely.get_coordinates(shapes[where], include_z=include_z, return_index=True)
            found.update(where[owner[~np.isfinite(values).all(axis=1)]].tolist())
    return sorted(found)


def _refusal(problems: dict[int, str], total: int) -> InvalidGeometry:
    places = {i: "/geometry" if total == 1 else f"feature {i + 1}" for i in problems}
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
