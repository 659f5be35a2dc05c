"""From a stream of features to a published import: read ahead, prepare in threads, stage in order."""

from __future__ import annotations

import time
from collections import Counter, deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely

from geolabel.collector import collecting_seldom
from geolabel.errors import InvalidInput
from geolabel.geo import crs as crs_
from geolabel.geo.places import ground_of
from geolabel.geo.ragged import Ragged
from geolabel.geo.reproject import reproject
from geolabel.geo.tolerance import tolerance_of
from geolabel.intake.columns import plan_columns, read_columns
from geolabel.intake.report import ImportReport, Listed, Refusals
from geolabel.intake.shapes import Way, check_kinds, count_outside, settle
from geolabel.store.bulk import Rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import Future

    from numpy.typing import NDArray
    from shapely.geometry.base import BaseGeometry

    from geolabel.formats.base import Features, LabelStream
    from geolabel.geo.policy import InvalidPolicy
    from geolabel.intake.columns import Plan, Values
    from geolabel.intake.shapes import Settled
    from geolabel.model import Project, Scene
    from geolabel.store.bulk import Tally
    from geolabel.store.stage import ImportStage
    from geolabel.store.store import Store

    Progress = Callable[[float, str], None]

_WORKERS = 2
_AHEAD = 3
"""Batches that are prepared while one is written: so many times their memory."""

MAX_VERTICES = 2_000_000


