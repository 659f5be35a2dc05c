"""WMTS and OGC API Tiles, as GDAL, OWSLib, morecantile and QGIS read them from a real server."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import morecantile
import numpy as np
import pytest
import rasterio
import uvicorn
from owslib.wmts import WebMapTileService

from tiles import matrix
from tiles.app import create_app
from tiles.settings import TilesSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastapi.testclient import TestClient

KAMPALA = "pairs/kampala_rgb_buildings/kampala_z20_rgb.tif"


@pytest.fixture(scope="module")
def server(data: Path) -> Iterator[str]:
    """The address of a server on a free port."""
    app = create_app(TilesSettings(paths=(data / "images", data / "pairs")))
    running = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error"))
    thread = threading.Thread(target=running.run)
    thread.start()
    while not running.started:
        assert thread.is_alive()
        time.sleep(0.01)
    yield f"http://127.0.0.1:{running.servers[0].sockets[0].getsockname()[1]}"
    running.should_exit = True
    thread.join()


def gdal(server: str, scene: str, tms: str) -> rasterio.DatasetReader:
    return rasterio.open(f"WMTS:{server}/scenes/{scene}/wmts.xml,layer={scene},tilematrixset={tms}")


def test_gdal_reads_the_pixels_of_the_file_from_the_native_set(server: str, data: Path) -> None:
    with gdal(server, "kampala_z20_rgb", "native") as ours, rasterio.open(data / KAMPALA) as theirs:
        assert ours.crs == theirs.crs
        assert tuple(ours.transform)[:6] == pytest.approx(tuple(theirs.transform)[:6], rel=1e-12)
        assert (ours.read()[:3] == theirs.read()).all()


def test_gdal_reads_a_raster_of_another_body_and_one_of_none(server: str, data: Path) -> None:
    """In the order of their pixels: x = column, y = -row."""
    for scene, name in (("cog_hirise_mars", "cog_hirise_mars.tif"), ("rotated", "rotated.tif")):
        with gdal(server, scene, "native") as ours, rasterio.open(data / "images" / name) as theirs:
            expected = theirs.read()
            assert tuple(ours.transform)[:6] == (1, 0, 0, 0, -1, 0)
            seen = ours.read()[: len(expected), : theirs.height, : theirs.width]
            assert (seen == expected).all(axis=0).mean() > 0.99


@pytest.mark.parametrize(
    ("scene", "tms", "crs"),
    [
        ("cog_gcps", "UTM43WGS84Quad", "EPSG:32643"),
        ("cog_dateline", "UTM60WGS84Quad", "EPSG:32660"),
        ("world-rgb", "WorldCRS84Quad", "OGC:CRS84"),
        ("rgb-byte", "WebMercatorQuad", "EPSG:3857"),
    ],
)
def test_gdal_reads_the_other_sets_where_they_are(server: str, data: Path, scene: str, tms: str, crs: str) -> None:
    with gdal(server, scene, tms) as ours:
        assert ours.crs == rasterio.CRS.from_string(crs)
        file = data / "images" / f"{scene.replace('-', '.').replace('rgb.byte', 'RGB.byte')}.tif"
        with rasterio.open(file) as dataset:
            points, gcp_crs = dataset.gcps
            box = (
                (min(p.x for p in points), min(p.y for p in points), max(p.x for p in points), max(p.y for p in points))
                if points
                else tuple(dataset.bounds)
            )
            expected = rasterio.warp.transform_bounds(gcp_crs or dataset.crs, crs, *box)
        pixels = 3 if not points else 40  # points are boxed here in degrees, a hull of their places
        assert tuple(ours.bounds) == pytest.approx(
            expected, abs=pixels * ours.res[0] + (expected[2] - expected[0]) * 0.05
        )
        seen = ours.read(4 if ours.count == 4 else 1, out_shape=(64, 64))
        assert (seen > 0).mean() > 0.4


def test_owslib_reads_capabilities_tiles_and_the_antimeridian(server: str) -> None:
    service = WebMapTileService(f"{server}/scenes/rgb-byte/wmts.xml")
    assert list(service.contents) == ["rgb-byte"]
    layer = service.contents["rgb-byte"]
    assert set(layer.formats) == {"image/png", "image/jpeg", "image/webp", "image/tiff"}
    named = ("WebMercatorQuad", "WorldCRS84Quad", "UTM18WGS84Quad")
    assert set(service.tilematrixsets) == {*named, *(f"{name}x2" for name in named), "native"}
    limits = layer.tilematrixsetlinks["WebMercatorQuad"].tilematrixlimits
    finest = max(limits, key=int)
    row, column = limits[finest].mintilerow, limits[finest].mintilecol
    found = {}
    for media in layer.formats:
        asked = {
            "layer": "rgb-byte",
            "tilematrixset": "WebMercatorQuad",
            "tilematrix": finest,
            "row": row,
            "column": column,
        }
        answer = service.gettile(**asked, format=media)
        found[media] = answer.read()
    assert found["image/png"][:4] == b"\x89PNG"
    assert found["image/jpeg"][:2] == b"\xff\xd8"
    assert found["image/webp"][8:12] == b"WEBP"
    assert found["image/tiff"][:2] == b"II"
    colored = WebMapTileService(f"{server}/scenes/rgb-byte/wmts.xml?gamma=2").contents["rgb-byte"]
    assert set(colored.formats) == {"image/png", "image/jpeg", "image/webp"}
    assert "gamma=2" in colored.resourceURLs[0]["template"]
    crossing = WebMapTileService(f"{server}/scenes/cog_dateline/wmts.xml").contents["cog_dateline"]
    limits = crossing.tilematrixsetlinks["WebMercatorQuad"].tilematrixlimits
    assert (limits["7"].mintilecol, limits["7"].maxtilecol) == (0, 127)


def test_tiles_of_512_pixels_are_sets_of_their_own(server: str, client: TestClient) -> None:
    """As GDAL and OWSLib find them; the pixels are those of `@2x`, and of the plain set a level further in."""
    layer = WebMapTileService(f"{server}/scenes/kampala_z20_rgb/wmts.xml")
    known = list(layer.contents["kampala_z20_rgb"].tilematrixsetlinks)
    assert known[-3:] == ["WebMercatorQuadx2", "WorldCRS84Quadx2", "UTM36WGS84Quadx2"]
    assert "native" in known[:-3]
    level = layer.tilematrixsets["WebMercatorQuadx2"].tilematrix["19"]
    plain = layer.tilematrixsets["WebMercatorQuad"].tilematrix["19"]
    assert (level.tilewidth, level.tileheight, level.matrixwidth) == (512, 512, plain.matrixwidth)
    assert level.scaledenominator == pytest.approx(plain.scaledenominator / 2)
    with gdal(server, "kampala_z20_rgb", "WebMercatorQuadx2") as ours, gdal(
        server, "kampala_z20_rgb", "WebMercatorQuad"
    ) as theirs:  # fmt: skip
        assert ours.res == pytest.approx(theirs.res)
        middle = rasterio.windows.Window(ours.width // 2 - 300, ours.height // 2 - 300, 600, 600)
        assert (ours.read(window=middle) == theirs.read(window=middle)).all()
    path = "/scenes/kampala_z20_rgb/tiles/WebMercatorQuad{}/19/309609/261632{}.png"
    assert client.get(path.format("x2", "")).content == client.get(path.format("", "@2x")).content
    document = client.get("/tileMatrixSets/WebMercatorQuadx2").json()
    assert morecantile.TileMatrixSet.model_validate(document).matrix(3).tileWidth == 512
    assert document["uri"].endswith("/tileMatrixSets/WebMercatorQuadx2")
    tilejson = client.get("/scenes/kampala_z20_rgb/WebMercatorQuadx2/tilejson.json").json()
    assert tilejson["maxzoom"] == 19
    for wrong in ("WebMercatorQuadx2x2", "x2", "nativex2"):
        refused = client.get(f"/scenes/kampala_z20_rgb/tiles/{wrong}/0/0/0.png")
        assert (refused.status_code, "is not served" in refused.json()["detail"]) == (400, True)


def test_requests_in_key_value_pairs_are_the_tiles_of_the_other_address(client: TestClient) -> None:
    z, x, y = 20, 619219, 523264
    query = f"SERVICE=WMTS&REQUEST=GetTile&VERSION=1.0.0&LAYER=kampala_z20_rgb&STYLE=default&TILEMATRIXSET=WebMercatorQuad&TILEMATRIX={z}&TILEROW={y}&TILECOL={x}"
    ours = client.get(f"/scenes/kampala_z20_rgb/wmts?{query}&FORMAT=image/png&bidx=3,2,1")
    assert ours.headers["content-type"] == "image/png"
    theirs = client.get(f"/scenes/kampala_z20_rgb/tiles/WebMercatorQuad/{z}/{x}/{y}.png?bidx=3,2,1")
    assert ours.content == theirs.content
    assert ours.headers["etag"] == theirs.headers["etag"]
    assert (
        client.get(f"/scenes/kampala_z20_rgb/wmts?{query}", headers={"If-None-Match": ours.headers["etag"]}).status_code
        == 200
    )
    again = client.get(
        f"/scenes/kampala_z20_rgb/wmts?{query}&bidx=3,2,1", headers={"If-None-Match": ours.headers["etag"]}
    )
    assert again.status_code == 304


def test_feature_info_gives_the_values_of_the_pixel(client: TestClient, data: Path) -> None:
    query = "service=WMTS&request=GetFeatureInfo&layer=kampala_z20_rgb&tilematrixset=native&tilematrix=3&tilerow=2&tilecol=1&i=10&j=20&infoformat=application/json"
    [feature] = client.get(f"/scenes/kampala_z20_rgb/wmts?{query}").json()["features"]
    with rasterio.open(data / KAMPALA) as dataset:
        expected = dataset.read(window=((532, 533), (266, 267)))[:, 0, 0].tolist()
    assert feature["properties"] == {
        "Band 1": expected[0],
        "Band 2": expected[1],
        "Band 3": expected[2],
        "column": 266,
        "row": 532,
    }


@pytest.mark.parametrize(
    ("query", "status", "sentence"),
    [
        ("REQUEST=GetMap", 400, "REQUEST cannot be used: expected GetCapabilities, GetTile or GetFeatureInfo; got 'GetMap'"),
        ("SERVICE=WFS&REQUEST=GetTile", 400, "SERVICE cannot be used: expected WMTS; got 'WFS'"),
        ("REQUEST=GetTile", 400, "LAYER is missing: expected LAYER, TILEMATRIXSET, TILEMATRIX, TILEROW, TILECOL"),
        ("REQUEST=GetTile&LAYER=x&TILEMATRIXSET=WebMercatorQuad&TILEMATRIX=0&TILEROW=0&TILECOL=0", 400, "LAYER cannot be used: expected osbs_029; got 'x'"),
        ("REQUEST=GetTile&LAYER=osbs_029&TILEMATRIXSET=No&TILEMATRIX=0&TILEROW=0&TILECOL=0", 400, "The tile matrix set 'No' is not served"),
        ("REQUEST=GetTile&LAYER=osbs_029&TILEMATRIXSET=native&TILEMATRIX=0&TILEROW=5&TILECOL=0", 404, "native has 1 columns and 1 rows at zoom 0"),
        ("REQUEST=GetTile&LAYER=osbs_029&TILEMATRIXSET=native&TILEMATRIX=a&TILEROW=0&TILECOL=0", 400, "TILEMATRIX cannot be used"),
        ("REQUEST=GetTile&LAYER=osbs_029&TILEMATRIXSET=native&TILEMATRIX=0&TILEROW=0&TILECOL=0&FORMAT=image/gif", 400, "FORMAT cannot be used: expected one of image/png"),
        ("REQUEST=GetFeatureInfo&LAYER=osbs_029&TILEMATRIXSET=native&TILEMATRIX=0&TILEROW=0&TILECOL=0&I=255&J=255", 404, "has 400 columns and 400 rows; there is no pixel at (511, 511)"),
        ("nope=1", 400, "The parameter 'nope' is not known here; expected those of WMTS 1.0.0"),
        ("bidx=9", 400, "bidx names a band that the raster does not have"),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_of_the_wmts(client: TestClient, query: str, status: int, sentence: str) -> None:
    response = client.get(f"/scenes/osbs_029/wmts?{query}")
    assert (response.status_code, response.headers["content-type"]) == (status, "application/problem+json")
    assert sentence in response.json()["detail"]


# OGC API Tiles.


def test_definitions_are_those_of_morecantile(client: TestClient) -> None:
    listed = client.get("/tileMatrixSets").json()["tileMatrixSets"]
    assert {one["id"] for one in listed} == set(morecantile.tms.list())
    for one in listed:
        document = client.get(one["links"][0]["href"]).json()
        ours = morecantile.TileMatrixSet.model_validate(document)
        theirs = morecantile.tms.get(one["id"])
        assert ours.crs._pyproj_crs == theirs.crs._pyproj_crs
        for z in (theirs.minzoom, theirs.maxzoom):
            assert tuple(ours.xy_bounds(0, 0, z)) == pytest.approx(tuple(theirs.xy_bounds(0, 0, z)), rel=1e-9)
    utm = morecantile.TileMatrixSet.model_validate(client.get("/tileMatrixSets/UTM33WGS84Quad").json())
    assert utm.crs._pyproj_crs.to_epsg() == 32633
    missing = client.get("/tileMatrixSets/Nope")
    assert (missing.status_code, "'Nope' is not served" in missing.json()["detail"]) == (404, True)


def test_the_native_set_is_one_that_others_can_read(client: TestClient, data: Path) -> None:
    document = client.get("/scenes/kampala_z20_rgb/tileMatrixSets/native").json()
    own = morecantile.TileMatrixSet.model_validate(document)
    with rasterio.open(data / KAMPALA) as dataset:
        assert tuple(own.xy_bounds(0, 0, own.maxzoom)) == pytest.approx(
            tuple(dataset.window_bounds(rasterio.windows.Window(0, 0, 256, 256))), rel=1e-12
        )
    pixels = client.get("/scenes/rotated/tileMatrixSets/native").json()
    assert pixels["orderedAxes"] == ["x", "y"]
    assert "x = column, y = -row" in json.dumps(pixels["crs"])


@pytest.mark.parametrize("scene", ["kampala_z20_rgb", "cog_dateline", "cog_gcps", "world-rgb", "cog_hirise_mars"])
def test_every_tileset_leads_to_tiles_that_show_something(client: TestClient, scene: str) -> None:
    listed = client.get(f"/scenes/{scene}/tiles").json()["tilesets"]
    assert [one["tileMatrixSetId"] for one in listed][-1] == "native"
    for one in listed:
        links = {link["rel"]: link["href"] for link in one["links"]}
        document = client.get(links["self"]).json()
        assert document["tileMatrixSetURI"] == one["tileMatrixSetURI"]
        scheme = client.get(links["http://www.opengis.net/def/rel/ogc/1.0/tiling-scheme"]).json()
        assert scheme["id"] == one["tileMatrixSetId"]
        limits = document["tileMatrixSetLimits"][-1]
        template = next(
            link["href"] for link in document["links"] if link["rel"] == "item" and link["type"] == "image/png"
        )
        sizes = set()
        for row in {limits["minTileRow"], (limits["minTileRow"] + limits["maxTileRow"]) // 2}:
            for column in {
                limits["minTileCol"],
                (limits["minTileCol"] + limits["maxTileCol"]) // 2,
                limits["maxTileCol"],
            }:
                url = template.format(tileMatrix=limits["tileMatrix"], tileRow=row, tileCol=column)
                response = client.get(url)
                assert response.status_code == 200
                sizes.add(len(response.content))
        assert max(sizes) > 1000, (scene, one["tileMatrixSetId"])


def test_a_tileset_that_a_scene_does_not_have(client: TestClient) -> None:
    response = client.get("/scenes/kampala_z20_rgb/tiles/UPSArcticWGS84Quad")
    assert response.status_code == 404
    assert (
        "has no tileset 'UPSArcticWGS84Quad' of its own; it has WebMercatorQuad, WorldCRS84Quad, UTM36WGS84Quad, native"
        in response.json()["detail"]
    )
    assert client.get("/scenes/kampala_z20_rgb/tiles/Nope").status_code == 404


def test_no_tile_that_shows_something_lies_outside_the_limits(client: TestClient) -> None:
    """All tiles of a level of a small set, for a raster across the antimeridian and one around the pole's side of the world."""
    for scene, tms in (
        ("cog_dateline", "WebMercatorQuad"),
        ("cog_dateline", "UTM60WGS84Quad"),
        ("world-rgb", "WorldCRS84Quad"),
    ):
        document = client.get(f"/scenes/{scene}/tiles/{tms}").json()
        limits = (
            next(one for one in document["tileMatrixSetLimits"] if int(one["tileMatrix"]) >= 4)
            if tms == "WebMercatorQuad"
            else document["tileMatrixSetLimits"][0]
        )
        z = int(limits["tileMatrix"])
        level = matrix.find(tms).level(z)
        empty = client.get(f"/scenes/{scene}/tiles/{tms}/{matrix.find(tms).maxzoom}/0/0.png").content
        assert level.columns * level.rows <= 1024
        shown = []
        for x in range(level.columns):
            for y in range(level.rows):
                content = client.get(f"/scenes/{scene}/tiles/{tms}/{z}/{x}/{y}.png").content
                if content != empty and len(content) != len(empty):
                    shown.append((x, y))
        columns, rows = np.array(shown).T
        assert limits["minTileCol"] <= columns.min()
        assert columns.max() <= limits["maxTileCol"]
        assert limits["minTileRow"] <= rows.min()
        assert rows.max() <= limits["maxTileRow"]


