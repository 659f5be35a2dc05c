"""A project is set up, labels come in and a dataset goes out, all in the browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

import geopandas
import pytest
from playwright.sync_api import expect

from tests.web.axe import prepare, serious, serious_in_both_themes

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import geolabel
    from tests.web.conftest import Editor

pytestmark = pytest.mark.web

SCENE = "pairs/kampala_rgb_buildings/kampala_z20_rgb.tif"


def test_from_a_scene_to_a_project_and_back_to_its_schema(opening: Callable[..., Editor], data: Path) -> None:
    editor = opening(lambda workspace: workspace.add_scene(data / SCENE), start=True)
    page = editor.page
    page.get_by_test_id("new-project").click()
    page.get_by_test_id("setup-save").click()
    expect(page.get_by_role("alert")).to_contain_text("A project needs a title.")
    page.get_by_test_id("setup-title").fill("Kampala")
    page.get_by_label("Name of class 1").fill("building")
    page.get_by_test_id("class-add").click()
    page.get_by_label("Name of class 2").fill("road")
    page.get_by_label("Key of road").fill("p")
    expect(page.get_by_test_id("setup")).to_contain_text("The key p is taken by a command")
    page.get_by_label("Key of road").fill("2")
    page.get_by_role("group", name="Shapes of road").get_by_role("button", name="polygon").click()
    page.get_by_test_id("attribute-add").click()
    page.get_by_label("Name of the attribute").fill("roof")
    page.get_by_label("Values of roof").fill("tile, metal")
    page.get_by_test_id("setup-guidelines").fill("## Roofs\n\nDraw the **roof**.\n\n<b onclick=x>not bold</b>")
    page.get_by_label("Path of a raster on the server").fill("/etc/passwd")
    page.get_by_role("button", name="Register raster").click()
    expect(page.get_by_role("alert").last).to_contain_text("geolabel scene add")
    page.get_by_test_id("setup-save").click()
    editor.ready()
    made = editor.server.get("api/projects/kampala")
    assert [(c["name"], c["color"], c["hotkey"], set(c["geometries"])) for c in made["classes"]] == [
        ("building", "#e13c62", "1", {"point", "line", "polygon"}),
        ("road", "#4478ff", "2", {"point", "line"}),
    ]
    assert made["attributes"][0]["values"] == ["tile", "metal"]

    page.get_by_test_id("guide-toggle").click()
    expect(page.get_by_test_id("guidelines").get_by_role("heading", name="Roofs")).to_be_visible()
    expect(page.get_by_test_id("guidelines")).to_contain_text("<b onclick=x>not bold</b>")
    page.get_by_role("button", name="Skip").click()
    editor.draw([(560, 420), (620, 420), (620, 470), (560, 480)])
    editor.saved()

    # A class gets another name, and its label goes with it; one that goes says what its labels become.
    expect(page.get_by_test_id("setup-open")).to_have_css("opacity", "1")
    page.get_by_test_id("setup-open").click()
    page.get_by_label("Name of class 1").fill("house")
    page.get_by_test_id("setup-save").click()
    editor.ready()
    assert [f["properties"]["class"] for f in editor.labels("house")] == ["house"]
    page.get_by_test_id("setup-open").click()
    page.get_by_role("group", name="Shapes of road").get_by_role("button", name="polygon").click()
    page.get_by_role("button", name="Take house out").click()
    expect(page.get_by_test_id("class-gone")).to_contain_text("house goes: its 1 label becomes")
    page.get_by_test_id("setup-save").click()
    editor.ready()
    assert len(editor.labels("road")) == 1
    assert editor.count("road") == "1"


def test_a_file_is_imported_and_a_dataset_is_seen_before_it_is_made(
    opening: Callable[..., Editor], data: Path, tmp_path: Path
) -> None:
    def make(workspace: geolabel.Workspace) -> None:
        scene = workspace.add_scene(data / SCENE)
        workspace.create_project("Kampala", scenes=[scene], classes=["building"])

    editor = opening(make)
    page = editor.page
    frame = geopandas.read_file(data / "pairs/kampala_rgb_buildings/buildings.geojson")[["geometry"]]
    frame["use"] = ["Building", None, "shed"] * (len(frame) // 3)
    file = tmp_path / "houses.gpkg"
    frame.to_crs("EPSG:32636").to_file(file)

    page.get_by_test_id("import-file").set_input_files(file)
    look = page.get_by_test_id("import-look")
    expect(look).to_contain_text(f"{len(frame)} features")
    expect(look).to_contain_text("EPSG:32636")
    expect(page.get_by_test_id("import-field")).to_contain_text("use")
    third = len(frame) // 3
    expect(page.get_by_test_id("import-value").filter(has_text="shed")).to_contain_text("New class")
    expect(page.get_by_test_id("import-start")).to_have_text(f"Import {2 * third} labels")
    prepare(page)
    assert serious_in_both_themes(page) == []
    page.get_by_test_id("import-start").click()
    report = page.get_by_test_id("import-report")
    expect(report).to_contain_text(f"{2 * third} labels imported")
    expect(report).to_contain_text("repaired: its outline crosses itself")
    assert serious_in_both_themes(page) == []
    editor.until(lambda: editor.count("building") == str(third))
    assert editor.count("shed") == str(third)
    assert {f["properties"]["source"] for f in editor.labels("shed")} == {"import:houses.gpkg"}
    page.get_by_role("button", name="Done").click()

    # What is no file of labels is refused in words.
    broken = tmp_path / "notes.json"
    broken.write_text("nothing", encoding="utf-8")
    page.get_by_test_id("import-file").set_input_files(broken)
    expect(page.get_by_role("alert")).to_contain_text("notes.json is not GeoJSON labels")
    assert serious(page) == []
    page.keyboard.press("Escape")

    # The counts follow the fields, and are what the server then makes.
    page.get_by_test_id("export").click()
    preview = page.get_by_test_id("export-preview")
    expect(preview).to_have_attribute("data-chips", "6")
    page.get_by_test_id("export-size").fill("128")
    expect(preview).to_have_attribute("data-chips", "96")
    page.get_by_test_id("export-split").fill("70/15/15")
    expect(preview).to_contain_text("No shared ground")
    expect(page.get_by_test_id("export-start")).to_have_text("Export 96 chips")
    page.get_by_test_id("export-size").fill("0")
    expect(page.get_by_test_id("export-panel")).to_contain_text("Size: expected a whole number")
    page.get_by_test_id("export-size").fill("512")
    expect(page.get_by_test_id("export-start")).to_have_text("Export 6 chips")
    expect(page.locator("[data-testid=export-panel] .chips img").first).to_be_visible()
    page.get_by_test_id("export-start").click()
    expect(page.get_by_test_id("export-job")).to_have_attribute("data-job-state", "done", timeout=60_000)
    expect(page.get_by_test_id("export-job")).to_contain_text("6 chips")
