"""The main job in a browser, by mouse and keys."""

from __future__ import annotations

import io
import json
import re
import zipfile
from typing import TYPE_CHECKING

import numpy as np
import pyproj
import pytest
import rasterio
from playwright.sync_api import expect

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Page, Route

    from tests.web.conftest import Editor

pytestmark = pytest.mark.web

# On the open yard in the middle of the scene, with no building in reach of snapping (screen pixels at 1280 x 720).
YARD = [(720, 420), (760, 420), (760, 470), (700, 480)]


def test_draw_reload_export_and_find_it_in_the_dataset(editor: Editor, data: Path) -> None:
    page = editor.page
    page.keyboard.press("3")
    clicked = editor.draw(YARD)
    editor.saved()
    assert editor.count("trees") == "1"

    page.reload()
    editor.ready()
    assert editor.count("trees") == "1"
    [feature] = editor.labels("trees")
    assert feature["properties"]["source"] == "web"
    ring = np.array(feature["geometry"]["coordinates"][0])
    # The status bar rounds to a millionth of a degree, a tenth of a metre.
    away = np.abs(ring[:4, None] - np.array(clicked)[None]).max(axis=2)
    assert (away.min(axis=0) <= 2e-6).all()

    page.get_by_test_id("export").click()
    page.get_by_test_id("export-size").fill("256")
    page.get_by_test_id("export-start").click()
    expect(page.get_by_test_id("export-job")).to_have_attribute("data-job-state", "done", timeout=60_000)
    with page.expect_download() as download:
        page.get_by_test_id("export-download").click()
    archive = zipfile.ZipFile(io.BytesIO(download.value.path().read_bytes()))
    assert archive.testzip() is None

    # Where it is in pixels, worked out here from the stored corners alone.
    with rasterio.open(data / "pairs/kampala_rgb_buildings/kampala_z20_rgb.tif") as raster:
        x, y = pyproj.Transformer.from_crs("OGC:CRS84", raster.crs, always_xy=True).transform(*ring.T)
        expected = np.column_stack(~raster.transform @ (x, y))
    found = 0
    files = [n for n in archive.namelist() if re.search(r"/coco/\w+\.json$", n)]
    for coco in (json.loads(archive.read(name)) for name in files):
        images = {image["id"]: image for image in coco["images"]}
        category = next(c["id"] for c in coco["categories"] if c["name"] == "trees")
        for annotation in (a for a in coco["annotations"] if a["category_id"] == category):
            col, row, *_ = images[annotation["image_id"]]["geo"]["window"]
            for polygon in annotation["segmentation"]:
                corners = np.array(polygon).reshape(-1, 2) + np.array([col, row])
                inside = corners[np.all((corners - [col, row]) % 256 > 1e-6, axis=1)]
                for corner in inside:  # corners on a chip's edge are cuts; all others are corners that were drawn
                    assert np.hypot(*(expected - corner).T).min() <= 1e-6
                    found += 1
    assert found == 4


def test_select_move_a_vertex_undo_redo(editor: Editor) -> None:
    page = editor.page
    page.keyboard.press("3")
    editor.draw(YARD)
    editor.saved()
    [before] = editor.labels("trees")
    page.keyboard.press("v")
    page.mouse.click(730, 445)
    expect(page.get_by_test_id("editor")).to_have_attribute("data-selected", str(before["id"]))
    expect(page.get_by_test_id("inspector")).to_be_visible()

    page.mouse.move(760, 420, steps=4)
    page.mouse.down()
    page.mouse.move(790, 400, steps=8)
    page.mouse.up()
    expect(page.get_by_test_id("undo")).to_be_enabled()
    editor.until(lambda: editor.labels("trees")[0]["properties"]["version"] == 2)
    [moved] = editor.labels("trees")
    old, new = before["geometry"]["coordinates"][0], moved["geometry"]["coordinates"][0]
    assert [a == b for a, b in zip(old[:4], new[:4], strict=True)].count(False) == 1  # the others to the last bit

    page.keyboard.press("Control+z")
    editor.until(lambda: editor.labels("trees")[0]["properties"]["version"] == 3)
    assert editor.labels("trees")[0]["geometry"] == before["geometry"]
    page.keyboard.press("Control+Shift+z")
    editor.until(lambda: editor.labels("trees")[0]["properties"]["version"] == 4)
    assert editor.labels("trees")[0]["geometry"] == moved["geometry"]


