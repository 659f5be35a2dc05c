"""A disk that fills up in the middle of an export: a sentence, nothing under its name, and with room it goes on."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
import rasterio
import shapely

from geolabel import workflows
from geolabel.chips.spec import ChipSpec
from geolabel.errors import StorageFull
from geolabel.model import NewAnnotation
from geolabel.store import room
from geolabel.store.store import open_store
from tests.disks import fill

if TYPE_CHECKING:
    from pathlib import Path

MAPS = ("flatgeobuf", "geojson", "geoparquet", "gpkg", "kml", "shapefile")
CHIPS = ("coco", "mask-semantic")
SPEC = ChipSpec(size=64)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """96 chips of noise, which no codec makes smaller, and shapes of many vertices: some 5 MB of each."""
    folder = tmp_path_factory.mktemp("full")
    lot = np.random.default_rng(7)
    transform = rasterio.Affine(0.5, 0, 500_000, 0, -0.5, 5_000_000)
    profile = {"width": 768, "height": 512, "count": 12, "dtype": "uint8", "crs": "EPSG:32633", "transform": transform}
    with rasterio.open(folder / "scene.tif", "w", driver="GTiff", **profile) as target:
        target.write(lot.integers(1, 255, (12, 512, 768), dtype=np.uint8))
    with open_store(folder / "ws", create=True) as store:
        scene = workflows.add_scene(store, folder / "scene.tif")
        workflows.create_project(store, "Land", scenes=[scene.id], classes=["water"])
        centres = lot.uniform((500_005, 4_999_750), (500_379, 4_999_995), (700, 2))
        shapes = [shapely.Point(centre).buffer(4, quad_segs=125) for centre in centres]
        store.create("land", [NewAnnotation(shape, "water") for shape in shapes])
    return folder / "ws"


def digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def expected(workspace: Path) -> dict[str, str]:
    with open_store(workspace) as store:
        workflows.export(store, "land", workspace.parent / "expected", CHIPS, SPEC, engine="serial")
    return digests(workspace.parent / "expected")


@pytest.mark.parametrize("engine", ["serial", "processes:2"])
def test_chips_go_on_when_there_is_room(engine: str, workspace: Path, disk: Path, expected: dict[str, str]) -> None:
    filler = fill(disk, leave=10_700_000)
    with open_store(workspace) as store:
        with pytest.raises(StorageFull) as caught:
            workflows.export(store, "land", disk / "out", CHIPS, SPEC, engine=engine)
        assert str(caught.value) == (
            f"The export was stopped, because the disk of {disk} is full: it needs more than the 10.7 MB that were free when it "
            "began. Nothing of it was kept: make room."
        )
        assert str(disk) not in caught.value.public
        assert [path.name for path in disk.iterdir()] == ["filler"]
        with pytest.raises(StorageFull, match="What is done is kept: make room, and go on with --resume"):
            workflows.export(store, "land", disk / "out", CHIPS, SPEC, engine=engine, resume=True)
        assert sorted(path.name for path in disk.iterdir()) == [".out.partial", "filler"]
        done = {path.name: path.stat().st_mtime_ns for path in (disk / ".out.partial/images").rglob("*.tif")}
        filler.unlink()
        workflows.export(store, "land", disk / "out", CHIPS, SPEC, engine=engine, resume=True)
    assert digests(disk / "out") == expected
    now = {path.name: path.stat().st_mtime_ns for path in (disk / "out/images").rglob("*.tif")}
    assert sum(now[name] == written for name, written in done.items()) >= 32, "a part that was done is not done again"


@pytest.mark.parametrize("name", MAPS)
@pytest.mark.parametrize("left", [20_000, 5_800_000])
def test_maps(name: str, left: int, workspace: Path, disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """5.8 MB hold the rows, and not also what GDAL makes of them: of KML it does not say that it could not write it."""
    monkeypatch.setattr(room, "RESERVE", 0)
    filler = fill(disk, leave=left)
    with open_store(workspace) as store:
        if name != "geoparquet" or left < 5_000_000:
            with pytest.raises(StorageFull, match=r"The export was stopped, because the disk of .* is full"):
                workflows.export(store, "land", disk / "out", [name], SPEC)
            assert [path.name for path in disk.iterdir()] == ["filler"]
        filler.unlink()
        assert workflows.export(store, "land", disk / "out", [name], SPEC).annotations == 700


def test_a_limit_for_files_at_the_command_line(workspace: Path, tmp_path: Path) -> None:
    """Who may write no file of more than a megabyte, as quotas do it."""
    script = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000,) * 2);"
        "sys.argv[0] = 'geolabel'; from geolabel.cli import main; main()"
    )
    command = [
        sys.executable,
        "-c",
        script,
        "export",
        "land",
        str(tmp_path / "out"),
        "--format",
        "coco",
        "-w",
        str(workspace),
    ]
    options = ["--size", "64", "--engine", "serial"]
    done = subprocess.run(
        [*command, *options], check=False, capture_output=True, text=True, env={**os.environ, "COLUMNS": "400"}
    )
    assert done.returncode == 1
    assert done.stderr.startswith(
        "Error: The export was stopped, because a file would have grown beyond the size that is allowed"
    )
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []
