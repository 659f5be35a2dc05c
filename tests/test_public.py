from __future__ import annotations

import importlib.metadata
import subprocess
import sys

import geolabel
import tiles


def test_the_public_names_are_frozen() -> None:
    assert geolabel.__all__ == ["ChipSpec", "GeolabelError", "Project", "Workspace", "__version__", "open"]
    for name in geolabel.__all__:
        assert getattr(geolabel, name) is not None
    for name in tiles.__all__:
        assert getattr(tiles, name) is not None


def test_the_version_is_the_packages() -> None:
    assert importlib.metadata.version("geolabel") == geolabel.__version__


def test_importing_the_command_line_loads_no_heavy_library() -> None:
    code = "import sys, geolabel.cli; print([m for m in ('rasterio', 'shapely', 'numpy', 'fastapi', 'sqlalchemy', 'pyproj', 'geopandas') if m in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert answer.stdout.strip() == "[]"
