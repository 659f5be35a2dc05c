"""What is seen: rendering, comparing two dates, going to places, addresses that bring everything back."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

import numpy as np
import pyproj
import pytest
import rasterio
from PIL import Image
from playwright.sync_api import expect

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    import geolabel
    from tests.web.conftest import Editor

pytestmark = pytest.mark.web

OLD, NEW = "m_4709963_se_14_1_20100629", "m_4709963_se_14_1_20180716"


@pytest.fixture
def editor(opening: Callable[..., Editor], data: Path) -> Editor:
    """Prairie wetlands in two years, red, green, blue and infrared."""

    def make(workspace: geolabel.Workspace) -> None:
        old = workspace.add_scene(data / f"images/{OLD}.tif", datetime="2010-06-29T17:00:00Z")
        new = workspace.add_scene(data / f"images/{NEW}.tif", datetime="2018-07-16T17:00:00Z")
        workspace.create_project("Prairie", scenes=[old, new], classes=["water", "wetland"])

    opened = opening(make)
    opened.page.get_by_role("button", name="Skip").click()
    return opened


def pixels(editor: Editor, box: tuple[int, int, int, int]) -> NDArray[np.float64]:
    """The mean colour of a part of the screen, once its tiles are there."""
    editor.ready()
    x, y, width, height = box
    shot = editor.page.screenshot(clip={"x": x, "y": y, "width": width, "height": height})
    mean: NDArray[np.float64] = np.asarray(Image.open(io.BytesIO(shot)).convert("RGB"), dtype=float).mean(axis=(0, 1))
    return mean


LEFT, RIGHT = (420, 330, 120, 60), (1000, 330, 120, 60)


def test_a_scene_is_rendered_by_keys_and_by_its_panel(editor: Editor, data: Path) -> None:
    page = editor.page
    natural = pixels(editor, LEFT)
    page.keyboard.press("Shift+3")
    expect(page.get_by_test_id("show")).to_contain_text("NDVI")
    expect(page.get_by_test_id("colormap")).to_contain_text("rdylgn")
    editor.until(lambda: bool(np.abs(pixels(editor, LEFT) - natural).max() > 20))
    page.keyboard.press("Shift+1")
    expect(page.get_by_test_id("show")).to_contain_text("Natural")
    editor.until(lambda: bool(np.abs(pixels(editor, LEFT) - natural).max() < 3))

    # The stretch is that of the file's own pixels.
    page.get_by_test_id("stretch-full").click()
    with rasterio.open(data / f"images/{OLD}.tif") as raster:
        darkest = int(raster.read([1, 2, 3], masked=True).min())
    expect(page.get_by_test_id("range-black")).to_have_value(str(darkest))
    page.get_by_test_id("range-white").fill("128")
    page.get_by_test_id("range-white").press("Enter")
    editor.until(lambda: bool(pixels(editor, LEFT).mean() > natural.mean() + 20))

    # What the server cannot draw is said beside the layer, and the picture stays.
    page.get_by_test_id("show").click()
    page.get_by_role("menuitemradio", name="Expression").click()
    page.get_by_test_id("expression").fill("b9/b1")
    page.get_by_test_id("expression").press("Enter")
    expect(page.get_by_test_id("layer-failure")).to_contain_text("names band 9")
    page.get_by_test_id("expression").fill("b4-b1")
    page.get_by_test_id("expression").press("Enter")
    expect(page.get_by_test_id("layer-failure")).to_have_count(0)
    expect(page.get_by_test_id("colormap")).to_be_visible()


def test_two_dates_are_compared(editor: Editor) -> None:
    page = editor.page
    left, right = pixels(editor, LEFT), pixels(editor, RIGHT)
    page.keyboard.press("b")
    expect(page.get_by_test_id("compare")).to_have_attribute("data-way", "swipe")
    expect(page.get_by_test_id("side-left")).to_contain_text("2010-06-29")
    expect(page.get_by_test_id("side-right")).to_contain_text("2018-07-16")
    # Left of the line nothing changed; right of it is the other year.
    editor.until(lambda: bool(np.abs(pixels(editor, RIGHT) - right).max() > 8))
    editor.until(lambda: bool(np.abs(pixels(editor, LEFT) - left).max() < 3))
    newer = pixels(editor, RIGHT)

    # The line is moved by keys and by the mouse: now all is the older year.
    divider = page.get_by_test_id("divider")
    before = int(divider.get_attribute("aria-valuenow") or 0)
    page.keyboard.press(".")
    expect(divider).to_have_attribute("aria-valuenow", str(before + 2))
    box = divider.bounding_box()
    assert box
    page.mouse.move(box["x"] + 18, box["y"] + 18)
    page.mouse.down()
    page.mouse.move(1270, 400, steps=4)
    page.mouse.up()
    editor.until(lambda: bool(np.abs(pixels(editor, RIGHT) - right).max() < 3))

    # Held, the key shows the other side on the whole map.
    page.keyboard.down("y")
    expect(page.get_by_test_id("compare")).to_have_attribute("data-whole", "right")
    editor.until(lambda: bool(np.abs(pixels(editor, RIGHT) - newer).max() < 3))
    page.keyboard.up("y")
    editor.until(lambda: bool(np.abs(pixels(editor, RIGHT) - right).max() < 3))

    # A label that is drawn across the line is drawn on both.
    editor.draw([(560, 300), (760, 300), (760, 420), (560, 420)])
    editor.saved()
    assert editor.count("water") == "1"

    page.keyboard.press("v")
    page.get_by_test_id("way-beside").click()
    expect(page.locator(".maplibregl-canvas")).to_have_count(2)
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("compare")).to_have_count(0)
    expect(page.locator(".maplibregl-canvas")).to_have_count(1)
    editor.until(lambda: bool(np.abs(pixels(editor, RIGHT) - right).max() < 3))


def test_places_are_gone_to_and_the_address_brings_everything_back(editor: Editor) -> None:
    page = editor.page
    editor.draw([(640, 300), (760, 300), (760, 420), (640, 420)])
    editor.saved()
    [label] = editor.server.get("api/collections/prairie/items")["features"]

    # The pointer's place in the project's CRS and in pixels is PROJ's and the raster's.
    page.mouse.move(800, 380, steps=3)
    shown = page.get_by_test_id("coordinates").inner_text()
    lat, lon = (float(n) * (-1 if s in "SW" else 1) for n, s in re.findall(r"([\d.]+)° ([NSEW])", shown))
    east, north = pyproj.Transformer.from_crs("OGC:CRS84", "EPSG:26914", always_xy=True).transform(lon, lat)
    expect(page.get_by_test_id("project-coordinates")).to_be_attached()
    x, y = (
        float(t) for t in re.sub(r"[\s\u202f]", "", page.get_by_test_id("project-coordinates").inner_text()).split(",")
    )
    assert np.hypot(x - east, y - north) < 0.2  # the status bar rounds degrees to a tenth of a metre
    scene = editor.server.get(f"api/scenes/{OLD}")
    a, _, c, _, e, f = scene["transform"]
    column, row = (int(n) for n in page.get_by_test_id("pixel").inner_text().split(","))
    assert abs(column - (east - c) / a) <= 1.1
    assert abs(row - (north - f) / e) <= 1.1

    def go(text: str) -> None:
        page.keyboard.press("Control+k")
        page.keyboard.type(text)
        page.keyboard.press("Enter")

    go(f"#{label['id']}")
    expect(page.get_by_test_id("editor")).to_have_attribute("data-selected", str(label["id"]))
    page.keyboard.press("Shift+3")
    expect(page).to_have_url(re.compile(rf"@.*select={label['id']}.*ndvi"))
    link = page.url

    go(f"{east:.2f} {north:.2f}")

    def away() -> float:
        found = re.search(r"@(-?[\d.]+),(-?[\d.]+)", page.url)
        assert found
        return float(np.abs(np.array([float(n) for n in found.groups()]) - (lon, lat)).max())

    editor.until(lambda: away() < 2e-6)
    go("nowhere")
    expect(page.get_by_role("alert")).to_contain_text("expected a label's number, coordinates or WKT")
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("editor")).to_have_attribute("data-selected", "")
    page.keyboard.press("Shift+1")
    expect(page).not_to_have_url(re.compile("ndvi"))

    # Pasted into the open tab, and opened anew.
    page.evaluate("link => { location.href = link }", link)
    expect(page.get_by_test_id("editor")).to_have_attribute("data-selected", str(label["id"]))
    expect(page.get_by_test_id("show")).to_contain_text("NDVI")
    page.reload()
    editor.ready()
    expect(page.get_by_test_id("editor")).to_have_attribute("data-selected", str(label["id"]))
    expect(page.get_by_test_id("show")).to_contain_text("NDVI")
    expect(page).to_have_url(link)
