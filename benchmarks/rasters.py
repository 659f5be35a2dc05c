"""Rasters for the benchmark of tiles: large, of real texture, made once and kept.

GEOLABEL_BENCH_DIR    where they are kept; ~/.cache/geolabel-bench unless given
"""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import rasterio
import rasterio.shutil
from rasterio.windows import Window

BASE = 4096
CELL = 0.5
LEFT, TOP = 500_000.0, 5_300_000.0
CRS = "EPSG:32633"


def folder() -> Path:
    given = os.environ.get("GEOLABEL_BENCH_DIR")
    place = Path(given) if given else Path.home() / ".cache" / "geolabel-bench"
    place.mkdir(parents=True, exist_ok=True)
    return place


def make(name: str, side: int, dtype: str, **creation: object) -> Path:
    """A COG of 512 px blocks: three bands of bytes, or four of 16 bits."""
    path = folder() / f"{name}-{side}.tif"
    if path.exists():
        return path
    raw, staged = path.with_suffix(".raw.tif"), path.with_suffix(".part.tif")
    bands = 3 if dtype == "uint8" else 4
    base = ground()
    rng = np.random.default_rng(5)
    with rasterio.open(
        raw, "w", driver="GTiff", width=side, height=side, count=bands, dtype=dtype, tiled=True, blockxsize=512,
        blockysize=512, BIGTIFF="YES", crs=CRS, transform=rasterio.Affine(CELL, 0, LEFT, 0, -CELL, TOP),
    ) as out:  # fmt: skip
        for row in range(0, side, 2048):
            for column in range(0, side, 2048):
                part = base[row % BASE : row % BASE + 2048, column % BASE : column % BASE + 2048]
                if (row // BASE + column // BASE) % 2:  # no two neighbours alike
                    part = part[::-1, ::-1]
                part = part * (0.85 + 0.04 * ((row // 2048 * 3 + column // 2048 * 5) % 8))
                part += rng.normal(0, 1.5, part.shape).astype(np.float32)
                height, width = min(2048, side - row), min(2048, side - column)
                part = part[:height, :width]
                if dtype != "uint8":
                    part = np.concatenate([part * 11 + 200, part[..., 1:2] * 16 + 300], axis=-1)
                pixels = np.clip(part, 1, 255 if dtype == "uint8" else 65535).astype(dtype)
                out.write(np.ascontiguousarray(pixels.transpose(2, 0, 1)), window=Window(column, row, width, height))
    rasterio.shutil.copy(
        raw, staged, driver="COG", blocksize=512, bigtiff="IF_SAFER", overview_resampling="average",
        num_threads="ALL_CPUS", **creation,
    )  # fmt: skip
    raw.unlink()
    staged.rename(path)
    return path


def ground() -> np.ndarray:
    """(4096, 4096, 3): fields, their texture and the noise of a sensor."""
    rng = np.random.default_rng(0)

    def noise(sigma: float) -> np.ndarray:
        small = rng.standard_normal((max(8, int(BASE / sigma)),) * 2).astype(np.float32)
        return cv2.resize(small, (BASE, BASE), interpolation=cv2.INTER_CUBIC)

    region = np.digitize(noise(300), [-0.4, 0.4])
    tint = np.array([[70, 95, 60], [120, 112, 100], [95, 90, 80]], np.float32)[region]
    texture = noise(3) * 9 + noise(12) * 7 + noise(60) * 8
    rows = np.sin(np.arange(BASE, dtype=np.float32) / 5)[:, None] * 6 * (region == 1)
    return tint + (texture + rows)[..., None] + rng.normal(0, 2.5, (BASE, BASE, 3)).astype(np.float32)


def forget(path: Path) -> None:
    """Have the operating system drop what it keeps of a file: the next reading comes from the disk."""
    os.sync()
    with path.open("rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
