"""Annotations in the database, written as versions."""

from __future__ import annotations

from dataclasses import replace as changed
from typing import TYPE_CHECKING

import numpy as np
import shapely
import sqlalchemy as sa

from geolabel.errors import NotFound, VersionConflict
from geolabel.model import Annotation, Change
from geolabel.store import history, projects
from geolabel.store.dialect import spatial
from geolabel.store.states import (
    check_confidence,
    check_geometries,
    check_new,
    to_annotations,
    to_values,
)
from geolabel.store.tables import MAX_KEY
from geolabel.store.text import check_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from shapely.geometry.base import BaseGeometry
    from sqlalchemy import Connection, RowMapping

    from geolabel.model import AnnotationPatch, Bounds, NewAnnotation
    from geolabel.store.projects import Layer

_ROWS_AT_ONCE = 10_000


def create(
    connection: Connection,
    project: str,
    new: Sequence[NewAnnotation],
    *,
    at: str,
    author: str | None,
) -> list[Annotation]:
    """Write new annotations as one change set. See Store.create."""
    layer = projects.find(connection, project)
    geometries = check_new(layer, new)
    if not new:
        return []
    number = history.open_changeset(connection, layer, at=at, author=author)
    ids = spatial(connection).reserve_ids(connection, layer.table, len(new))
    made = [
        _fresh(item, annotation_id=id_, version=1, geometry=geometry, author=author, created_at=at, at=at)
        for item, id_, geometry in zip(new, ids, geometries, strict=True)
    ]
    for start in range(0, len(made), _ROWS_AT_ONCE):
        part = made[start : start + _ROWS_AT_ONCE]
        blobs = spatial(connection).encode(geometries[start : start + _ROWS_AT_ONCE], layer.srs_id)
        connection.execute(
            sa.insert(layer.table),
            [to_values(annotation, blob, number) for annotation, blob in zip(part, blobs, strict=True)],
        )
    spatial(connection).touched(connection, layer.table, at, added=_box(geometries))
    return made


def update(
    connection: Connection,
    project: str,
    annotation_id: int,
    patch: AnnotationPatch,
    *,
    expected: int | None,
    at: str,
    author: str | None,
) -> Annotation:
    """Change what the patch names. See Store.update."""
    layer = projects.find(connection, project)
    row = _current(connection, layer, annotation_id, expected)
    before = to_annotations(connection, [row])[0]
    if patch.class_name is not None:
        layer.project.class_named(patch.class_name)
    check_text("note", patch.note)
    check_confidence(patch.confidence)
    geometry = before.geometry if patch.geometry is None else check_geometries([patch.geometry])[0]
    after = changed(
        before,
        version=before.version + 1,
        geometry=geometry,
        class_name=before.class_name if patch.class_name is None else patch.class_name,
        note=before.note if patch.note is None else patch.note or None,
        status=before.status if patch.status is None else patch.status,
        provenance=before.provenance
        if patch.confidence is None
        else changed(before.provenance, confidence=patch.confidence),
        updated_at=at,
    )
    _supersede(connection, layer, row, before=before, after=after, author=author)
    return after


def replace(
    connection: Connection,
    project: str,
    annotation_id: int,
    new: NewAnnotation,
    *,
    expected: int | None,
    at: str,
    author: str | None,
) -> Annotation:
    """Put a whole state in place of another, or of a delete. See Store.replace."""
    layer = projects.find(connection, project)
    geometry = check_new(layer, [new])[0]
    row = _row(connection, layer, annotation_id)
    if row is None:
        return _bring_back(
            connection,
            layer,
            annotation_id,
            new,
            geometry=geometry,
            expected=expected,
            at=at,
            author=author,
        )
    _check_version(layer, annotation_id, row["version"], expected)
    before = to_annotations(connection, [row])[0]
    after = _fresh(
        new,
        annotation_id=annotation_id,
        version=before.version + 1,
        geometry=geometry,
        author=before.provenance.author,
        created_at=before.created_at,
        at=at,
    )
    _supersede(connection, layer, row, before=before, after=after, author=author)
    return after


def delete(
    connection: Connection,
    project: str,
    annotation_id: int,
    *,
    expected: int | None,
    at: str,
    author: str | None,
) -> Change:
    """Take an annotation away; its states stay in history. See Store.delete."""
    layer = projects.find(connection, project)
    row = _current(connection, layer, annotation_id, expected)
    number = history.open_changeset(connection, layer, at=at, author=author)
    history.keep(connection, layer, row)
    last = dict(row) | {"version": row["version"] + 1, "updated_at": at, "changeset": number}
    history.keep(connection, layer, last, "delete")
    connection.execute(sa.delete(layer.table).where(layer.table.c.id == annotation_id))
    before = to_annotations(connection, [row])[0]
    spatial(connection).touched(connection, layer.table, at, removed=_box([before.geometry]))
    after = changed(before, version=last["version"], updated_at=at)
    return Change(annotation=after, operation="delete", changeset=number, at=at, author=author)


