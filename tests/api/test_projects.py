from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import rasterio
from PIL import Image

from geolabel import workflows

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import Api

NEW = {"title": "Land use", "scenes": ["atlanta_pan"], "classes": ["forest", {"name": "field", "color": "#00ff00"}]}


def test_a_project_from_its_making_to_its_end(api: Api) -> None:
    made = api("POST", "/api/projects", 201, json=NEW)
    project = made.json()
    at = made.headers["Location"]
    assert at.endswith(f"/api/projects/{project['id']}")
    assert project["title"] == "Land use"
    assert project["crs"] == "EPSG:32616"
    assert [c["name"] for c in project["classes"]] == ["forest", "field"]
    assert project["classes"][1]["color"] == "#00ff00"
    assert project["counts"] == {"forest": 0, "field": 0}

    api.add(project["id"], api.square(-84.48, 33.638), **{"class": "forest"})
    assert api("GET", at).json()["counts"] == {"forest": 1, "field": 0}
    classes = [*project["classes"], "water"]
    patch = {"title": "Ground", "unlabelled": "ignore", "scenes": [], "classes": classes}
    changed = api("PATCH", at, json=patch).json()
    assert changed["title"] == "Ground"
    assert changed["unlabelled"] == "ignore"
    assert changed["on_invalid"] == "reject"
    assert changed["scenes"] == []
    assert changed["counts"] == {"forest": 1, "field": 0, "water": 0}
    assert api("PATCH", at, json={"on_invalid": "repair"}).json()["on_invalid"] == "repair"
    refused = api("PATCH", at, 422, json={"classes": ["water"]}).json()
    assert "1" in refused["detail"]
    assert "forest" in refused["detail"]

    api("DELETE", at, 204)
    api("GET", at, 404)
    api("DELETE", at, 404)
    assert project["id"] not in {p["id"] for p in api("GET", "/api/projects").json()["projects"]}


def test_a_project_without_a_scene_names_its_crs_and_its_rules(api: Api) -> None:
    new = {"title": "Anywhere", "classes": ["any"], "crs": "EPSG:3031", "on_invalid": "repair", "unlabelled": "ignore"}
    made = api("POST", "/api/projects", 201, json=new).json()
    assert [made[name] for name in ("scenes", "crs", "on_invalid", "unlabelled")] == [
        [],
        "EPSG:3031",
        "repair",
        "ignore",
    ]
    bow_tie = {"type": "Polygon", "coordinates": [[[0, -80], [1, -79], [1, -80], [0, -79], [0, -80]]]}
    assert api.add("anywhere", bow_tie, **{"class": "any"}).json()["warnings"][0].startswith("Repaired")


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        ({"title": None}, 422, "title"),
        ({"title": ""}, 422, "at least 1"),
        ({"title": 5}, 422, "string"),
        ({"name": "Another"}, 422, "one of them"),
        ({"scenes": []}, 422, "name a scene, or a CRS"),
        ({"scenes": ["atlanta_pan", "nowhere"]}, 422, "/scenes/1"),
        ({"on_invalid": "mend"}, 422, "on_invalid"),
        ({"unlabelled": None}, 422, "unlabelled"),
        ({"scenes": "atlanta_pan"}, 422, "array"),
        ({"classes": []}, 422, "at least 1"),
        ({"classes": ["a", "a"]}, 422, "more than once"),
        ({"classes": [{"name": "a", "colour": "red"}]}, 422, "colour"),
        ({"classes": [{"name": "a", "color": "red"}]}, 422, "#rrggbb"),
        ({"classes": [{"name": "a", "id": 0}]}, 422, "1 to 65534"),
        ({"classes": [{"name": "a", "parent": "b"}]}, 422, "parent"),
        ({"classes": [{"name": "a", "geometries": ["cube"]}]}, 422, "cube"),
        ({"classes": [{"name": " a "}]}, 422, "space"),
        ({"classes": [7]}, 422, "7"),
        ({"crs": "EPSG:99999999"}, 422, "EPSG:99999999"),
        ({"crs": "nonsense"}, 422, "nonsense"),
        ({"colour": "red"}, 422, "colour"),
    ],
)
def test_a_project_that_cannot_be(api: Api, change: dict[str, Any], status: int, words: str) -> None:
    before = api("GET", "/api/projects").json()
    refused = api("POST", "/api/projects", status, json={**NEW, **change}).json()
    assert words in str(refused)
    assert api("GET", "/api/projects").json() == before


