"""The nouns, as frozen values: Scene, Project, Annotation, Change, Job. No I/O, no HTTP.

Coordinates are always (x, y): easting or longitude first. A CRS travels by name beside every box or geometry.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal

from geolabel.errors import InvalidInput, UnknownClass

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray
    from shapely.geometry.base import BaseGeometry

    from geolabel.attributes import Attribute
    from geolabel.classes import LabelClass

CRS84 = "OGC:CRS84"

Bounds = tuple[float, float, float, float]
"""(min x, min y, max x, max y), in the units of the CRS that is named beside it."""

Transform = tuple[float, float, float, float, float, float]
"""(a, b, c, d, e, f): x = a col + b row + c, y = d col + e row + f, from continuous pixel to map coordinates."""

MAX_SLUG = 50
"""PostgreSQL cuts names after 63 bytes, and a project's name stands in those of its tables and indexes."""

# Workspaces of earlier versions may hold names of up to 63 characters.
SLUG = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}\Z")

COVERAGE = ".coverage"
"""What follows a project's slug in the name of the layer that says which ground was seen. No slug has a dot."""

NAMELESS = "unnamed"
"""The slug of a name without a Latin letter or digit."""


def slugify(name: str) -> str:
    """Make a name fit for a URL and a file name: lower case, digits, `-` and `_`, at most `MAX_SLUG` characters."""
    slug = re.sub(r"[^a-z0-9_]+", "-", name.lower()).strip("-_")[:MAX_SLUG].strip("-_")
    return slug or NAMELESS


def _check_slug(kind: str, slug: str) -> None:
    if not SLUG.match(slug):
        raise InvalidInput(
            f"The {kind} name {slug!r} cannot be used: expected lower-case letters, digits, '-' and '_', "
            f"starting with a letter or a digit, at most {MAX_SLUG} characters; {slugify(slug)!r} would do.",
        )


