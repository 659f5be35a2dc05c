"""What became of a file of labels, and what is wrong with one that is refused."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from geolabel.errors import InvalidGeometry, InvalidInput, Problem, UnknownClass
from geolabel.formats.base import cannot_be_read

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from _typeshed import DataclassInstance

    from geolabel.errors import GeolabelError
    from geolabel.model import Project

_SHOWN = 1000
"""Problems that are listed one by one; beyond, they are only counted."""


_TOLD = 10
"""Problems that the terminal tells."""


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What became of a file of labels.

    Attributes:
        file: its name.
        changeset: number of the change set that holds the import; None when there was nothing to write.
        read: features in it.
        imported: annotations made.
        updated: annotations whose feature has changed in the source since its last import.
        unchanged: features that are here already, just as they are; nothing was written.
        kept: features that have not changed in the source, but whose annotation was edited or deleted here: it stays so.
        overwritten: of the updated, those that had been edited here as well; their history keeps the edits.
        gone: annotations of an earlier import of this source that it does not have any more.
        deleted: how many of them were deleted, because it was asked for.
        ids: first and last id given; None when none was.
        by_class: features by class name, those that were left out not counted.
        repaired: shapes changed to become valid.
        area_change: sum over the repaired of |area after - area before|, in square units of the file's CRS.
        skipped: features left out because their shape could not be used.
        reasons: how many were left out for which reason.
        outside: imported although they touch no scene of the project.
        measures: shapes that had measures (M), which are not kept.
        external_columns: columns that bear a name of geolabel's own; their values are kept under `external`.
        dropped_columns: columns that the project has no place for.
        problems: one sentence per shape repaired or skipped, the first thousand.
    """

    file: str
    changeset: int | None
    read: int
    imported: int
    updated: int
    unchanged: int
    kept: int
    overwritten: int
    gone: int
    deleted: int
    ids: tuple[int, int] | None
    by_class: dict[str, int]
    repaired: int
    area_change: float
    skipped: int
    reasons: dict[str, int]
    outside: int
    measures: int
    external_columns: tuple[str, ...]
    dropped_columns: tuple[str, ...]
    problems: tuple[Problem, ...]

    def to_json(self) -> dict[str, Any]:
        """The object that HTTP and `--json` give."""
        return report_json(self)

    def lines(self, project: str) -> Iterator[str]:
        """The same as sentences for people."""
        yield f"Imported {self.imported:,} of {self.read:,} features of {self.file} into {project}."
        numbers = (
            (self.updated, "were updated: they have changed in the file"),
            (self.overwritten, "of them had been edited here, too; their history keeps that"),
            (self.unchanged, "were here already, just as they are"),
            (self.kept, "were edited or deleted here since and have not changed in the file: they stay as they are"),
            (self.deleted, "were deleted: the file does not have them any more"),
            (self.gone - self.deleted, "are here and not in the file any more; --prune deletes them"),
            (self.repaired, f"were repaired; their area changed by {self.area_change:.6g} square units in all"),
            (self.skipped, "were skipped"),
            (self.outside, "touch no scene of the project"),
            (self.measures, "had measures (M), which are not kept"),
        )
        yield from report_lines(self.by_class, numbers, self.reasons, self.problems)
        if self.external_columns:
            yield f"  Columns kept under 'external', for geolabel has others of that name: {', '.join(self.external_columns)}"
        if self.dropped_columns:
            yield f"  Columns not kept: {', '.join(self.dropped_columns)}"


def report_json(report: DataclassInstance) -> dict[str, Any]:
    """The fields of a report with `ids` and `problems`, as HTTP and `--json` give them."""
    fields = asdict(report)
    fields["ids"] = list(fields["ids"]) if fields["ids"] else None
    fields["problems"] = [{"pointer": p["pointer"], "message": p["message"]} for p in fields["problems"]]
    return fields


