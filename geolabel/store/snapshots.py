"""Snapshots: a name and a hash for the state of a project and its coverage at a change set."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import fields
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
import sqlalchemy as sa

from geolabel.attributes import make_attributes
from geolabel.changes import Snapshot
from geolabel.classes import LabelClass
from geolabel.errors import AlreadyExists, InvalidInput, NotFound
from geolabel.model import COVERAGE, MAX_SLUG, Project, slugify
from geolabel.store import layers, past, pastrows
from geolabel.store.history import last_changeset
from geolabel.store.states import attributes_in
from geolabel.store.tables import snapshots
from geolabel.store.text import check_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection, RowMapping

    from geolabel.store.layers import Layer

_NAME = re.compile(rf"(?=.*[a-z])[a-z0-9][a-z0-9_-]{{0,{MAX_SLUG - 1}}}\Z")
_TAKEN_WORDS = ("now",)

_FORMAT = b"geolabel state 1\n"
_SCHEMA = ("crs", "classes", "attributes", "scenes", "unlabelled")
# People and what they say, but no clock: the same labels made at another hour are the same.
_FIELDS = (
    "id",
    "version",
    "class",
    "note",
    "status",
    "source",
    "confidence",
    "scene",
    "author",
    "valid_from",
    "valid_to",
    "track",
    "external_id",
    "external",
)
_canonical = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode
_ROWS_AT_ONCE = 10_000


def take(connection: Connection, project: str, name: str | None, *, author: str | None, note: str | None) -> Snapshot:
    """Look at the present state and hash it; `add` writes it down.

    Raises:
        NotFound: no such project.
        AlreadyExists: the name is taken.
        InvalidInput: the name cannot be one; the project is the coverage of another.
    """
    layer = layers.find(connection, project)
    if layer.project.coverage_of is not None:
        raise InvalidInput(f"The coverage of {layer.project.coverage_of!r} is part of its snapshots: take one of that.")
    if name is not None:
        _check_name(name)
        _check_free(connection, layer, name)
    check_text("note", note)
    number = max(last_changeset(connection, each) for each in (project, project + COVERAGE))
    return Snapshot(
        name=name or "",
        changeset=number,
        hash=state_hash(connection, project, number),
        count=past.count(connection, project, at=number, bbox=None, class_name=None, status=None),
        at="",
        author=author,
        note=note or None,
        project=layer.project.to_json(),
    )


def add(connection: Connection, project: str, taken: Snapshot, *, at: str) -> Snapshot:
    """Write a snapshot down; one without a name gets the first free of `s1`, `s2`...

    Raises:
        NotFound: no such project.
        AlreadyExists: the name was taken meanwhile.
    """
    layer = layers.find(connection, project)
    check_text("author", taken.author)
    name = taken.name
    if name:
        _check_free(connection, layer, name)
    else:
        names = {snapshot.name for snapshot in _of(connection, layer)}
        name = next(free for n in count(1) if (free := f"s{n}") not in names)
    values = {field: getattr(taken, field) for field in ("changeset", "hash", "count", "author", "note")}
    values |= {"project": layer.key, "name": name, "at": at, "schema": taken.project}
    connection.execute(sa.insert(snapshots).values(values))
    return find(connection, project, name)


def find(connection: Connection, project: str, name: str) -> Snapshot:
    """One snapshot. See Store.snapshot."""
    layer = layers.find(connection, project)
    for snapshot in _of(connection, layer, snapshots.c.name == name):
        return snapshot
    names = ", ".join(snapshot.name for snapshot in _of(connection, layer)) or "none yet"
    raise NotFound(f"There is no snapshot {name!r:.80} of project {project!r}; there are: {names}.")


def find_all(connection: Connection, project: str) -> list[Snapshot]:
    """All snapshots, oldest first. See Store.snapshots."""
    return _of(connection, layers.find(connection, project))


def state(connection: Connection, project: str, name: str | None) -> tuple[Project, dict[str, Any]]:
    """A project and where its labels are read. See Store.state."""
    now = layers.find(connection, project).project
    if name is None:
        covered = [] if (coverage := _coverage_of(connection, now)) is None else [coverage.project.id]
        last = max(last_changeset(connection, layer) for layer in (project, *covered))
        return now, {"name": None, "changeset": last, "hash": None}
    found = find(connection, project, name)
    return _project(found.project), {"name": name, "changeset": found.changeset, "hash": found.hash}


def _project(schema: Mapping[str, Any]) -> Project:
    values = {field.name: schema[field.name] for field in fields(Project) if field.name in schema}
    classes = tuple(LabelClass(**{**c, "geometries": tuple(c["geometries"])}) for c in schema["classes"])
    attributes = make_attributes(schema["attributes"])
    return Project(**{**values, "classes": classes, "attributes": attributes, "scenes": tuple(schema["scenes"])})


def delete(connection: Connection, project: str, name: str) -> None:
    """Forget a snapshot. See Store.delete_snapshot."""
    find(connection, project, name)
    layer = layers.find(connection, project)
    connection.execute(sa.delete(snapshots).where(snapshots.c.project == layer.key, snapshots.c.name == name))


def state_hash(connection: Connection, project: str, at: int) -> str:
    """SHA-256 over a project's schema and every annotation and coverage area that was there at a change set.

    The bytes that are hashed follow from the content alone: JSON with sorted keys and Python's shortest digits for the
    fields, ISO WKB with the lowest byte first for the shape, in order of id.
    """
    layer = layers.find(connection, project)
    digest = hashlib.sha256(_FORMAT)
    schema = layer.project.to_json()
    digest.update(_canonical({name: schema[name] for name in _SCHEMA}).encode() + b"\n")
    for each in (layer, _coverage_of(connection, layer.project)):
        if each is not None:
            digest.update(b"layer\n")
            _add_states(digest, connection, each, at)
    return digest.hexdigest()


def _coverage_of(connection: Connection, project: Project) -> Layer | None:
    try:
        return layers.find(connection, project.id + COVERAGE)
    except NotFound:
        return None


def _add_states(digest: Any, connection: Connection, layer: Layer, at: int) -> None:
    rows: list[RowMapping] = []
    shapes: list[Any] = []
    for _, row, geometry in pastrows.states(connection, layer, at):
        rows.append(row)
        shapes.append(geometry)
        if len(rows) == _ROWS_AT_ONCE:
            _add_part(digest, layer, rows, shapes)
            rows, shapes = [], []
    if rows:
        _add_part(digest, layer, rows, shapes)


def _add_part(digest: Any, layer: Layer, rows: list[RowMapping], shapes: list[Any]) -> None:
    geometries = np.array([*shapes, None], dtype=object)[:-1]
    for row, wkb in zip(rows, shapely.to_wkb(geometries, output_dimension=3, byte_order=1, flavor="iso"), strict=True):
        text = _canonical([*(row[name] for name in _FIELDS), attributes_in(row, layer)]).encode()
        digest.update(b"%d %d\n%b%b\n" % (len(text), len(wkb), text, wkb))


def _of(connection: Connection, layer: Layer, *wanted: sa.ColumnElement[bool]) -> list[Snapshot]:
    mine = sa.select(snapshots).where(snapshots.c.project == layer.key, *wanted).order_by(snapshots.c.key)
    return [
        Snapshot(
            **{name: row[name] for name in ("name", "changeset", "hash", "count", "at", "author", "note")},
            project=row["schema"],
        )
        for row in connection.execute(mine).mappings()
    ]


def _check_name(name: str) -> None:
    if not _NAME.match(name) or name in _TAKEN_WORDS:
        proposal = slugify(name)
        would = f"; {proposal!r} would do" if _NAME.match(proposal) and proposal not in _TAKEN_WORDS else ""
        raise InvalidInput(
            f"The snapshot name {name!r:.80} cannot be used: expected lower-case letters, digits, '-' and '_', at least "
            f"one letter, at most {MAX_SLUG} characters, and not 'now'{would}.",
        )


def _check_free(connection: Connection, layer: Layer, name: str) -> None:
    if _of(connection, layer, snapshots.c.name == name):
        raise AlreadyExists(
            f"There is a snapshot {name!r} of project {layer.project.id!r} already: give this one another name."
        )
