"""Scenes over HTTP: how they are saved to look, the layer of a project's scenes, and what standards are told."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
import pytest
import rasterio
from PIL import Image

from geolabel import workflows

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

ELKTON = "pairs/elkton_l8_uint16_landcover/l8_elkton_uint16.tif"
NAIP = "images/m_4709963_se_14_1_{}.tif"
TILES = "http://www.opengis.net/def/rel/ogc/1.0/tilesets-map"


def pixels(api, url: str) -> np.ndarray:
    return np.asarray(Image.open(BytesIO(api("GET", url).content)).convert("RGBA"))


@pytest.fixture
def dates(api, data: Path) -> None:
    """A project of two dates of one place."""
    store = api.app.state.store
    scenes = [
        workflows.add_scene(store, data / NAIP.format(day.replace("-", "")), datetime=f"{day}T12:00:00Z")
        for day in ("2010-06-29", "2018-07-16")
    ]
    workflows.create_project(store, "fields", scenes=[scene.id for scene in scenes], classes=["field"])


def test_a_saved_look_holds_where_a_request_says_nothing_else(api, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("geolabel.app._REMEMBERED_S", 0)
    workflows.add_scene(api.app.state.store, data / ELKTON)
    preview = "/api/scenes/l8_elkton_uint16/preview.png"
    plain, infrared = pixels(api, preview), pixels(api, f"{preview}?bidx=5,4,3&rescale=5000,20000")
    rendering = {"bidx": "5,4,3", "rescale": "5000,20000"}
    answer = api("PATCH", "/api/scenes/l8_elkton_uint16", json={"rendering": rendering}).json()
    assert answer["rendering"] == rendering
    assert api("GET", "/api/scenes/l8_elkton_uint16").json()["rendering"] == rendering
    assert (pixels(api, preview) == infrared).all()
    assert (pixels(api, f"{preview}?bidx=4,3,2") == plain).all()  # the saved stretch was that of the saved bands
    lighter = pixels(api, f"{preview}?gamma=2")
    assert lighter.mean() > infrared.mean()
    assert (lighter == pixels(api, f"{preview}?bidx=5,4,3&rescale=5000,20000&gamma=2")).all()
    native = "/api/scenes/l8_elkton_uint16/tiles/native/0/0/0"
    with rasterio.open(data / ELKTON) as dataset:
        values = np.load(BytesIO(api("GET", f"{native}.npy").content))
        assert (values[:3, :169, :186] == dataset.read((5, 4, 3))).all()
    api("PATCH", "/api/scenes/l8_elkton_uint16", json={"rendering": None})
    assert (pixels(api, preview) == plain).all()


def test_a_saved_look_stays_when_the_scene_is_registered_again(api, data: Path) -> None:
    store = api.app.state.store
    workflows.add_scene(store, data / ELKTON)
    workflows.update_scene(store, "l8_elkton_uint16", rendering={"gamma": "2"}, datetime="2020-05-01")
    assert workflows.add_scene(store, data / ELKTON).rendering == {"gamma": "2"}
    again = workflows.relink_scene(store, "l8_elkton_uint16", data / ELKTON)
    assert (again.rendering, again.datetime) == ({"gamma": "2"}, "2020-05-01T00:00:00Z")


@pytest.mark.parametrize(
    ("body", "status", "sentence"),
    [
        ({"rendering": {"bidx": "9"}}, 422, "bidx names a band that the raster does not have"),
        (
            {"rendering": {"colour": "red"}},
            422,
            "A rendering has no 'colour': expected any of bidx, expression, preset",
        ),
        ({"rendering": {"gamma": 2}}, 422, "string"),
        ({"datetime": "yesterday"}, 422, "The date 'yesterday' cannot be read"),
        ({"name": "x"}, 422, "name"),
    ],
)
def test_a_look_that_cannot_be_saved(api, body: dict, status: int, sentence: str) -> None:
    response = api("PATCH", "/api/scenes/atlanta_pan", status, json=body)
    assert sentence in response.text
    assert api("GET", "/api/scenes/atlanta_pan").json()["rendering"] == {}


def test_a_date_can_be_said_and_taken_back(api) -> None:
    assert (
        api("PATCH", "/api/scenes/atlanta_pan", json={"datetime": "2016-03-01"}).json()["datetime"]
        == "2016-03-01T00:00:00Z"
    )
    assert api("PATCH", "/api/scenes/atlanta_pan", json={"datetime": None}).json()["datetime"] is None


@pytest.mark.usefixtures("dates")
def test_the_scenes_of_a_project_are_one_layer_and_one_for_each_date(api) -> None:
    document = api("GET", "/api/projects/fields/mosaic").json()
    first, second = (one["id"] for one in document["scenes"])
    assert [one["datetime"] for one in document["dates"]] == ["2010-06-29", "2018-07-16"]
    tilejson = api("GET", document["dates"][1]["tilejson"]).json()
    lon, lat, zoom = tilejson["center"]
    zoom = tilejson["maxzoom"]
    [x], [y] = rasterio.warp.transform("OGC:CRS84", "EPSG:3857", [lon], [lat])
    half, n = 20037508.342789244, 2**zoom
    address = f"WebMercatorQuad/{zoom}/{int((x + half) / (2 * half) * n)}/{int((half - y) / (2 * half) * n)}.png"
    alone = [pixels(api, f"/api/scenes/{scene}/tiles/{address}") for scene in (first, second)]
    assert (alone[0] != alone[1]).any()
    assert alone[0][..., 3].all()
    mosaic = f"/api/projects/fields/mosaic/tiles/{address}"
    assert (pixels(api, mosaic) == alone[0]).all()
    assert (pixels(api, f"{mosaic}?method=latest") == alone[1]).all()
    assert (pixels(api, f"{mosaic}?datetime=2018-01-01/..") == alone[1]).all()
    mean = pixels(api, f"{mosaic}?method=mean").astype(float)
    assert abs(mean - (alone[0].astype(float) + alone[1]) / 2).max() <= 1
    missing = api("GET", "/api/projects/nope/mosaic", 404).json()
    assert missing["detail"] == "There is no project 'nope' in this workspace."


def test_the_landing_page_says_what_there_is(api) -> None:
    classes = api("GET", "/api/conformance").json()["conformsTo"]
    assert "http://www.opengis.net/spec/ogcapi-tiles-1/1.0/conf/core" in classes
    links = {link["rel"]: link["href"] for link in api("GET", "/api").json()["links"]}
    sets = api("GET", links["http://www.opengis.net/def/rel/ogc/1.0/tiling-schemes"]).json()["tileMatrixSets"]
    assert "WebMercatorQuad" in {one["id"] for one in sets}
    collection = api("GET", "/api/collections/kampala").json()
    tilesets = api("GET", next(link["href"] for link in collection["links"] if link["rel"] == TILES)).json()["tilesets"]
    assert [one["tileMatrixSetId"] for one in tilesets] == ["WebMercatorQuad", "WorldCRS84Quad", "UTM36WGS84Quad"]
    for path in ("/api/scenes/kampala_z19_rgb", "/api/projects/kampala/mosaic"):
        for link in api("GET", path).json()["links"]:
            api("GET", link["href"])


def test_a_scene_that_is_not_on_earth_has_its_own_tiles_only(api, data: Path) -> None:
    workflows.add_scene(api.app.state.store, data / "images/cog_hirise_mars.tif")
    links = {link["rel"]: link["href"] for link in api("GET", "/api/scenes/cog_hirise_mars").json()["links"]}
    document = api("GET", links["tilejson"]).json()
    assert pixels(api, document["tiles"][0].format(z=document["maxzoom"], x=1, y=1))[..., 3].any()
    [tileset] = api("GET", links[TILES]).json()["tilesets"]
    assert tileset["tileMatrixSetId"] == "native"


def test_gdal_opens_the_imagery_of_a_project(server: httpx.Client, data: Path) -> None:
    with (
        rasterio.open(
            f"WMTS:{server.base_url}/api/projects/kampala/mosaic/wmts.xml,layer=kampala,tilematrixset=WebMercatorQuad"
        ) as ours,
        rasterio.open(data / "pairs/kampala_rgb_buildings/kampala_z19_rgb.tif") as theirs,
    ):
        assert ours.crs == theirs.crs
        assert ours.bounds.left == pytest.approx(theirs.bounds.left, abs=theirs.res[0])
        window = ours.window(*theirs.bounds)
        seen = ours.read((1, 2, 3), window=window, out_shape=theirs.read().shape).astype(float)
        assert np.corrcoef(seen.ravel(), theirs.read().ravel())[0, 1] > 0.95