def _check_choice(what: str, given: str, known: tuple[str, ...]) -> None:
    if given not in known:
        raise InvalidInput(f"{what} {', '.join(known[:-1])} or {known[-1]}, got {given!r:.80}.")


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
        scale: what a stored value is multiplied by to get one in `unit`.
        offset: what is added to it then.
        unit: of the values that scale and offset give, or None.
    """

    index: int
    dtype: str
    name: str
    nodata: float | None = None
    color: str = "undefined"
    scale: float = 1.0
    offset: float = 0.0
    unit: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The object that HTTP and `--json` give; scale, offset and unit when there are any."""
        plain = {
            "index": self.index,
            "name": self.name,
            "dtype": self.dtype,
            "nodata": self.nodata,
            "color": self.color,
        }
        if (self.scale, self.offset, self.unit) == (1.0, 0.0, None):
            return plain
        return {**plain, "scale": self.scale, "offset": self.offset, "unit": self.unit}


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
        href: absolute path of the file, or its address (`https://`, `s3://`...).
        grid: its CRS, transform and size.
        bands: in file order, the alpha band included.
        version: changes when the file changes (size and modification time; elsewhere size and ETag).
        datetime: RFC 3339, or None when the date is not known.
        bounds: lon/lat (CRS84) box of the footprint; west > east when it crosses the antimeridian; None without a CRS on Earth.
        resolution: ground size of a pixel in metres, at the centre; 1 for a scene without a CRS.
        synthetic: True for the generated sample.
        warnings: sentences on what is odd and what it costs.
        rendering: query parameters of its tiles that hold where a request says nothing else: `{"bidx": "4,3,2"}`.
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
    rendering: Mapping[str, str] = field(default_factory=dict, hash=False)

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
            "bands": [band.to_json() for band in self.bands],
            "datetime": self.datetime,
            "bounds": list(self.bounds) if self.bounds else None,
            "resolution": self.resolution,
            "synthetic": self.synthetic,
            "version": self.version,
            "warnings": list(self.warnings),
            "rendering": dict(self.rendering),
        }


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
        attributes: typed columns beside the class, in the order given.
        guidelines: how to label, for people, in Markdown.
        require_if_match: a change must name the version that it changes (428 otherwise).
        coverage_of: slug of the project whose seen and ignored ground this layer holds; None for a project itself.
    """

    id: str
    title: str
    crs: str | None
    classes: tuple[LabelClass, ...]
    scenes: tuple[str, ...] = ()
    unlabelled: Literal["background", "ignore"] = "background"
    on_invalid: Literal["reject", "repair", "skip"] = "reject"
    created_at: str = ""
    attributes: tuple[Attribute, ...] = ()
    guidelines: str = ""
    require_if_match: bool = False
    coverage_of: str | None = None

    def __post_init__(self) -> None:
        _check_choice("Unlabelled ground means", self.unlabelled, ("background", "ignore"))
        _check_choice("The rule for invalid shapes is", self.on_invalid, ("reject", "repair", "skip"))
        if self.coverage_of is None:
            _check_slug("project", self.id)
        elif self.id != self.coverage_of + COVERAGE:
            raise InvalidInput(
                f"The coverage of project {self.coverage_of!r} is called {self.coverage_of + COVERAGE!r}."
            )

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
            "attributes": [a.to_json() for a in self.attributes],
            "guidelines": self.guidelines,
            "require_if_match": self.require_if_match,
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
        attributes: values by name of the project's attributes; one that is not there has none.
        valid_from: RFC 3339 instant or date from which it holds; None for always.
        valid_to: until when it holds; None for ever.
        track: what it is the same as, from date to date; None when it stands alone.
        external_id: its id in the source that it was imported from; unique there. Kept through edits.
        external: what else that source said of it and the project has no place for.
    """

    geometry: BaseGeometry
    class_name: str
    note: str | None = None
    status: Status = Status.LABELLED
    provenance: Provenance = field(default_factory=Provenance)
    attributes: Mapping[str, Any] = field(default_factory=dict)
    valid_from: str | None = None
    valid_to: str | None = None
    track: str | None = None
    external_id: str | None = None
    external: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Annotation:
    """What rests in the store: one geometry in the project's CRS, its class, provenance and version.

    Attributes:
        id: integer, given by the store, never used again.
        version: from 1; the ETag.
        geometry: in the project's CRS, the stored doubles bit for bit.
        created_at: RFC 3339, UTC.
        updated_at: RFC 3339, UTC.
        attributes: values by name of the project's attributes; None or not there: no value.
        valid_from: RFC 3339 instant or date from which it holds; None for always.
        valid_to: until when it holds; None for ever.
        track: what it is the same as, from date to date.
        external_id: its id in the source that it was imported from.
        external: what else that source said of it.
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
    attributes: Mapping[str, Any] = field(default_factory=dict)
    valid_from: str | None = None
    valid_to: str | None = None
    track: str | None = None
    external_id: str | None = None
    external: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class AnnotationPatch:
    """What a partial update touches; None leaves a field as it is (an empty text clears `note`, a date or `track`).

    Attributes:
        attributes: values by name; None takes one away, and names that are not there stay.
    """

    geometry: BaseGeometry | None = None
    class_name: str | None = None
    note: str | None = None
    status: Status | None = None
    confidence: float | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    valid_from: str | None = None
    valid_to: str | None = None
    track: str | None = None


@dataclass(frozen=True, slots=True)
class Coverage:
    """Which ground of a project was looked at, in its CRS.

    Attributes:
        seen: polygons (n,): ground that is labelled, or empty.
        ignored: polygons (n,): ground that no dataset shall learn from.
        seen_times: (valid_from, valid_to) of each of `seen`; None when all of it always holds.
        ignored_times: likewise of `ignored`.
    """

    seen: NDArray[np.object_]
    ignored: NDArray[np.object_]
    seen_times: tuple[tuple[str | None, str | None], ...] | None = None
    ignored_times: tuple[tuple[str | None, str | None], ...] | None = None


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
        worker: the process that has it, as `host:pid`; None until one takes it.
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
    worker: str | None = None

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
