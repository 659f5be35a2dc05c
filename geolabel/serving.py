"""Run the server on this machine: the address check, the port, the browser."""

from __future__ import annotations

import ipaddress
import os
import socket
import sys
import tempfile
import webbrowser
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import uvicorn
from uvicorn.supervisors.multiprocess import Multiprocess

from geolabel.app import create_app, make_runner
from geolabel.collector import settle_down
from geolabel.errors import AlreadyExists, InvalidInput, NotAllowed
from geolabel.settings import Settings, is_url
from geolabel.store.store import open_store
from tiles import logs, memory, metrics
from tiles.patience import Patient
from tiles.settings import from_environment

if TYPE_CHECKING:
    from collections.abc import Callable


_SWITCH_S = 0.001
_START_S = 60.0
# Where the first of several processes leaves its settings for the others.
_SETTINGS = "GEOLABEL_SERVED"


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


class _Supervisor(Multiprocess):
    """Several processes on one port; one that dies is replaced, and the others go on."""

    def __init__(self, config: uvicorn.Config, sockets: list[socket.socket], ready: Callable[[], None]) -> None:
        super().__init__(config, sockets)
        self._ready = ready

    def init_processes(self) -> None:
        super().init_processes()
        if all(process.wait_until_ready(_START_S, self.should_exit) for process in self.processes):
            self._ready()

    def keep_subprocess_alive(self) -> None:
        before = {process.pid for process in self.processes}
        super().keep_subprocess_alive()
        for pid in before - {process.pid for process in self.processes}:
            metrics.forget(pid or 0)


def serve(settings: Settings, *, ready: Callable[[str], None]) -> None:
    """Serve until stopped.

    Args:
        settings: where and what.
        ready: called with the URL once requests are answered.

    Raises:
        NotFound: there is no workspace.
        NotAllowed: the host is not loopback and `no_auth` is not set.
        AlreadyExists: the port is taken.
        InvalidInput: a setting cannot be read.
    """
    _check_host(settings)
    logs.configure(settings.log_format, settings.log_level, secrets=_secrets(settings))
    open_store(settings.workspace).close()  # what is wrong with it is said here, not by the server's start
    with _listen(settings.host, settings.port) as listener:
        port = listener.getsockname()[1]
        settings = settings.model_copy(update={"port": port})
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        url = settings.public_url or f"http://{host}:{port}/"
        if settings.workers > 1:
            _supervise(settings, listener, lambda: ready(url))
            return
        # Whoever answers a small request waits for this long behind each thread that is at work on a large one.
        sys.setswitchinterval(_SWITCH_S)
        app = create_app(settings)
        memory.share_arenas()
        memory.bound(from_environment().memory_mb)
        _Server(server_config(app), lambda: ready(url)).run(sockets=[listener])


def _supervise(settings: Settings, listener: socket.socket, ready: Callable[[], None]) -> None:
    """Serve from several processes; the jobs are started from this one, which answers nobody."""
    create_app(settings, jobs_here=False)  # what is wrong with a setting is said here, once
    with tempfile.TemporaryDirectory(prefix="geolabel-") as folder:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
        os.environ[_SETTINGS] = settings.model_dump_json(exclude_none=True)
        config = server_config("geolabel.serving:make_app", factory=True, workers=settings.workers)
        store = open_store(settings.workspace)
        runner = make_runner(store)
        try:
            runner.start()
            _Supervisor(config, [listener], ready).run()
        finally:
            runner.stop()
            store.close()


def make_app() -> Any:
    """The application of one of several processes; the first process left its settings in the environment."""
    settings = Settings.model_validate_json(os.environ[_SETTINGS])
    logs.configure(settings.log_format, settings.log_level, secrets=_secrets(settings))
    sys.setswitchinterval(_SWITCH_S)
    app = create_app(settings, jobs_here=False)
    memory.share_arenas()
    memory.bound(from_environment().memory_mb)
    settle_down()
    return app


def _secrets(settings: Settings) -> list[str]:
    if not is_url(settings.workspace):
        return []
    password = urlsplit(str(settings.workspace)).password
    return [str(settings.workspace), *([password] if password else [])]


def server_config(app: Any | str, **options: Any) -> uvicorn.Config:
    """How the application is served over HTTP."""
    # h11 and not httptools: that writes `location` small, and QGIS up to 3.40.6 then takes a label that was made for a refused one.
    return uvicorn.Config(
        app,
        http=Patient,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=5,
        timeout_keep_alive=30,
        backlog=2048,
        server_header=False,
        **options,
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
        listener.listen(2048)
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
