"""What every endpoint gets: the open store, the settings, the public address, and a check of the query."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from fastapi import Depends, Request

from geolabel.api.wire import Refused
from geolabel.errors import Problem

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from fastapi.dependencies.models import Dependant
    from fastapi.routing import APIRoute

    from geolabel.settings import Settings
    from geolabel.store.store import Store


@dataclass(frozen=True, slots=True)
class Context:
    """The resources of a request.

    Attributes:
        store: open for as long as the application runs.
        settings: of the application.
        base: public address of the server without a slash at the end: `http://127.0.0.1:8000`.
        wake_jobs: tells the job runner that there is work.
        from_web: whether the request came from the server's own pages.
    """

    store: Store
    settings: Settings
    base: str
    wake_jobs: Callable[[], None]
    from_web: bool

    @property
    def source(self) -> str:
        """What labels that come in by this request say of where they came from."""
        return "web" if self.from_web else "api"

    def url(self, path: str) -> str:
        """Absolute address of a path that starts with a slash."""
        return self.base + path


async def get_context(request: Request) -> Context:
    """The resources of this request (cheap, so it stays on the event loop)."""
    state = request.app.state
    base = str(request.base_url)
    from_web = request.headers.get("sec-fetch-site") == "same-origin" or "origin" in request.headers
    return Context(state.store, state.settings, base.rstrip("/"), state.wake_jobs, from_web)


async def take_turn(request: Request) -> AsyncIterator[None]:
    """Let only so many searches work at once as there are processors; the others wait off the threads.

    More at once would not be answered sooner, and each would slow down the edits that come meanwhile.
    """
    async with request.app.state.searches:
        yield


Turn = Depends(take_turn, scope="function")
"""For endpoints that read many labels: they give their turn back before the answer is sent."""

Endpoint = TypeVar("Endpoint", bound="Callable[..., Any]")

_TAKE_PROPERTIES: set[Callable[..., Any]] = set()

ContextDep = Annotated[Context, Depends(get_context)]


def takes_properties(endpoint: Endpoint) -> Endpoint:
    """An endpoint whose further query parameters are the names of properties: it refuses those that are none itself."""
    _TAKE_PROPERTIES.add(endpoint)
    return endpoint


async def known_parameters(request: Request) -> None:
    """Refuse query parameters that the route does not have, and those given twice (OGC API Features asks for 400)."""
    given = [name for name, _ in request.query_params.multi_items()]
    route = request.scope["route"]
    known = _known(route)
    for name in given:
        if name not in known and route.endpoint not in _TAKE_PROPERTIES:
            message = f"there is no such parameter here; known are: {', '.join(sorted(known)) or 'none'}"
            raise Refused(400, f"The parameter {name} cannot be used: {message}.", [Problem(f"/{name}", message)])
        if given.count(name) > 1:
            message = "it is given more than once"
            raise Refused(400, f"The parameter {name} cannot be used: {message}.", [Problem(f"/{name}", message)])


def further_parameters(request: Request) -> dict[str, str]:
    """The query parameters that are none of the route's own."""
    known = _known(request.scope["route"])
    return {name: value for name, value in request.query_params.items() if name not in known}


_KNOWN: dict[Callable[..., Any], frozenset[str]] = {}


def _known(route: APIRoute) -> frozenset[str]:
    """The names of a route's query parameters."""
    if route.endpoint not in _KNOWN:
        _KNOWN[route.endpoint] = frozenset(_names(route.dependant))
    return _KNOWN[route.endpoint]


def _names(dependant: Dependant) -> set[str]:
    own = {field.alias for field in dependant.query_params}
    return own.union(*(_names(child) for child in dependant.dependencies))
