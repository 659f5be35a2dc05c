"""Backdrops of other servers: off until somebody wants one, from that host alone, and never in the way."""

from __future__ import annotations

import io
import json
import re
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

import geolabel
from tests.web.conftest import Editor, opened, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser

pytestmark = pytest.mark.web

BLUE = (40, 90, 200)


@contextmanager
def tile_server() -> Iterator[tuple[str, list[Any]]]:
    """Another host with one-coloured tiles; gives its address and the requests that it got."""
    picture = io.BytesIO()
    Image.new("RGB", (256, 256), BLUE).save(picture, "PNG")
    asked: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # the name is http.server's
            asked.append((self.path, self.headers.get("Referer")))
            described = self.path.endswith("tiles.json")
            self.send_response(200)
            self.send_header("Content-Type", "application/json" if described else "image/png")
            self.send_header("Access-Control-Allow-Origin", "*")
            self.end_headers()
            self.wfile.write(self.tilejson() if described else picture.getvalue())

        def tilejson(self) -> bytes:
            """Its tiles are at a name of their own, as with most providers."""
            tiles = [f"http://localhost:{self.server.server_address[1]}/j/{{z}}/{{x}}/{{y}}.png"]
            about = {
                "tilejson": "3.0.0",
                "tiles": tiles,
                "minzoom": 0,
                "maxzoom": 14,
                "attribution": '<a href="https://example.org">© Surveyors</a>',
            }
            return json.dumps(about).encode()

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def prairie(browser: Browser, folder: Path, data: Path, basemaps: str) -> Iterator[Editor]:
    """A scene, and backdrops as the workspace's settings have them."""
    with geolabel.open(folder, create=True) as workspace:
        scene = workspace.add_scene(data / "images/m_4709963_se_14_1_20180716.tif")
        workspace.create_project("Prairie", scenes=[scene], classes=["water"])
    (folder / "geolabel.toml").write_text(basemaps, encoding="utf-8")
    with serving(folder) as server, opened(browser, server) as editor:
        editor.page.get_by_role("button", name="Skip").click()
        yield editor
        # What another host gives, and what it does not, is expected here.
        editor.wrong[:] = [line for line in editor.wrong if not re.search(r"127\.0\.0\.1|localhost|ERR_", line)]


def corner(editor: Editor) -> tuple[int, ...]:
    """The mean colour of the map beside the scene."""
    editor.ready()
    shot = editor.page.screenshot(clip={"x": 300, "y": 60, "width": 60, "height": 20})
    mean = np.asarray(Image.open(io.BytesIO(shot)).convert("RGB"), dtype=float).mean(axis=(0, 1))
    return tuple(round(float(value)) for value in mean)


def test_a_backdrop_is_drawn_under_the_scene_once_it_is_turned_on(browser: Browser, tmp_path: Path, data: Path) -> None:
    with tile_server() as (host, asked):
        lines = f'[[basemaps]]\nname = "Streets"\nurl = "{host}/t/{{z}}/{{x}}/{{y}}.png"\nattribution = "© Mappers"\n'
        with prairie(browser, tmp_path / "ws", data, lines) as editor:
            page = editor.page
            row = page.locator(f'[data-testid=layer-row][data-scene^="{host}"]')
            expect(row).to_contain_text("Streets")
            expect(page.get_by_test_id("attribution")).to_have_count(0)
            dark = corner(editor)
            assert max(dark) < 40
            assert asked == []

            row.get_by_role("button", name="Show Streets").click()
            editor.until(lambda: bool(np.abs(np.subtract(corner(editor), BLUE)).max() < 4))
            expect(page.get_by_test_id("attribution")).to_have_text("© Mappers")
            assert all(path.startswith("/t/") and path.endswith(".png") for path, _ in asked)
            # It hears which site asks, and no more of its address.
            assert {referer for _, referer in asked} == {editor.server.url}

            # It stays on in this browser, and goes when it is turned off.
            page.reload()
            editor.until(lambda: bool(np.abs(np.subtract(corner(editor), BLUE)).max() < 4))
            row.get_by_role("button", name="Hide Streets").click()
            editor.until(lambda: corner(editor) == dark)
            expect(page.get_by_test_id("attribution")).to_have_count(0)
            # No other page of that machine can be loaded from.
            blocked = page.evaluate(
                "url => fetch(url).then(() => 'loaded', () => 'blocked')", host.replace("127.0.0.1", "localhost")
            )
            assert blocked == "blocked"


def test_a_tilejson_document_says_where_the_tiles_of_a_backdrop_are(
    browser: Browser, tmp_path: Path, data: Path
) -> None:
    with tile_server() as (host, asked):
        port = host.rpartition(":")[2]
        lines = (
            f'[[basemaps]]\nname = "Survey"\nurl = "{host}/survey/tiles.json"\nhosts = ["http://localhost:{port}"]\n'
        )
        with prairie(browser, tmp_path / "ws", data, lines) as editor:
            page = editor.page
            assert asked == []
            page.get_by_role("button", name="Show Survey").click()
            editor.until(lambda: bool(np.abs(np.subtract(corner(editor), BLUE)).max() < 4))
            expect(page.get_by_test_id("attribution")).to_have_text("© Surveyors")
            assert {path.split("/")[1] for path, _ in asked} == {"survey", "j"}
            # Closer than it has tiles, its last ones are drawn larger.
            assert max(int(path.split("/")[2]) for path, _ in asked if path.startswith("/j/")) <= 14


def test_a_backdrop_that_does_not_answer_is_said_and_labelling_goes_on(
    browser: Browser, tmp_path: Path, data: Path
) -> None:
    with tile_server() as (host, _):
        nowhere = host
    lines = f'basemaps = ["{nowhere}/{{z}}/{{x}}/{{y}}.png"]\n'
    with prairie(browser, tmp_path / "ws", data, lines) as editor:
        page = editor.page
        page.get_by_role("button", name="Show 127.0.0.1").click()
        expect(page.get_by_test_id("layer-failure")).to_contain_text("does not answer")
        editor.draw([(560, 300), (760, 300), (760, 420), (560, 420)])
        editor.saved()
        assert editor.count("water") == "1"
        page.get_by_role("button", name="Hide 127.0.0.1").click()
        expect(page.get_by_test_id("layer-failure")).to_have_count(0)
