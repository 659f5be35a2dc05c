"""Row 9: what takes too long to decode is given up, and the server goes on; blocks of all images are held against the limit."""

from __future__ import annotations

import asyncio
import struct
import threading
from typing import TYPE_CHECKING

import numpy as np
import pytest
import rasterio
from fastapi.testclient import TestClient

from tiles import metrics, tiff
from tiles.app import create_app
from tiles.errors import Busy, SourceRefused, TooSlow
from tiles.settings import TilesSettings
from tiles.sources import describe, local_source, open_raster
from tiles.workers import SPARE, Workers

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from fastapi import FastAPI

SIDE = 4096


def repeated(path: Path, codec: str, across: int) -> Path:
    """A TIFF of a few kilobytes with `across` x `across` blocks of 4096 pixels, all of which are the same bytes of the file."""
    one = path.with_name("one.tif")
    with rasterio.open(
        one, "w", driver="GTiff", width=SIDE, height=SIDE, count=3, dtype="uint8", tiled=True, blockxsize=SIDE, blockysize=SIDE,
        interleave="pixel", compress=codec, WEBP_LOSSLESS="YES",
    ) as out:  # fmt: skip
        for band in (1, 2, 3):
            out.write(np.zeros((SIDE, SIDE), np.uint8), band)
    content = one.read_bytes()
    with one.open("rb") as file:
        [directory] = tiff.read_directories(lambda start, length: file.seek(start) * 0 or file.read(length))
    [start], [length] = directory.offsets, directory.counts
    block = content[start : start + length]
    one.unlink()
    count = across * across
    tags = {
        256: (4, [SIDE * across]), 257: (4, [SIDE * across]), 258: (3, [8, 8, 8]), 259: (3, [{"WEBP": 50001, "DEFLATE": 8, "ZSTD": 50000}[codec]]),
        262: (3, [2]), 277: (3, [3]), 284: (3, [1]), 322: (4, [SIDE]), 323: (4, [SIDE]), 324: (4, [8] * count), 325: (4, [len(block)] * count),
    }  # fmt: skip
    directory_at = 8 + len(block)
    behind = directory_at + 2 + 12 * len(tags) + 4
    body, more = struct.pack("<H", len(tags)), b""
    for tag, (kind, values) in sorted(tags.items()):
        packed = struct.pack(f"<{len(values)}{'HI'[kind == 4]}", *values)
        if len(packed) > 4:
            packed, more = struct.pack("<I", behind + len(more)), more + packed
        body += struct.pack("<HHI", tag, kind, len(values)) + packed.ljust(4, b"\0")
    path.write_bytes(b"II" + struct.pack("<HI", 42, directory_at) + block + body + bytes(4) + more)
    return path


@pytest.fixture
def bombed(tmp_path: Path) -> FastAPI:
    """A server with little patience, a raster that wants much and one that wants little."""
    assert repeated(tmp_path / "bomb.tif", "WEBP", 9).stat().st_size < 2000
    with rasterio.open(
        tmp_path / "good.tif", "w", driver="GTiff", width=512, height=512, count=3, dtype="uint8", tiled=True,
        crs="EPSG:3857", transform=rasterio.Affine(1, 0, 0, 0, -1, 0),
    ) as out:  # fmt: skip
        out.write(np.full((3, 512, 512), 90, np.uint8))
    return create_app(TilesSettings(paths=(tmp_path,), disk_mb=0, cache_mb=0, max_seconds=3))


def test_a_bomb_of_a_kilobyte_is_given_up_and_others_are_served(bombed: FastAPI) -> None:
    """Four thousand million values of one WebP block: an answer, and everybody else's tiles."""
    good = "/scenes/good/tiles/native/1/0/0.png"
    with TestClient(bombed) as client:
        assert client.get(good).status_code == 200
        for _ in range(2):
            slow = client.get("/scenes/bomb/preview.png?max_size=2048")
            assert (slow.status_code, slow.headers["retry-after"]) == (503, "1")
            assert "longer than 3 s" in slow.json()["detail"]
            assert client.get("/healthz").status_code == 200
            back(client, good)


