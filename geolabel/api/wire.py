"""What goes over the wire: strict JSON both ways, bodies up to a limit, refusals.

Strict means: no NaN or Infinity, no NUL in a text, no unpaired surrogate, no duplicate way to say a media type.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import orjson
from fastapi import Depends, Request
from pydantic import BaseModel, ValidationError
from starlette.responses import Response

from geolabel.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

JSON = "application/json"
GEOJSON = "application/geo+json"
MERGE_PATCH = "application/merge-patch+json"
PROBLEM = "application/problem+json"
ZIP = "application/zip"
BYTES = "application/octet-stream"
JSON_MEDIA_TYPES = (JSON, GEOJSON, MERGE_PATCH)

Model = TypeVar("Model", bound=BaseModel)


class Refused(Exception):
    """A request that the edge itself answers with a problem.

    Attributes:
        status: of HTTP.
        detail: a sentence.
        problems: one entry per thing wrong.
        headers: of the answer.
        members: further members of the body.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        problems: Sequence[Problem] = (),
        headers: Mapping[str, str] | None = None,
        **members: Any,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.problems = tuple(problems)
        self.headers = headers
        self.members = members


def bad_parameter(name: str, message: str) -> Refused:
    """400: a query parameter or a header that cannot be used."""
    return Refused(400, f"The parameter {name} cannot be used: {message}", [Problem(f"/{name}", message)])


def bad_member(pointer_: str, message: str) -> Refused:
    """422: a member of the body that cannot be used."""
    return Refused(422, f"{message} (at {pointer_})", [Problem(pointer_, message)])


class Json(Response):
    """A JSON response; not-a-number is written as null, floats with all their digits.

    It says `no-cache`: QGIS keeps an answer that says nothing for a day, and then shows yesterday's count and extent.
    """

    media_type = JSON

    def __init__(
        self,
        content: Any = None,
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
        media_type: str | None = None,
    ) -> None:
        super().__init__(content, status_code, {"Cache-Control": "no-cache", **(headers or {})}, media_type)

    def render(self, content: Any) -> bytes:
        """Encode; arrays of numbers as lists."""
        return orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY)


class GeoJson(Json):
    """A GeoJSON response."""

    media_type = GEOJSON


@dataclass(frozen=True, slots=True)
class Body:
    """A request body as it came in.

    Attributes:
        raw: not yet decoded, at most the limit long.
    """

    raw: bytes

    def json(self) -> Any:
        """Decode strictly.

        Raises:
            Refused: 422, this is not JSON or holds what no JSON may hold.
        """
        try:
            value = orjson.loads(self.raw)
        except orjson.JSONDecodeError as error:
            message = f"the body is not JSON: {error}"
            raise Refused(422, f"The request cannot be read: {message}.", [Problem("", message)]) from error
        if b"\\u0000" in self.raw and (place := _find_nul(value, "")) is not None:
            raise bad_member(place, "A text may not hold the character NUL.")
        return value

    def model(self, kind: type[Model]) -> Model:
        """Decode into a pydantic model.

        Raises:
            Refused: 422, with one problem per thing wrong.
        """
        self.json()  # pydantic's own parser takes NaN and NUL
        try:
            return kind.model_validate_json(self.raw, strict=True)
        except ValidationError as error:
            problems = [
                Problem(pointer(e["loc"]), f"{e['msg']}, got {e['input']!r:.80}")
                for e in error.errors(include_url=False, include_context=False)
            ]
            first = problems[0]
            raise Refused(
                422, f"The body cannot be used: {first.message} (at {first.pointer or '/'}).", problems
            ) from error


async def read_body(request: Request) -> Body:
    """Read a body up to the limit of the settings; its media type has been checked by the guard.

    Raises:
        Refused: 413, the body is too large.
    """
    limit = request.app.state.settings.max_body_mb * 1_000_000
    check_length(request, limit)
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise too_large(limit)
        chunks.append(chunk)
    return Body(b"".join(chunks))


BodyDep = Annotated[Body, Depends(read_body)]


def media_type_of(header: str) -> str | None:
    """The JSON media type that a Content-Type header names; None for another one, or for other characters than UTF-8."""
    media_type, *parameters = (part.strip().lower() for part in header.split(";"))
    charsets = [p.partition("=")[2].strip('"') for p in parameters if p.startswith("charset=")]
    if media_type not in JSON_MEDIA_TYPES or any(c not in {"utf-8", "utf8"} for c in charsets):
        return None
    return media_type


def check_length(request: Request, limit: int) -> None:
    """Refuse a body by its declared length, before it is read."""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limit:
        raise too_large(limit)


def too_large(limit: int) -> Refused:
    """413: a body over the limit, in bytes."""
    return Refused(
        413,
        f"The body is larger than {limit / 1e6:g} MB, the limit of this server (GEOLABEL_MAX_BODY_MB). "
        "Import large files with `geolabel import`.",
        headers={"Connection": "close"},
    )


def pointer(loc: Iterable[int | str]) -> str:
    """A JSON pointer (RFC 6901)."""
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in loc)


def _find_nul(value: Any, place: str) -> str | None:
    """Where a text with NUL is, or None."""
    if isinstance(value, str):
        return place if "\0" in value else None
    if isinstance(value, dict):
        children: Iterable[tuple[Any, Any]] = value.items()
        if any("\0" in key for key in value):
            return place
    elif isinstance(value, list):
        children = enumerate(value)
    else:
        return None
    found = (_find_nul(child, place + pointer([key])) for key, child in children)
    return next((f for f in found if f is not None), None)
