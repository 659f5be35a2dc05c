from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from geolabel import formats, plugins

if TYPE_CHECKING:
    from pathlib import Path

PLUGIN = """
from geolabel.formats.base import ChipWriter, Format, Piece
from geolabel.plugins import hookimpl

class Writer(ChipWriter):
    def write(self, chip):
        return Piece(lines={"names/chips.txt": chip.name.encode() + b"\\n"})
    def close(self):
        return ("Only the names of chips were written.",)

@hookimpl
def register_formats(register):
    register(Format("names", "pixel", "names of chips", writer="names_plugin:Writer"))

@hookimpl
def extend_app(app):
    app.append("seen")
"""


def test_built_in_formats_come_through_the_hook() -> None:
    assert plugins.manager().has_plugin("formats")
    assert "coco" in formats.names()


@pytest.mark.parametrize("broken", [False, True])
def test_a_plugin_is_found_by_its_entry_point_and_a_broken_one_is_named(tmp_path: Path, broken: bool) -> None:
    (tmp_path / "names_plugin.py").write_text("import nowhere_to_be_found" if broken else PLUGIN)
    info = tmp_path / "names_plugin-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: names-plugin\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[geolabel]\nnames = names_plugin\n")
    code = (
        "from geolabel import formats, plugins\n"
        "seen = []\n"
        "plugins.manager().hook.extend_app(app=seen)\n"
        "print(formats.names(), seen)\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "always", "-c", code],
        env={"PYTHONPATH": f"{tmp_path}:{formats.__path__[0]}/../.."},
        capture_output=True,
        text=True,
        check=True,
    )
    if broken:
        assert "The plugin 'names' (names_plugin) is left out" in done.stderr
        assert "'coco'" in done.stdout
    else:
        assert "'coco'" in done.stdout
        assert "'names'" in done.stdout
        assert done.stdout.strip().endswith("['seen']")


def test_the_registry_imports_no_heavy_library() -> None:
    code = "import sys; from geolabel import formats; formats.names(); print([m for m in ('rasterio', 'pyogrio', 'pyarrow', 'PIL') if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": f"{formats.__path__[0]}/../.."},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"