def test_a_name_that_is_taken(api: Api) -> None:
    api("POST", "/api/projects", 409, json={**NEW, "title": "Atlanta"})


@pytest.mark.parametrize(
    "patch",
    [
        {"crs": "EPSG:4326"},
        {"id": "x"},
        {"on_invalid": "ask"},
        {"title": None},
        [],
        {"scenes": [1]},
        {"scenes": ["nowhere"]},
    ],
)
def test_a_project_patch_that_cannot_be_used(api: Api, patch: Any) -> None:
    before = api("GET", "/api/projects/atlanta").json()
    assert api("PATCH", "/api/projects/atlanta", 422, json=patch).json()["errors"]
    assert api("GET", "/api/projects/atlanta").json() == before


def test_a_scene_is_registered_only_under_a_root(
    workspace: Path, start: Callable[..., Api], data: Path, tmp_path: Path
) -> None:
    raster = data / "images" / "RGB.byte.tif"
    api = start(workspace)
    assert "GEOLABEL_IMAGERY_ROOTS" in api("POST", "/api/scenes", 403, json={"href": str(raster)}).json()["detail"]

    roots = (data / "images", tmp_path / "roots")
    (tmp_path / "roots").mkdir()
    (tmp_path / "roots" / "link.tif").symlink_to(data / "pairs/osbs_rgb_treeboxes/OSBS_029.tif")
    (tmp_path / "roots" / "loop.tif").symlink_to(tmp_path / "roots" / "loop.tif")
    api = start(workspace, imagery_roots=roots)
    made = api("POST", "/api/scenes", 201, json={"href": str(raster), "project": "atlanta", "datetime": "2018-10-13"})
    scene = made.json()
    assert made.headers["Location"].endswith(f"/api/scenes/{scene['id']}")
    assert scene["datetime"] == "2018-10-13T00:00:00Z"
    assert scene["id"] in api("GET", "/api/projects/atlanta").json()["scenes"]
    for href in (
        str(data / "pairs/osbs_rgb_treeboxes/OSBS_029.tif"),
        f"{data}/images/../pairs/osbs_rgb_treeboxes/OSBS_029.tif",
        str(tmp_path / "roots" / "link.tif"),
        str(tmp_path / "roots" / "loop.tif"),
        f"{data}/images-other/x.tif",
        "RGB.byte.tif",
        "../images/RGB.byte.tif",
        "/vsicurl/http://127.0.0.1/x.tif",
        f"/vsizip/{raster}",
        f"//{raster}",
        f"file://{raster}",
        "http://169.254.169.254/latest",
        "<VRTDataset/>",
        "/etc/passwd",
        "/" + "x" * 4000,
        "/a\nb",
        "~/x.tif",
    ):
        refused = api("POST", "/api/scenes", 403, json={"href": href}).json()
        assert "geolabel scene add" in refused["detail"]
    for body, status in (
        ({"href": str(data / "images" / "corrupt.tif")}, 422),
        ({"href": str(data / "images" / "nothing.tif")}, 422),
        ({"href": str(data / "images")}, 422),
        ({"href": str(raster), "project": "nowhere"}, 422),
        ({"href": str(raster), "datetime": "yesterday"}, 422),
        ({"href": ""}, 422),
        ({"href": 7}, 422),
        ({}, 422),
        ({"href": str(raster), "url": "x"}, 422),
    ):
        api("POST", "/api/scenes", status, json=body)


