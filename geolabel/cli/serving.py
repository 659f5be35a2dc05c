"""`geolabel serve`, `geolabel demo`, and the worker that the server starts."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from geolabel.cli.app import Workspace, app, open_workspace, place
from geolabel.cli.export import run_export
from geolabel.console import bar, say


@app.command()
def serve(
    host: Annotated[str | None, typer.Option("--host", help="Address to listen on. [default: 127.0.0.1]")] = None,
    port: Annotated[int | None, typer.Option("--port", help="Port; 0 takes a free one. [default: 8000]")] = None,
    no_auth: Annotated[
        bool, typer.Option("--no-auth", help="Serve other machines although there are no accounts.")
    ] = False,
    workers: Annotated[
        int | None, typer.Option("--workers", help="Processes that answer, on one port. [default: 1]", min=1)
    ] = None,
    workspace: Workspace = ".",
) -> None:
    """Serve the web map, the tiles and the labels."""
    from geolabel.serving import serve as serve_
    from geolabel.settings import load_settings

    settings = load_settings(workspace=workspace, host=host, port=port, no_auth=no_auth or None, workers=workers)
    serve_(settings, ready=lambda url: say(f"geolabel serves {place(workspace)} at {url} (Ctrl+C stops)"))


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
        with open_workspace(directory) as store:
            run_export(
                store, project.id, export, ["coco", "geojson", "mask-semantic"], spec, dry_run=False, as_json=False
            )
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
def worker(job: int, workspace: Workspace = ".") -> None:
    """Do one claimed job; the server starts this."""
    import signal

    from geolabel.jobs import run_job
    from geolabel.workflows import JOB_HANDLERS
    from tiles import memory

    memory.unbound()

    # Stopped with the server: leave through the clean-up of what is half done.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))

    with open_workspace(workspace) as store:
        run_job(store, store.job(job), JOB_HANDLERS)
