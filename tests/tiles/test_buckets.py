"""gs:// and az://: requests as the clouds document them, answered by a server of this machine that checks each."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote, urlsplit

import numpy as np
import pytest
import rasterio

from tiles.errors import SourceChanged, SourceNotFound, SourceRefused, SourceUnreachable
from tiles.settings import TilesSettings
from tiles.sources import describe, find_source, open_raster

if TYPE_CHECKING:
    from http.server import BaseHTTPRequestHandler
    from pathlib import Path

    from conftest import RangeServer

KEY = base64.b64encode(b"the key of an account" * 3).decode()
SIGNED_QUERY = "sv=2024-11-04&sr=c&sp=r&se=2030-01-01T00%3A00%3A00Z&sig=abc%2Bdef%3D"


@pytest.fixture(scope="module")
def raster(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bucket") / "a.tif"
    values = np.random.default_rng(1).integers(0, 255, (3, 1024, 1024), np.uint8)
    with rasterio.open(
        path, "w", driver="GTiff", width=1024, height=1024, count=3, dtype="uint8", tiled=True, interleave="pixel",
        crs="EPSG:32633", transform=rasterio.Affine(2, 0, 500_000, 0, -2, 5_300_000),
    ) as out:  # fmt: skip
        out.write(values)
    return path


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of this machine's own clouds."""
    for name in list(os.environ):
        if name.startswith(("GOOGLE_", "AZURE_")):
            monkeypatch.delenv(name)


def settings(port_of: RangeServer) -> TilesSettings:
    """Of a process of its own: what is kept of servers and files is kept by settings."""
    return TilesSettings(http_timeout_s=5 + urlsplit(port_of.url).port / 1e6)


def documented_signature(handler: BaseHTTPRequestHandler, account: str) -> str:
    """SharedKey of Azure's blob service, written from its documentation ("Authorize with Shared Key")."""
    headers = {name.lower(): value for name, value in handler.headers.items()}
    if headers.get("content-length") == "0":
        del headers["content-length"]
    named = (
        "content-encoding", "content-language", "content-length", "content-md5", "content-type", "date",
        "if-modified-since", "if-match", "if-none-match", "if-unmodified-since", "range",
    )  # fmt: skip
    lines = [handler.command, *(headers.get(name, "") for name in named)]
    lines += [f"{name}:{headers[name].strip()}" for name in sorted(headers) if name.startswith("x-ms-")]
    address = urlsplit(handler.path)
    resource = f"/{account}{address.path}"
    for name, value in sorted(parse_qsl(address.query)):
        resource += f"\n{name.lower()}:{value}"
    text = "\n".join([*lines, resource])
    digest = hmac.new(base64.b64decode(KEY), text.encode(), hashlib.sha256).digest()
    return f"SharedKey {account}:{base64.b64encode(digest).decode()}"


def check(server: RangeServer, href: str, raster: Path) -> None:
    """The pixels of the file, a change that is noticed, and what is not there."""
    given = settings(server)
    source = find_source(href, settings=given)
    assert source.name == "my a.tif"
    assert describe(source, settings=given) == describe(find_source(raster))
    with open_raster(source, settings=given) as far, rasterio.open(raster) as near:
        window = ((300, 900), (10, 700))
        np.testing.assert_array_equal(far.read(window=window), near.read(window=window))
    with pytest.raises(SourceNotFound, match="There is no object"):
        find_source(href.replace("my a.tif", "none.tif"), settings=given)
    [path] = server.files
    server.files[path] += b"\0"
    with pytest.raises(SourceChanged), open_raster(source, settings=given.model_copy(update={"remote_mb": 63})) as far:
        far.read()


@pytest.mark.parametrize("token", ["", "ya29.token"])
def test_google(range_server: RangeServer, raster: Path, monkeypatch: pytest.MonkeyPatch, token: str) -> None:
    """GET /bucket/object of the XML API, with every '/' and '.' of the name escaped; unsigned, or with a token as a bearer."""
    monkeypatch.setenv("GOOGLE_BASE_URL", range_server.url)
    if token:
        monkeypatch.setenv("GOOGLE_BEARER_TOKEN", token)
    range_server.files["/imagery/2024/my a.tif"] = raster.read_bytes()
    wanted = f"Bearer {token}" if token else None

    def refused(handler: BaseHTTPRequestHandler) -> bool:
        if handler.headers.get("Authorization") == wanted:
            handler.path = unquote(handler.path)
            return False
        range_server.send(handler, 401, {}, b"")
        return True

    range_server.fault = refused
    check(range_server, "gs://imagery/2024/my a.tif", raster)
    if token:
        range_server.fault = lambda handler: bool(range_server.send(handler, 403, {}, b"") or True)
        with pytest.raises(SourceRefused, match="the gs bucket refuses the server's credentials"):
            find_source("gs://imagery/2024/other.tif", settings=settings(range_server))


@pytest.mark.parametrize("way", ["public", "key", "signed query"])
def test_azure(range_server: RangeServer, raster: Path, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    """GET /container/blob; unsigned, signed with the account's key, or with a shared access signature."""
    monkeypatch.setenv("AZURE_STORAGE_ENDPOINT", range_server.url)
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "account")
    if way == "key":
        monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", KEY)
    elif way == "signed query":
        monkeypatch.setenv("AZURE_STORAGE_SAS_TOKEN", SIGNED_QUERY)
    range_server.files["/imagery/2024/my%20a.tif"] = raster.read_bytes()

    def refused(handler: BaseHTTPRequestHandler) -> bool:
        path, _, query = handler.path.partition("?")
        signature = handler.headers.get("Authorization")
        wanted = documented_signature(handler, "account") if way == "key" else None
        signed = parse_qsl(SIGNED_QUERY) if way == "signed query" else []
        if signature == wanted and sorted(parse_qsl(query)) == sorted(signed) and handler.headers.get("x-ms-version"):
            handler.path = path
            return False
        range_server.send(handler, 403, {}, b"")
        return True

    range_server.fault = refused
    check(range_server, "az://imagery/2024/my a.tif", raster)


@pytest.mark.parametrize("scheme", ["gs", "az"])
def test_a_store_that_fails_is_named(range_server: RangeServer, monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
    monkeypatch.setenv("GOOGLE_BASE_URL" if scheme == "gs" else "AZURE_STORAGE_ENDPOINT", range_server.url)
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "account")
    range_server.fault = lambda handler: bool(range_server.send(handler, 503, {}, b"") or True)
    with pytest.raises(SourceUnreachable, match=r"The object store of 'a\.tif' cannot be reached, or fails"):
        find_source(f"{scheme}://imagery/a.tif", settings=settings(range_server))
