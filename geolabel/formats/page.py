"""`report.html`: what a dataset holds, as one page that asks for nothing else."""

from __future__ import annotations

import base64
import io
from html import escape
from typing import TYPE_CHECKING, Any

from PIL import Image

from geolabel.chips.read import chosen_bands
from geolabel.chips.spec import ChipSpec
from geolabel.formats.charts import class_bars, size_chart, split_map
from geolabel.formats.contact_sheet import sizes_of
from geolabel.formats.notes import left_out_of
from geolabel.formats.report import split_color
from geolabel.formats.style import STYLE
from geolabel.geo import crs as crs_

if TYPE_CHECKING:
    from collections.abc import Sequence

    from geolabel.chips.plan import Plan
    from geolabel.formats.report import ExportReport

_SHEET_WIDTH = 1600

_REASONS = {
    "outside": ("annotations", "outside every scene of the project"),
    "unused": ("annotations", "on a scene, but on no chip"),
    "unmatched": ("annotations", "of another date or scene"),
    "padding": ("pieces", "in the padding beyond a scene"),
    "small": ("pieces", "smaller than min_area_px"),
    "partial": ("pieces", "less than min_overlap of the annotation"),
    "cut": ("pieces", "cut by a chip's edge (truncated=drop)"),
    "ignored": ("pieces", "more than half on ignored ground"),
    "straddling": ("chips", "between two splits, or of none"),
    "unseen": ("chips", "nobody looked there, or it is to be ignored"),
    "negatives": ("chips", "without annotations (negatives)"),
    "area": ("chips", "not in the area asked for (within)"),
    "nodata": ("chips", "too little data (max_nodata)"),
    "cloud": ("chips", "too much cloud (max_cloud)"),
}


def page(report: ExportReport, plan: Plan, sheet: Image.Image | None) -> str:
    """The text of the page.

    Args:
        report: the numbers.
        plan: of the chips; it gives the map, and names and colours of classes.
        sheet: the contact sheet, which goes into the page; None when there is none.
    """
    title = escape(report.title)
    body = [_head(report, plan), _figures(report)]
    if report.chips:
        body += [
            _splits(report, plan),
            _classes(report, plan),
            _map(report, plan),
            _sizes(report, plan),
            _pixels(report, plan),
        ]
    body += [_left_out(report, plan)]
    if sheet is not None:
        body.append(
            f"<section><h2>Contact sheet</h2><img class=sheet alt='Chips with their labels drawn over them' src='{_embedded(sheet)}'></section>"
        )
    body.append(_settings(plan))
    return (
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width,initial-scale=1'>"
        f"<title>{title} · dataset report</title><style>{STYLE}</style><main>{''.join(body)}</main></html>\n"
    )


def _head(report: ExportReport, plan: Plan) -> str:
    state = report.snapshot
    named = f"snapshot <b>{escape(state['name'])}</b> · " if state["name"] else ""
    chips = f" · chips of {sizes_of(plan)}{_on_ground(plan)}" if report.chips else ""
    synthetic = "<span class=tag>synthetic imagery</span>" if any(s.synthetic for s in plan.scenes) else ""
    return (
        f"<header><h1>{escape(report.title)}{synthetic}</h1><p class=lead>{escape(', '.join(report.formats))}{chips}</p>"
        f"<p class=hint>{named}change set {state['changeset']} · labels <code>{state['labels'][:12]}</code></p></header>"
    )


def _on_ground(plan: Plan) -> str:
    """How long the edge of a chip is on the ground, where all are of one size."""
    edges = {
        (round(width * frame.metres[0], 1), round(height * frame.metres[1], 1))
        for frame, laid, kept in zip(plan.frames, plan.laid, plan.kept, strict=True)
        if frame.grid.crs is not None
        for width, height in {tuple(edge) for edge in laid.windows.boxes[kept, 2:].tolist()}
    }
    if len(edges) != 1:
        return ""
    width, height = edges.pop()
    return f", {width:,.4g} x {height:,.4g} m on the ground"


def _figures(report: ExportReport) -> str:
    figures = [("annotations", f"{report.annotations:,}")]
    if report.chips:
        figures = [
            ("chips", f"{sum(report.chips.values()):,}"),
            ("of them with labels", f"{sum(report.chips_with_labels.values()):,}"),
            ("annotations on chips", f"{report.exported:,}"),
            ("annotations in the project", f"{report.annotations:,}"),
        ]
    if report.statistics and report.statistics["pixels"]:
        figures.append(("of the pixels have data", f"{report.statistics['valid'] / report.statistics['pixels']:.1%}"))
    cards = "".join(f"<div><b>{value}</b><span>{name}</span></div>" for name, value in figures)
    return f"<section class=figures>{cards}</section>"


