"""Which labels a client asks for: bbox, datetime, a CQL2 filter, properties by name."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely

from geolabel.api.negotiate import read_bbox, requested, storage_crs
from geolabel.api.wire import Refused, bad_parameter
from geolabel.cql import And, queryables, read_filter, read_interval, read_value
from geolabel.cql.nodes import Property, Span
from geolabel.cql.times import meets
from geolabel.errors import InvalidCRS, InvalidInput, Problem, TooSlow
from geolabel.geo import crs as crs_
from geolabel.geo.areas import Area, areas_of
from geolabel.geo.tolerance import tolerance_of
from geolabel.model import Status

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from shapely.geometry.base import BaseGeometry

    from geolabel.api.context import Context
    from geolabel.api.negotiate import EdgeCRS
    from geolabel.cql import Lang, Where
    from geolabel.cql.nodes import Predicate
    from geolabel.geo.placed import Placed
    from geolabel.model import Annotation, Project
    from geolabel.store.store import Store

SEARCH_SECONDS = 5.0
"""How long a search may keep the database busy."""

COUNT_SECONDS = 2.0
"""How long counting may, which an answer can do without."""

_CLIPPED = frozenset({"intersects", "within"})
"""Predicates that ask for nothing beyond the ground where there are labels."""

_MAX_VERTICES = 100_000


@dataclass(frozen=True, slots=True)
class Asked:
    """The parameters of a search as they came.

    Attributes:
        bbox: in `bbox_crs`.
        bbox_crs: URI.
        datetime: instant or interval.
        filter: CQL2.
        filter_lang: `cql2-text` (also when None) or `cql2-json`.
        filter_crs: URI, of the geometries in `filter`.
        properties: values by name of queryables.
        at: number of the change set to look back to.
    """

    bbox: str | None = None
    bbox_crs: str | None = None
    datetime: str | None = None
    filter: str | None = None
    filter_lang: str | None = None
    filter_crs: str | None = None
    properties: Mapping[str, str] = field(default_factory=dict)
    at: int | None = None


@dataclass(frozen=True, slots=True)
class Filter:
    """Labels of a project.

    Attributes:
        project: slug.
        areas: a label that meets one of them is chosen; None for everywhere.
        class_name: only of this class.
        status: only of this status.
        where: only those that this is true for.
        at: number of the change set to look back to.
    """

    project: str
    areas: tuple[Area, ...] | None = None
    class_name: str | None = None
    status: Status | None = None
    where: Where | None = None
    at: int | None = None

    def page(self, store: Store, *, after: int, limit: int) -> list[Annotation]:
        """The first `limit` of them with an id above `after`, in order of id.

        Raises:
            TooSlow: the search took too long.
            Refused: 400, the filter cannot be reckoned out.
        """
        try:
            return store.query(self.project, after=after, limit=limit, seconds=SEARCH_SECONDS, **self._wanted())
        except InvalidInput as error:
            raise bad_parameter("filter", str(error)) from error

    def rows(
        self, store: Store, columns: Sequence[str], *, after: int, limit: int
    ) -> tuple[Sequence[Sequence[Any]], Placed]:
        """The same as rows that begin with these columns, and shapes (n,) in the CRS of the project; not of the past."""
        wanted = self._wanted()
        wanted.pop("at")
        try:
            return store.rows(self.project, columns, after=after, limit=limit, seconds=SEARCH_SECONDS, **wanted)
        except InvalidInput as error:
            raise bad_parameter("filter", str(error)) from error

    def count(self, store: Store) -> int | None:
        """How many there are; None when finding out takes too long."""
        try:
            return store.count(self.project, seconds=COUNT_SECONDS, **self._wanted())
        except TooSlow:
            return None
        except InvalidInput as error:
            raise bad_parameter("filter", str(error)) from error

    def _wanted(self) -> dict[str, Any]:
        names = ("areas", "class_name", "status", "where", "at")
        return {name: getattr(self, name) for name in names}


def read_search(context: Context, project: Project, asked: Asked) -> Filter:
    """Read the parameters of a search.

    Raises:
        Refused: 400, one of them is not known here or cannot be used.
    """
    edge = requested(project, context.base, asked.bbox_crs, "bbox-crs")
    storage = storage_crs(project)
    areas = None
    if asked.bbox is not None:
        extent = context.store.extent(project.id, at=asked.at)
        areas = tuple(areas_of(read_bbox(asked.bbox, edge), edge.crs, storage, extent))
    wanted = {name: _value(project, name, text) for name, text in asked.properties.items()}
    # These two have an index, or are known to the past, too.
    class_name, status = (asked.properties[name] if wanted.pop(name, None) else None for name in ("class", "status"))
    parts = [*wanted.values(), *_valid(asked.datetime), *_filter(context, project, asked)]
    return Filter(
        project.id,
        areas,
        class_name,
        None if status is None else Status(status),
        And(tuple(parts)) if len(parts) > 1 else next(iter(parts), None),
        asked.at,
    )


def _filter(context: Context, project: Project, asked: Asked) -> Iterable[Where]:
    edge = requested(project, context.base, asked.filter_crs, "filter-crs")
    lang = _lang(asked.filter_lang)
    if asked.filter is not None:
        place = _Place(context, project, edge, asked.at)
        try:
            yield read_filter(asked.filter, lang, queryables(project), place, swaps=edge.swaps)
        except InvalidInput as error:
            raise bad_parameter("filter", str(error)) from error


def _lang(given: str | None) -> Lang:
    if given is None or given == "cql2-text":
        return "cql2-text"
    if given == "cql2-json":
        return "cql2-json"
    raise bad_parameter("filter-lang", f"expected 'cql2-text' or 'cql2-json', got {given!r:.80}")


def _value(project: Project, name: str, text: str) -> Where:
    known = queryables(project)
    if name not in known:
        message = f"there is no such parameter here, and no such property; properties are {', '.join(known)}"
        raise Refused(400, f"The parameter {name:.80} cannot be used: {message}.", [Problem(f"/{name:.80}", message)])
    try:
        return read_value(known[name], text)
    except InvalidInput as error:
        raise bad_parameter(name, str(error)) from error


def _valid(text: str | None) -> Iterable[Where]:
    """Labels that hold at a time: those without an interval hold always."""
    if text is None:
        return
    try:
        start, end = read_interval(text)
    except InvalidInput as error:
        raise bad_parameter("datetime", str(error)) from error
    held = Span(Property("valid_from", "instant"), Property("valid_to", "instant"))
    yield meets(held, Span(start, end))


class _Place:
    """Brings the geometries of a filter to the storage CRS, their edges with them."""

    def __init__(self, context: Context, project: Project, edge: EdgeCRS, at: int | None) -> None:
        self._context = context
        self._project = project
        self._edge = edge
        self._at = at
        self._storage = storage_crs(project)

    def __call__(self, shape: BaseGeometry, predicate: Predicate) -> BaseGeometry | None:
        if crs_.same(self._edge.crs, self._storage):
            return shape
        near = self._near()
        part = None if near is None else _part(shape, near)
        if part is None:  # whatever is asked for, no label that lies elsewhere stands so to the shape
            return None
        shape = part if predicate in _CLIPPED else shape
        tolerance = tolerance_of(map(self._context.store.scene, self._project.scenes))
        placed: BaseGeometry = crs_.transform_geometries(
            np.array([shape, None], dtype=object)[:-1],
            self._edge.crs,
            self._storage,
            tolerance=tolerance.bend(self._storage),
            round_trip=tolerance.round_trip(self._edge.crs, self._storage),
        )[0]
        if shapely.get_num_coordinates(placed) > _MAX_VERTICES:
            raise InvalidInput(
                f"A geometry of the filter needs more than {_MAX_VERTICES:,} vertices in the CRS of the labels."
            )
        return placed if placed.is_valid else shapely.make_valid(placed, method="structure")

    def _near(self) -> BaseGeometry | None:
        """The ground where there are labels, or were, with room; None when there are none."""
        extent = self._context.store.extent(self._project.id, at=self._at)
        if extent is None:
            return None
        try:
            west, south, east, north = crs_.bounds_to(extent, self._storage, self._edge.crs)
        except InvalidCRS:  # labels that this CRS cannot hold
            return None
        room = 0.01 * max(north - south, 1e-3)
        boxes = (
            [(west, south, east, north)]
            if west <= east
            else [(west, south, 180.0, north), (-180.0, south, east, north)]
        )
        return shapely.union_all([shapely.box(w - room, s - room, e + room, n + room) for w, s, e, n in boxes])


def _part(shape: BaseGeometry, near: BaseGeometry) -> BaseGeometry | None:
    """What of a shape lies near the labels, without the lines and points where it merely touches; None for nothing."""
    parts = shapely.get_parts(shapely.intersection(shape, near))
    same = parts[shapely.get_dimensions(parts) == shapely.get_dimensions(shape)]
    return None if len(same) == 0 else shapely.union_all(same)
