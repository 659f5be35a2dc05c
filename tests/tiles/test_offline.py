"""Tiles of a scene all at once: into the cache that the server reads, and into one file for the field."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pyogrio
import pytest
from fastapi.testclient import TestClient
from pmtiles.reader import MmapSource, Reader, all_tiles
from pmtiles.tile import TileType
from typer.testing import CliRunner

from geolabel.app import create_app
from geolabel.cli import app as cli
from geolabel.errors import GeolabelError
from geolabel.settings import Settings
from geolabel.store.store import open_store
from geolabel.workflows import add_scene

try:
    import pty
except ImportError:  # Windows
    pty = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def workspace(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("offline") / "ws"
    run(folder, "init", folder)
    run(folder, "scene", "add", data / "pairs/kampala_rgb_buildings/kampala_z19_rgb.tif")
    return folder


def run(folder: Path, *arguments: object, code: int = 0) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "geolabel", *map(str, arguments)],
        env={**os.environ, "GEOLABEL_WORKSPACE": str(folder)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout if code == 0 else " ".join(done.stderr.split())


def test_a_warmed_server_draws_nothing(workspace: Path) -> None:
    report = json.loads(run(workspace, "tiles", "warm", "kampala_z19_rgb", "--zoom", "17-18", "--json"))
    assert report["zooms"] == [17, 18]
    with TestClient(create_app(Settings(workspace=workspace)), base_url="http://localhost") as client:
        described = client.get("/api/scenes/kampala_z19_rgb/WebMercatorQuad/tilejson.json").json()
        west, south, east, north = described["bounds"]
        n = 2**18
        x = int((west + east) / 2 / 360 * n + n / 2)
        y = int((1 - np.arcsinh(np.tan(np.radians((south + north) / 2))) / np.pi) / 2 * n)
        before = client.get("/metrics").text
        tile = client.get(described["tiles"][0].format(z=18, x=x, y=y))
        after = client.get("/metrics").text
    assert tile.status_code == 200
    assert tile.headers["content-type"] == "image/webp"
    counts = [
        {
            line.split()[0]: float(line.split()[1])
            for line in text.splitlines()
            if line.startswith("geolabel_tile_cache")
        }
        for text in (before, after)
    ]
    hit, miss = (f'geolabel_tile_cache_total{{cache="disk",result="{kind}"}}' for kind in ("hit", "miss"))
    assert counts[1].get(hit, 0) == counts[0].get(hit, 0) + 1
    assert counts[1].get(miss, 0) == counts[0].get(miss, 0)


def test_how_far_it_is_shows_where_people_look(workspace: Path) -> None:
    """On a terminal: a bar with the tiles that are there; what is left on the screen is the sentence."""
    if pty is None:  # Windows
        return
    shown, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "geolabel", "tiles", "warm", "kampala_z19_rgb", "--zoom", "15-21", "--format", "png"],
        env={**os.environ, "GEOLABEL_WORKSPACE": str(workspace), "TERM": "xterm", "COLUMNS": "100"},
        stdout=subprocess.PIPE, stderr=terminal, text=True,
    )  # fmt: skip
    os.close(terminal)
    seen = b""
    with contextlib.suppress(OSError):  # its end
        while part := os.read(shown, 65536):
            seen += part
    os.close(shown)
    said, _ = process.communicate()
    assert process.returncode == 0
    counts = [int(n) for n in re.findall(rb"(\d+) of \d+ tiles", seen)]
    assert counts == sorted(counts)
    assert len(set(counts)) > 1
    assert b"100 %" in seen
    assert said == f"{counts[-1]} tiles of kampala_z19_rgb at zoom 15 to 21 are in the cache.\n"


@pytest.mark.postgis
def test_a_workspace_in_a_database_keeps_its_tiles_in_its_own_folder(
    data: Path, postgres, tmp_path, monkeypatch
) -> None:
    """Two workspaces of one server and one user: two folders, whatever the way to the database."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("GEOLABEL_DATA_DIR", raising=False)
    folders = []
    for name in ("tiles_one", "tiles_two"):
        postgres.sql(f"CREATE DATABASE {name}")
        url = f"{postgres.url}/{name}"
        try:
            with open_store(url, create=True) as store:
                add_scene(store, data / "pairs/kampala_rgb_buildings/kampala_z19_rgb.tif")
                folders.append(store.folder)
            assert not (folders[-1] / "cache").exists()
            run(url, "tiles", "warm", "kampala_z19_rgb", "--zoom", "16")
            assert any((folders[-1] / "cache" / "tiles").rglob("*"))
            with TestClient(create_app(Settings(workspace=url)), base_url="http://localhost") as client:
                before = len([file for file in (folders[-1] / "cache" / "tiles").rglob("*") if file.is_file()])
                scene = client.get("/api/scenes/kampala_z19_rgb/WebMercatorQuad/tilejson.json").json()
                z, (west, south, *_) = 17, scene["bounds"]
                x = int((west + 180) / 360 * 2**z)
                y = int((1 - np.arcsinh(np.tan(np.radians(south))) / np.pi) / 2 * 2**z)
                assert client.get(scene["tiles"][0].format(z=z, x=x, y=y)).status_code == 200
                after = len([file for file in (folders[-1] / "cache" / "tiles").rglob("*") if file.is_file()])
            assert after == before + 1
        finally:
            postgres.sql(f"DROP DATABASE {name} WITH (FORCE)")
    assert len(set(folders)) == 2


