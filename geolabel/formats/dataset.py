"""A plan and the formats asked for -> the files of a dataset, in one pass over the chips."""

from __future__ import annotations

import hashlib
import secrets
import time
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson

from geolabel.batches import LabelBatch
from geolabel.chips.engine import choose_engine
from geolabel.errors import NotFound
from geolabel.formats.base import Context
from geolabel.formats.cell import png
from geolabel.formats.contact_sheet import ContactSheet, choose
from geolabel.formats.facts import Facts
from geolabel.formats.images import check_images
from geolabel.formats.manifest import ChipTable, manifest
from geolabel.formats.page import page
from geolabel.formats.parts import (
    Setup,
    Task,
    begin_parts,
    build_part,
    chips_a_part,
    chips_of,
    closing_bench,
    count_parts,
    is_done,
    read_record,
    tasks_of,
)
from geolabel.formats.report import make_report

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from geolabel.chips.engine import Engine
    from geolabel.chips.labels import Labels
    from geolabel.chips.plan import Plan
    from geolabel.chips.planned import PlannedChip
    from geolabel.formats.base import ChipWriter, Format
    from geolabel.formats.files import Files
    from geolabel.formats.report import ExportReport
    from geolabel.model import Project

_BATCH = 10_000


@dataclass(frozen=True, slots=True)
class Build:
    """How a dataset is built: nothing of it can be seen in the dataset.

    Attributes:
        engine: who builds the chips, or the name of one (see `choose_engine`); None takes what suits their number.
        resume: go on with what a killed build of the same dataset left.
        progress: called with a share and a sentence; it may raise `Cancelled`.
    """

    engine: Engine | str | None = None
    resume: bool = False
    progress: Callable[[float, str], None] = lambda _share, _message: None


