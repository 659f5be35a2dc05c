"""A million annotations to COCO: megabytes per second of the writer, and memory beyond the annotations themselves.

The annotations are those of `label_tiles`, some 250 to a chip; GEOLABEL_BENCH_LABELS=100000 makes fewer. The
peer is what most exporters do: a dict for each annotation, and `json.dump` of all of them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

from benchmarks.label_tiles import LABELS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OURS = """
import json, sys, time
from pathlib import Path
import numpy as np
import shapely
from benchmarks.label_tiles import CELL, CLASSES, LABELS, LEFT, TOP, make_labels
from benchmarks.tiles import peak_memory
from geolabel.chips import burn
from geolabel.chips.build import Chip
from geolabel.chips.labels import ChipLabels
from geolabel.chips.together import Together
from geolabel.chips.spec import ChipSpec
from geolabel.classes import make_classes
from geolabel.formats.base import Context
from geolabel.formats.coco import CocoWriter
from geolabel.formats.files import LocalFiles
from geolabel.formats.parts import CHIPS
from geolabel.model import Grid, Project

shapes, classes = make_labels()
shapes = shapely.transform(shapes, lambda xy: np.column_stack(((xy[:, 0] - LEFT) * 2, (TOP - xy[:, 1]) * 2)))
class_ids = np.array([CLASSES.index(name) + 1 for name in classes])
folder = Path(sys.argv[1])

def peak():
    import os
    return peak_memory(os.getpid())

def chips():
    row_of_labels = int(len(shapes) ** 0.5)
    per_chip = max(row_of_labels // 4, 1)
    starts = [row + at for row in range(0, len(shapes), row_of_labels) for at in range(0, row_of_labels, per_chip)]
    pairs = list(enumerate(zip(starts, [*starts[1:], len(shapes)])))
    for first in range(0, len(pairs), CHIPS):  # as in an export: what is known of labels is computed for a part at once
        yield from part_of_chips(pairs[first : first + CHIPS])

def part_of_chips(pairs):
    placed = []
    for number, (start, end) in pairs:
        part = slice(start, end)
        x0, y0, x1, y1 = shapely.total_bounds(shapes[part])
        col, row = float(np.floor(x0)), float(np.floor(y0))
        size = int(np.ceil(x1 - col)), int(np.ceil(y1 - row))
        grid = Grid("EPSG:32633", (0.5, 0.0, LEFT + col / 2, 0.0, -0.5, TOP - row / 2), *size)
        placed.append((number, part, (int(col), int(row), *size), grid, shapely.transform(shapes[part], lambda xy: xy - (col, row))))
    counts = [len(moved) for *_, moved in placed]
    together = Together(
        np.concatenate([moved for *_, moved in placed]),
        np.repeat(np.arange(len(placed)), counts),
        tuple(grid for _, _, _, grid, _ in placed),
    )
    for (number, part, window, grid, moved), end in zip(placed, np.cumsum(counts).tolist()):
        ids = np.arange(part.start, part.stop) + 1
        own = slice(end - len(moved), end)
        labels = ChipLabels(ids, class_ids[part], moved, np.zeros(len(moved), dtype=bool), together, own)
        empty = np.zeros((1, 1, 1), dtype=np.uint8)
        yield Chip(
            number=number + 1, name=f"big_{window[0]}_{window[1]}", scene="big", split="train", window=window,
            grid=grid, bands=(1,), _image=empty, valid=empty[0] == 0, hidden=empty[0] > 0, nodata=None, colors=("gray",), palette=None, shown=(0,),
            labels=labels, columns={}, ignore=255, stored=None, _drawn=None, _background=0, _all_touched=False,
        )

project = Project("big", "Big", "EPSG:32633", make_classes(CLASSES))
files = LocalFiles(folder)
writer = CocoWriter(Context(project, (), ChipSpec(), ("train",), files))
burn._used.count = 100  # as in the middle of an export
list(map(writer.write, [next(chips())]))
loaded = peak()
writer.begin()
seconds = 0.0
for chip in chips():
    started = time.perf_counter()
    piece = writer.write(chip)
    writer.add(chip, piece)
    seconds += time.perf_counter() - started
started = time.perf_counter()
writer.close()
files.finish()
seconds += time.perf_counter() - started
size = (folder / "coco/train.json").stat().st_size
print(json.dumps({"seconds": seconds, "bytes": size, "count": len(shapes), "loaded": loaded, "peak": peak()}))
"""

PEER = """
import json, os, sys, time
import numpy as np
import shapely
from benchmarks.label_tiles import CLASSES, LEFT, TOP, make_labels
from benchmarks.tiles import peak_memory

shapes, classes = make_labels()
shapes = shapely.transform(shapes, lambda xy: np.column_stack(((xy[:, 0] - LEFT) * 2, (TOP - xy[:, 1]) * 2)))
loaded = peak_memory(os.getpid())
started = time.perf_counter()
annotations = []
for number, (shape, name) in enumerate(zip(shapes, classes)):
    x0, y0, x1, y1 = shape.bounds
    rings = [[float(v) for xy in ring.coords for v in xy] for ring in (shape.exterior, *shape.interiors)]
    annotations.append({
        "id": number + 1, "image_id": number // 244 + 1, "category_id": CLASSES.index(name) + 1, "iscrowd": 0,
        "area": shape.area, "bbox": [x0, y0, x1 - x0, y1 - y0], "segmentation": rings,
    })
with open(sys.argv[1] + "/peer.json", "w") as stream:
    json.dump({"images": [], "annotations": annotations}, stream)
seconds = time.perf_counter() - started
size = os.path.getsize(sys.argv[1] + "/peer.json")
print(json.dumps({"seconds": seconds, "bytes": size, "count": len(shapes), "loaded": loaded, "peak": peak_memory(os.getpid())}))
"""


def run(_: Path, folder: Path) -> Iterator[tuple[str, ...]]:
    ours, theirs = (measured(code, folder / name) for code, name in ((OURS, "coco-ours"), (PEER, "coco-peer")))
    yield (
        f"{ours['count']:,} annotations to COCO ({ours['bytes'] / 1e6:.0f} MB, every double in full, ground areas)",
        f"{ours['bytes'] / ours['seconds'] / 1e6:.0f} MB/s",
        f"json.dump {theirs['bytes'] / theirs['seconds'] / 1e6:.0f} MB/s",
        f"{theirs['seconds'] / theirs['bytes'] * ours['bytes'] / ours['seconds']:.1f}x",
        f"{ours['peak'] - ours['loaded']:.0f} MB above the loaded labels, the peer {theirs['peak'] - theirs['loaded']:.0f} MB",
    )


def measured(code: str, folder: Path) -> dict[str, float]:
    folder.mkdir()
    environment = {**os.environ, "GEOLABEL_BENCH_LABELS": str(LABELS)}
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder)], check=True, capture_output=True, text=True, env=environment
    )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found