def test_a_pmtiles_file_holds_the_tiles_of_the_server(workspace: Path, tmp_path: Path) -> None:
    out = tmp_path / "field.pmtiles"
    report = json.loads(
        run(workspace, "tiles", "export", "kampala_z19_rgb", out, "--zoom", "15-18", "--format", "png", "--json")
    )
    assert report["bytes"] == out.stat().st_size
    with out.open("rb") as file:
        source = MmapSource(file)
        reader = Reader(source)
        header, metadata = reader.header(), reader.metadata()
        held = dict(all_tiles(source))
        assert header["tile_type"] == TileType.PNG
        assert (header["min_zoom"], header["max_zoom"], header["clustered"]) == (15, 18, True)
        assert metadata["name"] == "kampala_z19_rgb"
        assert len(held) == report["tiles"]
        with TestClient(create_app(Settings(workspace=workspace)), base_url="http://localhost") as client:
            bounds = client.get("/api/scenes/kampala_z19_rgb").json()["bounds"]
            for (z, x, y), content in held.items():
                assert (
                    client.get(f"/api/scenes/kampala_z19_rgb/tiles/WebMercatorQuad/{z}/{x}/{y}.png").content == content
                )
        assert [header[f"{k}_e7"] / 1e7 for k in ("min_lon", "min_lat", "max_lon", "max_lat")] == pytest.approx(
            bounds, abs=1e-6
        )
    # GDAL finds the same tiles through a file system of its own.
    listed = {path.removeprefix(f"/vsipmtiles/{out}/") for path in pyogrio.vsi_listtree(f"/vsipmtiles/{out}", "*.png")}
    assert listed == {f"{z}/{x}/{y}.png" for z, x, y in held}


def test_what_cannot_be_exported_is_said(workspace: Path, tmp_path: Path) -> None:
    scene = "kampala_z19_rgb"
    (tmp_path / "there.pmtiles").touch()
    out = tmp_path / "new.pmtiles"
    for arguments, says in {
        ("export", scene, tmp_path / "there.pmtiles"): "there.pmtiles is already there; --overwrite replaces it",
        ("export", scene, out, "--zoom", "9-99"): "The zoom levels '9-99' cannot be used: expected 0 to 24",
        ("export", scene, out, "--zoom", "ten"): "The zoom levels 'ten' cannot be read: expected one, or first-last",
        ("export", scene, out, "--style", "colour=red"): "The parameter 'colour' is not known; expected any of",
        ("export", scene, out, "--format", "bmp"): "The format 'bmp' is not known; expected one of png, jpg, webp",
        ("export", scene, tmp_path / "no" / "folder.pmtiles"): "No such file or directory",
        ("warm", "nothing"): "There is no scene 'nothing'",
    }.items():
        done = CliRunner().invoke(cli, ["tiles", *map(str, arguments), "-w", str(workspace)])
        assert done.exit_code == 1
        assert isinstance(done.exception, GeolabelError | OSError)
        assert says in str(done.exception)
    assert [path.name for path in tmp_path.iterdir()] == ["there.pmtiles"]
