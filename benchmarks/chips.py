"""Chips per second: geolabel's whole export (image, mask, COCO, manifest, report) beside rschip (image and mask), on one large scene.

The scene is an RGB JPEG COG of 32768 x 32768 pixels with 100,000 outlines: 4096 chips of 512 px, each of which is a
block of the file. The limit is to read each window with rasterio and to write it as a JPEG, in as many processes as there
are cores, and nothing else. GEOLABEL_BENCH_PIXELS=8192 makes a quick sample; GEOLABEL_BENCH_LABELS fewer labels.

geoai (`export_geotiff_tiles`) is no peer here: it brings PyTorch, which takes some GB to install.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import geopandas as gpd
import numpy as np
import rasterio
import shapely
from affine import Affine
from rasterio.windows import Window

from benchmarks.label_tiles import CELL, CLASSES, LEFT, TOP, make_labels
from geolabel.chips.engine import cores

if TYPE_CHECKING:
    from collections.abc import Iterator

PIXELS = int(os.environ.get("GEOLABEL_BENCH_PIXELS", "32768"))
LABELS = min(int(os.environ.get("GEOLABEL_BENCH_LABELS", "100000")), 100_000) * PIXELS**2 // 32768**2
SIZE, PIXEL = 512, 0.5
ROUNDS = 2

RSCHIP = """
import multiprocessing
import sys
from pathlib import Path
from rschip import ImageChip, SegmentationMask

scene, labels, out, size, processes = sys.argv[1:]
if int(processes):  # it takes one less than there are cores, and cannot be told otherwise
    multiprocessing.cpu_count = lambda: int(processes) + 1
Path(out).mkdir()
SegmentationMask(scene, labels, out + "/mask.tif", class_field="class_id").create_mask()
for name, raster in (("images", scene), ("masks", out + "/mask.tif")):
    ImageChip(raster, f"{out}/{name}", pixel_dimensions=int(size), offset=int(size), use_multiprocessing=True).chip_image()
"""

RSCHIP_PROCESSES = {
    "as it comes": 0,
    **{f"made to take {n} processes": n for n in sorted({cores(), 2 * cores()})},
}

LIMIT = """
import sys
import cv2
import numpy as np
import rasterio
from rasterio.windows import Window

scene, turn, turns, size = sys.argv[1], *map(int, sys.argv[2:])
with rasterio.open(scene) as raster:
    starts = range(0, raster.width - size + 1, size)
    for col, row in [(c, r) for r in starts for c in starts][turn::turns]:
        pixels = raster.read(window=Window(col, row, size, size))
        cv2.imencode(".jpg", np.ascontiguousarray(pixels.transpose(1, 2, 0)), [cv2.IMWRITE_JPEG_QUALITY, 90])
