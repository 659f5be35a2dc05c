"""python -m tiles FOLDER_OR_FILES: serve rasters as tiles."""

from __future__ import annotations

import argparse
import json
import os
import sys
from typing import TYPE_CHECKING, Any

import uvicorn

from tiles import memory
from tiles.app import create_app
from tiles.errors import TilesError
from tiles.patience import Patient
from tiles.settings import TilesSettings, from_environment

if TYPE_CHECKING:
    from fastapi import FastAPI


def main(arguments: list[str] | None = None) -> int:
    """Serve until interrupted.

    Returns:
        The exit code: 0, or 1 when there is nothing to serve.
    """
    parser = argparse.ArgumentParser(prog="python -m tiles", description="Serve rasters as map tiles.")
    parser.add_argument(
        "paths",
        nargs="+",
        metavar="PATH",
        help="a raster, a folder of rasters, or an address (https://, s3://, gs://, az://)",
    )
    parser.add_argument("--port", type=int, default=8000, help="port on this machine (default: %(default)s)")
    parser.add_argument("--workers", type=int, default=1, help="processes that answer (default: %(default)s)")
    given = parser.parse_args(arguments)
    try:
        settings = TilesSettings(paths=tuple(given.paths))
        app = create_app(settings)
    except TilesError as error:
        print(error, file=sys.stderr)  # noqa: T201 - the command line speaks through stderr
        return 1
    # Loopback only: there are no accounts here.
    options: dict[str, Any] = {"host": "127.0.0.1", "port": given.port, "http": Patient, "timeout_keep_alive": 30}
    if given.workers > 1:
        os.environ["TILES_PATHS"] = json.dumps([str(path) for path in settings.paths])
        uvicorn.run("tiles.__main__:make_app", factory=True, workers=given.workers, access_log=False, **options)
    else:
        _settle(settings)
        uvicorn.run(app, access_log=False, **options)
    return 0


def make_app() -> FastAPI:
    """The application of one of several processes; the first process left what to serve in the environment."""
    settings = from_environment()
    app = create_app(settings, replaced=True)
    _settle(settings)
    return app


def _settle(settings: TilesSettings) -> None:
    memory.share_arenas()
    memory.bound(settings.memory_mb)


if __name__ == "__main__":
    sys.exit(main())