def report_lines(
    by_class: Mapping[str, int],
    numbers: Iterable[tuple[int, str]],
    reasons: Mapping[str, int],
    problems: Sequence[Problem],
) -> Iterator[str]:
    """What became of the features of a file, as sentences for people.

    Args:
        by_class: how many of each class.
        numbers: of which there are some is said, with words that go on from the number.
        reasons: how many were left out for which reason.
        problems: the first are told.
    """
    for name, number in by_class.items():
        yield f"  {name:24} {number:8,}"
    for number, what in numbers:
        if number:
            yield f"  {number:,} {what}"
    for reason, number in reasons.items():
        yield f"    {number:,} because {reason}"
    for problem in problems[:_TOLD]:
        yield f"    {problem.pointer}: {problem.message}"
    if len(problems) > _TOLD:
        yield f"    and {len(problems) - _TOLD:,} more; --json lists them"


@dataclass(slots=True)
class Listed:
    """Problems of one sort, counted all and kept as far as anybody reads them."""

    count: int = 0
    first: list[Problem] = field(default_factory=list)

    def extend(self, problems: Sequence[Problem], count: int | None = None) -> None:
        """Add some; `count` when there are more of them than are listed."""
        self.count += len(problems) if count is None else count
        self.first += problems[: _SHOWN - len(self.first)]

    def join(self, other: Listed) -> None:
        """Add those of a later batch."""
        self.extend(other.first, other.count)


@dataclass(slots=True)
class Refusals:
    """What keeps a file out, sort by sort; the import goes on reading to tell all of it.

    Attributes:
        unreadable: geometries that are none.
        unknown: classes that the project does not have, with how many features say so.
        classes: the same, feature by feature.
        invalid: shapes that cross themselves and the like, under the policy `reject`.
        kinds: shapes of a kind that their class does not take.
        values: attributes, times and the like that cannot be.
    """

    unreadable: Listed = field(default_factory=Listed)
    unknown: Counter[str] = field(default_factory=Counter)
    classes: Listed = field(default_factory=Listed)
    invalid: Listed = field(default_factory=Listed)
    kinds: Listed = field(default_factory=Listed)
    values: Listed = field(default_factory=Listed)

    def __bool__(self) -> bool:
        return any(sort.count for sort in self._sorts())

    def _sorts(self) -> tuple[Listed, ...]:
        return self.unreadable, self.classes, self.invalid, self.kinds, self.values

    def join(self, other: Refusals) -> None:
        """Add those of a later batch."""
        self.unknown += other.unknown
        for mine, theirs in zip(self._sorts(), other._sorts(), strict=True):
            mine.join(theirs)

    def error(self, name: str, project: Project) -> GeolabelError:
        """What to raise: the first sort of them, with its problems."""
        if self.unreadable.count:
            return cannot_be_read(name, self.unreadable.first, self.unreadable.count)
        if self.classes.count:
            return self._unknown_classes(name, project)
        if self.invalid.count:
            first = self.invalid.first[0]
            more = f" and {self.invalid.count - 1} more" if self.invalid.count > 1 else ""
            return InvalidGeometry(
                f"The shape of {first.pointer} was refused: {first.message}{more}. Mend it, or import with on-invalid repair or skip.",
                self.invalid.first,
            )
        sort = self.kinds if self.kinds.count else self.values
        first = sort.first[0]
        return InvalidInput(
            f"{first.pointer[:1].upper()}{first.pointer[1:]} was refused: {first.message} ({sort.count} such features).",
            sort.first,
        )

    def _unknown_classes(self, name: str, project: Project) -> UnknownClass:
        listed = ", ".join(f"{name!r} ({times})" for name, times in self.unknown.most_common(8))
        known = ", ".join(sorted(c.name for c in project.classes))
        return UnknownClass(
            f"{name} has classes that project {project.id!r} does not have: {listed}{' and others' if len(self.unknown) > 8 else ''}. "
            f"It has: {known}. Add them to the project, or import with --class.",
            self.classes.first,
        )
