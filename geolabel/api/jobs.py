"""Long work: imports and exports are asked for, watched, cancelled and fetched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import StreamingResponse
from zipstream import ZipStream

from geolabel import formats
from geolabel.api.context import Context, ContextDep, known_parameters
from geolabel.api.once import IdempotencyKey, read_once, replayed
from geolabel.api.wire import BodyDep, Json, Refused, bad_member
from geolabel.chips.spec import ChipSpec
from geolabel.errors import InvalidSpec, NotFound, Problem
from geolabel.jobs import export_folder, remove_unneeded
from geolabel.model import JobState

if TYPE_CHECKING:
    from geolabel.model import Job
    from geolabel.store.idempotency import Once

router = APIRouter(prefix="/api", tags=["jobs"], dependencies=[Depends(known_parameters)], default_response_class=Json)

Id = Annotated[int, Path(ge=1, le=2**63 - 1, description="Id of the job.")]


class NewExport(BaseModel):
    """A dataset to build."""

    model_config = ConfigDict(extra="forbid")

    formats: list[str] = Field(
        min_length=1, max_length=50, description="Names such as `coco`, `geojson`, `mask-semantic`."
    )
    chips: dict[str, Any] = Field({}, description="How to cut: the fields of ChipSpec, `size` and `stride` first.")
    snapshot: str | None = Field(None, description="Name of the snapshot to export; the present state when not sent.")
    engine: Literal["serial", "processes"] | None = Field(
        None, description="Who builds the chips; what suits their number when not sent. The dataset is the same."
    )


@router.post("/projects/{project}/exports", status_code=202)
def export(
    request: Request, context: ContextDep, project: str, body: BodyDep, idempotency_key: IdempotencyKey = None
) -> Response:
    """Build a dataset; follow the job at the `Location`."""
    context.store.project(project)
    once = read_once(request, idempotency_key, body.raw)
    if once is not None and context.store.is_done(project, once):
        return accepted(context, context.store.add_job("export", project, {}, once=once), once)
    new = body.model(NewExport)
    problems = [
        Problem(f"/formats/{index}", f"expected one of {', '.join(formats.names())}, got {name!r:.60}")
        for index, name in enumerate(new.formats)
        if name not in formats.names()
    ]
    if problems:
        raise InvalidSpec(f"The export cannot be made: {problems[0].message}.", problems)
    _check_spec(new.chips)
    params: dict[str, Any] = {"formats": list(dict.fromkeys(new.formats)), "chips": new.chips}
    if new.engine is not None:
        params["engine"] = new.engine
    if new.snapshot is not None:
        _check_snapshot(context, project, new.snapshot)
        params["snapshot"] = new.snapshot
    return accepted(context, context.store.add_job("export", project, params, once=once), once)


def _check_snapshot(context: Context, project: str, name: str) -> None:
    try:
        context.store.snapshot(project, name)
    except NotFound as error:
        raise bad_member("/snapshot", str(error)) from error


def _check_spec(values: dict[str, Any]) -> None:
    """Refuse options now that the job would refuse later."""
    try:
        ChipSpec.from_json(values)
    except InvalidSpec as error:
        raise InvalidSpec(str(error), [Problem("/chips", str(error))]) from error


@router.get("/jobs")
def list_jobs(
    context: ContextDep, project: Annotated[str | None, Query(description="Only jobs of this project.")] = None
) -> Response:
    """Jobs."""
    if project is not None:
        context.store.project(project)
    return Json({"jobs": [_to_json(context, job) for job in context.store.jobs(project)]})


@router.get("/jobs/{id}")
def get_job(context: ContextDep, id: Id) -> Response:  # noqa: A002 - the name in the path
    """How far a job is, and why it failed if it did."""
    return Json(_to_json(context, context.store.job(id)))


@router.delete("/jobs/{id}")
def cancel_job(context: ContextDep, id: Id) -> Response:  # noqa: A002
    """Cancel a job; one that has ended stays as it is."""
    job = context.store.cancel_job(id)
    remove_unneeded(context.store)
    return Json(_to_json(context, job))


@router.get("/jobs/{id}/result", response_class=StreamingResponse)
def get_result(context: ContextDep, id: Id) -> Response:  # noqa: A002
    """The dataset of an export as a zip, streamed while it is read."""
    job = context.store.job(id)
    if job.kind != "export":
        raise NotFound(f"Job {id} is an {job.kind}: its result is in the job itself.")
    if job.state is not JobState.DONE:
        raise Refused(409, f"Job {id} is {job.state}: there is a result once it is done.")
    folder = export_folder(context.store, id)
    if not folder.is_dir():
        raise NotFound(f"The dataset of job {id} was removed from {folder.name}; export it again.")
    name = f"{job.project}-{job.id}"
    archive = ZipStream.from_path(folder, arcname=name, sized=True)  # stored, not compressed: so the length is known
    headers = {
        "Content-Length": str(len(archive)),
        "Content-Disposition": f'attachment; filename="{name}.zip"',
    }
    return StreamingResponse(iter(archive), headers=headers, media_type="application/zip")


def _to_json(context: Context, job: Job) -> dict[str, Any]:
    at = f"/api/jobs/{job.id}"
    links = [{"href": context.url(at), "rel": "self", "type": "application/json"}]
    if job.kind == "export" and job.state is JobState.DONE:
        links.append({"href": context.url(f"{at}/result"), "rel": "results", "type": "application/zip"})
    return {**job.to_json(), "links": links}


def accepted(context: Context, job: Job, once: Once | None) -> Response:
    """202, and where the job can be watched."""
    context.wake_jobs()
    headers = {"Location": context.url(f"/api/jobs/{job.id}"), **replayed(once)}
    return Json(_to_json(context, job), 202, headers)
