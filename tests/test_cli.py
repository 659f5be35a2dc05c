"""The command line as a person runs it: real processes, their words and exit codes."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest
from shapely.geometry import box

import geolabel
from geolabel import sample, workflows
from geolabel.cli.project import _read_mapping, _read_schema
from geolabel.errors import AlreadyExists, InvalidInput
from geolabel.model import NewAnnotation
from geolabel.store.store import open_store

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Run = Callable[..., subprocess.CompletedProcess[str]]

ELKTON = "pairs/elkton_l8_uint16_landcover"


@pytest.fixture
def run(tmp_path: Path) -> Run:
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("GEOLABEL_", "TILES_"))}

    def call(*arguments: object, code: int = 0, **settings: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "geolabel", *map(str, arguments)]
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, cwd=tmp_path, env=environment | settings, timeout=120
        )
        assert done.returncode == code, f"{done.args}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr
        return done

    return call


def test_the_main_job_step_by_step(run: Run, data: Path, tmp_path: Path) -> None:
    assert "Workspace ready" in run("init", "ws").stdout
    added = run("scene", "add", data / ELKTON / "l8_elkton_uint16.tif", "-w", "ws", "--datetime", "2019-05-01").stdout
    assert "EPSG:32617" in added
    assert "186 x 169 px, 8 bands, uint16" in added
    listed = json.loads(run("scene", "list", "-w", "ws", "--json").stdout)["scenes"]
    assert [(s["id"], s["crs"], s["datetime"]) for s in listed] == [
        ("l8_elkton_uint16", "EPSG:32617", "2019-05-01T00:00:00Z")
    ]
    run("project", "create", "Land cover", "--scene", "l8_elkton_uint16", "--classes", "forest, field", "-w", "ws")
    imported = run("import", "land-cover", data / ELKTON / "labels.geojson", "--class", "forest", "-w", "ws").stdout
    assert "Imported 3 of 3 features of labels.geojson into land-cover." in imported
    info = json.loads(run("project", "info", "land-cover", "-w", "ws", "--json").stdout)
    assert info["counts"] == {"forest": 3, "field": 0}
    dry = run("export", "land-cover", "out", "--size", "64", "--dry-run", "-w", "ws").stdout
    assert not (tmp_path / "out").exists()
    assert "9" in dry
    formats = "coco,geojson,mask-semantic"
    run(
        "export",
        "land-cover",
        "out",
        "--format",
        formats,
        "--size",
        "64",
        "--stride",
        "64",
        "--split",
        "0.7,0.2,0.1",
        "--split-block",
        "1",
        "-w",
        "ws",
    )
    for name in (
        "manifest.json",
        "chips.parquet",
        "coco/train.json",
        "geojson/land-cover.geojson",
        "contact-sheet.png",
        "report.html",
        "report.json",
    ):
        assert (tmp_path / "out" / name).is_file(), name
    again = run("export", "land-cover", "out", "--size", "64", "-w", "ws", code=1)
    assert re.search(r"Error: .*out.*(exists|already)", again.stderr)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("project", "list", "-w", "nowhere"), 1, "There is no workspace in"),
        (("scene", "add", "missing.tif", "-w", "ws"), 1, "missing.tif"),
        (("scene", "info", "nope", "-w", "ws"), 1, "nope"),
        (("project", "create", "X", "--classes", "a,b", "-w", "ws"), 1, "has no scene to take its CRS from"),
        (
            ("project", "create", "X", "--crs", "EPSG:4326", "--classes", "a,a", "-w", "ws"),
            1,
            "A class name may appear once",
        ),
        (
            ("project", "create", "X", "--crs", "nonsense", "--classes", "a", "-w", "ws"),
            1,
            "The CRS 'nonsense' cannot be read",
        ),
        (
            ("project", "create", "X", "--classes", "missing.yaml", "-w", "ws"),
            1,
            "missing.yaml cannot be read",
        ),
        (("import", "nope", "x.geojson", "-w", "ws"), 1, "x.geojson"),
        (("import", "nope", "x.geojson", "--on-invalid", "maybe", "-w", "ws"), 2, "expected reject, repair or skip"),
        (("export", "nope", "out", "-w", "ws"), 1, "nope"),
        (("export", "nope", "out", "--size", "0", "-w", "ws"), 1, "size must be"),
        (("export", "nope", "out", "--size", "many", "-w", "ws"), 2, "size must be a number"),
        (("export", "nope", "out", "--split", "a,b", "-w", "ws"), 2, "split must be numbers with commas"),
        (("serve", "--host", "0.0.0.0", "-w", "ws"), 1, "there are no accounts yet"),
        (("serve", "-w", "nowhere"), 1, "There is no workspace in"),
        (("serve", "--port", "99999", "-w", "ws"), 1, "The setting GEOLABEL_PORT cannot be read"),
        (("serve", "--host", "x" * 80, "--no-auth", "-w", "ws"), 1, "cannot be listened on"),
        (("frobnicate",), 2, "No such command"),
    ],
)
def test_what_goes_wrong_is_a_sentence_and_an_exit_code(
    run: Run, tmp_path: Path, arguments: tuple[str, ...], code: int, message: str
) -> None:
    geolabel.open(tmp_path / "ws", create=True).close()
    assert message in " ".join(run(*arguments, code=code).stderr.replace("│", " ").split())


def test_a_port_in_use_is_said(run: Run) -> None:
    run("init", "ws")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        refused = run("serve", "-w", "ws", "--port", port, code=1).stderr
    assert f"Port {port} on 127.0.0.1 cannot be used: Address already in use. Choose another with --port" in refused


def test_a_broken_settings_file_is_said(run: Run, tmp_path: Path) -> None:
    run("init", "ws")
    (tmp_path / "ws/geolabel.toml").write_text("port = 'many'\n")
    assert "The setting GEOLABEL_PORT cannot be read" in run("serve", "-w", "ws", code=1).stderr
    (tmp_path / "ws/geolabel.toml").write_text("port = [\n")
    assert "The settings cannot be read" in run("serve", "-w", "ws", code=1).stderr


def test_classes_come_from_a_file(run: Run, tmp_path: Path) -> None:
    run("init", "ws")
    (tmp_path / "classes.yaml").write_text(
        "classes:\n- name: water\n  color: '#0000FF'\n  kind: stuff\n- forest\n", encoding="utf-8"
    )
    made = json.loads(
        run("project", "create", "P", "--crs", "EPSG:32617", "--classes", "classes.yaml", "-w", "ws", "--json").stdout
    )
    assert [(c["id"], c["name"], c["color"], c["kind"], c["hotkey"]) for c in made["classes"]] == [
        (1, "water", "#0000ff", "stuff", "1"),
        (2, "forest", "#4478ff", "thing", "2"),
    ]


SCHEMA = """
classes: [water, {name: building, geometries: [polygon]}]
attributes:
- {name: roof, kind: enum, values: [flat, gable], classes: [building]}
- {name: storeys, kind: number, minimum: 1}
guidelines: |
  # Roofs
