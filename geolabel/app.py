"""The application: joins HTTP, tiles, store, jobs and plugins, and opens and closes them."""

from __future__ import annotations

import os
import sys
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
from fastapi import FastAPI, Response
from fastapi.middleware.cors import CORSMiddleware

from geolabel import __version__, plugins
from geolabel.api import (
    basemaps,
    batch,
    changesets,
    collections,
    errors,
    events,
    imports,
    items,
    jobs,
    labeltiles,
    openapi,
    operations,
    pages,
    positions,
    predictions,
    previews,
    projects,
    scenes,
    snapshots,
    uploads,
)
from geolabel.api.delivery import Compression, Head, QgisReasons
from geolabel.api.live import Live, ending_when_told
from geolabel.api.security import Guard
from geolabel.api.viewport import Viewport
from geolabel.api.wire import Json
from geolabel.errors import InvalidInput, NotFound
from geolabel.imagery import check_hosts, find_registered, keep_on_disk
from geolabel.jobs import WITH_BODY, JobRunner
from geolabel.labeltiles.drawn import DrawnTiles
from geolabel.labeltiles.saved import Saved
from geolabel.labeltiles.service import LabelTiles
from geolabel.model import Project, Scene
from geolabel.settings import Settings
from geolabel.store.presence import Presence
from geolabel.store.store import open_store
from tiles import metrics
from tiles.cache import Cache
from tiles.desk import Desk
from tiles.errors import TilesError, UnknownScene
from tiles.mosaic_router import create_mosaic_router
from tiles.mosaics import Entry
from tiles.patience import Bodies
from tiles.recall import Recall
from tiles.router import STATUS as TILES_STATUS
from tiles.router import create_router
from tiles.settings import read_environment
from tiles.standards import create_matrix_router
from tiles.telemetry import Route, Telemetry
from tiles.workers import leave

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from geolabel.model import Job
    from geolabel.store.store import Store
    from tiles.settings import TilesSettings
    from tiles.sources import Source


# Synchronous endpoints run in threads: tiles are mostly waiting for the disk and for code that releases the GIL.
_THREADS = 40
# For how long a removed or relinked scene may still be drawn from its old file.
_REMEMBERED_S = 1.0


def create_app(settings: Settings | None = None, *, jobs_here: bool = True) -> FastAPI:
    """Build the application; nothing is opened before it starts.

    Args:
        settings: where and what; read from the environment when None.
        jobs_here: whether this process starts the jobs; of several on one workspace, one does.

    Raises:
        InvalidInput: a setting cannot be read.
    """
    settings = settings or Settings()
    check_hosts(settings)
    app = FastAPI(
        title="geolabel",
        version=__version__,
        description="Land-use labels on satellite and aerial imagery.",
        lifespan=_lifespan,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.settings = settings
    app.state.jobs_here = jobs_here
    errors.install(app, TILES_STATUS.items())
    try:
        tiles_settings = read_environment()
    except TilesError as error:
        raise InvalidInput(str(error)) from error
    imagery = _Imagery(app, tiles_settings)
    exhausted = _nothing if jobs_here else leave
    desk = Desk(imagery.source, tiles_settings, imagery.saved, exhausted=exhausted)
    app.state.pictures = desk.pictures
    # Routes are tried one after the other, some ten microseconds each: first what a map asks for by the hundred.
    app.include_router(create_router(desk), prefix="/api/scenes", tags=["tiles"])
    app.include_router(labeltiles.router)
    app.add_api_route("/healthz", _health, tags=["server"])
    app.router.routes.append(Viewport())
    app.include_router(items.router)
    for module in (
        batch,
        events,
        operations,
        scenes,
        basemaps,
        projects,
        positions,
        collections,
        changesets,
        snapshots,
        jobs,
        imports,
        uploads,
        predictions,
        previews,
    ):
        app.include_router(module.router)
    app.include_router(create_mosaic_router(desk, imagery.mosaic), prefix="/api/projects", tags=["tiles"])
    app.include_router(create_matrix_router(), prefix="/api", tags=["tiles"])
    openapi.add_route(app)
    app.add_api_route("/metrics", _metrics, tags=["server"])
    pages.add_pages(app)
    plugins.manager().hook.extend_app(app=app)
    app.add_middleware(labeltiles.ShortWay)
    app.add_middleware(Recall, desk=desk)
    app.add_middleware(Route)
    app.add_middleware(Bodies)
    app.add_middleware(Compression, proxied=settings.public_url is not None)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=["Content-Type", "Content-Crs", "If-Match", "If-None-Match"],
            expose_headers=["ETag", "Location", "Content-Crs", "Allow", "Link"],
        )
    app.add_middleware(Guard, settings=settings)
    app.add_middleware(Head)
    app.add_middleware(QgisReasons)
    app.add_middleware(Telemetry)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    settings: Settings = app.state.settings
    anyio.to_thread.current_default_thread_limiter().total_tokens = _THREADS
    store = await anyio.to_thread.run_sync(open_store, settings.workspace)
    memory = settings.label_memory_mb * 2**20
    kept = store.folder / "cache"
    label_tiles = LabelTiles(store, memory, Saved(kept / "labels", memory), DrawnTiles(kept / "label-tiles"))

    def ended(job: Job) -> None:
        if memory and job.kind in WITH_BODY:  # it has brought labels
            label_tiles.prepare([job.project])

    runner = make_runner(store, ended)
    app.state.store = store
    await anyio.to_thread.run_sync(keep_on_disk, app.state.pictures, store.folder)
    if memory:
        label_tiles.prepare([project.id for project in await anyio.to_thread.run_sync(store.projects)])
    app.state.label_tiles = label_tiles
    app.state.label_tile_cache = Cache(settings.label_tiles_mb * 2**20, len)
    app.state.wake_jobs = runner.wake if app.state.jobs_here else _nothing
    app.state.presence = Presence(store.folder)
    app.state.live = Live(store, app.state.presence)
    app.state.searches = anyio.CapacityLimiter(os.cpu_count() or 1)
    try:
        if app.state.jobs_here:
            await anyio.to_thread.run_sync(runner.start)
        with ending_when_told(app.state.live):
            yield
    finally:
        app.state.live.close()
        await anyio.to_thread.run_sync(app.state.presence.close)
        if app.state.jobs_here:
            await anyio.to_thread.run_sync(runner.stop)
        await anyio.to_thread.run_sync(label_tiles.close)
        await anyio.to_thread.run_sync(store.close)


