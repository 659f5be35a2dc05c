"""Which labels a client asks for: bbox, class, status, datetime."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime as datetime_
from typing import TYPE_CHECKING

from geolabel.api.negotiate import EdgeCRS, read_bbox, requested, storage_crs
from geolabel.api.wire import bad_parameter
from geolabel.errors import InvalidCRS
from geolabel.geo import crs as crs_
from geolabel.model import Status

if TYPE_CHECKING:
    from geolabel.model import Annotation, Bounds, Project
    from geolabel.store.store import Store

_INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})\Z", re.IGNORECASE)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}\Z")


@dataclass(frozen=True, slots=True)
class Filter:
    """Labels of a project.

    Attributes:
        project: slug.
        boxes: in the storage CRS; a label that meets one of them is chosen. None chooses all.
        class_name: only of this class.
        status: only of this status.
    """

    project: str
    boxes: tuple[Bounds, ...] | None
    class_name: str | None
    status: Status | None

    def query(self, store: Store, *, after: int, limit: int) -> list[Annotation]:
        """The first `limit` of them with an id above `after`, in order of id."""
        found: dict[int, Annotation] = {}
        for box in self._boxes():
            for annotation in store.query(
                self.project, bbox=box, class_name=self.class_name, status=self.status, after=after, limit=limit
            ):
                found[annotation.id] = annotation
        return [found[id_] for id_ in sorted(found)[:limit]]

    def count(self, store: Store) -> int:
        """How many there are."""
        boxes = self._boxes()
        if len(boxes) == 1:
            return store.count(self.project, bbox=boxes[0], class_name=self.class_name, status=self.status)
        ids = (
            {a.id for a in store.query(self.project, bbox=box, class_name=self.class_name, status=self.status)}
            for box in boxes
        )
        return len(set[int]().union(*ids))  # a label may reach over the antimeridian

    def _boxes(self) -> tuple[Bounds | None, ...]:
        return (None,) if self.boxes is None else self.boxes


def read_filter(
    project: Project,
    base: str,
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
    edge = requested(project, base, bbox_crs, "bbox-crs")
    if class_name is not None and class_name not in {c.name for c in project.classes}:
        known = ", ".join(c.name for c in project.classes) or "no classes yet"
        raise bad_parameter("class", f"the project has {known}; got {class_name!r:.80}")
    if status is not None and status not in set(Status):
        raise bad_parameter("status", f"expected one of {', '.join(Status)}, got {status!r:.80}")
    if datetime is not None:
        _check_datetime(datetime)
    return Filter(
        project.id,
        None if bbox is None else tuple(_to_storage(box, edge, storage_crs(project)) for box in read_bbox(bbox, edge)),
        class_name,
        None if status is None else Status(status),
    )


def _to_storage(box: Bounds, edge: EdgeCRS, storage: str) -> Bounds:
    try:
        return crs_.bounds_to(box, edge.crs, storage)
    except InvalidCRS as error:
        raise bad_parameter("bbox", str(error)) from error


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
