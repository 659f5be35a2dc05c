"""The label schema: classes, what they may be, and how a short list of names becomes one."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import chain, count, repeat
from typing import TYPE_CHECKING, Any, Literal

from geolabel.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Sequence

# Handed out in this order: told apart under normal, protan, deutan and tritan sight.
CLASS_COLORS = (
    "#e13c62",
    "#4478ff",
    "#2a8b6c",
    "#f0c107",
    "#c559ad",
    "#72bdb9",
    "#cf7d1e",
    "#a3fa94",
    "#b49bef",
    "#fdd8ce",
    "#aab37b",
    "#dceaf7",
)

GeometryKind = Literal["point", "line", "polygon"]
GEOMETRY_KINDS: tuple[GeometryKind, ...] = ("point", "line", "polygon")

MAX_PRIORITY = 1_000_000


@dataclass(frozen=True, slots=True)
class LabelClass:
    """One class of a project's schema.

    Attributes:
        id: 1..65534; the value in masks and COCO's category_id. 0 is background.
        name: as people read it; unique in the project.
        color: `#rrggbb`.
        hotkey: a single character, or None. Digits 1-9 are given out in order.
        parent: the name of the class above it, or None.
        kind: `thing` (countable) or `stuff` (ground cover).
        geometries: the kinds of shape that may carry it.
        priority: higher is burnt over lower in masks.
        description: what to label with it, for people.
    """

    id: int
    name: str
    color: str
    hotkey: str | None = None
    parent: str | None = None
    kind: Literal["thing", "stuff"] = "thing"
    geometries: tuple[GeometryKind, ...] = GEOMETRY_KINDS
    priority: int = 0
    description: str = ""

    def __post_init__(self) -> None:
        for what in ("name", "color", "hotkey", "parent", "description"):
            value = getattr(self, what)
            if not isinstance(value, str) and not (value is None and what in {"hotkey", "parent"}):
                raise InvalidInput(f"A class's {what} is text, got {value!r} for {self.name!r}; in YAML, quote it.")
        for what, low, high in (("id", 1, 65534), ("priority", -MAX_PRIORITY, MAX_PRIORITY)):
            value = getattr(self, what)
            if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
                raise InvalidInput(
                    f"A class {what} is a whole number, {low} to {high}, got {value!r} for {self.name!r}."
                )
        if not self.name.strip() or self.name != self.name.strip() or not self.name.isprintable():
            raise InvalidInput(f"A class name is printable text with no space around it, got {self.name!r}.")
        if not re.fullmatch(r"#[0-9a-f]{6}", self.color):
            raise InvalidInput(f"A class colour is #rrggbb in lower case, got {self.color!r} for {self.name!r}.")
        if self.hotkey is not None and len(self.hotkey) != 1:
            raise InvalidInput(f"A hotkey is one character, got {self.hotkey!r} for {self.name!r}.")
        if self.kind not in ("thing", "stuff"):
            raise InvalidInput(f"A class kind is 'thing' or 'stuff', got {self.kind!r} for {self.name!r}.")
        if not self.geometries or any(kind not in GEOMETRY_KINDS for kind in self.geometries):
            raise InvalidInput(
                f"The geometries of a class are among {', '.join(GEOMETRY_KINDS)}, got {list(self.geometries)} for {self.name!r}."
            )

    def to_json(self) -> dict[str, Any]:
        """The object that HTTP, `--json` and the manifest give."""
        return {
            "id": self.id,
            "name": self.name,
            "color": self.color,
            "hotkey": self.hotkey,
            "parent": self.parent,
            "kind": self.kind,
            "geometries": list(self.geometries),
            "priority": self.priority,
            "description": self.description,
        }


COVERAGE_CLASSES = (
    LabelClass(
        1,
        "seen",
        "#2a8b6c",
        None,
        None,
        "stuff",
        ("polygon",),
        0,
        "Ground that was looked at: it is labelled, or empty.",
    ),
    LabelClass(
        2, "ignore", "#9aa0a6", None, None, "stuff", ("polygon",), 1, "Ground that no dataset shall learn from."
    ),
)
"""The classes of a project's coverage."""


def make_classes(given: Sequence[str | Mapping[str, Any]], known: Sequence[LabelClass] = ()) -> tuple[LabelClass, ...]:
    """Complete a list of names or of partial class objects: free ids from 1, colours and free digit hotkeys in order.

    Args:
        given: in the order of the schema.
        known: of the schema so far: a class of the same name keeps what is not given anew, and no other gets its id.

    Raises:
        InvalidInput: a name twice, an unknown key, a value of the wrong type, an id twice, a parent that is not in the list.
    """
    items = [_class_item(index, item) for index, item in enumerate(given, start=1)]
    before = {c.name: asdict(c) for c in known}
    items = [{**before.get(str(item["name"]), {}), **item} for item in items]
    ids, hotkeys = ([item[what] for item in items if what in item] for what in ("id", "hotkey"))
    ids += [c.id for c in known]
    free_id = (number for number in count(1) if number not in ids)
    free_hotkey = chain((digit for digit in "123456789" if digit not in hotkeys), repeat(None))
    classes = [
        LabelClass(
            **{
                "id": item["id"] if "id" in item else next(free_id),
                "color": CLASS_COLORS[index % len(CLASS_COLORS)],
                "hotkey": item["hotkey"] if "hotkey" in item else next(free_hotkey),
                **item,
            }
        )
        for index, item in enumerate(items)
    ]
    repeatable: list[tuple[str, list[str | int]]] = [
        ("name", [c.name for c in classes]),
        ("id", [c.id for c in classes]),
        ("hotkey", [c.hotkey for c in classes if c.hotkey]),
    ]
    for what, taken in repeatable:
        twice = sorted(str(value) for value, times in Counter(taken).items() if times > 1)
        if twice:
            raise InvalidInput(f"A class {what} may appear once; given more than once: {', '.join(twice)}.")
    _check_parents(classes)
    return tuple(classes)


def _check_parents(classes: Sequence[LabelClass]) -> None:
    parents = {c.name: c.parent for c in classes}
    for c in classes:
        if c.parent is not None and (c.parent not in parents or c.parent == c.name):
            raise InvalidInput(
                f"Class {c.name!r} names the parent {c.parent!r}, which is not another class of the list."
            )
        line = [c.name]
        while (above := parents[line[-1]]) is not None and above in parents:
            if above in line:
                raise InvalidInput(
                    f"The classes {' > '.join([*line, above])} are each above the other: a class has a parent further up."
                )
            line.append(above)


def _class_item(number: int, item: str | Mapping[str, Any]) -> dict[str, Any]:
    """What was given for a class, by the names of LabelClass."""
    values: dict[str, Any] = dict(item) if isinstance(item, Mapping) else {"name": item}
    fields = set(LabelClass.__dataclass_fields__)
    if "name" not in values or not set(values) <= fields:
        raise InvalidInput(
            f"Class {number} cannot be read: expected 'name' and any of {', '.join(sorted(fields))}, got {sorted(map(str, values))}."
        )
    values = {key: value for key, value in values.items() if value is not None or key in {"name", "hotkey", "parent"}}
    if isinstance(values.get("color"), str):
        values["color"] = values["color"].lower()
    if "geometries" in values:
        kinds = values["geometries"] or GEOMETRY_KINDS
        values["geometries"] = tuple(kinds) if isinstance(kinds, list | tuple) else (kinds,)
    return values
