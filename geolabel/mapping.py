"""What becomes of the labels when a schema changes: renames, merges, splits. Pure; `geolabel.store.schema` carries it out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from geolabel.errors import InvalidInput

if TYPE_CHECKING:
    from geolabel.attributes import Attribute
    from geolabel.classes import LabelClass

_MEMBERS = ("classes", "attributes", "values", "fill")


@dataclass(frozen=True, slots=True)
class Split:
    """A class that becomes several.

    Attributes:
        attribute: by whose value, under the name that it has before the change.
        classes: the new class by value; true and false for a boolean.
        otherwise: the class of labels with another value or none; None leaves them where they are.
    """

    attribute: str
    classes: Mapping[str, str]
    otherwise: str | None = None


@dataclass(frozen=True, slots=True)
class SchemaMapping:
    """Where labels go when their schema changes; what is not named stays as it is.

    Attributes:
        classes: by class as it was: the class that it becomes (the same for several is a merge), or a split.
        attributes: by attribute as it was: its new name, or None to give up its values.
        values: by attribute as it was and value as it was: the value that it becomes, or None for none.
        fill: by attribute as it will be: the value of labels that have none.
    """

    classes: Mapping[str, str | Split] = field(default_factory=dict)
    attributes: Mapping[str, str | None] = field(default_factory=dict)
    values: Mapping[str, Mapping[str, str | None]] = field(default_factory=dict)
    fill: Mapping[str, Any] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return any(getattr(self, name) for name in _MEMBERS)

    def renamed_classes(self) -> dict[str, str]:
        """Classes that become one other class each: merges and renames, not splits."""
        return {old: new for old, new in self.classes.items() if isinstance(new, str)}

    def check(self, classes: tuple[LabelClass, ...], attributes: tuple[Attribute, ...]) -> None:
        """Refuse a mapping from what the schema does not have.

        Args:
            classes: of the schema as it was.
            attributes: of the schema as it was.

        Raises:
            InvalidInput: with what it has.
        """
        known = [c.name for c in classes]
        for name in self.classes:
            if name not in known:
                raise InvalidInput(
                    f"The mapping names the class {name!r}, which the project does not have; it has {', '.join(known)}."
                )
        by_name = {a.name: a for a in attributes}
        splits = [c.attribute for c in self.classes.values() if isinstance(c, Split)]
        for name in (*self.attributes, *self.values, *splits):
            if name not in by_name:
                has = ", ".join(by_name) or "none yet"
                raise InvalidInput(
                    f"The mapping names the attribute {name!r}, which the project does not have; it has {has}."
                )
        for name in splits:
            if by_name[name].kind == "number":
                raise InvalidInput(f"A class is split by an enum, a text or a boolean; {name!r} is a number.")
        for name in self.values:
            if by_name[name].kind not in {"enum", "text"}:
                raise InvalidInput(f"Values are mapped in an enum or a text; {name!r} is a {by_name[name].kind}.")

    def renamed(
        self, classes: tuple[LabelClass, ...], attributes: tuple[Attribute, ...]
    ) -> tuple[tuple[LabelClass, ...], tuple[Attribute, ...]]:
        """The schema that follows from the mapping alone, where nobody gave a new one.

        A class that becomes one that is not there yet is renamed and keeps its id and colour; others that become
        something else leave the schema. Attributes are renamed or leave, and enums take the values that they are given.
        """
        names = self.renamed_classes()
        present = {c.name for c in classes} - {old for old, new in self.classes.items() if new != old}
        made: list[LabelClass] = []
        for c in classes:
            target = self.classes.get(c.name, c.name)
            if target == c.name:
                made.append(c)
            elif isinstance(target, Split):
                if c.name in {target.otherwise, *target.classes.values()} or target.otherwise is None:
                    made.append(c)
            elif target not in present:
                present.add(target)
                made.append(replace(c, name=target))
        left = {c.name for c in made}
        made = [replace(c, parent=names.get(c.parent, c.parent) if c.parent else None) for c in made]
        made = [replace(c, parent=c.parent if c.parent in left - {c.name} else None) for c in made]
        return tuple(made), tuple(self._attribute(a, names, left) for a in attributes if self._stays(a))

    def _stays(self, attribute: Attribute) -> bool:
        return self.attributes.get(attribute.name, attribute.name) is not None

    def _attribute(self, attribute: Attribute, names: Mapping[str, str], left: set[str]) -> Attribute:
        values = attribute.values
        if attribute.kind == "enum" and attribute.name in self.values:
            becomes = self.values[attribute.name]
            values = tuple(v for v in dict.fromkeys(becomes.get(v, v) for v in values) if v is not None)
        of = tuple(dict.fromkeys(names.get(c, c) for c in attribute.classes))
        return replace(
            attribute,
            name=self.attributes.get(attribute.name) or attribute.name,
            values=values,
            classes=tuple(c for c in of if c in left),
        )


def read_mapping(value: Any) -> SchemaMapping:
    """Read the object that HTTP and the command line take: `classes`, `attributes`, `values`, `fill`.

    Raises:
        InvalidInput: another member, or a value of another type.
    """
    if not isinstance(value, Mapping) or not set(value) <= set(_MEMBERS):
        raise InvalidInput(f"A mapping is an object with any of {', '.join(_MEMBERS)}; got {value!r:.120}.")
    for name in _MEMBERS:
        if not isinstance(value.get(name, {}), Mapping):
            raise InvalidInput(f"The {name} of a mapping are an object; got {value[name]!r:.80}.")
    return SchemaMapping(
        classes={str(old): _class(str(old), new) for old, new in value.get("classes", {}).items()},
        attributes={str(old): _text(f"attribute {old}", new) for old, new in value.get("attributes", {}).items()},
        values={str(name): _values(str(name), of) for name, of in value.get("values", {}).items()},
        fill=dict(value.get("fill", {})),
    )


def _class(old: str, new: Any) -> str | Split:
    if isinstance(new, str):
        return new
    if (
        not isinstance(new, Mapping)
        or not {"attribute", "classes"} <= set(new) <= {"attribute", "classes", "otherwise"}
        or not isinstance(new["classes"], Mapping)
        or not new["classes"]
        or not all(isinstance(text, str) for text in (new["attribute"], *new["classes"].values()))
        or not isinstance(new.get("otherwise"), str | None)
    ):
        raise InvalidInput(
            f"Class {old!r} becomes another class, or is split: expected its name, or "
            '{"attribute": NAME, "classes": {VALUE: CLASS}, "otherwise"?: CLASS}; '
            f"got {new!r:.120}."
        )
    by_value = {str(value).lower() if isinstance(value, bool) else str(value): c for value, c in new["classes"].items()}
    return Split(new["attribute"], by_value, new.get("otherwise"))


def _values(name: str, of: Any) -> dict[str, str | None]:
    if not isinstance(of, Mapping):
        raise InvalidInput(f"The values of {name!r} are mapped by an object, old to new; got {of!r:.80}.")
    return {str(old): _text(f"value {old!r} of {name!r}", new) for old, new in of.items()}


def _text(what: str, value: Any) -> str | None:
    if value is not None and not isinstance(value, str):
        raise InvalidInput(f"The {what} becomes a text, or null for none; got {value!r:.80}.")
    return value
