"""Each use case in a few lines: join the stages. The command line, the API and the Python client call these."""

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
