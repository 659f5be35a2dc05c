"""`geolabel serve` as it is run: several processes, one that is killed, slow clients, logs, an end in order."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from geolabel.store.store import open_store
from geolabel.workflows import add_scene
from tiles.logs import Redaction

if TYPE_CHECKING:
    from collections.abc import Iterator

SECRET = "swordfish-and-chips"


class Served:
    def __init__(self, workspace: Path) -> None:
        environment = {
            **os.environ, "GEOLABEL_LOG_LEVEL": "info", "GEOLABEL_LOG_FORMAT": "json", "AWS_SECRET_ACCESS_KEY": SECRET,
        }  # fmt: skip
        self.log = workspace / "log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "geolabel", "serve", "-w", str(workspace), "--port", "0", "--workers", "2"],
                env=environment, stdout=subprocess.PIPE, stderr=log, text=True,
            )  # fmt: skip
        assert self.process.stdout is not None
        self.url = re.search(r"http://\S+", self.process.stdout.readline())[0].rstrip("/")

    def get(self, path: str, **headers: str) -> tuple[int, bytes, dict]:
        request = urllib.request.Request(self.url + path, headers=headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.read(), dict(answer.headers)

    def workers(self) -> set[int]:
        """The processes that answer; multiprocessing's own helper is not among them."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return {int(c) for c in children if "spawn_main" in Path(f"/proc/{c}/cmdline").read_text()}


@pytest.fixture(scope="module")
def served(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    workspace = tmp_path_factory.mktemp("serving")
    store = open_store(workspace, create=True)
    add_scene(store, data / "pairs/kampala_rgb_buildings/kampala_z19_rgb.tif")
    store.close()
    server = Served(workspace)
    yield server
    server.process.terminate()
    server.process.communicate(timeout=30)


def test_a_process_that_is_killed_is_replaced(served: Served) -> None:
    before = served.workers()
    assert len(before) == 2
    os.kill(min(before), signal.SIGKILL)
    while len(served.workers() - {min(before)}) < 2:
        time.sleep(0.05)
    for _ in range(10):
        assert served.get("/healthz")[0] == 200


def test_metrics_are_of_all_processes(served: Served) -> None:
    for _ in range(8):
        served.get("/api/scenes/kampala_z19_rgb/preview.png")
    text = served.get("/metrics")[1].decode()
    count = re.search(r'geolabel_http_requests_total\{method="GET",route="\S*preview.{fmt}",status="200"\} (\S+)', text)
    assert count is not None
    assert float(count[1]) >= 8
    for name in ("geolabel_resident_bytes", "geolabel_open_rasters", "geolabel_waiting", "geolabel_tile_cache_total"):
        assert name in text


def test_each_request_has_a_line_under_its_id_and_no_query(served: Served) -> None:
    path = "/api/scenes/kampala_z19_rgb/tiles/WebMercatorQuad/18/154806/130816.png"
    _, _, headers = served.get(f"{path}?bidx=1&gamma=1.1")
    while headers["x-request-id"] not in served.log.read_text():  # it is written when the answer is gone
        time.sleep(0.05)
    lines = [json.loads(line) for line in served.log.read_text().splitlines() if line.startswith("{")]
    (line,) = [line for line in lines if line.get("request") == headers["x-request-id"]]
    assert (line["path"], line["status"], line["method"]) == (path, 200, "GET")
    assert "gamma" not in served.log.read_text()
    assert SECRET not in served.log.read_text()


def test_a_header_that_does_not_come_is_not_waited_for(served: Served) -> None:
    """Row 50, in small: half a header, for ever; the server hangs up, and answers others meanwhile."""
    host, port = served.url.removeprefix("http://").split(":")
    slow = [socket.create_connection((host, int(port))) for _ in range(20)]
    for connection in slow:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
    assert served.get("/healthz")[0] == 200
    for connection in slow:
        connection.settimeout(40)
        with contextlib.suppress(ConnectionResetError):
            assert connection.recv(100) == b""
        connection.close()


def test_secrets_are_taken_out_of_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_STORAGE_SAS_TOKEN", "sv=2024&sig=abcdef")
    hide = Redaction(["hunter2-hunter2"]).hide
    for text in (
        "opened postgresql://me:hunter2-hunter2@host/db", "sv=2024&sig=abcdef", "https://h/a.tif?X-Amz-Signature=123456",
        "https://user:word@h/a.tif",
    ):  # fmt: skip
        hidden = hide(text)
        assert "***" in hidden
        assert not any(secret in hidden for secret in ("hunter2", "abcdef", "123456", "user:word"))


def test_the_server_ends_in_order(served: Served) -> None:
    workers = served.workers()
    served.process.send_signal(signal.SIGTERM)
    assert served.process.wait(40) == 0
    assert not any(Path(f"/proc/{pid}").exists() for pid in workers)
    assert "Traceback" not in served.log.read_text()
