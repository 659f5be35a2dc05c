"""`/api/collections/{project}/items`: read, create, replace, update, delete."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import numpy as np
from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response

from geolabel.api.context import Context, ContextDep, Turn, further_parameters, known_parameters, takes_properties
from geolabel.api.etags import Condition, etag, read_condition, read_if_match
from geolabel.api.features import View
from geolabel.api.filters import Asked, Filter, read_search
from geolabel.api.negotiate import media_type, of_content, refuse_old_crs_member, requested, storage_crs
from geolabel.api.once import IdempotencyKey, read_once, replayed
from geolabel.api.past import At, link_to, moment_of
from geolabel.api.wire import GEOJSON, Body, BodyDep, GeoJson, Json, Refused
from geolabel.errors import NotFound, VersionConflict

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from geolabel.api.negotiate import EdgeCRS
    from geolabel.changes import Change
    from geolabel.model import Annotation, NewAnnotation, Project

router = APIRouter(
    prefix="/api/collections/{project}/items",
    tags=["labels"],
    dependencies=[Depends(known_parameters)],
    default_response_class=GeoJson,
)

DEFAULT_LIMIT = 1000
MAX_LIMIT = 10_000
_LONG_URL = 4000  # clients read headers up to a limit, and the body has the link, too
_URL = "%:/?#[]@!$&'()*+;="  # all that an address is made of, without the comma that separates links

Id = Annotated[int, Path(ge=1, le=2**63 - 1, description="Id of the label.")]
Crs = Annotated[str | None, Query(description="URI of the CRS of the answer; one of the collection's list.")]
ContentCrs = Annotated[str | None, Header(description="CRS of the body: `<URI>`; CRS84 when not sent.")]
IfMatch = Annotated[
    str | None, Header(description='The version that is to be changed, `"3"`; 412 when it is not current.')
]


def view_of(context: Context, project: Project, edge: EdgeCRS) -> View:
    """How a client that speaks a CRS sees a project's labels."""
    scenes = tuple(context.store.scene(scene) for scene in project.scenes)
    return View(project, storage_crs(project), edge, scenes, context.settings.max_vertices)


@router.get("", dependencies=[Turn])
@takes_properties
def list_items(
    *,
    request: Request,
    context: ContextDep,
    project: str,
    bbox: Annotated[
        str | None, Query(description="west,south,east,north in `bbox-crs`; west > east crosses 180.")
    ] = None,
    bbox_crs: Annotated[str | None, Query(alias="bbox-crs", description="URI of the CRS of `bbox`; CRS84.")] = None,
    crs: Crs = None,
    limit: Annotated[
        int, Query(ge=1, description="Labels in one answer; more than 10,000 is read as that.")
    ] = DEFAULT_LIMIT,
    after: Annotated[int, Query(ge=0, le=2**63 - 1, description="Go on after this id (see the link `next`).")] = 0,
    datetime: Annotated[
        str | None, Query(description="Instant or interval; labels without a time match always.")
    ] = None,
    filter_: Annotated[str | None, Query(alias="filter", description="CQL2: see `queryables`.")] = None,
    filter_lang: Annotated[
        str | None, Query(alias="filter-lang", description="`cql2-text`, or `cql2-json`; text.")
    ] = None,
    filter_crs: Annotated[
        str | None, Query(alias="filter-crs", description="URI of the CRS of geometries in `filter`; CRS84.")
    ] = None,
    class_: Annotated[str | None, Query(alias="class", description="Only labels of this class.")] = None,
    status: Annotated[str | None, Query(description="Only labels of this status.")] = None,
    at: At = None,
) -> Response:
    """Labels as GeoJSON, in order of id, page by page."""
    page = min(limit, MAX_LIMIT)
    with context.store.one_moment():
        project_ = context.store.project(project)
        edge = requested(project_, context.base, crs, "crs")
        named = {name: value for name, value in (("class", class_), ("status", status)) if value is not None}
        properties = {**named, **further_parameters(request)}
        moment = moment_of(context, project, at)
        asked = Asked(bbox, bbox_crs, datetime, filter_, filter_lang, filter_crs, properties, moment)
        chosen = read_search(context, project_, asked)
        features, more = _page(context, view_of(context, project_, edge), chosen, after, page)
        # The last thing to ask for: it may be stopped, and then the database says no more in this moment.
        matched = len(features) if after == 0 and not more else chosen.count(context.store)
    links = [link_to(context, request, "self", {})]
    if more:
        # The pages that follow are of the same moment, whatever is written until then.
        same = {} if moment is None else {"at": str(moment)}
        links.append(link_to(context, request, "next", {"after": str(features[-1]["id"]), **same}))
    links.append({"href": context.url(f"/api/collections/{project}"), "rel": "collection", "type": "application/json"})
    body: dict[str, Any] = {
        "type": "FeatureCollection",
        "features": features,
        "links": links,
        "timeStamp": _now(),
        "numberReturned": len(features),
    }
    if matched is not None:
        body["numberMatched"] = matched
    headers = {"Content-Crs": f"<{edge.uri}>", "Link": _header(context, project, request)}
    return GeoJson(body, headers=headers, media_type=media_type(project_))