def back(client: TestClient, other: str) -> None:
    """Wait until no thread is lost; something else is answered all the time."""
    while "geolabel_lost_threads 0.0" not in client.get("/metrics").text:
        assert client.get(other).status_code == 200


@pytest.mark.soak
@pytest.mark.parametrize("codec", ["WEBP", "DEFLATE", "ZSTD"])
def test_the_largest_bomb_of_each_codec_ends(tmp_path: Path, codec: str) -> None:
    """As much as one request may read, from a file of kilobytes, and at the usual patience: an answer, and the thread comes back."""
    repeated(tmp_path / "bomb.tif", codec, 9)
    with TestClient(create_app(TilesSettings(paths=(tmp_path,), disk_mb=0))) as client:
        assert client.get("/scenes/bomb/preview.png?max_size=2048").status_code in {200, 503}
        back(client, "/healthz")


def run(workers: Workers, work: Callable[[], object], key: str | None = None) -> object:
    async def wanted() -> bool:
        return False

    return workers.run(work, wanted, key)


async def until(true: Callable[[], bool]) -> None:
    while not true():  # noqa: ASYNC110 - threads know no events of asyncio
        await asyncio.sleep(0.01)


def test_a_lost_thread_is_replaced_until_there_are_no_spare_ones() -> None:
    """Then the process says so, whoever waits gets an answer, and all is well once the threads are back."""
    ended, exhausted = threading.Event(), []

    async def lose() -> None:
        workers = Workers(100, 60, 2, exhausted=lambda: exhausted.append(1))
        for i in range(SPARE + 2):
            workers._longest = 60
            assert await run(workers, lambda: "drawn") == "drawn"
            workers._longest = 0.05
            with pytest.raises(TooSlow, match=r"Reading this took longer than 0\.05 s"):
                await run(workers, lambda: ended.wait(60), f"raster {i}")
            with pytest.raises((TooSlow, Busy)):
                await run(workers, lambda: "drawn", f"raster {i}")
            assert len(exhausted) == max(0, i - SPARE + 2)
        with pytest.raises(Busy, match=r"No tile could be drawn here for 0\.05 s"):
            await run(workers, lambda: "drawn")
        ended.set()
        await until(lambda: not metrics.LOST._value.get())
        workers._longest = 60
        assert [await run(workers, lambda: "drawn", f"raster {i}") for i in range(9)] == ["drawn"] * 9
        assert workers._free._value == 2
        assert workers._spare == SPARE

    asyncio.run(lose())


def test_what_goes_wrong_before_and_after_it_was_given_up() -> None:
    ended = threading.Event()

    def fail() -> None:
        ended.wait(60)
        raise ValueError("too late")

    async def work() -> None:
        workers = Workers(100, 0.05, 1)
        workers._longest = 60
        with pytest.raises(ZeroDivisionError):
            await run(workers, lambda: 1 / 0)
        workers._longest = 0.05
        with pytest.raises(TooSlow):
            await run(workers, fail, "a")
        ended.set()
        await until(lambda: not metrics.LOST._value.get())
        workers._longest = 60
        # A request that is cancelled leaves its thread in its place until the work ends.
        begun, free = threading.Event(), threading.Event()
        task = asyncio.ensure_future(run(workers, lambda: begun.set() or free.wait(60)))
        await until(begun.is_set)
        task.cancel()
        workers._longest = 0.05
        with pytest.raises(Busy):
            await run(workers, lambda: "drawn")
        workers._longest = 60
        free.set()
        await until(lambda: not workers._free.locked())
        assert await run(workers, lambda: "drawn") == "drawn"

    asyncio.run(work())


# Blocks of images that GDAL says nothing of.


