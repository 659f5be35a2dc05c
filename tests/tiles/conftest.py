from __future__ import annotations

import hashlib
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest
from fastapi.testclient import TestClient

from tiles.app import create_app
from tiles.settings import TilesSettings

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def client(data: Path) -> Iterator[TestClient]:
    """A standalone tile server over all the shared rasters."""
    with TestClient(create_app(TilesSettings(paths=(data / "images", data / "pairs")))) as client:
        yield client


class RangeServer:
    """A web server of this machine with files in memory: counts what it is asked for, and fails in every way on demand.

    Attributes:
        files: content by path.
        asked: (path, start, end) of each range that was asked for.
        fault: called with the handler before it answers; true when it has answered itself.
        url: where it is.
    """

    def __init__(self, address: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> None:
        self.files: dict[str, bytes] = {}
        self.asked: list[tuple[str, int, int]] = []
        self.fault: Callable[[BaseHTTPRequestHandler], bool] = lambda _: False
        self.closing = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                outer.answer(self)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer((address, 0), Handler)
        self._server.daemon_threads = True
        if tls is not None:  # each connection in its own thread, its greeting too
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self.url = f"http{'s' if tls else ''}://{address}:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        first, _, last = handler.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")
        self.asked.append((handler.path, int(first), int(last or 0) + 1))
        if self.fault(handler):
            return
        content = self.files.get(handler.path)
        if content is None:
            self.send(handler, 404, {}, b"")
            return
        etag = self.etag(content)
        if handler.headers.get("If-Match", etag) != etag:
            self.send(handler, 412, {}, b"")
            return
        start, end = int(first), min(int(last or len(content) - 1) + 1, len(content))
        self.send(
            handler,
            206,
            {
                "ETag": etag,
                "Last-Modified": "Wed, 01 May 2024 10:20:30 GMT",
                "Content-Range": f"bytes {start}-{end - 1}/{len(content)}",
            },
            content[start:end],
        )

    @staticmethod
    def etag(content: bytes) -> str:
        return f'"{hashlib.sha256(content).hexdigest()[:16]}"'

    @staticmethod
    def send(handler: BaseHTTPRequestHandler, status: int, headers: dict[str, str], body: bytes) -> None:
        handler.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)

    def hang(self, handler: BaseHTTPRequestHandler) -> bool:
        """A fault: never answers."""
        handler.close_connection = True
        self.closing.wait(60)
        return True

    def drip(self, handler: BaseHTTPRequestHandler) -> bool:
        """A fault: a byte at a time, for ever."""
        handler.close_connection = True
        handler.send_response(206)
        handler.send_header("Content-Range", "bytes 0-99999/100000")
        handler.send_header("Content-Length", "100000")
        handler.end_headers()
        while not self.closing.is_set():
            try:
                handler.wfile.write(b"x")
            except OSError:
                break
            time.sleep(0.02)
        return True

    def close(self) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture(scope="session")
def range_servers() -> type[RangeServer]:
    """To make more of them."""
    return RangeServer


@pytest.fixture
def range_server() -> Iterator[RangeServer]:
    server = RangeServer()
    yield server
    server.close()


@pytest.fixture
def canary() -> Iterator[RangeServer]:
    """A server on a loopback address that no test allows: nobody may come."""
    server = RangeServer("127.0.0.2")
    yield server
    server.close()
