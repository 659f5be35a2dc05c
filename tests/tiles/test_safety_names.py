"""Rows 1, 2, 3 and 7: whatever a stranger calls a raster, nothing is opened and nobody is called."""

from __future__ import annotations

import os
import random
import threading
import time
from typing import TYPE_CHECKING

import pytest
from fastapi.testclient import TestClient

from geolabel.app import create_app
from geolabel.errors import NotAllowed
from geolabel.imagery import allowed_href, find_registered
from geolabel.settings import Settings
from geolabel.store.store import open_store
from tiles import connect
from tiles.allow import Allowed, read_address
from tiles.errors import SourceRefused, TilesError
from tiles.settings import TilesSettings
from tiles.sources import Source, find_source, inspect, local_source, open_raster

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from conftest import RangeServer

# Every spelling of this machine, of metadata services and of other insides; `{}` is the canary's port.
HOSTILE_URLS = [
    *(f"http://{host}:{{}}/a.tif" for host in (
        "127.0.0.2", "127.2", "0x7f.0.0.2", "0x7f000002", "2130706434", "0177.0.0.2", "017700000002", "[::ffff:127.0.0.2]",
        "[::ffff:7f00:2]", "[0:0:0:0:0:ffff:127.0.0.2]", "[::1]", "localhost", "LOCALHOST", "localhost.", "0.0.0.0", "0",
        "127.0.0.2.", "127.0.0.2%00.example.org", "①②⑦.0.0.2", "\uff11\uff12\uff17.0.0.2", "ⓛocalhost", "xn--lcalhost-oqb", "[::]",
        "[64:ff9b::7f00:2]", "[2002:7f00:2::]", "127。0。0。2", "localhost%2eexample.org", "127.0.0.2\t", " 127.0.0.2",
        "foo@127.0.0.2", "example.org@127.0.0.2", "example.org:80@127.0.0.2", "example.org%40127.0.0.2", "127.0.0.2#@example.org",
        "example.org\\@127.0.0.2", "127.0.0.2\\.example.org",
    )),
    "http://169.254.169.254/latest/meta-data/a.tif", "http://[fd00:ec2::254]/latest/a.tif", "http://metadata.google.internal/a.tif",
    "http://100.100.100.200/a.tif", "http://192.168.0.1/a.tif", "http://10.0.0.1/a.tif", "http://172.16.0.1/a.tif",
    "HTTP://127.0.0.2:{}/a.tif", "hTTp://127.0.0.2:{}/a.tif", "http:127.0.0.2:{}/a.tif", "http:/127.0.0.2:{}/a.tif", "//127.0.0.2:{}/a.tif",
    "http:///127.0.0.2:{}/a.tif", "http:\\\\127.0.0.2:{}\\a.tif", "file:///etc/passwd", "file://127.0.0.2/etc/passwd", "ftp://127.0.0.2:{}/a.tif",
    "gopher://127.0.0.2:{}/_GET", "dict://127.0.0.2:{}/a", "jar:http://127.0.0.2:{}/a!/b", "data:image/tiff;base64,SUkqAA==",
    "http://127.0.0.2:{}/a.tif\r\nHost: example.org", "http://127.0.0.2:{}/../../a.tif", "http://127.0.0.2:{}/%2e%2e/a.tif",
    "http://127.0.0.2:{}/a.tif?x=1", "s3://127.0.0.2:{}/a.tif", "s3://user:pass@bucket/key", "s3:///key", "s3://bucket/../key",
    "https://127.0.0.2:{}/a.tif", "http://127.0.0.2:{}", "http://127.0.0.2:0/a.tif", "http://:{}/a.tif", "http://127.0.0.2:{}0000/a.tif",
]  # fmt: skip

