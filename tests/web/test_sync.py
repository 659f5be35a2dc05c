"""Nothing that was drawn is lost, and several people at work see each other."""

from __future__ import annotations

import io
import json
import re
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.web.conftest import opened

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from playwright.sync_api import Browser, Route

    from tests.web.conftest import Editor, Served

pytestmark = pytest.mark.web

# On the open yard in the middle of the scene, where no building stands (screen pixels at 1280 x 720).
YARD = [(700, 420), (760, 420), (760, 470), (700, 480)]
INSIDE = (730, 445)


def _edit(server: Served, id_: int, **properties: Any) -> None:
    """Somebody else changes a label."""
    url = f"{server.url}api/collections/kampala/items/{id_}"
    httpx.patch(url, json={"properties": properties}, timeout=30).raise_for_status()


def test_offline_the_queue_says_what_waits_and_a_reload_keeps_it(editor: Editor) -> None:
    page = editor.page
    tries: list[str] = []
    page.route("**/batch", lambda route: (tries.append(route.request.url), route.abort()))
    page.keyboard.press("3")
    editor.draw(YARD)
    expect(page.get_by_test_id("save-state")).to_contain_text("Offline, 1 change kept here")
    expect(page.get_by_test_id("banner-offline")).to_contain_text("Next try in")
    page.get_by_test_id("save-state").click()
    expect(page.get_by_test_id("queue")).to_contain_text("trees, draw trees")
    with page.expect_download() as download:
        page.get_by_role("button", name="Save as file").click()
    kept = json.loads(download.value.path().read_text())["features"]
    assert [f["properties"]["change"] for f in kept] == ["create"]
    page.reload()
    editor.ready()
    expect(page.get_by_test_id("save-state")).to_contain_text("Offline, 1 change kept here")
    editor.select(*INSIDE)  # it is on the map again
    page.keyboard.press("2")
    expect(page.get_by_test_id("save-state")).to_contain_text("2 changes kept here")
    before = len(tries)
    page.get_by_test_id("banner-offline").get_by_role("button", name="Try now").click()
    editor.until(lambda: len(tries) > before)
    page.unroute("**/batch")  # from here on the page finds out by itself
    editor.saved()
    [road] = editor.labels("road")
    assert road["properties"]["version"] == 2
    editor.wrong.clear()  # the browser logs every request that it could not send


def test_signed_out_everything_is_kept(editor: Editor) -> None:
    page = editor.page
    page.route("**/batch", lambda route: route.fulfill(status=401, body="{}"))
    page.keyboard.press("3")
    editor.draw(YARD)
    expect(page.get_by_test_id("save-state")).to_contain_text("Signed out, 1 change kept here")
    page.unroute("**/batch")
    editor.saved()
    assert len(editor.labels("trees")) == 1


def test_an_answer_that_is_lost_has_its_effect_once(editor: Editor) -> None:
    page = editor.page
    lost: list[Route] = []

    def lose(route: Route) -> None:
        if lost:
            route.continue_()
            return
        lost.append(route)
        route.fetch()
        route.abort()

    page.route("**/batch", lose)
    page.keyboard.press("3")
    editor.draw(YARD)
    editor.saved()
    assert len(editor.labels("trees")) == 1
    editor.wrong.clear()


def test_two_tabs_share_one_outbox_and_one_connection(editor: Editor) -> None:
    page = editor.page
    streams: list[str] = []
    page.context.on("request", lambda request: streams.append(request.url) if "/events" in request.url else None)
    with page.context.expect_page() as other:
        page.evaluate("window.open(location.href)")
    second = other.value
    expect(second.locator("[data-testid=editor][data-state=idle]")).to_be_visible()
    page.route("**/batch", lambda route: route.abort())
    page.keyboard.press("3")
    editor.draw(YARD)
    expect(page.get_by_test_id("save-state")).to_contain_text("1 change kept here")
    expect(second.get_by_test_id("save-state")).to_contain_text("1 change kept here")
    expect(second.locator("[data-testid=class-row][data-class=trees] .c")).to_have_text("1")
    page.close()  # the other one goes on
    expect(second.get_by_test_id("save-state")).to_contain_text("All changes saved")
    assert len(editor.labels("trees")) == 1
    assert len(streams) == 1  # opened when the first tab was gone; until then both heard by one
    editor.wrong.clear()