@dataclass(frozen=True, slots=True)
class Options:
    """How a file is imported.

    Attributes:
        class_field: the column that names the class; `class` when there is one and nothing else was said.
        class_name: one class for all, instead of a column.
        on_invalid: what to do with shapes that cross themselves and the like; the project's policy when None.
        id_field: the column with ids of the source's own, by which a later import finds the annotations again; `fid` for
            the file's numbers of its features. None for the ids that GeoJSON features have.
        prune: delete annotations of an earlier import of the same source that it does not have any more.
        max_vertices: a shape with more is refused or skipped.
        source: provenance of the labels; `import:` and the file's name when None.
        trusted: columns that mean what geolabel means by them because geolabel itself has filled them: `scene`.
        touched: whether `prune` takes also what somebody has accepted, rejected or changed since.
    """

    class_field: str | None = None
    class_name: str | None = None
    on_invalid: InvalidPolicy | None = None
    id_field: str | None = None
    prune: bool = False
    max_vertices: int = MAX_VERTICES
    source: str | None = None
    trusted: tuple[str, ...] = ()
    touched: bool = True


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A batch, checked and encoded, ready to be staged."""

    count: int
    share: float
    settled: Settled
    values: Values
    rows: Rows
    outside: int
    measures: int
    sample: Ragged


@dataclass(slots=True)
class _Sum:
    """What the batches come to."""

    read: int = 0
    stored: int = 0
    outside: int = 0
    repaired: int = 0
    measures: int = 0
    area_change: float = 0.0
    by_class: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    notes: Listed = field(default_factory=Listed)
    refusals: Refusals = field(default_factory=Refusals)
    dropped: dict[str, None] = field(default_factory=dict)
    external: dict[str, None] = field(default_factory=dict)
    bounds: list[NDArray[np.float64]] = field(default_factory=list)
    samples: list[Ragged] = field(default_factory=list)

    def add(self, prepared: _Prepared) -> None:
        settled, values = prepared.settled, prepared.values
        self.read += prepared.count
        self.stored += len(settled.rows)
        self.outside += prepared.outside
        self.repaired += settled.repaired
        self.measures += prepared.measures
        self.area_change += settled.area_change
        self.by_class.update(prepared.rows.columns["class"])
        self.reasons += settled.reasons
        self.notes.extend(settled.notes)
        self.refusals.join(settled.refusals)
        self.refusals.join(values.refusals)
        self.dropped |= dict.fromkeys(values.dropped)
        self.external |= dict.fromkeys(values.external)
        if len(prepared.rows.bounds):
            box = prepared.rows.bounds
            self.bounds.append(np.concatenate([box[:, :2].min(axis=0), box[:, 2:].max(axis=0)]))
        if len(self.samples) < 3:
            self.samples.append(prepared.sample)


def run(
    store: Store,
    project: Project,
    scenes: Sequence[Scene],
    labels: LabelStream,
    options: Options,
    *,
    author: str | None,
    progress: Progress,
    job: int | None = None,
    result: Callable[[ImportReport], dict[str, Any]] = ImportReport.to_json,
) -> ImportReport:
    """Import labels into a project, all or none. See `workflows.import_labels`; `result` is what the job keeps of it."""
    started = time.monotonic()
    source = options.source or f"import:{labels.name}"
    with (
        collecting_seldom(),
        closing(labels.batches),
        ThreadPoolExecutor(_WORKERS, thread_name_prefix="import") as pool,
        store.stage_import(project.id, source=source, author=author, comment=f"Import of {labels.name}") as stage,
    ):
        first = next(labels.batches)
        plan = plan_columns(
            project,
            labels.name,
            first,
            class_field=options.class_field,
            class_name=options.class_name,
            id_field=options.id_field,
            trusted=options.trusted,
        )
        way = Way(
            source=labels.crs,
            target=project.crs,
            tolerance=tolerance_of(scenes),
            policy=options.on_invalid or project.on_invalid,
            max_vertices=options.max_vertices,
        )
        ground = ground_of(scenes, project.crs).outline if scenes and project.crs else None

        def prepare(features: Features) -> _Prepared:
            return _prepare(project, plan, way, ground, stage=stage, features=features)

        total = _Sum()
        for prepared in _ahead(pool, prepare, chain([first], labels.batches)):
            total.add(prepared)
            if not total.refusals and len(prepared.rows.blobs):
                stage.add(prepared.rows)
            rate = total.read / max(time.monotonic() - started, 1e-6)
            progress(0.98 * prepared.share, f"{total.read:,} features of {labels.name}, {rate:,.0f}/s")
        if total.refusals:
            raise total.refusals.error(labels.name, project)
        if ground is not None and total.stored and total.outside == total.stored:
            raise _elsewhere(project, ground, labels, total, way)
        progress(0.98, "Publishing")

        def outcome(tally: Tally) -> dict[str, Any]:
            return result(_report(labels.name, stage.number, total, tally))

        tally = stage.publish(prune=options.prune, touched=options.touched, job=job, outcome=outcome)
    if job is None:  # one that is a job has ended with its last word
        progress(1.0, f"Imported {tally.added:,} labels")
    return _report(labels.name, stage.number, total, tally)


def _ahead(
    pool: ThreadPoolExecutor, prepare: Callable[[Features], _Prepared], batches: Iterator[Features]
) -> Iterator[_Prepared]:
    """Prepared batches in order, a few of them at work while one is used; the next one is read in a thread, too."""
    waiting: deque[Future[_Prepared]] = deque()
    following = pool.submit(next, batches, None)
    try:
        while True:
            features = following.result()
            if features is not None:
                following = pool.submit(next, batches, None)
                waiting.append(pool.submit(prepare, features))
            while waiting and (features is None or len(waiting) >= _AHEAD):
                yield waiting.popleft().result()
            if features is None:
                return
    finally:
        for future in waiting:
            future.cancel()
        if not following.cancel():
            following.exception()  # the reader ends before its file is closed


def _prepare(
    project: Project, plan: Plan, way: Way, ground: BaseGeometry | None, *, stage: ImportStage, features: Features
) -> _Prepared:
    values = read_columns(project, plan, features)
    settled = settle(features, way)
    rows = settled.rows.tolist()
    whole = len(rows) == len(features)
    columns = {name: column if whole else [column[row] for row in rows] for name, column in values.columns.items()}
    check_kinds(project, settled, columns["class"], features)
    bounds = settled.shapes.bounds()
    outside = 0 if ground is None or not rows else count_outside(settled.shapes, bounds, ground)
    refused = bool(settled.refusals) or bool(values.refusals)
    blobs = [] if refused else stage.encode(settled.shapes)
    names = [f"feature {features.numbers[row]}" for row in rows]
    sample = features.shapes.take(np.flatnonzero(features.shapes.kinds >= 0)[:1000])
    return _Prepared(
        count=len(features),
        share=features.share,
        settled=settled,
        values=values,
        rows=Rows(blobs, bounds, columns, names),
        outside=outside,
        measures=features.measures,
        sample=sample,
    )


def _elsewhere(project: Project, ground: BaseGeometry, labels: LabelStream, total: _Sum, way: Way) -> InvalidInput:
    """What to say of labels of which none touches a scene: the CRS is wrong, or the axes are."""
    assert project.crs is not None
    boxes = np.array(total.bounds)
    (x0, y0), (x1, y1) = boxes[:, :2].min(axis=0).tolist(), boxes[:, 2:].max(axis=0).tolist()
    a0, b0, a1, b1 = ground.bounds
    cure = (
        "With x and y exchanged they would lie inside: the file has them in the wrong order."
        if any(_touches(_swapped(sample, way), ground) for sample in total.samples)
        else "Check the CRS of the file (--crs) and the scenes of the project."
    )
    return InvalidInput(
        f"None of the {total.stored} labels of {labels.name} touches a scene of project {project.id!r}: the scenes cover "
        f"({a0:.10g}, {b0:.10g}) to ({a1:.10g}, {b1:.10g}) in {crs_.label(project.crs)}, the labels "
        f"({x0:.10g}, {y0:.10g}) to ({x1:.10g}, {y1:.10g}). {cure}",
    )


def _touches(shapes: Ragged, ground: BaseGeometry) -> bool:
    return bool(shapely.intersects(ground, shapes.to_shapely()).any())


def _swapped(sample: Ragged, way: Way) -> Ragged:
    """Labels with x and y exchanged, in the project's CRS; none where that gives no place."""
    finite = np.isfinite(sample.xy).all()
    turned = Ragged(
        sample.kinds, np.ascontiguousarray(sample.xy[:, ::-1]), sample.z, sample.rings, sample.parts, sample.shapes
    )
    try:
        if finite and way.target is not None:
            return reproject(turned, way.source, way.target, way.tolerance)
    except InvalidInput:
        pass
    return sample.take(np.empty(0, dtype=np.int64))


def _report(name: str, number: int, total: _Sum, tally: Tally) -> ImportReport:
    return ImportReport(
        file=name,
        changeset=number,
        read=total.read,
        imported=tally.added,
        updated=tally.updated,
        unchanged=tally.unchanged,
        kept=tally.kept,
        overwritten=tally.overwritten,
        gone=len(tally.gone),
        deleted=tally.deleted,
        ids=tally.ids,
        by_class=dict(sorted(total.by_class.items())),
        repaired=total.repaired,
        area_change=total.area_change,
        skipped=total.read - total.stored,
        reasons=dict(total.reasons.most_common()),
        outside=total.outside,
        measures=total.measures,
        external_columns=tuple(total.external),
        dropped_columns=tuple(total.dropped),
        problems=tuple(total.notes.first),
    )
