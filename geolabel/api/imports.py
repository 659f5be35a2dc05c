"""Labels come in: GeoJSON, or a format in the pixels of chips; a file is sent, a job imports it."""

from __future__ import annotations

import hashlib
import uuid
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal

import anyio
from fastapi import APIRouter, Depends, Query, Request, Response

from geolabel import formats
from geolabel.api.context import Context, ContextDep, known_parameters
from geolabel.api.jobs import accepted
from geolabel.api.once import IdempotencyKey, read_once
from geolabel.api.wire import ZIP, Json, Refused, bad_parameter, check_length, too_large
from geolabel.errors import GeolabelError, InvalidCRS, InvalidInput, NotFound
from geolabel.geo import crs as crs_
from geolabel.jobs import export_folder
from geolabel.model import JobState
from geolabel.store.room import check_room

if TYPE_CHECKING:
    from geolabel.store.idempotency import Once

router = APIRouter(prefix="/api", tags=["jobs"], dependencies=[Depends(known_parameters)], default_response_class=Json)

_GROWTH = 4
"""Bytes on the disk for a byte of an import: its body, the labels, their index, and the log that they go through."""


@router.post("/projects/{project}/imports", status_code=202)
async def import_labels(
    *,
    request: Request,
    context: ContextDep,
    project: str,
    class_field: Annotated[str | None, Query(description="The property that names the class.")] = None,
    class_: Annotated[str | None, Query(alias="class", description="One class for all, instead.")] = None,
    format_: Annotated[
        str, Query(alias="format", description="`geojson`, or a format in the pixels of chips: `coco`, `yolo`...")
    ] = "geojson",
    export: Annotated[
        int | None, Query(ge=1, le=2**63 - 1, description="The export job whose chips such a format speaks of.")
    ] = None,
    voc_base: Annotated[Literal["0", "1"], Query(description="What Pascal VOC calls the first pixel.")] = "1",
    outside: Annotated[
        Literal["refuse", "clip"], Query(description="Shapes that reach over the edge of their picture.")
    ] = "refuse",
    crs: Annotated[str | None, Query(description="CRS of GeoJSON's coordinates; CRS84.")] = None,
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
    """Add the labels of a file, all or none; follow the job at the `Location`."""
    project_ = await anyio.to_thread.run_sync(context.store.project, project)
    if class_field is not None and class_ is not None:
        raise bad_parameter("class", "the class comes from class_field or is one for all, not both")
    if class_ is not None and class_ not in {c.name for c in project_.classes}:
        known = ", ".join(c.name for c in project_.classes)
        raise bad_parameter("class", f"the project has {known}; got {class_!r:.80}")
    _check_format(format_, crs=crs, export=export)
    try:
        name = None if crs is None else crs_.normalise(crs)
    except InvalidCRS as error:
        raise bad_parameter("crs", str(error)) from error
    if export is not None:
        await anyio.to_thread.run_sync(check_dataset, context, project, export)
    if not source.isprintable():
        raise bad_parameter("source", f"a name is printable text, got {source!r:.80}")
    read_once(request, idempotency_key, "")  # refused before the body comes, not after it
    zipped = request.headers.get("content-type", "").lower() == ZIP
    if zipped and format_ == "geojson":
        raise bad_parameter("format", "a zip holds a format in the pixels of chips: say which, such as coco or yolo")
    file, digest = await receive(
        request, context, ".zip" if zipped else ".geojson" if format_ == "geojson" else ".json"
    )
    once = read_once(request, idempotency_key, digest)
    # By its place in the workspace, which may be moved, or restored elsewhere, before the job is done.
    params = {
        "file": f"imports/{file.name}",
        "format": format_,
        "export": export,
        "voc_base": int(voc_base),
        "outside": outside,
        "class_field": class_field,
        "class": class_,
        "crs": name,
        "on_invalid": on_invalid,
        "name": source,
        "id_field": id_field,
        "prune": prune,
        "max_vertices": context.settings.max_vertices,
    }
    return await queue(context, "import", project, params, file=file, once=once)


async def queue(
    context: Context, kind: str, project: str, params: dict[str, Any], *, file: anyio.Path, once: Once | None
) -> Response:
    """Leave work on a body that was received to a job; without a job of its own, the body goes."""
    try:
        job = await anyio.to_thread.run_sync(partial(context.store.add_job, kind, project, params, once=once))
    except GeolabelError:
        await file.unlink(missing_ok=True)
        raise
    if once is not None and once.replayed:  # the job has the body of the first request
        await file.unlink(missing_ok=True)
    return accepted(context, job, once)


def check_dataset(context: Context, project: str, number: int) -> None:
    """Refuse a number that is no finished dataset of this project."""
    try:
        job = context.store.job(number)
    except NotFound as error:
        raise bad_parameter("export", str(error)) from error
    if job.kind != "export" or job.project != project or job.state is not JobState.DONE:
        raise bad_parameter("export", f"job {number} is no finished export of project {project!r}")
    if not (export_folder(context.store, number) / "manifest.json").is_file():
        raise bad_parameter("export", f"the dataset of job {number} was removed; send a zip with the manifest in it")


def _check_format(name: str, *, crs: str | None, export: int | None) -> None:
    """Refuse what is read neither as GeoJSON nor by pixels, and what does not go with either."""
    if name == "geojson":
        if export is not None:
            raise bad_parameter("export", "GeoJSON says itself where it lies; export goes with a format such as coco")
        return
    try:
        found = formats.readable(name)
    except InvalidInput as error:
        raise bad_parameter("format", str(error)) from error
    if found.space == "map":
        raise bad_parameter(
            "format",
            f"{name} is uploaded, looked at and imported at /uploads; here go geojson and formats such as coco",
        )
    if crs is not None:
        raise bad_parameter("crs", f"{name} is in the pixels of chips, which the dataset places; leave crs out")


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
