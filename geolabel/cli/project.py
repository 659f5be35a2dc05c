"""`geolabel project ...`: make and list projects."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from geolabel.cli.app import AsJson, Workspace, app, open_workspace
from geolabel.console import out, say, show_json, show_project
from geolabel.errors import InvalidInput

commands = typer.Typer(help="Make and list projects.", no_args_is_help=True)
app.add_typer(commands, name="project")


@commands.command("create")
def project_create(
    name: str,
    scene: Annotated[list[str] | None, typer.Option("--scene", help="Scenes to label; repeat the option.")] = None,
    classes: Annotated[str, typer.Option("--classes", help="'water,forest,...', or a YAML or JSON file.")] = "",
    crs: Annotated[
        str, typer.Option("--crs", help="CRS in which the labels rest: auto (the first scene's) or EPSG:n.")
    ] = "auto",
    workspace: Workspace = ".",
    as_json: AsJson = False,
) -> None:
    """Make a project: scenes, classes, and the CRS in which the labels rest."""
    from geolabel import workflows

    with open_workspace(workspace) as store:
        made = workflows.create_project(store, name, scenes=scene or [], classes=_read_classes(classes), crs=crs)
        show_project(made, store.counts(made.id), as_json=as_json)


def _read_classes(text: str) -> list[Any]:
    """A comma list, or a file with a list (or with a list under `classes`)."""
    path = Path(text)
    if path.suffix.lower() not in {".yaml", ".yml", ".json"}:
        return [name.strip() for name in text.split(",") if name.strip()]
    import yaml

    try:
        value = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InvalidInput(f"The classes cannot be read from {path}: {error}") from error
    listed = value.get("classes") if isinstance(value, dict) else value
    if not isinstance(listed, list) or not all(isinstance(item, str | dict) for item in listed):
        raise InvalidInput(
            f"{path} has no list of classes: expected names or objects such as {{name: water, color: '#4478ff'}}."
        )
    return listed


@commands.command("list")
def project_list(workspace: Workspace = ".", as_json: AsJson = False) -> None:
    """List the projects."""
    with open_workspace(workspace) as store:
        projects = store.projects()
        counts = {p.id: store.counts(p.id) for p in projects}
    if as_json:
        show_json({"projects": [{**p.to_json(), "counts": counts[p.id]} for p in projects]})
    elif not projects:
        say("No projects yet. Make one with: geolabel project create NAME --scene SCENE --classes water,forest")
    else:
        from geolabel.geo.crs import label

        table = Table("project", "title", "CRS", "scenes", "classes", "labels", box=None, pad_edge=False)
        for p in projects:
            crs = label(p.crs) if p.crs else "-"
            labels = sum(counts[p.id].values())
            table.add_row(p.id, escape(p.title), escape(crs), str(len(p.scenes)), str(len(p.classes)), str(labels))
        out.print(table)


@commands.command("info")
def project_info(project: str, workspace: Workspace = ".", as_json: AsJson = False) -> None:
    """Show one project and its labels by class."""
    with open_workspace(workspace) as store:
        show_project(store.project(project), store.counts(project), as_json=as_json)
