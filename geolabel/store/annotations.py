"""Annotations in the database, written as versions."""

from __future__ import annotations

from dataclasses import replace as changed
from typing import TYPE_CHECKING

import sqlalchemy as sa

from geolabel.attributes import keep_values
from geolabel.changes import Change
from geolabel.errors import InvalidInput, NotFound, Problem, VersionConflict
from geolabel.model import Annotation, NewAnnotation
from geolabel.moments import read_moment
from geolabel.store import history, idempotency, layers
from geolabel.store.dialect import spatial
from geolabel.store.layers import visible
from geolabel.store.states import check_new, to_annotations
from geolabel.store.tables import MAX_KEY
from geolabel.store.writing import Step, write

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shapely.geometry.base import BaseGeometry
    from sqlalchemy import Connection, RowMapping

    from geolabel.changes import ChangesetKind
    from geolabel.model import AnnotationPatch
    from geolabel.store.idempotency import Once
    from geolabel.store.layers import Layer

_IDS_AT_ONCE = 500


def create(
    connection: Connection,
    project: str,
    new: Sequence[NewAnnotation],
    *,
    at: str,
    author: str | None,
    kind: ChangesetKind = "edit",
    once: Once | None = None,
) -> list[Annotation]:
    """Write new annotations as one change set. See Store.create."""
    layer = layers.find(connection, project)
    if once is not None and (given := idempotency.find(connection, layer, once)) is not None:
        return history.states(connection, layer, given["created"])
    made: list[Annotation] = []
    if steps := to_create(connection, layer, new, at=at, author=author):
        write(connection, layer, steps, at=at, author=author, kind=kind)
        made = [step.after for step in steps]
    if once is not None:
        idempotency.keep(connection, layer, once, {"created": [(a.id, a.version) for a in made]}, at=at)
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
    layer = layers.find(connection, project)
    row = _current(connection, layer, annotation_id, expected)
    before = to_annotations(connection, [row], layer)[0]
    step = to_update(layer, before, patched(layer, before, patch), row=row, at=at)
    write(connection, layer, [step], at=at, author=author)
    return step.after


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
    layer = layers.find(connection, project)
    row = _row(connection, layer, annotation_id)
    last = row or history.tombstone(connection, layer, annotation_id)
    if last is None:
        raise history.missing(layer, annotation_id)
    check_version(layer, annotation_id, last["version"], expected)
    step = to_update(layer, to_annotations(connection, [last], layer)[0], new, row=row, at=at)
    check_external_ids(connection, layer, [step])
    write(connection, layer, [step], at=at, author=author)
    return step.after


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
    layer = layers.find(connection, project)
    row = _current(connection, layer, annotation_id, expected)
    step = to_delete(row, to_annotations(connection, [row], layer)[0], at=at)
    number = write(connection, layer, [step], at=at, author=author)
    return Change(annotation=step.after, operation="delete", changeset=number, at=at, author=author)


def find(connection: Connection, project: str, annotation_id: int) -> Annotation:
    """The current version. See Store.annotation."""
    layer = layers.find(connection, project)
    return to_annotations(connection, [_current(connection, layer, annotation_id, None)], layer)[0]


def find_many(connection: Connection, project: str, ids: Sequence[int]) -> dict[int, Annotation]:
    """The current versions of those that are there. See Store.annotations."""
    layer = layers.find(connection, project)
    rows = list(find_rows(connection, layer, ids).values())
    return {annotation.id: annotation for annotation in to_annotations(connection, rows, layer)}


def find_rows(connection: Connection, layer: Layer, ids: Sequence[int]) -> dict[int, RowMapping]:
    """The current rows of those ids that are there."""
    table = layer.table
    found: dict[int, RowMapping] = {}
    wanted = [id_ for id_ in ids if 0 < id_ <= MAX_KEY]
    for start in range(0, len(wanted), _IDS_AT_ONCE):
        some = table.c.id.in_(wanted[start : start + _IDS_AT_ONCE])
        rows = connection.execute(sa.select(table).where(some, *visible(layer))).mappings()
        found.update((row["id"], row) for row in rows)
    return found


def to_create(
    connection: Connection,
    layer: Layer,
    new: Sequence[NewAnnotation],
    *,
    at: str,
    author: str | None,
    pointers: Sequence[str] | None = None,
) -> list[Step]:
    """Steps that make new annotations.

    Args:
        connection: in a write transaction: ids are given out.
        layer: the project.
        new: what is to be made.
        at: when.
        author: of those that name none.
        pointers: where each stands in what was given, for the messages.

    Raises:
        InvalidInput: one of them cannot rest in the layer.
    """
    geometries = check_new(layer, new, pointers)
    if not new:
        return []
    ids = spatial(connection).reserve_ids(connection, layer.table, len(new))
    steps = [
        Step(
            "create",
            _state(layer, item, annotation_id=id_, version=1, geometry=geometry, author=author, created_at=at, at=at),
        )
        for item, id_, geometry in zip(new, ids, geometries, strict=True)
    ]
    check_external_ids(connection, layer, steps, pointers)
    return steps


