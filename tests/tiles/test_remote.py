"""Rasters on web servers and in buckets: the same pixels, few requests, one version, and errors in sentences."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from itertools import count
from typing import TYPE_CHECKING

import boto3
import numpy as np
import pytest
import rasterio
from fastapi.testclient import TestClient
from moto.server import ThreadedMotoServer

from tiles import grid, matrix
from tiles.app import create_app
from tiles.errors import SourceChanged, SourceNotFound, SourceRefused, SourceUnreachable
from tiles.handles import Handles
from tiles.read import read_tile
from tiles.settings import TilesSettings
from tiles.sources import Source, describe, find_source, inspect, open_raster
from tiles.style import make_style

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from conftest import RangeServer

SERIAL = count()


def settings(**given) -> TilesSettings:
    """Of a process of its own: what is kept of servers and files is kept by settings."""
    given = {"networks": ("127.0.0.1/32",), "http_timeout_s": 20 + next(SERIAL) / 1000} | given
    return TilesSettings(**given)


@pytest.fixture(scope="session")
def cog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A COG of 512 px blocks, some 12 MB, pixel-interleaved, in UTM."""
    folder = tmp_path_factory.mktemp("cog")
    rng = np.random.default_rng(3)
    field = rng.integers(0, 255, (3, 512, 512), dtype=np.uint8).repeat(8, axis=1).repeat(8, axis=2)
    noise = rng.integers(0, 12, (3, 4096, 4096), dtype=np.uint8)
    with rasterio.open(
        folder / "raw.tif", "w", driver="GTiff", width=4096, height=4096, count=3, dtype="uint8",
        crs="EPSG:32633", transform=rasterio.Affine(2, 0, 500_000, 0, -2, 5_300_000),
    ) as out:  # fmt: skip
        out.write(field // 2 + noise)
    rasterio.shutil.copy(folder / "raw.tif", folder / "cog.tif", driver="COG", compress="JPEG", blocksize=512)
    return folder / "cog.tif"


def tiles_of(source: Source, given: TilesSettings, zooms: range) -> Iterator[tuple[matrix.Tile, grid.Placement]]:
    placement = grid.place(inspect(source, settings=given), "WebMercatorQuad", "x")
    west, south, east, north = placement.bounds
    for z in zooms:
        span = 360 / 2**z
        for i in range(5):
            lon, lat = west + (east - west) * (i + 0.5) / 5, south + (north - south) * (i * 2 % 5 + 0.5) / 5
            x = int((lon + 180) / span)
            y = int((1 - np.arcsinh(np.tan(np.radians(lat))) / np.pi) / 2 * 2**z)
            yield placement.matrices.tile(z, x, y), placement


def test_a_tile_takes_two_requests_at_the_most_and_has_the_same_pixels(range_server: RangeServer, cog: Path) -> None:
    range_server.files["/cog.tif"] = cog.read_bytes()
    given = settings(remote_mb=1)  # so that nothing is left of the tile before
    far = find_source(f"{range_server.url}/cog.tif", settings=given)
    near = find_source(cog)
    info = inspect(far, settings=given)
    assert info == inspect(near)
    handles = Handles(64)
    most = 0
    for opening in (True, False):  # the first round opens each overview
        for tile, placement in tiles_of(far, given, range(12, 17)):
            style = make_style(info)
            before = len(range_server.asked)
            got = read_tile(far, info, placement, tile, style, size=256, settings=given, handles=handles)
            asked = len(range_server.asked) - before
            want = read_tile(near, info, placement, tile, style, size=256, settings=given, handles=handles)
            assert got is not None
            assert want is not None
            np.testing.assert_array_equal(got.data, want.data)
            if not opening:
                most = max(most, asked)
    handles.close()
    assert 1 <= most <= 2


def test_a_window_of_a_masked_planar_raster_takes_a_request_per_row_and_plane(
    range_server: RangeServer, tmp_path: Path
) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (3, 4096, 4096), dtype=np.uint8)
    with rasterio.open(
        tmp_path / "a.tif", "w", driver="GTiff", width=4096, height=4096, count=3, dtype="uint8", tiled=True,
        blockxsize=512, blockysize=512, interleave="band",
    ) as out:  # fmt: skip
        out.write(noise)
    range_server.files["/a.tif"] = (tmp_path / "a.tif").read_bytes()
    given = settings()
    source = find_source(f"{range_server.url}/a.tif", settings=given)
    with open_raster(source, settings=given) as dataset:
        dataset.read(1, window=((0, 512), (0, 512)))
        before = len(range_server.asked)
        got = dataset.read((1, 3), window=((1000, 1800), (700, 2100)))
    assert len(range_server.asked) - before <= 3 * 2  # block rows x planes
    np.testing.assert_array_equal(got, noise[[0, 2], 1000:1800, 700:2100])


