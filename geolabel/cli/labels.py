"""`geolabel import` and `geolabel export`: labels in, datasets out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from geolabel.cli.app import AsJson, Workspace, app, open_workspace
from geolabel.console import bar, say, show_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from geolabel.chips.spec import ChipSpec
    from geolabel.store.store import Store


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


@app.command("export")
def export_(
    project: str,
    directory: Annotated[Path, typer.Argument(metavar="OUT", help="A folder that does not exist yet.")],
    format_: Annotated[str, typer.Option("--format", help="Comma list, such as coco,geojson,mask-semantic.")] = "coco",
    size: Annotated[int, typer.Option("--size", help="Width and height of a chip in pixels.")] = 512,
    stride: Annotated[
        int | None, typer.Option("--stride", help="Pixels from chip to chip; the size when not given.")
    ] = None,
    edges: Annotated[str, typer.Option("--edges", help="At the scene's edge: pad, shift or drop.")] = "pad",
    bands: Annotated[
        str | None, typer.Option("--bands", help="Bands to write, such as 1,2,3; all when not given.")
    ] = None,
    min_overlap: Annotated[
        float, typer.Option("--min-overlap", help="Drop a label of which less than this share is in the chip.")
    ] = 0.0,
    min_area_px: Annotated[float, typer.Option("--min-area-px", help="Drop what is smaller after clipping.")] = 1.0,
    negatives: Annotated[
        str, typer.Option("--negatives", help="Chips without labels: all, none, or a number per chip with labels.")
    ] = "all",
    split: Annotated[str | None, typer.Option("--split", help="Shares of train,val,test, such as 0.7,0.2,0.1.")] = None,
    split_block: Annotated[int, typer.Option("--split-block", help="Side of a split block, in chips.")] = 4,
    split_buffer: Annotated[int, typer.Option("--split-buffer", help="Chips left out between splits.")] = 0,
    match: Annotated[
        str,
        typer.Option(
            "--match", help="Labels valid at the scene's date, those drawn on the scene, or all: date, scene, all."
        ),
    ] = "date",
    seed: Annotated[int, typer.Option("--seed", help="Which blocks go where.")] = 0,
    coco_holes: Annotated[str, typer.Option("--coco-holes", help="Polygons with holes as rle or keyhole.")] = "rle",
    image_format: Annotated[str, typer.Option("--image-format", help="tif or png.")] = "tif",
    snapshot: Annotated[
        str | None, typer.Option("--snapshot", help="Export this snapshot; now when not given.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count, and write nothing.")] = False,
    engine: Annotated[
        str | None,
        typer.Option(
            "--engine", help="Who builds the chips: serial, processes[:N], dask[:ADDRESS]. The result is the same."
        ),
    ] = None,
    workers: Annotated[int | None, typer.Option("--workers", min=1, help="The same as --engine processes:N.")] = None,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Go on where a killed export was, and keep what is done when this one stops."),
    ] = False,
    workspace: Workspace = ".",
    as_json: AsJson = False,
) -> None:
    """Cut chips on the scenes' own pixels and write a dataset; it appears only when it is whole."""
    from geolabel.chips.spec import ChipSpec

    spec = ChipSpec(
        size=size,
        stride=stride,
        edges=edges,  # type: ignore[arg-type]
        bands=_numbers(bands, int, "--bands"),
        min_overlap=min_overlap,
        min_area_px=min_area_px,
        negatives=negatives if negatives in {"all", "none"} else _numbers(negatives, float, "--negatives")[0],  # type: ignore[arg-type,index]
        split=_numbers(split, float, "--split"),
        split_block=split_block,
        split_buffer=split_buffer,
        match=match,  # type: ignore[arg-type]
        seed=seed,
        coco_holes=coco_holes,  # type: ignore[arg-type]
        image_format=image_format,  # type: ignore[arg-type]
    )
    with open_workspace(workspace) as store:
        formats = format_.split(",")
        run_export(
            store,
            project,
            directory,
            formats,
            spec,
            snapshot=snapshot,
            dry_run=dry_run,
            engine=_engine(engine, workers),
            resume=resume,
            as_json=as_json,
        )


def run_export(
    store: Store,
    project: str,
    directory: Path,
    formats: Sequence[str],
    spec: ChipSpec,
    *,
    dry_run: bool,
    as_json: bool,
    snapshot: str | None = None,
    engine: str | None = None,
    resume: bool = False,
) -> None:
    """Export, and say what was written."""
    from geolabel import workflows

    with bar(quiet=as_json) as progress:
        report = workflows.export(
            store,
            project,
            directory,
            [name.strip() for name in formats],
            spec,
            snapshot=snapshot,
            progress=progress,
            dry_run=dry_run,
            engine=engine,
            resume=resume,
        )
    if as_json:
        show_json(report.to_json())
    else:
        for line in report.lines():
            say(line)


def _engine(engine: str | None, workers: int | None) -> str | None:
    if workers is None:
        return engine
    if engine not in {None, "processes"}:
        raise typer.BadParameter(f"goes with processes, not with --engine {engine}", param_hint="--workers")
    return f"processes:{workers}"


def _numbers(text: str | None, kind: type[int | float], option: str) -> tuple[Any, ...] | None:
    if text is None:
        return None
    try:
        return tuple(kind(part) for part in text.split(","))
    except ValueError:
        raise typer.BadParameter(f"expected numbers with commas between, got {text!r}", param_hint=option) from None
