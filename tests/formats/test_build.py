"""Whoever builds a dataset, and however often it was killed: the same bytes, and nothing half done under its name."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine

from geolabel import formats, workflows
from geolabel.chips.spec import ChipSpec
from geolabel.errors import AlreadyExists, Cancelled, InvalidSpec, NotAllowed, NotFound
from geolabel.formats import staging
from geolabel.formats.files import LocalFiles
from geolabel.formats.parts import CHIPS, chips_a_part, read_record
from geolabel.model import NewAnnotation
from geolabel.store.store import Store, open_store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FORMATS = formats.names()  # whatever comes to them has to be the same, too
FEW = ("coco", "geojson", "mask-semantic", "yolo")
SPEC = ChipSpec(size=32, split=(0.6, 0.2, 0.2), split_block=2, seed=5)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("build")
    pixels = np.random.default_rng(1).integers(1, 255, (3, 352, 352), dtype=np.uint8)
    transform = Affine(0.5, 0, 500_000, 0, -0.5, 5_000_000)
    with rasterio.open(
        folder / "scene.tif", "w", driver="GTiff", width=352, height=352, count=3, dtype="uint8", crs="EPSG:32633", transform=transform
    ) as target:  # fmt: skip
        target.write(pixels)
    with open_store(folder / "ws", create=True) as store:
        scene = workflows.add_scene(store, folder / "scene.tif")
        workflows.create_project(
            store, "Land", scenes=[scene.id], classes=["water", "forest", {"name": "road", "kind": "stuff"}]
        )
        lot = np.random.default_rng(2)
        centres = lot.uniform((500_000, 4_999_824), (500_176, 5_000_000), (90, 2))
        shapes = [
            shapely.Point(centre).buffer(radius) for centre, radius in zip(centres, lot.uniform(1, 9, 90), strict=True)
        ]
        shapes += [shapely.LineString(shape.exterior.coords) for shape in shapes[:5]] + [
            shapely.Point(centre) for centre in centres[:5]
        ]
        shapes[7] = shapes[7].difference(shapes[7].centroid.buffer(1))
        names = ("water", "forest", "road")
        store.create("land", [NewAnnotation(shape, names[n % 3]) for n, shape in enumerate(shapes)])
    return folder / "ws"


@pytest.fixture
def store(workspace: Path) -> Iterator[Store]:
    with open_store(workspace) as opened:
        yield opened


def digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def undisturbed(workspace: Path, out: Path, formats: tuple[str, ...]) -> dict[str, str]:
    """The dataset as one process builds it that nobody disturbs."""
    with open_store(workspace) as store:
        report = workflows.export(store, "land", out, formats, SPEC, engine="serial")
    assert sum(report.chips.values()) > 3 * CHIPS
    assert not (out / ".build").exists()
    return digests(out)


@pytest.fixture(scope="module")
def expected(workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """In every format."""
    return undisturbed(workspace, tmp_path_factory.mktemp("expected") / "out", FORMATS)


@pytest.fixture(scope="module")
def few(workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """In some formats, for what is the same with all of them."""
    return undisturbed(workspace, tmp_path_factory.mktemp("few") / "out", FEW)


@pytest.mark.parametrize("engine", ["processes:1", "processes:3", "dask"])
def test_every_engine_builds_the_same_bytes(
    engine: str, store: Store, expected: dict[str, str], tmp_path: Path
) -> None:
    if engine == "dask":
        from distributed import LocalCluster

        with LocalCluster(n_workers=2, threads_per_worker=2, dashboard_address=None, memory_limit=0) as cluster:
            workflows.export(store, "land", tmp_path / "out", FORMATS, SPEC, engine=f"dask:{cluster.scheduler_address}")
    else:
        workflows.export(store, "land", tmp_path / "out", FORMATS, SPEC, engine=engine)
    assert digests(tmp_path / "out") == expected


@pytest.mark.parametrize(
    ("edge", "chips"), [(1, CHIPS), (512, CHIPS), (513, CHIPS - 1), (1024, 8), (2896, 1), (100_000, 1)]
)
def test_a_part_has_fewer_chips_where_they_are_large(edge: int, chips: int) -> None:
    assert chips_a_part(edge * edge) == chips


def stop_after(parts: int) -> object:
    """A progress that stops the work, as a user does, when so many parts are done."""
    told = iter(range(1000))

    def stop(_share: float, message: str) -> None:
        if message.startswith("Chip") and next(told) == parts - 1:
            raise KeyboardInterrupt

    return stop


def begin(store: Store, out: Path, formats: tuple[str, ...] = FEW) -> Path:
    """An export that is stopped, and leaves what it has done."""
    progress: Any = stop_after(2)
    with pytest.raises(KeyboardInterrupt):
        workflows.export(store, "land", out, formats, SPEC, engine="serial", resume=True, progress=progress)
    return out.with_name(f".{out.name}.partial")


def test_what_is_done_is_not_done_again(store: Store, expected: dict[str, str], tmp_path: Path) -> None:
    left = begin(store, tmp_path / "out", FORMATS)
    record = read_record(LocalFiles(left), 0)
    assert record is not None
    built = {path: (left / path).stat().st_mtime_ns for path in record.written}
    assert not (tmp_path / "out").exists()
    workflows.export(store, "land", tmp_path / "out", FORMATS, SPEC, engine="processes:2", resume=True)
    assert digests(tmp_path / "out") == expected
    assert {path: (tmp_path / "out" / path).stat().st_mtime_ns for path in built} == built
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("damage", ["shorter", "gone", "record", "no records"])
def test_what_is_damaged_is_done_again(damage: str, store: Store, few: dict[str, str], tmp_path: Path) -> None:
    left = begin(store, tmp_path / "out")
    record = read_record(LocalFiles(left), 1)
    assert record is not None
    victim = left / next(iter(record.written))
    if damage == "shorter":
        victim.write_bytes(victim.read_bytes()[:-7])
    elif damage == "gone":
        victim.unlink()
    elif damage == "record":
        part = left / ".build" / "000001.part"
        part.write_bytes(part.read_bytes()[:-100])
    else:
        for part in (left / ".build").glob("*.part"):
            part.unlink()
    workflows.export(store, "land", tmp_path / "out", FEW, SPEC, engine="serial", resume=True)
    assert digests(tmp_path / "out") == few


def test_another_dataset_does_not_go_on(store: Store, few: dict[str, str], tmp_path: Path) -> None:
    begin(store, tmp_path / "out")
    with pytest.raises(InvalidSpec, match="The export that was stopped here was another one"):
        workflows.export(store, "land", tmp_path / "out", FEW[:2], SPEC, resume=True)
    workflows.export(store, "land", tmp_path / "out", FEW, SPEC, engine="serial")  # begins anew
    assert digests(tmp_path / "out") == few


def test_without_resume_nothing_is_left(store: Store, tmp_path: Path) -> None:
    for error in (KeyboardInterrupt, Cancelled("Stopped.")):

        def stop(share: float, _message: str, error: BaseException | type[BaseException] = error) -> None:
            if share > 0.3:
                raise error

        with pytest.raises((KeyboardInterrupt, Cancelled)):
            workflows.export(store, "land", tmp_path / "a" / "out", FEW, SPEC, engine="processes:2", progress=stop)
        assert not list(tmp_path.iterdir())


def test_two_at_once_are_one_too_many(store: Store, tmp_path: Path) -> None:
    with (
        staging.staged(tmp_path / "out"),
        pytest.raises(NotAllowed, match="Another export is writing .*out at this moment"),
    ):
        workflows.export(store, "land", tmp_path / "out", ["coco"], SPEC)
    with pytest.raises(AlreadyExists):
        workflows.export(store, "land", tmp_path / "out", ["coco"], SPEC)


def test_a_worker_that_does_not_see_the_folder_says_so(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LocalFiles, "__reduce__", lambda _self: (LocalFiles, (tmp_path / "elsewhere",)))
    with pytest.raises(NotFound, match="does not see the dataset's folder"):
        workflows.export(store, "land", tmp_path / "out", ["coco"], SPEC, engine="processes:1")


def run_and_kill(workspace: Path, out: Path, parts: int | None, *, workers_too: bool = True) -> bool:
    """Export by the command line and kill it when so many more parts are done; whether it had ended before."""
    command = [sys.executable, "-m", "geolabel", "export", "land", str(out), "-w", str(workspace), "--resume"]
    options = ["--size", "32", "--split", "0.6,0.2,0.2", "--split-block", "2", "--seed", "5", "--workers", "2"]
    records = out.with_name(f".{out.name}.partial") / ".build"
    before = len(list(records.glob("*.part")))
    with subprocess.Popen(
        [*command, "--format", ",".join(FORMATS), *options], start_new_session=True, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL
    ) as child:  # fmt: skip
        done = before
        while parts is not None and child.poll() is None:
            with suppress(FileNotFoundError):  # it ends just now, and they go first
                done = len(list(records.glob("*.part")))
            if done >= before + parts:
                if workers_too:
                    os.killpg(child.pid, signal.SIGKILL)
                else:
                    child.kill()  # its workers end by themselves, when they have done what they are at
                child.wait()
                return False
            time.sleep(0.005)
        _, said = child.communicate()
        assert child.returncode == 0, said
        return True


def kill_and_resume(workspace: Path, folder: Path, expected: dict[str, str], kills: int, seed: int) -> None:
    lot, done, number = random.Random(seed), 0, 0
    while done < kills:
        number += 1
        out = folder / f"out-{number}"
        while not run_and_kill(workspace, out, lot.randrange(3), workers_too=lot.random() < 0.5):
            assert not out.exists()
            done += 1
        assert digests(out) == expected
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]


def test_killed_builds_go_on_to_the_same_bytes(workspace: Path, expected: dict[str, str], tmp_path: Path) -> None:
    kill_and_resume(workspace, tmp_path, expected, kills=3, seed=0)


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_two_hundred_kills(workspace: Path, expected: dict[str, str], tmp_path: Path) -> None:
    kill_and_resume(workspace, tmp_path, expected, kills=200, seed=1)
