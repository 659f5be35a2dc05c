"""Rows 8, 9, 10, 12, 13 and 14: files and requests that want more than there is."""

from __future__ import annotations

import random
import resource
import struct
import subprocess
import sys
import textwrap
import zlib
from typing import TYPE_CHECKING

import numpy as np
import pytest
import rasterio
from fastapi.testclient import TestClient

from tiles import expression
from tiles.app import create_app
from tiles.errors import InvalidParameter, TilesError
from tiles.settings import TilesSettings
from tiles.sources import describe, local_source, open_raster

if TYPE_CHECKING:
    from pathlib import Path

MB = 2**20


def tiff(tags: dict[int, tuple[int, int]], *, big: bool = False, tail: bytes = b"") -> bytes:
    """A TIFF with one directory, of LONG (4), SHORT (3) or LONG8 (16) values."""
    head = b"II" + (struct.pack("<HHHQ", 43, 8, 0, 16) if big else struct.pack("<HI", 42, 8))
    body = struct.pack("<Q" if big else "<H", len(tags))
    for tag, (kind, value) in sorted(tags.items()):
        body += struct.pack("<HHQQ" if big else "<HHII", tag, kind, 1, value)
    return head + body + bytes(8 if big else 4) + tail


def header_bombs() -> dict[str, bytes]:
    """Small files that claim to be large, each in its own way."""
    base = {
        256: (4, 512),
        257: (4, 512),
        258: (3, 8),
        259: (3, 1),
        262: (3, 1),
        277: (3, 1),
        322: (4, 256),
        323: (4, 256),
        324: (4, 8),
        325: (4, 4),
    }
    found = {}
    for name, changes in {
        "pixels": {256: (4, 2_000_000), 257: (4, 2_000_000)}, "wide": {256: (4, 2**31 - 1), 257: (4, 1)}, "wider": {256: (4, 2**32 - 1)},
        "high": {257: (4, 2**31 - 1)}, "bands": {277: (3, 0xFFF9)}, "bands-planar": {277: (3, 0xFFF9), 284: (3, 2)}, "tile": {322: (4, 2**30), 323: (4, 2**30)},
        "tile-wide": {322: (4, 2**31 - 16)}, "tile-odd": {322: (4, 2**32 - 16), 323: (4, 16)}, "bits": {258: (3, 64), 277: (3, 60000)}, "bits-odd": {258: (3, 65535)},
        "strip": {256: (4, 200_000), 257: (4, 200_000), 278: (4, 200_000)}, "count": {325: (4, 2**32 - 1)}, "offset": {324: (4, 2**32 - 1)}, "zero": {256: (4, 0)},
        "zero-tile": {322: (4, 0), 323: (4, 0)}, "codec": {259: (3, 34925)}, "codec-none": {259: (3, 60001)}, "photometric": {262: (3, 9999)},
        "tile-bands": {277: (3, 1000), 322: (4, 4096), 323: (4, 4096)}, "float": {258: (3, 64), 339: (3, 3), 256: (4, 900_000), 257: (4, 900_000)},
    }.items():  # fmt: skip
        tags = {**base, **changes}
        if name == "strip":
            tags = {k: v for k, v in tags.items() if k not in {322, 323, 324, 325}} | {273: (4, 8), 279: (4, 4)}
        found[f"{name}.tif"] = tiff(tags)
        found[f"{name}-big.tif"] = tiff({k: (16 if kind == 4 else kind, v) for k, (kind, v) in tags.items()}, big=True)

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    for interlaced in (0, 1):
        for side in (40_000, 2**31 - 1):
            head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, interlaced)
            found[f"png-{interlaced}-{side}.png"] = (
                b"\x89PNG\r\n\x1a\n"
                + chunk(b"IHDR", head)
                + chunk(b"IDAT", zlib.compress(bytes(50_000), 9))
                + chunk(b"IEND", b"")
            )
    found["sof.jpg"] = b"\xff\xd8\xff\xc0\x00\x11\x08\xff\xff\xff\xff\x03\x01\x22\x00\x02\x11\x01\x03\x11\x01\xff\xd9"
    siz = struct.pack(">HHHIIIIIIIIH", 0, 41, 0, 2**31, 2**31, 0, 0, 2**31, 2**31, 0, 0, 1) + b"\x07\x01\x01"
    found["siz.j2k"] = b"\xff\x4f\xff\x51" + struct.pack(">H", len(siz)) + siz[2:] + b"\xff\xd9"
    found["vp8x.webp"] = b"RIFF\x16\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00\x00\x00\x00\x00" + b"\xff\xff\xff\xff\xff\xff"
    return found


