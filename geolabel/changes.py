"""What was changed, when and by whom, and states that were given a name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from geolabel.model import Annotation


Operation = Literal["create", "update", "delete"]

ChangesetKind = Literal["edit", "batch", "import", "revert", "schema", "copy"]


@dataclass(frozen=True, slots=True)
class Changeset:
    """What was written together.

    Attributes:
        number: in the workspace; always growing.
        at: RFC 3339, UTC.
        author: who did it.
        kind: what it came from.
        comment: why, in words.
        created: how many annotations it made.
        updated: how many it changed (or brought back).
        deleted: how many it took away.
        reverts: the changeset that it takes back; None for all but reverts.
    """

    number: int
    at: str
    author: str | None
    kind: ChangesetKind
    comment: str | None
    created: int
    updated: int
    deleted: int
    reverts: int | None

    def to_json(self) -> dict[str, Any]:
        """The object that HTTP gives."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A named state of a project and its coverage.

    Attributes:
        name: slug, unique in the project.
        changeset: the last one in it: `at=<changeset>` reads it.
        hash: SHA-256 over every annotation and coverage area in it and the project's schema, in hexadecimal.
        count: of annotations.
        at: RFC 3339, UTC.
        author: who took it.
        note: free text.
        project: the project as it was, as JSON.
    """

    name: str
    changeset: int
    hash: str
    count: int
    at: str
    author: str | None
    note: str | None
    project: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        """The object that HTTP and `--json` give; the project's schema is not in it."""
        names = ("name", "changeset", "hash", "count", "at", "author", "note")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True, slots=True)
class Change:
    """One step in an annotation's life, as history tells it.

    Attributes:
        annotation: the state after the step; for a delete, the last state, with the version of the delete.
        operation: `create`, `update` or `delete` (an `update` of a deleted annotation brings it back).
        changeset: number of the change in the workspace; everything written together shares it.
        at: RFC 3339, UTC.
        author: who did it.
        kind: what the change set came from.
        comment: why, in words.
    """

    annotation: Annotation
    operation: Operation
    changeset: int
    at: str
    author: str | None
    kind: ChangesetKind = "edit"
    comment: str | None = None
