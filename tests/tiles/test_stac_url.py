"""A STAC item at an https address, registered over HTTP: each file that it names is held against the allow-list."""

from __future__ import annotations

import datetime as dt
import ipaddress
import json
import os
import re
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import rasterio
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from geolabel.store.store import open_store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from conftest import RangeServer

BANDS = ("red", "green", "nir")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a server at 127.0.0.1, signed by itself: the key and the certificate in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.fixture(scope="module")
def store(
    range_servers: type[RangeServer], certificate: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RangeServer]:
    """A web server with TLS that has three bands on one grid, and items of them."""
    folder = tmp_path_factory.mktemp("bands")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = range_servers(tls=context)
    for i, band in enumerate(BANDS):
        with rasterio.open(
            folder / f"{band}.tif", "w", driver="GTiff", width=600, height=500, count=1, dtype="uint16", tiled=True,
            crs="EPSG:32633", transform=rasterio.Affine(10, 0, 500_000, 0, -10, 5_300_000),
        ) as out:  # fmt: skip
            out.write(np.random.default_rng(i).integers(0, 4000, (1, 500, 600), np.uint16))
        server.files[f"/items/S2_{band}.tif"] = (folder / f"{band}.tif").read_bytes()
    server.files["/elsewhere/nir.tif"] = server.files["/items/S2_nir.tif"]
    server.files["/items/item.json"] = json.dumps(item()).encode()
    for name, href in {
        "outside": f"{server.url}/elsewhere/nir.tif", "local": "/etc/passwd", "climbing": "../elsewhere/nir.tif",
        "inside": "http://169.254.169.254/nir.tif",
    }.items():  # fmt: skip
        changed = item()
        changed["assets"]["nir"]["href"] = href
        server.files[f"/items/{name}.json"] = json.dumps(changed).encode()
    server.files["/items/list.json"] = json.dumps({"type": "FeatureCollection", "features": []}).encode()
    yield server
    server.close()


def item() -> dict[str, Any]:
    assets = {
        band: {"href": f"./S2_{band}.tif", "type": "image/tiff; application=geotiff", "roles": ["data"], "gsd": 10}
        for band in BANDS
    }
    return {
        "type": "Feature", "stac_version": "1.0.0", "id": "S2B_33UXP_20240501", "geometry": None, "assets": assets,
        "properties": {"datetime": "2024-05-01T10:20:30Z"},
    }  # fmt: skip


@pytest.fixture(scope="module")
def served(store: RangeServer, certificate: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`geolabel serve` that may register what lies under /items of that server."""
    workspace = tmp_path_factory.mktemp("stac") / "ws"
    open_store(workspace, create=True).close()
    environment = {
        **os.environ, "SSL_CERT_FILE": str(certificate), "TILES_NETWORKS": '["127.0.0.0/8"]',
        "GEOLABEL_IMAGERY_HOSTS": json.dumps([f"{store.url}/items"]),
    }  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-m", "geolabel", "serve", "-w", str(workspace), "--port", "0"],
        env=environment, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    yield re.search(r"http://\S+", process.stdout.readline())[0].rstrip("/")
    process.terminate()
    process.communicate(timeout=30)


def ask(url: str, body: dict[str, Any] | None = None) -> tuple[int, bytes]:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def test_an_item_at_an_address_is_a_scene(served: str, store: RangeServer) -> None:
    status, body = ask(f"{served}/api/scenes", {"href": f"{store.url}/items/item.json"})
    assert status == 201, body
    scene = json.loads(body)
    assert (scene["id"], scene["datetime"]) == ("s2b_33uxp_20240501", "2024-05-01T10:20:30Z")
    assert [band["name"] for band in scene["bands"]] == list(BANDS)
    status, body = ask(f"{served}/api/scenes/{scene['id']}/tiles/native/2/1/0.npy")
    assert status == 200, body
    shown = np.load(BytesIO(body))
    for i, band in enumerate(BANDS):
        with rasterio.MemoryFile(store.files[f"/items/S2_{band}.tif"]) as file, file.open() as near:
            np.testing.assert_array_equal(shown[i], near.read(1, window=((0, 256), (256, 512))))
    assert ask(f"{served}/api/scenes/{scene['id']}/preview.png?preset=ndvi")[0] == 200


@pytest.mark.parametrize(
    ("name", "status", "says"),
    [
        ("/items/outside.json", 403, "is not one that rasters may be on"),
        ("/items/climbing.json", 403, "is not one that rasters may be on"),
        ("/items/inside.json", 403, "'169.254.169.254' is not one that rasters may be on"),
        ("/items/local.json", 403, "No raster may be registered over HTTP here"),
        ("/items/list.json", 422, "expected an item (a Feature with a stac_version), got a FeatureCollection"),
        ("/items/none.json", 422, "There is no file at"),
        ("/elsewhere/item.json", 403, "is not one that rasters may be on"),
    ],
)
def test_what_an_item_may_not_name(served: str, store: RangeServer, name: str, status: int, says: str) -> None:
    before = len(store.asked)
    answered, body = ask(f"{served}/api/scenes", {"href": f"{store.url}{name}"})
    assert answered == status, body
    assert says in json.loads(body)["detail"]
    assert not any(path.startswith("/elsewhere") for path, _, _ in store.asked[before:])
    assert ask(f"{served}/healthz")[0] == 200


def test_the_command_line_takes_an_address_and_its_assets(
    store: RangeServer, certificate: Path, tmp_path: Path
) -> None:
    def add(**environment: str) -> subprocess.CompletedProcess[str]:
        command = (
            "scene",
            "add",
            f"{store.url}/items/item.json",
            "--assets",
            "nir,red",
            "--json",
            "-w",
            tmp_path / "ws",
        )
        return subprocess.run(
            [sys.executable, "-m", "geolabel", *map(str, command)],
            env={**os.environ, "TILES_NETWORKS": '["127.0.0.0/8"]', **environment},
            capture_output=True, text=True, check=False,
        )  # fmt: skip

    open_store(tmp_path / "ws", create=True).close()
    unknown = add()
    assert unknown.returncode == 1
    assert "its certificate cannot be verified" in " ".join(unknown.stderr.split())
    made = add(SSL_CERT_FILE=str(certificate))
    assert made.returncode == 0, made.stderr
    [scene] = json.loads(made.stdout)["scenes"]
    assert [band["name"] for band in scene["bands"]] == ["nir", "red"]
