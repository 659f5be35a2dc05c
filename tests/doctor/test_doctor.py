"""The doctor finds what is wrong; and its probes fail when what they try is not held off (row 5)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from geolabel.cli import app
from geolabel.settings import Settings
from geolabel.store.store import open_store
from geolabel.workflows import add_scene
from tiles.probes import POISON, PROBES
from tiles.settings import TilesSettings

if TYPE_CHECKING:
    from pathlib import Path


def try_probes(*arguments: str) -> dict[str, dict]:
    run = subprocess.run(
        [sys.executable, "-m", "tiles.probes", *arguments],
        env={**os.environ, **POISON}, capture_output=True, text=True, check=False, timeout=250,
    )  # fmt: skip
    found = [json.loads(line) for line in run.stdout.splitlines() if line.startswith("{")]
    assert len(found) == len(PROBES) >= 12, run.stderr
    return {line["name"]: line for line in found}


def test_every_attack_is_held_off_whatever_the_environment_says() -> None:
    assert {name for name, line in try_probes().items() if not line["held"]} == set()


def test_every_probe_fails_without_its_protection() -> None:
    found = try_probes("--without")
    assert {name for name, line in found.items() if line["held"]} == set()
    assert {line["detail"] for line in found.values()} == {""}  # the attack got through; it did not stumble


def doctor(*arguments: object, **environment: str) -> dict:
    done = CliRunner().invoke(app, ["doctor", "--json", *map(str, arguments)], env=environment)
    report = json.loads(done.stdout)
    assert done.exit_code == (1 if report["faults"] else 0)
    return report


@pytest.fixture
def workspace(tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("geolabel.doctor._attacks", lambda: iter(()))  # tried above, and slow
    raster = tmp_path / "a.tif"
    raster.write_bytes((data / "pairs/kampala_rgb_buildings/kampala_z19_rgb.tif").read_bytes())
    store = open_store(tmp_path / "ws", create=True)
    add_scene(store, raster)
    store.close()
    return tmp_path / "ws"


def findings(report: dict, area: str) -> list[tuple[str, str]]:
    return [(f["state"], f["detail"]) for f in report["findings"] if f["area"] == area]


def test_a_workspace_in_order(workspace: Path) -> None:
    report = doctor("-w", workspace)
    assert report["faults"] == 0
    assert findings(report, "database") == [("ok", f"{workspace}: 1 scenes, 0 projects.")]
    assert findings(report, "scenes") == [("ok", "All are where they were registered, and unchanged.")]
    named = {f["name"] for f in report["findings"] if f["area"] == "settings"}
    assert named >= {f"GEOLABEL_{name.upper()}" for name in Settings.model_fields}
    assert named >= {f"TILES_{name.upper()}" for name in TilesSettings.model_fields}


def test_what_is_wrong_is_found(workspace: Path) -> None:
    (workspace / "workspace.gpkg").chmod(0o666)
    raster = workspace.parent / "a.tif"
    os.utime(raster, (1, 1))
    report = doctor("-w", workspace)
    (right,) = [detail for state, detail in findings(report, "rights") if state == "fault"]
    assert "Everybody on this machine may write to" in right
    assert findings(report, "scenes") == [
        ("note", "Their files changed since they were registered: a. `geolabel scene relink` takes them up.")
    ]
    raster.unlink()
    ((state, detail),) = findings(doctor("-w", workspace), "scenes")
    assert state == "fault"
    assert "a: Expected a raster file at" in detail


def test_settings_that_cannot_be_used_are_faults(workspace: Path) -> None:
    for name, value in {"GEOLABEL_IMAGERY_HOSTS": '["user@host"]', "TILES_NETWORKS": '["10.0.0.0/99"]'}.items():
        report = doctor("-w", workspace, **{name: value})
        assert any(state == "fault" and name in detail for state, detail in findings(report, "settings"))


def test_a_folder_without_a_workspace_is_only_a_note(workspace: Path) -> None:
    report = doctor("-w", workspace.parent / "none")
    assert report["faults"] == 0
    ((state, detail),) = findings(report, "database")
    assert (state, "There is no workspace in" in detail) == ("note", True)