def write_dataset(
    plan: Plan,
    labels: Labels,
    formats: Sequence[Format],
    files: Files,
    build: Build,
    *,
    snapshot: Mapping[str, Any],
) -> ExportReport:
    """Write everything that an export writes.

    Args:
        plan: chips, or none when only map formats were asked for.
        labels: all annotations of the project, for map formats.
        formats: what to write.
        files: where.
        build: how.
        snapshot: the state that is exported: `name`, `changeset`, `hash`.

    Raises:
        InvalidSpec: a format or the image format cannot hold this project.
        InvalidRaster: a scene cannot be read.
        WorkerLost: a process died over and over at the same chips.
    """
    progress = build.progress
    pixel = tuple(f for f in formats if f.space == "pixel")
    if pixel:
        check_images(plan.scenes, plan.spec)
    splits = tuple(make_report(plan, (), snapshot=snapshot).chips)
    table, facts, sheet = ChipTable(), Facts(), ContactSheet(plan)
    context = Context(plan.project, plan.scenes, plan.spec, splits, files)
    try:
        writers = {f.name: f.make_writer(context) for f in formats}
        losses = [*labels.sentences(), *_without_attributes(plan.project, labels, formats)]
        losses += _write_map([writers[f.name] for f in formats if f.space == "map"], plan.project, labels, progress)
        if pixel:
            shown = frozenset(choose(plan))
            setup = Setup(secrets.token_hex(8), _fingerprint(plan, formats, snapshot), context, pixel, shown)
            losses += _write_chips(
                plan,
                labels,
                setup,
                build,
                writers=[writers[f.name] for f in pixel],
                table=table,
                facts=facts,
                sheet=sheet,
            )
        files.finish()
    finally:
        files.close()
    progress(0.95, "Writing the manifest and the report")
    names = [f.name for f in formats]
    report = make_report(plan, names, losses, snapshot=snapshot, chipped=bool(pixel), facts=facts if pixel else None)
    files.write("chips.parquet", table.parquet())
    files.write("report.json", orjson.dumps(report.to_json(), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    picture = sheet.picture() if pixel else None
    if picture is not None:
        files.write("contact-sheet.png", png(np.asarray(picture)))
    files.write("report.html", page(report, plan, picture).encode())
    content = manifest(plan, formats=names, chips=report.chips, snapshot=report.snapshot)
    # The last file of a dataset: it is there when all others are.
    files.write("manifest.json", orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    return report


def _without_attributes(project: Project, labels: Labels, formats: Sequence[Format]) -> list[str]:
    """A sentence on the attributes for which formats have no place."""
    names = [a.name for a in project.attributes if any(v is not None for v in labels.columns.get(a.name, ()))]
    without = [f.name for f in formats if not f.attributes]
    if not names or not without:
        return []
    count = sum(any(v is not None for v in row) for row in zip(*(labels.columns[n] for n in names), strict=True))
    return [
        f"No place for attributes in {', '.join(without)}: {', '.join(names)} of {count:,} annotations left out there."
    ]


def _fingerprint(plan: Plan, formats: Sequence[Format], snapshot: Mapping[str, Any]) -> str:
    """What tells one dataset from another, before it is built."""
    known = manifest(plan, formats=[f.name for f in formats], chips={}, snapshot=snapshot)
    chips = [plan.chip_names.tolist(), plan.chip_splits.tolist()]
    return hashlib.sha256(orjson.dumps([known, plan.digest, chips, chips_a_part(plan.most_pixels)])).hexdigest()


def _write_map(
    writers: Sequence[Any], project: Project, labels: Labels, progress: Callable[[float, str], None]
) -> list[str]:
    for done, batch in _batches(project, labels) if writers else ():
        for writer in writers:
            writer.add(batch)
        progress(0.05 * done / len(labels), f"Writing annotations: {done:,} of {len(labels):,}")
    return [sentence for writer in writers for sentence in writer.close()]


def _batches(project: Project, labels: Labels) -> Iterator[tuple[int, LabelBatch]]:
    names = {c.id: c.name for c in project.classes}
    for start in range(0, len(labels), _BATCH):
        part = slice(start, start + _BATCH)
        class_names = np.array([names[int(c)] for c in labels.class_ids[part]], dtype=object)
        columns = {name: column[part] for name, column in labels.columns.items()}
        batch = LabelBatch(labels.ids[part], class_names, labels.shapes(part), columns)
        yield min(start + _BATCH, len(labels)), batch


def _write_chips(
    plan: Plan,
    labels: Labels,
    setup: Setup,
    build: Build,
    *,
    writers: Sequence[ChipWriter],
    table: ChipTable,
    facts: Facts,
    sheet: ContactSheet,
) -> list[str]:
    files = setup.context.files
    resumed = begin_parts(setup, resume=build.resume)
    for writer in writers:
        writer.begin()
    parts = range(count_parts(plan))
    missing = [number for number in parts if not (resumed and is_done(files, number))]
    given = build.engine
    engine = choose_engine(given, len(missing)) if given is None or isinstance(given, str) else given
    pace = _Pace(len(plan.chips), build.progress)
    begun: dict[int, tuple[PlannedChip, ...]] = {}

    def tasks() -> Iterator[Task]:
        for task in tasks_of(plan, labels, setup, missing):
            begun[task.number] = task.chips
            yield task

    with closing(engine.run(build_part, tasks())) as built, closing_bench():
        todo = set(missing)
        for number in parts:
            if number in todo:
                assert next(built) == number
            record = read_record(files, number)
            if record is None:
                raise NotFound(f"The record of part {number} of {files} was there and is gone.")
            chips = begun.pop(number) if number in todo else chips_of(plan, number)
            for chip, pieces in zip(chips, record.pieces, strict=True):
                row, cell, *own = pieces
                table.add(row.lines["row"])
                facts.add(row.lines["facts"])
                if cell.lines:
                    sheet.add(chip, cell.lines["cell"])
                for writer, piece in zip(writers, own, strict=True):
                    writer.add(chip, piece)
            pace.done(len(record.pieces), fresh=number in todo)
    return [sentence for writer in writers for sentence in writer.close()]


class _Pace:
    """Tells how many chips are done, and how fast."""

    def __init__(self, total: int, progress: Callable[[float, str], None]) -> None:
        self._total, self._progress = total, progress
        self._done = self._fresh = 0
        self._started = time.monotonic()

    def done(self, chips: int, *, fresh: bool) -> None:
        """So many more; `fresh` when this run built them."""
        self._done += chips
        self._fresh += chips if fresh else 0
        rate = self._fresh / max(time.monotonic() - self._started, 1e-3)
        speed = f", {rate:,.0f} a second" if rate >= 1 else ""
        self._progress(0.05 + 0.9 * self._done / self._total, f"Chip {self._done:,} of {self._total:,}{speed}")
