"""Run the server on this machine: the address check, the port, the browser."""

from __future__ import annotations

import ipaddress
import os
import socket
import sys
import webbrowser
from typing import TYPE_CHECKING, Any

import uvicorn

from geolabel.app import create_app
from geolabel.collector import settle_down
from geolabel.errors import AlreadyExists, InvalidInput, NotAllowed
from geolabel.store.store import open_store

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastapi import FastAPI

    from geolabel.settings import Settings


_SWITCH_S = 0.001


class _Server(uvicorn.Server):
    """A server that says when it is ready."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        settle_down()
        if self.started:
            self._ready()


def serve(settings: Settings, *, ready: Callable[[str], None]) -> None:
    """Serve until stopped.

    Args:
        settings: where and what.
        ready: called with the URL once requests are answered.

    Raises:
        NotFound: there is no workspace.
        NotAllowed: the host is not loopback and `no_auth` is not set.
        AlreadyExists: the port is taken.
    """
    _check_host(settings)
    # Whoever answers a small request waits for this long behind each thread that is at work on a large one.
    sys.setswitchinterval(_SWITCH_S)
    open_store(settings.workspace).close()  # what is wrong with it is said here, not by the server's start
    with _listen(settings.host, settings.port) as listener:
        port = listener.getsockname()[1]
        app = create_app(settings.model_copy(update={"port": port}))
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        config = server_config(app)
        _Server(config, lambda: ready(settings.public_url or f"http://{host}:{port}/")).run(sockets=[listener])


def server_config(app: FastAPI, **options: Any) -> uvicorn.Config:
    """How the application is served over HTTP."""
    # Not httptools: it writes `location` small, and QGIS up to 3.40.6 then takes a label that was made for a refused one.
    return uvicorn.Config(
        app, http="h11", log_level="warning", timeout_graceful_shutdown=5, server_header=False, **options
    )


def _check_host(settings: Settings) -> None:
    if settings.host == "localhost" or settings.no_auth:
        return
    try:
        loopback = ipaddress.ip_address(settings.host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise NotAllowed(
            f"Serving on {settings.host} would let everybody who reaches this machine read and change all labels, for there are no "
            "accounts yet. Serve on 127.0.0.1, or pass --no-auth (GEOLABEL_NO_AUTH=true) if a proxy in front keeps strangers out.",
        )


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    except (socket.gaierror, UnicodeError) as error:  # UnicodeError: a name that none can be
        raise InvalidInput(f"The address {host}:{port} cannot be listened on: {error}.") from error
    # Named, for asyncio sends small answers at once only on sockets that say TCP: 40 ms less for each on a kept connection.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    if os.name == "posix":  # on Windows the option would let two servers share a port
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise AlreadyExists(
            f"Port {port} on {host} cannot be used: {error.strerror}. Choose another with --port, or 0 for a free one.",
        ) from error
    return listener


def free_port(preferred: int) -> int:
    """The preferred port when nobody listens on it, else 0 (any free one)."""
    with socket.socket() as probe:
        if os.name == "posix":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", preferred))
        except OSError:
            return 0
    return preferred


def open_browser(url: str) -> None:
    """Open the page where there is a display to show it on."""
    if sys.platform in {"darwin", "win32"} or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        webbrowser.open(url)
