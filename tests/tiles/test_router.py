"""Over HTTP, on the shared rasters, as a map client asks."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
import pytest
import rasterio
import rasterio.warp
from fastapi import FastAPI
from fastapi.testclient import TestClient
from PIL import Image

import tiles
from tiles import pictures, sources
from tiles.app import FolderCatalogue, create_app
from tiles.errors import SourceNotFound, TilesError, UnknownScene
from tiles.router import STATUS, create_router
from tiles.settings import TilesSettings
from tiles.style import PARAMETERS, Style

if TYPE_CHECKING:
    from pathlib import Path

PLACED = [
    "rgb-byte", "cog_cmap", "cog_dateline", "cog_nodata_nan", "cog_rgb_mask", "cog_rgba", "landsat7_1999_8band_int16",
    "landsat7_2002_8band_int16", "m_4709963_se_14_1_20100629", "m_4709963_se_14_1_20180716", "mosaic_cog1", "pix4d_alpha_nodata",
    "world-rgb", "atlanta_pan", "s2b_20181013_b2348_uint8", "l8_elkton_pan15m", "l8_elkton_uint16", "labels_raster",
    "cog_gcps", "kampala_z19_rgb", "kampala_z20_rgb", "osbs_029", "3420b_2010_328_rgb_latlng",
]  # fmt: skip
UNPLACED = ["cog_hirise_mars", "rotated"]


def image(response) -> np.ndarray:
    assert response.status_code == 200, response.text
    return np.asarray(Image.open(BytesIO(response.content)).convert("RGBA"))


def center_tile(client: TestClient, scene: str) -> str:
    """URL of the tile at the center that the TileJSON gives, without its ending."""
    document = client.get(f"/scenes/{scene}/WebMercatorQuad/tilejson.json").json()
    lon, lat, z = document["center"]
    x, y = rasterio.warp.transform("EPSG:4326", "EPSG:3857", [lon], [lat])
    half, n = 20037508.342789244, 2**z
    column, row = int((x[0] + half) / (2 * half) * n), int((half - y[0]) / (2 * half) * n)
    return f"/scenes/{scene}/tiles/WebMercatorQuad/{z}/{column}/{row}"


@pytest.mark.parametrize("scene", PLACED)
def test_every_placed_raster_shows_and_ends(client: TestClient, scene: str) -> None:
    url = center_tile(client, scene)
    shown = image(client.get(f"{url}.png"))
    assert shown.shape == (256, 256, 4)
    assert shown[..., 3].any()
    large = image(client.get(f"{url}@2x.webp"))
    assert large.shape == (512, 512, 4)
    jpg = client.get(f"{url}.jpg")
    assert jpg.headers["content-type"] == "image/jpeg"
    assert image(jpg).shape == (256, 256, 4)
    preview = image(client.get(f"/scenes/{scene}/preview.png?max_size=100"))
    assert max(preview.shape[:2]) == 100


@pytest.mark.parametrize("scene", UNPLACED)
def test_a_raster_without_a_place_has_a_preview_and_a_sentence(client: TestClient, scene: str) -> None:
    for path in ("tiles/WebMercatorQuad/0/0/0.png", "WebMercatorQuad/tilejson.json"):
        response = client.get(f"/scenes/{scene}/{path}")
        assert response.status_code == 422
        assert response.headers["content-type"] == "application/problem+json"
        assert "has no place" in response.json()["detail"]
    assert image(client.get(f"/scenes/{scene}/preview.webp")).any()
    document = client.get(f"/scenes/{scene}/native/tilejson.json").json()
    assert "bounds" not in document
    assert image(client.get(document["tiles"][0].format(z=0, x=0, y=0).replace("http://testserver", ""))).any()


def test_transparency_follows_mask_alpha_and_nodata(client: TestClient, data: Path) -> None:
    """Against GDAL's own nearest warp of the file's mask onto the tile, away from where the mask changes."""
    for scene, name in (
        ("cog_rgb_mask", "cog_rgb_mask"),
        ("cog_rgba", "cog_rgba"),
        ("rgb-byte", "RGB.byte"),
        ("pix4d_alpha_nodata", "pix4d_alpha_nodata"),
    ):
        url = center_tile(client, scene)
        z, x, y = map(int, url.split("/")[-3:])
        shown = image(client.get(f"{url}.png"))[..., 3] > 127
        side = 2 * 20037508.342789244 / 2**z
        with rasterio.open(data / f"images/{name}.tif") as source:
            target = np.zeros((256, 256), np.uint8)
            rasterio.warp.reproject(
                source.dataset_mask(), target, src_transform=source.transform, src_crs=source.crs, dst_crs="EPSG:3857",
                dst_transform=rasterio.Affine(side / 256, 0, x * side - 20037508.342789244, 0, -side / 256, 20037508.342789244 - y * side),
            )  # fmt: skip
        expected = target > 0
        padded = np.pad(expected, 2, mode="edge")
        around = np.stack([padded[i : i + 256, j : j + 256] for i in range(5) for j in range(5)])
        settled = around.all(axis=0) | ~around.any(axis=0)
        assert settled.mean() > 0.5, scene
        assert 0 < expected[settled].mean() < 1, scene
        assert (shown[settled] == expected[settled]).all(), scene


def test_16_bit_is_stretched_between_its_percentiles(client: TestClient, data: Path) -> None:
    with rasterio.open(data / "pairs/atlanta_pan16_buildings/atlanta_pan.tif") as source:
        low, high = np.percentile(source.read(1), [2, 98])
    url = center_tile(client, "atlanta_pan")
    automatic = image(client.get(f"{url}.png"))
    asked = image(client.get(f"{url}.png?rescale={low},{high}"))
    assert abs(automatic.astype(int) - asked).max() <= 1
    shown = automatic[automatic[..., 3] > 0][:, 0]
    assert 0.005 < (shown == 0).mean() < 0.06
    assert 0.005 < (shown == 255).mean() < 0.06
    # The whole range of the type is nearly black: what the stretch is for.
    assert image(client.get(f"{url}.png?rescale=0,65535"))[..., 0].max() < 40


def test_bands_and_order(client: TestClient) -> None:
    url = center_tile(client, "kampala_z20_rgb")
    rgb, bgr = image(client.get(f"{url}.png")), image(client.get(f"{url}.png?bidx=3,2,1"))
    assert (rgb[..., [2, 1, 0, 3]] == bgr).all()
    green = image(client.get(f"{url}.png?bidx=2"))
    assert (green[..., 0] == rgb[..., 1]).all()
    assert (green[..., 0] == green[..., 2]).all()


def test_a_palette_shows_its_colors(client: TestClient, data: Path) -> None:
    with rasterio.open(data / "images/cog_cmap.tif") as source:
        colors = {tuple(color) for color in source.colormap(1).values()}
    shown = image(client.get(f"{center_tile(client, 'cog_cmap')}.png"))
    seen = {tuple(int(v) for v in color) for color in np.unique(shown.reshape(-1, 4), axis=0)}
    assert len(seen) > 2
    assert seen <= colors | {(0, 0, 0, 0)}


def test_native_tiles_are_the_tiles_that_the_raster_was_made_of(client: TestClient, data: Path) -> None:
    """Kampala was put together from web map tiles: at their zoom it gives their pixels back."""
    folder = data / "pairs/kampala_rgb_buildings/source_tiles"
    name = next(folder.glob("OAM-*-20.png"))
    _, x, y, _ = name.stem.split("-")
    got = image(client.get(f"/scenes/kampala_z20_rgb/tiles/WebMercatorQuad/20/{x}/{y}.png"))
    assert (got[..., :3] == np.asarray(Image.open(name).convert("RGB"))).all()


def test_the_dateline_scene_shows_on_both_sides(client: TestClient) -> None:
    east = image(client.get("/scenes/cog_dateline/tiles/WebMercatorQuad/7/0/42.png"))[..., 3] > 0
    west = image(client.get("/scenes/cog_dateline/tiles/WebMercatorQuad/7/127/42.png"))[..., 3] > 0
    # The two halves meet at 180 degrees without a seam.
    assert east[:, 0].sum() > 100
    assert abs(int(east[:, 0].sum()) - int(west[:, -1].sum())) <= 1
    assert not east[:, -1].any()
    assert not west[:, 0].any()
    world = image(client.get("/scenes/cog_dateline/tiles/WebMercatorQuad/0/0/0@2x.png"))[..., 3] > 0
    assert set(np.flatnonzero(world.any(axis=0))) <= {0, 1, 2, 509, 510, 511}
    assert {0, 511} <= set(np.flatnonzero(world.any(axis=0)))


def test_an_unchanged_tile_is_not_sent_again(client: TestClient) -> None:
    url = center_tile(client, "kampala_z20_rgb") + ".png"
    first = client.get(url)
    etag = first.headers["etag"]
    assert etag.startswith('"')
    assert first.headers["cache-control"] == "private, no-cache"
    again = client.get(url, headers={"If-None-Match": f'"other", {etag}'})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
    assert client.get(url, headers={"If-None-Match": '"other"'}).status_code == 200
    others = {
        client.get(other).headers["etag"]
        for other in (
            f"{url}?bidx=1",
            f"{url}?rescale=0,9",
            url.replace(".png", ".webp"),
            url.replace(".png", "@2x.png"),
        )
    }
    assert len(others | {etag}) == 5


def test_a_changed_file_is_another_tile(data: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    shutil.copyfile(data / "pairs/kampala_rgb_buildings/kampala_z20_rgb.tif", path)
    client = TestClient(create_app(TilesSettings(paths=(path,))))
    url = center_tile(client, "a") + ".png"
    first = client.get(url)
    with rasterio.open(path, "r+") as dataset:
        dataset.write(255 - dataset.read())
    second = client.get(url, headers={"If-None-Match": first.headers["etag"]})
    assert second.status_code == 200
    assert second.headers["etag"] != first.headers["etag"]
    before, after = image(first).astype(int), image(second).astype(int)
    shown = before[..., 3] == 255
    assert abs(after[shown][:, :3] - (255 - before[shown][:, :3])).max() <= 1


@pytest.mark.parametrize(
    ("path", "status", "sentence"),
    [
        ("kampala_z20_rgb/tiles/WebMercatorQuad/3/8/0.png", 404, "WebMercatorQuad has 8 columns and 8 rows at zoom 3, got x=8, y=0."),
        ("kampala_z20_rgb/tiles/WebMercatorQuad/25/0/0.png", 404, "WebMercatorQuad has the zoom levels 0 to 24, got 25."),
        ("kampala_z20_rgb/tiles/WebMercatorQuad/0/0/-1.png", 400, "y cannot be used: expected a whole number of at most 10 digits; got '-1'."),
        ("kampala_z20_rgb/tiles/WebMercatorQuad/0/1.5/0.png", 400, "x cannot be used"),
        ("kampala_z20_rgb/tiles/WebMercatorQuad/99999999999/0/0.png", 400, "z cannot be used"),
        ("kampala_z20_rgb/tiles/WebMercatorQuad/0/0/0@3x.png", 400, "y cannot be used"),
        ("kampala_z20_rgb/tiles/Nope/0/0/0.png", 400, "The tile matrix set 'Nope' is not served; expected native, WebMercatorQuad, WorldCRS84Quad,"),
        ("kampala_z20_rgb/Nope/tilejson.json", 400, "The tile matrix set 'Nope' is not served"),
        ("kampala_z20_rgb/tiles/WebMercatorQuad/0/0/0.gif", 400, "The format 'gif' is not served; expected one of png, jpg, webp, tif, npy."),
        ("kampala_z20_rgb/preview.tif", 400, "The format 'tif' is not served"),
        ("kampala_z20_rgb/preview.png?max_size=0", 400, "max_size cannot be used: expected 1 to 2048 pixels; got 0."),
        ("kampala_z20_rgb/preview.png?max_size=100000", 400, "expected 1 to 2048 pixels; got 100000."),
        ("kampala_z20_rgb/preview.png?max_size=big", 400, "max_size cannot be used: expected a whole number"),
        ("kampala_z20_rgb/tiles/WebMercatorQuad/0/0/0.png?expr=b1", 400, "The parameter 'expr' is not known here; expected any of bidx, brightness, colormap, contrast, expression"),
        ("kampala_z20_rgb/tiles/WebMercatorQuad/0/0/0.png?expression=b4", 400, "The expression names band 4, which the raster does not have: it has 1 to 3."),
        ("kampala_z20_rgb/tiles/WebMercatorQuad/0/0/0.png?expression=b1&bidx=1", 400, "bidx and expression cannot be used together"),
        ("kampala_z20_rgb/tiles/WebMercatorQuad/0/0/0.png?gamma=0", 400, "gamma cannot be used: expected a number from 0.1 to 10; got '0'."),
        ("kampala_z20_rgb/tiles/WebMercatorQuad/0/0/0.png?colormap=viridis", 400, "expected one band, as with bidx=1 or an expression; got three."),
        ("kampala_z20_rgb/tiles/WebMercatorQuad/0/0/0.png?bidx=1&colormap=nope", 400, "there is no color map 'nope'"),
        ("kampala_z20_rgb/tiles/WebMercatorQuad/0/0/0.png?preset=ndvi", 400, "the raster does not say which band is nir"),
        ("kampala_z20_rgb/point/0,0", 404, "lies outside 'kampala_z20_rgb.tif'"),
        ("kampala_z20_rgb/point/x,0", 400, "lon cannot be used: expected degrees; got 'x'."),
        ("kampala_z20_rgb/legend", 400, "There is no legend of three bands"),
        ("rotated/footprint", 422, "has no place on the map"),
        ("kampala_z20_rgb/tiles/WebMercatorQuad/0/0/0.png?max_size=9", 400, "The parameter 'max_size' is not known here"),
        ("kampala_z20_rgb/tiles/WebMercatorQuad/0/0/0.png?bidx=4", 400, "bidx names a band that the raster does not have: expected one band or three, numbered 1 to 3"),
        ("kampala_z20_rgb/tiles/WebMercatorQuad/0/0/0.png?rescale=9,1", 400, "rescale cannot be used: expected min,max with min < max"),
        ("kampala_z20_rgb/WebMercatorQuad/tilejson.json?bidx=4", 400, "bidx names a band"),
        ("nothing/tiles/WebMercatorQuad/0/0/0.png", 404, "There is no scene 'nothing' here"),
        ("nothing/preview.png", 404, "There is no scene 'nothing' here"),
        ("corrupt/preview.png?max_size=1024", 422, "The pixels of 'corrupt.tif' cannot be read, it is damaged or cut short"),
    ],
)  # fmt: skip
def test_what_cannot_be_served_says_why(client: TestClient, path: str, status: int, sentence: str) -> None:
    response = client.get(f"/scenes/{path}")
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert (response.status_code, body["status"]) == (status, status)
    assert sentence in body["detail"]
    assert str(sources.__file__) not in response.text
    assert "/work" not in body["detail"]


def test_refusals_and_empty_tiles_do_not_open_the_raster(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    client.get("/scenes/kampala_z20_rgb/WebMercatorQuad/tilejson.json")

    def refuse(*_: object, **__: object) -> None:
        pytest.fail("opened")

    monkeypatch.setattr(sources, "_open_here", refuse)
    for z, x, y in ((25, 0, 0), (3, 8, 0), (3, 0, 8)):
        assert client.get(f"/scenes/kampala_z20_rgb/tiles/WebMercatorQuad/{z}/{x}/{y}.png").status_code == 404
    for fmt in ("png", "webp"):
        beside = client.get(f"/scenes/kampala_z20_rgb/tiles/WebMercatorQuad/14/3/3.{fmt}")
        assert not image(beside)[..., 3].any()
        assert "etag" in beside.headers
    assert (image(client.get("/scenes/kampala_z20_rgb/tiles/WebMercatorQuad/14/3/3.jpg")) == 255).all()


@pytest.mark.parametrize("z", [21, 22, 23, 24])
def test_zooming_in_past_the_pixels_works(client: TestClient, z: int) -> None:
    x, y = rasterio.warp.transform("EPSG:4326", "EPSG:3857", [32.5947], [0.35087])
    half, n = 20037508.342789244, 2**z
    url = f"/scenes/kampala_z20_rgb/tiles/WebMercatorQuad/{z}/{int((x[0] + half) / (2 * half) * n)}/{int((half - y[0]) / (2 * half) * n)}.png"
    assert (image(client.get(url))[..., 3] == 255).all()


def test_tilejson(client: TestClient, data: Path) -> None:
    document = client.get("/scenes/kampala_z20_rgb/WebMercatorQuad/tilejson.json?bidx=3,2,1&rescale=0,200").json()
    with rasterio.open(data / "pairs/kampala_rgb_buildings/kampala_z20_rgb.tif") as source:
        bounds = rasterio.warp.transform_bounds(source.crs, "EPSG:4326", *source.bounds)
    assert document["tilejson"] == "3.0.0"
    assert document["bounds"] == pytest.approx(bounds, abs=1e-9)
    assert document["tiles"] == [
        "http://testserver/scenes/kampala_z20_rgb/tiles/WebMercatorQuad/{z}/{x}/{y}.webp?bidx=3,2,1&rescale=0,200"
    ]
    assert (document["minzoom"], document["maxzoom"]) == (14, 20)
    lon, lat, zoom = document["center"]
    assert (lon, lat) == pytest.approx(((bounds[0] + bounds[2]) / 2, (bounds[1] + bounds[3]) / 2))
    assert 14 <= zoom <= 20
    address = document["tiles"][0].format(z=20, x=619224, y=523265)
    assert image(client.get(address))[..., 3].all()


def test_tilejson_behind_a_proxy_and_under_a_prefix(data: Path) -> None:
    source = sources.local_source(data / "images/cog_rgba.tif")
    app = FastAPI()
    app.include_router(create_router(lambda scene: source, TilesSettings()), prefix="/api/scenes")  # noqa: ARG005
    client = TestClient(app, base_url="https://maps.example", root_path="/outer")
    document = client.get("/api/scenes/any/WebMercatorQuad/tilejson.json").json()
    assert document["tiles"] == ["https://maps.example/outer/api/scenes/any/tiles/WebMercatorQuad/{z}/{x}/{y}.webp"]


def test_concurrent_requests_measure_the_stretch_once(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[tuple[int, ...]] = []

    def counted(source: sources.Source, style: Style, *, settings: TilesSettings) -> list[np.ndarray]:
        read.append(style.bands)
        return original(source, style, settings=settings)

    original = pictures.sample_channels
    monkeypatch.setattr(pictures, "sample_channels", counted)
    with TestClient(
        create_app(TilesSettings(paths=(data / "pairs/elkton_l8_uint16_landcover",), cache_mb=0))
    ) as client:
        z, x, y = map(int, center_tile(client, "l8_elkton_uint16").split("/")[-3:])
        addresses = [
            f"/scenes/l8_elkton_uint16/tiles/WebMercatorQuad/{z + 1}/{2 * x + i}/{2 * y + j}.png"
            for i in range(2)
            for j in range(2)
        ] * 6
        with ThreadPoolExecutor(12) as pool:
            answers = list(pool.map(client.get, addresses))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) <= 4
    assert read == [(4, 3, 2)]


def test_the_cache_is_used_and_can_be_turned_off(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[object] = []
    original = pictures.read_tile
    monkeypatch.setattr(pictures, "read_tile", lambda *args, **kwargs: drawn.append(args) or original(*args, **kwargs))
    for cache_mb, times in ((16, 1), (0, 3)):
        drawn.clear()
        client = TestClient(create_app(TilesSettings(paths=(data / "images/cog_rgba.tif",), cache_mb=cache_mb)))
        url = center_tile(client, "cog_rgba") + ".png"
        assert len({client.get(url).content for _ in range(3)}) == 1
        assert len(drawn) == times


def test_every_error_has_a_status() -> None:
    assert set(STATUS) == set(TilesError.__subclasses__())


def test_the_standalone_server(client: TestClient) -> None:
    assert client.get("/healthz").json() == {"status": "ok"}
    scenes = {scene["id"]: scene for scene in client.get("/scenes").json()["scenes"]}
    assert {*PLACED, *UNPLACED, "corrupt"} <= set(scenes)
    assert client.get(scenes["cog_rgba"]["tilejson"]).status_code == 200
    assert image(client.get(scenes["cog_rgba"]["preview"])).any()
    missing = client.get("/nothing")
    assert (missing.status_code, missing.headers["content-type"]) == (404, "application/problem+json")
    paths = client.get("/openapi.json").json()["paths"]
    assert "/scenes/{scene}/tiles/{tms}/{z}/{x}/{y}.{fmt}" in paths
    names = {p["name"] for p in paths["/scenes/{scene}/tiles/{tms}/{z}/{x}/{y}.{fmt}"]["get"]["parameters"]}
    assert names == {"scene", "tms", "z", "x", "y", "fmt", *PARAMETERS}


def test_a_folder_as_a_catalogue(data: Path, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    for name in ("My Scene.tif", "sub/my-scene.TIF", "ü.tif"):
        shutil.copyfile(data / "images/cog_rgba.tif", tmp_path / name)
    (tmp_path / "notes.txt").touch()
    catalogue = FolderCatalogue([tmp_path])
    assert sorted(catalogue.files) == ["my-scene", "my-scene-2", "raster"]
    with pytest.raises(UnknownScene, match="There is no scene 'x' here"):
        catalogue("x")
    with pytest.raises(SourceNotFound, match="nothing is there"):
        FolderCatalogue([tmp_path / "missing"])
    (tmp_path / "none").mkdir()
    with pytest.raises(SourceNotFound, match="Expected rasters to serve"):
        FolderCatalogue([tmp_path / "none"])
    (tmp_path / "ü.tif").unlink()
    assert TestClient(create_app(TilesSettings(paths=(tmp_path,)))).get("/scenes/raster/preview.png").status_code == 404


def test_the_command_line_says_when_there_is_nothing(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "tiles", str(tmp_path)],
        env={**os.environ, "PYTHONPATH": "."},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stdout) == (1, "")
    assert run.stderr.startswith("Expected rasters to serve")
    assert "Traceback" not in run.stderr


def test_the_package_gives_its_names() -> None:
    assert (
        dir(tiles)
        == sorted(tiles.__all__)
        == [
            "BandInfo", "Catalogue", "RasterInfo", "STATUS", "Source", "TilesError", "TilesSettings",
            "create_app", "create_router", "describe", "find_source", "inspect", "local_source", "open_raster",
        ]
    )  # fmt: skip
    for name in tiles.__all__:
        assert getattr(tiles, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = tiles.nothing
