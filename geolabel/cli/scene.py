"""`geolabel scene ...`: register rasters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from geolabel.cli.app import AsJson, Workspace, app, open_workspace
from geolabel.console import bar, out, say, show_json, show_scene

if TYPE_CHECKING:
    from geolabel.model import Scene

commands = typer.Typer(help="Register rasters; their pixels stay where they are.", no_args_is_help=True)
app.add_typer(commands, name="scene")


@commands.command("add")
def scene_add(
    rasters: Annotated[
        list[str],
        typer.Argument(
            metavar="RASTER...",
            help="Files or addresses (https://, s3://, gs://, az://) to register; STAC items (.json).",
        ),
    ],
    workspace: Workspace = ".",
    project: Annotated[str | None, typer.Option("--project", help="Slug of a project that they join.")] = None,
    datetime: Annotated[
        str | None, typer.Option("--datetime", help="When it was taken: 2018-10-13[T10:20:30Z].")
    ] = None,
    cog: Annotated[
        bool, typer.Option("--cog", help="Write a Cloud Optimized GeoTIFF beside it and register that.")
    ] = False,
    stack: Annotated[
        bool, typer.Option("--stack", help="The files are bands of one scene, in this order, on one grid.")
    ] = False,
    assets: Annotated[
        str | None,
        typer.Option("--assets", help="Of a STAC item: red,green,blue. By default the data on its finest grid."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Register rasters as scenes, and say what was found and what is odd."""
    from geolabel import workflows

    chosen = [name.strip() for name in assets.split(",")] if assets else []
    added: list[Scene] = []
    with open_workspace(workspace) as store:
        for raster in [rasters] if stack else rasters:
            with bar(quiet=as_json) as progress:
                added.append(
                    workflows.add_scene(
                        store, raster, project=project, datetime=datetime, cog=cog, assets=chosen, progress=progress
                    )
                )
            if not as_json:
                show_scene(added[-1])
    if as_json:
        show_json({"scenes": [scene.to_json() for scene in added]})


@commands.command("list")
def scene_list(workspace: Workspace = ".", as_json: AsJson = False) -> None:
    """List the registered scenes."""
    with open_workspace(workspace) as store:
        scenes = store.scenes()
    if as_json:
        show_json({"scenes": [scene.to_json() for scene in scenes]})
    elif not scenes:
        say("No scenes yet. Register one with: geolabel scene add RASTER")
    else:
        from geolabel.geo.crs import label

        table = Table("scene", "CRS", "size", "bands", "pixel", "date", box=None, pad_edge=False)
        for s in scenes:
            table.add_row(
                s.id,
                escape(label(s.grid.crs)) if s.grid.crs else "-",
                f"{s.grid.width} x {s.grid.height}",
                f"{len(s.bands)} {s.bands[0].dtype}",
                f"{s.resolution:.3g} m" if s.resolution else "-",
                (s.datetime or "-")[:10],
            )
        out.print(table)


@commands.command("info")
def scene_info(scene: str, workspace: Workspace = ".", as_json: AsJson = False) -> None:
    """Show one scene."""
    with open_workspace(workspace) as store:
        found = store.scene(scene)
    if as_json:
        show_json(found.to_json())
    else:
        show_scene(found)


@commands.command("relink")
def scene_relink(scene: str, href: str, workspace: Workspace = ".", as_json: AsJson = False) -> None:
    """Say where a scene's file is now."""
    from geolabel import workflows

    with open_workspace(workspace) as store:
        found = workflows.relink_scene(store, scene, href)
    if as_json:
        show_json(found.to_json())
    else:
        show_scene(found)


@commands.command("remove")
def scene_remove(scene: str, workspace: Workspace = ".") -> None:
    """Forget a scene that no project uses; its file stays."""
    with open_workspace(workspace) as store:
        store.remove_scene(scene)
    say(f"Scene {scene} is no longer registered; its file was not touched.")
