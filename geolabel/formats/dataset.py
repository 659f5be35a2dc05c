"""A plan and the formats asked for -> the files of a dataset, in one pass over the chips."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson

from geolabel.chips.build import chips
from geolabel.formats.base import Context
from geolabel.formats.contact_sheet import ContactSheet
from geolabel.formats.images import check_images, image_bytes, write_file
from geolabel.formats.manifest import ChipTable, manifest, write_manifest
from geolabel.formats.report import make_report, write_page
from geolabel.model import LabelBatch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from geolabel.chips.labels import Labels
    from geolabel.chips.plan import Plan
    from geolabel.formats.base import Format
    from geolabel.formats.report import ExportReport
    from geolabel.model import Project

_BATCH = 10_000


def write_dataset(
    plan: Plan,
    labels: Labels,
    formats: Sequence[Format],
    folder: Path,
    progress: Callable[[float, str], None],
    *,
    snapshot: Mapping[str, Any],
) -> ExportReport:
    """Write everything that an export writes.

    Args:
        plan: chips, or none when only map formats were asked for.
        labels: all annotations of the project, for map formats.
        formats: what to write.
        folder: an empty folder.
        progress: called with a share and a sentence; it may raise `Cancelled`.
        snapshot: the state that is exported: `name`, `changeset`, `hash`.

    Raises:
        InvalidSpec: a format or the image format cannot hold this project.
        InvalidRaster: a scene cannot be read.
    """
    pixel = [f for f in formats if f.space == "pixel"]
    if pixel:
        check_images(plan.scenes, plan.spec)
    splits = tuple(make_report(plan, (), snapshot=snapshot).chips)
    table = ChipTable(plan)
    with ExitStack() as files:
        context = Context(plan.project, plan.scenes, plan.spec, folder, splits, files, labels)
        writers = {f.name: f.make_writer(context) for f in formats}
        losses = labels.sentences()
        losses += _write_map([writers[f.name] for f in formats if f.space == "map"], plan.project, labels, progress)
        if pixel:
            losses += _write_chips(plan, context, [writers[f.name] for f in pixel], table, progress)
    progress(0.95, "Writing the manifest and the report")
    names = [f.name for f in formats]
    report = make_report(plan, names, losses, snapshot=snapshot, chipped=bool(pixel))
    table.write(folder)
    (folder / "report.json").write_bytes(
        orjson.dumps(report.to_json(), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    )
    sheet = folder / "contact-sheet.png"
    write_page(report, plan.project.classes, sheet if pixel else None, folder / "report.html")
    write_manifest(folder, manifest(plan, formats=names, chips=report.chips, snapshot=report.snapshot))
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
    plan: Plan, context: Context, writers: Sequence[Any], table: ChipTable, progress: Callable[[float, str], None]
) -> list[str]:
    sheet = ContactSheet(plan)
    total = len(plan.chips)
    for number, chip in enumerate(chips(plan), start=1):
        path = context.image_path(chip)
        content = image_bytes(chip, plan.spec.image_format)
        write_file(context.out / path, content)
        masks = [file for writer in writers for file in writer.add(chip) if file.startswith("masks/")]
        table.add(chip, path, content, masks)
        sheet.add(chip)
        progress(0.05 + 0.9 * number / total, f"Chip {number:,} of {total:,}")
    sheet.write(context.out / "contact-sheet.png")
    return [sentence for writer in writers for sentence in writer.close()]
