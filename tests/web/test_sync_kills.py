"""The tab is killed, the network fails, the server refuses, at random moments: what the page said it keeps is never lost."""

from __future__ import annotations

import random
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Error, expect

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

    from tests.web.conftest import Editor

pytestmark = pytest.mark.web

_STATUS = {"signed out": 401, "broken": 500, "busy": 503}
_WAYS = ("kill", "crash", "reload", "offline", "lost", *_STATUS)


def _place_point(page: Page, number: int) -> None:
    """Click on free ground, and wait until the page says that it keeps the point."""
    page.keyboard.press("d")
    page.mouse.click(640 + 14 * (number % 10), 400 + 14 * (number // 10))
    expect(page.locator("[data-testid=class-row][data-class=road] .c")).to_have_text(str(number + 1))
    expect(page.get_by_test_id("save-state")).not_to_contain_text("Keeping")


def _begin(page: Page, way: str) -> None:
    if way in _STATUS:
        page.route("**/batch", lambda route: route.fulfill(status=_STATUS[way], body="{}"))
    elif way == "lost":

        def lose(route: Route) -> None:
            route.fetch()
            route.abort()

        page.route("**/batch", lose)
    elif way == "offline":
        page.context.set_offline(True)


def _end(editor: Editor, page: Page, way: str) -> Page:
    """The page that goes on afterwards."""
    if way in {"kill", "crash"}:
        after = page.context.new_page()
        if way == "kill":
            page.close()
        else:
            with suppress(Error):  # the renderer is gone before it answers
                page.goto("chrome://crash", timeout=5000)
            page.close()
        after.goto(editor.server.url)
        page = after
    elif way == "reload":
        page.reload()
    else:
        page.context.set_offline(False)
        page.unroute_all(behavior="ignoreErrors")
    expect(page.locator("[data-testid=editor][data-state=idle]")).to_be_visible()
    return page


def _run(editor: Editor, moments: int, seed: int) -> None:
    rng = random.Random(seed)
    page = editor.page
    page.keyboard.press("2")
    ways = [*_WAYS, *rng.choices(_WAYS, k=max(0, moments - len(_WAYS)))]
    rng.shuffle(ways)
    for number, way in enumerate(ways[:moments]):
        _begin(page, way)
        _place_point(page, number)
        page.wait_for_timeout(rng.choice([0, 0, 3, 10, 40, 150, 600]))
        page = _end(editor, page, way)
        page.keyboard.press("2")
    page.get_by_test_id("save-state").click()
    again = page.get_by_role("button", name="Try now").first
    if again.is_visible():
        again.click()
    # A page that was opened after the last one was saved has nothing of its own to say: its state counts, not its words.
    expect(page.get_by_test_id("save-state")).to_have_attribute("data-save", "saved", timeout=90_000)
    editor.until(lambda: len(editor.labels("road")) >= moments)
    # Each once: nothing lost, and nothing twice though requests were sent again.
    assert len(editor.labels("road")) == moments
    editor.wrong.clear()


def test_a_few_moments(editor: Editor) -> None:
    _run(editor, 8, seed=1)


@pytest.mark.soak
def test_fifty_moments(editor: Editor) -> None:
    _run(editor, 50, seed=41)
