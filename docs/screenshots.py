"""Take the pictures of README and docs from the real thing: `make screenshots`."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import expect, sync_playwright

IMAGES = Path(__file__).parent / "img"
CHROMIUM = os.environ.get("GEOLABEL_CHROMIUM", "/usr/bin/chromium")
FLAGS = [
    "--no-sandbox",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--disable-dev-shm-usage",
]


def main() -> None:
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        demo, dataset = Path(folder) / "demo", Path(folder) / "dataset"
        geolabel("demo", demo, "--no-serve", "--export", dataset)
        small(Image.open(dataset / "contact-sheet.png").convert("RGB"), IMAGES / "contact-sheet.jpg", 1200)
        server = subprocess.Popen(
            [sys.executable, "-m", "geolabel", "serve", "-w", demo, "--port", "0"], stdout=subprocess.PIPE, text=True
        )
        try:
            assert server.stdout is not None
            found = re.search(r"http://\S+", server.stdout.readline())
            assert found
            web_map(found[0], Path(folder))
        finally:
            server.terminate()
            server.wait()
        for name in ("web-map", "measuring"):
            small(Image.open(Path(folder) / f"{name}.png").convert("RGB"), IMAGES / f"{name}.jpg", 1440)


def geolabel(*arguments: object) -> None:
    subprocess.run([sys.executable, "-m", "geolabel", *map(str, arguments)], check=True)


def web_map(url: str, folder: Path) -> None:
    """The labelled west of the sample scene: one label selected; the ground beside it measured."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(url)
        idle = page.locator("[data-testid=editor][data-state=idle]")
        expect(idle).to_be_visible(timeout=60_000)
        page.mouse.move(870, 500)
        for _ in range(6):
            page.mouse.wheel(0, -240)
            page.wait_for_timeout(200)
        expect(idle).to_be_visible(timeout=60_000)
        page.mouse.click(833, 500)  # the house with a courtyard
        expect(page.get_by_test_id("inspector")).to_be_visible(timeout=30_000)
        expect(idle).to_be_visible(timeout=60_000)
        page.mouse.move(900, 850)
        page.wait_for_timeout(1500)
        page.screenshot(path=folder / "web-map.png")
        page.keyboard.press("Escape")
        page.keyboard.press("m")
        for x, y in ((700, 330), (960, 330), (960, 610), (700, 610), (700, 330)):
            page.mouse.move(x, y, steps=4)
            page.mouse.click(x, y)
        expect(page.get_by_test_id("measure-end")).to_be_visible(timeout=30_000)
        page.mouse.move(900, 850)
        expect(idle).to_be_visible(timeout=60_000)
        page.wait_for_timeout(1500)
        page.screenshot(path=folder / "measuring.png")
        browser.close()


def small(picture: Image.Image, path: Path, width: int) -> None:
    """A JPEG of at most `width` pixels across: pictures live in the repository."""
    picture.thumbnail((width, 10_000))
    picture.save(path, quality=86, optimize=True, subsampling=0)


if __name__ == "__main__":
    main()
