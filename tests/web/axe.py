"""What axe-core finds on a page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import geolabel

if TYPE_CHECKING:
    from playwright.sync_api import Page

AXE = Path(geolabel.__file__).parent / "web/node_modules/axe-core/axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def prepare(page: Page) -> None:
    """Have axe-core in the page; nothing moves, so that no colour is measured on its way to another one."""
    page.emulate_media(reduced_motion="reduce")
    page.evaluate(AXE.read_text(encoding="utf-8"))


def serious(page: Page) -> list[str]:
    """What axe-core calls serious or critical: the rule, and where."""
    found: dict[str, Any] = page.evaluate(
        "rules => axe.run(document, {runOnly: rules, resultTypes: ['violations']})", RULES
    )
    return [
        f"{violation['id']}: {node['target']} {node.get('failureSummary', '')}"
        for violation in found["violations"]
        if violation["impact"] in {"serious", "critical"}
        for node in violation["nodes"]
    ]


def serious_in_both_themes(page: Page) -> list[str]:
    """The same in the theme that is on and in the other one, which is then on."""
    found = serious(page)
    page.get_by_test_id("theme").click()
    return [*found, *serious(page)]
