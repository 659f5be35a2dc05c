"""Everybody can use it: axe-core finds nothing serious, and the keyboard alone does all."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.web.axe import prepare, serious

if TYPE_CHECKING:
    from tests.web.conftest import Editor, Land

pytestmark = pytest.mark.web


def test_axe_finds_nothing_serious_on_any_screen_in_either_theme(editor: Editor) -> None:
    page = editor.page
    prepare(page)
    editor.select(616, 217)
    for theme in ("dark", "light"):
        expect(page.locator(f"html[data-theme={theme}]")).to_be_attached()
        assert serious(page) == [], f"{theme}: a selected label"
        page.keyboard.press("Control+k")
        page.keyboard.type("0.35, 32.59")
        assert serious(page) == [], f"{theme}: go to"
        page.keyboard.press("Escape")
        page.get_by_test_id("guide-toggle").click()
        page.get_by_test_id("export").click()
        expect(page.get_by_test_id("export-preview")).to_be_visible()
        assert serious(page) == [], f"{theme}: export"
        page.get_by_test_id("export").click()
        page.keyboard.press("b")
        expect(page.get_by_test_id("compare")).to_be_visible()
        assert serious(page) == [], f"{theme}: compare"
        page.keyboard.press("b")
        page.keyboard.press("?")
        expect(page.get_by_test_id("shortcuts")).to_be_visible()
        assert serious(page) == [], f"{theme}: shortcuts"
        page.keyboard.press("Escape")
        page.get_by_test_id("setup-open").click()
        expect(page.get_by_test_id("setup")).to_be_visible()
        assert serious(page) == [], f"{theme}: set-up"
        page.get_by_role("button", name="Cancel").click()
        editor.ready()
        page.get_by_test_id("guide-toggle").click()
        page.get_by_test_id("theme").click()


def test_axe_finds_nothing_serious_in_bars_lists_and_dialogs(land: Land) -> None:
    page = land.page
    prepare(page)
    for theme in ("dark", "light"):
        expect(page.locator(f"html[data-theme={theme}]")).to_be_attached()
        page.keyboard.press("m")
        land.click(1, 1)
        land.click(4, 1)
        assert serious(page) == [], f"{theme}: measuring"
        page.keyboard.press("Escape")
        page.keyboard.press("Escape")
        page.keyboard.press("Shift+l")
        expect(page.get_by_test_id("label-item")).to_have_count(4)
        land.click(-2.5, -2.5)
        land.expect_selected(1)
        page.keyboard.press("Alt+l")
        land.expect_toast("is locked")
        assert serious(page) == [], f"{theme}: list of labels, a locked class"
        page.keyboard.press("Alt+l")
        land.click(2.5, -2.5)
        land.expect_selected(2)
        page.get_by_test_id("more").click()
        page.get_by_role("menuitem", name=re.compile("Simplify")).click()
        expect(page.get_by_test_id("amount")).to_be_focused()
        assert serious(page) == [], f"{theme}: an amount"
        page.keyboard.press("Escape")
        page.keyboard.press("e")
        assert serious(page) == [], f"{theme}: vertices"
        page.keyboard.press("Escape")
        page.keyboard.press("w")
        assert serious(page) == [], f"{theme}: turning"
        page.keyboard.press("Escape")
        page.get_by_test_id("save-state").click()
        assert serious(page) == [], f"{theme}: what waits"
        page.get_by_test_id("save-state").click()
        page.keyboard.press("Shift+l")
        page.get_by_test_id("theme").click()


def test_a_label_is_drawn_classed_and_deleted_by_keys_alone(editor: Editor) -> None:
    """F6 goes round the parts of the screen; a box is steered by the arrows."""
    page = editor.page
    page.get_by_test_id("map").click(position={"x": 700, "y": 420})
    seen = set()
    for _ in range(7):
        page.keyboard.press("F6")
        part = "document.activeElement.closest('[data-part], header')"
        seen.add(
            page.evaluate(f"{part}?.dataset.part ?? (document.activeElement.closest('header') ? 'header' : 'map')")
        )
    assert {"map", "rail", "panels", "header"} <= seen

    page.keyboard.press("Escape")
    page.keyboard.press("3")
    page.keyboard.press("r")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Space")
    for _ in range(6):
        page.keyboard.press("Shift+ArrowRight")
        page.keyboard.press("Shift+ArrowDown")
    page.keyboard.press("Space")
    editor.saved()
    assert editor.count("trees") == "1"
    page.keyboard.press("v")
    page.keyboard.press("[")
    expect(page.get_by_test_id("inspector")).to_be_visible()
    selected = page.get_by_test_id("editor").get_attribute("data-selected")
    [label] = editor.labels("trees")
    page.keyboard.press("Control+k")
    page.keyboard.type(f"#{label['id']}")
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("editor")).to_have_attribute("data-selected", str(label["id"]))
    assert selected is not None
    page.keyboard.press("2")
    editor.saved()
    assert len(editor.labels("road")) == 1
    page.keyboard.press("Delete")
    editor.saved()
    assert editor.labels("road") == []
