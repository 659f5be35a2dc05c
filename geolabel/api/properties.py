"""The properties of a feature: what a client may set, and what is the server's own."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from geolabel.api.wire import Refused, bad_member, pointer
from geolabel.errors import Problem
from geolabel.model import Status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from geolabel.model import Project

SETTABLE = ("class", "note", "status", "confidence", "scene")
SERVER_OWNED = ("source", "author", "created_at", "updated_at", "version", "area_m2")

_DEFAULTS = {"note": None, "status": Status.LABELLED.value, "confidence": None, "scene": None}
_MAX_NOTE = 10_000


def read_properties(project: Project, given: Any, *, partial: bool, current_scene: str | None = None) -> dict[str, Any]:
    """Check the properties that a client sent.

    Args:
        project: whose classes and scenes they may name.
        given: the decoded `properties` member.
        partial: only what is sent is returned; otherwise all that can be set, with defaults.
        current_scene: what the label says now; it may stay also when the project has left that scene.

    Returns:
        Values by name, of `SETTABLE`.

    Raises:
        Refused: 422, with a pointer to each thing wrong.
    """
    if not isinstance(given, dict):
        raise bad_member("/properties", "Expected an object that holds at least 'class'")
    problems = [
        Problem(
            f"/properties{pointer([name])}",
            f"there is no property {name!r:.60}; expected {', '.join((*SETTABLE, *SERVER_OWNED))}",
        )
        for name in given
        if name not in SETTABLE and name not in SERVER_OWNED
    ]
    if "class" not in given and not partial:
        problems.append(Problem("/properties/class", f"is required: one of {_classes(project)}"))
    sent = {name: given[name] for name in SETTABLE if name in given}
    for name, value in sent.items():
        if value is None and name == "status":
            sent[name] = _DEFAULTS[name]
        elif name == "scene" and value == current_scene:
            continue
        elif (message := _CHECKS[name](project, value)) is not None:
            problems.append(Problem(f"/properties/{name}", message))
    if problems:
        first = problems[0]
        raise Refused(422, f"The label was not saved: {first.message} (at {first.pointer}).", problems)
    return sent if partial else {**_DEFAULTS, **sent}


def check_server_owned(
    given: Mapping[str, Any], current: Mapping[str, Any], earlier: Callable[[], Iterable[Mapping[str, Any]]]
) -> None:
    """Refuse a change of the server's own properties; an echo of the current or of an earlier state is passed over.

    Args:
        given: the properties that a client sent.
        current: those of the current version.
        earlier: gives those of the earlier versions; asked only when a value differs.

    Raises:
        Refused: 422.
    """
    changed = [n for n in SERVER_OWNED if n in given and not _equal(given[n], current.get(n))]
    if not changed:
        return
    past = list(earlier())
    problems = [
        Problem(
            f"/properties/{name}",
            f"{name!r} is the server's own and cannot be set: it is {current.get(name)!r}, got {given[name]!r:.80}",
        )
        for name in changed
        if not any(_equal(given[name], state.get(name)) for state in past)
    ]
    if problems:
        raise Refused(422, f"The label was not saved: {problems[0].message}.", problems)


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, float | int) and isinstance(other, float):  # clients print fewer digits of an area
        return math.isclose(one, other, rel_tol=1e-6, abs_tol=1e-6)
    return type(one) is type(other) and bool(one == other)


def _classes(project: Project) -> str:
    return ", ".join(repr(c.name) for c in project.classes) or "no classes yet"


def _class(project: Project, value: Any) -> str | None:
    if isinstance(value, str) and any(c.name == value for c in project.classes):
        return None
    return f"is one of {_classes(project)}, got {value!r:.80}"


def _note(_: Project, value: Any) -> str | None:
    if value is None or (isinstance(value, str) and len(value) <= _MAX_NOTE):
        return None
    return f"is a text of at most {_MAX_NOTE} characters or null, got {value!r:.80}"


def _status(_: Project, value: Any) -> str | None:
    if isinstance(value, str) and value in set(Status):
        return None
    return f"is one of {', '.join(Status)}, got {value!r:.80}"


def _confidence(_: Project, value: Any) -> str | None:
    if value is None or (isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1):
        return None
    return f"is a number from 0 to 1 or null, got {value!r:.80}"


def _scene(project: Project, value: Any) -> str | None:
    if value is None or (isinstance(value, str) and value in project.scenes):
        return None
    return f"is a scene of the project ({', '.join(project.scenes) or 'none'}) or null, got {value!r:.80}"


_CHECKS: dict[str, Callable[[Project, Any], str | None]] = {
    "class": _class,
    "note": _note,
    "status": _status,
    "confidence": _confidence,
    "scene": _scene,
}
