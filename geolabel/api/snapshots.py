"""`/api/collections/{project}/snapshots`: states with a name, and what differs between two."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from geolabel.api.changesets import After, Limit, features_of
from geolabel.api.context import Context, ContextDep, known_parameters
from geolabel.api.items import Crs, view_of
from geolabel.api.negotiate import requested
from geolabel.api.past import link_to
from geolabel.api.wire import JSON, BodyDep, Json, Refused
from geolabel.errors import InvalidInput, NotFound
from geolabel.model import COVERAGE

if TYPE_CHECKING:
    from geolabel.changes import Snapshot

router = APIRouter(
    prefix="/api/collections/{project}/snapshots",
    tags=["past"],
    dependencies=[Depends(known_parameters)],
    default_response_class=Json,
)

_MOST = 10_000
Moment = Annotated[
    str, Path(max_length=100, description="Name of a snapshot, number of a change set, a time, or `now`.")
]


class NewSnapshot(BaseModel):
    """A state to give a name to."""

    model_config = ConfigDict(extra="forbid")

    name: str | None = Field(None, min_length=1, max_length=200, description="A slug; numbered when it is not sent.")
    note: str | None = Field(None, max_length=10_000)


@router.get("")
def list_snapshots(context: ContextDep, project: str) -> Response:
    """All snapshots of a project, oldest first."""
    found = context.store.snapshots(project)
    return Json({"snapshots": [to_json(context, project, snapshot) for snapshot in found]})


@router.post("", status_code=201)
def create_snapshot(context: ContextDep, project: str, body: BodyDep) -> Response:
    """Give the present state of a project and its coverage a name, with a hash of all that is in it."""
    new = body.model(NewSnapshot) if body.raw.strip() else NewSnapshot(name=None, note=None)
    made = context.store.create_snapshot(project, new.name, note=new.note)
    answer = to_json(context, project, made)
    return Json(answer, 201, {"Location": answer["links"][0]["href"]})


@router.get("/{name}")
def get_snapshot(context: ContextDep, project: str, name: str) -> Response:
    """One snapshot, with the schema of the project as it was."""
    snapshot = context.store.snapshot(project, name)
    return Json({**to_json(context, project, snapshot), "project": dict(snapshot.project)})


@router.delete("/{name}", status_code=204)
def delete_snapshot(context: ContextDep, project: str, name: str) -> Response:
    """Forget a name; the labels' past stays, and can be read by the number of the change set."""
    context.store.delete_snapshot(project, name)
    return Response(status_code=204)


@router.get("/{a}/diff/{b}")
def diff(
    *,
    request: Request,
    context: ContextDep,
    project: str,
    a: Moment,
    b: Moment,
    features: Annotated[bool, Query(description="Give each label as it was and as it is.")] = False,
    crs: Crs = None,
    limit: Limit = 1000,
    after: After = 0,
) -> Response:
    """What is different at `b` from what was at `a`; the counts are of all, the list goes page by page."""
    project_ = context.store.project(project)
    edge = requested(project_, context.base, crs, "crs")
    size = min(limit, _MOST)
    try:
        found = context.store.diff(project, a, b, after=after, limit=size + 1)
    except InvalidInput as error:
        raise Refused(404, f"{error} The word 'now' is the present.") from error
    listed = found.entries[:size]
    entries = [entry.to_json() for entry in listed]
    if features:
        view = view_of(context, project_, edge)
        before = features_of(view, [entry.before for entry in listed])
        now = features_of(view, [entry.after for entry in listed])
        for entry, earlier, later in zip(entries, before, now, strict=True):
            entry |= {"before": earlier, "after": later}
    # The pages that follow are of the same moments, whatever is written until then.
    path = f"/api/collections/{project}/snapshots/{found.a}/diff/{found.b}"
    links = [link_to(context, request, "self", {}, JSON)]
    if len(found.entries) > size:
        further = link_to(context, request, "next", {"after": str(listed[-1].id)}, JSON)
        further["href"] = further["href"].replace(context.url(request.url.path), context.url(path), 1)
        links.append(further)
    body = {
        **found.to_json(),
        "coverage": _coverage(context, project, found.a, found.b),
        "entries": entries,
        "links": links,
    }
    return Json(body, headers={"Content-Crs": f"<{edge.uri}>"})


def _coverage(context: Context, project: str, a: int, b: int) -> dict[str, int] | None:
    """How many areas of the coverage differ; None for the coverage itself."""
    try:
        found = context.store.diff(project + COVERAGE, a, b, limit=0)
    except NotFound:
        return None
    return {name: count for name, count in found.to_json().items() if name not in {"from", "to"}}


def to_json(context: Context, project: str, snapshot: Snapshot) -> dict[str, Any]:
    """The object of a snapshot, without the project's schema."""
    at = context.url(f"/api/collections/{project}")
    return {
        **snapshot.to_json(),
        "links": [
            {"href": f"{at}/snapshots/{snapshot.name}", "rel": "self", "type": JSON},
            {"href": f"{at}/items?at={snapshot.changeset}", "rel": "items", "type": "application/geo+json"},
        ],
    }