def test_two_people_see_each_other(editor: Editor, browser: Browser) -> None:
    with opened(browser, editor.server) as other:
        mine, theirs = editor.page, other.page
        for page, name in ((mine, "Rosa O."), (theirs, "Amina N.")):
            page.get_by_test_id("me").click()
            expect(page.get_by_test_id("ask-name")).to_be_in_viewport(ratio=1)
            page.get_by_label("Name", exact=True).fill(name)
            page.keyboard.press("Enter")
        expect(mine.get_by_test_id("person")).to_have_attribute("title", "Amina N.")
        expect(theirs.get_by_test_id("person")).to_have_attribute("title", "Rosa O.")
        theirs.locator(".maplibregl-canvas").focus()
        theirs.keyboard.press("3")
        other.draw(YARD)
        other.saved()
        expect(mine.locator("[data-testid=class-row][data-class=trees] .c")).to_have_text("1")
        other.select(*INSIDE)
        expect(mine.get_by_test_id("person-flag")).to_have_text("Amina N.")
        mine.locator(".maplibregl-canvas").focus()
        editor.select(*INSIDE)
        expect(mine.get_by_test_id("inspector")).to_contain_text("Amina N.")
        theirs.keyboard.press("2")
        expect(mine.get_by_test_id("inspector")).to_contain_text("road")
        [road] = editor.labels("road")
        assert road["properties"]["author"] == "Amina N."
        theirs.keyboard.press("Delete")
        expect(mine.get_by_test_id("inspector")).to_have_count(0)
        expect(mine.get_by_test_id("person-flag")).to_have_count(0)
    expect(mine.get_by_test_id("person")).to_have_count(0)


def test_edits_from_elsewhere_appear_and_undo_leaves_them_alone(editor: Editor) -> None:
    page = editor.page
    page.keyboard.press("3")
    editor.draw(YARD)
    editor.saved()
    [made] = editor.labels("trees")
    editor.select(*INSIDE)
    page.keyboard.press("2")
    editor.saved()
    _edit(editor.server, made["id"], **{"class": "building"})
    expect(page.get_by_test_id("class-select")).to_contain_text("building")
    page.keyboard.press("Control+z")
    expect(page.get_by_test_id("toast")).to_contain_text("somebody else has changed it since")
    assert editor.labels("building")[-1]["id"] == made["id"]


def test_classes_that_somebody_changes_are_others_at_once(editor: Editor) -> None:
    page, server = editor.page, editor.server

    def roof() -> NDArray[np.float64]:
        shot = page.screenshot(clip={"x": 611, "y": 212, "width": 10, "height": 10})
        mean: NDArray[np.float64] = np.asarray(Image.open(io.BytesIO(shot)).convert("RGB"), float).mean(axis=(0, 1))
        return mean

    before = roof()
    classes = server.get("api/projects/kampala")["classes"]
    green = [{**c, "color": "#00ff00"} if c["name"] == "building" else c for c in classes]
    new = {"classes": [*green, {"name": "water"}], "guidelines": "Roofs, *not* walls."}
    httpx.patch(f"{server.url}api/projects/kampala", json=new, timeout=30).raise_for_status()
    expect(page.locator("[data-testid=class-row][data-class=water]")).to_be_visible()
    swatch = page.locator("[data-testid=class-row][data-class=building] .swatch")
    expect(swatch).to_have_attribute("style", re.compile("#00ff00"))
    expect(page.get_by_test_id("toast")).to_have_text("Somebody has changed the classes.")
    editor.until(lambda: bool((roof() - before)[1] > 8))
    page.get_by_test_id("guide-toggle").click()
    expect(page.get_by_test_id("guidelines")).to_contain_text("Roofs, not walls.")
