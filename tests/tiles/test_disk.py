"""Tiles on the disk: whole or not at all, bounded, shared."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from typing import TYPE_CHECKING

import pytest
from fastapi.testclient import TestClient

from tiles.app import create_app
from tiles.disk import DiskCache
from tiles.settings import TilesSettings

if TYPE_CHECKING:
    from pathlib import Path

MB = 2**20


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def body_of(name: str) -> bytes:
    return random.Random(name).randbytes(2000 + int(name) % 500)


def test_what_was_put_is_there_also_for_another_process(tmp_path: Path) -> None:
    DiskCache(tmp_path / "cache", 16 * MB).put("a", b"tile")
    other = DiskCache(tmp_path / "cache", 16 * MB)
    assert other.get("a") == b"tile"
    assert other.get("b") is None
    other.put("a", b"another")
    assert other.get("a") == b"another"


@pytest.mark.parametrize("count", [150, pytest.param(1000, marks=pytest.mark.soak)])
def test_damaged_entries_are_drawn_again(tmp_path: Path, count: int) -> None:
    """Row 45: entries flipped, cut short, grown, emptied or swapped: no bad tile is given, and those untouched are."""
    cache = DiskCache(tmp_path, 64 * MB)
    for i in range(count + 50):
        cache.put(str(i), body_of(str(i)))
    rng = random.Random(1)
    for i in range(count):
        path = cache._path(str(i))
        content = bytearray(path.read_bytes())
        kind = rng.choice(["flip", "cut", "grow", "empty", "swap", "zero"])
        if kind == "flip":
            content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        elif kind == "cut":
            del content[rng.randrange(len(content)) :]
        elif kind == "grow":
            content += b"\0"
        elif kind == "empty":
            content.clear()
        elif kind == "zero":  # what a file system may leave after a power cut
            content[:] = bytes(len(content))
        else:
            content[:] = cache._path(str(count)).read_bytes()
        path.write_bytes(content)
    assert all(cache.get(str(i)) is None for i in range(count))
    assert all(cache.get(str(i)) == body_of(str(i)) for i in range(count, count + 50))
    assert len(files(tmp_path)) == 50  # and what was damaged is gone


def test_the_oldest_make_room(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path, MB)
    for i in range(600):
        cache.put(str(i), bytes(4096))
        path = cache._path(str(i))
        if path.exists():
            os.utime(path, (i, i))
        if i % 50 == 0:
            cache.get("0")  # read again and again: it is young
    assert sum(path.stat().st_size for path in files(tmp_path)) <= MB * 17 // 16
    assert cache.get("599") is not None
    assert cache.get("0") is not None
    assert cache.get("100") is None


def test_what_was_left_half_written_is_swept_away(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path, MB)
    cache.put("a", b"tile")
    left = tmp_path / "00" / ".half.1.2"
    left.parent.mkdir(exist_ok=True)
    left.write_bytes(b"x")
    os.utime(left, (1, 1))
    cache.sweep()
    assert not left.exists()
    assert cache.get("a") == b"tile"


def test_without_room_or_rights_tiles_are_drawn_each_time(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    cache = DiskCache(tmp_path / "file" / "cache", MB)
    cache.put("a", b"tile")
    assert cache.get("a") is None


def test_a_killed_writer_leaves_no_bad_entry(tmp_path: Path) -> None:
    code = f"""
        import random
        from pathlib import Path
        from tiles.disk import DiskCache
        cache = DiskCache(Path({str(tmp_path)!r}), {64 * MB})
        for i in range(10**9):
            cache.put(str(i % 300), random.Random(str(i % 300)).randbytes(2000 + i % 300 % 500))
    """
    for _ in range(5):
        writer = subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)])
        while not files(tmp_path):
            time.sleep(0.01)
        time.sleep(random.Random(4).random() * 0.2)
        writer.send_signal(signal.SIGKILL)
        writer.wait()
    cache = DiskCache(tmp_path, 64 * MB)
    found = [(name, cache.get(name)) for name in map(str, range(300))]
    assert any(content for _, content in found)
    assert all(content in {None, body_of(name)} for name, content in found)


def test_a_server_started_again_gives_the_same_tiles_without_opening_their_rasters(data: Path, tmp_path: Path) -> None:
    settings = TilesSettings(paths=(data / "images/RGB.byte.tif",), disk_folder=tmp_path / "cache")
    path = "/scenes/rgb-byte/preview.png"
    with TestClient(create_app(settings)) as client:
        first = client.get(path).content
    (entry,) = files(tmp_path / "cache")
    with TestClient(create_app(settings)) as client:
        assert client.get(path).content == first
        count = client.get("/metrics").text
    assert 'geolabel_tile_cache_total{cache="disk",result="hit"}' in count
    entry.write_bytes(entry.read_bytes()[:-1])
    with TestClient(create_app(settings)) as client:
        assert client.get(path).content == first