def find(connection: Connection, project: str, annotation_id: int) -> Annotation:
    """The current version. See Store.annotation."""
    layer = projects.find(connection, project)
    return to_annotations(connection, [_current(connection, layer, annotation_id, None)])[0]


def _fresh(
    new: NewAnnotation,
    *,
    annotation_id: int,
    version: int,
    geometry: BaseGeometry,
    author: str | None,
    created_at: str,
    at: str,
) -> Annotation:
    provenance = new.provenance
    if provenance.author is None and author is not None:
        provenance = changed(provenance, author=author)
    return Annotation(
        id=annotation_id,
        version=version,
        geometry=geometry,
        class_name=new.class_name,
        note=new.note or None,
        status=new.status,
        provenance=provenance,
        created_at=created_at,
        updated_at=at,
    )


def _row(connection: Connection, layer: Layer, annotation_id: int) -> RowMapping | None:
    if not 0 < annotation_id <= MAX_KEY:
        return None
    return connection.execute(sa.select(layer.table).where(layer.table.c.id == annotation_id)).mappings().first()


def _current(connection: Connection, layer: Layer, annotation_id: int, expected: int | None) -> RowMapping:
    row = _row(connection, layer, annotation_id)
    if row is None:
        gone = history.tombstone(connection, layer, annotation_id)
        if gone is None:
            raise history.missing(layer, annotation_id)
        raise NotFound(
            f"Annotation {annotation_id} of project {layer.project.id!r} was deleted (version {gone['version']}): replace it to bring it back.",
        )
    _check_version(layer, annotation_id, row["version"], expected)
    return row


def _check_version(layer: Layer, annotation_id: int, current: int, expected: int | None) -> None:
    if expected is not None and expected != current:
        raise VersionConflict(
            f"Annotation {annotation_id} of project {layer.project.id!r} is at version {current}, not {expected}: it was changed in the "
            "meantime. Read it again and repeat the change.",
            current,
        )


def _supersede(
    connection: Connection,
    layer: Layer,
    row: RowMapping,
    *,
    before: Annotation,
    after: Annotation,
    author: str | None,
) -> None:
    """Move the current row to history and put the next version in its place."""
    number = history.open_changeset(connection, layer, at=after.updated_at, author=author)
    history.keep(connection, layer, row)
    if after.geometry is before.geometry:
        values = to_values(after, row["geom"], number)
        values.pop("geom")  # an untouched geometry leaves the index alone
        added = removed = None
    else:
        values = to_values(after, spatial(connection).encode(_array([after.geometry]), layer.srs_id)[0], number)
        added, removed = _box([after.geometry]), _box([before.geometry])
    connection.execute(sa.update(layer.table).where(layer.table.c.id == after.id).values(values))
    spatial(connection).touched(connection, layer.table, after.updated_at, added=added, removed=removed)


def _bring_back(
    connection: Connection,
    layer: Layer,
    annotation_id: int,
    new: NewAnnotation,
    *,
    geometry: BaseGeometry,
    expected: int | None,
    at: str,
    author: str | None,
) -> Annotation:
    gone = history.tombstone(connection, layer, annotation_id)
    if gone is None:
        raise history.missing(layer, annotation_id)
    _check_version(layer, annotation_id, gone["version"], expected)
    number = history.open_changeset(connection, layer, at=at, author=author)
    after = _fresh(
        new,
        annotation_id=annotation_id,
        version=gone["version"] + 1,
        geometry=geometry,
        author=gone["author"],
        created_at=gone["created_at"],
        at=at,
    )
    blob = spatial(connection).encode(_array([geometry]), layer.srs_id)[0]
    connection.execute(sa.insert(layer.table).values(to_values(after, blob, number)))
    spatial(connection).touched(connection, layer.table, at, added=_box([geometry]))
    return after


def _box(geometries: Sequence[BaseGeometry] | NDArray[np.object_]) -> Bounds:
    min_x, min_y, max_x, max_y = shapely.total_bounds(geometries).tolist()
    return min_x, min_y, max_x, max_y


def _array(geometries: Sequence[BaseGeometry]) -> NDArray[np.object_]:
    array = np.empty(len(geometries), dtype=object)
    array[:] = geometries
    return array
