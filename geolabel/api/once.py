"""The header `Idempotency-Key`: a request that is sent again has one effect and gets the same answer."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Annotated

from fastapi import Header

from geolabel.api.wire import bad_parameter
from geolabel.store.idempotency import Once

if TYPE_CHECKING:
    from fastapi import Request

IdempotencyKey = Annotated[
    str | None,
    Header(
        description="Chosen by the client, new for each request: the same one sent again within two days is not done twice."
    ),
]

_KEY = re.compile(r"[!-~]{1,200}\Z")


def read_once(request: Request, key: str | None, body: bytes | str) -> Once | None:
    """What makes a request the same as another one; None when the client sent no key.

    Args:
        request: its method, address, query and Content-Crs count.
        key: the header.
        body: as it came in, or its SHA-256 in hexadecimal.

    Raises:
        Refused: 400, the header cannot be used.
    """
    if key is None:
        return None
    if not _KEY.match(key):
        raise bad_parameter("Idempotency-Key", f"expected 1 to 200 ASCII characters without a space, got {key!r:.60}")
    digest = hashlib.sha256(body).hexdigest() if isinstance(body, bytes) else body
    query = "&".join(sorted(f"{name}={value}" for name, value in request.query_params.multi_items()))
    crs = request.headers.get("content-crs", "")
    return Once(key, f"{request.method} {request.url.path}?{query} {crs} {digest}")


def replayed(once: Once | None) -> dict[str, str]:
    """The header that says that an answer is that of an earlier request."""
    return {"Idempotent-Replayed": "true"} if once is not None and once.replayed else {}