def test_change_class_delete_and_bring_back(editor: Editor) -> None:
    page = editor.page
    page.keyboard.press("3")
    editor.draw(YARD)
    editor.saved()
    [made] = editor.labels("trees")
    editor.select(730, 445)
    page.keyboard.press("1")
    editor.until(lambda: editor.labels("trees") == [])
    page.keyboard.press("Delete")
    editor.until(lambda: len(editor.labels("building")) == 108)
    expect(page.locator("[data-testid=class-row][data-class=building] .c")).to_have_text("108")
    page.keyboard.press("Control+z")
    editor.until(lambda: len(editor.labels("building")) == 109)
    page.keyboard.press("Control+z")
    editor.until(lambda: len(editor.labels("trees")) == 1)
    [back] = editor.labels("trees")
    assert back["id"] == made["id"]
    assert back["geometry"] == made["geometry"]
    editor.saved()


def test_rectangle_line_and_point(editor: Editor) -> None:
    page = editor.page
    page.keyboard.press("2")
    page.keyboard.press("r")
    page.mouse.click(700, 420)
    page.mouse.move(740, 450, steps=4)
    page.mouse.click(740, 450)
    editor.until(lambda: len(editor.labels("road")) == 1)
    page.keyboard.press("l")
    for x, y in [(700, 470), (740, 480), (780, 470)]:
        page.mouse.move(x, y, steps=3)
        page.mouse.click(x, y)
    page.keyboard.press("Enter")
    editor.until(lambda: len(editor.labels("road")) == 2)
    page.keyboard.press("d")
    page.mouse.click(770, 440)
    editor.until(lambda: len(editor.labels("road")) == 3)
    assert [f["geometry"]["type"] for f in editor.labels("road")] == ["Polygon", "LineString", "Point"]
    editor.saved()


def test_what_the_server_refuses_stays_drawn_and_says_why(editor: Editor) -> None:
    page = editor.page
    page.keyboard.press("3")
    editor.draw([(700, 420), (760, 470), (760, 420), (700, 470)])
    banner = page.get_by_test_id("banner-refused")
    expect(banner).to_contain_text("crosses itself")
    expect(page.get_by_test_id("save-state")).to_have_attribute("data-save", "failed")
    assert editor.labels("trees") == []
    banner.get_by_role("button", name="Discard change").click()
    expect(banner).to_have_count(0)
    editor.draw(YARD)  # other work goes on
    editor.saved()
    assert len(editor.labels("trees")) == 1


def test_the_server_goes_away_and_comes_back(editor: Editor) -> None:
    page = editor.page
    page.context.set_offline(True)
    page.keyboard.press("3")
    editor.draw(YARD)
    expect(page.get_by_test_id("banner-offline")).to_contain_text("kept")
    expect(page.get_by_test_id("save-state")).to_have_attribute("data-save", "failed")
    expect(page.get_by_test_id("banner-offline").get_by_role("button", name="Try now")).to_be_enabled()
    page.context.set_offline(False)  # the page notices by itself
    editor.saved()
    expect(page.get_by_test_id("banner-offline")).to_have_count(0)
    assert len(editor.labels("trees")) == 1
    editor.wrong.clear()  # the browser logs every request that it could not send