HOSTILE_NAMES = [
    *(f"/vsi{kind}/{rest}" for kind in (
        "curl", "curl_streaming", "s3", "s3_streaming", "gs", "az", "oss", "swift", "hdfs", "webhdfs", "zip", "tar", "gzip", "7z", "rar",
        "mem", "stdin", "stdout", "subfile", "sparse", "cached", "crypt", "kerchunk_json_ref", "pmtiles", "adls", "plugin",
    ) for rest in ("http://127.0.0.2:{}/a.tif", "/etc/passwd", "?header_file=/etc/passwd&url=http://127.0.0.2:{}/a.tif")),
    *(f"{prefix}:{rest}" for prefix in (
        "MEM:::DATAPOINTER=1,PIXELS=1,LINES=1", "GTIFF_DIR:1", "GTIFF_RAW", "NITF_IM:0", "HDF5", "HDF4_SDS", "NETCDF", "ZARR", "GPKG", "PG",
        "WMS", "WMTS", "TMS", "WCS", "STACTA", "STACIT", "GTI", "VRT", "vrt", "PDF", "SENTINEL2_L1C", "DERIVED_SUBDATASET:LOGAMPLITUDE", "JPEG_SUBFILE",
        "OGCAPI", "HTTP", "EEDAI", "PLSCENES", "NGW", "DAAS", "RASTERLITE",
    ) for rest in ("/etc/passwd", "http://127.0.0.2:{}/a.tif")),
    "<VRTDataset rasterXSize='1' rasterYSize='1'/>", "<GDAL_WMS><Service name='TMS'><ServerUrl>http://127.0.0.2:{}/</ServerUrl></Service></GDAL_WMS>",
    '{{"type": "FeatureCollection"}}', "a\0b.tif", "", ".", "..", "~/a.tif", "$HOME/a.tif", "%2e%2e/a.tif", "C:\\a.tif", "\\\\server\\share\\a.tif",
    "stack:{{}}", 'stack:{{"files": ["/etc/passwd"], "names": ["a"]}}', "/dev/stdin", "/dev/zero", "/proc/self/environ", "/proc/self/mem",
]  # fmt: skip


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("safety")
    open_store(folder / "ws", create=True).close()
    return folder


@pytest.fixture
def stranger(workspace: Path) -> Iterator[TestClient]:
    """Somebody who may register rasters of one folder and of one host."""
    (workspace / "roots").mkdir(exist_ok=True)
    settings = Settings(
        workspace=workspace / "ws", imagery_roots=(workspace / "roots",), imagery_hosts=("data.example.org", "s3://bucket/free"),
    )  # fmt: skip
    with TestClient(create_app(settings), base_url="http://localhost") as client:
        yield client


def test_no_hostile_name_is_opened(stranger: TestClient, canary: RangeServer) -> None:
    """Row 1 and row 3: over HTTP all of them are refused with a sentence, and nobody is called."""
    port = canary.url.rpartition(":")[2]
    names = [name.format(port) for name in (*HOSTILE_URLS, *HOSTILE_NAMES)]
    assert len(HOSTILE_URLS) >= 60
    assert len(HOSTILE_NAMES) >= 130
    for name in names:
        answer = stranger.post("/api/scenes", json={"href": name})
        assert answer.status_code in {400, 403, 422}, name
        assert answer.headers["content-type"] == "application/problem+json"
        assert "Traceback" not in answer.text
    assert canary.asked == []
    assert stranger.get("/api/scenes").json() == {"scenes": []}


