"""The root of the command line: exit codes, the options that all commands share, the workspace that they open."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from geolabel.console import err, say, show_error
from geolabel.errors import GeolabelError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from geolabel.store.store import Store

app = typer.Typer(
    name="geolabel",
    help="Label satellite and aerial imagery on its map tiles, and leave with training datasets whose geometry is exact.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Workspace = Annotated[
    str,
    typer.Option(
        "-w",
        "--workspace",
        envvar="GEOLABEL_WORKSPACE",
        help="Folder of the workspace, or the URL of its PostGIS database (postgresql://...).",
    ),
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
def open_workspace(workspace: Path | str) -> Iterator[Store]:
    """The store of a workspace, closed when the command has ended."""
    from geolabel.store.store import open_store

    store = open_store(workspace)
    try:
        yield store
    finally:
        store.close()


def place(workspace: Path | str) -> str:
    """A workspace as people may see it: the folder in full, the URL without its password."""
    from geolabel.store.opening import shown

    return shown(workspace)


@app.callback(invoke_without_command=True)
def _root(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        from geolabel import __version__

        say(f"geolabel {__version__}")
        raise typer.Exit
