"""The columns of a file and where each of them goes: class, note, times, the project's attributes, `external`, nowhere."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import orjson

from geolabel.attributes import RESERVED
from geolabel.errors import InvalidInput, Problem
from geolabel.intake.report import Refusals
from geolabel.model import Status
from geolabel.moments import in_order, read_moment
from geolabel.store.text import check_texts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from geolabel.attributes import Attribute
    from geolabel.formats.base import Features
    from geolabel.model import Project

_TEXTS = ("note", "track")


@dataclass(frozen=True, slots=True)
class Plan:
    """Where the columns of a file go.

    Attributes:
        class_field: the column that names the class; None when it is one for all.
        class_name: one class for all.
        id_field: the column with ids of the source's own; None for the features' own ids, where they have some.
        fids: whether the file's own numbers of its features are such ids.
        own: columns that are what their names say: note, track, status, confidence, valid_from, valid_to.
    """

    class_field: str | None
    class_name: str | None
    id_field: str | None
    fids: bool
    own: tuple[str, ...]


def plan_columns(
    project: Project,
    name: str,
    first: Features,
    *,
    class_field: str | None,
    class_name: str | None,
    id_field: str | None,
    trusted: tuple[str, ...] = (),
) -> Plan:
    """Decide by the first features of a file.

    Raises:
        InvalidInput: nothing says which class the features are; a column that is not there.
        UnknownClass: the one class for all is none of the project's.
    """
    if class_field and class_name:
        raise InvalidInput("The class comes from a column or is one for all; got both a class field and a class.")
    listed = ", ".join(first.columns) or "no columns"
    if class_name:
        project.class_named(class_name)
    elif class_field is None:
        if "class" not in first.columns:
            raise InvalidInput(
                f"Nothing says which class the features of {name} are. Name the column with --class-field, or one class for all with --class; "
                f"it has {listed}.",
            )
        class_field = "class"
    for what in (class_field, None if id_field == "fid" else id_field):
        if what is not None and what not in first.columns:
            raise InvalidInput(f"{name} has no column {what!r}; it has {listed}.")
    fids = id_field == "fid" and "fid" not in first.columns
    taken = {class_field, id_field}
    own = tuple(
        column
        for column, read in (_OWN | dict.fromkeys(trusted, _as_note)).items()
        if column in first.columns and column not in taken and _fits(first.columns[column], read)
    )
    return Plan(class_field, class_name or None, None if fids else id_field, fids, own)


def _fits(values: Sequence[Any], read: Callable[[Any], Any]) -> bool:
    try:
        for value in values:
            read(value)
    except (InvalidInput, ValueError):
        return False
    return True


def as_text(value: Any) -> str | None:
    """A cell as a text: 3.0 is '3'."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return value.isoformat() if isinstance(value, date) else str(value)


def _as_note(value: Any) -> str | None:
    return as_text(value) or None


def _as_status(value: Any) -> str:
    return Status.LABELLED.value if value is None else Status(value).value


def _as_confidence(value: Any) -> float | None:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal) or not 0 <= value <= 1:
        raise ValueError(f"a confidence is a number from 0 to 1, got {value!r:.60}")
    return float(value)


def _as_moment(value: Any) -> str | None:
    if value is None or value == "":
        return None
    if isinstance(value, datetime):  # without a zone, files mean UTC
        value = (
            (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC).isoformat(timespec="milliseconds")
        )
    return read_moment(value.isoformat() if isinstance(value, date) else value)


_OWN: dict[str, Callable[[Any], Any]] = {
    "note": _as_note,
    "track": _as_note,
    "status": _as_status,
    "confidence": _as_confidence,
    "valid_from": _as_moment,
    "valid_to": _as_moment,
}


@dataclass(slots=True)
class Values:
    """What the columns of a batch say.

    Attributes:
        columns: by column of the project's table, (n,) each; `class` is always there, and known where `fine`.
        external: names of columns whose values are kept under `external`.
        dropped: names of columns that have no place.
        refusals: what cannot be.
    """

    columns: dict[str, list[Any]]
    external: tuple[str, ...]
    dropped: tuple[str, ...]
    refusals: Refusals = field(default_factory=Refusals)


def read_columns(project: Project, plan: Plan, features: Features) -> Values:
    """Read what the features say of themselves beside their shape."""
    given, count = features.columns, len(features)
    attributes = {attribute.name: attribute for attribute in project.attributes}
    used = {plan.class_field, plan.id_field, *plan.own, *attributes}
    rest = [name for name in given if name not in used]
    external = tuple(name for name in rest if name in RESERVED)
    values = Values({}, external, tuple(name for name in rest if name not in RESERVED))
    _read_classes(project, plan, features, values)
    for name in plan.own:
        read = _Cells(_OWN.get(name, _as_note))
        values.columns[name] = [read(value) for value in given.get(name, [None] * count)]
        _refuse(values, features, [read.problems.get(key) for key in map(_key, given.get(name, ()))], name)
    _check_intervals(features, values)
    for name, attribute in attributes.items():
        if name in given or attribute.required:
            _read_attribute(attribute, given.get(name, [None] * count), features, values)
    if external:
        values.columns["external"] = _external({name: given[name] for name in external}, count)
    ids = _ids(plan, features)
    if ids is not None:
        values.columns["external_id"] = ids
    for name in ("note", "track", "external_id", *attributes):
        if name in values.columns:
            texts: Iterable[Any] = (value for value in values.columns[name] if isinstance(value, str))
            check_texts(name, texts)
    return values