"""


def run(sample: Path, folder: Path) -> Iterator[tuple[str, ...]]:
    scene = write_scene(sample, folder / "large.tif")
    labels = write_labels(folder / "chips.gpkg")
    workspace = folder / "chips-ws"
    for command in commands(scene, labels, workspace):
        subprocess.run(
            [sys.executable, "-m", "geolabel", *command, "-w", str(workspace)], check=True, capture_output=True
        )
    measure(export(workspace, folder / "warm", size=PIXELS // 4), folder / "warm")  # compiled code is kept
    chips = (PIXELS // SIZE) ** 2
    ours, limits, peak = [], [], 0.0
    peers: dict[str, list[tuple[float, float]]] = {}
    for _ in range(ROUNDS):
        seconds, memory = measure(export(workspace, folder / "out"), folder / "out")
        ours.append(chips / seconds)
        peak = max(peak, memory)
        for name, processes in RSCHIP_PROCESSES.items() if find_spec("rschip") else ():
            command = [
                sys.executable,
                "-c",
                RSCHIP,
                str(scene),
                str(labels),
                str(folder / "rschip"),
                str(SIZE),
                str(processes),
            ]
            seconds, memory = measure(command, folder / "rschip")
            peers.setdefault(name, []).append((chips / seconds, memory))
        limits.append(chips / limit(scene))
    mine = max(ours)
    what = f"{chips} chips of {SIZE} px, {LABELS:,} labels, JPEG COG of {PIXELS} px: image, mask, COCO"
    for name, measured in peers.items():
        peer = max(rate for rate, _ in measured)
        yield (
            what,
            f"{mine:.0f} chips/s",
            f"rschip (image, mask), {name} {peer:.1f} chips/s",
            f"{mine / peer:.1f}x",
            f"{peak:.0f} MB, rschip {max(memory for _, memory in measured):.0f} MB (all processes)",
        )
    if not peers:
        yield (what, f"{mine:.0f} chips/s", "rschip not installed", "-", f"{peak:.0f} MB (all processes)")
    yield (
        f"the same windows decoded and written as JPEG on {cores()} cores, and nothing else",
        "",
        f"limit {max(limits):.0f} chips/s",
        f"{mine / max(limits):.2f}x",
        "-",
    )
    yield from dask(workspace, folder)


def dask(workspace: Path, folder: Path) -> Iterator[tuple[str, ...]]:
    """Two workers beside one, on a cluster that is there already, with some 4,000 chips: a few seconds go before the first and after the last."""
    if not find_spec("distributed"):
        yield ("Dask", "distributed is not installed", "-", "-", "-")
        return
    from distributed import LocalCluster

    rates = {}
    for workers in (1, 2):
        with LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=None, memory_limit=0) as cluster:
            measure(
                export(workspace, folder / "warm", engine=f"dask:{cluster.scheduler_address}", size=PIXELS // 4),
                folder / "warm",
            )
            stride = SIZE if PIXELS > 16384 else SIZE // 2
            seconds, _ = measure(
                export(workspace, folder / "out", engine=f"dask:{cluster.scheduler_address}", stride=stride),
                folder / "out",
            )
            chips = ((PIXELS - SIZE) // stride + 1) ** 2
            rates[workers] = chips / seconds
    yield (
        f"{chips} chips on two Dask workers, beside one",
        f"{rates[2]:.0f} chips/s",
        f"one worker {rates[1]:.0f} chips/s",
        f"{rates[2] / rates[1]:.2f}x",
        "-",
    )


def export(
    workspace: Path, out: Path, *, engine: str = "processes", size: int = SIZE, stride: int | None = None
) -> list[str]:
    options = ["--format", "coco,mask-semantic", "--size", str(size), "--edges", "drop", "--engine", engine]
    options += ["--stride", str(stride or size)]
    return [sys.executable, "-m", "geolabel", "export", "chips", str(out), *options, "-w", str(workspace)]


def commands(scene: Path, labels: Path, workspace: Path) -> Iterator[list[str]]:
    workspace.mkdir()
    yield ["init"]
    yield ["scene", "add", str(scene)]
    yield ["project", "create", "Chips", "--scene", scene.stem, "--classes", ",".join(CLASSES)]
    yield ["import", "chips", str(labels), "--class-field", "class"]


def write_labels(file: Path) -> Path:
    """The labels of `label_tiles`, spread over the scene."""
    shapes, classes = make_labels()
    side = int(len(shapes) ** 0.5)
    wanted = int(LABELS**0.5)
    rows = (np.arange(wanted)[:, None] * side + np.arange(wanted)).ravel()
    spread = PIXELS * PIXEL / wanted - CELL
    count = np.repeat(shapely.get_num_coordinates(shapes[rows]), 1)
    step = np.repeat(np.column_stack((rows % side, -(rows // side))) * spread, count, axis=0)
    moved = shapely.set_coordinates(shapes[rows].copy(), shapely.get_coordinates(shapes[rows]) + step)
    names = [classes[row] for row in rows]
    frame = gpd.GeoDataFrame(
        {"class": names, "class_id": [CLASSES.index(n) + 1 for n in names]}, geometry=moved, crs=32633
    )
    frame.to_file(file)
    return file


def write_scene(sample: Path, path: Path) -> Path:
    """The sample scene again and again, moved and turned, with some noise: as hard to decode as a photograph."""
    with rasterio.open(sample) as raster:
        pixels = raster.read([1, 2, 3])
    noise = np.random.default_rng(0).normal(0, 3, pixels.shape)
    pixels = np.clip(pixels + noise, 0, 255).astype(np.uint8)
    edge = pixels.shape[1]
    options = {"tiled": True, "blockxsize": SIZE, "blockysize": SIZE, "compress": "JPEG", "photometric": "YCBCR"}
    transform = Affine(PIXEL, 0, LEFT, 0, -PIXEL, TOP)
    with rasterio.open(
        path, "w", driver="GTiff", width=PIXELS, height=PIXELS, count=3, dtype="uint8", crs="EPSG:32633",
        transform=transform, BIGTIFF="YES", **options,
    ) as target:  # fmt: skip
        for row in range(0, PIXELS, edge):
            for col in range(0, PIXELS, edge):
                part = np.roll(pixels, (row // 7, col // 5), axis=(1, 2))[:, :, :: -1 if (row + col) // edge % 2 else 1]
                window = Window(col, row, min(edge, PIXELS - col), min(edge, PIXELS - row))
                target.write(part[:, : window.height, : window.width], window=window)
    return path


def limit(scene: Path) -> float:
    """Seconds to decode and to encode all chips, on all cores."""
    started = time.perf_counter()
    children = [
        subprocess.Popen([sys.executable, "-c", LIMIT, str(scene), str(turn), str(cores()), str(SIZE)])
        for turn in range(cores())
    ]
    if any(child.wait() for child in children):
        raise RuntimeError("The limit could not be measured.")
    return time.perf_counter() - started


def measure(command: list[str], out: Path) -> tuple[float, float]:
    """Seconds of a command, and the peak of the memory of all its processes together in MB; what it wrote is removed."""
    peak = [0.0]
    started = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(0.1):
            peak[0] = max(peak[0], resident(child.pid))

    watcher = threading.Thread(target=watch)
    watcher.start()
    code = child.wait()
    seconds = time.perf_counter() - started
    ended.set()
    watcher.join()
    shutil.rmtree(out)
    if code:
        raise RuntimeError(f"{command} ended with code {code}")
    return seconds, peak[0]


def resident(pid: int) -> float:
    """Memory of a process and all that descend from it, in MB."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    except (OSError, IndexError):
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6 + sum(resident(int(each)) for each in children)
