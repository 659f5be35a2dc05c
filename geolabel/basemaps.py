"""Backdrops of the web map: tiles of other servers, which whoever runs the server names; none by default."""

from __future__ import annotations

import re
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

# What may stand in a Content-Security-Policy: a name or an address, and a port. No wildcard, nothing that ends a directive.
_HOST = re.compile(r"(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:]+\])(?::\d{1,5})?", re.IGNORECASE)
_PLACES = ("{z}", "{x}", "{y}")


class Basemap(BaseModel):
    """A backdrop that people may turn on; an address alone stands for one that is named after its host.

    Attributes:
        url: of the tiles, in the web's common matrix of 256 px tiles (`https://tiles.example.org/{z}/{x}/{y}.png`); or of
            a TileJSON document.
        name: as the layer panel says it.
        attribution: what its owner wants to be written on the map; text.
        link: where the attribution leads to.
        min_zoom: of its coarsest tiles.
        max_zoom: of its finest tiles; closer views are drawn from them.
        tile_size: side of a tile in pixels.
        hosts: further origins that a TileJSON document names: `https://a.example.org`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str = Field(max_length=2000)
    name: str = Field(min_length=1, max_length=80)
    attribution: str = Field("", max_length=400)
    link: str | None = Field(None, max_length=2000)
    min_zoom: int = Field(0, ge=0, le=24)
    max_zoom: int = Field(19, ge=0, le=24)
    tile_size: Literal[256, 512] = 256
    hosts: tuple[str, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _from_address(cls, given: Any) -> Any:
        given = {"url": given} if isinstance(given, str) else given
        if isinstance(given, dict) and "name" not in given and isinstance(given.get("url"), str):
            return {"name": urlsplit(given["url"]).hostname or "Basemap", **given}
        return given

    @field_validator("url")
    @classmethod
    def _check_url(cls, url: str) -> str:
        origin_of(url)
        named = [place for place in _PLACES if place in url]
        if named and len(named) < len(_PLACES):
            missing = ", ".join(place for place in _PLACES if place not in url)
            raise ValueError(f"expected {{z}}, {{x}} and {{y}} in the address of tiles; {missing} is missing")
        if "{s}" in url:
            raise ValueError("expected one host; put one of the server's names where {s} stands")
        return url

    @field_validator("link")
    @classmethod
    def _check_link(cls, link: str | None) -> str | None:
        if link is not None:
            origin_of(link)
        return link

    @field_validator("hosts")
    @classmethod
    def _check_hosts(cls, hosts: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(origin_of(host) for host in hosts)

    @property
    def origins(self) -> tuple[str, ...]:
        """Where its tiles come from, as a Content-Security-Policy names it: `https://tiles.example.org`."""
        return (origin_of(self.url), *self.hosts)


def origin_of(url: str) -> str:
    """Scheme, host and port of an address.

    Raises:
        ValueError: it is no plain address of a web server.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not _HOST.fullmatch(parts.netloc) or re.search(r"\s", url):
        raise ValueError(
            "expected the address of a web server without a user name or a wildcard in its host, such as "
            f"https://tiles.example.org/{{z}}/{{x}}/{{y}}.png; got {url[:200]!r}"
        )
    return f"{parts.scheme}://{parts.netloc.lower()}"
