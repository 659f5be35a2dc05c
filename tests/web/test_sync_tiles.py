"""Very many labels: tiles show them, and exact shapes are read only where they are needed."""

from __future__ import annotations

import io
import re
import shutil
from typing import TYPE_CHECKING

import geopandas
import httpx
import numpy as np
import pytest
import shapely
from PIL import Image
from playwright.sync_api import expect

import geolabel
from tests.web.conftest import Served, opened, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray
    from playwright.sync_api import Browser, Page

    from tests.web.conftest import Editor

pytestmark = pytest.mark.web

SIDE = 80
MIDDLE = 40 * SIDE + 40 + 1
"""The label that the screen opens on, at X, Y."""
X, Y = 640, 369


def make_many(folder: Path, data: Path, side: int, *, scene: bool = True) -> Path:
    """A workspace of Kampala under side by side boxes, numbered from the south-west to the north, column by column."""
    with geolabel.open(folder, create=True) as workspace:
        kampala = workspace.add_scene(data / "pairs/kampala_rgb_buildings/kampala_z20_rgb.tif")
        scenes = [kampala] if scene else []
        project = workspace.create_project("Kampala", scenes=scenes, classes=["building", "road"], crs="EPSG:3857")
        west, south, east, north = kampala.bounds
        dx, dy = (east - west) / side, (north - south) / side
        boxes = [
            shapely.box(west + i * dx, south + j * dy, west + (i + 0.6) * dx, south + (j + 0.6) * dy)
            for i in range(side)
            for j in range(side)
        ]
        project.add(geopandas.GeoDataFrame(geometry=boxes, crs="OGC:CRS84"), class_name="building")
    return folder


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Path:
    """6,400 boxes, to be copied."""
    return make_many(tmp_path_factory.mktemp("many") / "ws", data, SIDE)


@pytest.fixture
def asked() -> list[str]:
    """The address of every request of `many`."""
    return []


@pytest.fixture
def many(browser: Browser, tmp_path: Path, made: Path, asked: list[str]) -> Iterator[Editor]:
    """6,400 boxes, drawn."""
    shutil.copytree(made, tmp_path / "many")
    with (
        serving(tmp_path / "many") as server,
        opened(browser, server, at=over_the_middle(server), asked=asked) as editor,
    ):
        yield editor


def over_the_middle(server: Served) -> str:
    """The address of the project with `MIDDLE` in the middle of the screen, and thousands of labels around it."""
    label = shapely.geometry.shape(server.get(f"api/collections/kampala/items/{MIDDLE}")["geometry"])
    return f"#/p/kampala@{label.centroid.x:.8f},{label.centroid.y:.8f},20.10"


def tiles_in(asked: list[str]) -> set[tuple[int, int, int]]:
    """Zoom, column and row of the label tiles that were asked for."""
    found = [re.search(r"/(\d+)/(\d+)/(\d+)\.mvt", url) for url in asked]
    return {(int(m[1]), int(m[2]), int(m[3])) for m in found if m}


def touched(tile: tuple[int, int, int], box: tuple[float, ...]) -> bool:
    """Whether a tile, with its margin, meets a box in degrees (near the equator, where Mercator is straight)."""
    z, x, y = tile
    side = 360 / 2**z
    west, north = x * side - 180, 180 - y * side
    margin = side * 64 / 4096
    ring = shapely.box(west - margin, north - side - margin, west + side + margin, north + margin)
    return bool(ring.intersects(shapely.box(*box)))


def look(editor: Editor, x: int, y: int) -> NDArray[np.float64]:
    """The mean colour of a label and of the ground at its edges."""
    shot = editor.page.screenshot(clip={"x": x - 4, "y": y - 4, "width": 8, "height": 8})
    mean: NDArray[np.float64] = np.asarray(Image.open(io.BytesIO(shot)).convert("RGB"), dtype=float).mean(axis=(0, 1))
    return mean


def at_rest(editor: Editor, x: int, y: int) -> NDArray[np.float64]:
    """The same, once it is what it was before."""
    seen = [look(editor, x, y)]

    def same() -> bool:
        seen.append(look(editor, x, y))
        return bool(np.abs(seen[-1] - seen[-2]).max() < 0.5)

    editor.until(same)
    return seen[-1]


def select_middle(editor: Editor) -> None:
    """Click the label in the middle of the screen."""
    page = editor.page
    page.keyboard.press("v")
    page.mouse.click(X, Y)
    expect(page.get_by_test_id("editor")).to_have_attribute("data-selected", str(MIDDLE))
    expect(page.get_by_test_id("inspector")).to_be_visible()


