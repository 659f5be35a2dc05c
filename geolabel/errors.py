"""Everything that geolabel raises on purpose.

    GeolabelError
    ├── NotFound                 no workspace, scene, project, annotation, job of that name
    ├── AlreadyExists            the name, the folder or the port is taken
    ├── InvalidInput             what was given cannot be used; `problems` says where
    │   ├── InvalidGeometry      a shape that is not one: not finite, crossing itself, the wrong type
    │   ├── InvalidCRS           a CRS that cannot be read, or coordinates that it cannot hold
    │   ├── InvalidRaster        a file that cannot be labelled on
    │   ├── InvalidSpec          a chip, split or format option out of range
    │   └── UnknownClass         a class that the project's schema does not have
    ├── VersionConflict          somebody else changed it first; `current` is what is there now
    ├── Conflicts                what was to be taken back was changed since; `conflicts` says what
    ├── NotAllowed               refused by a setting; the sentence names the setting
    ├── Cancelled                the user stopped the work
    ├── WorkerLost               a process that was to do a part of the work died over and over
    └── StoreFailed              the database could not do it: locked, damaged
        ├── StorageFull          no room on its disk
        └── TooSlow              a question that took longer than it may

Every message is a sentence that says what was expected, what came, where, and what to do. HTTP status codes and exit
codes are given at the edge (`geolabel.api.errors`, `geolabel.cli`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with an input.

    Attributes:
        pointer: where: a JSON pointer (`/geometry/coordinates/0/3`) or `feature 12`, `line 3`.
        message: a sentence.
    """

    pointer: str
    message: str


class GeolabelError(Exception):
    """Base of everything that geolabel raises on purpose; `str(error)` is a sentence for the user."""


class NotFound(GeolabelError):
    """Nothing has that name."""


class AlreadyExists(GeolabelError):
    """The name, the folder or the port is taken."""


class InvalidInput(GeolabelError):
    """What was given cannot be used.

    Attributes:
        problems: one entry per thing wrong, in the order of the input; may be empty when the message says it all.
    """

    def __init__(self, message: str, problems: Sequence[Problem] = ()) -> None:
        super().__init__(message)
        self.problems = tuple(problems)


class InvalidGeometry(InvalidInput):
    """A shape that is not one: not finite, crossing itself, of the wrong type."""


class InvalidCRS(InvalidInput):
    """A CRS that cannot be read, or coordinates that it cannot hold."""


class InvalidRaster(InvalidInput):
    """A file that cannot be labelled on."""


class InvalidSpec(InvalidInput):
    """A chip, split or format option out of range."""


class UnknownClass(InvalidInput):
    """A class that the project's schema does not have."""


class VersionConflict(GeolabelError):
    """Somebody else changed it first.

    Attributes:
        current: the version that is there now.
        problems: of a batch: one entry per edit that meets another version.
    """

    def __init__(self, message: str, current: int, problems: Sequence[Problem] = ()) -> None:
        super().__init__(message)
        self.current = current
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True)
class Conflict:
    """An annotation that stays as it is, because what was done to it cannot be taken back.

    Attributes:
        id: of the annotation.
        version: that is current; of the delete when it was deleted.
        deleted: whether it was deleted.
        reason: why, in words that go on after its name.
    """

    id: int
    version: int
    deleted: bool
    reason: str


class Conflicts(GeolabelError):
    """What was to be taken back cannot be, for some annotations.

    Attributes:
        conflicts: each of them, in order of id.
        problems: the same in words.
    """

    def __init__(self, message: str, conflicts: Sequence[Conflict]) -> None:
        super().__init__(message)
        self.conflicts = tuple(conflicts)
        self.problems = tuple(Problem(f"annotation {c.id}, version {c.version}", f"{c.reason}.") for c in conflicts)


class NotAllowed(GeolabelError):
    """Refused by a setting; the sentence names the setting."""


class Cancelled(GeolabelError):
    """The user stopped the work."""


class WorkerLost(GeolabelError):
    """A process that was to do a part of the work died, and so did those that tried again."""


class StoreFailed(GeolabelError):
    """The database could not do it: locked, damaged.

    Attributes:
        public: a sentence for people who only reach the server: it names no path and repeats no word of the database.
    """

    def __init__(self, message: str, public: str = "The workspace could not do it; the server's log says why.") -> None:
        super().__init__(message)
        self.public = public


class StorageFull(StoreFailed):
    """No room: on the disk of the workspace, or where a file is written.

    Attributes:
        needed: bytes that the work would take; None when that is not known.
        free: bytes that there are; None when that is not known.
    """

    def __init__(self, message: str, public: str, *, needed: int | None = None, free: int | None = None) -> None:
        super().__init__(message, public)
        self.needed = needed
        self.free = free


class TooSlow(StoreFailed):
    """A question that took longer than it may, and was stopped."""