def test_a_big_endian_bigtiff_is_fetched_ahead_too(range_server: RangeServer, tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (1, 2048, 2048), dtype=np.uint8)
    with rasterio.open(
        tmp_path / "a.tif", "w", driver="GTiff", width=2048, height=2048, count=1, dtype="uint8", tiled=True,
        endianness="big", bigtiff="yes",
    ) as out:  # fmt: skip
        out.write(noise)
    range_server.files["/a.tif"] = (tmp_path / "a.tif").read_bytes()
    given = settings()
    with open_raster(find_source(f"{range_server.url}/a.tif", settings=given), settings=given) as dataset:
        dataset.read(1, window=((0, 10), (0, 10)))
        before = len(range_server.asked)
        got = dataset.read(1, window=((600, 1500), (600, 1900)))
    assert len(range_server.asked) - before <= 4  # block rows of 256 px
    np.testing.assert_array_equal(got, noise[0, 600:1500, 600:1900])


def test_describe_reads_little_of_a_far_raster(range_server: RangeServer, cog: Path) -> None:
    range_server.files["/cog.tif"] = cog.read_bytes()
    given = settings()
    info = describe(find_source(f"{range_server.url}/cog.tif", settings=given), settings=given)
    assert info.overviews == (2, 4, 8)
    assert sum(end - start for _, start, end in range_server.asked) < cog.stat().st_size / 2


def test_a_replaced_file_is_never_mixed_with_the_old_one(range_server: RangeServer, tmp_path: Path) -> None:
    """Row 10: each tile is wholly of one state of the file, and the new one is found without being told."""
    for value in (10, 200):
        with rasterio.open(
            tmp_path / f"{value}.tif", "w", driver="GTiff", width=1024, height=1024, count=1, dtype="uint8", tiled=True,
            crs="EPSG:3857", transform=rasterio.Affine(10, 0, 0, 0, -10, 0),
        ) as out:  # fmt: skip
            out.write(np.full((1, 1024, 1024), value, np.uint8))
    versions = [(tmp_path / f"{value}.tif").read_bytes() for value in (10, 200)]
    range_server.files["/a.tif"] = versions[0]
    given = settings(remote_mb=1, cache_mb=0, disk_mb=0)
    app = create_app(given.model_copy(update={"paths": (f"{range_server.url}/a.tif",)}))
    with TestClient(app) as client:
        seen = []
        for i in range(40):
            if i % 7 == 3:
                range_server.files["/a.tif"] = versions[i % 2]
            answer = client.get(f"/scenes/a/tiles/WebMercatorQuad/13/{4096 + i % 2}/{4096 + i // 2 % 2}.png")
            assert answer.status_code == 200, answer.text
            pixels = rasterio.MemoryFile(answer.content).open().read(1)
            values = set(np.unique(pixels)) - {0}
            assert len(values) == 1
            seen.append(values.pop())
    assert {10, 200} == set(seen)


def test_a_file_that_changes_while_it_is_read_is_said_to_have_changed(range_server: RangeServer, cog: Path) -> None:
    content = cog.read_bytes()
    range_server.files["/cog.tif"] = content
    given = settings()
    source = find_source(f"{range_server.url}/cog.tif", settings=given)
    with open_raster(source, settings=given) as dataset:
        range_server.files["/cog.tif"] = content + b"\0"
        with pytest.raises(SourceChanged, match=r"'cog\.tif' was replaced while it was read"):
            dataset.read()
    assert find_source(source.href, believed=source.version, settings=given).version != source.version


@pytest.mark.parametrize(
    ("answer", "error", "says"),
    [
        ((404, {}), SourceNotFound, "There is no file at 'http"),
        ((403, {}), SourceRefused, "'cog.tif' may not be read: its server answers 403"),
        ((200, {}), SourceRefused, "'cog.tif' cannot be read in parts: its server does not answer range requests"),
        ((206, {}), SourceRefused, "its server does not say how large the file is"),
        ((503, {"Retry-After": "7"}), SourceUnreachable, "fails: it answers 503; it asks to wait 7 s"),
        ((302, {"Location": "http://10.0.0.1/x.tif"}), SourceRefused, "'10.0.0.1' is an address inside of a network"),
        ((302, {"Location": "file:///etc/passwd"}), SourceRefused, "expected https://, http://"),
        ((302, {"Location": "s3://bucket/key"}), SourceRefused, "which is not followed"),
        ((302, {}), SourceRefused, "redirected more than 5 times"),
    ],
)
def test_each_answer_of_a_server_has_its_sentence(range_server: RangeServer, answer, error, says) -> None:
    range_server.fault = lambda handler: bool(range_server.send(handler, *answer, b"") or True)
    with pytest.raises(error, match=says):
        find_source(f"{range_server.url}/cog.tif", settings=settings())


def test_who_cannot_be_reached_is_named(range_server: RangeServer) -> None:
    range_server.close()
    with pytest.raises(SourceUnreachable, match="cannot be reached: it refuses the connection"):
        find_source(f"{range_server.url}/cog.tif", settings=settings())
    with pytest.raises(SourceUnreachable, match="cannot be reached: its name is not known"):
        find_source("https://nowhere.invalid/cog.tif", settings=settings())


