"""The command line, one module a noun. Every command imports what it needs, so that `--help` answers at once."""

# Commands stand in the help in the order in which their modules are imported.
# isort: off
from geolabel.cli.app import app, main
from geolabel.cli import scene, project, admin, labels, export, predictions, history, tiles, doctor, serving
# isort: on

__all__ = [
    "admin",
    "app",
    "doctor",
    "export",
    "history",
    "labels",
    "main",
    "predictions",
    "project",
    "scene",
    "serving",
    "tiles",
]