def to_update(
    layer: Layer,
    before: Annotation,
    new: NewAnnotation,
    *,
    row: RowMapping | None,
    at: str,
    pointer: str | None = None,
) -> Step:
    """The step to another state; who made it and its id in a source stay unless the new state names others.

    Args:
        layer: the project.
        before: the last state.
        new: what comes instead.
        row: the same as `before` in the project's table; None when that is a delete, which is taken back.
        at: when.
        pointer: where the new state stands in what was given, for the messages.

    Raises:
        InvalidInput: the new state cannot rest in the layer.
    """
    geometry = check_new(layer, [new], None if pointer is None else [pointer])[0]
    new = changed(
        new,
        external_id=before.external_id if new.external_id is None else new.external_id,
        external=before.external if new.external is None else new.external,
    )
    after = _state(
        layer,
        new,
        annotation_id=before.id,
        version=before.version + 1,
        geometry=geometry,
        author=before.provenance.author,
        created_at=before.created_at,
        at=at,
    )
    return Step("update", after, row, None if row is None else before)


def to_delete(row: RowMapping, before: Annotation, *, at: str) -> Step:
    """The step that takes an annotation away."""
    return Step("delete", changed(before, version=before.version + 1, updated_at=at), row, before)


def patched(layer: Layer, before: Annotation, patch: AnnotationPatch) -> NewAnnotation:
    """The state that a patch leads to. An attribute that the new class does not have goes with the old one."""
    class_name = before.class_name if patch.class_name is None else patch.class_name
    fitting = {a.name for a in layer.project.attributes if a.is_for(class_name)}
    texts = {
        name: getattr(before, name) if given is None else given or None
        for name in ("note", "valid_from", "valid_to", "track")
        for given in [getattr(patch, name)]
    }
    provenance = before.provenance
    if patch.confidence is not None:
        provenance = changed(provenance, confidence=patch.confidence)
    return NewAnnotation(
        geometry=before.geometry if patch.geometry is None else patch.geometry,
        class_name=class_name,
        status=before.status if patch.status is None else patch.status,
        provenance=provenance,
        attributes={n: v for n, v in before.attributes.items() if n in fitting} | dict(patch.attributes),
        **texts,
    )


def check_version(layer: Layer, annotation_id: int, current: int, expected: int | None) -> None:
    """Refuse a change of another version than the current one.

    Raises:
        VersionConflict: it is not the one expected.
    """
    if expected is not None and expected != current:
        raise VersionConflict(
            f"Annotation {annotation_id} of project {layer.project.id!r} is at version {current}, not {expected}: it was changed in the "
            "meantime. Read it again and repeat the change.",
            current,
        )


def check_external_ids(
    connection: Connection, layer: Layer, steps: Sequence[Step], pointers: Sequence[str] | None = None
) -> None:
    """Refuse an id of a source that another annotation has.

    Raises:
        InvalidInput: it is there, or twice among the steps.
    """
    wanted: dict[tuple[str, str], int] = {}
    for i, step in enumerate(steps):
        named = _external(step.after)
        if named is None or (step.before is not None and named == _external(step.before)):
            continue
        if wanted.setdefault(named, i) != i:
            raise _taken(named, i, pointers)
    names = [external_id for _, external_id in wanted]
    c = layer.table.c
    for start in range(0, len(names), _IDS_AT_ONCE):
        some = c.external_id.in_(names[start : start + _IDS_AT_ONCE])
        for source, external_id, id_ in connection.execute(sa.select(c.source, c.external_id, c.id).where(some)):
            index = wanted.get((source, external_id))
            if index is not None and steps[index].after.id != id_:
                raise _taken((source, external_id), index, pointers)


def _external(annotation: Annotation) -> tuple[str, str] | None:
    return None if annotation.external_id is None else (annotation.provenance.source, annotation.external_id)


def _taken(named: tuple[str, str], index: int, pointers: Sequence[str] | None) -> InvalidInput:
    place = f"feature {index + 1}" if pointers is None else pointers[index]
    message = f"the id {named[1]!r} of {named[0]!r} is an annotation's already"
    return InvalidInput(f"{place}: {message}; update that one.", [Problem(place, message)])


def _state(
    layer: Layer,
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
        attributes=keep_values(layer.project.attributes, new.attributes),
        valid_from=read_moment(new.valid_from) if new.valid_from else None,
        valid_to=read_moment(new.valid_to) if new.valid_to else None,
        track=new.track or None,
        external_id=new.external_id,
        external=new.external or None,
    )


def _row(connection: Connection, layer: Layer, annotation_id: int) -> RowMapping | None:
    return find_rows(connection, layer, [annotation_id]).get(annotation_id)


def _current(connection: Connection, layer: Layer, annotation_id: int, expected: int | None) -> RowMapping:
    row = _row(connection, layer, annotation_id)
    if row is None:
        gone = history.tombstone(connection, layer, annotation_id)
        if gone is None:
            raise history.missing(layer, annotation_id)
        raise NotFound(
            f"Annotation {annotation_id} of project {layer.project.id!r} was deleted (version {gone['version']}): replace it to bring it back.",
        )
    check_version(layer, annotation_id, row["version"], expected)
    return row
