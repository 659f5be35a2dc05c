"""`geolabel tiles ...`: many tiles of a scene at once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from geolabel.cli.app import AsJson, Workspace, app, open_workspace
from geolabel.console import bar, say, show_json

if TYPE_CHECKING:
    from geolabel.imagery import SceneTiles

commands = typer.Typer(help="Draw many tiles of a scene at once.", no_args_is_help=True)
app.add_typer(commands, name="tiles")

Zoom = Annotated[
    str | None, typer.Option("--zoom", help="Levels, such as 8-14 or 12. [default: all that show the scene]")
]
Look = Annotated[
    str,
    typer.Option("--style", help="As in the address of a tile: 'preset=ndvi&colormap=rdylgn'. [default: as it comes]"),
]
TileFormat = Annotated[str, typer.Option("--format", help="png, jpg or webp.")]


@commands.command("warm")
def tiles_warm(
    scene: str,
    zoom: Zoom = None,
    style: Look = "",
    fmt: TileFormat = "webp",
    workspace: Workspace = ".",
    as_json: AsJson = False,
) -> None:
    """Draw tiles into the server's cache on the disk, before anybody asks for them."""
    with _opened(workspace, scene, style, fmt) as tiles, bar(quiet=as_json) as progress:
        report = tiles.warm(zoom, progress)
    if as_json:
        show_json(report)
    else:
        say(
            f"{report['tiles']} tiles of {scene} at zoom {report['zooms'][0]} to {report['zooms'][-1]} are in the cache."
        )


@commands.command("export")
def tiles_export(
    scene: str,
    out: Annotated[Path, typer.Argument(metavar="OUT.pmtiles", help="File to write.")],
    zoom: Zoom = None,
    style: Look = "",
    fmt: TileFormat = "webp",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file of that name.")] = False,
    workspace: Workspace = ".",
    as_json: AsJson = False,
) -> None:
    """Write a scene's tiles into one PMTiles file, for field work without a network."""
    with _opened(workspace, scene, style, fmt) as tiles, bar(quiet=as_json) as progress:
        report = tiles.export(out, zoom, progress, overwrite=overwrite)
    if as_json:
        show_json(report)
    else:
        say(f"Wrote {report['tiles']} tiles, {report['bytes'] / 1e6:.1f} MB, to {out}")


def _opened(workspace: str, scene: str, style: str, fmt: str) -> SceneTiles:
    from geolabel.imagery import SceneTiles

    with open_workspace(workspace) as store:
        return SceneTiles(store.scene(scene), store.folder, style, fmt)
