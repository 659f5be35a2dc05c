"""How answers reach clients: HEAD wherever there is GET, compression, and reasons that QGIS can show. Pure ASGI."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, quoteattr

import orjson
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.gzip import GZipMiddleware

from geolabel.api.wire import PROBLEM

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEAD = "geolabel.head"
"""In the scope of a request that was a HEAD: what streams without end must not."""

_SMALL = 1400  # fits into one packet, however it is written
_FAST = 1  # a page of labels shrinks to a fourth in milliseconds; what more effort saves takes longer than to send it
_COMPRESSED = ("/api/collections", "/api/projects", "/api/openapi.json", "/assets/")


class Head:
    """Answers HEAD as GET without the body."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def send_head(message: Message) -> None:
            if message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        await self._app({**scope, "method": "GET", HEAD: True}, receive, send_head)


class Compression:
    """Compresses what is text and large, for clients that ask for it and are not on this machine.

    Tiles are compressed by those who make them.

    Args:
        app: what answers.
        proxied: whether a proxy stands in front: then every client seems to be on this machine.
    """

    def __init__(self, app: ASGIApp, *, proxied: bool) -> None:
        self._app = app
        self._gzip = GZipMiddleware(app, minimum_size=_SMALL, compresslevel=_FAST)
        self._proxied = proxied

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        far = scope["type"] == "http" and (self._proxied or not _is_loopback(scope.get("client")))
        if far and scope["path"].startswith(_COMPRESSED) and "/tiles/" not in scope["path"]:
            await self._gzip(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def _is_loopback(client: tuple[str, int] | None) -> bool:
    try:
        return client is not None and ipaddress.ip_address(client[0]).is_loopback
    except ValueError:
        return False


class QgisReasons:
    """Gives QGIS the reason of a refusal in the one form that it shows to people.

    QGIS leaves `application/problem+json` unread and says "server replied: Unprocessable Content"; the text of an OWS
    ExceptionReport, as a WFS sends it, it puts into its message. Source: `QgsBaseNetworkRequest::replyFinished`.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or "QGIS/" not in Headers(scope=scope).get("user-agent", ""):
            await self._app(scope, receive, send)
            return
        refusal: Message | None = None
        body = b""

        async def send_reason(message: Message) -> None:
            nonlocal refusal, body
            if message["type"] == "http.response.start":
                if Headers(raw=message["headers"]).get("content-type") == PROBLEM:
                    refusal = message
                    return
            elif refusal is not None:
                body += message.get("body", b"")
                if message.get("more_body"):
                    return
                report = _report(body)
                headers = MutableHeaders(raw=refusal["headers"])
                headers["Content-Type"], headers["Content-Length"] = "application/xml", str(len(report))
                await send({**refusal, "headers": headers.raw})
                message = {"type": "http.response.body", "body": report if scope["method"] != "HEAD" else b""}
            await send(message)

        await self._app(scope, receive, send_reason)


def _report(problem: bytes) -> bytes:
    """A problem (RFC 9457) as an OWS ExceptionReport (OGC 06-121r9, clause 8)."""
    said = orjson.loads(problem) if problem else {}
    code, text = quoteattr(str(said.get("title", ""))), escape(_printable(str(said.get("detail", ""))))
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<ExceptionReport version="1.0.0">'
        f"<Exception exceptionCode={code}><ExceptionText>{text}</ExceptionText></Exception></ExceptionReport>\n"
    ).encode("utf-8", "replace")


def _printable(text: str) -> str:
    """Without the characters that XML cannot hold."""
    return "".join(character if character.isprintable() else " " for character in text)
