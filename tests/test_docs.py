from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from geolabel import formats, plugins
from geolabel.chips.spec import ChipSpec
from geolabel.cli import app
from geolabel.settings import Settings
from tiles.settings import TilesSettings

REPO = Path(__file__).resolve().parents[1]
REFERENCE = (REPO / "docs/reference.md").read_text(encoding="utf-8")


def _commands(command: Any, path: str = "geolabel") -> list[tuple[str, Any]]:
    if hasattr(command, "commands"):
        inner = [c for c in command.commands.items() if not c[1].hidden]
        return [found for name, child in inner for found in _commands(child, f"{path} {name}")]
    return [(path, command)]


COMMANDS = dict(_commands(typer.main.get_command(app)))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_described(name: str) -> None:
    assert f"`{name}" in REFERENCE


def test_every_chip_option_is_described() -> None:
    options = {o for p in COMMANDS["geolabel export"].params for o in p.opts if o.startswith("--")}
    missing = [o for o in options - {"--workspace", "--json"} if f"`{o}" not in REFERENCE]
    assert missing == []
    fields = {f"--{name.replace('_', '-')}" for name in ChipSpec.__dataclass_fields__}
    assert fields <= options


@pytest.mark.parametrize(
    "name",
    [
        *(f"GEOLABEL_{n.upper()}" for n in Settings.model_fields),
        *(f"TILES_{n.upper()}" for n in TilesSettings.model_fields),
    ],
)
def test_every_setting_is_described(name: str) -> None:
    assert f"| `{name}` |" in REFERENCE


@pytest.mark.parametrize("name", formats.names())
def test_every_format_is_described(name: str) -> None:
    assert f"| `{name}` |" in REFERENCE


def test_every_hook_is_described() -> None:
    hooks = set(re.findall(r"^\| `(\w+)\(", REFERENCE, flags=re.MULTILINE))
    assert hooks == {name for name in vars(plugins.manager().hook) if not name.startswith("_")}


def test_every_link_between_the_docs_leads_somewhere() -> None:
    for page in [
        REPO / "README.md",
        REPO / "CHANGELOG.md",
        *(REPO / "docs").glob("*.md"),
        *(REPO / "benchmarks").glob("*.md"),
    ]:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_help_answers_at_once() -> None:
    """Lazy imports: help needs typer and rich, and nothing that reads pixels, shapes, databases or HTTP."""
    code = (
        "import sys; from geolabel.cli import main; sys.argv = ['geolabel', '--help']\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print('LOADED', *sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert "Usage" in said
    loaded = set(said.rpartition("LOADED ")[2].split())
    assert "typer" in loaded
    heavy = {"numpy", "rasterio", "shapely", "pyproj", "pyogrio", "pyarrow", "geopandas", "sqlalchemy", "fastapi"}
    assert not loaded & (heavy | {"alembic", "cv2", "numba", "pandas", "pydantic", "rio_tiler", "tiles", "uvicorn"})
