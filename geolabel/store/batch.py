"""Many edits as one change set: all of them or none."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from geolabel.errors import InvalidInput, Problem, VersionConflict
from geolabel.model import AnnotationPatch, NewAnnotation
from geolabel.store import annotations as labels
from geolabel.store import history, idempotency, layers
from geolabel.store.states import to_annotations
from geolabel.store.writing import Step, write

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Connection, RowMapping

    from geolabel.model import Annotation
    from geolabel.store.idempotency import Once
    from geolabel.store.layers import Layer

MAX_EDITS = 10_000
"""So many annotations change in one batch at most; more come in with an import."""

_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Edit:
    """A change of one annotation.

    Attributes:
        id: of the annotation.
        new: the whole state that it gets, or a patch of it; None takes it away.
        expected: the version that must be current; None to win in any case. That of its delete brings it back.
    """

    id: int
    new: NewAnnotation | AnnotationPatch | None = None
    expected: int | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """Edits that belong together.

    Attributes:
        create: new annotations.
        update: edits with a new state.
        delete: edits without one.
    """

    create: Sequence[NewAnnotation] = ()
    update: Sequence[Edit] = ()
    delete: Sequence[Edit] = ()

    def __len__(self) -> int:
        return len(self.create) + len(self.update) + len(self.delete)

    def edits(self) -> Iterator[tuple[str, Edit]]:
        """Updates and deletes, each with its JSON pointer."""
        for name in ("update", "delete"):
            for index, edit in enumerate(getattr(self, name)):
                yield f"/{name}/{index}", edit


@dataclass(frozen=True, slots=True)
class BatchResult:
    """What a batch left, in the order in which its edits were given.

    Attributes:
        changeset: its number; None when there was nothing to do.
        created: as they are now.
        updated: as they are now.
        deleted: as they were, each with the version of its delete.
    """

    changeset: int | None = None
    created: Sequence[Annotation] = field(default_factory=list)
    updated: Sequence[Annotation] = field(default_factory=list)
    deleted: Sequence[Annotation] = field(default_factory=list)


def batch(
    connection: Connection,
    project: str,
    edits: Batch,
    *,
    at: str,
    author: str | None,
    comment: str | None,
    once: Once | None,
) -> BatchResult:
    """Write edits as one change set. See Store.batch."""
    layer = layers.find(connection, project)
    if once is not None and (given := idempotency.find(connection, layer, once)) is not None:
        return _again(connection, layer, given)
    _check_size(edits)
    steps = _steps(connection, layer, edits, at=at, author=author)
    result = BatchResult()
    if steps:
        number = write(connection, layer, steps, at=at, author=author, kind="batch", comment=comment)
        made: dict[str, list[Annotation]] = {"create": [], "update": [], "delete": []}
        for step in steps:
            made[step.operation].append(step.after)
        result = BatchResult(number, made["create"], made["update"], made["delete"])
    if once is not None:
        idempotency.keep(connection, layer, once, _kept(result), at=at)
    return result


def _check_size(edits: Batch) -> None:
    if len(edits) > MAX_EDITS:
        raise InvalidInput(
            f"A batch changes at most {MAX_EDITS:,} annotations, got {len(edits):,}: send several, or import them."
        )
    times = Counter(edit.id for _, edit in edits.edits())
    twice = [
        Problem(f"{place}/id", f"{edit.id} is edited twice") for place, edit in edits.edits() if times[edit.id] > 1
    ]
    if twice:
        raise InvalidInput(
            f"A batch edits an annotation once: {twice[1].message} (at {twice[1].pointer}).", twice[:_SHOWN]
        )


def _steps(connection: Connection, layer: Layer, edits: Batch, *, at: str, author: str | None) -> list[Step]:
    rows = labels.find_rows(connection, layer, [edit.id for _, edit in edits.edits()])
    buried = _check_current(connection, layer, edits, rows)
    found = [*rows.values(), *buried]
    before = {annotation.id: annotation for annotation in to_annotations(connection, found, layer)}
    pointers = [f"/create/{index}" for index in range(len(edits.create))]
    steps = labels.to_create(connection, layer, edits.create, at=at, author=author, pointers=pointers)
    for place, edit in edits.edits():
        row, was = rows.get(edit.id), before[edit.id]
        pointers.append(place)
        if edit.new is None:
            assert row is not None
            steps.append(labels.to_delete(row, was, at=at))
        else:
            new = labels.patched(layer, was, edit.new) if isinstance(edit.new, AnnotationPatch) else edit.new
            steps.append(labels.to_update(layer, was, new, row=row, at=at, pointer=place))
    labels.check_external_ids(connection, layer, steps, pointers)
    return steps


def _check_current(connection: Connection, layer: Layer, edits: Batch, rows: dict[int, RowMapping]) -> list[RowMapping]:
    """Refuse edits of what never was (that is a mistake), and of what somebody else has changed (a conflict).

    Returns:
        The deletes that updates name as the version that they expect: those annotations come back.
    """
    unknown, conflicts = [], []
    buried: list[RowMapping] = []
    last = 0
    for place, edit in edits.edits():
        row = rows.get(edit.id)
        if row is not None:
            if edit.expected not in {None, row["version"]}:
                last = row["version"]
                conflicts.append(Problem(place, f"annotation {edit.id} is at version {last}, not {edit.expected}"))
        elif (gone := history.tombstone(connection, layer, edit.id)) is not None:
            last = gone["version"]
            if edit.new is not None and edit.expected == last:
                buried.append(gone)
                continue
            conflicts.append(Problem(place, f"annotation {edit.id} was deleted (version {last})"))
        else:
            unknown.append(Problem(f"{place}/id", f"there is no annotation {edit.id} in project {layer.project.id!r}"))
    if unknown:
        raise InvalidInput(
            f"Nothing of the batch was written: {unknown[0].message} (at {unknown[0].pointer}).", unknown
        )
    if conflicts:
        raise VersionConflict(
            f"Nothing of the batch was written: {conflicts[0].message} (at {conflicts[0].pointer}); {len(conflicts)} of "
            f"{len(edits)} edits meet what somebody else has changed in the meantime. Read those again and repeat the batch.",
            last,
            conflicts,
        )
    return buried


def _kept(result: BatchResult) -> dict[str, Any]:
    names = ("created", "updated", "deleted")
    return {"changeset": result.changeset} | {
        name: [(annotation.id, annotation.version) for annotation in getattr(result, name)] for name in names
    }


def _again(connection: Connection, layer: Layer, given: dict[str, Any]) -> BatchResult:
    """What a batch gave, from the versions that it made."""
    return BatchResult(
        given["changeset"],
        *(history.states(connection, layer, given[name]) for name in ("created", "updated", "deleted")),
    )
