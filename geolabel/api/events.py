"""`/api/collections/{project}/events` and `people`: what others do, and who they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import StreamingResponse

from geolabel.api.author import MAX_NAME
from geolabel.api.context import ContextDep, known_parameters
from geolabel.api.delivery import HEAD
from geolabel.api.wire import BodyDep, Json, bad_parameter
from geolabel.store.presence import MAX_SELECTED, Person

if TYPE_CHECKING:
    from geolabel.api.live import Live
    from geolabel.store.presence import Presence

router = APIRouter(
    prefix="/api/collections/{project}",
    tags=["live"],
    dependencies=[Depends(known_parameters)],
    default_response_class=Json,
)

EVENT_STREAM = "text/event-stream"
# A proxy that gathers answers before it passes them on would hold events back.
_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
_STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Server-sent events, without end: `hello`, `changes`, `reset`, `project`, `people`, `gone`.",
        "content": {EVENT_STREAM: {}},
    }
}

PersonId = Annotated[
    str, Path(pattern="^[A-Za-z0-9-]{8,64}$", description="Chosen by the browser, the same as long as it remembers.")
]


class There(BaseModel):
    """Somebody who has the project open."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field("", max_length=MAX_NAME, description="What they call themselves.")
    selection: list[Annotated[int, Field(ge=1, le=2**63 - 1)]] = Field(
        default_factory=list,
        max_length=10_000,
        description=f"Ids of selected labels; the first {MAX_SELECTED} are told.",
    )


@router.get("/events", response_class=Response, responses=_STREAM)
async def follow(
    *,
    request: Request,
    project: str,
    since: Annotated[
        int | None, Query(ge=0, le=2**63 - 1, description="As Last-Event-ID, for clients that cannot set it.")
    ] = None,
    last_event_id: Annotated[str | None, Header(description="The last event that was heard.")] = None,
) -> Response:
    """What happens to a project's labels, whoever does it and wherever, and who is at work on it.

    `changes` tells one change set; `features` is null when it is large: read what you show again. `reset` says the same
    after too long an absence. `project` says that its classes, attributes, guidelines, title or scenes are others now.
    """
    if last_event_id is not None and last_event_id != "":
        if not (last_event_id.isascii() and last_event_id.isdigit() and len(last_event_id) < 20):
            raise bad_parameter("Last-Event-ID", f"expected the id of an event, got {last_event_id!r:.60}")
        since = int(last_event_id)
    live: Live = request.app.state.live
    events = await live.listen(project, since)
    if request.scope.get(HEAD):
        await events.aclose()
        return Response(media_type=EVENT_STREAM, headers=_HEADERS)
    return StreamingResponse(events, media_type=EVENT_STREAM, headers=_HEADERS)


@router.get("/people")
def list_people(request: Request, context: ContextDep, project: str) -> Response:
    """Who is at work on a project."""
    context.store.project(project)
    presence: Presence = request.app.state.presence
    found = presence.people([project])[project]
    return Json({"people": [{"id": p.id, "name": p.name, "selection": p.selection} for p in found]})


@router.put("/people/{person}", status_code=204)
def come(*, request: Request, context: ContextDep, project: str, person: PersonId, body: BodyDep) -> Response:
    """Say that somebody is there, and what they have selected; to be repeated every 15 s."""
    there = body.model(There)
    context.store.project(project)
    name = "".join(character for character in there.name if character.isprintable()).strip()
    presence: Presence = request.app.state.presence
    presence.come(project, Person(person, name, tuple(there.selection[:MAX_SELECTED])))
    return Response(status_code=204)


@router.delete("/people/{person}", status_code=204)
def leave(request: Request, project: str, person: PersonId) -> Response:
    """Say that somebody has gone."""
    presence: Presence = request.app.state.presence
    presence.leave(project, person)
    return Response(status_code=204)