def drawn(page: Page) -> None:
    """Wait for two frames: what a click led to without asking the server is on the screen."""
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def test_labels_are_drawn_from_tiles_and_edited_exactly(many: Editor, asked: list[str]) -> None:
    editor = many
    page, server = editor.page, editor.server
    assert any(".mvt" in url for url in asked)
    assert not any("/items?" in url for url in asked)
    assert editor.count("building") == f"{SIDE * SIDE:,}"
    shown = tiles_in(asked)

    # A click reads the one label exactly; a change asks for the tiles anew that it touches, and for no others.
    id_ = MIDDLE
    select_middle(editor)
    assert [url for url in asked if f"/items/{id_}" in url and "history" not in url] != []
    box = shapely.geometry.shape(server.get(f"api/collections/kampala/items/{id_}")["geometry"]).bounds
    asked.clear()
    page.keyboard.press("2")
    editor.saved()
    [road] = editor.labels("road")
    assert road["id"] == id_
    expect(page.locator("[data-testid=class-row][data-class=road] .c")).to_have_text("1")
    page.keyboard.press("Delete")
    editor.saved()
    expect(page.get_by_test_id("editor")).to_have_attribute("data-selected", "")
    page.mouse.click(X, Y)  # it is not there any more, whatever the tiles have
    drawn(page)
    assert page.get_by_test_id("editor").get_attribute("data-selected") != str(id_)
    page.keyboard.press("Control+z")
    editor.saved()
    assert editor.labels("road")[0]["id"] == id_
    editor.until(lambda: tiles_in(asked) != set())
    assert tiles_in(asked) == {tile for tile in shown if touched(tile, box) and tile in tiles_in(asked)}
    assert len(tiles_in(asked)) < len(shown)
    page.keyboard.press("Escape")

    # Somebody else's change of what no exact shape is known of shows, too.
    other = next(n for n in (1, 2, 3) if n != id_)
    url = f"{server.url}api/collections/kampala/items/{other}"
    httpx.patch(url, json={"properties": {"class": "road"}}, timeout=30).raise_for_status()
    expect(page.locator("[data-testid=class-row][data-class=road] .c")).to_have_text("2")

    # Near enough, shapes are known exactly.
    page.mouse.move(760, 380)
    for _ in range(8):
        page.mouse.wheel(0, -500)
        editor.ready()
        if any("/items?" in url for url in asked):
            break
    assert any("/items?" in url for url in asked)
    editor.ready()

    # Then they are stepped through while the server is away, too.
    page.route("**/items?*", lambda route: route.abort())
    page.keyboard.press("]")
    expect(page.get_by_test_id("toast")).to_contain_text("these are the labels in view alone")
    expect(page.get_by_test_id("editor")).to_have_attribute("data-selected", re.compile(r"^\d+$"))
    page.unroute("**/items?*")
    editor.wrong.clear()  # the browser logs every request that it could not send


def test_a_label_that_changes_never_leaves_the_screen(many: Editor, asked: list[str]) -> None:
    editor = many
    page, server = editor.page, editor.server
    id_ = MIDDLE
    select_middle(editor)
    page.keyboard.press("Escape")
    page.mouse.move(640, 700)
    editor.ready()
    before = look(editor, X, Y)
    page.keyboard.down("Alt")
    page.keyboard.down("h")
    editor.until(lambda: bool(np.abs(look(editor, X, Y) - before).max() > 8))
    bare = look(editor, X, Y)
    page.keyboard.up("h")
    page.keyboard.up("Alt")
    editor.until(lambda: bool(np.abs(look(editor, X, Y) - before).max() < 2))

    # Somebody makes it a road: over the tiles first, then in the tile that comes anew.
    asked.clear()
    url = f"{server.url}api/collections/kampala/items/{id_}"
    httpx.patch(url, json={"properties": {"class": "road"}}, timeout=30).raise_for_status()
    seen = []
    came = 0
    while came < 8:
        seen.append(look(editor, X, Y))
        came += bool(tiles_in(asked))
    editor.ready()
    after = look(editor, X, Y)
    assert np.abs(after - before).max() > 8
    for colour in seen:
        from_label = min(float(np.abs(colour - one).max()) for one in (before, after))
        assert from_label < float(np.abs(colour - bare).max()), f"{colour} is bare ground {bare}"
        assert from_label < 15, f"{colour} is neither {before} nor {after}"


