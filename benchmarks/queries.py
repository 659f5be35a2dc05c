"""What a map and an export ask for, of a million labels: a viewport as GeoJSON over HTTP, edits, and all of them as GeoParquet.

The viewports hold some 530 labels each. The peer reads the same boxes out of the same GeoPackage without HTTP and without
transforming them; the peer of the full read is pyogrio with GeoPandas' `to_parquet`. GEOLABEL_BENCH_LABELS=100000 makes fewer.
"""

from __future__ import annotations

import http.client
import json
import socket
import statistics
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import pyogrio

from benchmarks.import_ import import_command, measure, write_geojson
from benchmarks.label_tiles import CELL, LABELS, LEFT, TOP
from benchmarks.tiles import peak_memory, wait_for
from geolabel.geo.crs import bounds_to

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from geolabel.model import Bounds

VIEWS, EDITS, READERS = 200, 200, 8
ACROSS = 22 * CELL

OURS = """
import sys
import geolabel

with geolabel.open(sys.argv[1]) as workspace:
    workspace.project("labels").to_parquet(sys.argv[2])
"""
PYOGRIO = """
import sys
import pyogrio

pyogrio.read_dataframe(sys.argv[1] + "/workspace.gpkg", layer="labels").to_parquet(sys.argv[2])
"""


def run(_: Path, folder: Path) -> Iterator[tuple[str, ...]]:
    workspace = folder / "queried"
    measure(import_command(write_geojson(folder), workspace))
    boxes = pick_boxes()
    with serving(workspace) as (port, pid):
        # A tile of all of it is answered when the server has prepared them; that is not what is measured.
        call(port, "GET", "/api/collections/labels/tiles/WebMercatorQuad/10/554/356.mvt")
        for box in boxes[:20]:
            ask(port, box)
        ours, theirs, found = [], [], []
        for box in boxes:
            in_degrees(box)  # a map knows its view
            started = time.perf_counter()
            found.append(ask(port, box))
            ours.append(time.perf_counter() - started)
            started = time.perf_counter()
            pyogrio.read_dataframe(workspace / "workspace.gpkg", layer="labels", bbox=box)
            theirs.append(time.perf_counter() - started)
        mine, peer = (1e3 * statistics.median(times) for times in (ours, theirs))
        yield (
            f"viewport of {statistics.median(found):.0f} of {LABELS:,} labels, GeoJSON over HTTP, one client",
            f"median {mine:.1f} ms",
            f"pyogrio, no HTTP {peer:.1f} ms",
            f"{peer / mine:.2f}x",
            f"{peak_memory(pid):.0f} MB",
        )
        alone = edits(port)
        stop = threading.Event()
        threads = [threading.Thread(target=read_on, args=(port, boxes, stop)) for _ in range(READERS)]
        for thread in threads:
            thread.start()
        beside = edits(port)
        stop.set()
        for thread in threads:
            thread.join()
        yield ("one edit over HTTP, on the disk when answered", f"p95 {alone:.1f} ms", "-", "-", "-")
        yield (f"the same beside {READERS} readers of viewports", f"p95 {beside:.1f} ms", "-", "-", "-")
    out = folder / "all.parquet"
    seconds, peak = measure([sys.executable, "-c", OURS, str(workspace), str(out)])
    peer_seconds, peer_peak = measure([sys.executable, "-c", PYOGRIO, str(workspace), str(folder / "peer.parquet")])
    yield (
        f"all {LABELS:,} labels to GeoParquet",
        f"{seconds:.1f} s",
        f"pyogrio and GeoPandas {peer_seconds:.1f} s",
        f"{peer_seconds / seconds:.2f}x",
        f"{peak:.0f} MB, the peer {peer_peak:.0f} MB",
    )


def pick_boxes() -> list[Bounds]:
    """Random viewports inside the labels, in UTM."""
    rng = np.random.default_rng(5)
    span = LABELS**0.5 * CELL - ACROSS
    corners = np.column_stack((LEFT + rng.uniform(0, span, VIEWS), TOP - ACROSS - rng.uniform(0, span, VIEWS)))
    return [(x, y, x + ACROSS, y + ACROSS) for x, y in corners.tolist()]


@contextmanager
def serving(workspace: Path) -> Iterator[tuple[int, int]]:
    """Port and process of a server."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "geolabel", "serve", "-w", str(workspace), "--port", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(port)
        yield port, server.pid
    finally:
        server.terminate()
        server.wait()


_connections = threading.local()


def call(port: int, method: str, path: str, body: str | None = None) -> bytes:
    """The body of an answer; each thread keeps its connection, as a browser does."""
    if getattr(_connections, "port", None) != port:
        _connections.port, _connections.http = port, http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    _connections.http.request(method, path, body, {"Content-Type": "application/merge-patch+json"} if body else {})
    answer = _connections.http.getresponse()
    read: bytes = answer.read()
    if answer.status != 200:
        raise RuntimeError(f"{path}: {answer.status} {read[:200]!r}")
    return read


def ask(port: int, box: Bounds) -> int:
    body = call(port, "GET", f"/api/collections/labels/items?bbox={in_degrees(box)}&limit=2000")
    marker = body.rindex(b'"numberReturned":')
    return int(body[marker + 17 :].split(b",")[0].rstrip(b"}"))


@lru_cache(maxsize=VIEWS)
def in_degrees(box: Bounds) -> str:
    return ",".join(map(repr, bounds_to(box, "EPSG:32633", "OGC:CRS84")))


def read_on(port: int, boxes: list[Bounds], stop: threading.Event) -> None:
    while not stop.is_set():
        for box in boxes:
            if not stop.is_set():
                ask(port, box)


def edits(port: int) -> float:
    """95 % of edits take no longer, in milliseconds."""
    times = []
    for number in range(EDITS):
        body = json.dumps({"properties": {"note": f"edit {number} {time.time()}"}})
        started = time.perf_counter()
        call(port, "PATCH", f"/api/collections/labels/items/{1 + number * (LABELS // EDITS)}", body)
        times.append(time.perf_counter() - started)
    return 1e3 * float(np.percentile(times, 95))
