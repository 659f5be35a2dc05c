"""What a worker does for each kind of job."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from geolabel import intake, predictions
from geolabel.chips.spec import ChipSpec
from geolabel.formats import staging, vector
from geolabel.formats.uploads import opened_upload
from geolabel.intake.mapped import with_classes
from geolabel.jobs import export_folder, import_file_of
from geolabel.workflows.datasets import export
from geolabel.workflows.labels import import_file, import_labels, import_predictions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from geolabel.jobs import Handler
    from geolabel.model import Job
    from geolabel.store.store import Store

    Progress = Callable[[float, str], None]


def _export_job(store: Store, job: Job, progress: Progress) -> Mapping[str, Any]:
    out = export_folder(store, job.id)
    if out.exists():  # whole already: the worker died between the rename and its last heartbeat
        shutil.rmtree(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    spec = ChipSpec.from_json(job.params.get("chips", {}))
    snapshot = job.params.get("snapshot")
    try:
        report = export(
            store,
            job.project,
            out,
            job.params["formats"],
            spec,
            snapshot=snapshot,
            progress=progress,
            engine=job.params.get("engine"),
            resume=True,  # a worker that was killed at it left what it had done
        )
    except Exception:
        staging.discard(out)
        raise
    return report.to_json()


def _import_job(store: Store, job: Job, progress: Progress) -> Mapping[str, Any]:
    file = import_file_of(store, job)
    try:
        report = _import_body(store, job, file, progress)
    except Exception:
        file.unlink(missing_ok=True)
        raise
    # A worker that is stopped leaves the file: the job will be taken up again.
    file.unlink(missing_ok=True)
    return report.to_json()


def _import_upload(store: Store, job: Job, file: Path, progress: Progress) -> intake.ImportReport:
    given, field = job.params["upload"], job.params["class_field"]
    with opened_upload(file, given["name"], crs=given["crs"], layer=given["layer"]) as (labels, _):
        return import_labels(
            store,
            job.project,
            with_classes(labels, field, given["classes"]) if field else labels,
            class_field=field,
            class_name=job.params["class"],
            on_invalid=job.params["on_invalid"],
            max_vertices=job.params["max_vertices"],
            progress=progress,
            job=job.id,
        )


@contextmanager
def _as_body(file: Path) -> Iterator[Path]:
    """The body of a request by a name that may stand in a message."""
    with tempfile.TemporaryDirectory() as folder:
        body = Path(folder, f"body{file.suffix}")
        body.symlink_to(file.absolute())
        yield body


def _import_pixels(store: Store, job: Job, file: Path, progress: Progress) -> intake.ImportReport:
    params = job.params
    with _as_body(file) as body:
        return import_file(
            store,
            job.project,
            body,
            format_name=params["format"],
            manifest=None if params["export"] is None else export_folder(store, params["export"]),
            voc_base=params["voc_base"],
            outside=params["outside"],
            options=intake.Options(
                params["class_field"],
                params["class"],
                params["on_invalid"],
                params["id_field"],
                params["prune"],
                params["max_vertices"],
            ),
            progress=progress,
            job=job.id,
            called=params["name"],
        )


def _import_body(store: Store, job: Job, file: Path, progress: Progress) -> intake.ImportReport:
    if "upload" in job.params:
        return _import_upload(store, job, file, progress)
    if job.params.get("format", "geojson") != "geojson":
        return _import_pixels(store, job, file, progress)
    # The body of a request is read strictly, and GDAL, which would follow links in it, never sees it.
    return import_labels(
        store,
        job.project,
        vector.open_body(file, crs=job.params["crs"], name=job.params.get("name") or "the body"),
        class_field=job.params["class_field"],
        class_name=job.params["class"],
        on_invalid=job.params["on_invalid"],
        id_field=job.params.get("id_field"),
        prune=job.params.get("prune", False),
        max_vertices=job.params.get("max_vertices", intake.MAX_VERTICES),
        progress=progress,
        job=job.id,
    )


def _predictions_job(store: Store, job: Job, progress: Progress) -> Mapping[str, Any]:
    file = import_file_of(store, job)
    params = job.params
    dataset = None if params["export"] is None else export_folder(store, params["export"])
    try:
        report = import_predictions(
            store,
            job.project,
            file,
            manifest=dataset,
            model=params["model"],
            format_name=params["format"],
            class_field=params["class_field"],
            class_name=params["class"],
            crs=params["crs"],
            voc_base=params["voc_base"],
            threshold=params["threshold"],
            replace_former=params["replace"],
            options=predictions.BackOptions.from_json(params["options"]),
            progress=progress,
            job=job.id,
            name="the body",
        )
    except Exception:
        file.unlink(missing_ok=True)
        raise
    file.unlink(missing_ok=True)
    return report.to_json()


JOB_HANDLERS: Mapping[str, Handler] = {"export": _export_job, "import": _import_job, "predictions": _predictions_job}
