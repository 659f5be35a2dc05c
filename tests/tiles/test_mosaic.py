"""Several scenes as one layer, pixel by pixel against what the scenes are alone."""

from __future__ import annotations

import os
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
import pytest
import rasterio
from affine import Affine
from fastapi import FastAPI
from fastapi.testclient import TestClient
from owslib.wmts import WebMapTileService
from PIL import Image

from tiles.app import FolderCatalogue, _tiles_error
from tiles.desk import Desk
from tiles.errors import TilesError, UnknownScene
from tiles.mosaic_router import create_mosaic_router
from tiles.mosaics import Entry
from tiles.router import create_router
from tiles.settings import TilesSettings
from tiles.standards import create_matrix_router
from tiles.times import read_interval

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Four scenes of 256 m in a row of web map tiles at zoom 15 of one pixel per cell, each half over the next.
CELL = 20037508.342789244 * 2 / 2**15 / 256
LEFT, TOP = 20037508.342789244 * 2 / 2**15 * 4, 20037508.342789244 * 2 / 2**15 * 4


def scene(path: Path, x: int, value: int, kind: str = "uint16", width: int = 256) -> None:
    """A scene of one value that begins `x` pixels into the tile, its first rows without data."""
    array = np.full((1, 256, width), value, kind)
    array[:, :16] = 0
    with rasterio.open(
        path, "w", driver="GTiff", count=1, width=width, height=256, dtype=kind, crs="EPSG:3857", nodata=0,
        transform=Affine(CELL, 0, LEFT + x * CELL, 0, -CELL, TOP),
    ) as out:  # fmt: skip
        out.write(array)


ENTRIES = {
    "all": [
        Entry("b", "2020-05-01T10:00:00Z"),
        Entry("a", "2018-07-16T06:06:23"),
        Entry("c", "2022-01-01T00:00:00Z"),
        Entry("d", None),
    ],
    "mixed": [Entry("a", None), Entry("byte", None)],
    "gone": [Entry("a", None), Entry("nothing", None)],
    "empty": [],
}
ADDRESS = f"15/{2**14 + 4}/{2**14 - 4}"


