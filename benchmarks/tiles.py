"""Tiles per second over HTTP beside TiTiler, case by case; our tile cache is off except where its hits are measured.

    python -m benchmarks tiles                         # some 25 minutes the first time, 12 after that
    GEOLABEL_BENCH_TILES=short python -m benchmarks tiles    # smaller rasters, one round of 3 s

Each case is one round after the other of both servers, with one process and with two; what counts is the better of the
two, and of the rounds the middle one. wrk asks, 8 at once. The limit is what `tile_limit` does. The plot is written to benchmarks/tiles.svg.
"""

from __future__ import annotations

import http.client
import math
import os
import random
import re
import shutil
import socket
import subprocess
import sys
import textwrap
import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from pyproj import Transformer

from benchmarks import rasters
from benchmarks.tile_limit import limit
from geolabel.chips.engine import cores

if TYPE_CHECKING:
    from collections.abc import Iterator

SHORT = os.environ.get("GEOLABEL_BENCH_TILES") == "short"
CONCURRENCY = 8
SECONDS = 3 if SHORT else 8
ROUNDS = 1 if SHORT else 3
PLOT = Path(__file__).with_name("tiles.svg")
WORLD = 20037508.342789244

TITILER = """
from fastapi import FastAPI
from titiler.core.errors import DEFAULT_STATUS_CODES, add_exception_handlers
from titiler.core.factory import TilerFactory

app = FastAPI()
app.include_router(TilerFactory().router)
add_exception_handlers(app, DEFAULT_STATUS_CODES)
"""

# What its own documentation recommends.
TITILER_ENVIRONMENT = {
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "GDAL_CACHEMAX": "200",
    "GDAL_INGESTED_BYTES_AT_OPEN": "32768",
    "GDAL_BAND_BLOCK_CACHE": "HASHSET",
    "GDAL_HTTP_MERGE_CONSECUTIVE_RANGES": "YES",
    "VSI_CACHE": "TRUE",
    "VSI_CACHE_SIZE": "5000000",
}

SCRIPT = """
local urls = {}
for line in io.lines(os.getenv("URLS")) do urls[#urls + 1] = line end
local i = 0
request = function() i = i % #urls + 1; return wrk.format("GET", urls[i]) end
done = function(summary, latency, requests)
  io.write(string.format("RESULT %f %f %f %d\\n", summary.requests / (summary.duration / 1e6), latency:percentile(50) / 1e3,
    latency:percentile(95) / 1e3, summary.errors.status + summary.errors.timeout))
end
"""


@dataclass(frozen=True)
class Case:
    """A row of the table; `goal` is how many times TiTiler's rate is asked for."""

    what: str
    raster: str
    tiles: str
    fmt: str
    goal: float
    query: str = ""
    cold: bool = False


@dataclass(frozen=True)
class Rate:
    """Tiles per second, the middle and the slow request in ms, memory in MB."""

    rate: float
    p50: float
    p95: float
    memory: float


UINT16 = "rescale=200,3000&bidx=1&bidx=2&bidx=3"
CASES = (
    Case("JPEG COG, random, jpg", "jpeg", "random", "jpg", 8),
    Case("JPEG COG, random, png", "jpeg", "random", "png", 8),
    Case("JPEG COG, random, webp", "jpeg", "random", "webp", 4),
    Case("JPEG COG, viewport pan, jpg", "jpeg", "pan", "jpg", 10),
    Case("ZSTD uint16, random, warm, jpg", "zstd", "random", "jpg", 4, UINT16),
    Case("ZSTD uint16, viewport pan, jpg", "zstd", "pan", "jpg", 6, UINT16),
    Case("DEFLATE uint16, random, page-cold, jpg", "deflate", "random", "jpg", 1.5, UINT16, cold=True),
)


def make_rasters() -> dict[str, Path]:
    large, middle = (8192, 4096) if SHORT else (32768, 16384)
    return {
        "jpeg": rasters.make("jpeg", large, "uint8", compress="JPEG", quality=80),
        "zstd": rasters.make("zstd", middle, "uint16", compress="ZSTD", level=9, predictor="YES"),
        "deflate": rasters.make("deflate", middle, "uint16", compress="DEFLATE", predictor="YES"),
    }


