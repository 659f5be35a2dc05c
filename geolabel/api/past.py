"""What the routes share that look back: the moment that is asked for, and links to further pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlencode

from fastapi import Query

from geolabel.api.wire import GEOJSON, bad_parameter
from geolabel.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fastapi import Request

    from geolabel.api.context import Context

At = Annotated[
    str | None,
    Query(description="Look back: an RFC 3339 instant, the number of a change set, or the name of a snapshot."),
]


def link_to(
    context: Context, request: Request, rel: str, changed: Mapping[str, str], media_type: str = GEOJSON
) -> dict[str, str]:
    """A link to the address of a request, with some of its parameters changed."""
    query = urlencode({**request.query_params, **changed}, safe=":/,")
    href = context.url(request.url.path) + (f"?{query}" if query else "")
    return {"href": href, "rel": rel, "type": media_type}


def moment_of(context: Context, project: str, at: str | None) -> int | None:
    """The number of the change set that the parameter `at` looks back to; None when it was not sent.

    Raises:
        Refused: 400, it names no moment.
    """
    if at is None:
        return None
    try:
        return context.store.changeset_at(project, at)
    except InvalidInput as error:
        raise bad_parameter("at", str(error)) from error
