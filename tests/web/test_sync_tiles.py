"""Very many labels: tiles show them, and exact shapes are read only where they are needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import geopandas
import httpx
import pytest
import shapely
from playwright.sync_api import expect

import geolabel
from tests.web.conftest import opened, serving

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser

pytestmark = pytest.mark.web

SIDE = 80


def test_labels_are_drawn_from_tiles_and_edited_exactly(browser: Browser, tmp_path: Path, data: Path) -> None:
    folder = tmp_path / "many"
    with geolabel.open(folder, create=True) as workspace:
        scene = workspace.add_scene(data / "pairs/kampala_rgb_buildings/kampala_z20_rgb.tif")
        project = workspace.create_project("Kampala", scenes=[scene], classes=["building", "road"])
        west, south, east, north = scene.bounds
        dx, dy = (east - west) / SIDE, (north - south) / SIDE
        boxes = [
            shapely.box(west + i * dx, south + j * dy, west + (i + 0.6) * dx, south + (j + 0.6) * dy)
            for i in range(SIDE)
            for j in range(SIDE)
        ]
        project.add(geopandas.GeoDataFrame(geometry=boxes, crs="OGC:CRS84"), class_name="building")
    asked: list[str] = []
    with serving(folder) as server, opened(browser, server, asked=asked) as editor:
        page = editor.page
        assert any(".mvt" in url for url in asked)
        assert not any("/items?" in url for url in asked)
        assert editor.count("building") == f"{SIDE * SIDE:,}"

        # A click reads the one label exactly, and a change asks for no tile.
        page.keyboard.press("v")
        page.wait_for_timeout(0)
        for x in range(700, 720, 2):
            page.mouse.click(x, 400)
            page.wait_for_timeout(150)
            if page.get_by_test_id("inspector").is_visible():
                break
        expect(page.get_by_test_id("inspector")).to_be_visible()
        id_ = int(page.get_by_test_id("editor").get_attribute("data-selected") or 0)
        assert [url for url in asked if f"/items/{id_}" in url and "history" not in url] != []
        asked.clear()
        page.keyboard.press("2")
        editor.saved()
        [road] = editor.labels("road")
        assert road["id"] == id_
        expect(page.locator("[data-testid=class-row][data-class=road] .c")).to_have_text("1")
        page.keyboard.press("Delete")
        editor.saved()
        expect(page.get_by_test_id("editor")).to_have_attribute("data-selected", "")
        page.mouse.click(x, 400)  # it is not there any more, though the tiles still have it
        page.wait_for_timeout(300)
        assert page.get_by_test_id("editor").get_attribute("data-selected") != str(id_)
        page.keyboard.press("Control+z")
        editor.saved()
        assert editor.labels("road")[0]["id"] == id_
        assert [url for url in asked if ".mvt" in url] == []

        # Somebody else's change of what no exact shape is known of shows, too.
        other = next(n for n in (1, 2, 3) if n != id_)
        url = f"{server.url}api/collections/kampala/items/{other}"
        httpx.patch(url, json={"properties": {"class": "road"}}, timeout=30).raise_for_status()
        expect(page.locator("[data-testid=class-row][data-class=road] .c")).to_have_text("2")

        # Near enough, shapes are known exactly.
        page.mouse.move(760, 380)
        for _ in range(6):
            page.mouse.wheel(0, -500)
            page.wait_for_timeout(200)
        editor.until(lambda: any("/items?" in url for url in asked))
        editor.ready()
