"""Who writes: until there are accounts, the name that a client gives itself."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import unquote

from fastapi import Header

from geolabel.api.wire import bad_parameter

MAX_NAME = 100

AuthorName = Annotated[
    str | None,
    Header(
        alias="Geolabel-Author",
        description="Name of who writes, percent-encoded UTF-8. It is taken as it is given until there are accounts.",
    ),
]


def read_author(header: str | None) -> str | None:
    """The name in the header; None without one.

    Raises:
        Refused: 400, it is no name.
    """
    if header is None:
        return None
    name = unquote(header, errors="replace").strip()
    if not name or len(name) > MAX_NAME or not name.isprintable():
        raise bad_parameter(
            "Geolabel-Author", f"expected a name of 1 to {MAX_NAME} printable characters, got {name!r:.60}"
        )
    return name