def images(*directories: dict[int, tuple[int, int]], inner: bool = False) -> bytes:
    """A TIFF with one image after the other, or with all others inside of the first."""
    size = 2 + 12 * (max(len(tags) for tags in directories) + 1) + 4
    starts = [8 + i * size for i in range(len(directories))]
    content = b"II" + struct.pack("<HI", 42, 8)
    for i, given in enumerate(directories):
        tags = {**given, **({330: (4, starts[1])} if inner and i == 0 else {})}
        body = struct.pack("<H", len(tags))
        for tag, (kind, value) in sorted(tags.items()):
            body += struct.pack("<HHII", tag, kind, 1, value)
        following = starts[i + 1] if not inner and i + 1 < len(starts) else 0
        content += (body + struct.pack("<I", following)).ljust(size, b"\0")
    return content


IMAGE = {
    256: (4, 600), 257: (4, 600), 258: (3, 8), 259: (3, 8), 262: (3, 1), 277: (3, 1), 322: (4, 256), 323: (4, 256), 324: (4, 0), 325: (4, 0),
}  # fmt: skip
OVERVIEW = {**IMAGE, 254: (4, 1), 256: (4, 300), 257: (4, 300), 322: (4, 32768), 323: (4, 32768)}
MASK = {**IMAGE, 254: (4, 4), 258: (3, 1), 262: (3, 4), 322: (4, 32768), 323: (4, 32768)}


@pytest.mark.parametrize(("second", "inner"), [(OVERVIEW, False), (MASK, False), (OVERVIEW, True)])
def test_large_blocks_of_overviews_and_masks_are_refused(tmp_path: Path, second: dict, *, inner: bool) -> None:
    path = tmp_path / "a.tif"
    path.write_bytes(images(IMAGE))
    with open_raster(local_source(path)) as dataset:
        assert dataset.shape == (600, 600)
    path.write_bytes(images(IMAGE, second, inner=inner))
    with pytest.raises(
        SourceRefused, match=r"A single block of 'a\.tif' takes 1,024 MiB, more than the limit of 256 MiB"
    ):
        describe(local_source(path))


def test_a_file_of_very_many_images_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(images(*[IMAGE] * 1025))
    with pytest.raises(SourceRefused, match=r"'a\.tif' holds more than 1,024 images"):
        describe(local_source(tmp_path / "a.tif"))


def test_blocks_are_as_large_as_gdal_says(data: Path) -> None:
    """Of every shared raster, at full size: bytes of a block, all bands of it where they are together."""
    compared = 0
    for path in sorted(data.rglob("*.tif")):
        with path.open("rb") as file:
            sizes = list(tiff.block_sizes(lambda start, length, file=file: file.seek(start) * 0 or file.read(length)))
        if path.name == "corrupt.tif":
            continue
        with rasterio.open(path) as dataset:
            rows, columns = dataset.block_shapes[0]
            together = dataset.count if dataset.interleaving == rasterio.enums.Interleaving.pixel else 1
            assert sizes[0] == rows * columns * together * np.dtype(dataset.dtypes[0]).itemsize, path.name
            masked = rasterio.enums.MaskFlags.per_dataset in dataset.mask_flag_enums[0]
            expected = (1 + len(dataset.overviews(1))) * (
                2 if masked and "alpha" not in str(dataset.colorinterp) else 1
            )
            assert len(sizes) in {expected, 1 + len(dataset.overviews(1))}, path.name
        compared += 1
    assert compared > 15


def test_what_nobody_waits_for_any_more_is_not_drawn() -> None:
    drawn: list[str] = []

    async def gone() -> bool:
        return True

    async def ask() -> None:
        workers, free = Workers(8, 10, threads=1), threading.Event()
        first = asyncio.ensure_future(workers.run(lambda: bool(free.wait(10)), gone))  # its turn comes at once
        await asyncio.sleep(0)
        late = asyncio.ensure_future(workers.run(lambda: drawn.append("late"), gone))
        await asyncio.sleep(0.3)
        free.set()
        assert await first
        with pytest.raises(Busy, match="has gone"):
            await late
        await workers.run(lambda: drawn.append("next"), gone)

    asyncio.run(ask())
    assert drawn == ["next"]
