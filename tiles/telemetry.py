"""One line in the log and one count in the metrics for each request, under an id that the answer bears, too."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from asgi_correlation_id import CorrelationIdMiddleware

from tiles import metrics

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger("geolabel.http")

_NOTE = "geolabel.telemetry"


class Route:
    """Notes which route a request took; the innermost, for others outside hand on copies of what it is told."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        try:
            await self._app(scope, receive, send)
        finally:
            route = scope.get("route")
            if route is not None and _NOTE in scope:
                scope[_NOTE]["route"] = getattr(route, "path", "other")


class Telemetry:
    """Counts and logs every request; the outermost, so that what is refused is counted, too.

    The query is never logged: it is where secrets travel.
    """

    def __init__(self, app: ASGIApp) -> None:
        # An id that a proxy gave is kept when it is one; any other text would be written into the log.
        self._app = CorrelationIdMiddleware(self._answer)
        self._inner = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        await self._app(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._inner(scope, receive, send)
            return
        note: dict[str, str] = {}
        status = 500
        began = time.perf_counter()

        async def send_noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._inner({**scope, _NOTE: note}, receive, send_noted)
        finally:
            took = time.perf_counter() - began
            route = note.get("route", "other")
            metrics.count_request(scope["method"], route, status, took)
            metrics.observe_process()
            if log.isEnabledFor(logging.INFO):
                seen = {"method": scope["method"], "path": scope["path"], "status": status, "ms": round(took * 1000, 1)}
                log.info("request", extra=seen)
