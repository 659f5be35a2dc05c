"""The pictures of a dataset's report: SVG that asks for nothing else, in the page's own colours."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import numpy as np
import shapely

from geolabel.chips.proof import continuous
from geolabel.formats.report import split_color
from geolabel.geo import crs as crs_

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from geolabel.chips.plan import Plan

_WIDTH, _HEIGHT = 912.0, 560.0
_MOST = 20_000
"""Chips on the map: more are thinned out evenly."""


def split_map(plan: Plan) -> str:
    """Where the chips lie, by split, and those that are left out, on the ground of the project's CRS, north up."""
    outlines = continuous(np.concatenate([laid.footprints for laid in plan.laid]), plan.project.crs)
    splits = np.concatenate(plan.splits)
    kept = np.concatenate(plan.reasons) == ""
    if plan.project.crs is None:  # pictures count rows downwards
        outlines = shapely.transform(outlines, lambda xy: xy * (1, -1))
    elif crs_.is_geographic(plan.project.crs):  # a degree to the east is shorter than one to the north
        _, south, _, north = shapely.total_bounds(outlines)
        outlines = shapely.transform(outlines, lambda xy: xy * (np.cos(np.radians((south + north) / 2)), 1))
    rows = np.arange(len(outlines))
    if len(rows) > _MOST:
        rows = rows[:: -(-len(rows) // _MOST)]
    x0, y0, x1, y1 = shapely.total_bounds(outlines)
    scale = min(_WIDTH / max(x1 - x0, 1e-12), _HEIGHT / max(y1 - y0, 1e-12))
    width, height = (x1 - x0) * scale, (y1 - y0) * scale
    placed = shapely.transform(outlines[rows], lambda xy: (xy - (x0, y1)) * (scale, -scale))
    kept, splits = kept[rows], splits[rows]
    layers = [f'<path class=out d="{_path(placed[~kept])}"/>'] if (~kept).any() else []
    layers += [
        f'<path style="--c:{split_color(name)}" class=chip d="{_path(placed[kept & (splits == name)])}"/>'
        for name in plan.split_names
        if (kept & (splits == name)).any()
    ]
    hatch = '<pattern id=hatch width=6 height=6 patternUnits=userSpaceOnUse patternTransform="rotate(45)"><path class=hatch d="M0 0V6"/></pattern>'
    return (
        f'<svg viewBox="-1 -1 {width + 2:.0f} {height + 2:.0f}" style="max-width:{width + 2:.0f}px" role=img '
        f'aria-label="Chips on the ground by split">{hatch}{"".join(layers)}</svg>'
    )


def _path(shapes: NDArray[np.object_]) -> str:
    """Outlines as one path, to a tenth of a pixel."""
    parts = []
    for shape in shapes:
        xy = np.round(shapely.get_coordinates(shape)[:-1], 1)
        parts.append("M" + "L".join(f"{x:g} {y:g}" for x, y in xy.tolist()) + "Z")
    return "".join(parts)


def size_chart(edges: Sequence[int], counts: dict[str, Sequence[int]], colors: dict[str, str]) -> str:
    """Histogram of the sizes of objects, classes on top of one another."""
    table = np.array([counts[name] for name in counts])
    used = np.flatnonzero(table.sum(axis=0))
    first, last = int(used[0]), int(used[-1])
    totals = table.sum(axis=0)
    columns = []
    for index in range(first, last + 1):
        stack = "".join(
            f'<i style="height:{100 * count / totals.max():.2f}%;background:{colors[name]}" title="{escape(name, quote=True)}: {count:,}"></i>'
            for name, count in zip(counts, table[:, index].tolist(), strict=True)
            if count
        )
        label = f"{edges[index]}" if index < len(edges) - 1 else f"{edges[index]}+"
        columns.append(f"<div><b>{totals[index]:,}</b><div class=stack>{stack}</div><span>{label}</span></div>")
    return f"<div class=histogram>{''.join(columns)}</div>"


def class_bars(rows: Sequence[tuple[str, str, dict[str, int]]]) -> str:
    """A bar for each class (name, colour, annotations by split), as long as it is frequent, divided by split."""
    most = max((sum(counts.values()) for _, _, counts in rows), default=0) or 1
    lines = []
    for name, color, counts in rows:
        total = sum(counts.values())
        parts = "".join(
            f'<i style="width:{100 * count / most:.2f}%;background:{split_color(split)}" title="{split}: {count:,}"></i>'
            for split, count in counts.items()
            if count
        )
        lines.append(
            f"<tr><td><i class=dot style=background:{color}></i>{escape(name)}</td><td class=long><div class=track>{parts}</div></td><td>{total:,}</td></tr>"
        )
    return f"<table class=bars>{''.join(lines)}</table>"
