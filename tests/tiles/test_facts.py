from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import rasterio
import shapely
from rasterio.enums import Resampling
from rasterio.warp import transform, transform_bounds

if TYPE_CHECKING:
    from pathlib import Path

    from fastapi.testclient import TestClient


def test_statistics_are_those_of_the_pixels(client: TestClient, data: Path) -> None:
    [channel] = client.get("/scenes/atlanta_pan/statistics").json()["channels"]
    with rasterio.open(data / "pairs/atlanta_pan16_buildings/atlanta_pan.tif") as dataset:
        values = dataset.read(1, masked=True).compressed()
    assert channel["count"] == values.size
    assert (channel["min"], channel["max"]) == (values.min(), values.max())
    assert channel["mean"] == pytest.approx(values.mean())
    assert channel["percentile_98"] == pytest.approx(np.percentile(values, 98))
    assert sum(channel["histogram"]["counts"]) == values.size
    assert len(channel["histogram"]["edges"]) == 65


def test_statistics_of_an_expression(client: TestClient) -> None:
    name = "m_4709963_se_14_1_20180716"
    [ndvi] = client.get(f"/scenes/{name}/statistics", params={"expression": "(b4-b1)/(b4+b1)"}).json()["channels"]
    assert -1 <= ndvi["min"] < ndvi["mean"] < ndvi["max"] <= 1


def test_values_at_a_point(client: TestClient, data: Path) -> None:
    path = data / "images/m_4709963_se_14_1_20180716.tif"
    with rasterio.open(path) as dataset:
        x, y = dataset.xy(300, 400)
        expected = dataset.read(window=((300, 301), (400, 401)))[:, 0, 0]
        [lon], [lat] = transform(dataset.crs, "OGC:CRS84", [x], [y])
    answer = client.get(f"/scenes/{path.stem}/point/{lon},{lat}").json()
    assert answer["values"] == expected.tolist()
    assert answer["pixel"] == pytest.approx([400.5, 300.5], abs=1e-3)


def test_a_point_without_data(client: TestClient, data: Path) -> None:
    path = data / "images/RGB.byte.tif"
    with rasterio.open(path) as dataset:  # its corners are nodata
        [lon], [lat] = transform(dataset.crs, "OGC:CRS84", *([v] for v in dataset.xy(2, 2)))
    assert client.get(f"/scenes/rgb-byte/point/{lon},{lat}").json()["values"] == [None] * 3


@pytest.mark.parametrize(
    "name",
    ["pairs/kampala_rgb_buildings/kampala_z20_rgb.tif", "images/RGB.byte.tif", "images/pix4d_alpha_nodata.tif"],
)
def test_a_footprint_is_where_the_data_is(client: TestClient, data: Path, name: str) -> None:
    path = data / name
    feature = client.get(f"/scenes/{path.stem.lower().replace('.', '-')}/footprint").json()
    outline = shapely.geometry.shape(feature["geometry"])
    assert outline.is_valid
    with rasterio.open(path) as dataset:
        box = shapely.box(*transform_bounds(dataset.crs, "OGC:CRS84", *dataset.bounds, densify_pts=21))
        share = (dataset.dataset_mask() > 0).mean()
        corners = [
            dataset.transform @ c
            for c in ((0, 0), (dataset.width, 0), (dataset.width, dataset.height), (0, dataset.height))
        ]
        full = shapely.Polygon(
            list(zip(*transform(dataset.crs, "OGC:CRS84", *zip(*corners, strict=True)), strict=True))
        )
    assert box.buffer(1e-4).covers(outline)
    assert outline.area / full.area == pytest.approx(share, abs=0.02)


def test_a_footprint_across_the_antimeridian_is_cut(client: TestClient) -> None:
    geometry = client.get("/scenes/cog_dateline/footprint").json()["geometry"]
    outline = shapely.geometry.shape(geometry)
    assert geometry["type"] == "MultiPolygon"
    west, _, east, _ = outline.bounds
    assert (west, east) == (-180, 180)
    assert outline.area < 50


def test_legends(client: TestClient) -> None:
    name = "m_4709963_se_14_1_20180716"
    ndvi = client.get(f"/scenes/{name}/legend", params={"preset": "ndvi", "colormap": "rdylgn"}).json()
    assert ndvi["entries"][0]["value"] == -1
    assert ndvi["entries"][-1]["value"] == 1
    assert ndvi["entries"][0]["color"] == "#a50026"
    palette = client.get("/scenes/cog_cmap/legend").json()
    assert palette["type"] == "values"
    assert all(entry["color"].startswith("#") for entry in palette["entries"])
    gray = client.get("/scenes/atlanta_pan/legend").json()
    assert (gray["entries"][0]["color"], gray["entries"][-1]["color"]) == ("#000000", "#ffffff")


def test_presets_show_what_they_say(client: TestClient, data: Path) -> None:
    from io import BytesIO

    from PIL import Image

    name = "m_4709963_se_14_1_20180716"
    with rasterio.open(data / f"images/{name}.tif") as dataset:
        red, green, _, nir = dataset.read(out_shape=(4, 64, 64), resampling=Resampling.average).astype(float)

    def correlation(one: np.ndarray, other: np.ndarray) -> float:
        return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])

    def preview(**params: str) -> np.ndarray:
        answer = client.get(f"/scenes/{name}/preview.png", params={"max_size": "640", **params})
        image = Image.open(BytesIO(answer.content)).convert("RGB")
        return np.asarray(image.resize((64, 64), Image.Resampling.BOX)).astype(float)

    false = preview(preset="false-color")
    assert correlation(false[..., 0], nir) > 0.9
    assert correlation(false[..., 1], red) > 0.9
    assert correlation(false[..., 2], green) > 0.9
    assert correlation(preview(preset="ndvi")[..., 0], (nir - red) / np.maximum(nir + red, 1)) > 0.9
