"""The shortest way to a page of labels: what a map asks for while it is moved goes past FastAPI's parameters.

To read and check parameters, to solve what an endpoint depends on and to write its answer takes half a millisecond, which
is a twentieth of a whole page. A request with nothing but a box, a CRS and a page is read here in a few microseconds; it
is answered by the same endpoint. Any other one takes the long way, where everything is checked and explained.
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from anyio import to_thread
from starlette.routing import Match, Route

from geolabel.api.context import get_context
from geolabel.api.items import list_items, router

if TYPE_CHECKING:
    from fastapi import Request, Response
    from starlette.types import Scope

_ASKED = "geolabel.asked"
_TEXTS = {"bbox": "bbox", "bbox-crs": "bbox_crs", "crs": "crs"}
_NUMBERS = {"limit", "after"}
# As the long way reads them, and of a size that it takes.
_NUMBER = re.compile(r"[1-9][0-9]{0,15}")


class Viewport(Route):
    """`list_items` for requests that are plain."""

    def __init__(self) -> None:
        self._long = next(route for route in router.routes if getattr(route, "endpoint", None) is list_items)
        super().__init__(router.prefix, _answer, include_in_schema=False)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether this is the route of a request."""
        match, found = super().matches(scope)
        asked = _plain(scope["query_string"]) if match is Match.FULL and scope["method"] == "GET" else None
        if asked is None:
            return Match.NONE, {}
        return Match.FULL, {**found, "route": self._long, _ASKED: asked}


def _plain(query: bytes) -> dict[str, Any] | None:
    """The parameters of `list_items`; None when there are others, or one of them is not plain."""
    asked: dict[str, Any] = {}
    for name, value in parse_qsl(query.decode("latin-1"), keep_blank_values=True):
        if name in asked or (name not in _TEXTS and (name not in _NUMBERS or not _NUMBER.fullmatch(value))):
            return None
        asked[name] = value if name in _TEXTS else int(value)
    return {_TEXTS.get(name, name): value for name, value in asked.items()}


async def _answer(request: Request) -> Response:
    context = await get_context(request)
    work = partial(list_items, request=request, context=context, project=request.path_params["project"])
    async with request.app.state.searches:
        return await to_thread.run_sync(partial(work, **request.scope[_ASKED]))
