"""Real imagery and labels: every file of a dataset against an independent oracle."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import rasterio
import rasterio.features
import shapely
from pycocotools.coco import COCO
from rasterio.windows import Window
from shapely.geometry import Polygon, box

import geolabel
from geolabel.geo.pixels import PixelGeometry, pixel_to_map

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import Any

    from tests.formats.conftest import Exported

NAMES = ("kampala", "atlanta", "swellendam", "swellendam-roads", "beaufort", "elkton")
AREAS = tuple(name for name in NAMES if name != "swellendam-roads")


def chips(exported: Exported) -> list[dict[str, Any]]:
    return pq.read_table(exported.out / "chips.parquet").to_pylist()


@pytest.mark.parametrize("name", NAMES)
def test_masks_are_what_rasterio_burns_from_independently_reprojected_labels(
    name: str, exported: Callable[[str], Exported]
) -> None:
    done = exported(name)
    burnt = 0
    with rasterio.open(done.raster) as scene:
        frame = done.frame.to_crs(scene.crs)
        for chip in chips(done):
            with rasterio.open(done.out / chip["masks"][0]) as mask:
                ours = mask.read(1)
                assert mask.crs == scene.crs
                window = Window(chip["col"], chip["row"], chip["width"], chip["height"])
                assert mask.transform.almost_equals(scene.window_transform(window), precision=1e-9)
            theirs = rasterio.features.rasterize(
                zip(frame.geometry, frame["value"], strict=True),
                out_shape=ours.shape,
                transform=scene.window_transform(window),
                dtype="uint8",
            )
            inside = window.intersection(Window(0, 0, scene.width, scene.height))
            rows, cols = int(inside.height), int(inside.width)
            valid = np.zeros(ours.shape, dtype=bool)
            valid[:rows, :cols] = scene.dataset_mask(window=inside) > 0
            theirs[~valid] = 255
            assert np.array_equal(ours, theirs)
            burnt += int(((ours > 0) & (ours < 255)).sum())
    assert burnt > 100


@pytest.mark.parametrize("name", NAMES)
def test_images_hold_the_pixels_of_the_scene(name: str, exported: Callable[[str], Exported]) -> None:
    done = exported(name)
    with rasterio.open(done.raster) as scene:
        for chip in chips(done):
            with rasterio.open(done.out / chip["image"]) as image:
                assert image.dtypes == scene.dtypes
                assert image.nodata == scene.nodata
                assert image.crs == scene.crs
                assert image.transform[:6] == pytest.approx(chip["transform"], rel=1e-15)
                ours, mask = image.read(), image.dataset_mask()
                assert [c.name for c in image.colorinterp].count("alpha") == [c.name for c in scene.colorinterp].count(
                    "alpha"
                )
            window = Window(chip["col"], chip["row"], chip["width"], chip["height"]).intersection(
                Window(0, 0, scene.width, scene.height)
            )
            rows, cols = int(window.height), int(window.width)
            assert np.array_equal(ours[:, :rows, :cols], scene.read(window=window))
            assert np.array_equal(mask[:rows, :cols] > 0, scene.dataset_mask(window=window) > 0)
            assert not mask[rows:].any()
            assert not mask[:, cols:].any()


def coco_files(done: Exported) -> list[dict[str, Any]]:
    return [json.loads((done.out / "coco" / f"{split}.json").read_text()) for split in done.report.chips]


@pytest.mark.parametrize("name", AREAS)
def test_coco_polygons_are_the_clipped_labels(name: str, exported: Callable[[str], Exported]) -> None:
    done = exported(name)
    found = 0
    with rasterio.open(done.raster) as scene:
        to_pixel = ~scene.transform
        frame = done.frame.to_crs(scene.crs)
    flat = np.array([to_pixel.a, to_pixel.b, to_pixel.d, to_pixel.e, to_pixel.c, to_pixel.f])
    pixels = gpd.GeoSeries(frame.geometry.array, crs=None).affine_transform(flat.tolist())
    for file in coco_files(done):
        images = {image["id"]: image for image in file["images"]}
        for annotation in file["annotations"]:
            col, row, width, height = images[annotation["image_id"]]["geo"]["window"]
            whole = pixels.iloc[annotation["geo"]["annotation"] - 1]
            expected = shapely.transform(
                whole.intersection(box(col, row, col + width, row + height)), lambda xy, at=(col, row): xy - at
            )
            x, y, w, h = annotation["bbox"]
            assert (x, y, x + w, y + h) == pytest.approx(expected.bounds, abs=1e-6)
            assert annotation["area"] == pytest.approx(expected.area, abs=1e-5)
            assert annotation["geo"]["truncated"] == (not box(col, row, col + width, row + height).covers(whole))
            if isinstance(annotation["segmentation"], list):
                parts = [Polygon(np.reshape(ring, (-1, 2))) for ring in annotation["segmentation"]]
                ours = shapely.union_all(parts)
                assert ours.symmetric_difference(expected).area < 1e-5
                assert shapely.hausdorff_distance(ours.boundary, expected.boundary) < 1e-6
                assert ours.within(box(0, 0, width, height))
                found += 1
    assert found > 0


# pycocotools wraps its masks in a class that numpy 2 warns about.
@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning")
@pytest.mark.parametrize("name", AREAS)
def test_pycocotools_decodes_our_polygons_but_for_the_pixels_on_the_boundary(
    name: str, exported: Callable[[str], Exported], capsys: pytest.CaptureFixture[str]
) -> None:

    done = exported(name)
    for split in done.report.chips:
        coco = COCO(str(done.out / "coco" / f"{split}.json"))
        for annotation in coco.anns.values():
            decoded = coco.annToMask(annotation)
            image = coco.imgs[annotation["image_id"]]
            assert (done.out / image["file_name"]).is_file()
            shape = shapely.union_all([Polygon(np.reshape(r, (-1, 2))) for r in annotation["segmentation"]])
            burnt = rasterio.features.rasterize([shape], out_shape=decoded.shape)
            rows, cols = np.nonzero(decoded != burnt)
            touched = shapely.box(cols - 0.5, rows - 0.5, cols + 1.5, rows + 1.5)
            assert shapely.intersects(shape.boundary, touched).all()
    capsys.readouterr()


def test_ground_area_is_geodesic(exported: Callable[[str], Exported]) -> None:
    done = exported("atlanta")
    geod = done.frame.to_crs("EPSG:4326").geometry
    from pyproj import Geod

    whole = [
        annotation
        for file in coco_files(done)
        for annotation in file["annotations"]
        if not annotation["geo"]["truncated"]
    ]
    assert whole
    for annotation in whole:
        expected = abs(Geod(ellps="WGS84").geometry_area_perimeter(geod.iloc[annotation["geo"]["annotation"] - 1])[0])
        assert annotation["geo"]["area_m2"] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_geojson_is_read_back_by_gdal_at_the_same_place(name: str, exported: Callable[[str], Exported]) -> None:
    done = exported(name)
    path = done.out / "geojson" / f"{done.project}.geojson"
    assert "crs" not in json.loads(path.read_text())
    back = gpd.read_file(path).to_crs(done.frame.crs)
    assert len(back) == len(done.frame)
    distance = shapely.hausdorff_distance(back.geometry.array, done.frame.geometry.array)
    metres = 1 if done.frame.crs.is_projected else 111_320
    assert (distance * metres).max() < 1e-6
    polygons = [p for g in gpd.read_file(path).geometry for p in shapely.get_parts(g) if p.geom_type == "Polygon"]
    assert all(p.exterior.is_ccw for p in polygons)


@pytest.mark.parametrize("name", NAMES)
def test_splits_share_no_ground(name: str, exported: Callable[[str], Exported]) -> None:
    done = exported(name)
    assert done.report.shared_ground == 0
    rows = chips(done)
    windows = [box(c["col"], c["row"], c["col"] + c["width"], c["row"] + c["height"]) for c in rows]
    for i, one in enumerate(rows):
        for j in range(i):
            if one["split"] != rows[j]["split"]:
                assert windows[i].intersection(windows[j]).area == 0
    assert {c["split"] for c in rows} <= set(done.report.chips)


def test_boxes_drawn_in_pixels_come_back_at_the_same_pixels(data: Path, tmp_path: Path) -> None:
    """OSBS: 61 tree boxes in pixels of the image, to the map, into the store, and out as COCO of one chip."""
    pair = data / "pairs/osbs_rgb_treeboxes"
    boxes = pd.read_csv(pair / "OSBS_029.csv")
    with geolabel.open(tmp_path / "ws", create=True) as workspace:
        scene = workspace.add_scene(pair / "OSBS_029.tif")
        project = workspace.create_project("OSBS", scenes=[scene], classes=["Tree"])
        in_pixels = PixelGeometry(shapely.box(boxes.xmin, boxes.ymin, boxes.xmax, boxes.ymax), scene.grid)
        on_map = pixel_to_map(in_pixels)
        project.add(gpd.GeoDataFrame({"class": boxes.label}, geometry=on_map.geometries, crs=on_map.crs))
        project.export(tmp_path / "out", formats=["coco", "mask-semantic"], chips=geolabel.ChipSpec(size=400))
    coco = COCO(str(tmp_path / "out/coco/train.json"))
    found = np.array([coco.anns[i]["bbox"] for i in sorted(coco.anns)])
    expected = np.column_stack((boxes.xmin, boxes.ymin, boxes.xmax - boxes.xmin, boxes.ymax - boxes.ymin))
    assert found.shape == (61, 4)
    assert np.abs(found - expected).max() <= 1e-6
    mask = np.zeros((400, 400), dtype=np.uint8)
    for _, row in boxes.iterrows():
        mask[row.ymin : row.ymax, row.xmin : row.xmax] = 1
    with rasterio.open(tmp_path / "out/masks/semantic/train/osbs_029_0_0.tif") as burnt:
        seen = burnt.read(1)
    with rasterio.open(pair / "OSBS_029.tif") as image:
        valid = image.dataset_mask() > 0
    assert np.array_equal(seen[valid], mask[valid])
    assert (seen[~valid] == 255).all()
