"""Text is text: hostile words in every field run no script and break no rule of the Content-Security-Policy."""

from __future__ import annotations

import json
from itertools import cycle, islice
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import geolabel
    from tests.web.conftest import Editor

pytestmark = pytest.mark.web

RUN = "window.__ran=1"
TAGS = [
    "<script>{}</script>",
    '<script src="data:text/javascript,{}"></script>',
    '<img src=x onerror="{}">',
    "<img src=x onerror={}>",
    '<svg onload="{}">',
    "<svg><script>{}</script></svg>",
    '<svg><animate onbegin="{}" attributeName=x dur=1s></svg>',
    '<iframe srcdoc="<script>parent.{}</script>"></iframe>',
    '<iframe src="javascript:{}"></iframe>',
    '<body onload="{}">',
    '<details open ontoggle="{}">',
    '<video><source onerror="{}"></video>',
    '<audio src=x onerror="{}">',
    '<input autofocus onfocus="{}">',
    '<a href="javascript:{}">x</a>',
    '<form action="javascript:{}"><button>x</button></form>',
    '<math><mtext><img src=x onerror="{}"></mtext></math>',
    '<object data="javascript:{}"></object>',
    '<embed src="javascript:{}">',
    '<link rel=stylesheet href="javascript:{}">',
    '<base href="javascript:{}//">',
    '<meta http-equiv=refresh content="0;javascript:{}">',
    '<template><img src=x onerror="{}"></template>',
    "<style>@import 'javascript:{}';</style>",
    '<marquee onstart="{}">',
]
WRAPS = ["{}", '">{}', "'>{}", "--><!-- -->{}", "</textarea>{}", "</title>{}", "{{{{{}}}}}", "${{{}}}"]
PAYLOADS = [wrap.format(tag.format(RUN)) for wrap in WRAPS for tag in TAGS]
MARKDOWN = ["[x](javascript:window.__ran=1)", "![x](javascript:window.__ran=1)", "<javascript:window.__ran=1>"]

WATCH = """
window.__violations = [];
document.addEventListener("securitypolicyviolation", (event) =>
  window.__violations.push(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`));
window.addEventListener("load", () => { window.alert = () => { window.__ran = 1; }; });
"""


def test_there_are_two_hundred() -> None:
    assert len(set(PAYLOADS)) == 200


@pytest.fixture
def editor(opening: Callable[..., Editor], data: Path) -> Editor:
    """A project that is hostile wherever people write."""

    def make(workspace: geolabel.Workspace) -> None:
        scene = workspace.add_scene(data / "pairs/kampala_rgb_buildings/kampala_z20_rgb.tif")
        names = ["plain", *PAYLOADS]
        classes = [{"name": name, "description": text} for name, text in zip(names, cycle(PAYLOADS))]
        attributes = [
            {"name": "choice", "kind": "enum", "values": PAYLOADS, "title": PAYLOADS[0]},
            {"name": "words", "kind": "text", "title": PAYLOADS[2], "description": PAYLOADS[3]},
        ]
        guidelines = "\n\n".join([*PAYLOADS, *MARKDOWN, *(f"# {text}\n\n- {text}" for text in PAYLOADS[:25])])
        project = workspace.create_project(
            PAYLOADS[2], scenes=[scene], classes=classes, attributes=attributes, guidelines=guidelines
        )
        x, y = 32.5940, 0.3507
        features = []
        for number, text in enumerate(islice(cycle(PAYLOADS), 40)):
            at = x + number % 8 * 1e-4, y + number // 8 * 5e-5
            ring = [[*at], [at[0] + 5e-5, at[1]], [at[0] + 5e-5, at[1] + 3e-5], [*at]]
            many = "\n".join(PAYLOADS[number * 5 : number * 5 + 5])
            properties = {"class": text, "note": many, "choice": text, "words": many}
            features.append(
                {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [ring]}, "properties": properties}
            )
        project.add({"type": "FeatureCollection", "features": features})

    opened = opening(make)
    opened.page.add_init_script(WATCH)
    opened.page.reload()
    opened.ready()
    return opened


def told(editor: Editor) -> Any:
    return editor.page.evaluate("[window.__ran ?? 0, window.__violations]")


def test_nothing_runs_wherever_hostile_text_is_shown(editor: Editor, tmp_path: Path) -> None:
    page = editor.page
    expect(page.get_by_test_id("class-row")).to_have_count(201)
    page.get_by_test_id("guide-toggle").click()
    expect(page.get_by_test_id("guidelines").locator("li").first).to_be_visible()
    assert page.get_by_test_id("markdown").locator("script, img, svg, iframe, style, form, input, object").count() == 0
    assert page.get_by_test_id("markdown").locator("[href^='javascript' i]").count() == 0

    # Every label in turn: its class, note, attributes and history in the inspector.
    for _ in range(40):
        page.keyboard.press("]")
    expect(page.get_by_test_id("inspector")).to_be_visible()
    page.get_by_test_id("class-select").click()
    expect(page.get_by_role("menuitemradio")).to_have_count(201)
    page.keyboard.press("Escape")
    page.get_by_test_id("attribute-choice").get_by_role("button").click()
    page.keyboard.press("Escape")
    page.get_by_test_id("note").fill("\n".join(PAYLOADS[:50]))
    page.keyboard.press("Escape")
    page.get_by_test_id("note").fill(PAYLOADS[2])
    page.get_by_test_id("note").press("Enter")
    editor.saved()
    assert told(editor) == [0, []]

    # A file whose name, columns and values are hostile; what is typed into the map's own fields.
    file = tmp_path / "<img src=x onerror=window.__ran=1>.geojson"
    properties = [{"kind": text, text[:80]: text} for text in PAYLOADS]
    point = {"type": "Point", "coordinates": [32.594, 0.3505]}
    features = [{"type": "Feature", "geometry": point, "properties": p} for p in properties]
    file.write_text(json.dumps({"type": "FeatureCollection", "features": features}), encoding="utf-8")
    page.get_by_test_id("import-file").set_input_files(file)
    expect(page.get_by_test_id("import-value").first).to_be_visible()
    page.get_by_test_id("import-field").click()
    page.keyboard.press("Escape")
    page.get_by_test_id("import-panel").get_by_role("button", name="Close", exact=True).click()
    page.keyboard.press("Control+k")
    for text in PAYLOADS[:25]:
        page.get_by_role("combobox").fill(text)
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert").first).to_be_visible()
    page.keyboard.press("Escape")
    page.evaluate(
        "text => { location.hash = '#/p/' + location.hash.slice(4).split('@')[0] + '?look.x=' + text }", PAYLOADS[0]
    )
    page.get_by_test_id("export").click()
    page.get_by_test_id("export-split").fill(PAYLOADS[2])
    expect(page.get_by_test_id("export-panel")).to_contain_text("Split: expected shares")

    # The set-up shows them all again, as fields.
    page.get_by_test_id("setup-open").click()
    expect(page.get_by_test_id("class-edit")).to_have_count(201)
    assert told(editor) == [0, []]
    # A list of projects, and one that is not there.
    page.evaluate("text => { location.hash = '#/p/' + encodeURIComponent(text) }", PAYLOADS[2])
    expect(page.get_by_test_id("projects")).to_be_visible()
    assert told(editor) == [0, []]
