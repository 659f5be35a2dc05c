"""Selecting, changing many at once, and keys that people change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from playwright.sync_api import expect

if TYPE_CHECKING:
    from tests.web.conftest import Land

pytestmark = pytest.mark.web


def post(land: Land, geometry: dict[str, Any], **properties: Any) -> None:
    body = {"type": "Feature", "geometry": geometry, "properties": {"class": "water", **properties}}
    url = f"{land.server.url}api/collections/land/items"
    assert land.page.request.post(url, data=body, headers={"Origin": land.server.url.rstrip("/")}).status == 201


def test_click_box_lasso_class_and_review(land: Land) -> None:
    page = land.page
    for ring, status in (((1, 1), (4, 1), (4, 4)), "labelled"), (((-2, -2), (-1, -2), (-1, -1)), "suggested"):
        post(land, {"type": "Polygon", "coordinates": [land.ring(*ring)]}, status=status)
    page.reload()
    land.ready()
    land.click(3, 2)
    land.expect_selected(5)
    land.click(3, 2)  # again: the one below
    land.expect_selected(4)
    page.keyboard.press("]")
    land.expect_selected(5)
    page.keyboard.press("[")
    land.expect_selected(4)
    page.keyboard.press("Alt+]")
    land.expect_selected(4, 5)
    page.keyboard.press("Escape")
    land.expect_selected()
    land.drag((-6, -6), (5.5, 0.5))
    land.expect_selected(1, 2, 6)
    page.keyboard.press("Shift+v")
    land.drag((-6, -6), (6, -6), (6, 6), (-0.5, 6), (-0.5, 0.3), (-6, -0.5), (-6, -6))
    land.expect_selected(2, 4, 5, 6)
    page.keyboard.press("n")
    land.expect_selected(6)
    page.keyboard.press("Control+a")
    land.expect_selected(5, 6)

    # Many at once: one step each.
    page.keyboard.press("1")
    land.until(lambda: land.count("field") == "4")
    land.until(lambda: [land.versions()[i] for i in (5, 6)] == [2, 2])
    page.keyboard.press("Delete")
    land.until(lambda: set(land.stored()) == {1, 2, 3, 4})
    page.keyboard.press("Control+z")
    land.until(lambda: set(land.stored()) == {1, 2, 3, 4, 5, 6})
    page.keyboard.press("Control+z")
    land.until(lambda: land.count("water") == "2")
    land.saved()


def test_keys_are_changed_kept_and_restored(land: Land) -> None:
    page = land.page
    page.keyboard.press("?")
    sheet = page.get_by_test_id("shortcuts")
    page.get_by_test_id("change-keys").click()
    row = sheet.get_by_role("button", name="Change the key of: Polygon")
    row.click()
    page.keyboard.press("5")
    expect(sheet.get_by_role("alert")).to_contain_text("Digits pick the classes")
    page.keyboard.press("r")
    expect(sheet.get_by_role("alert")).to_contain_text("This key is for “Rectangle”")
    page.get_by_test_id("take-key").click()
    expect(row).to_have_text("R")
    expect(sheet.get_by_role("button", name="Change the key of: Rectangle")).to_have_text("none")
    page.keyboard.press("Escape")
    page.reload()
    land.ready()
    page.keyboard.press("r")
    expect(page.get_by_test_id("tool-polygon")).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_test_id("tool-polygon")).to_have_attribute("aria-label", "Polygon (R)")
    page.keyboard.press("?")
    page.get_by_test_id("change-keys").click()
    page.get_by_test_id("restore-keys").click()
    page.keyboard.press("Escape")
    page.keyboard.press("r")
    expect(page.get_by_test_id("tool-rectangle")).to_have_attribute("aria-pressed", "true")


def test_a_label_of_fifty_thousand_vertices_is_edited(land: Land) -> None:
    page = land.page
    angles = np.linspace(0, 2 * np.pi, 50_000, endpoint=False)
    ring = [land.lonlat(9 * np.cos(a), 9 * np.sin(a)) for a in angles]
    post(land, {"type": "Polygon", "coordinates": [[*ring, ring[0]]]})
    before = np.array(land.stored()[5]["geometry"]["coordinates"][0])
    east = land.lonlat(9, 0)
    page.goto(f"{land.server.url}#/p/land@{east[0]:.6f},{east[1]:.6f},23.00")
    page.reload()
    land.ready()
    page.mouse.click(560, 369)
    land.expect_selected(5)
    expect(page.get_by_test_id("vertices")).to_contain_text("50000")
    page.mouse.move(640, 369, steps=3)
    page.mouse.down()
    page.mouse.move(700, 369, steps=4)
    page.mouse.up()
    land.until(lambda: land.versions()[5] == 2)
    after = np.array(land.stored()[5]["geometry"]["coordinates"][0])
    assert (before != after).any(axis=1)[:-1].sum() == 1
    land.saved()
