"""What an export made, what it left out and why: for programs and for the terminal."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from geolabel.classes import CLASS_COLORS
from geolabel.formats.notes import notes_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from geolabel.chips.plan import Plan
    from geolabel.formats.facts import Facts

SPLIT_COLORS = {"train": "#5aa2ff", "val": "#f0c107", "test": "#ff6b8b"}


def split_color(split: str) -> str:
    """The colour of a split; folds take those of classes, one after the other."""
    if split in SPLIT_COLORS:
        return SPLIT_COLORS[split]
    return CLASS_COLORS[(int("".join(filter(str.isdigit, split)) or 1) - 1) % len(CLASS_COLORS)]


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What an export made, or with `dry_run` would make.

    Attributes:
        project: slug.
        title: as people read it.
        formats: names, in the order asked for.
        dry_run: True when nothing was written.
        chips: how many, by split.
        chips_with_labels: how many of them have annotations, by split.
        labels: annotations on chips by split and class name; one that lies on two chips counts twice.
        annotations: all in the project.
        exported: how many of them are on some chip (with map formats only: all).
        left_out: counts by reason: see `Tally`.
        shared_ground: ground that chips of different splits share, in chips: 0, computed from the footprints.
        notes: sentences on what is odd, and on what a format could not hold.
        snapshot: the state that was exported: `name` (None when none was named), `changeset`, `hash` (of the named one), and
            `labels`, a digest of the annotations that were taken.
        proof: `pairs` of chips of different splits whose ground was compared, the `nearest` two of them in units of the
            project's CRS, and `class_gap`: by how much the share of a class differs between splits, at most, 0..1.
        statistics: of the chips that were written: pixels, moments of each band by split, sizes of objects; None of a dry
            run and of map formats.
    """

    project: str
    title: str
    formats: tuple[str, ...]
    dry_run: bool
    chips: dict[str, int]
    chips_with_labels: dict[str, int]
    labels: dict[str, dict[str, int]]
    annotations: int
    exported: int
    left_out: dict[str, int]
    shared_ground: float
    notes: tuple[str, ...]
    snapshot: Mapping[str, Any]
    proof: Mapping[str, Any]
    statistics: Mapping[str, Any] | None = None

    def to_json(self) -> dict[str, Any]:
        """The object that `report.json`, HTTP and `--json` give."""
        return {
            "project": self.project,
            "title": self.title,
            "formats": list(self.formats),
            "dry_run": self.dry_run,
            "chips": self.chips,
            "chips_with_labels": self.chips_with_labels,
            "labels": self.labels,
            "annotations": self.annotations,
            "exported": self.exported,
            "left_out": self.left_out,
            "shared_ground": self.shared_ground,
            "notes": list(self.notes),
            "snapshot": dict(self.snapshot),
            "proof": dict(self.proof),
            "statistics": self.statistics,
        }

    def lines(self) -> list[str]:
        """What the terminal says."""
        verb = "Would write" if self.dry_run else "Wrote"
        total = sum(self.chips.values())
        lines = [f"{verb} {', '.join(self.formats)} of project {self.project}: {self.annotations:,} annotations."]
        if total:
            lines[0] = (
                f"{verb} {', '.join(self.formats)} of project {self.project}: {total:,} chips with {self.exported:,} of "
                f"{self.annotations:,} annotations."
            )
            for split, count in self.chips.items():
                found = sum(self.labels[split].values())
                lines.append(
                    f"  {split}: {count:,} chips, {self.chips_with_labels[split]:,} with labels, {found:,} labels"
                )
            if len(self.chips) > 1:
                lines.append(
                    f"  Shared ground between splits: {self.shared_ground:g} ({self.proof['pairs']:,} pairs of chips compared)."
                )
        return [*lines, *self.notes]


def make_report(
    plan: Plan,
    formats: Sequence[str],
    losses: Sequence[str] = (),
    *,
    snapshot: Mapping[str, Any],
    dry_run: bool = False,
    chipped: bool = True,
    facts: Facts | None = None,
) -> ExportReport:
    """Count a plan.

    Args:
        plan: what was planned.
        formats: names, in the order asked for.
        losses: sentences of the writers.
        snapshot: the state that is exported: `name`, `changeset`, `hash`.
        dry_run: nothing was written.
        chipped: some format needed chips.
        facts: what the chips hold, once they are built.
    """
    names = [c.name for c in plan.project.classes]
    of, counts = plan.chip_splits, plan.chip_counts
    splits = plan.split_names
    labels = {s: dict(zip(names, counts[of == s].sum(axis=0).tolist(), strict=True)) for s in splits}
    chips = {s: int((of == s).sum()) for s in splits}
    positive = {s: int((counts[of == s].sum(axis=1) > 0).sum()) for s in splits}
    tally = plan.tally
    return ExportReport(
        project=plan.project.id,
        title=plan.project.title,
        formats=tuple(formats),
        dry_run=dry_run,
        chips={split: chips[split] for split in splits} if chipped else {},
        chips_with_labels={split: positive[split] for split in splits} if chipped else {},
        labels=labels if chipped else {},
        annotations=tally.annotations,
        exported=tally.annotations - tally.outside - tally.unmatched - tally.unused,
        left_out={
            "outside": tally.outside,
            "unused": tally.unused,
            **asdict(tally.lost),
            "unmatched": tally.unmatched,
            "negatives": tally.negatives,
            "unseen": tally.unseen,
            "straddling": tally.straddling,
            "area": tally.area,
            "nodata": tally.nodata,
            "cloud": tally.cloud,
        },
        shared_ground=plan.proof.shared,
        notes=(*notes_of(plan, splits, chips), *losses) if chipped else tuple(losses),
        snapshot={**snapshot, "labels": plan.digest},
        proof={"pairs": plan.proof.pairs, "nearest": plan.proof.nearest, "class_gap": tally.class_gap},
        statistics=None if facts is None else facts.to_json({c.id: c.name for c in plan.project.classes}),
    )