def test_header_bombs_are_refused_before_anything_is_read(tmp_path: Path) -> None:
    """Row 8: in a process that may take 300 MB more than it has."""
    bombs = header_bombs()
    assert len(bombs) >= 40
    for name, content in bombs.items():
        (tmp_path / name).write_bytes(content)
    code = f"""
        import resource, sys
        from pathlib import Path
        from tiles.errors import TilesError
        from tiles.sources import describe, local_source
        base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for path in sorted(Path({str(tmp_path)!r}).iterdir()):
            try:
                describe(local_source(path))
                print("OPENED", path.name)
            except TilesError as error:
                assert "/proc/self" not in str(error) and {str(tmp_path)!r} not in str(error), error
        more = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - base
        print(more // 1024, "MB")
    """
    run = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    lines = run.stdout.split("\n")
    assert [line for line in lines if line.startswith("OPENED")] == []
    assert int(lines[0].split()[0]) < 300


def codec_bombs(folder: Path) -> list[Path]:
    """Files whose blocks become much larger than they are, in each codec, as large as the limits let them be."""
    found = []
    for codec, kind, options in [
        ("DEFLATE", "uint8", {}), ("LZW", "uint8", {}), ("ZSTD", "uint8", {}), ("LERC", "float32", {}), ("LERC_ZSTD", "float32", {}),
        ("JPEG", "uint8", {}), ("PACKBITS", "uint8", {}), ("WEBP", "uint8", {"count": 3, "interleave": "pixel", "WEBP_LOSSLESS": "YES"}),
    ]:  # fmt: skip
        path = folder / f"{codec}.tif"
        given = {"count": 1, **options}
        with rasterio.open(
            path, "w", driver="GTiff", width=4096, height=4096, dtype=kind, tiled=True, blockxsize=4096, blockysize=4096,
            compress=codec, **given,
        ) as out:  # fmt: skip
            out.write(np.zeros((given["count"], 4096, 4096), kind))
        found.append(path)
    with rasterio.open(
        folder / "a.jp2", "w", driver="JP2OpenJPEG", width=2048, height=2048, count=1, dtype="uint8"
    ) as out:
        out.write(np.zeros((1, 2048, 2048), np.uint8))
    return [*found, folder / "a.jp2"]


def test_codec_bombs_leave_the_server_standing(tmp_path: Path) -> None:
    """Row 9: a server that may take little memory answers all of them, with a picture or with a sentence, and goes on."""
    for path in codec_bombs(tmp_path):
        assert path.stat().st_size < 4 * MB
    code = f"""
        from pathlib import Path
        from fastapi.testclient import TestClient
        from tiles import memory
        from tiles.app import create_app
        from tiles.settings import TilesSettings
        folder = Path({str(tmp_path)!r})
        app = create_app(TilesSettings(paths=(folder,), disk_mb=0))
        with TestClient(app) as client:
            client.get("/healthz")
            memory.bound(900)
            for name in sorted(scene["id"] for scene in client.get("/scenes").json()["scenes"]):
                answer = client.get(f"/scenes/{{name}}/preview.png?max_size=2048")
                assert answer.status_code in (200, 413, 422, 503), answer.text
                print(name, answer.status_code)
                assert client.get("/healthz").status_code == 200
    """
    run = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr[-2000:]
    assert len(run.stdout.splitlines()) == 9


def test_memory_that_is_not_there_is_said(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    with rasterio.open(
        path, "w", driver="GTiff", width=30_000, height=30_000, count=1, dtype="float64", tiled=True, SPARSE_OK=True
    ):
        pass
    code = f"""
        from tiles import memory
        from tiles.errors import TooMuch
        from tiles.sources import local_source, open_raster
        memory.bound(1500)
        try:
            with open_raster(local_source({str(path)!r})) as dataset:
                dataset.read()
        except TooMuch as error:
            print(error)
    """
    run = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True)
    assert "There is not enough memory here to read 'a.tif' as was asked" in run.stdout


def test_one_request_reads_no_more_than_it_may(tmp_path: Path) -> None:
    """Row 12: a preview of a large raster without overviews is refused with the limit; with them it works."""
    for name, size in {"small": 1024, "large": 80_000}.items():
        with rasterio.open(
            tmp_path / f"{name}.tif", "w", driver="GTiff", width=size, height=size, count=1, dtype="uint8", tiled=True,
            SPARSE_OK=True, crs="EPSG:3857", transform=rasterio.Affine(1, 0, 0, 0, -1, 0),
        ):  # fmt: skip
            pass
    with TestClient(create_app(TilesSettings(paths=(tmp_path,)))) as client:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for path in ("preview.png", "statistics", "footprint", "tiles/WebMercatorQuad/5/16/16.png"):
            answer = client.get(f"/scenes/large/{path}")
            assert answer.status_code == 413, path
            assert "more than the limit of 4,096" in answer.json()["detail"]
            assert client.get(f"/scenes/small/{path}").status_code == 200
        for query in ("max_size=100000", "max_size=0", "max_size=-1", "max_size=1e9", "width=100000&height=100000"):
            assert client.get(f"/scenes/large/preview.png?{query}").status_code == 400
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 * 1024


