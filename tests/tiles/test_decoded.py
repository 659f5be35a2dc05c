"""Blocks that are kept: the pixels are GDAL's, each block is decoded once, and a new version of a file is another file."""

from __future__ import annotations

from threading import Thread
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import rasterio
from rasterio.io import DatasetReader
from rasterio.windows import Window

from tiles import decoded
from tiles.errors import SourceUnreadable
from tiles.handles import Handles
from tiles.settings import TilesSettings
from tiles.sources import lend_raster, local_source

if TYPE_CHECKING:
    from pathlib import Path

SIZE, BLOCK = 700, 256


@pytest.fixture(params=["pixel", "band"])
def raster(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    return write(tmp_path / f"{request.param}.tif", seed=1, interleave=request.param)


def write(path: Path, seed: int, **options: Any) -> Path:
    data = np.random.default_rng(seed).integers(0, 2**16, (4, SIZE, SIZE)).astype("uint16")
    profile = {"driver": "GTiff", "width": SIZE, "height": SIZE, "count": 4, "dtype": "uint16", "tiled": True}
    profile |= {"blockxsize": BLOCK, "blockysize": BLOCK, "compress": "zstd", **options}
    with rasterio.open(path, "w", **profile) as out:
        out.write(data)
    return path


def near(path: Path, indexes: tuple[int, ...], window: Window, kind: str = "uint16") -> Any:
    with lend_raster(Handles(2), local_source(path), settings=TilesSettings()) as dataset:
        return dataset.read_near(indexes, window, kind)


@pytest.mark.parametrize("window", [(0, 0, 700, 700), (10, 300, 1, 1), (250, 250, 300, 20), (600, 690, 100, 10)])
@pytest.mark.parametrize("kind", ["uint16", "float32"])
def test_pixels_are_those_that_gdal_reads(raster: Path, window: tuple[int, int, int, int], kind: str) -> None:
    with rasterio.open(raster) as plain:
        for indexes in [(1,), (3, 1), (1, 2, 3, 4)]:
            expected = plain.read(indexes, window=Window(*window), out_dtype=kind)
            for _ in range(2):
                found = near(raster, indexes, Window(*window), kind)
                assert found.dtype == expected.dtype
                assert (found == expected).all()


def test_a_block_is_decoded_once_for_all_threads(raster: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Window] = []
    read = DatasetReader.read

    def counted(self: DatasetReader, *args: Any, **options: Any) -> Any:
        asked.append(options["window"])
        return read(self, *args, **options)

    monkeypatch.setattr(DatasetReader, "read", counted)
    threads = [Thread(target=near, args=(raster, (2, 4), Window(100, 100, 500, 500))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted((w.row_off, w.col_off) for w in asked) == [(r, c) for r in (0, 256, 512) for c in (0, 256, 512)]


def test_a_changed_file_is_decoded_anew(raster: Path) -> None:
    before = near(raster, (1,), Window(0, 0, 50, 50))
    changed = write(raster.with_name("new.tif"), seed=2)
    changed.replace(raster)
    after = near(raster, (1,), Window(0, 0, 50, 50))
    with rasterio.open(raster) as plain:
        assert (after == plain.read((1,), window=Window(0, 0, 50, 50))).all()
    assert (before != after).any()


def test_a_damaged_block_is_said_each_time_and_not_kept(tmp_path: Path) -> None:
    path = write(tmp_path / "bad.tif", seed=3)
    with rasterio.open(path) as plain:
        at = int(plain.get_tag_item("BLOCK_OFFSET_0_0", "TIFF", bidx=1))
    whole = path.read_bytes()
    path.write_bytes(whole[:at] + b"\0" * 64 + whole[at + 64 :])
    for _ in range(2):
        with pytest.raises(SourceUnreadable, match=r"bad\.tif"):
            near(path, (1,), Window(0, 0, 10, 10))
    # Another block is read as before.
    assert near(path, (1,), Window(300, 300, 10, 10)).shape == (1, 10, 10)


def test_strips_and_large_windows_are_left_to_gdal() -> None:
    assert decoded.worth_keeping((512, 512), (0, 0, 1024, 1024), 6)
    assert not decoded.worth_keeping((1, 16384), (0, 0, 100, 100), 6)
    assert not decoded.worth_keeping((512, 512), (0, 0, 8192, 8192), 6)