def test_redirects_are_followed_and_remembered(range_server: RangeServer, cog: Path) -> None:
    range_server.files["/far/cog.tif?signature=abc"] = cog.read_bytes()

    def moved(handler) -> bool:
        hops = {"/cog.tif": "/b.tif", "/b.tif": f"{range_server.url}/far/cog.tif?signature=abc"}
        if handler.path in hops:
            range_server.send(handler, 307, {"Location": hops[handler.path]}, b"")
        return handler.path in hops

    range_server.fault = moved
    given = settings()
    source = find_source(f"{range_server.url}/cog.tif", settings=given)
    assert inspect(source, settings=given).width == 4096
    assert sum(path == "/cog.tif" for path, _, _ in range_server.asked) == 1


@pytest.mark.parametrize("kind", ["hang", "drip"])
def test_a_slow_server_ends_in_a_sentence_and_is_left_alone_for_a_while(
    range_server: RangeServer, cog: Path, kind: str
) -> None:
    range_server.files["/cog.tif"] = cog.read_bytes()
    given = settings(http_timeout_s=0.3 + next(SERIAL) / 1000)
    version = find_source(f"{range_server.url}/cog.tif", settings=given).version
    range_server.fault = getattr(range_server, kind)
    for _ in range(3):
        with pytest.raises(SourceUnreachable, match="is too slow: no answer in"):
            inspect(Source(f"{range_server.url}/cog.tif", version), settings=given)
    before = len(range_server.asked)
    with pytest.raises(SourceUnreachable, match="failed 3 times in a row and is left alone"):
        inspect(Source(f"{range_server.url}/cog.tif", version), settings=given)
    assert len(range_server.asked) == before


def test_a_hanging_server_holds_up_nobody_else(range_server: RangeServer, cog: Path) -> None:
    """Row 51: far rasters have threads of their own. Sixteen requests hang while near tiles are drawn."""
    range_server.files["/far.tif"] = cog.read_bytes()
    given = settings(http_timeout_s=20 + next(SERIAL) / 1000, cache_mb=0, disk_mb=0)
    app = create_app(given.model_copy(update={"paths": (f"{range_server.url}/far.tif", cog)}))
    with TestClient(app) as client:
        range_server.fault = range_server.hang
        path = "/scenes/{}/tiles/WebMercatorQuad/15/17752/11360.png"
        hanging = [
            threading.Thread(target=lambda: client.get("/scenes/far/statistics"), daemon=True) for _ in range(16)
        ]
        for thread in hanging:
            thread.start()
        while len(range_server.asked) < 2:
            time.sleep(0.01)
        for _ in range(20):
            assert client.get(path.format("cog")).status_code == 200
            assert client.get("/healthz").status_code == 200
        assert all(thread.is_alive() for thread in hanging)
        range_server.closing.set()
        for thread in hanging:
            thread.join(30)


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """An S3 of this machine, with a bucket `imagery`."""
    server = ThreadedMotoServer("127.0.0.1", 0)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    s3 = boto3.client("s3", endpoint_url=url, aws_access_key_id="a", aws_secret_access_key="b", region_name="us-east-1")
    s3.create_bucket(Bucket="imagery")
    s3.close()
    yield url
    server.stop()


def test_a_raster_in_a_bucket(bucket: str, cog: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "AWS_ENDPOINT_URL": bucket, "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": "us-east-1",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    s3 = boto3.client("s3", endpoint_url=bucket, region_name="us-east-1")
    s3.upload_file(str(cog), "imagery", "2024/my cog.tif")
    given = settings()
    source = find_source("s3://imagery/2024/my cog.tif", settings=given)
    assert source.name == "my cog.tif"
    assert describe(source, settings=given) == describe(find_source(cog))
    with open_raster(source, settings=given) as far, rasterio.open(cog) as near:
        np.testing.assert_array_equal(
            far.read(window=((700, 1700), (10, 900))), near.read(window=((700, 1700), (10, 900)))
        )
    with pytest.raises(SourceNotFound, match="There is no object 's3://imagery/none.tif'"):
        find_source("s3://imagery/none.tif", settings=given)
    s3.put_object(Bucket="imagery", Key="2024/my cog.tif", Body=cog.read_bytes() + b"\0")
    s3.close()
    with pytest.raises(SourceChanged), open_raster(source, settings=settings()) as far:
        far.read()


def test_a_server_of_far_rasters_alone(range_server: RangeServer, cog: Path) -> None:
    """`python -m tiles URL` says in a sentence what it may not reach."""
    range_server.files["/cog.tif"] = cog.read_bytes()
    run = subprocess.run(
        [sys.executable, "-m", "tiles", f"{range_server.url}/cog.tif"], capture_output=True, text=True, check=False
    )
    assert run.returncode == 1
    assert "'127.0.0.1' is an address inside of a network, which is not connected to" in run.stderr
    assert "Traceback" not in run.stderr
    assert range_server.asked == []
