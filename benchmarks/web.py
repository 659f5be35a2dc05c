"""The web map on a project of a million labels, in a real Chromium: first view, panning, memory, an edit.

GEOLABEL_BENCH_LABELS=100000 makes fewer; GEOLABEL_BENCH_WEB names a workspace that is kept and used again.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import rasterio

import geolabel
from benchmarks.label_tiles import CELL, CLASSES, LABELS, LEFT, TOP, make_labels
from geolabel.model import NewAnnotation
from geolabel.store import open_store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

CHROMIUM = os.environ.get("GEOLABEL_CHROMIUM", "/usr/bin/chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
]
IDLE = "[data-testid=editor][data-state=idle]"
PX = 1024
CALM_MS = 20_000
"""Until the server has drawn anew what an edit touched."""

FRAMES = """() => {
  const frames = []; let last = performance.now();
  window.frames_ = frames;
  const tick = (now) => { frames.push(now - last); last = now; window.ticking_ = requestAnimationFrame(tick); };
  requestAnimationFrame(tick);
}"""


def run(_: Path, folder: Path) -> Iterator[tuple[str, ...]]:
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        yield ("web map", "Playwright is not installed", "-", "-", "-")
        return
    check_bundle()
    workspace = Path(os.environ.get("GEOLABEL_BENCH_WEB", folder / "web"))
    if not workspace.exists():
        make(workspace)
    for kept in (workspace / "cache" / "labels", workspace / "cache" / "label-tiles"):
        shutil.rmtree(kept, ignore_errors=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        with serving(workspace) as url:
            for state in ("started for the first time", "warm"):
                with viewing(browser, url) as (page, seconds):
                    yield first_view(state, seconds)
                    if state == "warm":
                        yield from pans(page)
                        yield from edits(page)
                        page.wait_for_timeout(CALM_MS)
        for state in ("started again after an edit", "started again"):
            with serving(workspace) as url, viewing(browser, url) as (page, seconds):
                yield first_view(state, seconds)
                page.wait_for_timeout(CALM_MS)
        browser.close()


def check_bundle() -> None:
    """Refuse to measure a page that was built before its source was changed."""
    web = Path(geolabel.__file__).parent / "web"
    sources = [path.stat().st_mtime for path in (web / "src").rglob("*.*")]
    if sources and max(sources) > (web / "static" / "index.html").stat().st_mtime:
        raise RuntimeError("geolabel/web/static is older than geolabel/web/src: build it anew before it is measured.")


def first_view(state: str, seconds: float) -> tuple[str, ...]:
    return (f"web map, {LABELS:,} labels: first view drawn, server {state}", f"{seconds:.1f} s", "-", "-", "-")


@contextmanager
def viewing(browser: Browser, url: str) -> Iterator[tuple[Page, float]]:
    """A page of a browser that has nothing of the server, and the seconds until all of it was drawn."""
    context = browser.new_context(viewport={"width": 1280, "height": 720})
    page = context.new_page()
    begun = time.perf_counter()
    page.goto(url)
    page.wait_for_selector(IDLE, timeout=120_000)
    yield page, time.perf_counter() - begun
    context.close()


def pans(page: Page) -> Iterator[tuple[str, ...]]:
    """Drag the map to and fro, coarse and fine."""
    for times, name in ((0, "the whole project"), (3, "zoomed in by 3"), (3, "zoomed in by 6")):
        for _ in range(times):
            page.mouse.move(800, 400)
            page.mouse.wheel(0, -600)
            page.wait_for_timeout(400)
        page.wait_for_selector(IDLE, timeout=120_000)
        page.evaluate(FRAMES)
        page.keyboard.down("Space")
        for turn in range(6):
            here, there = ((500, 300), (900, 450))[:: 1 if turn % 2 == 0 else -1]
            page.mouse.move(*here)
            page.mouse.down()
            page.mouse.move(*there, steps=20)
            page.mouse.up()
        page.keyboard.up("Space")
        page.wait_for_selector(IDLE, timeout=120_000)
        frames: list[float] = page.evaluate("() => { cancelAnimationFrame(window.ticking_); return window.frames_; }")
        ordered = sorted(frames)
        yield (
            f"panning, {name}: frames",
            f"median {statistics.median(frames):.0f} ms, p95 {ordered[int(len(ordered) * 0.95)]:.0f} ms",
            f"longest {ordered[-1]:.0f} ms",
            "-",
            f"{heap(page):.0f} MB JavaScript",
        )


def edits(page: Page) -> Iterator[tuple[str, ...]]:
    """Change a label: which tiles are asked for, and how long until it is saved."""
    tiles: list[str] = []
    page.on("request", lambda request: tiles.append(request.url) if ".mvt" in request.url else None)
    page.keyboard.press("v")
    for x in range(700, 900, 10):
        page.mouse.click(x, 400)
        page.wait_for_timeout(1000)
        if page.locator("[data-testid=inspector]").count():
            break
    else:
        raise RuntimeError("no click selected a label")
    begun = time.perf_counter()
    page.keyboard.press("Delete")
    page.wait_for_selector("[data-testid=save-state][data-save=saved]:has-text('All changes saved')", timeout=60_000)
    yield (
        "one label deleted, until it says saved",
        f"{time.perf_counter() - begun:.2f} s",
        f"{len(tiles)} tiles asked for",
        "-",
        "-",
    )
    page.keyboard.press("Control+z")  # so that a workspace that is kept stays as it is
    page.wait_for_selector("[data-testid=save-state][data-save=saved]:has-text('All changes saved')", timeout=60_000)


def heap(page: Page) -> float:
    session = page.context.new_cdp_session(page)
    session.send("HeapProfiler.collectGarbage")
    session.send("Performance.enable")
    metrics: dict[str, Any] = {m["name"]: m["value"] for m in session.send("Performance.getMetrics")["metrics"]}
    return float(metrics["JSHeapUsedSize"]) / 2**20


def make(workspace: Path) -> None:
    """A project on a scene of noise that lies under all its labels."""
    shapes, classes = make_labels()
    workspace.mkdir(parents=True)
    raster = workspace / "ground.tif"
    side = LABELS**0.5 * CELL
    profile = {"driver": "GTiff", "width": PX, "height": PX, "count": 3, "dtype": "uint8", "crs": "EPSG:32633"}
    transform = rasterio.transform.from_origin(LEFT, TOP, side / PX, side / PX)
    with rasterio.open(raster, "w", tiled=True, compress="deflate", transform=transform, **profile) as file:
        file.write(np.random.default_rng(0).integers(60, 120, (3, PX, PX), dtype=np.uint8))
    with geolabel.open(workspace, create=True) as opened:
        opened.create_project("labels", scenes=[opened.add_scene(raster)], classes=list(CLASSES))
    with open_store(workspace) as store:
        for first in range(0, len(shapes), 50_000):
            rows = zip(shapes[first : first + 50_000], classes[first : first + 50_000], strict=True)
            store.create("labels", [NewAnnotation(geometry=shape, class_name=name) for shape, name in rows])


class serving:  # noqa: N801 (a context manager)
    """A workspace, served by a process of its own; gives the URL."""

    def __init__(self, workspace: Path) -> None:
        self._command = [sys.executable, "-m", "geolabel", "serve", "-w", str(workspace), "--port", "0"]

    def __enter__(self) -> str:
        self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        return next(word for word in self._process.stdout.readline().split() if word.startswith("http"))

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.communicate(timeout=30)
