"""Tiles per second over HTTP, cold cache: geolabel's tile server beside TiTiler on the same file, rio-tiler as the limit."""

from __future__ import annotations

import http.client
import random
import socket
import subprocess
import sys
import textwrap
import threading
import time
from importlib.util import find_spec
from typing import TYPE_CHECKING

import morecantile
from rio_tiler.io import Reader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

CONCURRENCY = 8
TILES = 120
ROUNDS = 3

TITILER = """
import sys
import uvicorn
from fastapi import FastAPI
from titiler.core.factory import TilerFactory

app = FastAPI()
app.include_router(TilerFactory().router)
uvicorn.run(app, port=int(sys.argv[1]), log_level="error")
"""


def run(scene: Path, folder: Path) -> Iterator[tuple[str, ...]]:
    tiles = pick_tiles(scene)
    for fmt in ("jpg", "png", "webp"):
        ours, theirs, peak = [], [], 0.0
        for _ in range(ROUNDS):
            rate, rss = measure(
                ours_command(scene),
                lambda z, x, y, fmt=fmt: f"/scenes/{scene.stem}/tiles/WebMercatorQuad/{z}/{x}/{y}.{fmt}",
                tiles,
            )
            ours.append(rate)
            peak = max(peak, rss)
            if find_spec("titiler"):
                script = folder / "titiler_app.py"
                script.write_text(textwrap.dedent(TITILER), encoding="utf-8")
                path = f"/tiles/WebMercatorQuad/{{z}}/{{x}}/{{y}}.{fmt}?url={scene}&bidx=1&bidx=2&bidx=3"
                theirs.append(
                    measure(
                        lambda port, script=script: [sys.executable, str(script), str(port)],
                        lambda z, x, y, path=path: path.format(z=z, x=x, y=y),
                        tiles,
                    )[0]
                )
        mine = median(ours)
        peer = f"TiTiler {median(theirs):.0f} tiles/s" if theirs else "TiTiler not installed"
        ratio = f"{mine / median(theirs):.2f}x" if theirs else "-"
        yield (
            f"random 256 px tiles, {fmt}, cold, {CONCURRENCY} at once",
            f"{mine:.0f} tiles/s",
            peer,
            ratio,
            f"{peak:.0f} MB",
        )
    limit = bare(scene, tiles)
    yield ("the same read by rio-tiler in one thread, not encoded", "", f"limit {limit:.0f} tiles/s", "-", "-")


def ours_command(scene: Path) -> Callable[[int], list[str]]:
    return lambda port: ["env", "TILES_CACHE_MB=0", sys.executable, "-m", "tiles", str(scene), "--port", str(port)]


def pick_tiles(scene: Path) -> list[tuple[int, int, int]]:
    """Random tiles that lie in the scene, over all its zoom levels but weighted to the fine ones."""
    rng = random.Random(7)
    with Reader(str(scene)) as raster:
        bounds = raster.get_geographic_bounds("EPSG:4326")
        low, high = raster.minzoom, raster.maxzoom
    tms = morecantile.tms.get("WebMercatorQuad")
    tiles = []
    while len(tiles) < TILES:
        lon, lat = rng.uniform(bounds[0], bounds[2]), rng.uniform(bounds[1], bounds[3])
        tile = tms.tile(lon, lat, max(low, high - int(rng.expovariate(0.7))))
        tiles.append((tile.z, tile.x, tile.y))
    return tiles


def measure(
    command: Callable[[int], list[str]], path: Callable[[int, int, int], str], tiles: list[tuple[int, int, int]]
) -> tuple[float, float]:
    """Tiles per second and the server's peak memory in MB, in a fresh process."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen(command(port), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(port)
        fetch(port, path(*tiles[0]))  # imports and first opening are not what is measured
        queue = iter(tiles[1:])
        lock = threading.Lock()

        def work() -> None:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            while True:
                with lock:
                    tile = next(queue, None)
                if tile is None:
                    return
                fetch(port, path(*tile), connection)

        started = time.perf_counter()
        threads = [threading.Thread(target=work) for _ in range(CONCURRENCY)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return (len(tiles) - 1) / (time.perf_counter() - started), peak_memory(server.pid)
    finally:
        server.terminate()
        server.wait()


def fetch(port: int, path: str, connection: http.client.HTTPConnection | None = None) -> None:
    connection = connection or http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", path)
    answer = connection.getresponse()
    body = answer.read()
    if answer.status != 200:
        raise RuntimeError(f"{path}: {answer.status} {body[:200]!r}")


def wait_for(port: int) -> None:
    for _ in range(600):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError("the server did not start")


def peak_memory(pid: int) -> float:
    try:
        with open(f"/proc/{pid}/status", encoding="ascii") as status:  # noqa: PTH123
            peaks = [int(line.split()[1]) / 1e3 for line in status if line.startswith("VmHWM")]
    except OSError:
        return float("nan")
    return peaks[0] if peaks else float("nan")  # none of a process that has just ended


def bare(scene: Path, tiles: list[tuple[int, int, int]]) -> float:
    with Reader(str(scene)) as raster:
        started = time.perf_counter()
        for z, x, y in tiles:
            raster.tile(x, y, z, indexes=(1, 2, 3))
        return len(tiles) / (time.perf_counter() - started)


def median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]
