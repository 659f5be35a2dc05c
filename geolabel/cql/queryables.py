"""What labels can be filtered by: the allow-list of every filter, made from the project's schema."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from geolabel.model import Status

if TYPE_CHECKING:
    from geolabel.attributes import AttributeKind
    from geolabel.cql.nodes import Kind
    from geolabel.model import Project

GEOMETRY = "geometry"
"""The property that spatial functions take."""


@dataclass(frozen=True, slots=True)
class Queryable:
    """One property that a filter may name.

    Attributes:
        name: also that of its column.
        kind: of its values.
        values: all that there are, for an enumeration; empty otherwise.
        title: for people.
        description: for people.
        whole: whether a number is an integer.
        days: whether a time may be a day.
    """

    name: str
    kind: Kind
    values: tuple[str, ...] = ()
    title: str = ""
    description: str = ""
    whole: bool = False
    days: bool = False


_KINDS: dict[AttributeKind, Kind] = {"enum": "text", "number": "number", "text": "text", "boolean": "boolean"}


def queryables(project: Project) -> dict[str, Queryable]:
    """By name, in the order in which they are shown; the geometry is beside them."""
    own = (
        Queryable("class", "text", tuple(c.name for c in project.classes), "Class"),
        Queryable("note", "text", title="Note"),
        Queryable("status", "text", tuple(Status), "Status"),
        Queryable("confidence", "number", title="Confidence"),
        Queryable("scene", "text", project.scenes, "Scene"),
        *(Queryable(a.name, _KINDS[a.kind], a.values, a.title or a.name, a.description) for a in project.attributes),
        Queryable("valid_from", "instant", title="Valid from", days=True),
        Queryable("valid_to", "instant", title="Valid to", days=True),
        Queryable("track", "text", title="Track"),
        Queryable("source", "text", title="Source"),
        Queryable("author", "text", title="Author"),
        Queryable("created_at", "instant", title="Created at"),
        Queryable("updated_at", "instant", title="Updated at"),
        Queryable("version", "number", title="Version", whole=True),
        Queryable("external_id", "text", title="External id"),
        Queryable("id", "number", title="Id", whole=True),
    )
    return {queryable.name: queryable for queryable in own}
