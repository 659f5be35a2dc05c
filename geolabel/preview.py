"""A dataset before it is made: its chips on the map, its counts, and a few chips as training will see them."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
import shapely

from geolabel.chips.build import ChipBuilder
from geolabel.chips.proof import continuous
from geolabel.errors import InvalidSpec, NotFound
from geolabel.formats.cell import draw_cell, png
from geolabel.formats.contact_sheet import choose
from geolabel.formats.report import make_report, split_color
from geolabel.geo import crs as crs_
from geolabel.model import CRS84
from geolabel.planning import Planned, plan_export

if TYPE_CHECKING:
    from geolabel.chips.plan import Plan
    from geolabel.chips.spec import ChipSpec
    from geolabel.store.store import Store

MOST_LABELS = 300_000
"""A preview of more annotations takes longer than people wait: a dry run on the command line says the same."""

MOST_SHOWN = 20_000
"""Chips on the map: of more, an even part is shown."""

_KEPT = 4
_plans: OrderedDict[tuple[str, ...], Planned] = OrderedDict()
_planning = threading.Lock()


@dataclass(frozen=True, slots=True)
class Preview:
    """What an export would make.

    Attributes:
        report: as `ExportReport.to_json`.
        grid: GeoJSON of the chips, also of those that are left out; in CRS84, or in the project's own CRS where that is off the Earth.
        crs: of the grid; None in a pixel project.
        samples: `chip`, `split` and `labels` of a few chips.
    """

    report: dict[str, Any]
    grid: dict[str, Any]
    crs: str | None
    samples: list[dict[str, Any]]


def preview(
    store: Store, project: str, spec: ChipSpec, *, snapshot: str | None = None, samples: int = 8, lot: int = 0
) -> Preview:
    """Plan an export and show it.

    Args:
        store: the workspace.
        project: slug.
        spec: how chips are cut, chosen and split.
        snapshot: name of the snapshot; the present state when None.
        samples: how many chips to show, about.
        lot: draws others.

    Raises:
        NotFound: no such project or snapshot.
        InvalidSpec: the spec asks for what is not there; or there is too much to plan while somebody waits.
    """
    found = _planned(store, project, spec, snapshot)
    plan = found.plan
    report = make_report(plan, (), found.labels.sentences(), snapshot=found.state, dry_run=True).to_json()
    grid, crs = _grid(plan)
    chosen = choose(plan, samples, spec.seed + lot)
    totals = plan.chip_counts.sum(axis=1).tolist()
    shown = [
        {"chip": name, "split": split, "labels": count}
        for name, split, count in zip(plan.chip_names.tolist(), plan.chip_splits.tolist(), totals, strict=True)
        if name in chosen
    ]
    return Preview(report, grid, crs, shown)


def picture(store: Store, project: str, spec: ChipSpec, chip: str, *, snapshot: str | None = None) -> bytes:
    """A chip of a preview with its labels over it, as PNG.

    Raises:
        NotFound: the plan has no chip of that name.
        InvalidRaster: the scene's file is gone, damaged or changed.
    """
    plan = _planned(store, project, spec, snapshot).plan
    found = np.flatnonzero(plan.chip_names == chip)
    if not len(found):
        raise NotFound(f"The dataset has no chip {chip!r:.80}.")
    number = int(found[0])
    colors = {c.id: c.color for c in plan.project.classes}
    with ChipBuilder(plan.project, spec) as builder:
        return png(draw_cell(builder.build(plan.chips[number], number + 1, {}), colors))


def _planned(store: Store, project: str, spec: ChipSpec, snapshot: str | None) -> Planned:
    """The plan, kept while nothing of what it is made from changes; one is made at a time."""
    now, state = store.state(project, snapshot)
    scenes = [store.scene(scene) for scene in now.scenes]
    made_of = [now.to_json(), state, [(s.id, s.version, s.datetime) for s in scenes], spec.to_json()]
    key = (str(store.folder), project, orjson.dumps(made_of).decode())
    with _planning:
        if key in _plans:
            _plans.move_to_end(key)
            return _plans[key]
        count = store.count(project)
        if count is not None and count > MOST_LABELS:
            raise InvalidSpec(
                f"Project {project!r} has {count:,} annotations, more than can be previewed while you wait ({MOST_LABELS:,}); "
                "`geolabel export --dry-run` counts them, and an export reports the same.",
            )
        planned = plan_export(store, project, spec, snapshot=snapshot)
        _plans[key] = planned
        while len(_plans) > _KEPT:
            _plans.popitem(last=False)
        return planned


def _grid(plan: Plan) -> tuple[dict[str, Any], str | None]:
    outlines = continuous(np.concatenate([laid.footprints for laid in plan.laid]), plan.project.crs)
    names = np.concatenate([laid.windows.names for laid in plan.laid])
    reasons, splits = np.concatenate(plan.reasons), np.concatenate(plan.splits)
    counts = np.concatenate([laid.counts(plan.labels, plan.project).sum(axis=1) for laid in plan.laid])
    step = -(-len(names) // MOST_SHOWN)
    crs = plan.project.crs
    outlines = outlines[::step]
    if crs is not None and crs_.on_earth(crs):
        outlines, crs = crs_.transform_geometries(outlines, crs, CRS84), CRS84
    # A millionth of a degree, or of a unit, shows where a chip lies.
    shown = shapely.to_geojson(shapely.set_precision(outlines, 1e-7, mode="pointwise"))
    features = [
        {
            "type": "Feature",
            "id": number,
            "geometry": json.loads(outline),
            "properties": {
                "chip": name,
                "split": split,
                "labels": labels,
                "left_out": reason or None,
                "color": None if reason or split is None else split_color(split),
            },
        }
        for number, (outline, name, split, reason, labels) in enumerate(
            zip(shown, names[::step], splits[::step], reasons[::step], counts[::step].tolist(), strict=True)
        )
    ]
    return {"type": "FeatureCollection", "features": features, "shown": len(features), "laid": len(names)}, crs
