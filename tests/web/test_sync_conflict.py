"""A label that was changed twice: both versions on the map, and one of them, or parts of each, becomes the next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest
from playwright.sync_api import expect

from tests.web.axe import prepare, serious_in_both_themes

if TYPE_CHECKING:
    from tests.web.conftest import Editor

pytestmark = pytest.mark.web

YARD = [(700, 420), (760, 420), (760, 470), (700, 480)]
INSIDE = (730, 445)


def _conflict(editor: Editor) -> dict[str, Any]:
    """Change the class here, while somebody else changes note and outline; gives the label as it was."""
    page = editor.page
    page.keyboard.press("3")
    editor.draw(YARD)
    editor.saved()
    [made] = editor.labels("trees")
    editor.select(*INSIDE)
    page.route("**/batch", lambda route: route.abort())
    page.keyboard.press("2")
    expect(page.get_by_test_id("save-state")).to_contain_text("kept here")
    ring = made["geometry"]["coordinates"][0]
    east = max(x for x, _ in ring)
    wider = [[x + 2e-5 if x > east - 1e-5 else x, y] for x, y in ring]
    theirs = {"geometry": {"type": "Polygon", "coordinates": [wider]}, "properties": {"note": "theirs"}}
    url = f"{editor.server.url}api/collections/kampala/items/{made['id']}"
    httpx.patch(url, json=theirs, timeout=30).raise_for_status()
    page.unroute("**/batch")
    # It is tried again by itself.
    page.get_by_test_id("banner-conflict").get_by_role("button", name="Compare").click()
    expect(page.get_by_test_id("conflict-panel")).to_contain_text("was changed twice")
    expect(page.get_by_test_id("save-state")).to_contain_text("1 conflict")
    editor.wrong.clear()  # the browser logs every request that it could not send
    return made


def test_parts_of_each_by_keys_alone(editor: Editor) -> None:
    page = editor.page
    made = _conflict(editor)
    panel = page.get_by_test_id("conflict-panel")
    expect(page.get_by_test_id("iou")).to_contain_text("IoU 0.")
    flags = page.locator(".person-flag")
    expect(flags).to_have_count(2)
    page.keyboard.down("y")
    expect(flags).to_have_count(1)
    page.keyboard.up("y")
    expect(flags).to_have_count(2)
    for key, side in (("1", "mine"), ("2", "theirs"), ("3", "mix")):
        page.keyboard.press(key)
        expect(page.get_by_test_id(f"conflict-{side}")).to_have_attribute("aria-checked", "true")
    page.keyboard.press("Enter")
    expect(panel).to_have_count(0)
    editor.saved()
    [road] = editor.labels("road")
    assert (road["properties"]["note"], road["properties"]["version"]) == ("theirs", 3)
    assert road["geometry"] != made["geometry"]
    history = editor.server.get(f"api/collections/kampala/items/{made['id']}/history")["history"]
    assert [step["feature"]["properties"]["class"] for step in history] == ["trees", "trees", "road"]


def test_later_then_mine_outline_their_note(editor: Editor) -> None:
    page = editor.page
    made = _conflict(editor)
    prepare(page)
    assert serious_in_both_themes(page) == []
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("conflict-panel")).to_have_count(0)
    page.reload()
    editor.ready()
    expect(page.get_by_test_id("save-state")).to_contain_text("1 conflict")
    page.get_by_test_id("save-state").click()
    page.get_by_test_id("queue").get_by_role("button", name="Decide").click()
    page.get_by_test_id("pick-geometry-mine").click()
    page.get_by_test_id("conflict-save").click()
    editor.saved()
    [road] = editor.labels("road")
    assert road["properties"]["note"] == "theirs"
    assert road["geometry"] == made["geometry"]
