"""The command line. Every command imports what it needs, so that `--help` answers at once."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from geolabel.console import bar, err, out, say, show_error, show_json, show_project, show_scene
from geolabel.errors import GeolabelError, InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from geolabel.chips.spec import ChipSpec
    from geolabel.model import Scene
    from geolabel.store.store import Store

app = typer.Typer(
    name="geolabel",
    help="Label satellite and aerial imagery on its map tiles, and leave with training datasets whose geometry is exact.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
scene_app = typer.Typer(help="Register rasters; their pixels stay where they are.", no_args_is_help=True)
project_app = typer.Typer(help="Make and list projects.", no_args_is_help=True)
app.add_typer(scene_app, name="scene")
app.add_typer(project_app, name="project")

Workspace = Annotated[
    Path, typer.Option("-w", "--workspace", envvar="GEOLABEL_WORKSPACE", help="Folder of the workspace.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of tables.")]


def main() -> None:
    """Run the command line: exit code 0 done, 1 the work failed (a sentence on stderr), 2 wrong usage."""
    try:
        app()
    except GeolabelError as error:
        show_error(error)
        sys.exit(1)
    except BrokenPipeError:
        sys.exit(1)
    except OSError as error:  # a full disk, a folder that was taken away meanwhile
        err.print("[bold red]Error:[/] ", end="")
        err.print(f"{error.filename or 'A file'}: {error.strerror or error}.", markup=False, highlight=False)
        sys.exit(1)


@contextmanager
def _open(workspace: Path) -> Iterator[Store]:
    from geolabel.store.store import open_store

    store = open_store(workspace)
    try:
        yield store
    finally:
        store.close()


@app.callback(invoke_without_command=True)
def _root(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        from geolabel import __version__

        say(f"geolabel {__version__}")
        raise typer.Exit


@app.command()
def init(directory: Annotated[Path, typer.Argument(metavar="[DIR]")] = Path()) -> None:
    """Make a workspace: a folder with one GeoPackage for projects and labels."""
    from geolabel.store.store import open_store

    open_store(directory, create=True).close()
    say(f"Workspace ready in {directory.resolve()}. Next: geolabel scene add RASTER -w {directory}")


# Scenes


@scene_app.command("add")
def scene_add(
    rasters: Annotated[list[Path], typer.Argument(metavar="RASTER...", help="Files to register.")],
    workspace: Workspace = Path(),
    project: Annotated[str | None, typer.Option("--project", help="Slug of a project that they join.")] = None,
    datetime: Annotated[
        str | None, typer.Option("--datetime", help="When it was taken: 2018-10-13[T10:20:30Z].")
    ] = None,
    cog: Annotated[
        bool, typer.Option("--cog", help="Write a Cloud Optimized GeoTIFF beside it and register that.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Register rasters as scenes, and say what was found and what is odd."""
    from geolabel import workflows

    added: list[Scene] = []
    with _open(workspace) as store:
        for raster in rasters:
            with bar(quiet=as_json) as progress:
                added.append(
                    workflows.add_scene(store, raster, project=project, datetime=datetime, cog=cog, progress=progress)
                )
            if not as_json:
                show_scene(added[-1])
    if as_json:
        show_json({"scenes": [scene.to_json() for scene in added]})


@scene_app.command("list")
def scene_list(workspace: Workspace = Path(), as_json: AsJson = False) -> None:
    """List the registered scenes."""
    with _open(workspace) as store:
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


@scene_app.command("info")
def scene_info(scene: str, workspace: Workspace = Path(), as_json: AsJson = False) -> None:
    """Show one scene."""
    with _open(workspace) as store:
        found = store.scene(scene)
    if as_json:
        show_json(found.to_json())
    else:
        show_scene(found)


@scene_app.command("relink")
def scene_relink(scene: str, href: Path, workspace: Workspace = Path(), as_json: AsJson = False) -> None:
    """Say where a scene's file is now."""
    from geolabel import workflows

    with _open(workspace) as store:
        found = workflows.relink_scene(store, scene, href)
    if as_json:
        show_json(found.to_json())
    else:
        show_scene(found)


@scene_app.command("remove")
def scene_remove(scene: str, workspace: Workspace = Path()) -> None:
    """Forget a scene that no project uses; its file stays."""
    with _open(workspace) as store:
        store.remove_scene(scene)
    say(f"Scene {scene} is no longer registered; its file was not touched.")


# Projects


@project_app.command("create")
def project_create(
    name: str,
    scene: Annotated[list[str] | None, typer.Option("--scene", help="Scenes to label; repeat the option.")] = None,
    classes: Annotated[str, typer.Option("--classes", help="'water,forest,...', or a YAML or JSON file.")] = "",
    crs: Annotated[
        str, typer.Option("--crs", help="CRS in which the labels rest: auto (the first scene's) or EPSG:n.")
    ] = "auto",
    workspace: Workspace = Path(),
    as_json: AsJson = False,
) -> None:
    """Make a project: scenes, classes, and the CRS in which the labels rest."""
    from geolabel import workflows

    with _open(workspace) as store:
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


@project_app.command("list")
def project_list(workspace: Workspace = Path(), as_json: AsJson = False) -> None:
    """List the projects."""
    with _open(workspace) as store:
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


@project_app.command("info")
def project_info(project: str, workspace: Workspace = Path(), as_json: AsJson = False) -> None:
    """Show one project and its labels by class."""
    with _open(workspace) as store:
        show_project(store.project(project), store.counts(project), as_json=as_json)


