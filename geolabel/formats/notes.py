"""A sentence for everything that a dataset leaves out, and for what is odd about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from geolabel.chips.values import losing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from geolabel.chips.plan import Plan
    from geolabel.chips.spec import ChipSpec

_OFF = 0.05
"""Shares that are off by more are worth a sentence."""


def left_out_of(plan: Plan) -> list[str]:
    """A sentence for every reason for which something was left out."""
    spec, tally, lost = plan.spec, plan.tally, plan.tally.lost
    said = [
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
    return [sentence for happened, sentence in said if happened]


def notes_of(plan: Plan, splits: Sequence[str], chips: Mapping[str, int]) -> list[str]:
    """All sentences.

    Args:
        plan: of the dataset.
        splits: that chips were asked for in.
        chips: how many, by split.
    """
    spec, tally = plan.spec, plan.tally
    notes = [] if tally.annotations else ["The project has no annotations: every chip is empty."]
    notes += left_out_of(plan)
    notes += [f"Scene {name} has no annotations on it." for name in tally.scenes_without_labels if tally.annotations]
    notes += [f"No chip could be laid on scene {name}." for name in tally.scenes_without_chips]
    notes += [
        f"Split {split} has no chips: there is too little ground for it; take {_SMALLER[spec.split_by]}."
        for split in splits
        if len(plan.chips) and not chips[split]
    ]
    notes += _balance(plan, splits, chips)
    notes += losing(plan.scenes, spec)
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
        if plan.tally.straddling > len(plan.chips) / 3:
            cure = "many chips lie between splits: larger blocks, a smaller buffer or a longer stride keep more of them"
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
