"""The nouns, as frozen values: Scene, Project, LabelClass, Annotation, Change, Job. No I/O, no HTTP.

Coordinates are always (x, y): easting or longitude first. A CRS travels by name beside every box or geometry.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import chain, count, repeat
from typing import TYPE_CHECKING, Any, Literal

from geolabel.errors import InvalidInput, UnknownClass

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray
    from shapely.geometry.base import BaseGeometry

CRS84 = "OGC:CRS84"

Bounds = tuple[float, float, float, float]
"""(min x, min y, max x, max y), in the units of the CRS that is named beside it."""

Transform = tuple[float, float, float, float, float, float]
"""(a, b, c, d, e, f): x = a col + b row + c, y = d col + e row + f, from continuous pixel to map coordinates."""

# Handed out in this order: told apart under normal, protan, deutan and tritan sight.
CLASS_COLORS = (
    "#e13c62",
    "#4478ff",
    "#2a8b6c",
    "#f0c107",
    "#c559ad",
    "#72bdb9",
    "#cf7d1e",
    "#a3fa94",
    "#b49bef",
    "#fdd8ce",
    "#aab37b",
    "#dceaf7",
)

SLUG = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}\Z")


NAMELESS = "unnamed"
"""The slug of a name without a Latin letter or digit."""


def slugify(name: str) -> str:
    """Make a name fit for a URL and a file name: lower case, digits, `-` and `_`, at most 63 characters."""
    slug = re.sub(r"[^a-z0-9_]+", "-", name.lower()).strip("-_")[:63].strip("-_")
    return slug or NAMELESS


def _check_slug(kind: str, slug: str) -> None:
    if not SLUG.match(slug):
        raise InvalidInput(
            f"The {kind} name {slug!r} cannot be used: expected lower-case letters, digits, '-' and '_', "
            f"starting with a letter or a digit, at most 63 characters; {slugify(slug)!r} would do.",
        )


def check_title(title: str) -> str:
    """The title of a project without the space around it.

    Raises:
        InvalidInput: nothing that people could read is in it.
    """
    if not title.strip() or not title.isprintable():
        raise InvalidInput(f"A project's title is printable text, got {title!r}.")
    return title.strip()


@dataclass(frozen=True, slots=True)
class Band:
    """One band of a scene.

    Attributes:
        index: 1-based, as GDAL counts.
        dtype: numpy's name: `uint8`, `uint16`, `float32`...
        name: the band's own description, or `Band 1`.
        nodata: the value that means "no data", or None.
        color: what the file says the band is: `red`, `alpha`, `palette`, `gray`, `undefined`...
    """

    index: int
    dtype: str
    name: str
    nodata: float | None = None
    color: str = "undefined"


@dataclass(frozen=True, slots=True)
class Grid:
    """A pixel grid on the ground.

    Attributes:
        crs: `EPSG:32636`, `OGC:CRS84` or WKT; None for a scene with no place on any ground (a pixel project).
        transform: from continuous pixel coordinates (corner origin, y down) to map coordinates.
        width: in pixels.
        height: in pixels.
    """

    crs: str | None
    transform: Transform
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Scene:
    """One registered raster. The pixels stay where they are.

    Attributes:
        id: slug.
        href: absolute path of the file.
        grid: its CRS, transform and size.
        bands: in file order, the alpha band included.
        version: changes when the file changes (size and modification time).
        datetime: RFC 3339, or None when the date is not known.
        bounds: lon/lat (CRS84) box of the footprint; west > east when it crosses the antimeridian; None without a CRS on Earth.
        resolution: ground size of a pixel in metres, at the centre; in CRS units when the CRS is not on Earth.
        synthetic: True for the generated sample.
        warnings: sentences on what is odd and what it costs.
    """

    id: str
    href: str
    grid: Grid
    bands: tuple[Band, ...]
    version: str
    datetime: str | None = None
    bounds: Bounds | None = None
    resolution: float | None = None
    synthetic: bool = False
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check_slug("scene", self.id)

    def to_json(self) -> dict[str, Any]:
        """The object that HTTP and `--json` give."""
        return {
            "id": self.id,
            "href": self.href,
            "crs": self.grid.crs,
            "transform": list(self.grid.transform),
            "width": self.grid.width,
            "height": self.grid.height,
            "bands": [
                {"index": b.index, "name": b.name, "dtype": b.dtype, "nodata": b.nodata, "color": b.color}
                for b in self.bands
            ],
            "datetime": self.datetime,
            "bounds": list(self.bounds) if self.bounds else None,
            "resolution": self.resolution,
            "synthetic": self.synthetic,
            "version": self.version,
            "warnings": list(self.warnings),
        }


GeometryKind = Literal["point", "line", "polygon"]
GEOMETRY_KINDS: tuple[GeometryKind, ...] = ("point", "line", "polygon")

MAX_PRIORITY = 1_000_000


@dataclass(frozen=True, slots=True)
class LabelClass:
    """One class of a project's schema.

    Attributes:
        id: 1..65534; the value in masks and COCO's category_id. 0 is background.
        name: as people read it; unique in the project.
        color: `#rrggbb`.
        hotkey: a single character, or None. Digits 1-9 are given out in order.
        parent: the name of the class above it, or None.
        kind: `thing` (countable) or `stuff` (ground cover).
        geometries: the kinds of shape that may carry it.
        priority: higher is burnt over lower in masks.
        description: what to label with it, for people.
    """

    id: int
    name: str
    color: str
    hotkey: str | None = None
    parent: str | None = None
    kind: Literal["thing", "stuff"] = "thing"
    geometries: tuple[GeometryKind, ...] = GEOMETRY_KINDS
    priority: int = 0
    description: str = ""

    def __post_init__(self) -> None:
        for what in ("name", "color", "hotkey", "parent", "description"):
            value = getattr(self, what)
            if not isinstance(value, str) and not (value is None and what in {"hotkey", "parent"}):
                raise InvalidInput(f"A class's {what} is text, got {value!r} for {self.name!r}; in YAML, quote it.")
        for what, low, high in (("id", 1, 65534), ("priority", -MAX_PRIORITY, MAX_PRIORITY)):
            value = getattr(self, what)
            if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
                raise InvalidInput(
                    f"A class {what} is a whole number, {low} to {high}, got {value!r} for {self.name!r}."
                )
        if not self.name.strip() or self.name != self.name.strip() or not self.name.isprintable():
            raise InvalidInput(f"A class name is printable text with no space around it, got {self.name!r}.")
        if not re.fullmatch(r"#[0-9a-f]{6}", self.color):
            raise InvalidInput(f"A class colour is #rrggbb in lower case, got {self.color!r} for {self.name!r}.")
        if self.hotkey is not None and len(self.hotkey) != 1:
            raise InvalidInput(f"A hotkey is one character, got {self.hotkey!r} for {self.name!r}.")
        if self.kind not in ("thing", "stuff"):
            raise InvalidInput(f"A class kind is 'thing' or 'stuff', got {self.kind!r} for {self.name!r}.")
        if not self.geometries or any(kind not in GEOMETRY_KINDS for kind in self.geometries):
            raise InvalidInput(
                f"The geometries of a class are among {', '.join(GEOMETRY_KINDS)}, got {list(self.geometries)} for {self.name!r}."
            )

    def to_json(self) -> dict[str, Any]:
        """The object that HTTP, `--json` and the manifest give."""
        return {
            "id": self.id,
            "name": self.name,
            "color": self.color,
            "hotkey": self.hotkey,
            "parent": self.parent,
            "kind": self.kind,
            "geometries": list(self.geometries),
            "priority": self.priority,
            "description": self.description,
        }


def make_classes(given: Sequence[str | Mapping[str, Any]]) -> tuple[LabelClass, ...]:
    """Complete a list of names or of partial class objects: free ids from 1, colours and free digit hotkeys in order.

    Raises:
        InvalidInput: a name twice, an unknown key, a value of the wrong type, an id twice, a parent that is not in the list.
    """
    items = [_class_item(index, item) for index, item in enumerate(given, start=1)]
    ids, hotkeys = ([item[what] for item in items if what in item] for what in ("id", "hotkey"))
    free_id = (number for number in count(1) if number not in ids)
    free_hotkey = chain((digit for digit in "123456789" if digit not in hotkeys), repeat(None))
    classes = [
        LabelClass(
            **{
                "id": item["id"] if "id" in item else next(free_id),
                "color": CLASS_COLORS[index % len(CLASS_COLORS)],
                "hotkey": item["hotkey"] if "hotkey" in item else next(free_hotkey),
                **item,
            }
        )
        for index, item in enumerate(items)
    ]
    repeatable: list[tuple[str, list[str | int]]] = [
        ("name", [c.name for c in classes]),
        ("id", [c.id for c in classes]),
        ("hotkey", [c.hotkey for c in classes if c.hotkey]),
    ]
    for what, taken in repeatable:
        twice = sorted(str(value) for value, times in Counter(taken).items() if times > 1)
        if twice:
            raise InvalidInput(f"A class {what} may appear once; given more than once: {', '.join(twice)}.")
    names = {c.name for c in classes}
    for c in classes:
        if c.parent is not None and (c.parent not in names or c.parent == c.name):
            raise InvalidInput(
                f"Class {c.name!r} names the parent {c.parent!r}, which is not another class of the list."
            )
    return tuple(classes)


def _class_item(number: int, item: str | Mapping[str, Any]) -> dict[str, Any]:
    """What was given for a class, by the names of LabelClass."""
    values: dict[str, Any] = dict(item) if isinstance(item, Mapping) else {"name": item}
    fields = set(LabelClass.__dataclass_fields__)
    if "name" not in values or not set(values) <= fields:
        raise InvalidInput(
            f"Class {number} cannot be read: expected 'name' and any of {', '.join(sorted(fields))}, got {sorted(map(str, values))}."
        )
    if isinstance(values.get("color"), str):
        values["color"] = values["color"].lower()
    kinds = values.get("geometries") or GEOMETRY_KINDS
    values["geometries"] = tuple(kinds) if isinstance(kinds, list | tuple) else (kinds,)
    return values


@dataclass(frozen=True, slots=True)
class Project:
    """A set of scenes, a label schema and a CRS; the annotations live in the store, in that CRS.

    Attributes:
        id: slug.
        title: as people read it.
        crs: storage CRS of the annotations; None for a pixel project.
        classes: the schema, in the order given.
        scenes: ids, in the order given; the first gave the CRS unless one was asked for.
        unlabelled: what unlabelled ground means: `background` (the labels are complete) or `ignore`.
        on_invalid: what happens to invalid shapes unless the caller says: `reject`, `repair` or `skip`.
        created_at: RFC 3339, UTC.
    """

    id: str
    title: str
    crs: str | None
    classes: tuple[LabelClass, ...]
    scenes: tuple[str, ...] = ()
    unlabelled: Literal["background", "ignore"] = "background"
    on_invalid: Literal["reject", "repair", "skip"] = "reject"
    created_at: str = ""

    def __post_init__(self) -> None:
        _check_slug("project", self.id)

    def class_named(self, name: str) -> LabelClass:
        """The class of that name.

        Raises:
            UnknownClass: the schema does not have it; the message lists what it has.
        """
        for c in self.classes:
            if c.name == name:
                return c
        known = ", ".join(c.name for c in self.classes) or "no classes yet"
        raise UnknownClass(f"Class {name!r} is not in project {self.id!r}; it has: {known}.")

    def to_json(self) -> dict[str, Any]:
        """The object that HTTP and `--json` give (HTTP adds `counts`)."""
        return {
            "id": self.id,
            "title": self.title,
            "crs": self.crs,
            "classes": [c.to_json() for c in self.classes],
            "scenes": list(self.scenes),
            "unlabelled": self.unlabelled,
            "on_invalid": self.on_invalid,
            "created_at": self.created_at,
        }


class Status(StrEnum):
    """Where an annotation stands."""

    LABELLED = "labelled"
    SUGGESTED = "suggested"
    ACCEPTED = "accepted"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where an annotation came from. All but `source` may be unknown.

    Attributes:
        source: `web`, `api`, `import:<file name>`, `sample`, `model:<name>@<version>`.
        confidence: 0..1, of a model or of a person.
        scene: id of the scene it was drawn on.
        author: who made it, as the server knows them.
    """

    source: str = "api"
    confidence: float | None = None
    scene: str | None = None
    author: str | None = None


