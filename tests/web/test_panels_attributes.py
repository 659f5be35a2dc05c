"""The attributes of a label, by the schema of its project."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import Page, expect

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import geolabel
    from tests.web.conftest import Editor

pytestmark = pytest.mark.web

YARD = [(560, 420), (620, 420), (620, 470), (560, 480)]
BESIDE = [(640, 420), (680, 420), (680, 470), (640, 480)]
ATTRIBUTES = [
    {"name": "roof", "kind": "enum", "values": ["tile", "metal", "thatch"], "required": True, "classes": ["building"]},
    {"name": "storeys", "kind": "number", "minimum": 0, "maximum": 200, "title": "Storeys"},
    {"name": "occluded", "kind": "boolean"},
    {"name": "address", "kind": "text"},
]


@pytest.fixture
def editor(opening: Callable[..., Editor], data: Path) -> Editor:
    """Kampala, whose buildings have a roof."""

    def make(workspace: geolabel.Workspace) -> None:
        scene = workspace.add_scene(data / "pairs/kampala_rgb_buildings/kampala_z20_rgb.tif")
        workspace.create_project("Kampala", scenes=[scene], classes=["building", "road"], attributes=ATTRIBUTES)

    return opening(make)


def choose(page: Page, name: str, value: str) -> None:
    page.get_by_test_id(f"attribute-{name}").get_by_role("button").click()
    page.get_by_role("menuitemradio", name=value, exact=True).click()


def only(editor: Editor, name: str) -> dict[str, Any]:
    """The properties of the one label of a class."""
    [feature] = editor.labels(name)
    properties: dict[str, Any] = feature["properties"]
    return properties


def test_a_label_that_lacks_a_required_value_is_kept_and_saved_once_it_has_it(editor: Editor) -> None:
    page = editor.page
    editor.draw(YARD)
    banner = page.get_by_test_id("banner-refused")
    expect(banner).to_contain_text("building needs roof.")
    assert editor.labels("building") == []

    page.get_by_test_id("fill-in").click()
    choose(page, "roof", "metal")
    expect(banner).to_have_count(0)
    editor.saved()
    assert only(editor, "building")["roof"] == "metal"

    # The next one has the value that was entered last.
    editor.draw(BESIDE)
    editor.saved()
    assert [f["properties"]["roof"] for f in editor.labels("building")] == ["metal", "metal"]


def test_values_are_entered_before_drawing_and_changed_after(editor: Editor) -> None:
    page = editor.page
    page.keyboard.press("p")
    expect(page.get_by_test_id("next-label")).to_contain_text("Next building")
    choose(page, "roof", "tile")
    page.get_by_test_id("attribute-storeys").get_by_role("textbox").fill("2")
    page.keyboard.press("Enter")
    page.get_by_test_id("map").click(position={"x": 560, "y": 300})  # what follows is by keys of the map
    page.keyboard.press("Escape")
    editor.draw(YARD)
    editor.saved()
    assert {k: only(editor, "building")[k] for k in ("roof", "storeys", "occluded")} == {
        "roof": "tile",
        "storeys": 2,
        "occluded": None,
    }

    editor.select(590, 450)
    page.get_by_test_id("attribute-occluded").get_by_role("radio", name="Yes").click()
    storeys = page.get_by_test_id("attribute-storeys").get_by_role("textbox")
    storeys.fill("900")
    storeys.press("Enter")
    expect(page.get_by_role("alert")).to_have_text("Storeys: expected a number from 0 to 200, got 900.")
    storeys.fill("3")
    storeys.press("Enter")
    expect(page.get_by_role("alert")).to_have_count(0)
    address = page.get_by_test_id("attribute-address").get_by_role("textbox")
    address.fill("<b>12</b> Kanjokya Street")
    address.press("Enter")
    editor.saved()
    saved = only(editor, "building")
    assert (saved["occluded"], saved["storeys"], saved["address"]) == (True, 3, "<b>12</b> Kanjokya Street")

    # Another class has no roof: the value goes with the class, and comes back with it.
    page.get_by_test_id("undo").click()
    editor.saved()
    assert only(editor, "building")["address"] is None
    page.keyboard.press("2")
    editor.saved()
    assert only(editor, "road")["roof"] is None
    expect(page.get_by_test_id("attribute-roof")).to_have_count(0)
    page.get_by_test_id("undo").click()
    editor.saved()
    assert only(editor, "building")["roof"] == "tile"


def test_one_value_for_all_that_are_selected_is_one_step(editor: Editor) -> None:
    page = editor.page
    page.keyboard.press("2")
    editor.draw(YARD)
    editor.draw(BESIDE)
    editor.saved()
    editor.select(590, 450)
    page.keyboard.down("Shift")
    page.mouse.click(660, 450)
    page.keyboard.up("Shift")
    expect(page.get_by_test_id("inspector")).to_contain_text("2 labels")
    storeys = page.get_by_test_id("attribute-storeys").get_by_role("textbox")
    storeys.fill("4")
    storeys.press("Enter")
    editor.saved()
    assert [f["properties"]["storeys"] for f in editor.labels("road")] == [4, 4]
    page.keyboard.press("Control+z")
    editor.saved()
    assert [f["properties"]["storeys"] for f in editor.labels("road")] == [None, None]
