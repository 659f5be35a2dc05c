"""Measuring the ground: by mouse, by keys, on borders that are there; numbers are those of PROJ's geodesics."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import pyproj
import pytest
import rasterio
from playwright.sync_api import expect

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import geolabel
    from tests.web.conftest import Editor, Land

pytestmark = pytest.mark.web

GEOD = pyproj.Geod(ellps="WGS84")


def number(text: str) -> float:
    """The first number of a text: 1,234.5 of "1,234.5 m²"."""
    found = re.search(r"[\d,]+(?:\.\d+)?", text)
    assert found
    return float(found[0].replace(",", ""))


def shown(land: Land, testid: str) -> float:
    """A number on the screen."""
    return number(land.page.get_by_test_id(testid).inner_text())


def test_a_path_is_measured_and_closed_to_an_area(land: Land) -> None:
    page = land.page
    page.keyboard.press("m")
    expect(page.get_by_test_id("measure-bar")).to_contain_text("Click along what is to be measured")
    page.keyboard.down("Alt")  # not on the parcels' vertices
    places = [(6, 1), (12, 1), (12, 6)]
    for place in places:
        land.click(*place)
    land.move(9, 6)
    lonlat = [land.lonlat(*place) for place in places]
    path = GEOD.line_length(*zip(*lonlat, land.lonlat(9, 6), strict=True))
    assert shown(land, "measured-length") == pytest.approx(path, rel=0.02)
    # The first place again closes it, and it stays on the map.
    land.click(*places[0])
    page.keyboard.up("Alt")
    m2, perimeter = GEOD.polygon_area_perimeter(*zip(*lonlat, strict=True))
    expect(page.get_by_test_id("measure-bar")).to_contain_text("Perimeter")
    assert shown(land, "measured-length") == pytest.approx(perimeter, rel=0.02)
    assert shown(land, "measured-area") == pytest.approx(abs(m2), rel=0.03)
    assert shown(land, "measured-hectares") == pytest.approx(abs(m2) / 1e4, rel=0.03)
    expect(page.get_by_test_id("measured-edge")).to_have_count(3)

    # Esc ends it, and nothing was made of it.
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("measure-bar")).to_have_count(0)
    expect(page.get_by_test_id("measured-edge")).to_have_count(0)
    expect(page.get_by_test_id("editor")).to_have_attribute("data-tool", "select")
    assert len(land.stored()) == 4


def test_a_parcel_that_is_measured_along_its_vertices_has_the_inspectors_area(land: Land) -> None:
    page = land.page
    page.get_by_test_id("tool-measure").click()
    for place in ((0, 0), (5, 0), (5, 5), (0, 5), (0, 0)):
        land.click(*place)
    expect(page.get_by_test_id("measure-bar")).to_contain_text("Perimeter")
    measured = page.get_by_test_id("measured-area").inner_text()
    page.get_by_test_id("measure-end").click()
    land.click(2, 2)
    land.expect_selected(4)
    expect(page.get_by_test_id("area")).to_have_text(measured)


def test_a_distance_is_measured_by_keys_alone(land: Land) -> None:
    page = land.page
    page.keyboard.press("v")
    page.keyboard.press("m")
    page.keyboard.press("Shift+ArrowUp")
    page.keyboard.press("Space")
    for _ in range(6):
        page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Space")
    page.keyboard.press("Backspace")  # taken back, and placed again
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    metres = GEOD.line_length(*zip(land.lonlat(0, 0.5), land.lonlat(3, 0.5), strict=True))
    expect(page.get_by_test_id("measure-end")).to_be_visible()
    assert shown(land, "measured-length") == pytest.approx(metres, rel=0.02)
    # The next one begins where the last one was put away.
    page.keyboard.press("Shift+ArrowDown")
    page.keyboard.press("Space")
    expect(page.get_by_test_id("measured-length")).to_have_count(0)
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("editor")).to_have_attribute("data-tool", "select")


def test_a_label_on_a_sheared_grid_has_as_many_pixels_as_it_covers(
    opening: Callable[..., Editor], tmp_path: Path
) -> None:
    """20 by 30 pixels of a grid whose rows run at 45 degrees to its columns; on the Equator, where UTM is true to 0.04 %."""
    grid = rasterio.Affine(0.5, 0.5, 500_000, 0, -0.5, 50_000)

    def make(workspace: geolabel.Workspace) -> None:
        raster = tmp_path / "sheared.tif"
        profile = {"driver": "GTiff", "width": 100, "height": 100, "count": 1, "dtype": "uint8", "crs": "EPSG:32633"}
        with rasterio.open(raster, "w", transform=grid, **profile) as file:
            file.write(np.full((1, 100, 100), 90, dtype=np.uint8))
        project = workspace.create_project("Sheared", scenes=[workspace.add_scene(raster)], classes=["field"])
        places = ((40, 35), (60, 35), (60, 65), (40, 65), (40, 35))
        geometry = {"type": "Polygon", "coordinates": [[list(grid * place) for place in places]]}
        labels = {
            "type": "FeatureCollection",
            "crs": {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32633"}},
            "features": [{"type": "Feature", "geometry": geometry, "properties": {}}],
        }
        project.add(labels, class_name="field")

    editor = opening(make)
    editor.page.keyboard.press("]")
    expect(editor.page.get_by_test_id("pixels")).to_have_text("600")
