"""Long work: imports and exports are asked for, watched, cancelled and fetched."""

from __future__ import annotations

import hashlib
import uuid
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal

import anyio
from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import StreamingResponse
from zipstream import ZipStream

from geolabel import formats
from geolabel.api.context import Context, ContextDep, known_parameters
from geolabel.api.once import IdempotencyKey, read_once, replayed
from geolabel.api.wire import BodyDep, Json, Refused, bad_member, bad_parameter, check_length, too_large
from geolabel.chips.spec import ChipSpec
from geolabel.errors import GeolabelError, InvalidCRS, InvalidSpec, NotFound, Problem
from geolabel.geo import crs as crs_
from geolabel.jobs import export_folder, remove_unneeded
from geolabel.model import JobState
from geolabel.store.room import check_room

if TYPE_CHECKING:
    from geolabel.model import Job
    from geolabel.store.idempotency import Once

router = APIRouter(prefix="/api", tags=["jobs"], dependencies=[Depends(known_parameters)], default_response_class=Json)

Id = Annotated[int, Path(ge=1, le=2**63 - 1, description="Id of the job.")]


_GROWTH = 4
"""Bytes on the disk for a byte of an import: its body, the labels, their index, and the log that they go through."""


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


@router.post("/projects/{project}/imports", status_code=202)
async def import_labels(
    *,
    request: Request,
    context: ContextDep,
    project: str,
    class_field: Annotated[str | None, Query(description="The property that names the class.")] = None,
    class_: Annotated[str | None, Query(alias="class", description="One class for all, instead.")] = None,
    crs: Annotated[str | None, Query(description="CRS of the coordinates; CRS84.")] = None,
    on_invalid: Annotated[
        Literal["reject", "repair", "skip"] | None, Query(description="What to do with invalid shapes.")
    ] = None,
    source: Annotated[
        str,
        Query(
            min_length=1,
            max_length=200,
            description="What the labels come from: a later import of the same name updates them by their ids.",
        ),
    ] = "the body",
    id_field: Annotated[
        str | None, Query(description="The property with those ids; the `id` of the features when not given.")
    ] = None,
    prune: Annotated[
        bool, Query(description="Delete what an earlier import of that name made and this one does not have.")
    ] = False,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Add the labels of a GeoJSON file, all or none; follow the job at the `Location`."""
    project_ = await anyio.to_thread.run_sync(context.store.project, project)
    if class_field is not None and class_ is not None:
        raise bad_parameter("class", "the class comes from class_field or is one for all, not both")
    if class_ is not None and class_ not in {c.name for c in project_.classes}:
        known = ", ".join(c.name for c in project_.classes)
        raise bad_parameter("class", f"the project has {known}; got {class_!r:.80}")
    try:
        name = None if crs is None else crs_.normalise(crs)
    except InvalidCRS as error:
        raise bad_parameter("crs", str(error)) from error
    if not source.isprintable():
        raise bad_parameter("source", f"a name is printable text, got {source!r:.80}")
    read_once(request, idempotency_key, "")  # refused before the body comes, not after it
    file, digest = await receive(request, context, ".geojson")
    once = read_once(request, idempotency_key, digest)
    # By its place in the workspace, which may be moved, or restored elsewhere, before the job is done.
    params = {
        "file": f"imports/{file.name}",
        "class_field": class_field,
        "class": class_,
        "crs": name,
        "on_invalid": on_invalid,
        "name": source,
        "id_field": id_field,
        "prune": prune,
        "max_vertices": context.settings.max_vertices,
    }
    try:
        job = await anyio.to_thread.run_sync(partial(context.store.add_job, "import", project, params, once=once))
    except GeolabelError:
        await file.unlink(missing_ok=True)
        raise
    if once is not None and once.replayed:  # the job has the body of the first request
        await file.unlink(missing_ok=True)
    return accepted(context, job, once)


async def receive(request: Request, context: Context, suffix: str) -> tuple[anyio.Path, str]:
    """Write the body to a file of the workspace, up to the limit; the file, and the SHA-256 of the body.

    Raises:
        Refused: 413 when it is too large, 422 when it is empty.
    """
    limit = context.settings.max_body_mb * 1_000_000
    check_length(request, limit)
    folder = anyio.Path(context.store.folder) / "imports"
    await folder.mkdir(parents=True, exist_ok=True)
    if (length := request.headers.get("content-length", "")).isdigit():
        check_room(context.store.folder, int(length) * _GROWTH, "The import")
    file = folder / f"{uuid.uuid4().hex}{suffix}"
    try:
        digest = await _write(request, file, limit)
    except BaseException:
        with anyio.CancelScope(shield=True):
            await file.unlink(missing_ok=True)
        raise
    return file, digest


async def _write(request: Request, file: anyio.Path, limit: int) -> str:
    size, digest = 0, hashlib.sha256()
    async with await file.open("wb") as target:
        async for chunk in request.stream():
            size += len(chunk)
            if size > limit:
                raise too_large(limit)
            digest.update(chunk)
            await target.write(chunk)
    if size == 0:
        raise Refused(422, "The body is empty; expected a file.")
    return digest.hexdigest()


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
