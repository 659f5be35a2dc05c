"""A tile that was asked for before comes the short way, as long as nothing about it has changed."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from tiles.app import create_app
from tiles.desk import Desk
from tiles.errors import UnknownScene
from tiles.recall import Recall
from tiles.router import create_router
from tiles.settings import TilesSettings
from tiles.sources import local_source

if TYPE_CHECKING:
    from pathlib import Path

PATH = "/a/tiles/WebMercatorQuad/18/154806/130816.png"


class Place:
    """Scenes and how they are shown, for a test to change; counts how often the long way was taken."""

    def __init__(self, path: Path) -> None:
        self.paths = {"a": path}
        self.saved: dict[str, str] = {}
        self.long = 0
        self.desk = Desk(self.find, TilesSettings(cache_mb=8), lambda _: dict(self.saved))
        app = FastAPI()
        app.include_router(create_router(self.desk))
        original = self.desk.answer

        async def counted(*arguments):
            self.long += 1
            return await original(*arguments)

        self.desk.answer = counted  # type: ignore[method-assign]
        app.add_middleware(Recall, desk=self.desk)
        self.client = TestClient(app, raise_server_exceptions=False)

    def find(self, scene: str):
        if scene not in self.paths:
            raise UnknownScene(f"no {scene}")
        return local_source(self.paths[scene])


@pytest.fixture
def place(data: Path, tmp_path: Path) -> Place:
    shutil.copy(data / "pairs/kampala_rgb_buildings/kampala_z19_rgb.tif", tmp_path / "a.tif")
    return Place(tmp_path / "a.tif")


def test_the_second_answer_is_the_first_one(place: Place) -> None:
    first, second = place.client.get(PATH), place.client.get(PATH)
    assert place.long == 1
    assert first.status_code == 200
    assert second.content == first.content
    for name in ("etag", "cache-control", "content-type", "content-length"):
        assert second.headers[name] == first.headers[name]
    again = place.client.get(PATH, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
    assert place.long == 1


def test_a_query_is_another_address(place: Place) -> None:
    place.client.get(PATH)
    gray = place.client.get(PATH + "?bidx=1")
    assert place.long == 2
    assert gray.content != place.client.get(PATH).content
    assert place.client.get(PATH + "?bidx=1").content == gray.content
    assert place.long == 2


def test_a_file_that_changed_goes_the_long_way(place: Place) -> None:
    first = place.client.get(PATH)
    os.utime(place.paths["a"], (1, 1))
    second = place.client.get(PATH)
    assert place.long == 2
    assert second.headers["etag"] != first.headers["etag"]
    place.paths["a"].unlink()
    assert place.client.get(PATH).status_code == 500  # this application turns no errors into answers
    assert place.long == 3


def test_a_scene_that_is_shown_in_another_way_goes_the_long_way(place: Place) -> None:
    first = place.client.get(PATH)
    place.saved = {"bidx": "1"}
    second = place.client.get(PATH)
    assert place.long == 2
    assert second.headers["etag"] != first.headers["etag"]


def test_other_methods_are_not_recalled(place: Place) -> None:
    place.client.get(PATH)
    assert place.client.post(PATH).status_code == 405


def test_a_full_queue_is_said_the_short_way(data: Path) -> None:
    """The same answer as the long way's, which only the first request takes; what the client has is still found out."""
    raster = data / "pairs/kampala_rgb_buildings/kampala_z19_rgb.tif"
    app = create_app(TilesSettings(paths=(raster,), cache_mb=8))
    desk = next(layer.kwargs["desk"] for layer in app.user_middleware if layer.cls is Recall)
    path = "/scenes/kampala_z19_rgb/tiles/WebMercatorQuad/18/{}/130816.png"
    client = TestClient(app, raise_server_exceptions=False)
    drawn = client.get(path.format(154806))
    assert drawn.status_code == 200
    looked_up = []
    original = desk.answer

    async def counted(*arguments):
        looked_up.append(arguments[0])
        return await original(*arguments)

    desk.answer = counted
    desk._here._limit = 0
    short = client.get(path.format(154807))
    assert looked_up == []
    desk._drawn_by.clear()
    long = client.get(path.format(154807))
    assert looked_up == ["kampala_z19_rgb"]
    assert short.status_code == long.status_code == 503
    assert short.json() == long.json()
    assert {k: v for k, v in short.headers.items() if k != "x-request-id"} == {
        k: v for k, v in long.headers.items() if k != "x-request-id"
    }
    assert client.get(path.format(154806)).content == drawn.content
    has = client.get(path.format(154806) + "?gamma=1", headers={"If-None-Match": "*"})
    assert has.status_code == 304
    desk._here._limit = 8
    assert client.get(path.format(154807)).status_code == 200