def run(_: Path, folder: Path) -> Iterator[tuple[str, ...]]:
    if shutil.which("wrk") is None:
        yield ("tiles", "wrk is not installed: apt-get install wrk", "-", "-", "-")
        return
    files = make_rasters()
    (folder / "titiler_app.py").write_text(textwrap.dedent(TITILER), encoding="utf-8")
    (folder / "wrk.lua").write_text(SCRIPT, encoding="utf-8")
    peers = find_spec("titiler") is not None
    shown = []
    for case in CASES:
        ours, theirs = measure(case, files[case.raster], folder, peers=peers)
        ratio = ours.rate / theirs.rate if theirs else math.nan
        shown.append((case, ratio))
        if case.cold:
            rasters.forget(files[case.raster])
        most = limit(files[case.raster], pick(files[case.raster], case.tiles), case.fmt, SECONDS, cores())
        yield (
            f"{case.what} (goal {case.goal:g}x)",
            f"{ours.rate:.0f} tiles/s, p50 {ours.p50:.0f} ms, p95 {ours.p95:.0f} ms",
            f"TiTiler {theirs.rate:.0f} tiles/s, p50 {theirs.p50:.0f} ms" if theirs else "TiTiler not installed",
            (f"{ratio:.1f}x; " if theirs else "") + f"{ours.rate / most:.2f} of the limit {most:.0f}",
            f"{ours.memory:.0f} MB" + (f", the peer {theirs.memory:.0f} MB" if theirs else ""),
        )
    hits = median([hit_rate(files["jpeg"], folder) for _ in range(ROUNDS)])
    yield (
        "cache hits, one process (goal 3,000/s)",
        f"{hits.rate:.0f} tiles/s, p50 {hits.p50:.2f} ms",
        "-",
        "-",
        f"{hits.memory:.0f} MB",
    )
    if peers:
        PLOT.write_text(plot(shown), encoding="utf-8")


def measure(case: Case, raster: Path, folder: Path, *, peers: bool) -> tuple[Rate, Rate | None]:
    """The better of one and two processes, for both servers, in turn."""
    tiles = pick(raster, case.tiles)
    query = f"?{case.query}" if case.query else ""
    mine = [f"/scenes/{raster.stem}/tiles/WebMercatorQuad/{z}/{x}/{y}.{case.fmt}{query}" for z, x, y in tiles]
    ending = f"?url={raster}" + (f"&{case.query}" if case.query else "")
    peer = [f"/tiles/WebMercatorQuad/{z}/{x}/{y}.{case.fmt}{ending}" for z, x, y in tiles]
    found: dict[tuple[str, int], list[Rate]] = {}
    for _ in range(ROUNDS):
        for workers in (1, 2):
            found.setdefault(("ours", workers), []).append(ask(ours(raster, workers), mine, folder, case, raster))
            if peers:
                found.setdefault(("titiler", workers), []).append(
                    ask(titiler(folder, workers), peer, folder, case, raster)
                )
    best = {
        who: max((median(rates) for (name, _), rates in found.items() if name == who), key=lambda rate: rate.rate)
        for who in {name for name, _ in found}
    }
    return best["ours"], best.get("titiler")


def ours(raster: Path, workers: int, **settings: str) -> tuple[list[str], dict[str, str]]:
    command = [sys.executable, "-m", "tiles", str(raster), "--workers", str(workers), "--port"]
    return command, {"TILES_CACHE_MB": "0", **settings}


def titiler(folder: Path, workers: int) -> tuple[list[str], dict[str, str]]:
    command = [sys.executable, "-m", "uvicorn", "titiler_app:app", "--app-dir", str(folder), "--workers", str(workers)]
    return [*command, "--no-access-log", "--log-level", "error", "--port"], TITILER_ENVIRONMENT