def _read_classes(project: Project, plan: Plan, features: Features, values: Values) -> None:
    if plan.class_name is not None:
        values.columns["class"] = [plan.class_name] * len(features)
        return
    assert plan.class_field is not None
    known = {c.name for c in project.classes}
    names = features.columns.get(plan.class_field, [None] * len(features))
    if any(type(name) is not str for name in names):
        names = [as_text(name) for name in names]
    values.columns["class"] = list(names)
    if not known.issuperset(names):
        found = [(row, name) for row, name in enumerate(names) if name not in known]
        values.refusals.unknown = Counter("(empty)" if name is None else str(name) for _, name in found)
        values.refusals.classes.extend(
            [Problem(f"feature {features.numbers[row]}", f"class {name!r}") for row, name in found]
        )


def _key(value: Any) -> tuple[type, Any]:
    """True and 1 are one key of a dictionary, but not one value of an attribute."""
    try:
        hash(value)
    except TypeError:
        return type(value), repr(value)
    return type(value), value


class _Cells:
    """Reads cells, each different one once."""

    def __init__(self, read: Callable[[Any], Any]) -> None:
        self._read = read
        self._known: dict[tuple[type, Any], Any] = {}
        self.problems: dict[tuple[type, Any], str] = {}

    def __call__(self, value: Any) -> Any:
        key = _key(value)
        if key not in self._known:
            try:
                self._known[key] = self._read(value)
            except (InvalidInput, ValueError) as error:
                self._known[key] = None
                self.problems[key] = str(error)
        return self._known[key]


def _refuse(values: Values, features: Features, messages: Sequence[str | None], name: str) -> None:
    values.refusals.values.extend(
        [
            Problem(f"feature {features.numbers[row]}", f"{name!r}: {message}")
            for row, message in enumerate(messages)
            if message is not None
        ]
    )


def _check_intervals(features: Features, values: Values) -> None:
    if "valid_from" in values.columns and "valid_to" in values.columns:
        pairs = zip(values.columns["valid_from"], values.columns["valid_to"], strict=True)
        messages = [
            None if in_order(a, b) else f"a label is valid from a moment to a later one, got {a} to {b}"
            for a, b in pairs
        ]
        _refuse(values, features, messages, "valid_to")


def _read_attribute(attribute: Attribute, cells: Sequence[Any], features: Features, values: Values) -> None:
    def read(value: Any) -> Any:
        typed = _typed(attribute, value)
        if typed is not None and (problem := attribute.problem(typed)) is not None:
            raise ValueError(problem)
        return float(typed) if attribute.kind == "number" and typed is not None else typed

    cell = _Cells(read)
    column = [cell(value) for value in cells]
    values.columns[attribute.name] = column
    messages: list[str | None] = [None] * len(column)
    if cell.problems:
        messages = [cell.problems.get(_key(value)) for value in cells]
    if attribute.classes or attribute.required:
        for row, (name, value) in enumerate(zip(values.columns["class"], column, strict=True)):
            if value is not None and not attribute.is_for(name):
                messages[row] = f"is for {' and '.join(attribute.classes)}, not for {name!r}"
            elif value is None and attribute.required and attribute.is_for(name) and messages[row] is None:
                messages[row] = f"is required: {attribute.expected()}"
    _refuse(values, features, messages, attribute.name)


def _typed(attribute: Attribute, value: Any) -> Any:
    """A cell in the type of the attribute, where the formats have another one for the same thing."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if attribute.kind == "boolean" and type(value) in {int, float} and value in {0, 1}:
        return bool(value)
    if attribute.kind in {"enum", "text"} and not isinstance(value, str | bool | dict | list):
        return as_text(value)
    return float(value) if isinstance(value, Decimal) else value


def _external(columns: Mapping[str, Sequence[Any]], count: int) -> list[str | None]:
    """The JSON object of each feature; None where it says nothing."""
    names = list(columns)
    result: list[str | None] = [None] * count
    for row, cells in enumerate(zip(*columns.values(), strict=True)):
        said = {name: cell for name, cell in zip(names, cells, strict=True) if cell is not None}
        if said:
            result[row] = orjson.dumps(said, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
    return result


def _ids(plan: Plan, features: Features) -> list[str | None] | None:
    if plan.id_field is not None:
        cells = features.columns.get(plan.id_field, [None] * len(features))
        return [as_text(cell) for cell in cells]
    if plan.fids:
        return [str(number) for number in features.numbers]
    return None if features.ids is None or not any(features.ids) else list(features.ids)
