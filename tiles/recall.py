"""The short way to a tile that was asked for before: from its address to its bytes, past routing and parameters.

A map asks for the same tiles again and again. What an address came to is remembered, and given again as long as the
scene is the same file, shown in the same way, and the bytes are still in memory; otherwise the request goes the long way.
"""

from __future__ import annotations

import json
import os
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from tiles import metrics
from tiles.cache import etag_matches
from tiles.errors import TilesError
from tiles.sources import version_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.types import ASGIApp, Receive, Scope, Send

    from tiles.desk import Desk
    from tiles.errors import Busy
    from tiles.pictures import Picture
    from tiles.sources import Source

_MOST: Final = 20_000
# How long a scene that was looked up is believed to have the same place; its file is looked at each time.
_BELIEVED_S: Final = 1.0


@dataclass(slots=True)
class Answer:
    """What an address came to.

    Attributes:
        scene: its id.
        source: its file.
        saved: how it was shown where the request said nothing.
        picture: the image.
        media: its media type.
        route: that answered.
        until: when the scene is to be looked up again.
    """

    scene: str
    source: Source
    saved: Mapping[str, str]
    picture: Picture
    media: str
    route: Any
    until: float


class Memory:
    """Answers by address, the oldest forgotten first. One event loop uses it.

    Args:
        find: what a scene is now.
        saved: how it is shown now.
    """

    def __init__(self, find: Callable[[str], Source], saved: Callable[[str], Mapping[str, str]]) -> None:
        self._find, self._saved = find, saved
        self._known: OrderedDict[tuple[str, bytes], Answer] = OrderedDict()

    def keep(self, scope: Scope, scene: str, source: Source, picture: Picture, media: str) -> None:
        """Remember what a request came to."""
        if source.members:  # of several files: the long way looks at each
            return
        answer = Answer(
            scene, source, self._saved(scene), picture, media, scope.get("route"), time.monotonic() + _BELIEVED_S
        )
        self._known[scope["path"], scope["query_string"]] = answer
        if len(self._known) > _MOST:
            self._known.popitem(last=False)

    def recall(self, scope: Scope) -> tuple[Answer, bytes] | None:
        """The answer to a request, when it still holds and its bytes are at hand."""
        key = (scope["path"], scope["query_string"])
        answer = self._known.get(key)
        if answer is None:
            return None
        content = answer.picture.peek() if self._holds(answer) else None
        if content is None:
            del self._known[key]
            return None
        return answer, content

    def _holds(self, answer: Answer) -> bool:
        source = answer.source
        try:
            if time.monotonic() > answer.until or source.is_remote:
                answer.until = time.monotonic() + _BELIEVED_S
                if self._find(answer.scene) != source:
                    return False
            elif version_of(os.stat(source.href)) != source.version:  # noqa: PTH116 - for each tile
                return False
            return self._saved(answer.scene) == answer.saved
        except (TilesError, OSError):
            return False


class Recall:
    """Answers what is remembered, and refuses what nobody would draw, before anything else is done (pure ASGI)."""

    def __init__(self, app: ASGIApp, desk: Desk) -> None:
        self._app = app
        self._desk = desk
        self._memory = desk.memory

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        found = self._memory.recall(scope)
        if found is None:
            refused = self._desk.refusal(scope["path"])
            # What the client has already is not drawn: that is found out the long way.
            if refused is None or any(name == b"if-none-match" for name, _ in scope["headers"]):
                await self._app(scope, receive, send)
            else:
                metrics.REFUSED.inc()
                busy, scope["route"] = refused
                await _refuse(busy, send)
            return
        answer, content = found
        metrics.MEMORY_HIT.inc()
        scope["route"] = answer.route
        headers = [(b"etag", answer.picture.etag.encode()), (b"cache-control", b"private, no-cache")]
        asked = next((value for name, value in scope["headers"] if name == b"if-none-match"), None)
        if asked is not None and etag_matches(asked.decode("latin-1"), answer.picture.etag):
            await send({"type": "http.response.start", "status": 304, "headers": headers})
            await send({"type": "http.response.body", "body": b""})
            return
        headers += [(b"content-type", answer.media.encode()), (b"content-length", str(len(content)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": content})


async def _refuse(busy: Busy, send: Send) -> None:
    """The problem (RFC 9457) that the long way ends in."""
    said = {"type": "about:blank", "title": "Service Unavailable", "status": 503, "detail": str(busy)}
    body = json.dumps(said, separators=(",", ":")).encode()
    headers = [(b"content-type", b"application/problem+json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 503, "headers": [*headers, (b"retry-after", b"1")]})
    await send({"type": "http.response.body", "body": body})