# Labels in, datasets out


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
    workspace: Workspace = Path(),
    as_json: AsJson = False,
) -> None:
    """Bring labels of a vector file into a project, all or none."""
    from geolabel import workflows

    if on_invalid not in {None, "reject", "repair", "skip"}:
        raise typer.BadParameter(f"expected reject, repair or skip, got {on_invalid!r}", param_hint="--on-invalid")
    with _open(workspace) as store, bar(quiet=as_json) as progress:
        report = workflows.import_labels(
            store,
            project,
            workflows.read_labels(file, format_name=format_, crs=crs, layer=layer),
            class_field=class_field,
            class_name=class_name,
            on_invalid=on_invalid,  # type: ignore[arg-type]
            progress=progress,
        )
    if as_json:
        show_json(report.to_json())
        return
    say(f"Imported {report.imported} of {report.read} features of {report.file} into {project}.")
    for name, number in report.by_class.items():
        say(f"  {name:24} {number:8}")
    for number, what in (
        (report.repaired, "were repaired"),
        (report.skipped, "were skipped"),
        (report.outside, "touch no scene of the project"),
    ):
        if number:
            say(f"  {number} {what}")
    for problem in report.problems[:10]:
        say(f"    {problem.pointer}: {problem.message}")
    if report.dropped_columns:
        say(f"  Columns not kept: {', '.join(report.dropped_columns)}")


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
    seed: Annotated[int, typer.Option("--seed", help="Which blocks go where.")] = 0,
    coco_holes: Annotated[str, typer.Option("--coco-holes", help="Polygons with holes as rle or keyhole.")] = "rle",
    image_format: Annotated[str, typer.Option("--image-format", help="tif or png.")] = "tif",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count, and write nothing.")] = False,
    workspace: Workspace = Path(),
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
        seed=seed,
        coco_holes=coco_holes,  # type: ignore[arg-type]
        image_format=image_format,  # type: ignore[arg-type]
    )
    with _open(workspace) as store:
        _export(store, project, directory, format_.split(","), spec, dry_run=dry_run, as_json=as_json)


def _export(
    store: Store, project: str, directory: Path, formats: Sequence[str], spec: ChipSpec, *, dry_run: bool, as_json: bool
) -> None:
    from geolabel import workflows

    with bar(quiet=as_json) as progress:
        report = workflows.export(
            store, project, directory, [name.strip() for name in formats], spec, progress=progress, dry_run=dry_run
        )
    if as_json:
        show_json(report.to_json())
    else:
        for line in report.lines():
            say(line)


def _numbers(text: str | None, kind: type[int | float], option: str) -> tuple[Any, ...] | None:
    if text is None:
        return None
    try:
        return tuple(kind(part) for part in text.split(","))
    except ValueError:
        raise typer.BadParameter(f"expected numbers with commas between, got {text!r}", param_hint=option) from None


# Serving


@app.command()
def serve(
    host: Annotated[str | None, typer.Option("--host", help="Address to listen on. [default: 127.0.0.1]")] = None,
    port: Annotated[int | None, typer.Option("--port", help="Port; 0 takes a free one. [default: 8000]")] = None,
    no_auth: Annotated[
        bool, typer.Option("--no-auth", help="Serve other machines although there are no accounts.")
    ] = False,
    workspace: Workspace = Path(),
) -> None:
    """Serve the web map, the tiles and the labels."""
    from geolabel.serving import serve as serve_
    from geolabel.settings import load_settings

    settings = load_settings(workspace=workspace, host=host, port=port, no_auth=no_auth or None)
    serve_(settings, ready=lambda url: say(f"geolabel serves {workspace.resolve()} at {url} (Ctrl+C stops)"))


@app.command()
def demo(
    directory: Annotated[Path, typer.Argument(metavar="[DIR]")] = Path("demo"),
    scene: Annotated[Path | None, typer.Option("--scene", help="Your own raster instead of the generated one.")] = None,
    serve: Annotated[bool, typer.Option("--serve/--no-serve", help="Only make it, do not serve.")] = True,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open a browser.")] = True,
    export: Annotated[Path | None, typer.Option("--export", help="Also export a dataset to this folder.")] = None,
    port: Annotated[int | None, typer.Option("--port", help="Port; the next free one when 8000 is taken.")] = None,
) -> None:
    """Make a sample workspace with a part-labelled land-use project, and serve it."""
    from geolabel import workflows
    from geolabel.chips.spec import ChipSpec
    from geolabel.store.store import open_store

    with bar() as progress:
        store = open_store(directory, create=True)
        try:
            project, made = workflows.make_demo(store, scene, progress=progress)
            say(f"{'Made' if made else 'Found'} project {project.id!r} in {directory.resolve()}")
        finally:
            store.close()
    if export is not None:
        spec = ChipSpec(split=(0.7, 0.2, 0.1), split_block=2)
        with _open(directory) as store:
            _export(store, project.id, export, ["coco", "geojson", "mask-semantic"], spec, dry_run=False, as_json=False)
    if serve:
        from geolabel.serving import free_port, open_browser
        from geolabel.serving import serve as serve_
        from geolabel.settings import load_settings

        settings = load_settings(workspace=directory, port=port if port is not None else free_port(8000))

        def ready(url: str) -> None:
            say(f"Open {url} (Ctrl+C stops)")
            if browser:
                open_browser(url)

        serve_(settings, ready=ready)


@app.command(hidden=True)
def worker(job: int, workspace: Workspace = Path()) -> None:
    """Do one claimed job; the server starts this."""
    import signal

    from geolabel.jobs import run_job
    from geolabel.workflows import JOB_HANDLERS

    # Stopped with the server: leave through the clean-up of what is half done.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))

    with _open(workspace) as store:
        run_job(store, store.job(job), JOB_HANDLERS)