def ask(
    server: tuple[list[str], dict[str, str]], paths: list[str], folder: Path, case: Case, raster: Path, *, warm: int = 3
) -> Rate:
    command, settings = server
    port = free_port()
    process = subprocess.Popen(
        [*command, str(port)], env={**os.environ, **settings}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_for(port)
        for path in paths[:warm] * 2:  # imports and first opening are not what is measured
            fetch(port, path)
        if case.cold:
            rasters.forget(raster)
        urls = folder / "urls"
        urls.write_text("\n".join(paths), encoding="utf-8")
        done = subprocess.run(
            ["wrk", "-t1", f"-c{CONCURRENCY}", f"-d{SECONDS}s", "--timeout", "20s", "-s", str(folder / "wrk.lua"), f"http://127.0.0.1:{port}"],
            env={**os.environ, "URLS": str(urls)}, capture_output=True, text=True, check=True,
        )  # fmt: skip
        result = re.search(r"RESULT (\S+) (\S+) (\S+) (\d+)", done.stdout)
        if result is None or int(result[4]):
            raise RuntimeError(f"{' '.join(command)}: {done.stdout[-500:]}")
        return Rate(*map(float, result.groups()[:3]), peak_memory_of_all(process.pid))
    finally:
        process.terminate()
        process.wait()


def hit_rate(raster: Path, folder: Path) -> Rate:
    tiles = pick(raster, "pan")[:24]
    paths = [f"/scenes/{raster.stem}/tiles/WebMercatorQuad/{z}/{x}/{y}.jpg" for z, x, y in tiles]
    case = Case("cache hits", "jpeg", "pan", "jpg", 0)
    return ask(ours(raster, 1, TILES_CACHE_MB="256"), paths, folder, case, raster, warm=24)


def pick(raster: Path, kind: str) -> list[tuple[int, int, int]]:
    """Tiles inside of a raster at the five finest zooms: at random, or as a viewport of 6 x 4 tiles shows them."""
    side = int(raster.stem.rpartition("-")[2]) * rasters.CELL
    to_map = Transformer.from_crs(rasters.CRS, "EPSG:3857", always_xy=True)
    corners = [to_map.transform(rasters.LEFT + i * side, rasters.TOP - j * side) for i in (0, 1) for j in (0, 1)]
    xs, ys = zip(*corners, strict=True)
    west, east, south, north = max(xs[0], xs[1]), min(xs[2], xs[3]), max(ys[1], ys[3]), min(ys[0], ys[2])
    rng = random.Random(1)
    found: list[tuple[int, int, int]] = []
    for z in range(14, 19):
        width = 2 * WORLD / 2**z
        left, right = math.ceil((west + WORLD) / width), math.floor((east + WORLD) / width) - 1
        top, bottom = math.ceil((WORLD - north) / width), math.floor((WORLD - south) / width) - 1
        if left > right or top > bottom:
            continue
        if kind == "random":
            found += [(z, rng.randint(left, right), rng.randint(top, bottom)) for _ in range(400)]
            continue
        for _ in range(16):
            x, y = rng.randint(left, max(left, right - 5)), rng.randint(top, max(top, bottom - 3))
            found += [(z, i, j) for j in range(y, min(y + 4, bottom + 1)) for i in range(x, min(x + 6, right + 1))]
    if kind == "random":
        rng.shuffle(found)
    return found


def plot(shown: list[tuple[Case, float]]) -> str:
    """How many times TiTiler's rate, case by case, with the goal as a line: an SVG."""
    left, row, scale = 300, 34, 460 / max(max(ratio, case.goal) for case, ratio in shown)
    height = row * len(shown) + 60
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="860" height="{height}" font-family="sans-serif" font-size="13">',
        f'<rect width="860" height="{height}" fill="#ffffff"/>',
        '<text x="16" y="26" font-size="15" font-weight="bold">Tiles per second, times TiTiler\'s</text>',
        '<text x="844" y="26" text-anchor="end" fill="#666666">line: goal</text>',
    ]
    for i, (case, ratio) in enumerate(shown):
        y = 46 + i * row
        color = "#2b7a5b" if ratio >= case.goal else "#b5651d"
        goal = left + case.goal * scale
        parts += [
            f'<text x="{left - 10}" y="{y + 16}" text-anchor="end">{case.what}</text>',
            f'<rect x="{left}" y="{y}" width="{ratio * scale:.1f}" height="22" rx="2" fill="{color}"/>',
            f'<line x1="{goal:.1f}" x2="{goal:.1f}" y1="{y - 4}" y2="{y + 26}" stroke="#222222" stroke-width="2"/>',
            f'<text x="{left + max(ratio, case.goal) * scale + 8:.1f}" y="{y + 16}">{ratio:.1f}x</text>',
        ]
    return "\n".join([*parts, "</svg>"]) + "\n"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def fetch(port: int, path: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", path)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
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


def peak_memory_of_all(pid: int) -> float:
    """Of the largest of a process and its children."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    except OSError:
        children = []
    return max(peak_memory(each) for each in (pid, *map(int, children)))


def median(rates: list[Rate]) -> Rate:
    return sorted(rates, key=lambda rate: rate.rate)[len(rates) // 2]
