"""Label tiles per second over HTTP, cold tile cache: geolabel from its embedded store beside tipg from PostGIS, same labels.

The labels are a million buildings and fields in UTM, 17.8 million vertices; GEOLABEL_BENCH_LABELS=100000 makes fewer.
tipg is limited to nothing: it writes every label of a tile with all its vertices, where geolabel keeps a tile below 500 kB.
"""

from __future__ import annotations

import os
import random
import re
import shutil
import socket
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import shapely
from pyproj import Transformer

from benchmarks.tiles import fetch, peak_memory, wait_for
from geolabel.classes import make_classes
from geolabel.model import NewAnnotation, Project
from geolabel.store import open_store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

LABELS = int(os.environ.get("GEOLABEL_BENCH_LABELS", "1000000"))
CONCURRENCY = 8
SECONDS = 8
ROUNDS = 3
CLASSES = ("building", "road", "water", "forest", "crop", "grass", "bare", "wetland")
LEFT, TOP, CELL = 500_000.0, 5_300_000.0, 16.384

WRK = """
local paths = {}
for line in io.lines(os.getenv("PATHS")) do paths[#paths + 1] = line end
local next = 0
request = function() next = next % #paths + 1; return wrk.format("GET", paths[next]) end
"""


def run(_: Path, folder: Path) -> Iterator[tuple[str, ...]]:
    if not shutil.which("wrk"):
        yield ("label tiles", "wrk is not installed: apt-get install wrk", "-", "-", "-")
        return
    shapes, classes = make_labels()
    workspace = folder / "labels"
    with open_store(workspace, create=True) as store:
        store.create_project(Project("labels", "Labels", "EPSG:32633", make_classes(CLASSES)))
        for first in range(0, len(shapes), 50_000):
            rows = zip(shapes[first : first + 50_000], classes[first : first + 50_000], strict=True)
            store.create("labels", [NewAnnotation(geometry=shape, class_name=name) for shape, name in rows])
    database = PostGIS(folder / "postgres") if find_spec("tipg") and PostGIS.programs() else None
    try:
        if database:
            database.load(shapes, classes)
        for zoom in (14, 16):
            tiles = pick_tiles(zoom)
            ours, theirs, sizes, peak = [], [], (0, 0), 0.0
            for _round in range(ROUNDS):
                rate, size, rss = serve_and_measure(
                    ours_command(workspace), "/api/collections/labels/tiles/WebMercatorQuad/{}/{}/{}.mvt", tiles, folder
                )
                ours.append(rate)
                peak, sizes = max(peak, rss), (size, sizes[1])
                if database:
                    rate, size, _rss = serve_and_measure(
                        database.tipg(), "/collections/public.labels/tiles/WebMercatorQuad/{}/{}/{}", tiles, folder
                    )
                    theirs.append(rate)
                    sizes = (sizes[0], size)
            mine = sorted(ours)[ROUNDS // 2]
            peer = f"tipg {sorted(theirs)[ROUNDS // 2]:.1f} tiles/s" if theirs else "tipg or PostGIS not installed"
            yield (
                f"label tiles at zoom {zoom} of {len(shapes)} labels, cold, {CONCURRENCY} at once",
                f"{mine:.0f} tiles/s of {sizes[0] / 1e3:.0f} kB",
                f"{peer} of {sizes[1] / 1e3:.0f} kB" if theirs else peer,
                f"{mine / sorted(theirs)[ROUNDS // 2]:.1f}x" if theirs else "-",
                f"{peak:.0f} MB",
            )
    finally:
        if database:
            database.stop()


def make_labels() -> tuple[NDArray[np.object_], list[str]]:
    """A grid of ragged outlines, 4 to 60 corners, one in twenty with a hole, one in a hundred many times larger."""
    rng = np.random.default_rng(1)
    side = int(LABELS**0.5)
    count = side * side
    x = LEFT + (np.arange(count) % side + 0.5) * CELL
    y = TOP - (np.arange(count) // side + 0.5) * CELL
    radius = rng.uniform(3.5, 7.8, count) * np.where(rng.random(count) < 0.01, rng.uniform(3, 12, count), 1.0)
    corners = np.where(rng.random(count) < 0.7, rng.choice([4, 6, 8, 12], count), rng.integers(10, 60, count))
    shapes = np.empty(count, dtype=object)
    for n in np.unique(corners):
        rows = np.flatnonzero(corners == n)
        angle = np.linspace(0, 2 * np.pi, n, endpoint=False) + rng.uniform(0, 6.3, (len(rows), 1))
        reach = radius[rows, None] * rng.uniform(0.8, 1.0, (len(rows), n))
        ring = np.stack([reach * np.cos(angle), reach * np.sin(angle)], axis=-1)
        middle = np.stack([x[rows], y[rows]], axis=-1)[:, None]
        shapes[rows] = shapely.polygons((middle + ring).round(3))
        holed = rng.random(len(rows)) < 0.05
        if holed.any():
            inner = shapely.linearrings((middle + ring[:, ::-1] * 0.4)[holed].round(3))
            shapes[rows[holed]] = shapely.polygons(shapely.get_exterior_ring(shapes[rows[holed]]), inner[:, None])
    return shapes, [CLASSES[i] for i in rng.integers(0, len(CLASSES), count)]


def pick_tiles(zoom: int) -> list[tuple[int, int, int]]:
    """Random tiles inside the labels."""
    rng = random.Random(5)
    span = LABELS**0.5 * CELL
    half = 20_037_508.342789244
    to_map = Transformer.from_crs(32633, 3857, always_xy=True)
    found = []
    for _ in range(200):
        x, y = to_map.transform(LEFT + rng.uniform(0.1, 0.9) * span, TOP - rng.uniform(0.1, 0.9) * span)
        found.append((zoom, int((x + half) / (2 * half) * 2**zoom), int((half - y) / (2 * half) * 2**zoom)))
    return found


def ours_command(workspace: Path) -> list[str]:
    return ["env", "GEOLABEL_LABEL_TILES_MB=0", sys.executable, "-m", "geolabel", "serve", "-w", str(workspace)]


def serve_and_measure(
    command: list[str], path: str, tiles: list[tuple[int, int, int]], folder: Path
) -> tuple[float, float, float]:
    """Tiles per second by wrk, bytes per tile, and the server's peak memory in MB, in a fresh process that is warm."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    paths, script = folder / "paths.txt", folder / "wrk.lua"
    paths.write_text("\n".join(path.format(*tile) for tile in tiles), encoding="utf-8")
    script.write_text(WRK, encoding="utf-8")
    server = subprocess.Popen([*command, "--port", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(port)
        fetch(port, path.format(*tiles[0]))
        time.sleep(1 + 20 * LABELS / 1e6)  # the labels come into memory while the first tiles are served
        wrk = ["wrk", "-t1", f"-c{CONCURRENCY}", f"-d{SECONDS}s", "-s", str(script), f"http://127.0.0.1:{port}"]
        said = subprocess.run(
            wrk, env={**os.environ, "PATHS": str(paths)}, capture_output=True, text=True, check=True
        ).stdout
        if "Non-2xx" in said:
            raise RuntimeError(said)
        rate = float(re.search(r"Requests/sec:\s+([\d.]+)", said)[1])
        number, unit = re.search(r"Transfer/sec:\s+([\d.]+)([KMG]?)B", said).groups()
        return rate, float(number) * {"": 1, "K": 2**10, "M": 2**20, "G": 2**30}[unit] / rate, peak_memory(server.pid)
    finally:
        server.terminate()
        server.wait()


class PostGIS:
    """A database server of its own for the peer."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self._user = "postgres" if os.geteuid() == 0 else None  # PostgreSQL refuses to run as root
        if self._user:
            for parent in (folder, folder.parent):
                parent.chmod(0o755)
            shutil.chown(folder, "postgres", "postgres")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"postgresql://postgres@127.0.0.1:{self.port}/postgres"
        self._run("initdb", "-D", "data", "-A", "trust", "-U", "postgres", "--no-sync")
        options = f"-p {self.port} -k {folder} -c shared_buffers=1GB -c max_parallel_workers_per_gather=0"
        self._run("pg_ctl", "-D", "data", "-w", "-l", "log", "-o", options, "start")

    @staticmethod
    def programs() -> Path | None:
        return next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)), None)

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self.programs() / program), *arguments]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        subprocess.run(command, cwd=self.folder, user=self._user, check=True, **quiet)

    def load(self, shapes: NDArray[np.object_], classes: list[str]) -> None:
        import psycopg

        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute("CREATE EXTENSION postgis")
            connection.execute(
                "CREATE TABLE labels (id int PRIMARY KEY, class text, status text, geom geometry(Polygon, 32633))"
            )
            encoded = shapely.to_wkb(shapely.set_srid(shapes, 32633), include_srid=True)
            with connection.cursor().copy("COPY labels FROM STDIN (FORMAT binary)") as copy:
                copy.set_types(["int4", "text", "text", "bytea"])
                for number, (name, wkb) in enumerate(zip(classes, encoded, strict=True), 1):
                    copy.write_row((number, name, "labelled", wkb))
            connection.execute("CREATE INDEX ON labels USING gist (geom)")
            connection.execute("VACUUM ANALYZE labels")

    def tipg(self) -> list[str]:
        settings = {
            "DATABASE_URL": self.url,
            "TIPG_MAX_FEATURES_PER_TILE": "200000",
            "POSTGRES_USER": "postgres",
            "POSTGRES_PASS": "-",
            "POSTGRES_HOST": "127.0.0.1",
            "POSTGRES_PORT": str(self.port),
            "POSTGRES_DBNAME": "postgres",
        }
        variables = [f"{name}={value}" for name, value in settings.items()]
        return ["env", *variables, sys.executable, "-m", "uvicorn", "tipg.main:app", "--log-level", "error"]

    def stop(self) -> None:
        self._run("pg_ctl", "-D", "data", "-w", "-m", "immediate", "stop")
