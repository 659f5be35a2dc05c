"""What tiles cost at the least: their blocks decoded once each, one warp, one picture, and nothing else.

    python -m benchmarks.tile_limit RASTER WINDOWS FORMAT SECONDS    # prints tiles per second of one process

No HTTP, no parameters, no masks, nothing looked up and nothing measured: where each tile lies was found before. Blocks
that were decoded are kept as the server keeps them.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import OrderedDict
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import rasterio
import simplejpeg
from PIL import Image
from pyproj import Transformer
from rasterio.enums import Compression
from rasterio.windows import Window

from benchmarks import rasters
from tiles.tiff import read_directories

SIZE, BLOCK, KEPT = 256, 512, 144 * 2**20
WORLD = 20037508.342789244

Place = tuple[int, int, int, int, int]
"""(overview or -1, col, row, width, height) of what lies under a tile."""


def limit(raster: Path, tiles: list[tuple[int, int, int]], fmt: str, seconds: float, processes: int) -> float:
    """Tiles per second of several processes at once, each with a share of the tiles."""
    places = find(raster, tiles)
    with tempfile.TemporaryDirectory() as folder:
        running = []
        for turn in range(processes):
            share = Path(folder, f"{turn}.json")
            share.write_text(json.dumps(places[turn::processes]), encoding="utf-8")
            command = [sys.executable, "-m", "benchmarks.tile_limit", str(raster), str(share), fmt, str(seconds)]
            running.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        return sum(float(process.communicate()[0]) for process in running)


def find(raster: Path, tiles: list[tuple[int, int, int]]) -> list[Place]:
    """The window of the best overview under each tile."""
    to_raster = Transformer.from_crs("EPSG:3857", rasters.CRS, always_xy=True)
    with rasterio.open(raster) as dataset:
        overviews, side = dataset.overviews(1), dataset.width
    found = []
    for z, x, y in tiles:
        width = 2 * WORLD / 2**z
        left, top = x * width - WORLD, WORLD - y * width
        xs, ys = to_raster.transform([left, left + width] * 2, [top, top, top - width, top - width])
        columns = (np.array(xs) - rasters.LEFT) / rasters.CELL
        rows = (rasters.TOP - np.array(ys)) / rasters.CELL
        step = (columns.max() - columns.min()) / SIZE
        level = max((i for i, factor in enumerate(overviews) if factor <= step), default=-1)
        factor = 1 if level < 0 else overviews[level]
        end = side // factor
        first = [max(0, int(low / factor) - 2) for low in (columns.min(), rows.min())]
        last = [min(end, int(high / factor) + 3) for high in (columns.max(), rows.max())]
        found.append((level, *first, last[0] - first[0], last[1] - first[1]))
    return found


class Blocks:
    """Decoded blocks of a raster, the least recently used forgotten first."""

    def __init__(self, raster: Path) -> None:
        self._file = raster.open("rb")
        with rasterio.open(raster) as dataset:
            levels = range(-1, len(dataset.overviews(1)))
            self._jpeg = dataset.compression is Compression.jpeg
        self._levels = {
            level: rasterio.open(raster, **({} if level < 0 else {"overview_level": level})) for level in levels
        }
        self._directories = {(d.width, d.height): d for d in read_directories(self._read)} if self._jpeg else {}
        self._kept: OrderedDict[tuple[int, int, int], Any] = OrderedDict()
        self._used = 0

    def window(self, place: Place) -> Any:
        """(height, width, 3) under a tile."""
        level, col, row, width, height = place
        dataset = self._levels[level]
        out = np.empty((height, width, 3), dtype=dataset.dtypes[0])
        for down in range(row // BLOCK, (row + height - 1) // BLOCK + 1):
            for right in range(col // BLOCK, (col + width - 1) // BLOCK + 1):
                pixels = self._block(level, down, right)
                left, top = right * BLOCK - col, down * BLOCK - row
                x, y = max(left, 0), max(top, 0)
                part = pixels[y - top : height - top, x - left : width - left]
                out[y : y + part.shape[0], x : x + part.shape[1]] = part
        return out

    def _block(self, level: int, down: int, right: int) -> Any:
        key = level, down, right
        if key not in self._kept:
            pixels = self._kept[key] = self._decoded(level, down, right)
            self._used += pixels.nbytes
            while self._used > KEPT:
                self._used -= self._kept.popitem(last=False)[1].nbytes
        self._kept.move_to_end(key)
        return self._kept[key]

    def _decoded(self, level: int, down: int, right: int) -> Any:
        dataset = self._levels[level]
        if self._jpeg:
            directory = self._directories[dataset.width, dataset.height]
            at = down * -(-dataset.width // BLOCK) + right
            raw = self._read(int(directory.offsets[at]), int(directory.counts[at]))
            return simplejpeg.decode_jpeg((directory.jpeg or b"")[:-2] + raw[2:])
        window = Window(right * BLOCK, down * BLOCK, BLOCK, BLOCK).intersection(
            Window(0, 0, dataset.width, dataset.height)
        )
        return np.ascontiguousarray(dataset.read((1, 2, 3), window=window).transpose(1, 2, 0))

    def _read(self, at: int, count: int) -> bytes:
        return os.pread(self._file.fileno(), count, at)


def draw(pixels: Any, fmt: str) -> bytes:
    """A picture of 256 x 256 pixels of all of a window."""
    height, width = pixels.shape[:2]
    matrix = np.array([[width / SIZE, 0.001, 0], [0.001, height / SIZE, 0], [0, 0, 1]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    there = cv2.warpPerspective(cv2.cvtColor(pixels, cv2.COLOR_RGB2RGBA), matrix, (SIZE, SIZE), flags=flags)
    if there.dtype != np.uint8:
        there = cv2.convertScaleAbs(there, alpha=255 / 2800, beta=-200 * 255 / 2800)
    if fmt == "webp":
        out = io.BytesIO()
        Image.fromarray(cv2.cvtColor(there, cv2.COLOR_RGBA2RGB)).save(out, "webp", quality=85, method=0)
        return out.getvalue()
    options = [cv2.IMWRITE_JPEG_QUALITY, 85] if fmt == "jpg" else []
    return bytes(cv2.imencode(f".{fmt}", cv2.cvtColor(there, cv2.COLOR_RGBA2BGR), options)[1])


def main(raster: Path, places: list[Place], fmt: str, seconds: float) -> None:
    cv2.setNumThreads(1)
    blocks, done = Blocks(raster), 0
    draw(blocks.window(places[0]), fmt)
    begun = time.perf_counter()
    while time.perf_counter() - begun < seconds:
        draw(blocks.window(places[done % len(places)]), fmt)
        done += 1
    print(done / (time.perf_counter() - begun))


if __name__ == "__main__":
    main(Path(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text(encoding="utf-8")), sys.argv[3], float(sys.argv[4]))
