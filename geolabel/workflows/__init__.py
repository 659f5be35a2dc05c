"""Each use case in a few lines: join the stages. The command line, the API and the Python client call these."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from geolabel.workflows.datasets import export
    from geolabel.workflows.demo import DEMO_PROJECT, make_demo
    from geolabel.workflows.labels import (
        import_file,
        import_labels,
        import_predictions,
        look_at_upload,
        open_labels,
        read_labels,
        write_parquet,
    )
    from geolabel.workflows.projects import (
        PIXEL_CRS,
        check_ground,
        copy_workspace,
        create_project,
        free_slug,
        update_project,
    )
    from geolabel.workflows.scenes import add_scene, relink_scene, update_scene
    from geolabel.workflows.work import JOB_HANDLERS

__all__ = [
    "DEMO_PROJECT",
    "JOB_HANDLERS",
    "PIXEL_CRS",
    "add_scene",
    "check_ground",
    "copy_workspace",
    "create_project",
    "export",
    "free_slug",
    "import_file",
    "import_labels",
    "import_predictions",
    "look_at_upload",
    "make_demo",
    "open_labels",
    "read_labels",
    "relink_scene",
    "update_project",
    "update_scene",
    "write_parquet",
]

_HOMES = {
    "DEMO_PROJECT": "demo",
    "JOB_HANDLERS": "work",
    "PIXEL_CRS": "projects",
    "add_scene": "scenes",
    "check_ground": "projects",
    "copy_workspace": "projects",
    "create_project": "projects",
    "export": "datasets",
    "free_slug": "projects",
    "import_file": "labels",
    "import_labels": "labels",
    "import_predictions": "labels",
    "look_at_upload": "labels",
    "make_demo": "demo",
    "open_labels": "labels",
    "read_labels": "labels",
    "relink_scene": "scenes",
    "update_project": "projects",
    "update_scene": "scenes",
    "write_parquet": "labels",
}


def __getattr__(name: str) -> Any:
    """Load what is asked for, and nothing else: an export needs no predictions, an import no chips."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