@pytest.mark.parametrize("count", [300, pytest.param(10_000, marks=pytest.mark.soak)])
def test_silly_tiles_open_nothing(data: Path, monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    """Row 13."""
    opened = []
    monkeypatch.setattr("tiles.sources._open_here", lambda *_: opened.append(1))
    rng = random.Random(1)
    with TestClient(create_app(TilesSettings(paths=(data / "images/RGB.byte.tif",), disk_mb=0))) as client:
        for _ in range(count):
            z = rng.choice([*range(25, 31), 99, 10**9])
            x, y = (rng.choice([rng.randrange(2**31), -1, "x", "1e9", 2**64]) for _ in "xy")
            answer = client.get(f"/scenes/rgb-byte/tiles/WebMercatorQuad/{z}/{x}/{y}.png")
            assert answer.status_code in {400, 404}, answer.text
        for z in range(25):  # beyond the last column
            answer = client.get(f"/scenes/rgb-byte/tiles/WebMercatorQuad/{z}/{2**z}/0.png")
            assert answer.status_code == 404
    assert opened == []


@pytest.mark.parametrize("count", [800, pytest.param(20_000, marks=pytest.mark.soak)])
def test_expressions_are_computed_as_written_or_refused(count: int) -> None:
    """Row 14: random texts of the grammar and around it: the value of the same words in Python, or a sentence."""
    rng = random.Random(3)
    bands = {1: np.array([3.0]), 2: np.array([5.0]), 3: np.array([-2.0])}
    names = {f"b{i}": float(v[0]) for i, v in bands.items()} | {"min": min, "max": max, "abs": abs}

    def term(depth: int) -> str:
        kind = rng.random()
        if depth > 4 or kind < 0.35:
            return rng.choice(["b1", "b2", "b3", "1", "2.5", "0.5", "10"])
        if kind < 0.75:
            return f"({term(depth + 1)} {rng.choice('+-*/')} {term(depth + 1)})"
        if kind < 0.85:
            return f"abs({term(depth + 1)})"
        return f"{rng.choice(['min', 'max'])}({term(depth + 1)},{term(depth + 1)})"

    agreed = refused = 0
    for _ in range(count):
        text = term(0)
        if rng.random() < 0.4:  # torn
            at = rng.randrange(len(text) + 1)
            text = (
                text[:at]
                + rng.choice(
                    [
                        "__import__('os')",
                        ".",
                        "**",
                        "b0",
                        "b9",
                        "\0",
                        "lambda:",
                        "[",
                        "é",
                        "''",
                        "(",
                        ")",
                        "eval(1)",
                        "//",
                    ]
                )
                + text[at:]
            )
        try:
            (node,) = expression.parse(text)
            with np.errstate(all="ignore"):
                got = float(np.asarray(expression.evaluate(node, bands)).ravel()[0])
        except InvalidParameter:
            refused += 1
            continue
        except KeyError:  # a band that this raster has not: refused where the raster is known
            refused += "b9" in text
            continue
        try:
            want = float(eval(text, {"__builtins__": {}}, names))
        except ZeroDivisionError:
            continue
        assert got == pytest.approx(want, rel=1e-5, nan_ok=True) or not np.isfinite(got), text
        agreed += 1
    assert agreed > count / 3
    assert refused > count / 10


@pytest.mark.parametrize("count", [25, pytest.param(100, marks=pytest.mark.soak)])
def test_a_raster_cut_short_anywhere_is_said_to_be(tmp_path: Path, count: int) -> None:
    """Row 10: never another error, and its name and what is wrong are in the sentence."""
    whole = tmp_path / "whole.tif"
    noise = np.random.default_rng(1).integers(0, 255, (1, 600, 600), np.uint8)
    with rasterio.open(
        whole, "w", driver="GTiff", width=600, height=600, count=1, dtype="uint8", tiled=True, blockxsize=128,
        blockysize=128, compress="deflate", crs="EPSG:3857", transform=rasterio.Affine(1, 0, 0, 0, -1, 0),
    ) as out:  # fmt: skip
        out.write(noise)
    content = whole.read_bytes()
    rng = random.Random(2)
    cut = tmp_path / "cut.tif"
    for _ in range(count):
        cut.write_bytes(content[: rng.randrange(1, len(content))])
        with pytest.raises(TilesError, match=r"'cut\.tif'") as error:
            describe(local_source(cut))
        assert str(tmp_path) not in str(error.value)


def test_a_file_written_over_while_it_is_open_is_not_mixed(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    for value in (10, 200):
        with rasterio.open(
            tmp_path / f"{value}.tif", "w", driver="GTiff", width=512, height=512, count=1, dtype="uint8", tiled=True
        ) as out:
            out.write(np.full((1, 512, 512), value, np.uint8))
    path.write_bytes((tmp_path / "10.tif").read_bytes())
    source = local_source(path)
    with pytest.raises(TilesError, match="was replaced while it was read"), open_raster(source) as dataset:  # noqa: PT012
        dataset.read(1, window=((0, 256), (0, 256)))
        path.write_bytes((tmp_path / "200.tif").read_bytes())
        dataset.read(1)