QGIS = """
import os, sys
os.environ["QT_QPA_PLATFORM"] = "offscreen"
from qgis.PyQt.QtCore import QSize
from qgis.core import QgsApplication, QgsMapRendererSequentialJob, QgsMapSettings, QgsRasterLayer
app = QgsApplication([], False)
app.initQgis()
server, scene, tms, crs, out = sys.argv[1:]
uri = f"url={server}/scenes/{scene}/wmts.xml&layers={scene}&styles=default&format=image/png&tileMatrixSet={tms}&crs={crs}"
layer = QgsRasterLayer(uri, scene, "wms")
assert layer.isValid() and layer.crs().authid() == crs, (layer.isValid(), layer.crs().authid())
settings = QgsMapSettings()
settings.setLayers([layer])
settings.setDestinationCrs(layer.crs())
settings.setExtent(layer.extent())
settings.setOutputSize(QSize(384, 256))
job = QgsMapRendererSequentialJob(settings)
job.start()
job.waitForFinished()
job.renderedImage().save(out)
app.exitQgis()
"""


@pytest.mark.soak
@pytest.mark.parametrize("tms", ["native", "WebMercatorQuad"])
def test_qgis_draws_a_scene(server: str, data: Path, tmp_path: Path, tms: str) -> None:
    assert Path("/usr/bin/qgis").exists() or Path("/usr/lib/python3/dist-packages/qgis").exists(), (
        "install python3-qgis"
    )
    out = tmp_path / "map.png"
    subprocess.run(
        ["/usr/bin/python3", "-c", QGIS, server, "kampala_z20_rgb", tms, "EPSG:3857", out],
        check=True, capture_output=True, timeout=240,
    )  # fmt: skip
    with rasterio.open(out) as drawn, rasterio.open(data / KAMPALA) as dataset:
        ours, theirs = drawn.read((1, 2, 3)).astype(float), dataset.read(out_shape=(3, 256, 384)).astype(float)
    assert np.corrcoef(ours.ravel(), theirs.ravel())[0, 1] > 0.85
