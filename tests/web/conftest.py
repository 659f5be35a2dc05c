"""A real server and a real Chromium."""

from __future__ import annotations

import atexit
import json
import math
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import shapely.geometry
from playwright.sync_api import Page, expect, sync_playwright

import geolabel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser

CHROMIUM = os.environ.get("GEOLABEL_CHROMIUM", "/usr/bin/chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
]
# Software rendering on a loaded machine: these are upper bounds, the tests wait on what is on the screen.
expect.set_options(timeout=60_000)


@dataclass(frozen=True)
class Served:
    """A running server.

    Attributes:
        url: with a slash at the end.
        workspace: its folder.
    """

    url: str
    workspace: Path

    def get(self, path: str, **params: Any) -> Any:
        """What the API says."""
        answer = httpx.get(self.url + path, params=params, timeout=30)
        answer.raise_for_status()
        return answer.json()


@pytest.fixture(scope="session")
def kampala(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Path:
    """A workspace of Kampala with its buildings, to be copied."""
    folder = tmp_path_factory.mktemp("kampala") / "ws"
    pair = data / "pairs/kampala_rgb_buildings"
    with geolabel.open(folder, create=True) as workspace:
        scene = workspace.add_scene(pair / "kampala_z20_rgb.tif")
        project = workspace.create_project("Kampala", scenes=[scene], classes=["building", "road", "trees"])
        project.add(pair / "buildings.geojson", class_name="building", on_invalid="repair")
    return folder


@pytest.fixture
def server(tmp_path: Path, kampala: Path) -> Iterator[Served]:
    """Kampala with its buildings, served by a process of its own."""
    folder = tmp_path / "ws"
    shutil.copytree(kampala, folder)
    with serving(folder) as served:
        yield served


@contextmanager
def serving(folder: Path) -> Iterator[Served]:
    """A workspace, served by a process of its own."""
    out = folder.with_name(f"{folder.name}.out")
    os.mkfifo(out)
    nursery = _nursery()
    assert nursery.stdin is not None
    assert nursery.stdout is not None
    nursery.stdin.write(json.dumps({"folder": str(folder), "out": str(out), "environment": dict(os.environ)}) + "\n")
    nursery.stdin.flush()
    process = int(nursery.stdout.readline())
    with out.open(encoding="utf-8") as printed:
        try:
            url = next(word for word in printed.readline().split() if word.startswith("http"))
            yield Served(url, folder)
        finally:
            os.kill(process, signal.SIGTERM)
            _wait_for_end(printed.fileno(), 20)
    out.unlink()


def _wait_for_end(pipe: int, seconds: float) -> None:
    """Read to the end of what a server prints, which is when it ends; TimeoutError when it does not."""
    until = time.monotonic() + seconds
    while select.select([pipe], [], [], max(0, until - time.monotonic()))[0]:
        if not os.read(pipe, 65536):
            return
    raise TimeoutError(f"The server goes on {seconds:g} s after it was told to end.")


@lru_cache(maxsize=1)
def _nursery() -> subprocess.Popen[str]:
    script = Path(__file__).with_name("nursery.py")
    nursery = subprocess.Popen(
        [sys.executable, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    atexit.register(nursery.communicate)
    return nursery


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """For one file: as long as it is there, an event loop runs in this thread, and other tests cannot run one."""
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield opened
        opened.close()


@dataclass(frozen=True)
class Editor:
    """The map editor as a person sees it.

    Attributes:
        page: the browser's page.
        server: what it talks to.
        wrong: what the page logged as an error, and requests to other servers.
    """

    page: Page
    server: Served
    wrong: list[str]

    def ready(self) -> None:
        """Wait until imagery and labels are drawn."""
        expect(self.page.locator("[data-testid=editor][data-state=idle]")).to_be_visible()

    def saved(self) -> None:
        """Wait until the status bar says that everything is saved."""
        state = self.page.get_by_test_id("save-state")
        expect(state).to_contain_text("All changes saved")
        expect(state).to_have_attribute("data-save", "saved")

    def draw(self, corners: list[tuple[int, int]]) -> list[tuple[float, float]]:
        """Click the corners of a polygon (screen pixels), close it with Enter; gives lon and lat as the status bar had them."""
        self.page.keyboard.press("p")
        shown = []
        for x, y in corners:
            self.page.mouse.move(x, y, steps=3)
            text = self.page.get_by_test_id("coordinates").inner_text()
            lat, lon = (float(n) * (-1 if s in "SW" else 1) for n, s in re.findall(r"([\d.]+)° ([NSEW])", text))
            shown.append((lon, lat))
            self.page.mouse.click(x, y)
        self.page.keyboard.press("Enter")
        return shown

    def select(self, x: int, y: int) -> None:
        """Click a label."""
        self.page.keyboard.press("v")
        self.page.mouse.click(x, y)
        expect(self.page.get_by_test_id("inspector")).to_be_visible()

    def count(self, name: str) -> str:
        """The number beside a class."""
        return self.page.locator(f"[data-testid=class-row][data-class={name}] .c").inner_text()

    def labels(self, name: str) -> list[dict[str, Any]]:
        """What the server holds of a class."""
        features: list[dict[str, Any]] = self.server.get("api/collections/kampala/items", **{"class": name})["features"]
        return features

    def until(self, true: Callable[[], bool], seconds: float = 30) -> None:
        """Wait for something that no element of the page says."""
        end = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < end, "it did not come about"
            self.page.wait_for_timeout(50)


@pytest.fixture
def editor(browser: Browser, server: Served) -> Iterator[Editor]:
    """The project, open and drawn. The test fails when the page logs an error or asks another server for anything."""
    with opened(browser, server) as editor:
        yield editor


@pytest.fixture
def dateline(browser: Browser, tmp_path: Path, data: Path) -> Iterator[Editor]:
    """The same, of a scene that the antimeridian runs through."""
    folder = tmp_path / "dateline"
    with geolabel.open(folder, create=True) as workspace:
        scene = workspace.add_scene(data / "images/cog_dateline.tif")
        workspace.create_project("Dateline", scenes=[scene], classes=["sea"])
    with serving(folder) as server, opened(browser, server) as editor:
        yield editor


@pytest.fixture
def opening(browser: Browser, tmp_path: Path) -> Iterator[Callable[..., Editor]]:
    """Makes a workspace by a function of it, serves it and opens it: `opening(make, at="#/p/kampala")`."""
    with ExitStack() as stack:

        def open_(make: Callable[[geolabel.Workspace], object], at: str = "", *, start: bool = False) -> Editor:
            folder = tmp_path / "made"
            with geolabel.open(folder, create=True) as workspace:
                make(workspace)
            server = stack.enter_context(serving(folder))
            return stack.enter_context(opened(browser, server, at, start=start))

        yield open_


@contextmanager
def opened(
    browser: Browser, server: Served, at: str = "", *, start: bool = False, asked: list[str] | None = None
) -> Iterator[Editor]:
    """A browser of its own (another person's) on a server; `asked` gets the address of every request."""
    context = browser.new_context(viewport={"width": 1280, "height": 720}, accept_downloads=True)
    page = context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(f"error: {error}"))
    page.on(
        "console",
        lambda message: wrong.append(f"console: {message.text}") if message.type in {"error", "warning"} else None,
    )
    page.on("request", lambda made: None if _ours(made.url, server) else wrong.append(f"asked {made.url}"))
    if asked is not None:
        page.on("request", lambda made: asked.append(made.url))
    page.goto(server.url + at)
    opened = Editor(page, server, wrong)
    if start:
        expect(page.locator("[data-testid=start][data-state=idle]")).to_be_visible()
    else:
        opened.ready()
    yield opened
    context.close()
    # Refusals that a test asks for are logged by the browser as failed requests.
    refusal = "Failed to load resource: the server responded with a status of 4"
    assert [line for line in wrong if refusal not in line] == []


def _ours(url: str, server: Served) -> bool:
    return url.startswith((server.url, "blob:", "data:"))


CENTRE, ZOOM = (32.594490, 0.350523), 20.0
"""What the drawing tests look at: a pixel of the screen is 1.34e-6 degrees."""


@dataclass(frozen=True)
class Land(Editor):
    """A small land-cover mosaic on Kampala, at a known view: places are given in steps of 20 pixels from the middle."""

    STEP = 20

    def lonlat(self, x: float, y: float) -> tuple[float, float]:
        """Longitude and latitude of a place; y goes up."""
        degrees = 360 / (256 * 2**ZOOM) * self.STEP
        south = math.degrees(math.log(math.tan(math.pi / 4 + math.radians(CENTRE[1]) / 2)))
        lat = math.degrees(2 * math.atan(math.exp(math.radians(south + y * degrees)))) - 90
        return CENTRE[0] + x * degrees, lat

    def ring(self, *places: tuple[float, float]) -> list[list[float]]:
        """A closed ring of places."""
        return [list(self.lonlat(*place)) for place in (*places, places[0])]

    def screen(self, x: float, y: float) -> tuple[float, float]:
        """Pixel of the page where a place is."""
        return 640 + x * self.STEP, 44 + (720 - 44 - 26) / 2 - y * self.STEP

    def move(self, x: float, y: float) -> None:
        """Move the pointer to a place."""
        self.page.mouse.move(*self.screen(x, y), steps=3)

    def click(self, x: float, y: float, *, shift: bool = False) -> None:
        """Move there and click."""
        self.move(x, y)
        if shift:
            self.page.keyboard.down("Shift")
        self.page.mouse.click(*self.screen(x, y))
        if shift:
            self.page.keyboard.up("Shift")

    def drag(self, *places: tuple[float, float]) -> None:
        """Drag from the first place over the others to the last."""
        self.move(*places[0])
        self.page.mouse.down()
        for place in places[1:]:
            self.page.mouse.move(*self.screen(*place), steps=6)
        self.page.mouse.up()

    def stored(self) -> dict[int, dict[str, Any]]:
        """The labels as they rest, in the project's CRS, by id."""
        uri = "http://www.opengis.net/def/crs/EPSG/0/3857"
        features = self.server.get("api/collections/land/items", crs=uri, limit=10_000)["features"]
        return {f["id"]: f for f in features}

    def shapes(self) -> dict[int, Any]:
        """Their geometries, as shapely has them."""
        return {i: shapely.geometry.shape(f["geometry"]) for i, f in self.stored().items()}

    def versions(self) -> dict[int, int]:
        """The version of each label."""
        return {i: f["properties"]["version"] for i, f in self.stored().items()}

    @property
    def selected(self) -> list[int]:
        """Ids of the selected labels."""
        text = self.page.get_by_test_id("editor").get_attribute("data-selected") or ""
        return [int(word) for word in text.split() if word != "new"]

    def expect_selected(self, *ids: int) -> None:
        """Wait until just these labels are selected, in this order."""
        expect(self.page.get_by_test_id("editor")).to_have_attribute("data-selected", " ".join(map(str, ids)))

    def expect_toast(self, text: str) -> None:
        """Wait until the toast says so."""
        expect(self.page.get_by_test_id("toast")).to_contain_text(text)


@pytest.fixture
def land(opening: Callable[..., Editor], data: Path) -> Land:
    """Four parcels round the middle of the view (1 to 4: south-west, south-east, north-west, north-east), 5 steps wide."""
    plan = Land(None, None, [])  # type: ignore[arg-type]

    def make(workspace: geolabel.Workspace) -> None:
        scene = workspace.add_scene(data / "pairs/kampala_rgb_buildings/kampala_z20_rgb.tif")
        stuff = {"kind": "stuff", "geometries": ["polygon", "line", "point"]}
        classes = [{"name": name, **stuff} for name in ("field", "wood", "water")]
        project = workspace.create_project("Land", scenes=[scene], classes=classes)
        for x, y, name in ((-5, -5, "field"), (0, -5, "wood"), (-5, 0, "wood"), (0, 0, "field")):
            ring = plan.ring((x, y), (x + 5, y), (x + 5, y + 5), (x, y + 5))
            feature = {
                "type": "Feature",
                "geometry": {"type": "Polygon", "coordinates": [ring]},
                "properties": {"class": name},
            }
            project.add({"type": "FeatureCollection", "features": [feature]}, class_field="class")

    opened = opening(make, at=f"#/p/land@{CENTRE[0]},{CENTRE[1]},{ZOOM:.2f}")
    return Land(opened.page, opened.server, opened.wrong)
