"""Every drawing tool, by mouse and by keys, and what a draft does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

if TYPE_CHECKING:
    from tests.web.conftest import Land

pytestmark = pytest.mark.web


def test_every_tool_by_mouse(land: Land) -> None:
    page = land.page
    page.keyboard.press("3")
    before = len(land.stored())

    def drawn(count: int) -> dict:
        land.until(lambda: len(land.stored()) == before + count)
        return land.stored()[max(land.stored())]["geometry"]

    page.keyboard.press("p")
    for place in ((-12, 8), (-8, 8), (-8, 12), (-12, 12), (-12, 8)):  # the first place again closes it
        land.click(*place)
    assert len(drawn(1)["coordinates"][0]) == 5

    page.keyboard.press("r")
    land.move(-12, -12)
    page.mouse.down()
    page.keyboard.down("Shift")
    page.mouse.move(*land.screen(-8, -9), steps=6)
    page.mouse.up()
    page.keyboard.up("Shift")
    west, south, east, north = land.shapes()[max(land.stored())].bounds if drawn(2) else (0, 0, 0, 0)
    assert abs((east - west) / (north - south) - 1) < 1e-6

    page.keyboard.press("a")
    for place in ((7, 8), (11, 9), (10, 12)):
        land.click(*place)
    drawn(3)
    shape = land.shapes()[max(land.stored())]
    assert abs(shape.area / shape.minimum_rotated_rectangle.area - 1) < 1e-6

    page.keyboard.press("o")
    land.drag((9, -9), (11, -9))
    drawn(4)
    shape = land.shapes()[max(land.stored())]
    assert len(shape.exterior.coords) == 65
    assert abs(shape.area / shape.minimum_clearance - 1) > 0
    assert shape.minimum_rotated_rectangle.area / shape.area == pytest.approx(4 / 3.1415926, rel=5e-3)

    page.keyboard.press("f")
    land.drag((-3, 8), (0, 8), (2, 9), (2, 11), (0, 12), (-3, 11), (-3, 8))
    assert 5 < len(drawn(5)["coordinates"][0]) < 40

    page.keyboard.press("l")
    for place in ((-12, 0), (-10, 1), (-8, 0)):
        land.click(*place)
    land.click(-8, 0)  # the last place again ends it
    assert len(drawn(6)["coordinates"]) == 3
    page.keyboard.press("d")
    land.click(-10, 4)
    assert drawn(7)["type"] == "Point"
    land.saved()
    assert land.count("water") == "7"


def test_every_tool_by_keys(land: Land) -> None:
    page = land.page
    page.keyboard.press("3")
    before = len(land.stored())

    def walk(right: int, up: int) -> None:
        """Steer the crosshair, in steps of ten pixels."""
        for count, plus, minus in ((right, "ArrowRight", "ArrowLeft"), (up, "ArrowUp", "ArrowDown")):
            for _ in range(abs(count)):
                page.keyboard.press(f"Shift+{plus if count > 0 else minus}")

    walks = {"r": [(12, 4), (8, 6)], "a": [(12, -14), (8, 2), (-2, 6)], "o": [(-20, 16), (4, 0)]}
    walks |= {"p": [(-22, -16), (6, 0), (0, 6)], "l": [(-22, 2), (4, 0), (2, 2)], "d": [(-14, 14)]}
    for count, (key, steps) in enumerate(walks.items(), 1):
        page.keyboard.press(key)
        for step in steps:
            walk(*step)
            page.keyboard.press("Space")
        if key in "pl":
            page.keyboard.press("Enter")
        land.until(lambda count=count: len(land.stored()) == before + count)
        page.keyboard.press("v")  # the crosshair starts from the middle again
    kinds = [f["geometry"]["type"] for i, f in sorted(land.stored().items()) if i > before]
    assert kinds == ["Polygon", "Polygon", "Polygon", "Polygon", "LineString", "Point"]
    land.saved()


def test_what_a_draft_does(land: Land) -> None:
    page = land.page
    bar = page.get_by_test_id("draw-bar")
    before = len(land.stored())
    page.keyboard.press("p")
    for place in ((-12, 8), (-8, 8)):
        land.click(*place)
    page.keyboard.press("Enter")
    land.expect_toast("This takes 3 places; there are 2 so far.")
    land.click(-8, 12)
    land.click(-10, 13)
    page.keyboard.press("Backspace")
    page.keyboard.press("Control+z")
    page.keyboard.press("Control+Shift+z")  # the corner at -8, 12 again
    page.keyboard.press("3")
    expect(bar).to_contain_text("water")
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("finish")).to_have_count(0)
    page.keyboard.press("Control+z")
    expect(page.get_by_test_id("draft-size")).to_be_visible()
    page.keyboard.down("Shift")
    land.move(-12, 12.7)
    page.mouse.click(*land.screen(-12, 12.7))  # straight west, all the same
    page.keyboard.up("Shift")
    page.keyboard.press("Enter")
    land.until(lambda: len(land.stored()) == before + 1)
    made = land.stored()[max(land.stored())]
    assert made["properties"]["class"] == "water"
    ring = made["geometry"]["coordinates"][0]
    assert len(ring) == 5
    assert ring[3][1] == pytest.approx(ring[2][1], abs=1e-6)

    # Nothing is lost by a second Esc: the tool goes, then what was drawn before is undone.
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("tool-select")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("Control+z")
    land.until(lambda: len(land.stored()) == before)
    land.saved()
