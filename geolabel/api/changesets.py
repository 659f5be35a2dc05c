"""`/api/collections/{project}/changesets`: what was written together, and taking it back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from geolabel.api.context import Context, ContextDep, known_parameters
from geolabel.api.items import Crs, view_of
from geolabel.api.negotiate import requested
from geolabel.api.once import IdempotencyKey, read_once, replayed
from geolabel.api.past import link_to
from geolabel.api.wire import JSON, BodyDep, Json, Refused, bad_parameter
from geolabel.changes import ChangesetKind
from geolabel.errors import Conflicts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from geolabel.api.features import View
    from geolabel.changes import Changeset
    from geolabel.errors import Conflict
    from geolabel.model import Annotation
    from geolabel.store.changesets import Touch

router = APIRouter(
    prefix="/api/collections/{project}/changesets",
    tags=["past"],
    dependencies=[Depends(known_parameters)],
    default_response_class=Json,
)

_MOST = 1000
_SHOWN = 1000

Number = Annotated[int, Path(ge=1, le=2**63 - 1, description="Number of the change set.")]
Limit = Annotated[int, Query(ge=1, description="Entries in one answer; more than 1000 is read as that.")]
After = Annotated[int, Query(ge=0, le=2**63 - 1, description="Go on after this id (see the link `next`).")]


class Revert(BaseModel):
    """Why something is taken back."""

    model_config = ConfigDict(extra="forbid")

    comment: str | None = Field(None, max_length=10_000)


@router.get("")
def list_changesets(
    *,
    request: Request,
    context: ContextDep,
    project: str,
    before: Annotated[
        int | None, Query(ge=1, le=2**63 - 1, description="Only numbers below this one (see the link `next`).")
    ] = None,
    limit: Limit = 100,
    author: Annotated[str | None, Query(description="Only of this author.")] = None,
    kind: Annotated[str | None, Query(description=f"Only of this kind: {', '.join(get_args(ChangesetKind))}.")] = None,
) -> Response:
    """Change sets, newest first, page by page."""
    if kind is not None and kind not in get_args(ChangesetKind):
        raise bad_parameter("kind", f"expected one of {', '.join(get_args(ChangesetKind))}, got {kind!r:.60}")
    size = min(limit, _MOST - 1)
    found = context.store.changesets(project, before=before, limit=size + 1, author=author, kind=kind)
    body: dict[str, Any] = {"changesets": [_to_json(context, project, changeset) for changeset in found[:size]]}
    further = {"before": str(found[size - 1].number)} if len(found) > size else None
    body["links"] = _links(context, request, further)
    return Json(body)


@router.get("/{number}")
def get_changeset(
    *,
    request: Request,
    context: ContextDep,
    project: str,
    number: Number,
    crs: Crs = None,
    limit: Limit = 100,
    after: After = 0,
) -> Response:
    """What a change set did to each label: the state that it found and the one that it left, in order of id."""
    project_ = context.store.project(project)
    edge = requested(project_, context.base, crs, "crs")
    changeset = context.store.changeset(project, number)
    size = min(limit, _MOST)
    found = context.store.changeset_changes(project, number, after=after, limit=size + 1)
    body = _to_json(context, project, changeset)
    body["changes"] = _changes(view_of(context, project_, edge), found[:size])
    body["links"] = _links(context, request, {"after": str(found[size - 1].id)} if len(found) > size else None)
    return Json(body, headers={"Content-Crs": f"<{edge.uri}>"})


def _changes(view: View, touches: Sequence[Touch]) -> list[dict[str, Any]]:
    before = features_of(view, [touch.before for touch in touches])
    after = features_of(view, [touch.after for touch in touches])
    return [
        {
            "id": touch.id,
            "operation": touch.operation,
            "version": touch.version,
            "before": earlier,
            "after": later,
        }
        for touch, earlier, later in zip(touches, before, after, strict=True)
    ]


def features_of(view: View, annotations: Sequence[Annotation | None]) -> list[dict[str, Any] | None]:
    """GeoJSON features of states; None where there was none."""
    features = iter(view.features([annotation for annotation in annotations if annotation is not None]))
    return [None if annotation is None else next(features) for annotation in annotations]


@router.post("/{number}/revert", status_code=201)
def revert_changeset(
    *,
    request: Request,
    context: ContextDep,
    project: str,
    number: Number,
    body: BodyDep,
    idempotency_key: IdempotencyKey = None,
    conflicts: Annotated[
        Literal["refuse", "skip"], Query(description="`skip`: leave labels that were changed since as they are.")
    ] = "refuse",
) -> Response:
    """Take a change set back by a new one."""
    comment = body.model(Revert).comment if body.raw.strip() else None
    once = read_once(request, idempotency_key, body.raw)
    try:
        done = context.store.revert(project, number, comment=comment, skip_conflicts=conflicts == "skip", once=once)
    except Conflicts as error:
        listed = [_conflict(conflict) for conflict in error.conflicts[:_SHOWN]]
        raise Refused(409, str(error), conflicts=listed, numberOfConflicts=len(error.conflicts)) from error
    answer = _to_json(context, project, done.changeset) | {
        "conflicts": [_conflict(conflict) for conflict in done.conflicts[:_SHOWN]],
        "numberOfConflicts": len(done.conflicts),
        "unchanged": done.unchanged,
        "lostAttributes": dict(done.lost),
    }
    location = context.url(f"/api/collections/{project}/changesets/{done.changeset.number}")
    return Json(answer, 201, {"Location": location, **replayed(once)})


def _conflict(conflict: Conflict) -> dict[str, Any]:
    return {
        "id": conflict.id,
        "version": conflict.version,
        "deleted": conflict.deleted,
        "message": f"Label {conflict.id} {conflict.reason}.",
    }


def _to_json(context: Context, project: str, changeset: Changeset) -> dict[str, Any]:
    at = context.url(f"/api/collections/{project}/changesets/{changeset.number}")
    return {**changeset.to_json(), "links": [{"href": at, "rel": "self", "type": JSON}]}


def _links(context: Context, request: Request, further: dict[str, str] | None) -> list[dict[str, str]]:
    links = [link_to(context, request, "self", {}, JSON)]
    if further is not None:
        links.append(link_to(context, request, "next", further, JSON))
    return links
