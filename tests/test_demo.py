"""`geolabel demo`: made once, found the second time, also with the user's own raster."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import geolabel

if TYPE_CHECKING:
    from pathlib import Path


def _demo(folder: Path, *arguments: object) -> str:
    command = [sys.executable, "-m", "geolabel", "demo", folder, "--no-serve", *arguments]
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, check=True, timeout=200).stdout


def test_the_demo_is_made_once_and_leaves_work_for_the_user(tmp_path: Path) -> None:
    assert "Made project 'land-use'" in _demo(tmp_path / "demo", "--export", tmp_path / "dataset")
    assert (tmp_path / "dataset/coco/train.json").is_file()
    with geolabel.open(tmp_path / "demo") as workspace:
        [scene] = workspace.scenes()
        assert scene.synthetic
        assert scene.grid.crs == "EPSG:32633"
        assert (scene.grid.width, scene.grid.height, len(scene.bands)) == (4096, 4096, 4)
        assert scene.warnings == ()
        labels = workspace.project("land-use").annotations()
        assert set(labels["class"]) == {"water", "forest", "cropland", "grassland", "road", "building"}
        a, _, west, _, _, _ = scene.grid.transform
        assert labels.total_bounds[2] <= west + 0.55 * 4096 * a  # the east is left to be labelled
        raster = (tmp_path / "demo/sample.tif").stat()
    assert "Found project 'land-use'" in _demo(tmp_path / "demo")
    with geolabel.open(tmp_path / "demo") as workspace:
        assert len(workspace.project("land-use").annotations()) == len(labels)
        assert [s.version for s in workspace.scenes()] == [scene.version]
    assert (tmp_path / "demo/sample.tif").stat() == raster


def test_the_demo_takes_your_raster(data: Path, tmp_path: Path) -> None:
    raster = data / "pairs/atlanta_pan16_buildings/atlanta_pan.tif"
    assert "Made project 'atlanta_pan'" in _demo(tmp_path / "demo", "--scene", raster)
    assert "Found project 'atlanta_pan'" in _demo(tmp_path / "demo", "--scene", raster)
    with geolabel.open(tmp_path / "demo") as workspace:
        assert [(s.id, s.synthetic) for s in workspace.scenes()] == [("atlanta_pan", False)]
        project = workspace.project("atlanta_pan")
        assert project.info.crs == "EPSG:32616"
        assert sum(project.counts().values()) == 0
        assert len(project.info.classes) == 6