@pytest.fixture(scope="module")
def mosaic(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    folder = tmp_path_factory.mktemp("scenes")
    scene(folder / "a.tif", 0, 1000)
    scene(folder / "b.tif", 64, 2000, width=64)
    scene(folder / "c.tif", 96, 4000, width=64)
    scene(folder / "d.tif", 600, 9000)
    scene(folder / "byte.tif", 128, 200, "uint8")
    settings = TilesSettings()
    desk = Desk(FolderCatalogue([folder], settings), settings)

    def find(name: str) -> list[Entry]:
        if name not in ENTRIES:
            raise UnknownScene(f"There is no mosaic {name!r}.")
        return ENTRIES[name]

    app = FastAPI()
    app.add_exception_handler(TilesError, _tiles_error)
    app.include_router(create_router(desk), prefix="/scenes")
    app.include_router(create_matrix_router())
    app.include_router(create_mosaic_router(desk, find), prefix="/projects")
    with TestClient(app) as client:
        yield client


def values(client: TestClient, query: str, name: str = "all") -> tuple[np.ndarray, np.ndarray]:
    response = client.get(f"/projects/{name}/mosaic/tiles/WebMercatorQuad/{ADDRESS}.npy?{query}")
    assert response.status_code == 200, response.text
    data, mask = np.load(BytesIO(response.content))
    return data, mask > 0


A, B, C = np.arange(256) < 256, slice(64, 128), slice(96, 160)


def expected(*layers: tuple[slice, int]) -> np.ndarray:
    """The row that shows when layers lie over scene a, the last uppermost."""
    row = np.full(256, 1000)
    for part, value in layers:
        row[part] = value
    return row


@pytest.mark.parametrize(
    ("query", "row"),
    [
        # b, a, c: a covers all of the tile, and so c.
        ("", expected((B, 2000))),
        ("method=first", expected((B, 2000))),
        ("method=latest", expected((B, 2000), (C, 4000))),
        ("method=mean", expected((slice(64, 96), 1500), (slice(96, 128), 2333), (slice(128, 160), 2500))),
        ("datetime=../2021-01-01&method=latest", expected((B, 2000))),
        ("datetime=2018-07-16", expected()),
    ],
)  # fmt: skip
def test_each_pixel_is_that_of_the_method(mosaic: TestClient, query: str, row: np.ndarray) -> None:
    data, mask = values(mosaic, query)
    assert not mask[:16].any()
    assert mask[16:].all()
    assert (data[16:] == row).all()


def test_only_scenes_of_the_time_show(mosaic: TestClient) -> None:
    data, mask = values(mosaic, "datetime=2019-01-01/2020-12-31")
    assert (mask[16:] == (np.arange(256)[np.newaxis] // 64 == 1)).all()
    assert (data[mask] == 2000).all()
    nothing = mosaic.get(f"/projects/all/mosaic/tiles/WebMercatorQuad/{ADDRESS}.npy?datetime=2030-01-01/..")
    assert nothing.status_code == 404
    picture = mosaic.get(f"/projects/all/mosaic/tiles/WebMercatorQuad/{ADDRESS}.png?datetime=2030-01-01/..")
    assert not np.asarray(Image.open(BytesIO(picture.content)).convert("RGBA"))[..., 3].any()


def picture(client: TestClient, path: str) -> np.ndarray:
    response = client.get(path)
    assert response.status_code == 200, response.text
    return np.asarray(Image.open(BytesIO(response.content)).convert("RGBA"))


def test_a_picture_has_one_stretch_for_all(mosaic: TestClient) -> None:
    """From the darkest to the lightest of all scenes, whichever show: a date does not change the colors of another."""
    everything = picture(mosaic, f"/projects/all/mosaic/tiles/WebMercatorQuad/{ADDRESS}.png?method=latest")
    shown = {value: int(everything[100, column, 0]) for value, column in ((1000, 0), (2000, 70), (4000, 120))}
    assert 0 <= shown[1000] < shown[2000] < shown[4000] < 255  # d, beside the tile, is the lightest
    assert everything[0, 0, 3] == 0
    stretched = picture(
        mosaic, f"/projects/all/mosaic/tiles/WebMercatorQuad/{ADDRESS}.png?method=latest&rescale=0,4000"
    )
    assert stretched[100, 120, 0] == 255
    assert stretched[100, 70, 0] == 128
    large = picture(mosaic, f"/projects/all/mosaic/tiles/WebMercatorQuad/{ADDRESS}@2x.webp")
    assert large.shape == (512, 512, 4)


def test_scenes_of_different_types_show_together_but_have_no_mean(mosaic: TestClient) -> None:
    drawn = picture(mosaic, f"/projects/mixed/mosaic/tiles/WebMercatorQuad/{ADDRESS}.png?method=first")
    assert drawn[100, :, 3].all()
    for query in (".png?method=mean", ".npy", ".tif"):
        response = mosaic.get(f"/projects/mixed/mosaic/tiles/WebMercatorQuad/{ADDRESS}{query}")
        assert response.status_code == 400
        assert (
            "The values of scenes 'a' and 'byte' cannot be put together: their bands or types differ"
            in response.json()["detail"]
        )


def test_a_tif_of_a_mosaic_lies_where_the_tile_is(mosaic: TestClient) -> None:
    content = mosaic.get(f"/projects/all/mosaic/tiles/WebMercatorQuad/{ADDRESS}.tif?method=latest").content
    with rasterio.MemoryFile(content) as memory, memory.open() as tif:
        assert (tif.bounds.left, tif.bounds.top) == pytest.approx((LEFT, TOP))
        assert (tif.read(1)[100] == expected((B, 2000), (C, 4000))).all()
        assert tif.nodata == 0


def test_what_is_there_is_described(mosaic: TestClient) -> None:
    document = mosaic.get("/projects/all/mosaic").json()
    assert [one["id"] for one in document["scenes"]] == ["b", "a", "c", "d"]
    assert document["undated"] == ["d"]
    assert document["missing"] == []
    assert [(one["datetime"], one["scenes"]) for one in document["dates"]] == [("2018-07-16", ["a"]), ("2020-05-01", ["b"]), ("2022-01-01", ["c"])]  # fmt: skip
    tilejson = mosaic.get(document["dates"][1]["tilejson"]).json()
    assert tilejson["tiles"][0].endswith("{z}/{x}/{y}.webp?datetime=2020-05-01")
    assert mosaic.get(tilejson["tiles"][0].format(z=15, x=2**14 + 4, y=2**14 - 4)).status_code == 200
    whole = mosaic.get("/projects/all/mosaic/WebMercatorQuad/tilejson.json?method=mean").json()
    with_d = [LEFT / 111319.49079327358, (LEFT + 856 * CELL) / 111319.49079327358]
    assert [whole["bounds"][0], whole["bounds"][2]] == pytest.approx(with_d, rel=1e-6)
    assert whole["maxzoom"] == 15
    tilesets = mosaic.get("/projects/all/mosaic/tiles").json()["tilesets"]
    assert [one["tileMatrixSetId"] for one in tilesets] == ["WebMercatorQuad", "WorldCRS84Quad", "UTM31WGS84Quad"]
    tileset = mosaic.get(tilesets[0]["links"][0]["href"]).json()
    assert tileset["tileMatrixSetLimits"][-1] == {"tileMatrix": "15", "minTileRow": 16380, "maxTileRow": 16380, "minTileCol": 16388, "maxTileCol": 16391}  # fmt: skip


def test_a_scene_that_has_gone_leaves_the_others_their_place(mosaic: TestClient) -> None:
    data, mask = values(mosaic, "", "gone")
    assert (data[mask] == 1000).all()
    [missing] = mosaic.get("/projects/gone/mosaic").json()["missing"]
    assert (missing["id"], "There is no scene 'nothing'" in missing["why"]) == ("nothing", True)


def test_wmts_has_a_layer_for_each_date(mosaic: TestClient) -> None:
    capabilities = mosaic.get("/projects/all/mosaic/wmts.xml?method=latest&gamma=2")
    assert capabilities.headers["content-type"] == "application/xml"
    service = WebMapTileService("http://x/", xml=capabilities.content)
    assert [operation.name for operation in service.operations] == ["GetCapabilities", "GetTile"]
    assert list(service.contents) == ["all", "all@2018-07-16", "all@2020-05-01", "all@2022-01-01"]
    template = service.contents["all@2020-05-01"].resourceURLs[0]["template"]
    assert template.endswith("png?gamma=2&method=latest&datetime=2020-05-01")
    query = f"SERVICE=WMTS&REQUEST=GetTile&LAYER=all@2020-05-01&STYLE=default&FORMAT=image/tiff&TILEMATRIXSET=WebMercatorQuad&TILEMATRIX=15&TILECOL={2**14 + 4}&TILEROW={2**14 - 4}"
    ours = mosaic.get(f"/projects/all/mosaic/wmts?{query}")
    theirs = mosaic.get(f"/projects/all/mosaic/tiles/WebMercatorQuad/{ADDRESS}.tif?datetime=2020-05-01")
    assert ours.content == theirs.content


@pytest.mark.parametrize(
    ("path", "status", "sentence"),
    [
        ("nope/mosaic", 404, "There is no mosaic 'nope'"),
        (f"all/mosaic/tiles/WebMercatorQuad/{ADDRESS}.png?method=best", 400, "method cannot be used: expected one of first, latest, mean; got 'best'"),
        (f"all/mosaic/tiles/WebMercatorQuad/{ADDRESS}.png?datetime=yesterday", 400, "datetime cannot be used: expected a day, a moment or an interval"),
        (f"all/mosaic/tiles/WebMercatorQuad/{ADDRESS}.png?datetime=2020-01-02/2020-01-01", 400, "datetime cannot be used"),
        (f"all/mosaic/tiles/WebMercatorQuad/{ADDRESS}.png?preset=ndvi", 400, "does not say which band is nir"),
        (f"all/mosaic/tiles/WebMercatorQuad/{ADDRESS}.png?x=1", 400, "The parameter 'x' is not known here"),
        ("all/mosaic/tiles/native/0/0/0.png", 400, "A mosaic has no pixels of its own"),
        ("all/mosaic/tiles/WebMercatorQuad/1/9/0.png", 404, "has 2 columns and 2 rows at zoom 1"),
        ("all/mosaic/tiles/NZTM2000Quad", 404, "has no tileset 'NZTM2000Quad'; it has WebMercatorQuad"),
        ("empty/mosaic/WebMercatorQuad/tilejson.json", 422, "There is no scene here that has a place on the map"),
        ("all/mosaic/wmts?REQUEST=GetTile&LAYER=all@1999-01-01&TILEMATRIXSET=WebMercatorQuad&TILEMATRIX=0&TILECOL=0&TILEROW=0", 400, "LAYER cannot be used: expected one of all, all@2018-07-16"),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_of_a_mosaic(mosaic: TestClient, path: str, status: int, sentence: str) -> None:
    response = mosaic.get(f"/projects/{path}")
    assert (response.status_code, response.headers["content-type"]) == (status, "application/problem+json")
    assert sentence in response.json()["detail"]


def test_a_changed_scene_is_drawn_anew(tmp_path: Path) -> None:
    settings = TilesSettings()
    scene(tmp_path / "a.tif", 0, 1000)
    desk = Desk(FolderCatalogue([tmp_path], settings), settings)
    app = FastAPI()
    app.include_router(create_mosaic_router(desk, lambda _: [Entry("a", None)]), prefix="/projects")
    with TestClient(app) as client:
        first = values(client, "")[0]
        etag = client.get(f"/projects/all/mosaic/tiles/WebMercatorQuad/{ADDRESS}.npy").headers["etag"]
        scene(tmp_path / "a.tif", 0, 3000)
        os.utime(tmp_path / "a.tif", ns=(7, 7))
        assert (values(client, "")[0][16:] == 3000).all()
        assert (first[16:] == 1000).all()
        again = client.get(f"/projects/all/mosaic/tiles/WebMercatorQuad/{ADDRESS}.npy", headers={"If-None-Match": etag})
        assert again.status_code == 200


@pytest.mark.parametrize(
    ("interval", "moment", "inside"),
    [
        ("2020-05-01", "2020-05-01T23:59:59Z", True),
        ("2020-05-01", "2020-05-02T00:00:00+02:00", True),
        ("2020-05-01", "2020-05-02T00:00:00Z", False),
        ("2020-05-01T10:00:00Z", "2020-05-01T10:00:00", True),
        ("2020-01-01/2020-12-31", "2020-12-31T12:00:00Z", True),
        ("2020-01-01/..", "2019-12-31T12:00:00Z", False),
        ("/2020-01-01", "2019-12-31", True),
        ("../..", "2019-12-31", True),
        ("../..", None, False),
    ],
)
def test_intervals(interval: str, moment: str | None, *, inside: bool) -> None:
    assert read_interval(interval).holds(moment) is inside
