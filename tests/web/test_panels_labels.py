"""How labels look: outline and fill by a key, and a hatch where two classes share a colour."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.web.conftest import CENTRE, ZOOM, Land

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    import geolabel
    from tests.web.conftest import Editor

pytestmark = pytest.mark.web

YELLOW = "#f0c107"


@pytest.fixture
def plain(opening: Callable[..., Editor], data: Path) -> Land:
    """Two parcels and a line in one colour, the second parcel of another class, on an empty ground."""
    plan = Land(None, None, [])  # type: ignore[arg-type]

    def make(workspace: geolabel.Workspace) -> None:
        scene = workspace.add_scene(data / "pairs/kampala_rgb_buildings/kampala_z20_rgb.tif")
        kinds = ["polygon", "line", "point"]
        classes = [{"name": name, "color": YELLOW, "geometries": kinds} for name in ("field", "fallow")]
        project = workspace.create_project("Land", scenes=[scene], classes=classes)
        for x, name in ((-8, "field"), (2, "fallow")):
            ring = plan.ring((x, -3), (x + 6, -3), (x + 6, 3), (x, 3))
            project.add(_feature({"type": "Polygon", "coordinates": [ring]}, name), class_field="class")
        line = [list(plan.lonlat(-8, 6)), list(plan.lonlat(8, 6))]
        project.add(_feature({"type": "LineString", "coordinates": line}, "field"), class_field="class")

    opened = opening(make, at=f"#/p/land@{CENTRE[0]},{CENTRE[1]},{ZOOM:.2f}")
    land = Land(opened.page, opened.server, opened.wrong)
    land.page.get_by_role("button", name="Hide kampala_z20_rgb").click()
    land.ready()
    return land


def _feature(geometry: dict[str, object], name: str) -> dict[str, object]:
    feature = {"type": "Feature", "geometry": geometry, "properties": {"class": name}}
    return {"type": "FeatureCollection", "features": [feature]}


def patch(land: Land, x: float, y: float, size: int) -> NDArray[np.float64]:
    """The screen round a place, a square of so many pixels, as the pointer is elsewhere."""
    land.page.mouse.move(640, 650)
    land.ready()
    left, top = land.screen(x, y)
    clip = {"x": left - size // 2, "y": top - size // 2, "width": size, "height": size}
    shot = land.page.screenshot(clip=clip)  # type: ignore[arg-type]
    return np.asarray(Image.open(io.BytesIO(shot)).convert("RGB"), dtype=float)


def yellow(land: Land, x: float, y: float) -> float:
    """How much more red than blue there is at a place, 0 to 255, at the strongest."""
    found = patch(land, x, y, 6)
    return float((found[..., 0] - found[..., 2]).max())


def test_a_key_swaps_outline_and_fill(plain: Land) -> None:
    press = plain.page.keyboard.press
    inside, edge, line, ground = (-5, 0), (-8, 0), (0, 6), (0, 0)
    plain.until(lambda: yellow(plain, *edge) > 150)
    assert 20 < yellow(plain, *inside) < 100
    assert abs(yellow(plain, *ground)) < 10

    press("i")
    plain.until(lambda: abs(yellow(plain, *inside)) < 10)
    assert yellow(plain, *edge) > 150

    press("i")
    plain.until(lambda: yellow(plain, *edge) < 100)
    assert 20 < yellow(plain, *inside) < 100
    assert yellow(plain, *line) > 150, "a line has no fill: it stays"

    press("i")
    plain.until(lambda: yellow(plain, *edge) > 150)
    assert 20 < yellow(plain, *inside) < 100


def test_a_class_with_the_colour_of_another_one_is_hatched(plain: Land) -> None:
    plain.until(lambda: bool(patch(plain, 5, 0, 60).std(axis=(0, 1)).max() > 10))
    assert patch(plain, -5, 0, 60).std(axis=(0, 1)).max() < 2
    # At 45 degrees: up to the right nothing changes, down to the right much does.
    red = patch(plain, 5, 0, 60)[..., 0]
    along, across = red[1:, :-1] - red[:-1, 1:], red[1:, 1:] - red[:-1, :-1]
    assert np.abs(along).mean() < np.abs(across).mean() / 3

    swatches = plain.page.locator("[data-testid=class-row] .swatch")
    hatched = [swatches.nth(i).evaluate("e => getComputedStyle(e).backgroundImage") for i in range(2)]
    assert hatched[0] == "none"
    assert "repeating-linear-gradient(-45deg" in hatched[1]
    expect(swatches).to_have_count(2)
