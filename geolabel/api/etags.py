"""Versions as entity tags: version 3 is `"3"`; the weak form `W/"3"` is read as the same."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from geolabel.api.wire import Refused, bad_parameter

if TYPE_CHECKING:
    from geolabel.model import Project

_TAG = re.compile(r'\s*(?:W/)?"([^"\x00-\x1f]*)"\s*')


def etag(version: int) -> str:
    """The entity tag of a version."""
    return f'"{version}"'


@dataclass(frozen=True, slots=True)
class Condition:
    """An `If-Match` or `If-None-Match` header.

    Attributes:
        versions: those named; tags that are no version of ours match nothing and are left out.
        any: the header is `*`: any version that is there.
    """

    versions: frozenset[int]
    any: bool = False

    def holds(self, version: int) -> bool:
        """Whether a current version is among those named."""
        return self.any or version in self.versions


def read_condition(header: str | None, name: str) -> Condition | None:
    """Read the header; None when it was not sent.

    Raises:
        Refused: 400, it is neither `*` nor a list of quoted tags.
    """
    if header is None:
        return None
    if header.strip() == "*":
        return Condition(frozenset(), any=True)
    tags = [_TAG.fullmatch(part) for part in header.split(",")]
    found = [tag[1] for tag in tags if tag]
    if len(found) != len(tags):
        raise bad_parameter(name, f'expected a quoted version like "3", or *, got {header!r:.60}')
    return Condition(frozenset(int(tag) for tag in found if re.fullmatch(r"[0-9]{1,18}", tag)))


def read_if_match(header: str | None, project: Project) -> Condition | None:
    """Read `If-Match`, which a project can require of every change.

    Raises:
        Refused: 400, it cannot be read; 428, it was not sent and the project requires it.
    """
    condition = read_condition(header, "If-Match")
    if condition is None and project.require_if_match:
        raise Refused(
            428,
            f"Project {project.id!r} wants every change to name the version that it changes, so that nobody's work is lost "
            'unseen: send the ETag of the label as If-Match, such as If-Match: "3".',
        )
    return condition
