"""A plan and the formats asked for -> the files of a dataset, in one pass over the chips."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson

from geolabel.formats.base import Context
from geolabel.formats.contact_sheet import ContactSheet, choose
from geolabel.formats.images import check_images
from geolabel.formats.manifest import ChipTable, manifest
from geolabel.formats.parts import BUILD, Setup, build_part, close_bench, read_record, tasks_of
from geolabel.formats.report import make_report, page
from geolabel.model import LabelBatch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from geolabel.chips.labels import Labels
    from geolabel.chips.plan import Plan
    from geolabel.formats.base import ChipWriter, Format
    from geolabel.formats.files import Files
    from geolabel.formats.report import ExportReport
    from geolabel.model import Project

_BATCH = 10_000


def write_dataset(
    plan: Plan,
    labels: Labels,
    formats: Sequence[Format],
    files: Files,
    progress: Callable[[float, str], None],
    *,
    snapshot: Mapping[str, Any],
) -> ExportReport:
    """Write everything that an export writes.

    Args:
        plan: chips, or none when only map formats were asked for.
        labels: all annotations of the project, for map formats.
        formats: what to write.
        files: where.
        progress: called with a share and a sentence; it may raise `Cancelled`.
        snapshot: the state that is exported: `name`, `changeset`, `hash`.

    Raises:
        InvalidSpec: a format or the image format cannot hold this project.
        InvalidRaster: a scene cannot be read.
    """
    pixel = tuple(f for f in formats if f.space == "pixel")
    if pixel:
        check_images(plan.scenes, plan.spec)
    splits = tuple(make_report(plan, (), snapshot=snapshot).chips)
    table = ChipTable()
    context = Context(plan.project, plan.scenes, plan.spec, splits, files)
    try:
        writers = {f.name: f.make_writer(context) for f in formats}
        losses = labels.sentences()
        losses += _write_map([writers[f.name] for f in formats if f.space == "map"], plan.project, labels, progress)
        if pixel:
            shown = frozenset(choose(plan))
            setup = Setup(secrets.token_hex(8), context, pixel, shown)
            losses += _write_chips(plan, labels, setup, [writers[f.name] for f in pixel], table, progress=progress)
    finally:
        files.close()
    progress(0.95, "Writing the manifest and the report")
    names = [f.name for f in formats]
    report = make_report(plan, names, losses, snapshot=snapshot, chipped=bool(pixel))
    files.write("chips.parquet", table.parquet())
    files.write("report.json", orjson.dumps(report.to_json(), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    sheet = files.read("contact-sheet.png") if pixel else None
    files.write("report.html", page(report, plan.project.classes, sheet).encode())
    files.remove(BUILD)
    content = manifest(plan, formats=names, chips=report.chips, snapshot=report.snapshot)
    # The last file of a dataset: it is there when all others are.
    files.write("manifest.json", orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    return report


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
        batch = LabelBatch(labels.ids[part], class_names, labels.geometries[part], columns)
        yield min(start + _BATCH, len(labels)), batch


def _write_chips(
    plan: Plan,
    labels: Labels,
    setup: Setup,
    writers: Sequence[ChipWriter],
    table: ChipTable,
    *,
    progress: Callable[[float, str], None],
) -> list[str]:
    sheet = ContactSheet(plan)
    files = setup.context.files
    for writer in writers:
        writer.begin()
    done, total = 0, len(plan.chips)
    for number in map(build_part, tasks_of(plan, labels, setup)):
        record = read_record(files, number)
        assert record is not None
        for chip, pieces in zip(plan.chips[done : done + len(record.pieces)], record.pieces, strict=True):
            row, cell, *own = pieces
            table.add(row.lines["row"])
            if cell.lines:
                sheet.add(chip, cell.lines["cell"])
            for writer, piece in zip(writers, own, strict=True):
                writer.add(chip, piece)
        done += len(record.pieces)
        progress(0.05 + 0.9 * done / total, f"Chip {done:,} of {total:,}")
    close_bench()
    files.write("contact-sheet.png", sheet.png())
    return [sentence for writer in writers for sentence in writer.close()]
