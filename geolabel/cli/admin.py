"""`geolabel init`, `backup`, `restore`, `copy`: the workspace itself."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from geolabel.cli.app import AsJson, Workspace, app, open_workspace, place
from geolabel.console import bar, say, show_json

if TYPE_CHECKING:
    from geolabel.store.backup import Manifest


@app.command()
def init(
    directory: Annotated[str | None, typer.Argument(metavar="[DIR]", help="The same as -w.")] = None,
    workspace: Workspace = ".",
) -> None:
    """Make a workspace: a folder with one GeoPackage for projects and labels, or the tables in a PostGIS database."""
    from geolabel.settings import is_url
    from geolabel.store.store import open_store

    chosen = directory or workspace
    open_store(chosen, create=True).close()
    again = place(chosen) if is_url(chosen) else chosen
    say(f"Workspace ready in {place(chosen)}. Next: geolabel scene add RASTER -w {again}")


@app.command()
def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What to write, such as labels-2024-05-01.gpkg.")],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a backup of that name.")] = False,
    workspace: Workspace = ".",
    as_json: AsJson = False,
) -> None:
    """Write the whole workspace to one file, while people go on labelling; imagery and exports are not in it."""
    with open_workspace(workspace) as store, bar(quiet=as_json) as progress:
        manifest = store.backup(file, overwrite=overwrite, progress=progress)
    _show_manifest(manifest, f"Backed up to {file}, and verified", file, as_json=as_json)


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A backup.")],
    verify: Annotated[bool, typer.Option("--verify", help="Only check the backup; restore nothing.")] = False,
    workspace: Workspace = ".",
    as_json: AsJson = False,
) -> None:
    """Make a workspace out of a backup, in a folder or database that is empty; every row is checked."""
    from geolabel.store import backup as backups

    if verify:
        _show_manifest(backups.verify(file), f"The backup {file} is whole", file, as_json=as_json)
        return
    with bar(quiet=as_json) as progress:
        manifest = backups.restore(file, workspace, progress=progress)
    with open_workspace(workspace):  # brings one of an older version up to date
        pass
    _show_manifest(manifest, f"Restored into {place(workspace)}, and verified", file, as_json=as_json)


@app.command()
def copy(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="A workspace: a folder or a postgresql:// URL.")],
    target: Annotated[str, typer.Argument(metavar="TARGET", help="An empty one, or a folder that is not there yet.")],
    as_json: AsJson = False,
) -> None:
    """Copy a whole workspace, also from a folder into PostGIS or back: ids, versions and history stay; every row is checked."""
    from geolabel import workflows

    with bar(quiet=as_json) as progress:
        report = workflows.copy_workspace(source, target, progress=progress)
    if as_json:
        show_json(report.to_json())
        return
    say(
        f"Copied {report.source} to {report.target}, and verified: {sum(report.rows.values())} rows, {report.sha256[:16]}"
    )
    for project, labels in report.projects.items():
        say(f"  {project:24} {labels:8} labels")


def _show_manifest(manifest: Manifest, what: str, file: Path, *, as_json: bool) -> None:
    if as_json:
        show_json({"file": str(file), **manifest.to_json()})
        return
    states = manifest.tables["geolabel_history"].rows
    say(f"{what}: the state of {manifest.created_at}, with {states} earlier versions of labels.")
    for project, labels in manifest.projects.items():
        say(f"  {project:24} {labels:8} labels")