def _page(context: Context, view: View, chosen: Filter, after: int, limit: int) -> tuple[list[dict[str, Any]], bool]:
    """The first `limit` features after an id, and whether there are more."""
    if chosen.at is not None:
        found = chosen.page(context.store, after=after, limit=limit + 1)
        return view.features(found[:limit]), len(found) > limit
    rows, shapes = chosen.rows(context.store, view.columns, after=after, limit=limit + 1)
    more = len(rows) > limit
    return view.listed(rows[:limit], shapes.take(np.arange(limit)) if more else shapes), more


def _header(context: Context, project: str, request: Request) -> str:
    """The links that are of use before the body is read, as a header (RFC 8288)."""
    at = quote(context.url(request.url.path) + (f"?{request.url.query}" if request.url.query else ""), safe=_URL)
    own = f'<{at}>; rel="self"; type="{GEOJSON}", ' if len(at) <= _LONG_URL else ""
    queryables = context.url(f"/api/collections/{project}/queryables")
    return (
        f'{own}<{queryables}>; rel="http://www.opengis.net/def/rel/ogc/1.0/queryables"; type="application/schema+json"'
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


@router.post("", status_code=201)
def create_item(
    *,
    request: Request,
    context: ContextDep,
    project: str,
    body: BodyDep,
    content_crs: ContentCrs = None,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Add a label."""
    project_ = context.store.project(project)
    once = read_once(request, idempotency_key, body.raw)
    if once is not None and context.store.is_done(project, once):
        view, new = view_of(context, project_, of_content(project_, context.base, content_crs)), []
    else:
        view, value = _read(context, project_, body, content_crs)
        new = [view.create(value, context.source)]
    [made] = context.store.create(project, new, once=once)
    location = context.url(f"/api/collections/{project}/items/{made.id}")
    answer = _answer(context, view, made, 201, replayed(once))
    # QGIS up to 3.40.6 finds the header in this case only, and otherwise reports a label that was made as refused.
    answer.raw_headers.append((b"Location", location.encode("latin-1")))
    return answer


@router.get("/{id}")
def get_item(
    *,
    context: ContextDep,
    project: str,
    id: Id,  # noqa: A002 - the name in the path
    crs: Crs = None,
    at: At = None,
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """One label, with its version as ETag."""
    project_ = context.store.project(project)
    edge = requested(project_, context.base, crs, "crs")
    condition = read_condition(if_none_match, "If-None-Match")
    annotation = context.store.annotation(project, id, at=moment_of(context, project, at))
    if condition is not None and condition.holds(annotation.version):
        return Response(status_code=304, headers={"ETag": etag(annotation.version)})
    return _answer(context, view_of(context, project_, edge), annotation, 200, {})


@router.put("/{id}")
def replace_item(
    *,
    context: ContextDep,
    project: str,
    id: Id,  # noqa: A002
    body: BodyDep,
    content_crs: ContentCrs = None,
    if_match: IfMatch = None,
) -> Response:
    """Replace a label; a deleted one comes back as its next version."""
    project_ = context.store.project(project)
    view, value = _read(context, project_, body, content_crs)
    condition = read_if_match(if_match, project_)

    def read(current: Annotation, history: Callable[[], list[Annotation]]) -> NewAnnotation:
        return view.replace(value, current, history)

    return _change(context, view, id, condition, read, bring_back=True)


@router.patch("/{id}")
def update_item(
    *,
    context: ContextDep,
    project: str,
    id: Id,  # noqa: A002
    body: BodyDep,
    content_crs: ContentCrs = None,
    if_match: IfMatch = None,
) -> Response:
    """Change what the body names (JSON merge patch) and leave the rest, to the last bit."""
    project_ = context.store.project(project)
    view, value = _read(context, project_, body, content_crs)
    condition = read_if_match(if_match, project_)

    def read(current: Annotation, history: Callable[[], list[Annotation]]) -> NewAnnotation:
        return view.patch(value, current, history)

    return _change(context, view, id, condition, read, bring_back=False)


@router.delete("/{id}", status_code=204)
def delete_item(
    context: ContextDep,
    project: str,
    id: Id,  # noqa: A002
    if_match: IfMatch = None,
) -> Response:
    """Delete a label; its history stays, and PUT brings it back."""
    project_ = context.store.project(project)
    condition = read_if_match(if_match, project_)
    expected = None
    if condition is not None:
        current = context.store.annotation(project, id)
        view = view_of(context, project_, requested(project_, context.base, None, "crs"))
        expected = _expected(view, current, condition)
    try:
        change = context.store.delete(project, id, expected=expected)
    except VersionConflict as error:
        raise _conflict(context, view, id, error) from error
    return Response(status_code=204, headers={"ETag": etag(change.annotation.version)})


@router.get("/{id}/history", response_class=Json)
def item_history(
    context: ContextDep,
    project: str,
    id: Id,  # noqa: A002
    crs: Crs = None,
) -> Response:
    """Every state of a label and the one before it, oldest first: who changed what, when and why."""
    project_ = context.store.project(project)
    edge = requested(project_, context.base, crs, "crs")
    changes = context.store.history(project, id)
    features = view_of(context, project_, edge).features([change.annotation for change in changes])
    steps = [
        {
            "operation": change.operation,
            "version": change.annotation.version,
            "changeset": change.changeset,
            "kind": change.kind,
            "comment": change.comment,
            "at": change.at,
            "author": change.author,
            "before": before,
            "feature": feature,
        }
        for change, before, feature in zip(changes, _befores(changes, features), features, strict=True)
    ]
    return Json({"history": steps}, headers={"Content-Crs": f"<{edge.uri}>"})


def _befores(changes: Sequence[Change], features: Sequence[dict[str, Any]]) -> list[dict[str, Any] | None]:
    """What each change found: the state that the one before it left, and nothing after a delete."""
    left = [
        None if change.operation == "delete" else feature for change, feature in zip(changes, features, strict=True)
    ]
    return [None, *left[:-1]]


def _read(context: Context, project: Project, body: Body, content_crs: str | None) -> tuple[View, Any]:
    edge = of_content(project, context.base, content_crs)
    value = body.json()
    refuse_old_crs_member(value, edge)
    return view_of(context, project, edge), value


def _answer(context: Context, view: View, annotation: Annotation, status: int, headers: dict[str, str]) -> Response:
    feature = view.feature(annotation)
    collection = context.url(f"/api/collections/{view.project.id}")
    feature["links"] = [
        {"href": f"{collection}/items/{annotation.id}", "rel": "self", "type": media_type(view.project)},
        {"href": collection, "rel": "collection", "type": "application/json"},
    ]
    headers = {"ETag": etag(annotation.version), "Content-Crs": f"<{view.edge.uri}>", **headers}
    return GeoJson(feature, status, headers, media_type(view.project))


def _change(
    context: Context,
    view: View,
    id_: int,
    condition: Condition | None,
    read: Callable[[Annotation, Callable[[], list[Annotation]]], NewAnnotation],
    *,
    bring_back: bool,
) -> Response:
    """Read the current version, apply the body to it, write that as the next one.

    The body is applied to the very version that it replaces: untouched vertices and members are taken from there. When
    another write comes between and the client named no version, the step is repeated while nobody else writes: the last
    write wins.
    """
    project = view.project.id

    def past() -> list[Annotation]:
        return [change.annotation for change in context.store.history(project, id_)]

    def attempt() -> Annotation:
        current = _current(context, project, id_, bring_back=bring_back, condition=condition)
        if condition is not None:
            _expected(view, current, condition)
        return context.store.replace(project, id_, read(current, past), expected=current.version)

    try:
        made = attempt()
    except VersionConflict as error:
        if condition is not None:
            raise _conflict(context, view, id_, error) from error
        with context.store.alone():
            made = attempt()
    return _answer(context, view, made, 200, {})


def _current(context: Context, project: str, id_: int, *, bring_back: bool, condition: Condition | None) -> Annotation:
    try:
        return context.store.annotation(project, id_)
    except NotFound:
        if not bring_back:
            raise
        if condition is not None and condition.any:
            raise Refused(412, f"Label {id_} is deleted, and If-Match: * asks for one that is there.") from None
        return context.store.history(project, id_)[-1].annotation


def _expected(view: View, current: Annotation, condition: Condition) -> int:
    """The version that the store is to expect: the current one, when the client named it."""
    if not condition.holds(current.version):
        named = ", ".join(map(str, sorted(condition.versions))) or "another one"
        raise Refused(
            412,
            f"Somebody else changed label {current.id} first: it is at version {current.version}, expected {named}.",
            current=view.feature(current),
        )
    return current.version


def _conflict(context: Context, view: View, id_: int, error: VersionConflict) -> Refused:
    try:
        current = view.feature(context.store.annotation(view.project.id, id_))
    except NotFound:
        current = None
    return Refused(412, str(error), current=current)
