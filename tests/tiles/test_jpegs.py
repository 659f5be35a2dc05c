"""JPEG blocks of a TIFF decoded past GDAL: the same picture to the eye, and GDAL's own wherever a block is odd."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import rasterio
import rasterio.shutil
import simplejpeg
from rasterio.windows import Window

from tiles import jpegs
from tiles.errors import SourceUnreadable
from tiles.jpegs import read_window
from tiles.sources import find_source, open_raster
from tiles.tiff import read_directories

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    Make = Callable[..., Path]

SIDE, BLOCK = 700, 256
LIGHT = np.array([0.299, 0.587, 0.114])


def check_alike(mine: NDArray[np.uint8], theirs: NDArray[np.uint8]) -> None:
    """Lightness within three levels everywhere; colors, which are stored at half the size, on average."""
    assert mine.shape == theirs.shape
    off = mine.astype(float) - theirs
    assert np.abs(off if off.shape[2] == 1 else off @ LIGHT).max() <= 3
    assert np.abs(off).mean() < 0.5
    assert np.mean(np.abs(off) > 2) < 0.03


def ground(bands: int) -> NDArray[np.uint8]:
    """Smooth, with edges and some noise, as imagery is."""
    rng = np.random.default_rng(3)
    y, x = np.mgrid[:SIDE, :SIDE]
    base = 110 + 60 * np.sin(x / 37) * np.cos(y / 23) + 40 * ((x // 90 + y // 70) % 2)
    planes = [base * (0.8 + 0.1 * band) + rng.normal(0, 3, base.shape) for band in range(bands)]
    return np.clip(planes, 1, 255).astype(np.uint8)


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def make(bands: int = 3, **options: Any) -> Path:
        raw, path = tmp_path / "raw.tif", tmp_path / "jpeg.tif"
        profile = {"driver": "GTiff", "width": SIDE, "height": SIDE, "count": bands, "dtype": "uint8"}
        transform = rasterio.Affine(1, 0, 500_000, 0, -1, 5_300_000)
        with rasterio.open(raw, "w", crs="EPSG:32633", transform=transform, **profile) as file:
            file.write(ground(bands))
        rasterio.shutil.copy(
            raw, path, **{"driver": "COG", "compress": "JPEG", "blocksize": BLOCK, "quality": 85, **options}
        )
        return path

    return make


def reader(path: Path) -> Callable[[int, int], bytes]:
    content = path.read_bytes()
    return lambda start, length: content[start : start + length]


@pytest.mark.parametrize("bands", [1, 3])
def test_windows_are_those_of_gdal_to_the_eye(make: Make, bands: int) -> None:
    path = make(bands)
    rng = np.random.default_rng(7)
    for level in (None, 0):
        options = {} if level is None else {"overview_level": level}
        with rasterio.open(path, **options) as file:
            size = file.width, file.height
            for _ in range(30):
                col, row = rng.integers(0, size[0] - 1), rng.integers(0, size[1] - 1)
                window = (
                    int(col),
                    int(row),
                    int(rng.integers(1, size[0] - col + 1)),
                    int(rng.integers(1, size[1] - row + 1)),
                )
                mine = read_window((path, level), reader(path), size, window, bands)
                assert mine is not None
                theirs = file.read(window=Window(*window)).transpose(1, 2, 0)
                check_alike(mine, theirs)


def test_real_rasters_too(data: Path) -> None:
    seen = 0
    for path in sorted(data.rglob("*.tif")):
        with rasterio.open(path) as file:
            if not any(d.jpeg is not None for d in read_directories(reader(path))) or file.count not in {1, 3}:
                continue
            window = 0, 0, min(file.width, 900), min(file.height, 900)
            mine = read_window(path, reader(path), (file.width, file.height), window, file.count)
            if mine is None:
                continue
            theirs = file.read(window=Window(*window)).transpose(1, 2, 0)
        check_alike(mine, theirs)
        seen += 1
    assert seen


@pytest.mark.parametrize(
    "options",
    [{"compress": "DEFLATE"}, {"driver": "GTiff", "tiled": "YES", "photometric": "RGB", "blocksize": None}],
    ids=["no JPEG", "JPEG of RGB"],
)
def test_what_is_no_such_jpeg_is_left_to_gdal(make: Make, options: dict[str, Any]) -> None:
    path = make(3, **{k: v for k, v in options.items() if v is not None})
    assert read_window(path, reader(path), (SIDE, SIDE), (0, 0, 10, 10), 3) is None


def test_values_are_gdals_and_pictures_the_fast_ones(make: Make) -> None:
    path = make()
    with open_raster(find_source(path)) as mine, rasterio.open(path) as theirs:
        window = Window(100, 100, 300, 300)
        assert np.array_equal(mine.read(window=window), theirs.read(window=window))
        picture = mine.read_picture((1, 2, 3), window)
        assert picture is not None
        assert mine.read_picture((3, 2, 1), window) is None


def with_block(path: Path, change: Callable[[bytes], bytes]) -> Path:
    """The file with its first block changed, put at its end when it grew."""
    content = bytearray(path.read_bytes())
    (full, *_) = [d for d in read_directories(reader(path)) if d.width == SIDE]
    offset, count = int(full.offsets[0]), int(full.counts[0])
    block = change(bytes(content[offset : offset + count]))
    assert len(block) <= count
    content[offset : offset + count] = block + b"\0" * (count - len(block))
    changed = path.with_name("changed.tif")
    changed.write_bytes(content)
    return changed


def scrambled(block: bytes) -> bytes:
    middle = len(block) // 2
    return block[:middle] + bytes(b ^ 0x55 for b in block[middle : middle + 200]) + block[middle + 200 :]


def larger(block: bytes) -> bytes:
    """The frame header says 60,000 x 60,000 pixels."""
    at = block.index(b"\xff\xc0")
    return block[: at + 5] + struct.pack(">HH", 60_000, 60_000) + block[at + 9 :]


@pytest.mark.parametrize(
    "change",
    [scrambled, larger, lambda block: block[: len(block) // 2], lambda block: b"\0" * len(block)],
    ids=["scrambled", "larger", "cut", "zeros"],
)
def test_a_damaged_block_is_gdals_to_tell(make: Make, change: Callable[[bytes], bytes]) -> None:
    path = with_block(make(), change)
    window = 0, 0, 50, 50
    assert read_window(path, reader(path), (SIDE, SIDE), window, 3) is None
    assert read_window(path, reader(path), (SIDE, SIDE), (300, 300, 50, 50), 3) is not None  # other blocks are whole


def test_a_progressive_block_is_left_to_gdal(make: Make) -> None:
    whole = simplejpeg.encode_jpeg(np.zeros((BLOCK, BLOCK, 3), np.uint8), quality=50)
    assert jpegs._frame(whole) is None  # it says JFIF
    assert jpegs._frame(whole.replace(b"\xff\xc0", b"\xff\xc2")) is None
    (full, *_) = read_directories(reader(make()))
    assert jpegs._frame(reader(make())(int(full.offsets[0]), int(full.counts[0]))) == (BLOCK, BLOCK, 3)


def test_tiles_of_a_damaged_file_say_which(make: Make) -> None:
    path = with_block(make(), lambda block: b"\0" * len(block))
    with pytest.raises(SourceUnreadable, match=r"changed\.tif"), open_raster(find_source(path)) as file:
        file.read(window=Window(0, 0, 10, 10))
