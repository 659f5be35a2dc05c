"""Label imagery in its own coordinates, export datasets in its own pixels.

import geolabel

workspace = geolabel.open("ws/", create=True)
scene = workspace.add_scene("s2.tif")
project = workspace.create_project("landuse", scenes=[scene], classes=["water", "forest"])
project.add(gdf, class_field="Classname")
project.export("out/", formats=["coco"], chips=geolabel.ChipSpec(size=512))
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from geolabel.chips.spec import ChipSpec
    from geolabel.client import Project, Workspace, open  # noqa: A004
    from geolabel.errors import GeolabelError

__version__ = "0.1.0"
__all__ = ["ChipSpec", "GeolabelError", "Project", "Workspace", "__version__", "open"]

# Read on first use: `geolabel --help` must not wait for GDAL.
_HOMES = {
    "ChipSpec": "geolabel.chips.spec",
    "GeolabelError": "geolabel.errors",
    "Project": "geolabel.client",
    "Workspace": "geolabel.client",
    "open": "geolabel.client",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'geolabel' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
