"""What an export made, what it left out and why: for programs, for the terminal, as a page."""

from __future__ import annotations

import base64
import io
from dataclasses import asdict, dataclass
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from geolabel.classes import CLASS_COLORS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from geolabel.chips.plan import Plan, Tally
    from geolabel.chips.spec import ChipSpec
    from geolabel.classes import LabelClass

SPLIT_COLORS = {"train": "#5aa2ff", "val": "#f0c107", "test": "#ff6b8b"}

_SHEET_WIDTH = 1600
_OFF = 0.05


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
        return [*lines, *self.notes]


def make_report(
    plan: Plan,
    formats: Sequence[str],
    losses: Sequence[str] = (),
    *,
    snapshot: Mapping[str, Any],
    dry_run: bool = False,
    chipped: bool = True,
) -> ExportReport:
    """Count a plan.

    Args:
        plan: what was planned.
        formats: names, in the order asked for.
        losses: sentences of the writers.
        snapshot: the state that is exported: `name`, `changeset`, `hash`.
        dry_run: nothing was written.
        chipped: some format needed chips.
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
        notes=(*_notes(plan, tally, splits, chips), *losses) if chipped else tuple(losses),
        snapshot={**snapshot, "labels": plan.digest},
    )


def _state(snapshot: Mapping[str, Any]) -> str:
    """The state that was exported, for the page."""
    named = f"snapshot <b>{escape(snapshot['name'])}</b>, " if snapshot["name"] else ""
    return f"{named}change set {snapshot['changeset']}, labels <code>{snapshot['labels'][:12]}</code>"


def _notes(plan: Plan, tally: Tally, splits: Sequence[str], chips: Mapping[str, int]) -> list[str]:
    """A sentence for everything that was left out or that is odd."""
    spec, lost = plan.spec, tally.lost
    said = [
        (tally.annotations == 0, "The project has no annotations: every chip is empty."),
        (tally.outside, f"{_many(tally.outside, 'annotation')} outside every scene of the project: on no chip."),
        (
            tally.unused,
            f"{_many(tally.unused, 'annotation')} on scenes fell on no chip (edges, gaps, size limits, splits).",
        ),
        (
            tally.unmatched,
            f"{_many(tally.unmatched, 'annotation')} not of the time of any scene that they lie on left out."
            if spec.match == "date"
            else f"{_many(tally.unmatched, 'annotation')} drawn on another scene than they lie on left out.",
        ),
        (tally.unseen, f"{_many(tally.unseen, 'chip')} without annotations on unseen or ignored ground left out."),
        (lost.padding, f"{_many(lost.padding, 'piece')} in the padding beyond a scene left out."),
        (lost.small, f"{_many(lost.small, 'piece')} of less than {spec.min_area_px:g} px² left out (min_area_px)."),
        (
            lost.partial,
            f"{_many(lost.partial, 'piece')} with less than {spec.min_overlap:.0%} of the annotation left out (min_overlap).",
        ),
        (lost.cut, f"{_many(lost.cut, 'piece')} cut by a chip's edge left out (truncated=drop)."),
        (
            lost.ignored,
            f"{_many(lost.ignored, 'piece')} with more than half on ignored ground left out: masks say ignore there.",
        ),
        (tally.area, f"{_many(tally.area, 'chip')} not in the area asked for left out (within)."),
        (
            tally.nodata,
            f"{_many(tally.nodata, 'chip')} with too little data left out (max_nodata={spec.max_nodata:g}).",
        ),
        (tally.cloud, f"{_many(tally.cloud, 'chip')} with too much cloud left out (max_cloud={spec.max_cloud:g})."),
        (
            tally.negatives,
            f"{_many(tally.negatives, 'chip')} without annotations left out (negatives={spec.negatives}).",
        ),
        (tally.straddling, _straddling(tally.straddling, spec)),
    ]
    notes = [sentence for happened, sentence in said if happened]
    notes += [f"Scene {name} has no annotations on it." for name in tally.scenes_without_labels if tally.annotations]
    notes += [f"No chip could be laid on scene {name}." for name in tally.scenes_without_chips]
    notes += [
        f"Split {split} has no chips: there is too little ground for it; take {_SMALLER[spec.split_by]}."
        for split in splits
        if len(plan.chips) and not chips[split]
    ]
    notes += _balance(plan, splits, chips)
    notes += [
        f"Scene {scene.id} is synthetic: it was generated, not taken." for scene in plan.scenes if scene.synthetic
    ]
    return notes


def _balance(plan: Plan, splits: Sequence[str], chips: Mapping[str, int]) -> list[str]:
    """Sentences on splits that came out other than asked for, and on classes that a split lacks."""
    if len(splits) < 2 or not len(plan.chips):
        return []
    wanted = [plan.spec.splits.get(s, 0.0) for s in splits]
    got = [chips[s] / len(plan.chips) for s in splits]
    notes = []
    if plan.spec.split is not None and max(abs(a - b) for a, b in zip(wanted, got, strict=True)) > _OFF:
        shares = ["/".join(f"{100 * share:.0f}" for share in row) for row in (got, wanted)]
        few = plan.spec.split_by == "blocks" and plan.spec.split_units == "chips" and plan.spec.split_block <= 1
        cure = "there are too few chips for that" if few else f"{_SMALLER[plan.spec.split_by]} come closer"
        notes.append(f"{_blocks(plan.spec)} give {shares[0]}, not {shares[1]}; {cure}.")
    used = {split: plan.chip_counts[plan.chip_splits == split].sum(axis=0) > 0 for split in splits}
    somewhere = np.logical_or.reduce(list(used.values()))
    for split in splits:
        lacking = [c.name for c, lacks in zip(plan.project.classes, somewhere & ~used[split], strict=True) if lacks]
        if chips[split] and lacking:
            notes.append(
                f"Split {split} has no {', '.join(lacking)}; try another seed or {_SMALLER[plan.spec.split_by]}."
            )
    gap = plan.tally.class_gap
    if gap is not None and gap > _OFF:
        notes.append(
            f"The share of a class differs by up to {100 * gap:.0f} points between splits; {_SMALLER[plan.spec.split_by]} even it out."
        )
    return notes


_SMALLER = {
    "blocks": "smaller blocks",
    "scene": "more scenes",
    "date": "more dates",
    "attribute": "an attribute of more values",
    "areas": "other areas",
}


def _blocks(spec: ChipSpec) -> str:
    """What was dealt out, as the head of a sentence."""
    if spec.split_by != "blocks":
        return {"scene": "Whole scenes", "date": "Whole dates", "attribute": "The values", "areas": "The areas"}[
            spec.split_by
        ]
    edge = f"{spec.split_block:g}"
    return f"Blocks of {edge} x {edge} {spec.split_units}"


def _straddling(count: int, spec: ChipSpec) -> str:
    chips = _many(count, "chip")
    if spec.split_by == "blocks":
        return f"{chips} between blocks of different splits left out."
    return f"{chips} on ground of several splits, or of none, left out (split_by={spec.split_by})."


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def page(report: ExportReport, classes: Sequence[LabelClass], sheet: bytes | None) -> str:
    """The text of `report.html`: one file that asks for nothing else.

    Args:
        report: the numbers.
        classes: names and colours.
        sheet: the contact sheet, a PNG, which goes into the page; None when there is none.
    """
    body = [
        f"<h1>{escape(report.title)}</h1>",
        f"<p class=lead>{escape(', '.join(report.formats))} · {_state(report.snapshot)}</p>",
        _figures(report),
        _table(report, classes),
        _left_out(report),
    ]
    if sheet is not None:
        body.append(
            f"<h2>Contact sheet</h2><img alt='Chips with their labels drawn over them' src='{_embedded(sheet)}'>"
        )
    return f"<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'><title>{escape(report.title)}</title><style>{_STYLE}</style><main>{''.join(body)}</main></html>\n"


def _figures(report: ExportReport) -> str:
    figures = [("annotations", report.annotations)]
    if report.chips:
        figures = [
            ("chips", sum(report.chips.values())),
            ("with labels", sum(report.chips_with_labels.values())),
            ("annotations on chips", report.exported),
            ("annotations in the project", report.annotations),
        ]
    cards = "".join(f"<div><b>{value:,}</b><span>{name}</span></div>" for name, value in figures)
    if len(report.chips) > 1:
        cards += (
            f"<div class=proof><b>{report.shared_ground:g}</b><span>chips of ground shared between splits</span></div>"
        )
    return f"<section class=figures>{cards}</section>"


def _table(report: ExportReport, classes: Sequence[LabelClass]) -> str:
    if not report.chips:
        return ""
    splits = list(report.chips)
    total = max(sum(report.chips.values()), 1)
    bar = "".join(
        f"<i style='flex:{report.chips[s]};background:{split_color(s)}'></i>" for s in splits if report.chips[s]
    )
    head = "".join(f"<th><i class=dot style='background:{split_color(s)}'></i>{s}</th>" for s in splits)
    rows = [
        ("Chips", [f"{report.chips[s]:,}" for s in splits], ""),
        ("Share", [f"{report.chips[s] / total:.0%}" for s in splits], ""),
        ("With labels", [f"{report.chips_with_labels[s]:,}" for s in splits], ""),
        *((c.name, [f"{report.labels[s][c.name]:,}" for s in splits], c.color) for c in classes),
    ]
    lines = "".join(
        f"<tr{' class=class' if color else ''}><td>{f'<i class=dot style=background:{color}></i>' if color else ''}{escape(name)}</td>"
        + "".join(f"<td>{value}</td>" for value in values)
        + "</tr>"
        for name, values, color in rows
    )
    return f"<h2>Splits and classes</h2><div class=bar>{bar}</div><table><tr><th></th>{head}</tr>{lines}</table><p class=hint>Classes count labels on chips; one that lies on two chips counts twice.</p>"


def _left_out(report: ExportReport) -> str:
    if not report.notes:
        return (
            "<h2>Left out</h2><p>Nothing: every annotation is on a chip, whole or in parts.</p>" if report.chips else ""
        )
    return f"<h2>Left out, and remarks</h2><ul>{''.join(f'<li>{escape(note)}</li>' for note in report.notes)}</ul>"


def _embedded(sheet: bytes) -> str:
    """The contact sheet, smaller, as a data URL."""
    with Image.open(io.BytesIO(sheet)) as picture:
        if picture.width > _SHEET_WIDTH:
            picture.thumbnail((_SHEET_WIDTH, picture.height), Image.Resampling.LANCZOS)
        stream = io.BytesIO()
        picture.save(stream, "JPEG", quality=88, subsampling=0)
    return f"data:image/jpeg;base64,{base64.b64encode(stream.getvalue()).decode()}"


_STYLE = """
:root{color-scheme:dark light;--bg:#0d0e10;--card:#16181b;--line:#292d33;--text:#edeff2;--soft:#9098a3;--good:#62d29a}
@media(prefers-color-scheme:light){:root{--bg:#fff;--card:#f5f6f8;--line:#dfe2e7;--text:#16181b;--soft:#5c6470;--good:#1b7a50}}
body{margin:0;background:var(--bg);color:var(--text);font:13px/20px "Segoe UI",Roboto,"Noto Sans",Ubuntu,"Liberation Sans",Arial,sans-serif;font-variant-numeric:tabular-nums}
main{max-width:960px;margin:0 auto;padding:32px 24px 64px}h1{font-size:28px;line-height:36px;margin:0}h2{font-size:15px;line-height:20px;margin:32px 0 12px}
.lead,.hint{color:var(--soft);margin:4px 0 0}.hint{font-size:12px}.figures{display:flex;flex-wrap:wrap;gap:8px;margin-top:24px}
.figures div{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:12px 16px;min-width:108px}.figures b{display:block;font-size:20px;line-height:28px;font-weight:600}
.figures span{color:var(--soft);font-size:12px}.figures .proof b{color:var(--good)}
.bar{display:flex;gap:2px;height:8px;border-radius:4px;overflow:hidden;margin-bottom:8px}table{border-collapse:collapse;width:100%}
td,th{text-align:right;padding:5px 8px;border-bottom:1px solid var(--line);font-weight:400}th{color:var(--soft)}td:first-child,th:first-child{text-align:left;padding-left:0}
.dot{display:inline-block;width:10px;height:10px;border-radius:3px;margin-right:8px}ul{margin:0;padding-left:18px}img{width:100%;border-radius:8px;display:block}code{font-family:ui-monospace,Consolas,"Liberation Mono",monospace}
"""
