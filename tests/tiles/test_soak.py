"""Row 15: a server that draws for a long time does not grow."""

from __future__ import annotations

import http.client
import json
import logging
import os
import random
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

SCENES = {
    "kampala_z19_rgb": "pairs/kampala_rgb_buildings/kampala_z19_rgb.tif",
    "s2b_20181013_b2348_uint8": "pairs/beaufort_s2_landcover/s2b_20181013_b2348_uint8.tif",
    "m_4709963_se_14_1_20180716": "images/m_4709963_se_14_1_20180716.tif",
    "cog_rgb_mask": "images/cog_rgb_mask.tif",
    "cog_nodata_nan": "images/cog_nodata_nan.tif",
}
LOG = logging.getLogger(__name__)
CLIENTS = 16
ROUND = 10_000


def resident_mb(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def draw(url: tuple[str, int], scenes: dict[str, tuple[int, int, int]], numbers: range, failed: list[str]) -> None:
    """Tiles that are in no cache: each in a look of its own."""
    connection = http.client.HTTPConnection(*url, timeout=3600)
    names = sorted(scenes)
    for i in numbers:
        rng = random.Random(i)
        name, out = rng.choice(names), rng.randrange(4)
        z, x, y = scenes[name]
        path = f"{z - out}/{x >> out}/{y >> out}.{rng.choice(('png', 'jpg', 'webp'))}"
        connection.request("GET", f"/scenes/{name}/tiles/WebMercatorQuad/{path}?gamma={1 + i / 1e6}")
        answer = connection.getresponse()
        answer.read()
        if answer.status != 200:
            failed.append(f"{path}: {answer.status}")
    connection.close()


@pytest.mark.parametrize(
    ("rounds", "count"),
    [(2, 150), pytest.param(20, ROUND, marks=pytest.mark.soak)],
)
def test_memory_stays(data: Path, rounds: int, count: int) -> None:
    """In soak: below 1 MB per 10,000 tiles, and below 500 MB; in the normal run, nothing that grows with each tile."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = ("127.0.0.1", probe.getsockname()[1])
    server = subprocess.Popen(
        [sys.executable, "-m", "tiles", *(str(data / path) for path in SCENES.values()), "--port", str(url[1])],
        env={**os.environ, "TILES_CACHE_MB": "8", "TILES_MAX_HANDLES": "16"},
    )
    try:
        while True:
            try:
                socket.create_connection(url, timeout=1).close()
                break
            except OSError:
                time.sleep(0.1)
        scenes = {name: middle(url, name) for name in SCENES}
        sizes, failed = [], []
        for n in range(rounds + 1):
            threads = [
                threading.Thread(
                    target=draw, args=(url, scenes, range(n * count + i, (n + 1) * count, CLIENTS), failed)
                )
                for i in range(CLIENTS)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            sizes.append(resident_mb(server.pid))
            LOG.info("%d tiles: %.1f MB", (n + 1) * count, sizes[-1])
        assert failed == []
        assert max(sizes) < 500
        if count == ROUND:  # the first round warms it up
            slope = np.polyfit(np.arange(rounds), sizes[1:], 1)[0]
            LOG.info("slope: %.3f MB per %d tiles", slope, ROUND)
            assert slope < 1
        else:
            assert sizes[-1] - sizes[0] < 40
    finally:
        server.terminate()
        server.wait()


def middle(url: tuple[str, int], scene: str) -> tuple[int, int, int]:
    """A tile at the finest level in the middle of a scene."""
    connection = http.client.HTTPConnection(*url, timeout=60)
    connection.request("GET", f"/scenes/{scene}/WebMercatorQuad/tilejson.json")
    document = json.loads(connection.getresponse().read())
    connection.close()
    west, south, east, north = document["bounds"]
    z = document["maxzoom"]
    x = int(((west + east) / 2 + 180) / 360 * 2**z)
    y = int((1 - np.arcsinh(np.tan(np.radians((south + north) / 2))) / np.pi) / 2 * 2**z)
    return z, x, y