@dataclass(frozen=True, slots=True)
class NewAnnotation:
    """What is written.

    Attributes:
        geometry: in the project's CRS, validated.
        class_name: of the project's schema.
        note: free text.
        status: where it stands.
        provenance: where it came from.
    """

    geometry: BaseGeometry
    class_name: str
    note: str | None = None
    status: Status = Status.LABELLED
    provenance: Provenance = field(default_factory=Provenance)


@dataclass(frozen=True, slots=True)
class Annotation:
    """What rests in the store: one geometry in the project's CRS, its class, provenance and version.

    Attributes:
        id: integer, given by the store, never used again.
        version: from 1; the ETag.
        geometry: in the project's CRS, the stored doubles bit for bit.
        created_at: RFC 3339, UTC.
        updated_at: RFC 3339, UTC.
    """

    id: int
    version: int
    geometry: BaseGeometry
    class_name: str
    note: str | None
    status: Status
    provenance: Provenance
    created_at: str
    updated_at: str


@dataclass(frozen=True, slots=True)
class AnnotationPatch:
    """What a partial update touches; None leaves a field as it is (an empty `note` clears it)."""

    geometry: BaseGeometry | None = None
    class_name: str | None = None
    note: str | None = None
    status: Status | None = None
    confidence: float | None = None


