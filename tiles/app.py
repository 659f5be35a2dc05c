"""create_app(settings): a standalone tile server over files and folders."""

from __future__ import annotations

import re
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from tiles import metrics
from tiles.allow import is_address
from tiles.desk import Desk
from tiles.errors import SourceNotFound, TilesError, UnknownScene
from tiles.patience import Bodies
from tiles.recall import Recall
from tiles.router import STATUS, create_router
from tiles.settings import TilesSettings, from_environment
from tiles.sources import SUFFIXES, Source, find_source
from tiles.standards import create_matrix_router
from tiles.telemetry import Route, Telemetry
from tiles.workers import leave

if TYPE_CHECKING:
    from collections.abc import Iterable


class FolderCatalogue:
    """Rasters of files and folders as scenes, named after the files.

    Args:
        paths: files, folders that are searched with their subfolders, and addresses. Looked through once, here.
        settings: how rasters elsewhere are reached.

    Raises:
        SourceNotFound: a path is not there, or no raster is found in any.
        SourceRefused, SourceUnreachable: an address may not be read, or does not answer.
    """

    def __init__(self, paths: Iterable[str | Path], settings: TilesSettings | None = None) -> None:
        self._settings = settings or TilesSettings()
        self._versions: dict[str, str] = {}
        self.files: dict[str, str | Path] = {}
        for given in paths:
            if is_address(str(given)):
                source = find_source(str(given), settings=self._settings)
                name = self._free_name(Path(source.name).stem)
                self.files[name], self._versions[name] = source.href, source.version
                continue
            path = Path(given)
            if not path.exists():
                raise SourceNotFound(
                    f"Expected a raster or a folder of rasters at {str(path)!r}, but nothing is there."
                )
            found = (
                sorted(p for p in path.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
                if path.is_dir()
                else [path]
            )
            for file in found:
                self.files[self._free_name(file.stem)] = file
        if not self.files:
            raise SourceNotFound(
                f"Expected rasters to serve, with names ending in {', '.join(SUFFIXES)}; found none. Name a file or a folder."
            )

    def __call__(self, scene: str, /) -> Source:
        """The source of a scene, as the file is at this moment.

        Raises:
            UnknownScene: there is none of that name.
            SourceNotFound, SourceRefused, SourceUnreadable: as `tiles.sources.find_source`.
        """
        if scene not in self.files:
            raise UnknownScene(f"There is no scene {scene[:64]!r} here; GET /scenes lists what there is.")
        return find_source(self.files[scene], believed=self._versions.get(scene), settings=self._settings)

    def _free_name(self, stem: str) -> str:
        base = re.sub(r"[^a-z0-9_]+", "-", stem.lower()).strip("-_") or "raster"
        name, number = base, 1
        while name in self.files:
            number += 1
            name = f"{base}-{number}"
        return name


def create_app(settings: TilesSettings | None = None, *, replaced: bool = False) -> FastAPI:
    """Make the application that serves `settings.paths`.

    Args:
        settings: what is served, and limits; the environment's unless given.
        replaced: whether another process takes the place of this one when it ends.

    Raises:
        SourceNotFound: there is nothing to serve.
    """
    settings = settings or from_environment()
    catalogue = FolderCatalogue(settings.paths, settings)
    # The documentation pages of FastAPI load scripts from elsewhere.
    app = FastAPI(title="tiles", docs_url=None, redoc_url=None)
    app.add_exception_handler(TilesError, _tiles_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_error)

    @app.get("/healthz")
    async def health() -> dict[str, str]:
        """200 when it can serve."""
        return {"status": "ok"}

    @app.get("/metrics")
    def counts() -> Response:
        """Counts and times, for Prometheus."""
        return Response(metrics.render(), media_type=metrics.CONTENT_TYPE_LATEST)

    @app.get("/scenes")
    def scenes(request: Request) -> dict[str, list[dict[str, str]]]:
        """What is served, and where."""
        return {
            "scenes": [
                {
                    "id": name,
                    "file": Path(file).name,
                    "tilejson": str(request.url_for("imagery_tilejson", scene=name, tms="WebMercatorQuad")),
                    "preview": str(request.url_for("imagery_preview", scene=name, fmt="png")),
                }
                for name, file in catalogue.files.items()
            ]
        }

    desk = Desk(catalogue, settings, exhausted=leave if replaced else lambda: None)
    app.include_router(create_router(desk), prefix="/scenes")
    app.include_router(create_matrix_router())
    app.add_middleware(Recall, desk=desk)
    for layer in (Route, Bodies, Telemetry):
        app.add_middleware(layer)
    return app


def _problem(status: int, detail: str) -> JSONResponse:
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    headers = {"Retry-After": "1"} if status == HTTPStatus.SERVICE_UNAVAILABLE else None
    return JSONResponse(body, status, headers, media_type="application/problem+json")


async def _tiles_error(_: Request, error: Any) -> JSONResponse:
    return _problem(next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), str(error))


async def _validation_error(_: Request, error: Any) -> JSONResponse:
    first = error.errors()[0]
    return _problem(400, f"{'/'.join(map(str, first['loc']))}: {first['msg']}.")


async def _http_error(request: Request, error: Any) -> JSONResponse:
    detail = (
        f"There is nothing at {request.url.path[:200]!r}; GET /scenes lists what there is."
        if error.status_code == 404
        else str(error.detail)
    )
    return _problem(error.status_code, detail)
