"""Import of GeoJSON in degrees into a UTM project, as a person does it at the command line, beside GeoPandas doing the same.

The labels are those of `label_tiles`: a million outlines, 17.8 million vertices; GEOLABEL_BENCH_LABELS=100000 makes fewer.
geolabel checks every shape, gives every label a version, indexes them and forces all of it to the disk; the peer reads the
file, transforms it, makes it valid and writes a GeoPackage.
"""

from __future__ import annotations

import math
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import geopandas as gpd

from benchmarks.label_tiles import CLASSES, LABELS, make_labels
from benchmarks.tiles import peak_memory

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROUNDS = 2

GEOPANDAS = """
import sys
import geopandas as gpd

frame = gpd.read_file(sys.argv[1]).to_crs(32633)
frame.geometry = frame.geometry.make_valid()
frame.to_file(sys.argv[2], driver="GPKG")
"""


def run(_: Path, folder: Path) -> Iterator[tuple[str, ...]]:
    file = write_geojson(folder)
    small = folder / "few.geojson"
    gpd.read_file(file, rows=20_000).to_file(small, driver="GeoJSON")
    measure(import_command(small, folder / "warm"))  # compiled code is kept for the runs that count
    ours, theirs, rss, peer_rss = [], [], 0.0, 0.0
    for turn in range(ROUNDS):
        seconds, peak = measure(import_command(file, folder / f"ws-{turn}"))
        ours.append(LABELS / seconds)
        rss = max(rss, peak)
        out = folder / f"peer-{turn}.gpkg"
        seconds, peak = measure([sys.executable, "-c", GEOPANDAS, str(file), str(out)])
        out.unlink()
        theirs.append(LABELS / seconds)
        peer_rss = max(peer_rss, peak)
    mine, peer = max(ours), max(theirs)
    yield (
        f"import {LABELS:,} polygons, GeoJSON in degrees to UTM ({file.stat().st_size / 1e6:.0f} MB)",
        f"{mine:,.0f}/s",
        f"GeoPandas {peer:,.0f}/s",
        f"{mine / peer:.2f}x",
        f"{rss:.0f} MB, GeoPandas {peer_rss:.0f} MB",
    )


def write_geojson(folder: Path) -> Path:
    """The labels as GDAL writes them, 8 decimals."""
    file = folder / "labels.geojson"
    if not file.exists():
        shapes, classes = make_labels()
        frame = gpd.GeoDataFrame({"number": range(len(shapes)), "class": classes}, geometry=shapes, crs=32633)
        frame.to_crs(4326).to_file(file, driver="GeoJSON", COORDINATE_PRECISION=8, RFC7946="YES")
    return file


def import_command(file: Path, workspace: Path) -> list[str]:
    """The command that imports into a new workspace, whose project is `labels`."""
    geolabel = [sys.executable, "-m", "geolabel"]
    options = ["--classes", ",".join(CLASSES), "--crs", "EPSG:32633", "-w", str(workspace)]
    for made in (["init", str(workspace)], ["project", "create", "Labels", *options]):
        subprocess.run([*geolabel, *made], check=True, capture_output=True)
    return [*geolabel, "import", "labels", str(file), "-w", str(workspace)]


def measure(command: list[str]) -> tuple[float, float]:
    """Seconds and peak memory in MB of a process."""
    started, peak = time.perf_counter(), 0.0
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    # What the system counts for a child at its end starts from the memory of its parent.
    while child.poll() is None:
        now = peak_memory(child.pid)
        peak = max(peak, 0.0 if math.isnan(now) else now)
        time.sleep(0.02)
    if child.returncode:
        raise RuntimeError(f"{command} ended with code {child.returncode}")
    return time.perf_counter() - started, peak
