"""`geolabel init`: the workspace itself."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from geolabel.cli.app import app
from geolabel.console import say


@app.command()
def init(directory: Annotated[Path, typer.Argument(metavar="[DIR]")] = Path()) -> None:
    """Make a workspace: a folder with one GeoPackage for projects and labels."""
    from geolabel.store.store import open_store

    open_store(directory, create=True).close()
    say(f"Workspace ready in {directory.resolve()}. Next: geolabel scene add RASTER -w {directory}")
