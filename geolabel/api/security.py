"""A page of another site cannot drive this server, and our own pages can load nothing from elsewhere.

Until there are accounts, whoever reaches the port may write. So that a hostile page in the user's browser does not:
a `Host` that is not ours is refused (DNS rebinding), a foreign `Origin` is refused on writes (cross-site requests), and
a body must have a JSON media type, which no HTML form can send.
"""

from __future__ import annotations

import ipaddress
import logging
import socket
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders

from geolabel.api.errors import problem
from geolabel.api.wire import BYTES, JSON_MEDIA_TYPES, ZIP, media_type_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from urllib.parse import SplitResult

    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from geolabel.settings import Settings

log = logging.getLogger(__name__)

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_METHODS_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
_WITH_ARCHIVES = ("/imports", "/predictions")
_WITH_FILES = ("/uploads",)


def content_security_policy(tile_origins: Iterable[str] = ()) -> str:
    """What our pages may load: what comes from this server, and pictures of the backdrops that were named.

    Args:
        tile_origins: `https://tiles.example.org`, each once.
    """
    others = "".join(f" {origin}" for origin in tile_origins)
    # The map draws from workers and blobs, and sets style attributes; it fetches tiles like data.
    return (
        f"default-src 'self'; img-src 'self' data: blob:{others}; connect-src 'self'{others}; worker-src 'self' blob:; "
        "style-src 'self'; style-src-attr 'unsafe-inline'; font-src 'self' data:; object-src 'none'; base-uri 'none'; "
        "form-action 'self'; frame-ancestors 'none'"
    )


class Guard:
    """Checks every request before anything else sees it, and adds the security headers to every answer (pure ASGI).

    Args:
        app: what is guarded.
        settings: `host`, `public_url` and `cors_origins` say who may call; `basemaps`, whose tiles the web map may show.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._hosts = _own_hosts(settings)
        self._any_address = _is_wildcard(settings.host)
        self._origins = {origin.rstrip("/").lower() for origin in settings.cors_origins}
        self._public = urlsplit(settings.public_url) if settings.public_url else None
        if self._public:
            self._origins.add(f"{self._public.scheme}://{self._public.netloc}".lower())
        self._headers = {
            "Content-Security-Policy": content_security_policy(
                dict.fromkeys(origin for basemap in settings.basemaps for origin in basemap.origins)
            ),
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "cross-origin" if settings.cors_origins else "same-origin",
            "Referrer-Policy": "same-origin",
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def send_guarded(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
            await send(message)

        refused = self._refuse(scope["method"], scope["path"], Headers(scope=scope))
        if refused is not None:
            await refused(scope, receive, send_guarded)
            return
        if self._public:
            scope = _seen_from_outside(scope, self._public)
        try:
            await self._app(scope, receive, send_guarded)
        except Exception:
            log.exception("%s %s failed", scope["method"], scope["path"])
            if started:
                raise
            sorry = problem(500, "The server made a mistake; its log says more. Nothing was half-written.")
            await sorry(scope, receive, send_guarded)

    def _refuse(self, method: str, path: str, headers: Headers) -> Response | None:
        host = headers.get("host", "")
        if not self._is_own_host(host):
            return problem(
                421,
                f"This server is not {host!r}. Open it at its own address, or set GEOLABEL_PUBLIC_URL to the address "
                "that a proxy gives it.",
            )
        if method in _SAFE_METHODS:
            return None
        origin = headers.get("origin")
        if origin is not None and not self._is_own_origin(origin, host):
            return problem(
                403,
                f"The page at {origin!r} may not write here. Name its origin in GEOLABEL_CORS_ORIGINS if it should.",
            )
        if origin is None and headers.get("sec-fetch-site", "none") not in {"none", "same-origin"}:
            return problem(403, "A page of another site may not write here.")
        return _refuse_media_type(method, path, headers.get("content-type", ""))

    def _is_own_host(self, host: str) -> bool:
        name = _host_name(host)
        if name is None:
            return False
        # A page cannot come from a bare address unless that address serves it: only names can be rebound.
        return name in self._hosts or (self._any_address and _is_address(name))

    def _is_own_origin(self, origin: str, host: str) -> bool:
        origin = origin.lower()
        return origin in self._origins or origin in {f"http://{host.lower()}", f"https://{host.lower()}"}


def _refuse_media_type(method: str, path: str, given: str) -> Response | None:
    if path.endswith(_WITH_FILES) and given.lower() == BYTES:
        return None
    archives = path.endswith(_WITH_ARCHIVES)
    if archives and given.lower() == ZIP:  # no page of another site can send it without asking first
        return None
    if method not in _METHODS_WITH_BODY or media_type_of(given) is not None:
        return None
    expected = ", ".join((*JSON_MEDIA_TYPES, ZIP) if archives else JSON_MEDIA_TYPES)
    return problem(
        415,
        f"The body has the media type {given or 'none'!r}; expected {expected} in UTF-8.",
        headers={"Accept-Patch" if method == "PATCH" else "Accept-Post": expected},
    )


def _seen_from_outside(scope: Scope, public: SplitResult) -> Scope:
    """The request as it was made to the proxy in front, so that every link leads back there."""
    headers = [(name, value) for name, value in scope["headers"] if name != b"host"]
    return {
        **scope,
        "scheme": public.scheme,
        "headers": [*headers, (b"host", public.netloc.encode("ascii"))],
        "root_path": public.path.rstrip("/"),
    }


def _own_hosts(settings: Settings) -> set[str]:
    hosts = set(_LOOPBACK)
    if settings.public_url and (name := urlsplit(settings.public_url).hostname):
        hosts.add(name.lower())
    if _is_wildcard(settings.host):
        hosts.add(socket.gethostname().lower())
    else:
        hosts.add(settings.host.lower())
    return hosts


def _host_name(host: str) -> str | None:
    """The name in a Host header, without port and brackets; None when it is malformed."""
    try:
        parts = urlsplit(f"//{host}")
        _ = parts.port
    except ValueError:
        return None
    if parts.netloc != host or "@" in host or not parts.hostname:
        return None
    return parts.hostname.lower()


def _is_wildcard(host: str) -> bool:
    return _is_address(host) and ipaddress.ip_address(host).is_unspecified


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