def _splits(report: ExportReport, plan: Plan) -> str:
    splits = list(report.chips)
    total = max(sum(report.chips.values()), 1)
    left_out = report.left_out["straddling"]
    bar = "".join(
        f"<i style='flex:{report.chips[s]};background:{split_color(s)}'></i>" for s in splits if report.chips[s]
    ) + (f"<i class=off style='flex:{left_out}'></i>" if left_out else "")
    rows = "".join(
        f"<tr><td><i class=dot style='background:{split_color(s)}'></i>{s}</td><td>{report.chips[s]:,}</td><td>{report.chips[s] / total:.0%}</td>"
        f"<td>{report.chips_with_labels[s]:,}</td><td>{sum(report.labels[s].values()):,}</td></tr>"
        for s in splits
    )
    if left_out:
        rows += f"<tr class=soft><td><i class='dot off'></i>left out between splits</td><td>{left_out:,}</td><td></td><td></td><td></td></tr>"
    head = "<tr><th>Split</th><th>Chips</th><th>Share</th><th>With labels</th><th>Labels</th></tr>"
    return (
        f"<section><h2>Splits</h2><div class=bar>{bar}</div><table>{head}{rows}</table>{_proof(report, plan)}</section>"
    )


def _proof(report: ExportReport, plan: Plan) -> str:
    if len(report.chips) < 2:
        return ""
    proof = report.proof
    nearest = proof["nearest"]
    apart = "" if not nearest else f" The nearest two are {nearest:,.4g} {_unit(plan.project.crs)} apart."
    gap = proof["class_gap"]
    even = "" if gap is None else f" The share of a class differs by at most {100 * gap:.1f} points between splits."
    pairs = proof["pairs"]
    looked = (
        f"The footprints of {pairs:,} pairs of chips of different splits whose boxes meet were intersected."
        if pairs
        else "No two chips of different splits even touch."
    )
    return f"<p class=proof><b>Shared ground: {report.shared_ground:g}.</b> {looked}{apart}{even}</p>"


def _unit(crs: str | None) -> str:
    """What coordinates of a CRS count, for people."""
    if crs is None:
        return "px"
    return "degrees" if crs_.is_geographic(crs) else "m" if crs_.unit_metres(crs) == 1 else "units of the project's CRS"


def _classes(report: ExportReport, plan: Plan) -> str:
    rows = [(c.name, c.color, {s: report.labels[s][c.name] for s in report.chips}) for c in plan.project.classes]
    head = "".join(f"<th>{s}</th>" for s in report.chips)
    totals = {s: max(sum(report.labels[s].values()), 1) for s in report.chips}
    lines = "".join(
        f"<tr><td><i class=dot style=background:{color}></i>{escape(name)}</td>"
        + "".join(f"<td>{count:,} <span class=soft>{count / totals[s]:.1%}</span></td>" for s, count in counts.items())
        + "</tr>"
        for name, color, counts in rows
    )
    return (
        f"<section><h2>Class balance</h2>{class_bars(rows)}<details><summary>Labels on chips by split, and their shares</summary>"
        f"<table><tr><th>Class</th>{head}</tr>{lines}</table></details><p class=hint>One label that lies on two chips counts twice.</p></section>"
    )


def _map(report: ExportReport, plan: Plan) -> str:
    keys = "".join(f"<span><i class=dot style='background:{split_color(s)}'></i>{s}</span>" for s in report.chips)
    if any((reasons != "").any() for reasons in plan.reasons):
        keys += "<span><i class='dot off'></i>left out</span>"
    scenes = ", ".join(scene.id for frame in plan.frames for scene in frame.scenes)
    return f"<section><h2>Where the chips lie</h2><div class=map>{split_map(plan)}</div><p class=keys>{keys}<span class=soft>{escape(scenes)}</span></p></section>"


def _sizes(report: ExportReport, plan: Plan) -> str:
    if not report.statistics or not report.statistics["object_sizes"]["counts"]:
        return ""
    sizes = report.statistics["object_sizes"]
    colors = {c.name: c.color for c in plan.project.classes}
    return (
        f"<section><h2>Object sizes</h2>{size_chart(sizes['edges_px'], sizes['counts'], colors)}"
        "<p class=hint>Edge of a square as large as the object is on its chip, in pixels: each column from its number to the next one's.</p></section>"
    )