def test_sliders_layers_shortcuts_and_theme(editor: Editor) -> None:
    page = editor.page
    for name in ("Brightness", "Contrast", "Opacity"):
        slider = page.get_by_role("slider", name=name)
        before = page.locator("canvas").first.screenshot()
        slider.focus()
        for _ in range(8):
            page.keyboard.press("ArrowLeft")
        editor.ready()
        editor.until(lambda before=before: page.locator("canvas").first.screenshot() != before)
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Hide building").click()
    expect(page.get_by_role("button", name="Show building")).to_be_visible()
    page.keyboard.press("?")
    expect(page.get_by_test_id("shortcuts")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("shortcuts")).to_have_count(0)
    page.get_by_test_id("theme").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "light")
    page.keyboard.press("\\")
    expect(page.get_by_test_id("class-row")).to_have_count(0)


def test_the_api_page_is_bundled(editor: Editor) -> None:
    page = editor.page
    page.goto(f"{editor.server.url}api/docs")
    expect(page.get_by_text("/api/collections/{project}/items").first).to_be_visible()


def test_a_note_in_the_making_outlives_the_answer_to_a_save(editor: Editor) -> None:
    page = editor.page
    page.keyboard.press("3")
    editor.draw(YARD)
    editor.saved()
    editor.select(730, 445)
    held: list[Route] = []
    page.route("**/batch", lambda route: held.append(route))  # noqa: PLW0108 (Playwright takes no built-in)
    page.mouse.move(760, 420, steps=4)
    page.mouse.down()
    page.mouse.move(780, 405, steps=6)
    page.mouse.up()
    editor.until(lambda: len(held) == 1)
    note = page.get_by_test_id("note")
    note.click()
    page.keyboard.type("half a sent")
    held.pop().continue_()
    editor.saved()
    page.unroute("**/batch")
    page.keyboard.type("ence")
    page.keyboard.press("Enter")
    editor.until(lambda: editor.labels("trees")[0]["properties"]["note"] == "half a sentence")


def test_a_class_is_clicked_in_the_middle_of_a_drawing(editor: Editor) -> None:
    page = editor.page
    page.get_by_role("button", name="Hide trees").click()
    page.keyboard.press("p")
    for x, y in YARD:
        page.mouse.move(x, y, steps=3)
        page.mouse.click(x, y)
    page.locator("[data-testid=class-row][data-class=trees] .nm").click()
    page.keyboard.press("Enter")  # closes the outline: the keys stay with the map
    editor.until(lambda: len(editor.labels("trees")) == 1)
    expect(page.get_by_role("button", name="Hide trees")).to_be_visible()  # or it would vanish under the hand
    editor.saved()


def test_an_export_is_still_there_when_its_panel_opens_again(editor: Editor) -> None:
    page = editor.page
    page.get_by_test_id("export").click()
    page.get_by_test_id("export-split").fill("70/20/10")
    page.get_by_test_id("export-start").click()
    expect(page.get_by_test_id("export-job")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("export-panel")).to_have_count(0)
    page.get_by_test_id("export").click()
    job = page.get_by_test_id("export-job")
    expect(job).to_have_attribute("data-job-state", "done", timeout=60_000)
    expect(job).to_contain_text("chips with 108 labels")
    expect(page.get_by_role("region", name="Notes of the export")).to_contain_text("not 70/20/10")


def test_labels_across_the_antimeridian(dateline: Editor) -> None:
    page = dateline.page
    east = next(x for x in range(400, 1100, 20) if " W" in _place(page, (x, 350)))
    dateline.draw([(east - 60, 340), (east + 60, 340), (east + 60, 380)])
    dateline.draw([(east + 70, 400), (east + 100, 400), (east + 100, 440)])  # wholly beyond
    dateline.saved()
    page.reload()
    dateline.ready()
    for x, y, key in ((east + 30, 345, "1"), (east + 90, 410, "2")):
        dateline.select(x, y)
        expect(page.get_by_test_id("editor")).to_have_attribute("data-selected", key)
    features = dateline.server.get("api/collections/dateline/items")["features"]
    assert [f["properties"]["scene"] for f in features] == ["cog_dateline"] * 2
    assert len(features[0]["geometry"]["coordinates"][0]) < 50


def _place(page: Page, at: tuple[int, int]) -> str:
    page.mouse.move(*at)
    return page.get_by_test_id("coordinates").inner_text()
