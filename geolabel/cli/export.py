"""`geolabel export`: labels and imagery out, as a dataset."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from geolabel.cli.app import AsJson, Workspace, app, open_workspace
from geolabel.console import bar, say, show_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from geolabel.chips.region import Region
    from geolabel.chips.spec import ChipSpec
    from geolabel.store.store import Store

_WHERE, _PIXELS, _LABELS, _SPLITS = "Where chips lie", "Pixels", "Labels", "Splits"

Text = str | None


@app.command("export")
def export_(
    project: str,
    directory: Annotated[
        str, typer.Argument(metavar="OUT", help="A folder that does not exist yet, or s3://BUCKET/FOLDER.")
    ],
    format_: Annotated[str, typer.Option("--format", help="Comma list, such as coco,geojson,mask-semantic.")] = "coco",
    size: Annotated[
        Text, typer.Option("--size", help="Width and height of a chip, or both: 512,256.", rich_help_panel=_WHERE)
    ] = None,
    stride: Annotated[
        Text, typer.Option("--stride", help="From chip to chip; the size when not given.", rich_help_panel=_WHERE)
    ] = None,
    units: Annotated[
        Text, typer.Option("--units", help="Of size, stride and margin: px or m.", rich_help_panel=_WHERE)
    ] = None,
    resolution: Annotated[
        Text,
        typer.Option("--resolution", help="Edge of a pixel, in units of the chips' CRS.", rich_help_panel=_WHERE),
    ] = None,
    crs: Annotated[
        Text, typer.Option("--crs", help="Of the chips: native, or such as EPSG:32633.", rich_help_panel=_WHERE)
    ] = None,
    resampling: Annotated[
        Text,
        typer.Option(
            "--resampling", help="nearest, bilinear, cubic, average or mode; bilinear.", rich_help_panel=_WHERE
        ),
    ] = None,
    edges: Annotated[
        Text, typer.Option("--edges", help="At the scene's edge: pad, shift or drop.", rich_help_panel=_WHERE)
    ] = None,
    padding: Annotated[
        Text, typer.Option("--padding", help="What chips are filled up with; nodata.", rich_help_panel=_WHERE)
    ] = None,
    pad_side: Annotated[
        Text, typer.Option("--pad-side", help="Where padding goes: end, start or both.", rich_help_panel=_WHERE)
    ] = None,
    layout: Annotated[
        Text, typer.Option("--layout", help="grid, random, features or boxes.", rich_help_panel=_WHERE)
    ] = None,
    count: Annotated[Text, typer.Option("--count", help="Random windows a scene.", rich_help_panel=_WHERE)] = None,
    size_range: Annotated[
        Text, typer.Option("--size-range", help="Of random windows: smallest,largest.", rich_help_panel=_WHERE)
    ] = None,
    margin: Annotated[Text, typer.Option("--margin", help="Around a feature's box.", rich_help_panel=_WHERE)] = None,
    rotate: Annotated[
        Text, typer.Option("--rotate", help="Angles, clockwise: 0,90 cuts each chip twice.", rich_help_panel=_WHERE)
    ] = None,
    stack: Annotated[
        Text,
        typer.Option("--stack", help="Scenes cut together: a,b and further groups behind ;", rich_help_panel=_WHERE),
    ] = None,
    within: Annotated[
        Text,
        typer.Option("--within", help="A file of polygons that chips lie in, or coverage.", rich_help_panel=_WHERE),
    ] = None,
    within_share: Annotated[
        Text, typer.Option("--within-share", help="How much of a chip must lie in there; 1.", rich_help_panel=_WHERE)
    ] = None,
    bands: Annotated[
        Text, typer.Option("--bands", help="Such as 1,2,3; all when not given.", rich_help_panel=_PIXELS)
    ] = None,
    dtype: Annotated[
        Text, typer.Option("--dtype", help="Such as uint8; the scene's own.", rich_help_panel=_PIXELS)
    ] = None,
    stretch: Annotated[
        Text, typer.Option("--stretch", help="auto, or low,high; raw values.", rich_help_panel=_PIXELS)
    ] = None,
    image_format: Annotated[
        Text, typer.Option("--image-format", help="tif, png, jpg or npy.", rich_help_panel=_PIXELS)
    ] = None,
    max_nodata: Annotated[
        Text,
        typer.Option("--max-nodata", help="Leave out chips with more without data: 0.2.", rich_help_panel=_PIXELS),
    ] = None,
    cloud_mask: Annotated[
        Text,
        typer.Option("--cloud-mask", help="SCENE=MASK_SCENE,... or a plugin's name.", rich_help_panel=_PIXELS),
    ] = None,
    max_cloud: Annotated[
        Text, typer.Option("--max-cloud", help="Leave out chips with more cloud: 0.2.", rich_help_panel=_PIXELS)
    ] = None,
    around: Annotated[
        Text, typer.Option("--around", help="Around labels: keep, black or ignore.", rich_help_panel=_PIXELS)
    ] = None,
    min_overlap: Annotated[
        Text,
        typer.Option(
            "--min-overlap", help="Drop a label of which less than this share is in the chip.", rich_help_panel=_LABELS
        ),
    ] = None,
    min_area_px: Annotated[
        Text, typer.Option("--min-area-px", help="Drop what is smaller after clipping.", rich_help_panel=_LABELS)
    ] = None,
    truncated: Annotated[
        Text, typer.Option("--truncated", help="Labels that the edge cuts: keep or drop.", rich_help_panel=_LABELS)
    ] = None,
    buffer: Annotated[
        Text, typer.Option("--buffer", help="Metres around points and lines.", rich_help_panel=_LABELS)
    ] = None,
    negatives: Annotated[
        Text,
        typer.Option(
            "--negatives",
            help="Chips without labels: all, none, seen, or a number per chip with labels.",
            rich_help_panel=_LABELS,
        ),
    ] = None,
    classes: Annotated[
        Text,
        typer.Option("--classes", help="Rename, join, leave out: hut=house,tree= ", rich_help_panel=_LABELS),
    ] = None,
    filter_: Annotated[Text, typer.Option("--filter", help="CQL2 text.", rich_help_panel=_LABELS)] = None,
    status: Annotated[
        Text, typer.Option("--status", help="Such as accepted; labelled,accepted.", rich_help_panel=_LABELS)
    ] = None,
    match: Annotated[
        Text,
        typer.Option(
            "--match",
            help="Labels valid at the scene's date, those drawn on the scene, or all: date, scene, all.",
            rich_help_panel=_LABELS,
        ),
    ] = None,
    all_touched: Annotated[
        bool | None,
        typer.Option(
            "--all-touched/--no-all-touched",
            help="Masks own every pixel that a label touches, not only those whose centres it covers.",
            rich_help_panel=_LABELS,
        ),
    ] = None,
    coco_holes: Annotated[
        Text, typer.Option("--coco-holes", help="Polygons with holes as rle or keyhole.", rich_help_panel=_LABELS)
    ] = None,
    snapshot: Annotated[
        Text,
        typer.Option("--snapshot", help="Export this snapshot; now when not given.", rich_help_panel=_LABELS),
    ] = None,
    split: Annotated[
        Text,
        typer.Option("--split", help="Shares of train,val,test, such as 0.7,0.2,0.1.", rich_help_panel=_SPLITS),
    ] = None,
    split_by: Annotated[
        Text,
        typer.Option("--split-by", help="blocks, scene, date, attribute or areas.", rich_help_panel=_SPLITS),
    ] = None,
    split_attribute: Annotated[
        Text, typer.Option("--split-attribute", help="Which attribute or property.", rich_help_panel=_SPLITS)
    ] = None,
    split_areas: Annotated[
        Path | None, typer.Option("--split-areas", help="A file of polygons.", rich_help_panel=_SPLITS)
    ] = None,
    split_block: Annotated[
        Text, typer.Option("--split-block", help="Side of a block.", rich_help_panel=_SPLITS)
    ] = None,
    split_units: Annotated[
        Text, typer.Option("--split-units", help="Of block and buffer: chips or m.", rich_help_panel=_SPLITS)
    ] = None,
    split_buffer: Annotated[
        Text, typer.Option("--split-buffer", help="Ground left out between splits.", rich_help_panel=_SPLITS)
    ] = None,
    folds: Annotated[Text, typer.Option("--folds", help="So many folds instead.", rich_help_panel=_SPLITS)] = None,
    stratify: Annotated[
        bool | None,
        typer.Option("--stratify/--no-stratify", help="Even out the classes.", rich_help_panel=_SPLITS),
    ] = None,
    seed: Annotated[Text, typer.Option("--seed", help="Of everything by lot.", rich_help_panel=_SPLITS)] = None,
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
    """Cut chips and write a dataset; it appears only when it is whole."""
    spec = _spec(locals())
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


def _spec(options: Mapping[str, Any]) -> ChipSpec:
    """The spec of the options that were given.

    Raises:
        typer.BadParameter: a text that is no number, list or pair where one is expected.
        InvalidSpec: a value out of range.
    """
    from geolabel.chips.spec import ChipSpec
    from geolabel.chips.text import read_texts
    from geolabel.errors import InvalidSpec

    knobs = ChipSpec.__dataclass_fields__
    named = {name.rstrip("_"): value for name, value in options.items()}
    given = {name: value for name, value in named.items() if name in knobs and value is not None}
    for name in ("within", "split_areas"):
        if name in given and given[name] not in {"coverage", "tasks"}:
            given[name] = _region(name, Path(given[name]))
    try:
        values = read_texts(given)
    except InvalidSpec as error:
        raise typer.BadParameter(str(error)) from None
    return ChipSpec.from_json(values)


def run_export(
    store: Store,
    project: str,
    directory: str | Path,
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


def _region(name: str, path: Path) -> Region:
    """The polygons of a vector file, with their properties."""
    import json

    from geolabel import workflows
    from geolabel.chips.region import Region

    labels = workflows.read_labels(path)

    def plain(value: Any) -> Any:
        return value.item() if hasattr(value, "item") else value

    rows = [
        json.dumps({column: plain(values[i]) for column, values in labels.columns.items()}, default=str, sort_keys=True)
        for i in range(len(labels.geometries))
    ]
    return Region.of(name, labels.geometries, labels.crs, tuple(rows))
