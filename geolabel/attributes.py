"""The attributes of a project's labels: typed columns beside the class, and what a value of each may be."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Literal

from geolabel.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Sequence

AttributeKind = Literal["enum", "number", "text", "boolean"]
ATTRIBUTE_KINDS: tuple[AttributeKind, ...] = ("enum", "number", "text", "boolean")

# fmt: off
RESERVED = frozenset(
    {
        "id", "geom", "geometry", "fid", "class", "note", "status", "source", "confidence", "scene", "track",
        "author", "created_at", "updated_at", "valid_from", "valid_to", "external_id", "external", "version",
        "changeset", "attributes", "operation", "project", "key", "until", "rowid", "oid", "_rowid_", "area_m2",
        "length_m", "bbox", "crs", "limit", "after", "filter", "datetime", "at", "type", "links",
    },
)
# fmt: on
"""Names that an attribute cannot have: they are the server's own, or parameters of a query."""

MAX_TEXT = 10_000
_MAX_ATTRIBUTES = 200
_NAME = re.compile(r"[a-z][a-z0-9_]{0,57}\Z")


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute of a project's schema: a column of its table, so that QGIS and GDAL see it.

    Attributes:
        name: lower-case letters, digits and `_`; unique in the project.
        kind: `enum` (one of `values`), `number`, `text` or `boolean`.
        required: a label of one of its classes must have a value.
        values: what an enum may be, in the order in which people choose.
        minimum: the smallest number; None for no bound.
        maximum: the largest number; None for no bound.
        classes: names of the classes whose labels carry it; empty for all.
        title: as people read it; the name when empty.
        description: what to enter, for people.
    """

    name: str
    kind: AttributeKind = "text"
    required: bool = False
    values: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    classes: tuple[str, ...] = ()
    title: str = ""
    description: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not _NAME.match(self.name) or self.name in RESERVED:
            why = " (that name is geolabel's own)" if self.name in RESERVED else ""
            raise InvalidInput(
                f"An attribute's name is lower-case letters, digits and '_', starting with a letter, got {self.name!r}{why}."
            )
        if self.kind not in ATTRIBUTE_KINDS:
            raise InvalidInput(f"Attribute {self.name!r} is one of {', '.join(ATTRIBUTE_KINDS)}, got {self.kind!r}.")
        if not isinstance(self.required, bool):
            raise InvalidInput(f"Attribute {self.name!r} is required: true or false, got {self.required!r}.")
        for what in ("title", "description"):
            if not isinstance(getattr(self, what), str):
                raise InvalidInput(f"Attribute {self.name!r} has a {what} that is text, got {getattr(self, what)!r}.")
        self._check_values()
        self._check_range()

    def _check_values(self) -> None:
        if (self.kind == "enum") != bool(self.values):
            expected = "at least one value" if self.kind == "enum" else "no values, for only an enum has them"
            raise InvalidInput(f"Attribute {self.name!r} ({self.kind}) takes {expected}, got {list(self.values)}.")
        for what in ("values", "classes"):
            given = getattr(self, what)
            if not all(isinstance(v, str) and v.strip() == v != "" and v.isprintable() for v in given):
                raise InvalidInput(
                    f"The {what} of attribute {self.name!r} are printable texts; in YAML, quote them. Got {list(given)}."
                )
            twice = [value for value, n in Counter(given).items() if n > 1]
            if twice:
                raise InvalidInput(f"Attribute {self.name!r} has {twice[0]!r} twice among its {what}.")

    def _check_range(self) -> None:
        for what in ("minimum", "maximum"):
            bound = getattr(self, what)
            if bound is None:
                continue
            if self.kind != "number" or not _is_number(bound):
                raise InvalidInput(
                    f"Attribute {self.name!r} ({self.kind}): a {what} is a finite number, of a number; got {bound!r}."
                )
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise InvalidInput(
                f"Attribute {self.name!r} is from {self.minimum} to {self.maximum}: the minimum is larger than the maximum."
            )

    def is_for(self, class_name: str) -> bool:
        """Whether labels of that class carry it."""
        return not self.classes or class_name in self.classes

    def is_kind_of(self, value: Any) -> bool:
        """Whether a value is of its kind, though it may be out of its range or none of its values."""
        if self.kind == "number":
            return _is_number(value)
        return isinstance(value, bool if self.kind == "boolean" else str)

    def problem(self, value: Any) -> str | None:
        """Why a value cannot be; None when it can. None itself means that there is no value, and always can be."""
        if value is None:
            return None
        if self.kind == "enum":
            fine = isinstance(value, str) and value in self.values
        elif self.kind == "boolean":
            fine = isinstance(value, bool)
        elif self.kind == "number":
            fine = (
                _is_number(value)
                and (self.minimum is None or value >= self.minimum)
                and (self.maximum is None or value <= self.maximum)
            )
        else:
            fine = isinstance(value, str) and len(value) <= MAX_TEXT
        return None if fine else f"is {self.expected()}, got {value!r:.80}"

    def expected(self) -> str:
        """What a value is, in words."""
        if self.kind == "enum":
            return f"one of {', '.join(self.values)}"
        if self.kind == "boolean":
            return "true or false"
        if self.kind == "text":
            return f"a text of at most {MAX_TEXT} characters"
        if self.minimum is not None and self.maximum is not None:
            return f"a number from {self.minimum:g} to {self.maximum:g}"
        if self.minimum is not None:
            return f"a number of at least {self.minimum:g}"
        return "a number" if self.maximum is None else f"a number of at most {self.maximum:g}"

    def to_json(self) -> dict[str, Any]:
        """The object that HTTP and `--json` give."""
        return {
            "name": self.name,
            "kind": self.kind,
            "required": self.required,
            "values": list(self.values),
            "minimum": self.minimum,
            "maximum": self.maximum,
            "classes": list(self.classes),
            "title": self.title,
            "description": self.description,
        }


def make_attributes(given: Sequence[str | Mapping[str, Any]], known: Sequence[Attribute] = ()) -> tuple[Attribute, ...]:
    """Complete a list of names (of texts) or of partial attribute objects.

    Args:
        given: in the order of the schema.
        known: of the schema so far: an attribute of the same name and kind keeps what is not given anew.

    Raises:
        InvalidInput: an unknown key, a value of the wrong type, a name twice.
    """
    before = {attribute.name: attribute.to_json() for attribute in known}
    made = tuple(_attribute(index, item, before) for index, item in enumerate(given, start=1))
    twice = [name for name, n in Counter(a.name for a in made).items() if n > 1]
    if twice:
        raise InvalidInput(f"Attribute {twice[0]!r} is there twice.")
    if len(made) > _MAX_ATTRIBUTES:
        raise InvalidInput(f"A project has at most {_MAX_ATTRIBUTES} attributes, got {len(made)}.")
    return made


def _attribute(index: int, item: Any, before: Mapping[str, Mapping[str, Any]]) -> Attribute:
    if isinstance(item, str):
        item = {"name": item}
    if not isinstance(item, Mapping) or "name" not in item:
        raise InvalidInput(f"Attribute {index} is a name, or an object with a name; got {item!r:.80}.")
    known = [field.name for field in fields(Attribute)]
    unknown = [key for key in item if key not in known]
    if unknown:
        raise InvalidInput(f"Attribute {item['name']!r} has no {unknown[0]!r}; it has {', '.join(known)}.")
    old = before.get(str(item["name"]), {})
    if old and item.get("kind", old["kind"]) == old["kind"]:
        item = {**old, **item}
    values = {key: value for key, value in item.items() if value is not None}
    for what in ("values", "classes"):
        if what in values:
            if not isinstance(values[what], list | tuple):
                raise InvalidInput(f"The {what} of attribute {item['name']!r} are a list, got {values[what]!r:.80}.")
            values[what] = tuple(values[what])
    return Attribute(**values)


def check_attributes(
    attributes: Sequence[Attribute], class_name: str, values: Mapping[str, Any]
) -> list[tuple[str, str]]:
    """What is wrong with the attributes of a whole label: (name, why), in words that go on after the name.

    Args:
        attributes: of the project's schema.
        class_name: the label's class.
        values: by name; None is no value.
    """
    problems = []
    known = {attribute.name: attribute for attribute in attributes}
    for name, value in values.items():
        if name not in known:
            problems.append((name, f"is none of the project's, which are: {', '.join(known) or 'none yet'}"))
        elif value is not None and not known[name].is_for(class_name):
            problems.append((name, f"is for {' and '.join(known[name].classes)}, not for {class_name!r}"))
        elif (message := known[name].problem(value)) is not None:
            problems.append((name, message))
    problems += (
        (attribute.name, f"is required: {attribute.expected()}")
        for attribute in attributes
        if attribute.required and attribute.is_for(class_name) and values.get(attribute.name) is None
    )
    return problems


def keep_values(attributes: Sequence[Attribute], values: Mapping[str, Any]) -> dict[str, Any]:
    """Checked values in the form in which they are kept: those that are there, numbers as doubles."""
    return {
        attribute.name: float(value) if attribute.kind == "number" else value
        for attribute in attributes
        if (value := values.get(attribute.name)) is not None
    }


def _is_number(value: Any) -> bool:
    """A number that a double holds as it is."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    try:
        return math.isfinite(value) and float(value) == value
    except OverflowError:
        return False