"""


def test_a_schema_comes_from_files_and_changes(run: Run, tmp_path: Path) -> None:
    def project(*arguments: str, code: int = 0) -> Any:
        done = run("project", *arguments, "-w", "ws", *(["--json"] if code == 0 else []), code=code)
        return json.loads(done.stdout) if code == 0 else done.stderr

    run("init", "ws")
    for name, text in {
        "schema.yaml": SCHEMA,
        "attributes.json": '[{"name": "roof", "kind": "enum", "values": ["flat"]}, "note_of_survey"]',
        "how.md": "Look *twice*.",
        "mapping.yaml": "attributes: {storeys: null}\nvalues: {roof: {gable: flat}}\n",
        "bad.yaml": "clases: []",
    }.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    made = project(
        *("create", "P", "--crs", "EPSG:32617", "--classes", "schema.yaml", "--require-if-match"),
        *("--unlabelled", "background", "--on-invalid", "skip"),
    )
    assert [a["name"] for a in made["attributes"]] == ["roof", "storeys"]
    assert (made["guidelines"], made["require_if_match"], made["on_invalid"]) == ("# Roofs\n", True, "skip")
    wrong = project("update", "p", "--on-invalid", "mend", code=1)
    assert "The rule for invalid shapes is reject, repair or skip, got 'mend'." in " ".join(wrong.split())
    with open_store(tmp_path / "ws") as store:
        for roof in ("flat", "gable"):
            values = {"roof": roof, "storeys": 2}
            store.create("p", [NewAnnotation(box(5e5, 4e6, 5e5 + 9, 4e6 + 9), "building", attributes=values)])
    refused = project("update", "p", "--attributes", "attributes.json", code=1)
    assert "/attributes/roof: 1 labels have the value 'gable' of 'roof', which it does not take" in refused
    changed = project(
        *("update", "p", "--title", "Houses", "--attributes", "attributes.json", "--guidelines", "how.md"),
        *("--map", "mapping.yaml", "--map", "building=house", "--no-require-if-match", "--unlabelled", "ignore"),
        *("--on-invalid", "repair"),
    )
    assert changed["counts"] == {"water": 0, "house": 2}
    assert [(a["name"], a["values"], a["classes"]) for a in changed["attributes"]] == [
        ("roof", ["flat"], ["house"]),
        ("note_of_survey", [], []),
    ]
    settings = ("title", "guidelines", "require_if_match", "unlabelled", "on_invalid")
    assert [changed[n] for n in settings] == ["Houses", "Look *twice*.", False, "ignore", "repair"]
    shown = run("project", "info", "p", "-w", "ws").stdout
    assert "roof                     one of flat, for house" in shown


def test_schema_files_that_cannot_be(tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text("clases: []", encoding="utf-8")
    for read, message in (
        (lambda: _read_schema(str(bad), None, None), "bad.yaml holds a list of classes, or an object with 'classes'"),
        (lambda: _read_schema("", bad, None), "bad.yaml has no list of attributes: expected names or objects such as"),
        (lambda: _read_schema("", None, tmp_path / "missing.md"), "missing.md cannot be read"),
        (lambda: _read_mapping(["nonsense"]), "A mapping is OLD=NEW, or a YAML or JSON file; got 'nonsense'"),
        (lambda: _read_mapping([str(tmp_path / "missing.yaml")]), "missing.yaml cannot be read"),
    ):
        with pytest.raises(InvalidInput, match=re.escape(message)):
            read()
    assert _read_mapping(["a=b", "c = d"]) == {"classes": {"a": "b", "c": "d"}}


def test_relink_takes_only_the_same_grid(run: Run, data: Path, tmp_path: Path) -> None:
    run("init", "ws")
    original = data / ELKTON / "l8_elkton_uint16.tif"
    moved = tmp_path / "moved.tif"
    moved.write_bytes(original.read_bytes())
    run("scene", "add", original, "-w", "ws")
    assert str(moved) in run("scene", "relink", "l8_elkton_uint16", moved, "-w", "ws").stdout
    other = run(
        "scene", "relink", "l8_elkton_uint16", data / ELKTON / "l8_elkton_pan15m.tif", "-w", "ws", code=1
    ).stderr
    assert "is not the raster of scene 'l8_elkton_uint16': expected 186 x 169 px, 8 bands" in " ".join(other.split())
    run("scene", "remove", "l8_elkton_uint16", "-w", "ws")
    assert "No scenes yet" in run("scene", "list", "-w", "ws").stdout


def test_serve_answers_and_stops_when_asked(run: Run, tmp_path: Path) -> None:
    run("init", "ws")
    server = subprocess.Popen(
        [sys.executable, "-m", "geolabel", "serve", "-w", "ws", "--port", "0"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stdout is not None
        line = server.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:\d+/", line)
        assert found, line
        with urllib.request.urlopen(found[0] + "healthz", timeout=10) as answer:
            assert answer.status == 200
    finally:
        server.send_signal(signal.SIGTERM)
        _, errors = server.communicate(timeout=20)
    assert "Traceback" not in errors


def test_titles_with_markup_stay_text(run: Run, data: Path) -> None:
    run("init", "ws")
    run("scene", "add", data / ELKTON / "l8_elkton_uint16.tif", "-w", "ws")
    title = "forest [/b] [red]"
    run("project", "create", title, "--scene", "l8_elkton_uint16", "--classes", "a", "-w", "ws")
    assert title in run("project", "list", "-w", "ws").stdout


def test_a_setting_of_the_tiles_that_cannot_be_read_is_said(run: Run, data: Path) -> None:
    run("init", "ws")
    for arguments in (("serve", "-w", "ws", "--port", 0), ("scene", "add", data / "images/RGB.byte.tif", "-w", "ws")):
        assert "The setting TILES_CACHE_MB cannot be read" in run(*arguments, code=1, TILES_CACHE_MB="many").stderr


def test_a_demo_that_was_stopped_halfway_is_completed(tmp_path: Path, data: Path) -> None:
    raster = tmp_path / "ws/sample.tif"
    with open_store(tmp_path / "ws", create=True) as store:
        shutil.copy(data / "images/RGB.byte.tif", raster)
        scene = workflows.add_scene(store, raster)
        workflows.create_project(store, workflows.DEMO_PROJECT, scenes=[scene.id], classes=sample.CLASSES)
        _, made = workflows.make_demo(store)
        assert not made
        first = store.count("land-use")
        assert first > 0
        workflows.make_demo(store)
        assert store.count("land-use") == first
        other = shutil.copy(raster, tmp_path / "Land use.tif")
        with pytest.raises(AlreadyExists, match="of another raster"):
            workflows.make_demo(store, tmp_path / other)


@pytest.mark.skipif(sys.platform == "win32", reason="limits of a process")
def test_a_disk_that_is_full_is_a_sentence_and_leaves_nothing(run: Run, data: Path, tmp_path: Path) -> None:
    run("init", "ws")
    run("scene", "add", data / ELKTON / "l8_elkton_uint16.tif", "-w", "ws")
    run("project", "create", "Land", "--scene", "l8_elkton_uint16", "--classes", "a", "-w", "ws")
    # A file of the dataset may not grow beyond 64 kB, as if the disk ended there.
    command = f"ulimit -f 64; exec {sys.executable} -m geolabel export land out -w ws"
    failed = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert failed.returncode == 1
    assert failed.stderr.startswith("Error: ")
    assert "File too large" in failed.stderr
    assert "Traceback" not in failed.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["ws"]
