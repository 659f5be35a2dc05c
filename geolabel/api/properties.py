"""The properties of a feature: what a client may set, and what is the server's own."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from geolabel.api.wire import Refused, bad_member, pointer
from geolabel.attributes import check_attributes
from geolabel.errors import InvalidInput, Problem
from geolabel.model import Status
from geolabel.moments import in_order, read_moment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from geolabel.model import Annotation, Project

SETTABLE = ("class", "note", "status", "confidence", "scene", "track", "valid_from", "valid_to")
"""What a client may set beside the project's attributes."""

SERVER_OWNED = ("source", "author", "created_at", "updated_at", "version", "external_id", "external", "area_m2")

_ALWAYS_THERE = ("source", "author", "created_at", "updated_at", "version", "external_id")
_DEFAULTS = dict.fromkeys(SETTABLE) | {"status": Status.LABELLED.value}
_MAX_NOTE = 10_000
_MAX_TRACK = 200


def columns_of(project: Project) -> tuple[str, ...]:
    """The columns of a label in the store that are properties of every feature, in the order of `show`."""
    return (*SETTABLE, *(attribute.name for attribute in project.attributes), *_ALWAYS_THERE)


def show(annotation: Annotation, project: Project, area: float | None) -> dict[str, Any]:
    """The properties of a feature: what can be set, the project's attributes, then the server's own.

    Args:
        annotation: current or past; a past one shows the attributes that it had.
        project: whose attributes are always there, null without a value.
        area: in square metres on the ground; None when there is none.
    """
    provenance = annotation.provenance
    shown: dict[str, Any] = {
        "class": annotation.class_name,
        "note": annotation.note,
        "status": annotation.status.value,
        "confidence": provenance.confidence,
        "scene": provenance.scene,
        "track": annotation.track,
        "valid_from": annotation.valid_from,
        "valid_to": annotation.valid_to,
        **{attribute.name: None for attribute in project.attributes},
        **annotation.attributes,
        "source": provenance.source,
        "author": provenance.author,
        "created_at": annotation.created_at,
        "updated_at": annotation.updated_at,
        "version": annotation.version,
        "external_id": annotation.external_id,
    }
    if annotation.external is not None:
        shown["external"] = annotation.external
    if area is not None:
        shown["area_m2"] = area
    return shown


def read_properties(project: Project, given: Any, *, current: Annotation | None = None) -> dict[str, Any]:
    """Check the properties of a whole label.

    Args:
        project: whose classes, attributes and scenes they may name.
        given: the decoded `properties` member.
        current: what the label is now; its scene may stay also when the project has left that scene.

    Returns:
        Values by name, of `SETTABLE`, with defaults, and `attributes`.

    Raises:
        Refused: 422, with a pointer to each thing wrong.
    """
    sent, problems = _sent(project, given, current)
    if "class" not in given:
        problems.insert(0, _problem("class", f"is required: one of {_classes(project)}"))
    attributes = {a.name: given[a.name] for a in project.attributes if a.name in given}
    whole = {**_DEFAULTS, **sent, "attributes": attributes}
    return _checked(project, whole, problems)


def merge_properties(project: Project, given: Any, *, current: Annotation) -> dict[str, Any]:
    """Check the properties of a merge patch (RFC 7396) and apply it: what is not named stays.

    An attribute that the new class does not have goes with the old class.

    Returns:
        As `read_properties`.

    Raises:
        Refused: 422, with a pointer to each thing wrong.
    """
    sent, problems = _sent(project, given, current)
    before = show(current, project, None)
    whole = {**{name: before[name] for name in SETTABLE}, **sent}
    fitting = {a.name for a in project.attributes if a.is_for(str(whole["class"]))}
    whole["attributes"] = {name: value for name, value in current.attributes.items() if name in fitting} | {
        a.name: given[a.name] for a in project.attributes if a.name in given
    }
    return _checked(project, whole, problems)


def _sent(project: Project, given: Any, current: Annotation | None) -> tuple[dict[str, Any], list[Problem]]:
    """What was sent of `SETTABLE`, and what is wrong with it."""
    if not isinstance(given, dict):
        raise bad_member("/properties", "Expected an object that holds at least 'class'")
    attributes = [attribute.name for attribute in project.attributes]
    known = (*SETTABLE, *attributes, *SERVER_OWNED)
    problems = [
        _problem(name, f"there is no property {name!r:.60}; expected {', '.join(known)}")
        for name in given
        if name not in known
    ]
    sent = {name: given[name] for name in SETTABLE if name in given}
    for name, value in sent.items():
        if value is None and name == "status":
            sent[name] = _DEFAULTS[name]
        elif name == "scene" and current is not None and value == current.provenance.scene:
            continue
        elif (message := _CHECKS[name](project, value)) is not None:
            problems.append(_problem(name, message))
    return sent, problems


def _checked(project: Project, whole: dict[str, Any], problems: list[Problem]) -> dict[str, Any]:
    """A whole label whose single values were looked at: attributes against the class, the end against the start.

    Raises:
        Refused: 422.
    """
    faulty = {problem.pointer for problem in problems}
    if "/properties/class" not in faulty:
        wrong = check_attributes(project.attributes, whole["class"], whole["attributes"])
        problems += [_problem(name, message) for name, message in wrong]
    if not faulty & {"/properties/valid_from", "/properties/valid_to"}:
        start, end = (whole[name] and read_moment(whole[name]) for name in ("valid_from", "valid_to"))
        if not in_order(start, end):
            problems.append(_problem("valid_to", f"is not before valid_from ({start}), got {whole['valid_to']!r:.60}"))
    if problems:
        first = problems[0]
        raise Refused(422, f"The label was not saved: {first.message} (at {first.pointer}).", problems)
    return whole


def _problem(name: str, message: str) -> Problem:
    return Problem(f"/properties{pointer([name])}", message)


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


def _track(_: Project, value: Any) -> str | None:
    if value is None or (isinstance(value, str) and len(value) <= _MAX_TRACK):
        return None
    return f"is a text of at most {_MAX_TRACK} characters or null, got {value!r:.80}"


def _moment(_: Project, value: Any) -> str | None:
    if value is None or value == "":
        return None
    try:
        read_moment(value)
    except InvalidInput as error:
        return str(error)
    return None


_CHECKS: dict[str, Callable[[Project, Any], str | None]] = {
    "class": _class,
    "note": _note,
    "status": _status,
    "confidence": _confidence,
    "scene": _scene,
    "track": _track,
    "valid_from": _moment,
    "valid_to": _moment,
}