def test_scenes_and_their_tiles(api: Api) -> None:
    scenes = api("GET", "/api/scenes").json()["scenes"]
    assert {s["id"] for s in scenes} == {"atlanta_pan", "kampala_z19_rgb", "3420b_2010_328_rgb_latlng"}
    listed = next(s for s in scenes if s["id"] == "kampala_z19_rgb")
    one = api("GET", "/api/scenes/kampala_z19_rgb").json()
    assert {name: one[name] for name in listed} == listed

    tilejson = api("GET", "/api/scenes/kampala_z19_rgb/WebMercatorQuad/tilejson.json").json()
    assert tilejson["tiles"][0].startswith("http://127.0.0.1:8000/api/scenes/kampala_z19_rgb/tiles/WebMercatorQuad/")
    west, south, east, north = tilejson["bounds"]
    z = 17
    x = int(((west + east) / 2 + 180) / 360 * 2**z)
    y = int((1 - np.arcsinh(np.tan(np.radians((south + north) / 2))) / np.pi) / 2 * 2**z)
    tile = api("GET", f"/api/scenes/kampala_z19_rgb/tiles/WebMercatorQuad/{z}/{x}/{y}.png")
    assert tile.headers["Content-Type"] == "image/png"
    pixels = np.array(Image.open(io.BytesIO(tile.content)))
    assert pixels.shape[:2] == (256, 256)
    assert pixels[..., :3].std() > 10
    assert api("GET", "/api/scenes/kampala_z19_rgb/preview.jpg?max_size=64").headers["Content-Type"] == "image/jpeg"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("nowhere/tiles/WebMercatorQuad/0/0/0.png", 404),
        ("atlanta_pan/tiles/WebMercatorQuad/1/2/0.png", 404),
        ("atlanta_pan/tiles/Nothing/0/0/0.png", None),
        ("atlanta_pan/tiles/WebMercatorQuad/a/b/c.png", 400),
        ("atlanta_pan/tiles/WebMercatorQuad/0/0/0.bmp", 400),
        ("atlanta_pan/tiles/WebMercatorQuad/0/0/0.png?bidx=9", 400),
        ("atlanta_pan/tiles/WebMercatorQuad/0/0/0.png?url=/etc/passwd", 400),
    ],
)
def test_tiles_refuse_with_problems_too(api: Api, path: str, status: int | None) -> None:
    refused = api.client.get(f"/api/scenes/{path}")
    assert refused.status_code in ({status} if status else {400, 404})
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert refused.json()["detail"].endswith(".")


def test_a_title_that_nobody_can_read_is_refused(api: Api) -> None:
    for title in ("   ", "two\nlines"):
        assert "printable text" in api("PATCH", "/api/projects/atlanta", 422, json={"title": title}).json()["detail"]
        api("POST", "/api/projects", 422, json={**NEW, "title": title})
    assert api("PATCH", "/api/projects/atlanta", json={"title": " Ground "}).json()["title"] == "Ground"


def test_tiles_show_the_file_as_it_is(api: Api, tmp_path: Path) -> None:
    picture = tmp_path / "scene.tif"
    place = {"crs": "EPSG:3857", "transform": rasterio.Affine(1, 0, 0, 0, -1, 64)}

    def write(value: int) -> None:
        with rasterio.open(picture, "w", driver="GTiff", width=64, height=64, count=1, dtype="uint8", **place) as file:
            file.write(np.full((1, 64, 64), value, "uint8"))

    write(100)
    workflows.add_scene(api.app.state.store, picture)
    at = "/api/scenes/scene/preview.png"
    before = api("GET", at)
    write(200)
    after = api("GET", at, headers={"If-None-Match": before.headers["ETag"]})
    assert [np.asarray(Image.open(io.BytesIO(r.content))).max() for r in (before, after)] == [100, 200]
    picture.unlink()
    assert "cannot be found" in api("GET", at, 404).json()["detail"]
