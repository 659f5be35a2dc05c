"""Tiles of a scene all at once: into the cache that the server reads, and into one file for the field."""

from __future__ import annotations

import json
import os
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