def test_labels_that_the_page_has_not_read_are_stepped_to_and_lassoed(many: Editor) -> None:
    editor = many
    page = editor.page
    selected = page.get_by_test_id("editor")
    page.keyboard.press("]")
    expect(selected).to_have_attribute("data-selected", "1")
    page.keyboard.press("]")
    expect(selected).to_have_attribute("data-selected", "2")
    page.keyboard.press("Alt+]")
    expect(selected).to_have_attribute("data-selected", "2 3")
    page.keyboard.press("[")
    expect(selected).to_have_attribute("data-selected", "2")
    page.keyboard.press("[")
    page.keyboard.press("[")
    expect(page.get_by_test_id("toast")).to_contain_text("No label comes before this one.")
    page.keyboard.press("Escape")
    page.keyboard.press("[")
    expect(selected).to_have_attribute("data-selected", str(SIDE * SIDE))
    page.keyboard.press("Escape")
    page.keyboard.press("z")
    editor.ready()

    def lasso(x: int, y: int, reach: int) -> None:
        page.keyboard.press("Shift+v")
        page.mouse.move(x, y)
        page.mouse.down()
        for dx, dy in ((1, 0), (1, 1), (0, 1), (0, 0.1)):
            page.mouse.move(x + dx * reach, y + dy * reach, steps=8)
        page.mouse.up()

    lasso(700, 400, 60)
    editor.until(lambda: len((selected.get_attribute("data-selected") or "").split()) > 4)
    lasso(420, 110, 545)
    expect(page.get_by_test_id("toast")).to_contain_text(re.compile(r"\d,\d{3} labels lie in this lasso"))

    # All of a class, among thousands of others that nobody reads for it.
    for id_ in (1, MIDDLE, SIDE * SIDE):
        url = f"{editor.server.url}api/collections/kampala/items/{id_}"
        httpx.patch(url, json={"properties": {"class": "road"}}, timeout=30).raise_for_status()
    expect(page.locator("[data-testid=class-row][data-class=road] .c")).to_have_text("3")
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    page.keyboard.press("z")
    editor.ready()
    page.keyboard.press("2")
    page.keyboard.press("Control+a")
    wanted = {str(id_) for id_ in (1, MIDDLE, SIDE * SIDE)}
    editor.until(lambda: set((selected.get_attribute("data-selected") or "").split()) == wanted)


def test_labels_too_small_to_be_seen_one_by_one_are_a_picture_to_be_clicked(
    browser: Browser, tmp_path: Path, data: Path
) -> None:
    asked: list[str] = []
    folder = make_many(tmp_path / "many", data, 100)
    with serving(folder) as server, opened(browser, server, asked=asked) as editor:
        page = editor.page
        selected = page.get_by_test_id("editor")
        page.mouse.move(770, 369)
        for _ in range(5):
            page.mouse.wheel(0, 600)
            editor.ready()
        editor.until(lambda: min(z for z, _, _ in tiles_in(asked)) <= 16)
        editor.ready()
        page.mouse.move(640, 700)
        seen = at_rest(editor, 770, 369)
        page.keyboard.down("Alt")
        page.keyboard.down("h")
        editor.until(lambda: bool(np.abs(look(editor, 770, 369) - seen).max() > 8))
        page.keyboard.up("h")
        page.keyboard.up("Alt")
        editor.until(lambda: bool(np.abs(look(editor, 770, 369) - seen).max() < 2))
        assert not any("/items" in url for url in asked)
        # What a tile leaves out is in the picture of the same zoom, column and row.
        pictures = {
            tuple(map(int, m.groups()))
            for m in map(re.compile(r"/(\d+)/(\d+)/(\d+)\.png").search, asked)
            if m and "/pooled/" in m.string
        }
        assert pictures == tiles_in(asked)

        page.mouse.click(770, 369)
        expect(page.get_by_test_id("inspector")).to_be_visible()
        id_ = int(selected.get_attribute("data-selected") or 0)
        page.keyboard.press("2")
        editor.saved()
        assert [f["id"] for f in editor.labels("road")] == [id_]
        page.keyboard.press("Delete")
        editor.saved()
        expect(page.locator("[data-testid=class-row][data-class=building] .c")).to_have_text(f"{100 * 100 - 1:,}")

        # What is hidden is not drawn, and not found.
        page.locator("[data-testid=class-row][data-class=building]").get_by_role(
            "button", name=re.compile("Hide")
        ).click()
        editor.until(lambda: bool(np.abs(look(editor, 770, 369) - seen).max() > 8))
        with page.expect_response(lambda answer: "/items?" in answer.url):
            page.mouse.click(770, 369)
        drawn(page)
        expect(selected).to_have_attribute("data-selected", "")


def test_labels_without_a_scene_are_seen_and_edited(browser: Browser, tmp_path: Path, data: Path) -> None:
    """Brought from elsewhere before any imagery: drawn where they lie, from tiles as they are many."""
    asked: list[str] = []
    folder = make_many(tmp_path / "bare", data, SIDE, scene=False)
    with serving(folder) as server, opened(browser, server, asked=asked) as editor:
        page = editor.page
        assert tiles_in(asked) != set()
        assert not any("/items?" in url for url in asked)
        page.keyboard.press("]")
        expect(page.get_by_test_id("inspector")).to_be_visible()
        page.keyboard.press("2")
        editor.saved()
        assert [label["id"] for label in editor.labels("road")] == [1]
        page.keyboard.press("Escape")
        page.keyboard.press("z")
        editor.ready()
        page.mouse.move(640, 700)
        with_labels = look(editor, 760, Y)
        page.keyboard.press("Escape")
        page.get_by_role("button", name="Hide Labels").click()
        editor.until(lambda: bool(np.abs(look(editor, 760, Y) - with_labels).max() > 8))
        expect(page.get_by_role("link", name="Choose scenes")).to_be_visible()
