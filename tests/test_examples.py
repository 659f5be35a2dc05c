"""The examples, run as their docstrings say."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import geolabel

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
KAMPALA = "pairs/kampala_rgb_buildings"


def _run(*command: object, path: str = "") -> str:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, [path, os.environ.get("PYTHONPATH", "")]))}
    done = subprocess.run(
        [sys.executable, *map(str, command)], capture_output=True, text=True, check=False, env=environment, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def exported(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("example")
    pair = data / KAMPALA
    said = _run(
        EXAMPLES / "01_label_and_export.py", pair / "kampala_z20_rgb.tif", pair / "buildings.geojson", "building", out
    )
    assert "108 labels, 1 of them repaired, 0 outside the scene" in said
    return out


def test_labels_become_a_dataset(exported: Path) -> None:
    assert (exported / "dataset/contact-sheet.png").is_file()


def test_pixels_go_back_to_the_map(exported: Path) -> None:
    assert _run(EXAMPLES / "02_pixels_to_map.py", exported / "dataset").count("EPSG:3857") == 5


def test_a_dataset_is_what_pytorch_takes(exported: Path) -> None:
    said = _run(EXAMPLES / "05_pytorch_dataset.py", exported / "dataset").splitlines()
    assert said[0].split()[1:3] == ["chips", "of"]
    assert said[1].startswith("building: ")


def test_predictions_become_suggestions(exported: Path) -> None:
    workspace = exported / "workspace"
    said = _run(EXAMPLES / "04_predictions.py", exported / "dataset", workspace, "example")
    assert "suggestions of bright@1 from results.json in example" in said
    with geolabel.open(workspace) as opened:
        frame = opened.project("example").annotations()
        found = frame[frame["source"] == "model:bright@1"]
        assert len(found) > 3
        assert set(found["status"]) == {"suggested"}
        changeset = opened.project("example").changesets()[0]
        opened.project("example").revert(changeset.number)
        assert opened.project("example").counts() == {"building": 108}


def test_any_http_client_can_label(exported: Path) -> None:
    workspace = exported / "workspace"
    server = subprocess.Popen(
        [sys.executable, "-m", "geolabel", "serve", "-w", str(workspace), "--port", "0"],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stdout is not None
        address = next(word for word in server.stdout.readline().split() if word.startswith("http"))
        said = _run(EXAMPLES / "03_ogc_api.py", address.rstrip("/"), "example", "building").splitlines()
    finally:
        server.terminate()
        server.communicate(timeout=20)
    assert [line.split()[:2] for line in said] == [
        ["created", "201"],
        ["changed", "200"],
        ["refused", "412"],
        ["deleted", "204"],
    ]
    with geolabel.open(workspace) as opened:
        assert opened.project("example").counts() == {"building": 108}


def test_the_example_plugin_adds_its_format(exported: Path, tmp_path: Path) -> None:
    """What `pip install` would leave: the module and its entry point on the path."""
    plugin = EXAMPLES / "example_plugin"
    declared = tomllib.loads((plugin / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    info = tmp_path / "site" / "geolabel_centroids-0.1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {declared['name']}\nVersion: {declared['version']}\n")
    [(name, value)] = declared["entry-points"]["geolabel"].items()
    (info / "entry_points.txt").write_text(f"[geolabel]\n{name} = {value}\n")
    out = tmp_path / "out"
    options = ("--format", "centroids", "--size", "512", "-w", exported / "workspace")
    _run("-m", "geolabel", "export", "example", out, *options, path=f"{plugin}{os.pathsep}{info.parent}")
    with (out / "centroids.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len({row["annotation"] for row in rows}) == 108
    assert all(0 <= float(row["x"]) <= 512 and row["class"] == "building" for row in rows)
