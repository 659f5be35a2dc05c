"""What formats differ in: boxes in whole pixels, holes, parts, points and lines, stuff, names, unseen ground."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio
import rasterio.features
import shapely
from PIL import Image
from shapely.geometry import LineString, MultiPolygon, Point, Polygon, box

import geolabel
from geolabel.chips.spec import ChipSpec
from geolabel.errors import InvalidSpec
from geolabel.formats.boxes import inclusive_boxes, turned_boxes
from geolabel.formats.keyhole import one_ring
from geolabel.geo.pixels import PixelGeometry, pixel_to_map

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


FORMATS = (
    "coco-panoptic",
    "dota",
    "imagefolder",
    "kitti",
    "mask-instance",
    "mask-semantic",
    "voc",
    "yolo",
    "yolo-obb",
    "yolo-seg",
)


def test_tree_boxes_are_the_very_pixels_that_people_drew(data: Path, tmp_path: Path) -> None:
    """OSBS: 61 boxes in whole pixels, to the map and back into each format that has boxes."""
    pair = data / "pairs/osbs_rgb_treeboxes"
    drawn = pd.read_csv(pair / "OSBS_029.csv")
    expected = drawn[["xmin", "ymin", "xmax", "ymax"]].to_numpy()
    with geolabel.open(tmp_path / "ws", create=True) as workspace:
        scene = workspace.add_scene(pair / "OSBS_029.tif")
        project = workspace.create_project("OSBS", scenes=[scene], classes=["Tree"])
        on_map = pixel_to_map(PixelGeometry(shapely.box(*expected.T), scene.grid))
        project.add(gpd.GeoDataFrame({"class": drawn.label}, geometry=on_map.geometries, crs=on_map.crs))
        formats = ["voc", "kitti", "yolo", "yolo-obb", "dota"]
        report = project.export(tmp_path / "out", formats=formats, chips=geolabel.ChipSpec(size=400))
    out, stem = tmp_path / "out", "osbs_029_0_0"
    tree = ET.parse(out / f"voc/Annotations/{stem}.xml")
    voc = np.array([[int(b.findtext(k, "")) for k in ("xmin", "ymin", "xmax", "ymax")] for b in tree.iter("bndbox")])
    assert np.array_equal(voc - (1, 1, 0, 0), expected)
    kitti = np.array([line.split()[4:8] for line in (out / f"kitti/train/label_2/{stem}.txt").read_text().splitlines()])
    assert np.abs(kitti.astype(float) - expected).max() <= 1e-6
    rows = (out / f"yolo/labels/train/{stem}.txt").read_text().splitlines()
    yolo = np.array([row.split()[1:] for row in rows]).astype(float) * 400
    corners = np.hstack((yolo[:, :2] - yolo[:, 2:] / 2, yolo[:, :2] + yolo[:, 2:] / 2))
    assert np.abs(corners - expected).max() <= 1e-6
    dota = [line.split()[:8] for line in (out / f"dota/train/labelTxt/{stem}.txt").read_text().splitlines()]
    turned = np.array(dota).astype(float).reshape(-1, 4, 2)
    upright = np.stack([expected[:, k] for k in (0, 1, 2, 1, 2, 3, 0, 3)], axis=1).reshape(-1, 4, 2)
    assert np.abs(turned - upright).max() <= 1e-6
    assert "yolo/data.yaml must name a split 'val' and there is none: it names 'train' in its place." in report.notes


HOLED = Polygon(box(120, 20, 180, 80).exterior, [box(135, 35, 165, 65).exterior])
PARTS = MultiPolygon([box(200, 20, 220, 40), box(240, 30, 260, 60)])


@pytest.fixture
def odd(tmp_path: Path, make_scene: Callable[[], Path]) -> geolabel.Project:
    """Holes, parts, a line, a point, an object under another, stuff: what formats differ in."""
    with geolabel.open(tmp_path / "ws", create=True) as workspace:
        scene = workspace.add_scene(make_scene())
        classes = [
            {"name": "bare soil", "kind": "stuff", "priority": 1},
            {"name": "tree"},
            {"name": "a/b"},
        ]
        project = workspace.create_project("Odd", scenes=[scene], classes=classes)
        shapes = {
            "tree": [HOLED, PARTS, box(30, 120, 40, 130), LineString([(0, 150), (250, 160)]), Point(20.5, 170.5)],
            "bare soil": [box(20, 100, 60, 140), box(100, 100, 130, 130)],
        }
        for name, found in shapes.items():
            pixels = np.array(found, dtype=object)
            on_map = pixel_to_map(PixelGeometry(pixels, scene.grid))
            project.add(
                gpd.GeoDataFrame({"class": name}, geometry=on_map.geometries, crs=on_map.crs, index=range(len(found)))
            )
        yield project


@pytest.fixture
def make_scene(tmp_path: Path) -> Callable[[], Path]:
    def make() -> Path:
        path = tmp_path / "scene.tif"
        shape = {"width": 300, "height": 200, "count": 3, "dtype": "uint8", "crs": "EPSG:32633"}
        transform = rasterio.Affine(0.5, 0, 500_000, 0, -0.5, 5_000_000)
        with rasterio.open(path, "w", driver="GTiff", transform=transform, **shape) as target:
            target.write((np.arange(3 * 200 * 300).reshape(3, 200, 300) % 251 + 1).astype(np.uint8))
        return path

    return make


def test_nothing_is_lost_without_a_word(odd: geolabel.Project, tmp_path: Path) -> None:
    out = tmp_path / "out"
    notes = odd.export(out, formats=FORMATS, chips=ChipSpec(size=300)).notes
    for sentence in (
        "YOLO holds areas only: 1 point on chips left out of it.",
        "DOTA holds areas only: 1 line on chips left out of it.",
        "KITTI holds areas only: 1 point on chips left out of it.",
        "Pascal VOC holds areas only: 1 line on chips left out of it.",
        "YOLO segment holds one outline an object: 1 area with holes cut open: a bridge of no width leads to each hole.",
        "YOLO segment holds one outline an object: 1 area of several parts joined to one outline by bridges of no width.",
        "Without a pixel of its own in instance masks (too small, or under others): 1 annotation.",
        "Instance masks hold pixels: 2 lines and points on chips were burnt one pixel wide.",
        "Without a pixel of its own and so no panoptic segment (too small, or under others): 1 thing.",
        "Not every class name can be written in DOTA: 'bare soil' is 'bare-soil' there.",
        "Not every class name can be written in a folder: 'a/b' is 'a_b' there.",
        "Without a pixel of its own in SegmentationObject (too small, or under others): 1 object.",
    ):
        assert sentence in notes
    assert any(note.startswith("COCO panoptic has one value, void,") for note in notes)
    lines = (out / "yolo-seg/labels/train/scene_0_0.txt").read_text().splitlines()
    rings = [Polygon(np.array(line.split()[1:], dtype=float).reshape(-1, 2) * 300) for line in lines]
    assert [ring.area for ring in rings[:2]] == pytest.approx([HOLED.area, PARTS.area])
    for ring, shape in zip(rings[:2], (HOLED, PARTS), strict=True):
        mask, whole = (rasterio.features.rasterize([s], out_shape=(200, 300)) for s in (ring, shape))
        assert np.array_equal(mask, whole)


def test_stuff_is_one_segment_a_chip(odd: geolabel.Project, tmp_path: Path) -> None:
    odd.export(tmp_path / "out", formats=["coco-panoptic", "mask-semantic"], chips=ChipSpec(size=300))
    file = json.loads((tmp_path / "out/masks/panoptic/train.json").read_text())
    assert [(c["name"], c["isthing"]) for c in file["categories"]] == [("bare soil", 0), ("tree", 1), ("a/b", 1)]
    infos = file["annotations"][0]["segments_info"]
    (soil,) = [info for info in infos if info["category_id"] == 1]
    assert (soil["area"], soil["bbox"]) == (40 * 40 + 30 * 30, [20, 100, 110, 40])
    assert "geo" not in soil
    with Image.open(tmp_path / "out/masks/panoptic/train/scene_0_0.png") as picture:
        ids = np.asarray(picture).astype(int) @ [1, 256, 65536]
    with rasterio.open(tmp_path / "out/masks/semantic/train/scene_0_0.tif") as mask:
        semantic = mask.read(1)
    category = {0: 0} | {info["id"]: info["category_id"] for info in infos}
    assert np.array_equal(np.vectorize(category.get)(ids), np.where(semantic == 255, 0, semantic))


@pytest.mark.parametrize("format_name", ["dota", "kitti", "imagefolder"])
def test_two_classes_never_get_one_name(format_name: str, tmp_path: Path, make_scene: Callable[[], Path]) -> None:
    with geolabel.open(tmp_path / "ws", create=True) as workspace:
        scene = workspace.add_scene(make_scene())
        classes = ["a/b", "a_b"] if format_name == "imagefolder" else ["bare soil", "bare-soil"]
        project = workspace.create_project("P", scenes=[scene], classes=classes)
        with pytest.raises(
            InvalidSpec, match=r"The classes 'a.+' and 'a.b' would both|'bare soil' and 'bare-soil' would"
        ):
            project.export(tmp_path / "out", formats=[format_name])
    assert not (tmp_path / "out").exists()


def test_difficulty_is_an_attribute(tmp_path: Path, make_scene: Callable[[], Path]) -> None:
    with geolabel.open(tmp_path / "ws", create=True) as workspace:
        scene = workspace.add_scene(make_scene())
        attributes = [{"name": "difficulty", "kind": "number"}]
        project = workspace.create_project("P", scenes=[scene], classes=["x"], attributes=attributes)
        shapes = np.array([box(10 * n, 10, 10 * n + 5, 20) for n in range(3)], dtype=object)
        on_map = pixel_to_map(PixelGeometry(shapes, scene.grid))
        columns = {"class": ["x"] * 3, "difficulty": [2, 0, None]}
        project.add(gpd.GeoDataFrame(columns, geometry=on_map.geometries, crs=on_map.crs))
        project.export(tmp_path / "out", formats=["dota", "voc"], chips=ChipSpec(size=64, negatives="none"))
    lines = (tmp_path / "out/dota/train/labelTxt/scene_0_0.txt").read_text().splitlines()
    assert [line.split()[-1] for line in lines] == ["2", "0", "0"]
    tree = ET.parse(tmp_path / "out/voc/Annotations/scene_0_0.xml")
    assert [found.findtext("difficult") for found in tree.iter("object")] == ["1", "0", "0"]


def test_unseen_ground_is_ignored_by_every_mask(tmp_path: Path, make_scene: Callable[[], Path]) -> None:
    with geolabel.open(tmp_path / "ws", create=True) as workspace:
        scene = workspace.add_scene(make_scene())
        project = workspace.create_project("P", scenes=[scene], classes=["x"])
        project.update(unlabelled="ignore")
        on_map = pixel_to_map(PixelGeometry(np.array([box(10, 10, 30, 20)], dtype=object), scene.grid))
        project.add(gpd.GeoDataFrame({"class": ["x"]}, geometry=on_map.geometries, crs=on_map.crs))
        project.export(tmp_path / "out", formats=["mask-instance", "voc"], chips=ChipSpec(size=64))
    for path, ignore in (("masks/instance/train/scene_0_0.tif", 65535), ("voc/SegmentationObject/scene_0_0.png", 255)):
        expected = np.full((64, 64), ignore)
        expected[10:20, 10:30] = 1
        with Image.open(tmp_path / "out" / path) as picture:
            assert np.array_equal(np.asarray(picture), expected)


def test_inclusive_boxes_forgive_a_rounding_error_and_nothing_more() -> None:
    shapes = np.array(
        [box(3, 4, 6, 8), box(3 - 1e-9, 4 + 1e-9, 6 + 1e-9, 8 - 1e-9), box(2.9, 4.1, 6.1, 7.9)], dtype=object
    )
    assert inclusive_boxes(shapes).tolist() == [[4, 5, 6, 8], [4, 5, 6, 8], [3, 5, 7, 8]]


def test_a_sliver_has_a_turned_box() -> None:
    sliver = Polygon([(0, 0), (10, 1e-17), (5, 1e-17)])
    corners = turned_boxes(np.array([sliver, box(1, 2, 4, 3)], dtype=object))
    assert corners[0, :, 0].max() == 10
    assert corners[1] == pytest.approx(np.array([(1, 2), (4, 2), (4, 3), (1, 3)]))


def test_a_turned_box_larger_than_its_chip_stands_upright(tmp_path: Path, make_scene: Callable[[], Path]) -> None:
    diamond = Polygon([(0, 30), (30, 0), (64, 34), (34, 64)])
    strip = Polygon([(0, 0), (4, 0), (64, 60), (64, 64), (60, 64), (0, 4)])  # its turned box is 68 pixels wide
    with geolabel.open(tmp_path / "ws", create=True) as workspace:
        scene = workspace.add_scene(make_scene())
        project = workspace.create_project("P", scenes=[scene], classes=["x"])
        on_map = pixel_to_map(PixelGeometry(np.array([diamond, strip], dtype=object), scene.grid))
        project.add(gpd.GeoDataFrame({"class": ["x", "x"]}, geometry=on_map.geometries, crs=on_map.crs))
        report = project.export(tmp_path / "out", formats=["yolo-obb"], chips=ChipSpec(size=64))
    rows = (tmp_path / "out/yolo-obb/labels/train/scene_0_0.txt").read_text().splitlines()
    turned, upright = (np.array(row.split()[1:], dtype=float).reshape(4, 2) * 64 for row in rows)
    assert Polygon(turned).symmetric_difference(diamond).area < 1e-6
    assert upright == pytest.approx(np.array([(0, 0), (64, 0), (64, 64), (0, 64)]), abs=1e-6)
    said = "YOLO OBB takes no box larger than its chip: 1 area got an upright box instead of a turned one."
    assert said in report.notes


def test_one_ring_keeps_a_plain_polygon_as_it_is() -> None:
    plain = Polygon([(3, 1), (9, 2), (4, 7)])
    assert one_ring(plain).tolist() == [[3, 1], [9, 2], [4, 7]]
    three = MultiPolygon(
        [box(0, 0, 2, 2), Polygon(box(5, 0, 9, 4).exterior, [box(6, 1, 8, 3).exterior]), box(3, 5, 4, 6)]
    )
    assert Polygon(one_ring(three)).area == pytest.approx(three.area)