def make_runner(store: Store, ended: Callable[[Job], None] = lambda _: None) -> JobRunner:
    """What starts the jobs of a workspace, and tells of each that has ended."""
    # A URL may hold a password, and everybody on the machine can read a command line.
    return JobRunner(
        store,
        lambda job: [sys.executable, "-m", "geolabel", "worker", str(job)],
        environment={"GEOLABEL_WORKSPACE": store.location},
        ended=ended,
    )


class _Imagery:
    """What tiles may show, by id: the registered scenes, how they are shown, and the scenes of a project as one layer."""

    def __init__(self, app: FastAPI, limits: TilesSettings) -> None:
        self._app = app
        self._limits = limits
        self._known: dict[tuple[str, str], tuple[Scene | Project, float]] = {}

    def source(self, scene: str) -> Source:
        """The file of a scene, as it is at this moment: a changed one is drawn anew."""
        found = self._scene(scene)
        return find_registered(found.href, found.version, self._app.state.settings, self._limits)

    def saved(self, scene: str) -> Mapping[str, str]:
        """How a scene is shown where a request says nothing else."""
        return self._scene(scene).rendering

    def mosaic(self, project: str) -> list[Entry]:
        """The scenes of a project, in its order."""
        found = self._remembered("project", project)
        assert isinstance(found, Project)
        return [Entry(scene, self._scene(scene).datetime) for scene in found.scenes]

    def _scene(self, scene: str) -> Scene:
        found = self._remembered("scene", scene)
        assert isinstance(found, Scene)
        return found

    def _remembered(self, kind: str, name: str) -> Scene | Project:
        """From the store; a map asks for many tiles of one scene at once, and the store need not hear all of them."""
        known, until = self._known.get((kind, name), (None, 0.0))
        if known is not None and time.monotonic() < until:
            return known
        store = self._app.state.store
        try:
            found: Scene | Project = store.scene(name) if kind == "scene" else store.project(name)
        except NotFound as error:
            self._known.pop((kind, name), None)
            raise UnknownScene(str(error)) from error
        self._known[kind, name] = (found, time.monotonic() + _REMEMBERED_S)
        return found


def _nothing() -> None:
    """Another process looks for jobs every other second; and none takes the place of the only one."""


async def _health() -> Response:
    """Answers when the server can serve."""
    return Json({"status": "ok"})


def _metrics() -> Response:
    """Counts and times of all processes of the server, for Prometheus."""
    return Response(metrics.render(), media_type=metrics.CONTENT_TYPE_LATEST)
