"""Row 15: a server that draws for a long time does not grow."""

from __future__ import annotations

import http.client
import os
import random
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

AROUND = (154_806, 130_816)


def resident_mb(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def draw(port: int, numbers: range) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    for i in numbers:
        rng = random.Random(i)
        z = rng.choice((16, 17, 18, 19))
        x, y = (at >> (18 - z) if z < 18 else at << (z - 18) for at in AROUND)
        fmt = rng.choice(("png", "jpg", "webp"))
        connection.request(
            "GET", f"/scenes/kampala_z19_rgb/tiles/WebMercatorQuad/{z}/{x}/{y}.{fmt}?gamma={1 + i % 997 / 997}"
        )
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 200
    connection.close()


@pytest.mark.parametrize(
    ("tiles", "warm", "most_mb"),
    [(200, 200, 40.0), pytest.param(200_000, 20_000, 20.0, marks=pytest.mark.soak)],
)
def test_memory_stays(data: Path, tiles: int, warm: int, most_mb: float) -> None:
    """In soak: below 1 MB per 10,000 tiles, and below 500 MB; in the normal run, nothing that grows with each tile."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "tiles", str(data / "pairs/kampala_rgb_buildings/kampala_z19_rgb.tif"), "--port", str(port)],
        env={**os.environ, "TILES_CACHE_MB": "8", "MALLOC_ARENA_MAX": "2"},
    )  # fmt: skip
    try:
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                time.sleep(0.1)
        sizes = []
        for first, count in ((0, warm), (warm, tiles)):
            threads = [
                threading.Thread(target=draw, args=(port, range(first + i, first + count, 16))) for i in range(16)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            sizes.append(resident_mb(server.pid))
        assert sizes[1] - sizes[0] < most_mb
        assert sizes[1] < 500
    finally:
        server.terminate()
        server.wait()
