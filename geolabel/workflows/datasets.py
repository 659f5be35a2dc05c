"""The use case of datasets: from a project to a folder or a bucket."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from geolabel import formats
from geolabel.chips.frame import about_how_many
from geolabel.collector import collecting_seldom
from geolabel.formats import objects, staging
from geolabel.formats.ahead import started
from geolabel.formats.dataset import Build, write_dataset
from geolabel.formats.files import LocalFiles
from geolabel.formats.report import ExportReport, make_report
from geolabel.planning import plan_export
from geolabel.store.room import check_room, told_when_full

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from geolabel.chips.plan import Plan
    from geolabel.chips.spec import ChipSpec
    from geolabel.formats.files import Files
    from geolabel.store.store import Store

    Progress = Callable[[float, str], None]


def export(
    store: Store,
    project_id: str,
    out: str | Path,
    format_names: Sequence[str],
    spec: ChipSpec,
    *,
    snapshot: str | None = None,
    progress: Progress | None = None,
    dry_run: bool = False,
    engine: str | None = None,
    resume: bool = False,
) -> ExportReport:
    """Write a dataset; it appears at `out` only when it is whole.

    Args:
        store: the workspace.
        project_id: slug.
        out: a folder that does not exist yet, or `s3://bucket/folder` (`gs://`, `az://`) with nothing in it.
        format_names: names such as `coco`, `geojson`, `mask-semantic` (see `formats.names`).
        spec: how chips are cut, chosen, split and written.
        snapshot: name of the snapshot to export, with the schema and the labels that it has; the present state when None.
        progress: called with a share and a sentence; what it raises (`Cancelled`) stops the work without a trace.
        dry_run: count what would be written, and write nothing.
        engine: who builds the chips: `serial`, `processes[:N]`, `dask[:ADDRESS]`; None takes what suits their number. The
            dataset is the same.
        resume: go on where a killed export of the same dataset to the same place was, and keep what is done should this
            one be stopped as well.

    Raises:
        AlreadyExists: something is at `out`.
        NotFound: no such project, snapshot or scene.
        InvalidSpec: an unknown format, or one that cannot hold this project; no chip is left.
        InvalidRaster: a scene's file is gone, damaged or changed.
        StorageFull: no room on the disk; with `resume` what is done is kept, otherwise nothing is.
    """
    tell = progress or (lambda _share, _message: None)
    wanted = formats.chosen(format_names)
    remote = objects.is_url(out)
    if remote:
        objects.check_free(str(out))
    else:
        staging.check_free(Path(out))
    chipped = any(f.space == "pixel" for f in wanted)
    with collecting_seldom(), ExitStack() as stack:
        begun = None
        if chipped and not dry_run:
            project, _ = store.state(project_id, snapshot)
            about = about_how_many([store.scene(scene) for scene in project.scenes], spec)
            begun = stack.enter_context(started(engine, *about, wanted))
        with told_when_full(
            store.folder, "The export", "The shapes of the labels rest there as long as it lasts: make room."
        ):
            found = plan_export(store, project_id, spec, snapshot=snapshot, chipped=chipped, progress=tell)
        if dry_run:
            names, said = [f.name for f in wanted], found.labels.sentences()
            return make_report(found.plan, names, said, snapshot=found.state, dry_run=True, chipped=chipped)
        where = store.folder if remote else Path(out).absolute().parent
        if not remote:
            check_room(where, _size_of_images(found.plan), "The export")
        kept = (
            "What is done is kept: make room, and go on with --resume."
            if resume
            else "Nothing of it was kept: make room."
        )
        stack.enter_context(told_when_full(where, "The export", kept))
        files: Files
        if remote:
            files = stack.enter_context(objects.uploaded(str(out), store.folder, resume=resume))
        else:
            files = LocalFiles(stack.enter_context(staging.staged(Path(out), resume=resume)))
        build = Build(begun or engine, resume, tell)
        report = write_dataset(found.plan, found.labels, wanted, files, build, snapshot=found.state)
    tell(1.0, f"Wrote {Path(out).name}")
    return report


def _size_of_images(plan: Plan) -> int:
    """Bytes that the chips' images will take at least: a third of their pixels."""
    total = 0
    for frame, laid, kept in zip(plan.frames, plan.laid, plan.kept, strict=True):
        item = 0
        for scene in frame.scenes:
            # Complex integers have no numpy type; they are written as a pair of floats.
            dtypes = {band.index: band.dtype for band in scene.bands}
            chosen = [dtypes[band] for band in plan.spec.bands or dtypes]
            item += sum(8 if dtype.startswith("complex_") else np.dtype(dtype).itemsize for dtype in chosen)
        total += item * int((laid.windows.boxes[kept, 2] * laid.windows.boxes[kept, 3]).sum())
    return total // 3
