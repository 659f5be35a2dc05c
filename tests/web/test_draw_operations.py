"""Operations: exact on the server, saved as one batch, undone in one step."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import shapely
from playwright.sync_api import expect

if TYPE_CHECKING:
    from tests.web.conftest import Land

pytestmark = pytest.mark.web


def total(land: Land) -> float:
    return sum(shape.area for shape in land.shapes().values())


def test_split_merge_hole_and_neighbours(land: Land) -> None:
    page = land.page
    before, ground = land.shapes(), total(land)
    land.click(2, 2)
    page.keyboard.press("x")
    land.click(-2, 7)
    land.click(2, 2)
    land.click(7, 3)
    page.keyboard.press("Enter")
    land.expect_toast("Split into 2 labels.")
    land.until(lambda: len(land.stored()) == 5)
    land.expect_selected(4, 5)
    assert shapely.coverage_is_valid(list(land.shapes().values()))
    assert abs(total(land) - ground) < 1e-6
    page.keyboard.press("c")
    land.expect_toast("2 labels merged.")
    land.until(lambda: len(land.stored()) == 4)
    page.keyboard.press("Control+z")
    page.keyboard.press("Control+z")
    land.until(lambda: land.shapes()[4].equals_exact(before[4], 0))
    assert len(land.stored()) == 4
    land.saved()

    land.expect_selected(4)
    page.keyboard.press("h")
    for place in ((1, 1), (3, 1), (3, 3), (1, 3)):
        land.click(*place)
    page.keyboard.press("Enter")
    land.expect_toast("Hole cut.")
    land.until(lambda: len(land.shapes()[4].interiors) == 1)
    # A pond over the border: what the parcels cover is taken from it.
    page.keyboard.press("r")
    page.keyboard.press("3")
    land.drag((-9, -2), (-3, 2))
    land.until(lambda: len(land.stored()) == 5)
    pond = max(land.stored())
    page.keyboard.press("v")
    land.click(-8, 1)
    land.expect_selected(pond)
    page.get_by_test_id("more").click()
    page.get_by_role("menuitem", name="Subtract neighbours").click()
    land.until(lambda: land.versions()[pond] == 2)
    assert all(land.shapes()[pond].intersection(s).area < 1e-6 for i, s in land.shapes().items() if i != pond)
    land.saved()


def test_whole_labels_are_changed_in_one_step(land: Land) -> None:
    page = land.page
    land.click(-2, -2)
    land.click(2, 2, shift=True)
    land.expect_selected(1, 4)
    page.get_by_test_id("more").click()
    page.get_by_role("menuitem", name="Put together as parts").click()
    land.expect_toast("2 labels are one, of 2 parts.")
    land.until(lambda: len(land.stored()) == 3)
    page.get_by_test_id("more").click()
    page.get_by_role("menuitem", name="Take parts apart").click()
    land.until(lambda: len(land.stored()) == 4)
    page.keyboard.press("Control+z")
    page.keyboard.press("Control+z")
    land.until(lambda: set(land.stored()) == {1, 2, 3, 4})
    land.saved()

    land.click(2, 2)
    page.keyboard.press("w")
    expect(page.get_by_test_id("turn-bar")).to_be_visible()
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(page.get_by_test_id("turn-bar")).to_contain_text("11°")
    page.keyboard.press("Enter")
    land.until(lambda: land.versions()[4] >= 4)
    turned = land.shapes()[4]
    page.keyboard.press("w")
    page.keyboard.press("w")
    land.drag((2.5, 5.5), (2.5, 8.5))  # scale by two
    land.until(lambda: land.shapes()[4].area == pytest.approx(4 * turned.area, rel=0.02))
    page.keyboard.press("Escape")
    page.keyboard.press("Control+d")
    land.until(lambda: len(land.stored()) == 5)
    page.keyboard.press("q")
    land.until(lambda: land.versions()[max(land.stored())] == 2)
    page.keyboard.press("Delete")
    land.until(lambda: len(land.stored()) == 4)
    land.saved()


def test_without_the_server_operations_say_so_and_the_rest_goes_on(land: Land) -> None:
    page = land.page
    land.click(2, 2)
    page.context.set_offline(True)
    page.keyboard.press("x")
    land.click(-2, 7)
    land.click(7, 3)
    page.keyboard.press("Enter")
    land.expect_toast("“Split” needs the server, which cannot be reached now. Nothing was changed.")
    land.expect_selected(4)
    page.get_by_test_id("more").click()
    page.get_by_role("menuitem", name="Smooth").click()
    page.context.set_offline(False)
    land.until(lambda: land.versions()[4] == 2)
    land.saved()
    land.wrong.clear()  # the browser logs every request that it could not send

    page.keyboard.press("x")
    land.click(-12, 7)
    land.click(-12, 3)
    page.keyboard.press("Enter")
    land.expect_toast("does not cut field #4 in two")
    land.wrong[:] = [line for line in land.wrong if "422" not in line]
