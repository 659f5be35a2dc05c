"""Which labels a client asks for: bbox, class, status, datetime."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime as datetime_
from typing import TYPE_CHECKING

from geolabel.api.negotiate import read_bbox, requested, storage_crs
from geolabel.api.wire import bad_parameter
from geolabel.geo.areas import Area, areas_of
from geolabel.model import Status

if TYPE_CHECKING:
    from geolabel.api.context import Context
    from geolabel.model import Annotation, Project
    from geolabel.store.store import Store

_INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})\Z", re.IGNORECASE)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}\Z")


@dataclass(frozen=True, slots=True)
class Filter:
    """Labels of a project.

    Attributes:
        project: slug.
        areas: a label that meets one of them is chosen.
        class_name: only of this class.
        status: only of this status.
    """

    project: str
    areas: tuple[Area, ...]
    class_name: str | None
    status: Status | None

    def page(self, store: Store, *, after: int, limit: int) -> list[Annotation]:
        """The first `limit` of them with an id above `after`, in order of id."""
        found: dict[int, Annotation] = {}
        for area in self.areas:
            found.update((a.id, a) for a in self._meeting(store, area, after, limit))
        return [found[id_] for id_ in sorted(found)[:limit]]

    def count(self, store: Store) -> int:
        """How many there are."""
        if len(self.areas) == 1 and self.areas[0].box is None:
            return store.count(self.project, bbox=self.areas[0].bounds, class_name=self.class_name, status=self.status)
        return len({a.id for area in self.areas for a in self._meeting(store, area, 0, None)})

    def _meeting(self, store: Store, area: Area, after: int, limit: int | None) -> list[Annotation]:
        found: list[Annotation] = []
        while True:
            candidates = store.query(
                self.project,
                bbox=area.bounds,
                class_name=self.class_name,
                status=self.status,
                after=after,
                limit=limit,
            )
            found += area.choose(candidates)
            if limit is None or len(candidates) < limit or len(found) >= limit:
                return found if limit is None else found[:limit]
            after = candidates[-1].id


def read_filter(
    context: Context,
    project: Project,
    *,
    bbox: str | None,
    bbox_crs: str | None,
    class_name: str | None,
    status: str | None,
    datetime: str | None,
) -> Filter:
    """Read the query parameters.

    Raises:
        Refused: 400, one of them cannot be used.
    """
    edge = requested(project, context.base, bbox_crs, "bbox-crs")
    storage = storage_crs(project)
    if class_name is not None and class_name not in {c.name for c in project.classes}:
        known = ", ".join(c.name for c in project.classes) or "no classes yet"
        raise bad_parameter("class", f"the project has {known}; got {class_name!r:.80}")
    if status is not None and status not in set(Status):
        raise bad_parameter("status", f"expected one of {', '.join(Status)}, got {status!r:.80}")
    if datetime is not None:
        _check_datetime(datetime)
    areas = [Area(None, None, storage, storage)]
    if bbox is not None:
        areas = areas_of(read_bbox(bbox, edge), edge.crs, storage, context.store.extent(project.id))
    return Filter(project.id, tuple(areas), class_name, None if status is None else Status(status))


def _check_datetime(text: str) -> None:
    """Labels carry no time of their own yet, so every valid instant or interval chooses all of them."""
    parts = text.split("/")
    moments = [_moment(part) for part in parts if part not in {"", ".."}]
    if len(parts) > 2 or None in moments or (len(parts) == 1 and not moments):
        raise bad_parameter(
            "datetime",
            f"expected '2018-02-12T23:20:50Z' or an interval like '2018-02-12T00:00:00Z/..', got {text!r:.80}",
        )
    if len(moments) == 2 and moments[0] > moments[1]:  # type: ignore[operator]
        raise bad_parameter("datetime", f"the interval ends before it starts: {text!r:.80}")


def _moment(text: str) -> float | None:
    if not (_INSTANT.match(text) or _DATE.match(text)):
        return None
    try:
        moment = datetime_.fromisoformat(text.upper())
    except ValueError:
        return None
    return moment.timestamp() if moment.tzinfo else datetime_.fromisoformat(f"{text}T00:00:00+00:00").timestamp()
