"""What became of a file of predictions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from geolabel.intake.report import report_json, report_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from geolabel.errors import Problem
    from geolabel.intake import ImportReport
    from geolabel.predictions.home import Home


@dataclass(frozen=True, slots=True)
class PredictionReport:
    """What became of a file of predictions: `read` is the sum of what became of each of them.

    Attributes:
        file: its name.
        model: `name@version`, as the suggestions' source has it.
        changeset: number of the change set that holds the suggestions; None when there was nothing to write.
        read: objects in the file.
        placed: suggestions made.
        unchanged: are here already, from this model and just so; nothing was written.
        kept: were here already, and somebody has accepted, rejected, changed or deleted them since: that stays.
        merged: pieces that were joined to others, because the edge of a chip had cut them.
        suppressed: duplicates on overlapping chips, left out for a surer one.
        unsure: less sure than was asked for.
        small: smaller than was asked for.
        refused: could not be placed.
        reasons: how many were refused for which reason.
        clipped: cut off at the edge of their picture (among those placed).
        repaired: crossed themselves and were made valid (among those placed).
        replaced: suggestions of this model that the file has not, that nobody had touched, deleted as was asked for.
        stale: suggestions of this model from before that the file has not; they stay.
        outside: placed although they touch no scene of the project.
        by_class: placed, by class.
        ids: first and last id given; None when none was.
        left_out: what the file has and labels have not (captions, tags), with counts.
        problems: one sentence for each refused object, the first thousand.
    """

    file: str
    model: str
    changeset: int | None
    read: int
    placed: int
    unchanged: int
    kept: int
    merged: int
    suppressed: int
    unsure: int
    small: int
    refused: int
    reasons: dict[str, int]
    clipped: int
    repaired: int
    replaced: int
    stale: int
    outside: int
    by_class: dict[str, int]
    ids: tuple[int, int] | None
    left_out: dict[str, int]
    problems: tuple[Problem, ...]

    def to_json(self) -> dict[str, Any]:
        """The object that HTTP and `--json` give."""
        return report_json(self)

    def lines(self, project: str) -> Iterator[str]:
        """The same as sentences for people."""
        yield f"Placed {self.placed:,} suggestions of {self.model} from {self.file} in {project}; {self.read:,} objects read."
        numbers = (
            (self.merged, "pieces were joined to others: the edge of a chip had cut them"),
            (self.suppressed, "duplicates on overlapping chips were left out"),
            (self.unchanged, "are here already, from this model and just so"),
            (self.kept, "are here already and were accepted, rejected, changed or deleted since: that stays"),
            (self.unsure, "are less sure than asked for"),
            (self.small, "are smaller than asked for"),
            (self.clipped, "reached over the edge of their picture and were cut off there"),
            (self.repaired, "crossed themselves and were made valid"),
            (self.replaced, "untouched suggestions of this model from before were deleted"),
            (
                self.stale,
                "suggestions of this model from before are not in the file; --replace deletes those nobody has touched",
            ),
            (self.outside, "touch no scene of the project"),
            (self.refused, "were refused"),
        )
        yield from report_lines(self.by_class, numbers, self.reasons, self.problems)
        for what, number in self.left_out.items():
            yield f"  {number:,} {what} have no place here"


def make_report(
    model: str,
    home: Home,
    stored: ImportReport,
    *,
    refused: dict[str, int],
    left_out: dict[str, int],
    problems: tuple[Problem, ...],
) -> PredictionReport:
    """Put together what each stage counted."""
    reasons = dict(refused)
    for reason, number in stored.reasons.items():
        reasons[reason] = reasons.get(reason, 0) + number
    return PredictionReport(
        file=stored.file,
        model=model,
        changeset=stored.changeset if stored.imported or stored.deleted else None,
        read=home.read,
        placed=stored.imported,
        unchanged=stored.unchanged,
        kept=stored.kept,
        merged=home.merged,
        suppressed=home.suppressed,
        unsure=home.unsure,
        small=home.small,
        refused=sum(reasons.values()),
        reasons=reasons,
        clipped=home.clipped,
        repaired=stored.repaired,
        replaced=stored.deleted,
        stale=stored.gone - stored.deleted,
        outside=stored.outside,
        by_class=stored.by_class,
        ids=stored.ids,
        left_out=left_out,
        problems=(*problems, *stored.problems),
    )