BATCH_COLUMNS = ("note", "status", "source", "confidence", "scene", "version")
"""Properties of an annotation that go into datasets: no people and no clock times."""


@dataclass(frozen=True, slots=True)
class LabelBatch:
    """Annotations as arrays, in order of id: what the chip builder takes.

    Attributes:
        ids: int64 (n,).
        class_names: str objects (n,).
        geometries: shapely objects (n,), in the project's CRS.
        columns: what else map formats carry, (n,) each, by the names of `BATCH_COLUMNS`.
    """

    ids: NDArray[np.int64]
    class_names: NDArray[np.object_]
    geometries: NDArray[np.object_]
    columns: Mapping[str, NDArray[np.object_]]


Operation = Literal["create", "update", "delete"]


@dataclass(frozen=True, slots=True)
class Change:
    """One step in an annotation's life, as history tells it.

    Attributes:
        annotation: the state after the step; for a delete, the last state, with the version of the delete.
        operation: `create`, `update` or `delete` (an `update` of a deleted annotation brings it back).
        changeset: number of the change in the workspace; everything written together shares it.
        at: RFC 3339, UTC.
        author: who did it.
    """

    annotation: Annotation
    operation: Operation
    changeset: int
    at: str
    author: str | None


class JobState(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Job:
    """Long work that a worker process does.

    Attributes:
        id: integer.
        kind: `export`, `import`.
        project: slug.
        params: what was asked for, as JSON.
        state: where it stands.
        progress: 0..1.
        message: a sentence: what it is doing, or why it failed.
        result: what came of it, as JSON; None until done.
    """

    id: int
    kind: str
    project: str
    params: Mapping[str, Any]
    state: JobState
    progress: float = 0.0
    message: str = ""
    result: Mapping[str, Any] | None = None
    created_at: str = ""
    updated_at: str = ""

    def to_json(self) -> dict[str, Any]:
        """The object that HTTP gives."""
        return {
            "id": self.id,
            "kind": self.kind,
            "project": self.project,
            "params": dict(self.params),
            "state": self.state.value,
            "progress": self.progress,
            "message": self.message,
            "result": None if self.result is None else dict(self.result),
            "created_at": self.created_at,
            "updated_at": self.updated_at,
        }