def _pixels(report: ExportReport, plan: Plan) -> str:
    if not report.statistics or not report.statistics["bands"]:
        return ""
    split = next(s for s in report.chips if s in report.statistics["bands"])
    bands = report.statistics["bands"][split]
    names = _band_names(plan, len(bands))
    known = [(name, band) for name, band in zip(names, bands, strict=True) if band is not None]
    if not known:
        return ""
    rows = "".join(
        f"<tr><td>{escape(name)}</td><td>{band['mean']:.6g}</td><td>{band['std']:.6g}</td><td>{band['min']:.6g}</td><td>{band['max']:.6g}</td></tr>"
        for name, band in known
    )
    lists = [f"{key} = [{', '.join(f'{band[key]:.8g}' for _, band in known)}]" for key in ("mean", "std")]
    hidden = report.statistics["hidden"]
    clouds = (
        f" {hidden / max(report.statistics['valid'], 1):.1%} of the pixels with data are not to be learnt from."
        if hidden
        else ""
    )
    return (
        f"<section><h2>Pixel values</h2><table><tr><th>Band</th><th>Mean</th><th>Std</th><th>Min</th><th>Max</th></tr>{rows}</table>"
        f"<pre>{escape(lists[0])}\n{escape(lists[1])}</pre><p class=hint>To normalise by: of the {split} split alone, pixels with data.{clouds}</p></section>"
    )


def _band_names(plan: Plan, count: int) -> Sequence[str]:
    frame = plan.frames[0]
    names = [
        band.name if len(frame.scenes) == 1 else f"{scene.id} {band.name}"
        for scene in frame.scenes
        for index in chosen_bands(scene, plan.spec.bands)
        for band in scene.bands
        if band.index == index
    ]
    return [names[i] if i < len(names) else f"Band {i + 1}" for i in range(count)]


def _left_out(report: ExportReport, plan: Plan) -> str:
    rows = "".join(
        f"<tr><td>{count:,} {_REASONS[reason][0]}</td><td class=why>{escape(_REASONS[reason][1])}</td></tr>"
        for reason, count in report.left_out.items()
        if count
    )
    table = f"<table class=reasons>{rows}</table>" if rows else ""
    nothing = "<p>Nothing: every annotation is on a chip, whole or in parts.</p>" if report.chips and not rows else ""
    told = set(left_out_of(plan)) if rows else set()
    others = [note for note in report.notes if note not in told]
    notes = f"<ul>{''.join(f'<li>{escape(note)}</li>' for note in others)}</ul>" if others else ""
    remarks = f"<h3>Remarks</h3>{notes}" if notes else ""
    return f"<section><h2>Left out</h2>{nothing}{table}{remarks}</section>" if nothing or table or remarks else ""


def _settings(plan: Plan) -> str:
    """What was asked for, as knobs that differ from their defaults."""
    plain = ChipSpec().to_json() | {"stride": plan.spec.to_json()["size"]}
    asked = {name: value for name, value in plan.spec.to_json().items() if value != plain[name]}
    shown = ", ".join(f"{name}={_short(value)}" for name, value in asked.items()) or "all defaults"
    scenes = "".join(
        f"<tr><td>{escape(s.id)}</td><td class=why>{escape(s.datetime or 'no date')}</td><td class=why>{s.grid.width:,} x {s.grid.height:,} px, {len(s.bands)} bands of "
        f"{escape(s.bands[0].dtype)}</td></tr>"
        for s in plan.scenes
    )
    return f"<section><h2>Made from</h2><table class=reasons>{scenes}</table><pre>ChipSpec({escape(shown)})</pre></section>"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _embedded(sheet: Image.Image) -> str:
    """The contact sheet, smaller, as a data URL."""
    if sheet.width > _SHEET_WIDTH:
        height = round(sheet.height * _SHEET_WIDTH / sheet.width)
        sheet = sheet.resize((_SHEET_WIDTH, height), Image.Resampling.HAMMING)
    stream = io.BytesIO()
    sheet.save(stream, "JPEG", quality=88, subsampling=0)
    return f"data:image/jpeg;base64,{base64.b64encode(stream.getvalue()).decode()}"
