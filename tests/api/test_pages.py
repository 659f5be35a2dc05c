from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from geolabel import plugins
from geolabel.api.pages import add_pages
from geolabel.app import create_app
from geolabel.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import Api


@pytest.fixture
def static(tmp_path: Path) -> Path:
    (tmp_path / "static" / "assets").mkdir(parents=True)
    (tmp_path / "static" / "index.html").write_text("<title>map</title>")
    (tmp_path / "static" / "docs.html").write_text("<title>docs</title>")
    (tmp_path / "static" / "assets" / "index-abc123.js").write_text("export {}")
    (tmp_path / "secret.txt").write_text("secret")
    return tmp_path / "static"


def test_the_bundle(static: Path) -> None:
    app = FastAPI(docs_url=None)
    add_pages(app, static)
    client = TestClient(app)
    assert "map" in client.get("/").text
    assert client.get("/").headers["Cache-Control"] == "no-cache"
    assert "docs" in client.get("/api/docs").text
    script = client.get("/assets/index-abc123.js")
    assert script.headers["Content-Type"].startswith("text/javascript")
    assert "immutable" in script.headers["Cache-Control"]
    for path in ("/assets/nothing.js", "/assets/", "/assets/../../secret.txt", "/assets/%2e%2e/%2e%2e/secret.txt"):
        assert client.get(path).status_code == 404


def test_a_bundle_that_is_not_built(tmp_path: Path) -> None:
    app = FastAPI(docs_url=None)
    add_pages(app, tmp_path / "static")
    answer = TestClient(app).get("/")
    assert answer.status_code == 503
    assert "pip install" in answer.text


def test_a_bundle_is_found_when_it_is_built_later(static: Path, tmp_path: Path) -> None:
    app = FastAPI(docs_url=None)
    add_pages(app, tmp_path / "later")
    client = TestClient(app)
    assert client.get("/assets/index-abc123.js").status_code == 404
    static.rename(tmp_path / "later")
    assert client.get("/").status_code == 200
    assert client.get("/assets/index-abc123.js").status_code == 200


def test_a_plugin_can_add_routes(workspace: Path, start: Callable[..., Api]) -> None:
    class Plugin:
        @plugins.hookimpl
        def extend_app(self, app: Any) -> None:
            app.add_api_route("/api/hello", lambda: {"hello": "world"})

    plugin = Plugin()
    plugins.manager().register(plugin)
    try:
        api = start(workspace)
    finally:
        plugins.manager().unregister(plugin)
    assert api("GET", "/api/hello").json() == {"hello": "world"}
    assert "/api/hello" in api("GET", "/api/openapi.json").json()["paths"]
    assert api("GET", "/api/hello").headers["X-Frame-Options"] == "DENY"


def test_nothing_is_opened_before_the_application_starts(tmp_path: Path) -> None:
    create_app(Settings(workspace=tmp_path / "none"))
    assert not (tmp_path / "none").exists()


def test_a_mistake_of_ours_is_a_problem_too(workspace: Path, start: Callable[..., Api]) -> None:
    api = start(workspace)

    def broken() -> None:
        raise RuntimeError("a secret of the server")

    api.app.add_api_route("/api/broken", broken)
    answer = api("GET", "/api/broken", 500)
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert "secret" not in answer.text
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