def test_nor_at_the_command_line(canary: RangeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is trusted may name any path and any public address; what GDAL would make of a name, it does not get."""
    resolve = connect.socket.getaddrinfo

    def without_dns(host, *arguments, **options):
        if host.lower() != "localhost":
            options["flags"] = connect.socket.AI_NUMERICHOST
        return resolve(host, *arguments, **options)

    monkeypatch.setattr(connect.socket, "getaddrinfo", without_dns)
    port = canary.url.rpartition(":")[2]
    for name in (*HOSTILE_URLS, *HOSTILE_NAMES):
        with pytest.raises(TilesError):
            inspect(find_source(name.format(port), settings=TilesSettings(http_timeout_s=0.5)))
    assert canary.asked == []


@pytest.mark.parametrize("hops", [1, 2, 5, 6])
def test_no_redirect_leads_inside(range_server: RangeServer, canary: RangeServer, hops: int) -> None:
    """Row 2: each hop is looked at where the connection is made."""

    def redirect(handler) -> bool:
        left = int(handler.path.strip("/").split(".")[0])
        there = f"{canary.url}/a.tif" if left == 1 else f"{range_server.url}/{left - 1}.tif"
        range_server.send(handler, 302, {"Location": there}, b"")
        return True

    range_server.fault = redirect
    given = TilesSettings(networks=("127.0.0.1/32",), http_timeout_s=2 + hops / 100)
    with pytest.raises(SourceRefused, match="inside of a network|more than 5 times"):
        find_source(f"{range_server.url}/{hops}.tif", settings=given)
    assert canary.asked == []


def test_a_name_that_resolves_anew_does_not_lead_inside(canary: RangeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Row 2: the first answer of the resolver is public, the next one is not; and one that holds both is refused."""
    port = int(canary.url.rpartition(":")[2])
    turns = iter([["93.184.216.34"], ["127.0.0.2"], ["93.184.216.34", "127.0.0.2"]] * 100)
    asked = []

    def resolve(host, at, **_):
        asked.append(host)
        return [(2, 1, 6, "", (address, at)) for address in next(turns)]

    connected = []

    class Plain:
        def connect_tcp(self, host, *_):
            connected.append(host)
            raise connect.httpcore.ConnectError("no")

    monkeypatch.setattr(connect.socket, "getaddrinfo", resolve)
    web = connect.Web(1.0, ())
    web._pool._network_backend._plain = Plain()
    for _ in range(60):
        with pytest.raises(TilesError):
            web.stat(read_address(f"http://rebound.example.org:{port}/a.tif"))
    assert len(asked) >= 60
    assert set(connected) == {"93.184.216.34"}  # the very address that was looked at, never the name
    assert canary.asked == []


@pytest.mark.parametrize(
    ("entry", "inside", "outside"),
    [
        ("data.example.org", ["https://data.example.org/a.tif"], ["http://data.example.org/a.tif", "https://xdata.example.org/a.tif", "https://data.example.org:8443/a.tif", "https://data.example.org.evil.net/a.tif"]),
        ("*.example.org", ["https://a.example.org/x.tif", "https://a.b.example.org/x.tif"], ["https://example.org/x.tif", "https://evilexample.org/x.tif"]),
        ("https://h.org/cogs", ["https://h.org/cogs/a.tif"], ["https://h.org/cogsecret/a.tif", "https://h.org/a.tif"]),
        ("http://h.org:8080", ["http://h.org:8080/a.tif"], ["http://h.org/a.tif", "https://h.org:8080/a.tif"]),
        ("s3://bucket/free", ["s3://bucket/free/a.tif"], ["s3://bucket/paid/a.tif", "s3://bucket2/free/a.tif", "gs://bucket/free/a.tif"]),
    ],
)  # fmt: skip
def test_the_list_of_hosts(entry: str, inside: list[str], outside: list[str]) -> None:
    allowed = Allowed.read([entry])
    assert all(read_address(text) in allowed for text in inside)
    assert not any(read_address(text) in allowed for text in outside)


def test_nothing_is_allowed_by_default(workspace: Path) -> None:
    for href in ("https://data.example.org/a.tif", "/etc/hostname"):
        with pytest.raises(NotAllowed, match="may be registered over HTTP here"):
            allowed_href(href, Settings(workspace=workspace / "ws"))


def test_no_path_leads_out_of_the_roots(stranger: TestClient, workspace: Path, data: Path) -> None:
    """Row 7: traversals, links to files and to folders, links in a circle."""
    roots, outside = workspace / "roots", workspace / "outside"
    outside.mkdir(exist_ok=True)
    secret = outside / "secret.tif"
    secret.write_bytes((data / "images/RGB.byte.tif").read_bytes())
    (roots / "link.tif").symlink_to(secret)
    (roots / "folder").symlink_to(outside)
    (roots / "loop").symlink_to(roots / "loop")
    ups = ["..", "%2e%2e", "..%2f", "....", "..;", ".\u2024", "%252e%252e", "\uff0e\uff0e"]
    names = [
        f"{roots}/{up}/{tail}"
        for up in ups
        for tail in ("outside/secret.tif", "../../../../etc/passwd", "./outside//secret.tif")
    ]
    names += [f"{roots}/./{'../' * n}outside/secret.tif" for n in range(1, 12)]
    names += [
        f"{roots}{end}"
        for end in (
            "/link.tif",
            "/folder/secret.tif",
            "/loop",
            "/loop/a.tif",
            "-evil/a.tif",
            "/../outside/secret.tif\0.tif",
            "/",
            "",
        )
    ]
    names += [
        str(secret),
        f"/proc/self/root{secret}",
        f"/proc/self/cwd/{secret}",
        f"/dev/fd/../..{secret}",
        f"//{secret}",
        f"{secret}/",
        f"{secret}/.",
    ]
    names += [f"{roots}/{'a/' * n}{'../' * (n + 1)}outside/secret.tif" for n in range(1, 30)]
    assert len(names) >= 75
    for name in names:
        answer = stranger.post("/api/scenes", json={"href": name})
        assert answer.status_code in {403, 422}, name
    assert stranger.get("/api/scenes").json() == {"scenes": []}


@pytest.mark.parametrize("tries", [150, pytest.param(1000, marks=pytest.mark.soak)])
def test_a_link_that_is_swapped_in_never_leads_out(tmp_path: Path, data: Path, tries: int) -> None:
    """Row 7: a file of the root becomes a link to a secret, and back, while it is opened again and again."""
    roots = tmp_path / "roots"
    roots.mkdir()
    small, secret = data / "images/cog_rgb_mask.tif", tmp_path / "secret.tif"
    path = roots / "a.tif"
    path.write_bytes(small.read_bytes())
    secret.write_bytes((data / "pairs/kampala_rgb_buildings/kampala_z19_rgb.tif").read_bytes())
    settings = Settings(workspace=tmp_path, imagery_roots=(roots,))
    version = local_source(path).version
    done = threading.Event()

    def swap() -> None:
        staged = roots / "staged"
        rng = random.Random(1)
        while not done.is_set():
            staged.symlink_to(secret)
            staged.replace(path)
            time.sleep(rng.random() / 1000)
            staged.write_bytes(small.read_bytes())
            staged.replace(path)
            time.sleep(rng.random() / 1000)

    swapper = threading.Thread(target=swap)
    swapper.start()
    opened = refused = 0
    try:
        for _ in range(tries):
            try:
                source = find_registered(str(path), version, settings, TilesSettings())
                with open_raster(source) as dataset:
                    opened += 1
                    assert dataset.width == 383  # and not the 768 of the secret
            except TilesError:
                refused += 1
    finally:
        done.set()
        swapper.join()
    assert opened > 0
    assert refused > 0


def test_the_file_that_was_looked_at_is_the_one_that_is_opened(tmp_path: Path, data: Path) -> None:
    path = tmp_path / "a.tif"
    path.write_bytes((data / "images/cog_rgb_mask.tif").read_bytes())
    source = local_source(path)
    path.unlink()
    path.symlink_to(data / "images/RGB.byte.tif")
    with pytest.raises(TilesError, match="is not there any more"), open_raster(source):
        pass
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(TilesError, match="is not there any more"), open_raster(Source(str(tmp_path / "pipe"), "0-0")):
        pass
