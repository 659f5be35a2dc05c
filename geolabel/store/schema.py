"""A project's schema changes: its columns come, go and are renamed, labels follow a mapping, and what would orphan one is refused.

All of it is set-based SQL in one transaction: the labels that a mapping changes go into history by INSERT .. SELECT and get
their next version as one change set of the kind `schema`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
import sqlalchemy as sa
from sqlalchemy.schema import CreateColumn

from geolabel.errors import InvalidInput, Problem
from geolabel.mapping import SchemaMapping, Split
from geolabel.store import history
from geolabel.store.dialect import spatial
from geolabel.store.tables import COLUMN_TYPES, STATE, feature_table, features
from geolabel.store.tables import history as states

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import ColumnElement, Connection, Table

    from geolabel.attributes import Attribute
    from geolabel.classes import GeometryKind
    from geolabel.model import Project
    from geolabel.store.layers import Layer

_ROWS_AT_ONCE = 20_000
_LISTED = 8
# By shapely's type id: point, line, (ring), polygon, and the Multi forms.
_KINDS: tuple[GeometryKind | None, ...] = ("point", "line", None, "polygon", "point", "line", "polygon", None)


def change(
    connection: Connection,
    layer: Layer,
    project: Project,
    mapping: SchemaMapping,
    *,
    at: str,
    author: str | None,
) -> None:
    """Bring the labels of a layer from one schema to another.

    Args:
        connection: in a write transaction.
        layer: as it was.
        project: with the new classes and attributes.
        mapping: where labels go.
        at: when.
        author: who does it.

    Raises:
        InvalidInput: a mapping from what is not there, or labels that would not fit the new schema, with their numbers.
    """
    before = layer.project
    check_references(project)
    if (before.classes, before.attributes) == (project.classes, project.attributes) and not mapping:
        return
    if layer.hidden:
        raise InvalidInput(
            f"The schema of project {project.id!r} cannot change while labels are being imported into it: "
            "wait until the import is done, or cancel it.",
        )
    mapping.check(before.classes, before.attributes)
    columns = _Columns.of(before, project, mapping)
    columns.make_room(connection)
    _carry_out(connection, layer, project, mapping, columns, at=at, author=author)
    problems = [
        *_given_up(connection, columns, mapping),
        *_class_problems(connection, layer, project, mapping),
        *_attribute_problems(connection, before, project, mapping),
    ]
    if problems:
        listed = "; ".join(p.message for p in problems[:_LISTED])
        raise InvalidInput(
            f"The schema of project {project.id!r} was not changed, because labels would not fit it: {listed}. "
            "Change those labels first, or say with a mapping what becomes of them.",
            problems,
        )
    columns.drop_old(connection)


def check_references(project: Project) -> None:
    """Refuse attributes for classes that the schema does not have.

    Raises:
        InvalidInput: with the name.
    """
    known = [c.name for c in project.classes]
    for attribute in project.attributes:
        for name in attribute.classes:
            if name not in known:
                raise InvalidInput(
                    f"Attribute {attribute.name!r} is for class {name!r}, which project {project.id!r} does not have; "
                    f"it has {', '.join(known)}.",
                    [Problem("/attributes", name)],
                )


@dataclass(frozen=True, slots=True)
class _Columns:
    """How the columns of a project's table change.

    Attributes:
        table: its name.
        moved: (from, to) by which columns are renamed, in order; those that go get a name that no attribute has.
        added: attributes that get a new column.
        going: attributes whose columns go at the end, and the names that these have until then.
        was: by attribute as it was: the name of its column while the labels change.
        during: the table while the labels change.
    """

    table: str
    moved: tuple[tuple[str, str], ...]
    added: tuple[Attribute, ...]
    going: tuple[tuple[Attribute, str], ...]
    was: dict[str, str]
    during: Table

    @classmethod
    def of(cls, before: Project, after: Project, mapping: SchemaMapping) -> _Columns:
        new = {a.name: a for a in after.attributes}
        away: list[tuple[str, str]] = []
        to: list[tuple[str, str]] = []
        going: list[tuple[Attribute, str]] = []
        was: dict[str, str] = {}
        for index, attribute in enumerate(before.attributes):
            name, aside = attribute.name, f"_{index}"
            target = mapping.attributes.get(name, name)
            if target in new and type(COLUMN_TYPES[new[target].kind]) is type(COLUMN_TYPES[attribute.kind]):
                was[name] = target
                if target != name:
                    away.append((name, aside))
                    to.append((aside, target))
            else:
                was[name] = aside
                away.append((name, aside))
                going.append((attribute, aside))
        kept = set(was.values())
        added = tuple(a for a in after.attributes if a.name not in kept)
        columns = [*((was[a.name], a.kind) for a in before.attributes), *((a.name, a.kind) for a in added)]
        during = feature_table(before.id, tuple(columns))
        return cls(before.id, (*away, *to), added, tuple(going), was, during)

    def make_room(self, connection: Connection) -> None:
        """Rename and add columns; those that go are still there, under another name."""
        for old, new in self.moved:
            connection.exec_driver_sql(f'ALTER TABLE "{self.table}" RENAME COLUMN "{old}" TO "{new}"')
        for attribute in self.added:
            column = sa.Column(attribute.name, COLUMN_TYPES[attribute.kind])
            sa.Table(self.table, sa.MetaData(), column)
            words = CreateColumn(column).compile(dialect=connection.dialect)
            connection.exec_driver_sql(f'ALTER TABLE "{self.table}" ADD COLUMN {words}')

    def drop_old(self, connection: Connection) -> None:
        """Drop the columns that go."""
        for _, aside in self.going:
            connection.exec_driver_sql(f'ALTER TABLE "{self.table}" DROP COLUMN "{aside}"')


def _carry_out(
    connection: Connection,
    layer: Layer,
    project: Project,
    mapping: SchemaMapping,
    columns: _Columns,
    *,
    at: str,
    author: str | None,
) -> None:
    """Give the labels that the mapping changes their next version."""
    table = columns.during
    values, touched = _changes(project, mapping, columns)
    if not touched:
        return
    affected = sa.or_(*touched)
    count = connection.execute(sa.select(sa.func.count()).select_from(table).where(affected)).scalar_one()
    if not count:
        return
    number = history.open_changeset(connection, layer, at=at, author=author, kind="schema", counts={"update": count})
    kept: dict[str, ColumnElement[Any]] = {name: table.c[name] for name in STATE}
    kept |= {
        "project": sa.literal(layer.key),
        "operation": sa.case((table.c.version == 1, "create"), else_="update"),
        "attributes": spatial(connection).as_json(
            {a.name: (a.kind, table.c[columns.was[a.name]]) for a in layer.project.attributes}
        ),
        "until": sa.literal(number),
    }
    past = sa.select(*(value.label(f"_{name}") for name, value in kept.items())).where(affected)
    connection.execute(sa.insert(states).from_select(list(kept), past, include_defaults=False))
    change_ = sa.update(table).where(affected).values(version=table.c.version + 1, changeset=number, updated_at=at)
    connection.execute(change_.values(values))
    spatial(connection).touched(connection, layer.table, at)


def _changes(
    project: Project, mapping: SchemaMapping, columns: _Columns
) -> tuple[dict[str, ColumnElement[Any]], list[ColumnElement[bool]]]:
    """What columns become, and the conditions under which something does."""
    table = columns.during
    name = table.c["class"]
    values: dict[str, ColumnElement[Any]] = {}
    touched: list[ColumnElement[bool]] = []
    new_class: ColumnElement[Any] = name
    cases = [case for old, new in mapping.classes.items() for case in _class_cases(table, columns, old, new)]
    if cases:
        new_class = sa.case(*cases, else_=name)
        values["class"] = new_class
        touched.append(new_class != name)
    for old, becomes in mapping.values.items():
        column = table.c[columns.was[old]]
        changed = {value: new for value, new in becomes.items() if value != new}
        if changed:
            values[column.name] = sa.case(
                *((column == value, sa.literal(new, sa.Text())) for value, new in changed.items()), else_=column
            )
            touched.append(column.in_(changed))
    for old, target in mapping.attributes.items():
        if old != target:
            touched.append(table.c[columns.was[old]].is_not(None))
    by_name = {a.name: a for a in project.attributes}
    for target, value in mapping.fill.items():
        attribute = by_name.get(target)
        if attribute is None or value is None or (message := attribute.problem(value)) is not None:
            why = "is none of the new schema" if attribute is None else message or "is filled with a value"
            raise InvalidInput(f"The mapping fills {target!r}, which {why}.", [Problem(f"/mapping/fill/{target}", why)])
        column = table.c[target]
        # A value that the mapping takes away leaves none, which is then filled.
        left = values.get(target, column)
        wanted = new_class.in_(attribute.classes) if attribute.classes else sa.true()
        values[target] = sa.case((left.is_(None) & wanted, value), else_=left)
        touched.append(left.is_(None) & wanted)
    return values, touched


def _class_cases(
    table: Table, columns: _Columns, old: str, new: str | Split
) -> Iterator[tuple[ColumnElement[bool], str]]:
    mine = table.c["class"] == old
    if isinstance(new, str):
        yield mine, new
        return
    column = table.c[columns.was[new.attribute]]
    boolean = isinstance(column.type, sa.Boolean)
    for value, target in new.classes.items():
        yield mine & (column.is_(sa.true() if value == "true" else sa.false()) if boolean else column == value), target
    if new.otherwise is not None:
        yield mine, new.otherwise


def _given_up(connection: Connection, columns: _Columns, mapping: SchemaMapping) -> Iterator[Problem]:
    """Attributes that leave the schema, or change their type, while labels have values."""
    for attribute, aside in columns.going:
        if mapping.attributes.get(attribute.name, "") is None:
            continue
        column = columns.during.c[aside]
        count = connection.execute(sa.select(sa.func.count(column))).scalar_one()
        if count:
            message = f"{count} labels have a value of attribute {attribute.name!r}, which the new schema leaves out or keeps as another kind"
            yield Problem(f"/attributes/{attribute.name}", message)


def _class_problems(
    connection: Connection, layer: Layer, project: Project, mapping: SchemaMapping
) -> Iterator[Problem]:
    """Labels of classes that are gone, and shapes that their class does not take any more."""
    table = features(project.id, project.attributes)
    name = table.c["class"]
    rows = connection.execute(sa.select(name, sa.func.count()).group_by(name))
    carried = {name: n for name, n in rows}  # noqa: C416 (rows of two, which dict() has no type for)
    known = [c.name for c in project.classes]
    for lost, count in carried.items():
        if lost not in known:
            yield Problem("/classes", f"{count} labels carry class {lost!r}, which the new schema leaves out")
    old = {c.name: set(c.geometries) for c in layer.project.classes}
    reached = set(mapping.renamed_classes().values())
    reached.update(
        t for c in mapping.classes.values() if isinstance(c, Split) for t in (*c.classes.values(), c.otherwise or "")
    )
    for c in project.classes:
        narrowed = bool(old.get(c.name, set()) - set(c.geometries)) or c.name in reached
        if not narrowed or c.name not in carried or len(c.geometries) == len(set(_KINDS) - {None}):
            continue
        for kind, count in _kinds(connection, table, c.name).items():
            if kind not in c.geometries:
                what = f"{count} labels of class {c.name!r} are drawn as a {kind}, which it does not take"
                yield Problem(f"/classes/{c.name}", what)


def _kinds(connection: Connection, table: Table, class_name: str) -> Counter[str]:
    """How many labels of a class are drawn as what."""
    found: Counter[str] = Counter()
    shapes = sa.select(table.c.geom).where(table.c["class"] == class_name)
    result = connection.execute(shapes, execution_options={"yield_per": _ROWS_AT_ONCE})
    for values in result.scalars().partitions():
        ids, counts = np.unique(shapely.get_type_id(spatial(connection).decode(values)), return_counts=True)
        found.update({_KINDS[i] or "collection": n for i, n in zip(ids.tolist(), counts.tolist(), strict=True)})
    return found


def _attribute_problems(
    connection: Connection, before: Project, project: Project, mapping: SchemaMapping
) -> Iterator[Problem]:
    """Values that their attribute does not take any more, and labels without a value that is required now."""
    table = features(project.id, project.attributes)
    old = {mapping.attributes.get(a.name, a.name): a for a in before.attributes}
    for attribute in project.attributes:
        same = old.get(attribute.name) == attribute and not mapping.classes and not mapping.values
        if same:
            continue
        for count, what in _misfits(connection, table, attribute):
            yield Problem(f"/attributes/{attribute.name}", f"{count} labels {what}")


def _misfits(connection: Connection, table: Table, attribute: Attribute) -> Iterator[tuple[int, str]]:
    column, name = table.c[attribute.name], table.c["class"]

    def count(*conditions: ColumnElement[bool]) -> int:
        return connection.execute(sa.select(sa.func.count()).select_from(table).where(*conditions)).scalar_one()

    if attribute.kind == "enum":
        strange = sa.select(column, sa.func.count()).where(column.not_in(attribute.values)).group_by(column)
        for value, n in connection.execute(strange.limit(_LISTED)):
            yield n, f"have the value {value!r} of {attribute.name!r}, which it does not take"
    bounds = [
        *([] if attribute.minimum is None else [column < attribute.minimum]),
        *([] if attribute.maximum is None else [column > attribute.maximum]),
    ]
    if bounds and (n := count(sa.or_(*bounds))):
        yield n, f"have a value of {attribute.name!r} that is not {attribute.expected()}"
    if attribute.classes and (n := count(column.is_not(None), name.not_in(attribute.classes))):
        yield n, f"have a value of {attribute.name!r}, which is for {_listed(attribute.classes)} only"
    if attribute.required:
        wanted = [name.in_(attribute.classes)] if attribute.classes else []
        if n := count(column.is_(None), *wanted):
            yield n, f"have no value of {attribute.name!r}, which is required"


def _listed(names: Sequence[str]) -> str:
    return " and ".join(map(repr, names))
