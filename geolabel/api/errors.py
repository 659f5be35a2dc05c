"""Errors at the edge: one table from error to status, one body (`application/problem+json`, RFC 9457)."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match

from geolabel.api.wire import Json, Refused, pointer
from geolabel.errors import (
    AlreadyExists,
    Cancelled,
    Conflicts,
    GeolabelError,
    InvalidInput,
    NotAllowed,
    NotFound,
    Problem,
    StorageFull,
    StoreFailed,
    VersionConflict,
)
from geolabel.store.room import FULL
from tiles import errors as tiles_errors

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from fastapi import FastAPI
    from starlette.requests import Request
    from starlette.types import Scope

log = logging.getLogger(__name__)

STATUS: dict[type[Exception], int] = {
    NotFound: 404,
    AlreadyExists: 409,
    InvalidInput: 422,
    VersionConflict: 412,
    Conflicts: 409,
    NotAllowed: 403,
    Cancelled: 409,
    StoreFailed: 503,
    StorageFull: 507,
    GeolabelError: 500,
}
"""Status of each error that geolabel raises; a child has its parent's unless it is listed."""

_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


def problem(
    status: int,
    detail: str,
    *,
    problems: Sequence[Problem] = (),
    headers: Mapping[str, str] | None = None,
    **members: Any,
) -> Response:
    """A response in `application/problem+json`."""
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
    if problems:
        body["errors"] = [{"pointer": p.pointer, "message": p.message} for p in problems]
    body.update(members)
    return Json(body, status, headers, media_type="application/problem+json")


def install(app: FastAPI, more: Iterable[tuple[type[Exception], int]]) -> None:
    """Answer every error of the table, of FastAPI and of Starlette with a problem.

    Args:
        app: the application.
        more: status of other families of errors, beside `STATUS`.
    """
    table = {**STATUS, **dict(more)}

    def known(_: Request, error: Exception) -> Response:
        status = next(table[kind] for kind in type(error).__mro__ if kind in table)
        # In a flood there are very many of these, and they are counted.
        if isinstance(error, (tiles_errors.Busy, tiles_errors.TooSlow)):
            log.info("%s: %s", type(error).__name__, error)
        elif status >= 500:
            log.error("%s: %s", type(error).__name__, error)
        headers = {"Retry-After": "1"} if status == HTTPStatus.SERVICE_UNAVAILABLE else None
        if isinstance(error, StoreFailed):  # its own words name paths and what the database said
            return problem(status, error.public, headers=headers, **_numbers(error))
        return problem(status, str(error), problems=getattr(error, "problems", ()), headers=headers)

    for kind in table:
        app.add_exception_handler(kind, known)
    app.add_exception_handler(OSError, _disk)
    app.add_exception_handler(Refused, _refused)
    app.add_exception_handler(RequestValidationError, _invalid_request)
    app.add_exception_handler(HTTPException, _http)


def _numbers(error: StoreFailed) -> dict[str, Any]:
    """What a full disk has and needs, in bytes, for clients that compute with it."""
    if not isinstance(error, StorageFull):
        return {}
    return {
        name: value for name, value in (("needed_bytes", error.needed), ("free_bytes", error.free)) if value is not None
    }


def _disk(_: Request, error: Exception) -> Response:
    """A file of ours that cannot be written: the disk is full; everything else is our mistake."""
    assert isinstance(error, OSError)
    if error.errno not in FULL:
        raise error
    log.error("%s", error)
    return problem(507, "The server's disk is full: make room and try again; nothing was kept of this request.")


def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    return problem(error.status, error.detail, problems=error.problems, headers=error.headers, **error.members)


def _invalid_request(_: Request, error: Exception) -> Response:
    """What FastAPI found: a path that names nothing (404), or a query parameter or header that cannot be read (400)."""
    assert isinstance(error, RequestValidationError)
    found = error.errors()
    places = {e["loc"][0] for e in found}
    problems = [Problem(pointer(e["loc"][1:]), f"{e['msg']}, got {e.get('input')!r:.80}") for e in found]
    if "path" in places:
        return problem(404, f"There is nothing at this address: {problems[0].message}.", problems=problems)
    if "body" in places:
        return problem(422, f"The body cannot be used: {problems[0].message}.", problems=problems)
    names = ", ".join(str(e["loc"][-1]) for e in found)
    return problem(400, f"The parameter {names} cannot be used: {problems[0].message}.", problems=problems)


async def _http(request: Request, error: Exception) -> Response:
    """What Starlette raises: no such route, no such method; OPTIONS is answered from the routes."""
    assert isinstance(error, HTTPException)
    status, path = error.status_code, request.url.path
    if status not in {404, 405}:
        return problem(status, str(error.detail), headers=error.headers)
    methods = allowed_methods(request.scope)
    if not methods:
        return problem(404, f"There is nothing at {path}. The API starts at /api and describes itself at /api/docs.")
    head = ["HEAD"] if "GET" in methods else []
    allow = {"Allow": ", ".join([*methods, *head, "OPTIONS"])}
    if request.method == "OPTIONS":
        return Response(status_code=204, headers=allow)
    if status == 404:
        return problem(404, str(error.detail))
    return problem(405, f"{request.method} does nothing at {path}; it takes {allow['Allow']}.", headers=allow)


def allowed_methods(scope: Scope) -> list[str]:
    """The methods that the routes at this path take; empty when there is no such path."""
    routes = scope["app"].router.routes
    plain = {key: scope[key] for key in ("type", "path", "root_path", "headers", "query_string", "app") if key in scope}
    return [
        method
        for method in _METHODS
        if any(route.matches({**plain, "method": method})[0] is Match.FULL for route in routes)
    ]
