"""Neighbours: snapping, tracing, shared vertices, vertices of holes and parts; and what is odd, said beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import shapely
from playwright.sync_api import expect

if TYPE_CHECKING:
    from tests.web.conftest import Land

pytestmark = pytest.mark.web


def corners(*shapes: Any) -> set[tuple[float, ...]]:
    return set(map(tuple, shapely.get_coordinates(list(shapes)).tolist()))


def test_snapping_puts_the_same_vertex_into_the_neighbour(land: Land) -> None:
    page = land.page
    before = land.shapes()
    page.keyboard.press("p")
    land.move(5.3, 5.2)  # near the outer corner of parcel 4
    tag = page.get_by_test_id("snap-tag")
    expect(tag).to_have_text("Vertex of field #4")
    page.mouse.click(*land.screen(5.3, 5.2))
    land.move(5.3, 2)  # near its edge
    expect(tag).to_have_text("Edge of field #4")
    page.mouse.click(*land.screen(5.3, 2))
    land.click(9, 2)
    page.keyboard.down("Alt")
    land.move(5.2, 5.6)
    expect(tag).to_have_count(0)
    page.keyboard.up("Alt")
    land.click(9, 6)
    page.keyboard.press("Enter")
    land.until(lambda: len(land.stored()) == 5)
    after = land.shapes()
    assert len(corners(after[4])) == len(corners(before[4])) + 1
    assert corners(before[4]) <= corners(after[4])
    assert len(corners(after[4]) & corners(after[5])) == 2
    assert shapely.coverage_is_valid(list(after.values()))
    assert land.versions() == {1: 1, 2: 1, 3: 1, 4: 2, 5: 1}

    page.keyboard.press("Control+z")  # one step
    land.until(lambda: len(land.stored()) == 4)
    assert corners(land.shapes()[4]) == corners(before[4])
    land.saved()


def test_the_border_of_a_neighbour_is_traced(land: Land) -> None:
    page = land.page
    page.keyboard.press("p")
    page.keyboard.press("t")
    expect(page.get_by_test_id("trace-toggle")).to_have_attribute("aria-pressed", "true")
    land.click(0, 5)  # the top of the border between 3 and 4; parcel 4 has its corners at 5, 5 and 5, 0
    land.move(5, 2)
    land.click(5, 2)
    land.click(8, 2)
    land.click(8, 8)
    land.click(0, 8)
    page.keyboard.press("Enter")
    land.until(lambda: len(land.stored()) == 5)
    after = land.shapes()
    assert len(after[5].exterior.coords) == 7  # with the corner at 5, 5, which was not clicked
    assert len(corners(after[4]) & corners(after[5])) == 3
    assert shapely.coverage_is_valid(list(after.values()))
    land.saved()


def test_a_shared_vertex_is_moved_in_all_labels_that_have_it(land: Land) -> None:
    page = land.page
    before = land.shapes()
    page.keyboard.press("v")
    land.click(2, 2)
    land.expect_selected(4)
    land.drag((0, 0), (1, 1), (1.5, 1))
    land.expect_toast("Moved a vertex of 4 labels.")
    land.until(lambda: land.versions() == dict.fromkeys((1, 2, 3, 4), 2))
    after = land.shapes()
    assert shapely.coverage_is_valid(list(after.values()))
    assert abs(sum(s.area for s in after.values()) - sum(s.area for s in before.values())) < 1e-6
    for i, shape in after.items():
        assert len(corners(shape) & corners(before[i])) == 3
    page.keyboard.press("Control+z")
    land.until(lambda: land.versions() == dict.fromkeys((1, 2, 3, 4), 3))
    assert {i: corners(s) for i, s in land.shapes().items()} == {i: corners(s) for i, s in before.items()}

    page.keyboard.press("e")
    page.get_by_test_id("share-toggle").click()
    page.keyboard.press("Escape")
    page.keyboard.press("[")
    page.keyboard.press("]")
    land.drag((5, 5), (6, 6))
    land.until(lambda: sorted(land.versions().values()) == [3, 3, 3, 4])
    land.saved()


def test_vertices_of_holes_and_parts_by_mouse_and_keys(land: Land) -> None:
    page = land.page
    rings = [
        [land.ring((-12, -12), (-6, -12), (-6, -6), (-12, -6)), land.ring((-10, -10), (-10, -8), (-8, -8), (-8, -10))],
        [land.ring((6, -12), (9, -12), (9, -9))],
    ]
    feature = {"type": "Feature", "geometry": {"type": "MultiPolygon", "coordinates": rings}}
    body = {**feature, "properties": {"class": "water"}}
    origin = {"Origin": land.server.url.rstrip("/")}
    assert page.request.post(f"{land.server.url}api/collections/land/items", data=body, headers=origin).status == 201
    page.reload()
    land.ready()
    before = land.shapes()[5]
    land.click(-11, -11)
    land.expect_selected(5)
    expect(page.get_by_test_id("vertices")).to_have_text("11, 2 parts, 1 hole")
    land.drag((-8, -8), (-7.5, -7.5))  # of the hole
    land.until(lambda: land.versions()[5] == 2)
    land.drag((9, -9), (10, -8))  # of the other part
    land.until(lambda: land.versions()[5] == 3)
    after = land.shapes()[5]
    assert after.geom_type == "MultiPolygon"
    assert len(corners(before) & corners(after)) == 9

    page.keyboard.press("e")
    expect(page.get_by_test_id("vertex-bar")).to_be_visible()
    page.keyboard.press("]")
    page.keyboard.press("Shift+ArrowDown")
    page.keyboard.press("Shift+ArrowRight")
    expect(page.get_by_test_id("snap-tag")).to_contain_text("m² (+")
    page.keyboard.press("Enter")
    land.until(lambda: land.versions()[5] == 4)
    assert len(corners(after) & corners(land.shapes()[5])) == 10
    page.keyboard.press("e")
    page.keyboard.press("Insert")
    land.until(lambda: land.versions()[5] == 5)
    expect(page.get_by_test_id("vertices")).to_have_text("12, 2 parts, 1 hole")
    page.keyboard.press("Delete")
    land.until(lambda: land.versions()[5] == 6)
    page.keyboard.press("Shift+h")  # fills the hole
    land.until(lambda: land.versions()[5] == 7)
    expect(page.get_by_test_id("vertices")).to_have_text("7, 2 parts, no holes")
    land.saved()


def test_what_is_odd_is_said_beside_it_and_mended(land: Land) -> None:
    page = land.page
    warning = page.get_by_test_id("warning")
    # It laps over its neighbour.
    land.click(2, 2)
    page.keyboard.press("e")
    page.get_by_test_id("share-toggle").click()
    page.get_by_test_id("snap-toggle").click()
    page.keyboard.press("Escape")
    land.drag((0, 5), (-1, 5))
    expect(warning).to_contain_text("Overlaps wood #3")
    warning.get_by_role("button", name="Cut off").click()
    expect(warning).to_have_count(0)
    land.until(lambda: land.versions()[4] == 3)
    assert shapely.coverage_is_valid(list(land.shapes().values()))
    # A gap of a pixel, told where borders are shared.
    page.keyboard.press("e")
    page.get_by_test_id("share-toggle").click()
    page.keyboard.press("Escape")
    page.keyboard.press("Control+z")
    page.keyboard.press("Control+z")
    land.until(lambda: land.versions()[4] == 5)
    page.keyboard.press("e")
    page.get_by_test_id("share-toggle").click()
    land.click(0, 5)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    page.keyboard.press("e")
    page.get_by_test_id("share-toggle").click()
    page.keyboard.press("Escape")
    expect(warning).to_contain_text("Gap to wood #3")
    warning.get_by_role("button", name="Close").click()
    expect(warning).to_have_count(0)
    land.until(lambda: land.versions()[4] == 7)
    assert shapely.coverage_is_valid(list(land.shapes().values()))
    land.saved()
    # An outline that crosses itself is refused, stays drawn, and is mended.
    page.keyboard.press("p")
    for place in ((-12, 8), (-6, 12), (-6, 8), (-12, 12)):
        land.click(*place)
    expect(warning).to_contain_text("Outline crosses itself")
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("save-state")).to_have_attribute("data-save", "failed")
    page.keyboard.press("v")
    land.click(-11.5, 10)
    expect(warning).to_contain_text("Outline crosses itself")
    warning.get_by_role("button", name="Repair").click()
    land.until(lambda: len(land.stored()) == 5)
    assert land.shapes()[5].geom_type == "MultiPolygon"
    land.saved()
