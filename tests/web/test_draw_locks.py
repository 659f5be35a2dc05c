"""Classes that are locked, amounts that are asked for, and the list of labels for who uses keys alone."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

if TYPE_CHECKING:
    from tests.web.conftest import Land

pytestmark = pytest.mark.web


def test_labels_of_a_locked_class_are_seen_and_not_touched(land: Land) -> None:
    page = land.page
    before = land.shapes()
    page.keyboard.press("v")
    land.click(-2.5, -2.5)
    land.expect_selected(1)
    page.keyboard.press("Alt+l")
    land.expect_toast("field is locked")
    land.expect_selected()
    land.click(-2.5, -2.5)
    land.expect_selected()
    land.click(2.5, -2.5)
    land.expect_selected(2)
    # A box takes what is open, and the shared vertex in the middle moves in the open labels alone.
    land.drag((-6, -6), (6, 6))
    land.expect_selected(2, 3)
    land.click(2.5, -2.5)
    land.expect_selected(2)
    land.drag((0, 0), (0.5, 0.5))
    land.saved()
    after = land.shapes()
    assert {i for i in before if not before[i].equals(after[i])} == {2, 3}
    page.get_by_role("button", name="Open field").click()
    land.click(-2.5, -2.5)
    land.expect_selected(1)


def test_a_label_is_widened_by_an_amount_that_is_seen_before_it_is_done(land: Land) -> None:
    page = land.page
    before = land.shapes()[1]
    page.keyboard.press("v")
    land.click(-2.5, -2.5)
    page.get_by_test_id("more").click()
    page.get_by_role("menuitem", name=re.compile("Widen or narrow")).click()
    amount = page.get_by_test_id("amount")
    expect(amount).to_be_focused()
    amount.fill("0")
    expect(page.get_by_test_id("amount-apply")).to_be_disabled()
    amount.fill("-2")
    expect(page.get_by_test_id("amount-says")).to_contain_text("→")
    assert land.versions()[1] == 1  # nothing is stored before it is asked for
    amount.press("Escape")
    expect(page.get_by_test_id("amount-bar")).to_have_count(0)
    land.expect_selected(1)

    page.get_by_test_id("more").click()
    page.get_by_role("menuitem", name=re.compile("Widen or narrow")).click()
    amount.fill("-2")
    amount.press("Enter")
    land.expect_toast("Narrowed")
    land.saved()
    after = land.shapes()[1]
    assert after.within(before)
    assert before.exterior.distance(after.centroid) - after.exterior.distance(after.centroid) == pytest.approx(
        2, abs=0.1
    )
    page.keyboard.press("Control+z")
    land.saved()
    assert land.shapes()[1].equals(before)


def test_labels_in_view_are_listed_and_picked_by_keys_alone(land: Land) -> None:
    page = land.page
    page.keyboard.press("Shift+l")
    items = page.get_by_test_id("label-item")
    expect(items).to_have_count(4)
    expect(items.first).to_be_focused()
    # From the north, then from the west.
    assert [re.search(r"#(\d)", text)[1] for text in items.all_inner_texts()] == ["3", "4", "1", "2"]  # type: ignore[index]
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    land.expect_selected(4)
    expect(items.nth(1)).to_have_attribute("aria-selected", "true")
    expect(items.nth(1)).to_contain_text("m²")
    page.keyboard.press("Delete")
    land.saved()
    expect(items).to_have_count(3)
    page.keyboard.press("Shift+l")
    expect(items).to_have_count(0)
