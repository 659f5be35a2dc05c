from __future__ import annotations

import shutil
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import uvicorn
from fastapi.testclient import TestClient

from geolabel import workflows
from geolabel.app import create_app
from geolabel.serving import server_config
from geolabel.settings import Settings
from geolabel.store.store import open_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from fastapi import FastAPI

# One scene for each kind of CRS: UTM metres, web mercator, degrees.
SCENES = {
    "atlanta": "pairs/atlanta_pan16_buildings/atlanta_pan.tif",
    "kampala": "pairs/kampala_rgb_buildings/kampala_z19_rgb.tif",
    "swellendam": "pairs/swellendam_rgba_osm/3420B_2010_328_RGB_LATLNG.tif",
}
CLASSES = [
    "building",
    {"name": "road", "geometries": ["line"]},
    {"name": "tree", "geometries": ["point"]},
    {"name": "water", "geometries": ["polygon"]},
]
BASE = "http://127.0.0.1:8000"


def make_workspace(folder: Path, data: Path) -> Path:
    with open_store(folder, create=True) as store:
        for name, path in SCENES.items():
            scene = workflows.add_scene(store, data / path)
            workflows.create_project(store, name, scenes=[scene.id], classes=CLASSES)
    return folder


@pytest.fixture(scope="session")
def template(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with three scenes and three projects, to copy."""
    return make_workspace(tmp_path_factory.mktemp("template"), data)


@pytest.fixture
def workspace(request: pytest.FixtureRequest, template: Path, tmp_path: Path) -> Path | str:
    """A workspace of its own for each test; `--database postgis` runs all of these tests on the other database."""
    if request.config.getoption("--database") == "postgis":
        url: str = request.getfixturevalue("postgis_workspace")()
        workflows.copy_workspace(template, url)
        return url
    return shutil.copytree(template, tmp_path / "ws")


@dataclass
class Api:
    """A client, and short ways to say what most tests need."""

    client: TestClient
    app: FastAPI

    def __call__(self, method: str, path: str, status: int = 200, **kwargs: Any) -> Any:
        response = self.client.request(method, path, **kwargs)
        assert response.status_code == status, f"{response.status_code}: {response.text}"
        return response

    def items(self, project: str) -> str:
        return f"/api/collections/{project}/items"

    def add(self, project: str, geometry: dict[str, Any], expect: int = 201, /, **properties: Any) -> Any:
        body = {"type": "Feature", "geometry": geometry, "properties": {"class": "building", **properties}}
        return self("POST", self.items(project), expect, json=body)

    @staticmethod
    def square(west: float, south: float, size: float = 0.001) -> dict[str, Any]:
        """A square in degrees with all the digits that doubles have."""
        east, north = west + size, south + size
        ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
        return {"type": "Polygon", "coordinates": [ring]}


@pytest.fixture
def start() -> Iterator[Callable[..., Api]]:
    """Starts the application on a workspace, with settings."""
    running: list[TestClient] = []

    def run(workspace: Path, **settings: Any) -> Api:
        app = create_app(Settings(workspace=workspace, **settings))
        client = TestClient(app, base_url=BASE, raise_server_exceptions=False)
        running.append(client.__enter__())
        return Api(client, app)

    yield run
    for client in running:
        client.__exit__(None, None, None)


@pytest.fixture
def api(workspace: Path, start: Callable[..., Api]) -> Api:
    return start(workspace)


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        self.ready.set()


@pytest.fixture
def server(workspace: Path) -> Iterator[httpx.Client]:
    """A real server on a free port, with its job runner and worker processes."""
    app = create_app(Settings(workspace=workspace))
    config = server_config(app, port=0)
    running = _Server(config)
    thread = threading.Thread(target=running.run)
    thread.start()
    assert running.ready.wait(30)
    port = running.servers[0].sockets[0].getsockname()[1]
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
        yield client
    app.state.live.close()  # as a signal does
    running.should_exit = True
    thread.join(30)
