"""`geolabel import`: labels in."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from geolabel.cli.app import AsJson, Workspace, app, open_workspace
from geolabel.console import bar, say, show_json


@app.command("import")
def import_(
    project: str,
    file: Annotated[Path, typer.Argument(metavar="FILE")],
    class_field: Annotated[str | None, typer.Option("--class-field", help="Column that names the class.")] = None,
    class_name: Annotated[str | None, typer.Option("--class", help="One class for all features.")] = None,
    crs: Annotated[str | None, typer.Option("--crs", help="CRS of the file, where it does not say.")] = None,
    layer: Annotated[str | None, typer.Option("--layer", help="Layer of a file with several.")] = None,
    format_: Annotated[str, typer.Option("--format", help="auto, or the name of a format.")] = "auto",
    on_invalid: Annotated[
        str | None, typer.Option("--on-invalid", help="Invalid shapes: reject, repair or skip.")
    ] = None,
    id_field: Annotated[
        str | None,
        typer.Option(
            "--id-field",
            help="Column with ids of the source's own, or fid: importing the file again updates by them. GeoJSON ids count by themselves.",
        ),
    ] = None,
    prune: Annotated[
        bool,
        typer.Option("--prune", help="Delete labels of an earlier import of the file that it does not have any more."),
    ] = False,
    manifest: Annotated[
        Path | None,
        typer.Option(
            "--manifest", help="manifest.json of the dataset whose chips a pixel format (COCO, YOLO...) speaks of."
        ),
    ] = None,
    voc_base: Annotated[
        int, typer.Option("--voc-base", min=0, max=1, help="What Pascal VOC's files call the first pixel.")
    ] = 1,
    outside: Annotated[
        str, typer.Option("--outside", help="Shapes that reach over the edge of their picture: refuse or clip.")
    ] = "refuse",
    max_vertices: Annotated[
        int, typer.Option("--max-vertices", min=4, help="A shape with more counts as invalid.")
    ] = 2_000_000,
    workspace: Workspace = ".",
    as_json: AsJson = False,
) -> None:
    """Bring labels of a file into a project, all or none; edits go on meanwhile."""
    from geolabel import intake, workflows

    if on_invalid not in {None, "reject", "repair", "skip"}:
        raise typer.BadParameter(f"expected reject, repair or skip, got {on_invalid!r}", param_hint="--on-invalid")
    with open_workspace(workspace) as store, bar(quiet=as_json) as progress:
        report = workflows.import_file(
            store,
            project,
            file,
            format_name=format_,
            manifest=manifest,
            crs=crs,
            layer=layer,
            voc_base=voc_base,
            outside=outside,  # type: ignore[arg-type]
            options=intake.Options(class_field, class_name, on_invalid, id_field, prune, max_vertices),  # type: ignore[arg-type]
            progress=progress,
        )
    if as_json:
        show_json(report.to_json())
        return
    for line in report.lines(project):
        say(line)
