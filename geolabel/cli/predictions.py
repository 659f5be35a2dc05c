"""`geolabel predictions`: what a model found comes back to the map."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from geolabel.cli.app import AsJson, Workspace, app, open_workspace
from geolabel.console import bar, say, show_json


@app.command("predictions")
def predictions_(
    project: str,
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="COCO results, YOLO, VOC, DOTA, masks, GeoJSON...: a file, a folder or a zip."
        ),
    ],
    manifest: Annotated[
        Path | None,
        typer.Option("--manifest", help="manifest.json of the dataset that was predicted on; says where chips lie."),
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", metavar="NAME@VERSION", help="The model; the file's name when not given.")
    ] = None,
    format_: Annotated[str, typer.Option("--format", help="auto, or the name of a format.")] = "auto",
    class_name: Annotated[str | None, typer.Option("--class", help="One class for all objects.")] = None,
    class_field: Annotated[
        str | None, typer.Option("--class-field", help="Column that names the class (GeoJSON).")
    ] = None,
    crs: Annotated[str | None, typer.Option("--crs", help="CRS of a map format that does not say.")] = None,
    min_score: Annotated[float, typer.Option("--min-score", help="Leave out what is less sure, 0..1.")] = 0.0,
    threshold: Annotated[
        float, typer.Option("--threshold", help="A pixel of a probability mask belongs to a class from here on, 0..1.")
    ] = 0.5,
    iou: Annotated[
        float, typer.Option("--iou", help="Duplicates on overlapping chips: share of the union in common.")
    ] = 0.5,
    ios: Annotated[float, typer.Option("--ios", help="The same, share of the smaller one in common.")] = 0.8,
    border: Annotated[
        float, typer.Option("--border", help="Pixels from a chip's edge within which an object counts as cut.")
    ] = 1.0,
    merge: Annotated[
        bool,
        typer.Option("--merge/--no-merge", help="Join cut objects and leave out duplicates, or take all as they are."),
    ] = True,
    min_area_px: Annotated[float, typer.Option("--min-area-px", help="Leave out what is smaller.")] = 1.0,
    simplify: Annotated[
        float, typer.Option("--simplify", help="Pixels by which outlines may move to have fewer vertices; 0 is exact.")
    ] = 0.0,
    voc_base: Annotated[
        int, typer.Option("--voc-base", min=0, max=1, help="What Pascal VOC calls the first pixel.")
    ] = 1,
    replace: Annotated[
        bool, typer.Option("--replace", help="Delete untouched suggestions of this model that the file does not have.")
    ] = False,
    workspace: Workspace = ".",
    as_json: AsJson = False,
) -> None:
    """Put a model's predictions on the map as suggestions; no label of a person is touched."""
    from geolabel import workflows
    from geolabel.predictions import BackOptions

    options = BackOptions(
        border=border,
        iou=iou,
        ios=ios,
        min_score=min_score,
        min_area_px=min_area_px,
        simplify_px=simplify,
        merge=merge,
    )
    if not 0 <= threshold <= 1:
        raise typer.BadParameter(f"expected a number from 0 to 1, got {threshold:g}", param_hint="--threshold")
    with open_workspace(workspace) as store, bar(quiet=as_json) as progress:
        report = workflows.import_predictions(
            store,
            project,
            file,
            manifest=manifest,
            model=model,
            format_name=format_,
            class_field=class_field,
            class_name=class_name,
            crs=crs,
            voc_base=voc_base,
            threshold=threshold,
            replace_former=replace,
            options=options,
            progress=progress,
        )
    if as_json:
        show_json(report.to_json())
        return
    for line in report.lines(project):
        say(line)
