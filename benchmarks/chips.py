"""Chips per second: geolabel's whole export (images, masks, COCO, manifest) beside rschip (images and masks only); decoding is the limit."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from importlib.util import find_spec
from typing import TYPE_CHECKING

import geopandas as gpd
import rasterio
from rasterio.windows import Window

import geolabel
from geolabel import sample

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SIZE, STRIDE = 256, 128
ROUNDS = 3

RSCHIP = """
import sys
from pathlib import Path
from rschip import ImageChip, SegmentationMask

scene, labels, out, size, stride = sys.argv[1:]
Path(out).mkdir()
SegmentationMask(scene, labels, out + "/mask.tif", class_field="class_id").create_mask()
for name, raster in (("images", scene), ("masks", out + "/mask.tif")):
    ImageChip(raster, f"{out}/{name}", pixel_dimensions=int(size), offset=int(stride), use_multiprocessing=True).chip_image()
"""


def run(scene: Path, folder: Path) -> Iterator[tuple[str, ...]]:
    truth = sample.truth()
    names = list(dict.fromkeys(name for name, _ in truth))
    frame = gpd.GeoDataFrame(
        {"class": [n for n, _ in truth], "class_id": [names.index(n) + 1 for n, _ in truth]},
        geometry=[g for _, g in truth],
        crs=rasterio.open(scene).crs,
    )
    labels = folder / "truth.gpkg"
    frame.to_file(labels)
    with geolabel.open(folder / "ws", create=True) as workspace:
        project = workspace.create_project("bench", scenes=[workspace.add_scene(scene)], classes=names)
        project.add(frame, class_field="class")
        spec = geolabel.ChipSpec(size=SIZE, stride=STRIDE, edges="drop")
        ours, theirs, count = [], [], 0
        for _ in range(ROUNDS):
            started = time.perf_counter()
            project.export(folder / "out", formats=["coco", "mask-semantic"], chips=spec)
            seconds = time.perf_counter() - started
            count = len(list((folder / "out" / "images").rglob("*.tif")))
            ours.append(count / seconds)
            shutil.rmtree(folder / "out")
            if find_spec("rschip"):
                theirs.append(count / rschip(scene, labels, folder))
    mine = sorted(ours)[len(ours) // 2]
    what = f"{count} chips of {SIZE} px, {len(truth)} labels"
    if theirs:
        peer = sorted(theirs)[len(theirs) // 2]
        yield (
            f"{what}: image, mask, COCO",
            f"{mine:.0f} chips/s",
            f"rschip (image, mask) {peer:.0f} chips/s",
            f"{mine / peer:.2f}x",
            "-",
        )
    else:
        yield (f"{what}: image, mask, COCO", f"{mine:.0f} chips/s", "rschip not installed", "-", "-")
    limit = decode_only(scene)
    yield (
        "the same windows read by rasterio and nothing else",
        "",
        f"limit {limit:.0f} chips/s",
        f"{mine / limit:.2f}x",
        "-",
    )


def rschip(scene: Path, labels: Path, folder: Path) -> float:
    out = folder / "rschip"
    started = time.perf_counter()
    subprocess.run(
        [sys.executable, "-c", RSCHIP, scene, labels, out, str(SIZE), str(STRIDE)], check=True, capture_output=True
    )
    seconds = time.perf_counter() - started
    shutil.rmtree(out)
    return seconds


def decode_only(scene: Path) -> float:
    with rasterio.open(scene) as raster:
        corners = [
            (c, r)
            for r in range(0, raster.height - SIZE + 1, STRIDE)
            for c in range(0, raster.width - SIZE + 1, STRIDE)
        ]
        started = time.perf_counter()
        for col, row in corners:
            raster.read(window=Window(col, row, SIZE, SIZE))
        return len(corners) / (time.perf_counter() - started)
