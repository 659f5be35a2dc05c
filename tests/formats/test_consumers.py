"""Datasets for other people's trainers, read by each one's documented rule with parsers that know nothing of ours."""

from __future__ import annotations

import csv
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import rasterio
import rasterio.features
import shapely
import yaml
from PIL import Image
from rasterio.windows import Window
from shapely.geometry import LineString, MultiPolygon, Point, Polygon, box

import geolabel
from geolabel import workflows
from geolabel.chips.spec import ChipSpec
from geolabel.errors import InvalidSpec
from geolabel.formats.boxes import inclusive_boxes, turned_boxes
from geolabel.formats.keyhole import one_ring
from geolabel.geo.pixels import PixelGeometry, pixel_to_map

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from tests.formats.conftest import Exported

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
NAMES = ("kampala", "beaufort", "swellendam")


@dataclass(frozen=True)
class Truth:
    """What geopandas and shapely say of a chip."""

    row: dict[str, Any]
    shapes: list[shapely.Geometry]
    classes: list[int]
    truncated: list[bool]
    ids: list[int]

    @property
    def size(self) -> np.ndarray:
        return np.array((self.row["width"], self.row["height"]))


@dataclass(frozen=True)
class Made:
    out: Path
    done: Exported
    chips: list[Truth]
    classes: list[dict[str, Any]]


@pytest.fixture(scope="module")
def made(exported: Callable[[str], Exported], tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Made]:
    known: dict[str, Made] = {}

    def make(name: str) -> Made:
        if name not in known:
            done = exported(name)
            out = tmp_path_factory.mktemp(name) / "out"
            workflows.export(done.store, done.project, out, FORMATS, done.spec)
            known[name] = Made(out, done, _truth(out, done), json.loads((out / "manifest.json").read_text())["classes"])
        return known[name]

    return make


def _truth(out: Path, done: Exported) -> list[Truth]:
    """The labels, brought to the scene's CRS and pixels by geopandas, cut to each chip by shapely."""
    with rasterio.open(done.raster) as scene:
        frame = done.frame.to_crs(scene.crs)
        a, b, c, d, e, f = (~scene.transform)[:6]
        size = scene.width, scene.height
    pixels = gpd.GeoSeries(frame.geometry.array, crs=None).affine_transform([a, b, d, e, c, f])
    chips = []
    for row in pq.read_table(out / "chips.parquet").to_pylist():
        col, top = row["col"], row["row"]
        window = box(col, top, col + row["width"], top + row["height"])
        truth = Truth(row, [], [], [], [])
        for number, (shape, value) in enumerate(zip(pixels, frame["value"], strict=True), start=1):
            piece = shape.intersection(window)
            if piece.area < 1 or not piece.intersects(box(0, 0, *size)):
                continue
            truth.shapes.append(shapely.transform(piece, lambda xy, at=(col, top): xy - at))
            truth.classes.append(int(value))
            truth.truncated.append(not window.covers(shape))
            truth.ids.append(number)
        chips.append(truth)
    assert sum(len(chip.shapes) for chip in chips) > 5
    return chips


def yolo_rows(made: Made, folder: str, chip: Truth) -> list[tuple[int, np.ndarray]]:
    """Ultralytics' rule: `labels` in place of `images`, a class, then numbers that are shares of the image's size."""
    inside = f"{chip.row['split']}/{chip.row['chip']}"
    image = made.out / folder / "images" / f"{inside}.tif"
    assert image.samefile(made.out / chip.row["image"])
    text = Path(image.with_suffix(".txt").as_posix().replace("/images/", "/labels/"))
    rows = []
    with text.open() as file:
        for line in file.read().strip().splitlines():
            first, *numbers = line.split()
            rows.append((int(first), np.array(numbers, dtype=np.float64)))
    return rows


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("folder", ["yolo", "yolo-seg", "yolo-obb"])
def test_yolo(name: str, folder: str, made: Callable[[str], Made]) -> None:
    done = made(name)
    config = yaml.safe_load((done.out / folder / "data.yaml").read_text())
    assert config["names"] == {index: c["name"] for index, c in enumerate(done.classes)}
    assert {k: v for k, v in config.items() if k != "names"} == {
        split: f"images/{split}" for split in ("train", "val", "test")
    }
    for chip in done.chips:
        rows = yolo_rows(done, folder, chip)
        assert [done.classes[index]["id"] for index, _ in rows] == chip.classes
        for (_, numbers), shape in zip(rows, chip.shapes, strict=True):
            if folder == "yolo":
                assert len(numbers) == 4
                middle, size = numbers[:2] * chip.size, numbers[2:] * chip.size
                assert np.hstack((middle - size / 2, middle + size / 2)) == pytest.approx(shape.bounds, abs=1e-6)
                assert (numbers >= 0).all()
                assert (numbers <= 1).all()
                continue
            points = numbers.reshape(-1, 2) * chip.size
            low, high = points.min(axis=0) / chip.size, points.max(axis=0) / chip.size
            centre = (low + high) / 2
            assert (np.hstack((centre, high - low)) <= 1 + 1e-9).all()  # else Ultralytics drops the chip
            assert (centre >= 0).all()
            if folder == "yolo-seg":
                assert len(points) >= 3
                ours = Polygon(points)
                assert ours.area == pytest.approx(shape.area, abs=1e-5)
                parts = shapely.get_parts(shape)
                if len(parts) == 1 and not len(parts[0].interiors):
                    vertices = shapely.get_coordinates(parts[0].exterior)
                    assert shapely.hausdorff_distance(shapely.MultiPoint(points), shapely.MultiPoint(vertices)) < 1e-6
                    assert shapely.hausdorff_distance(ours.boundary, shape.boundary) < 1e-6
            else:
                _is_smallest_turned_box(points, shape)


def _is_smallest_turned_box(points: np.ndarray, shape: shapely.Geometry) -> None:
    assert points.shape == (4, 2)
    rectangle = Polygon(points)
    edges = np.diff(np.vstack((points, points[:1])), axis=0)
    assert (edges * np.roll(edges, -1, axis=0)).sum(axis=1) == pytest.approx([0] * 4, abs=1e-5)
    assert rectangle.buffer(1e-6).covers(shape)
    # No edge of the hull gives a smaller rectangle: the smallest one lies along one of them.
    hull = shapely.get_coordinates(shape.convex_hull)
    along = np.diff(hull, axis=0)
    along = along[np.hypot(*along.T) > 1e-9]
    along /= np.hypot(*along.T)[:, np.newaxis]
    extents = [np.ptp(hull @ u) * np.ptp(hull @ (-u[1], u[0])) for u in along]
    assert rectangle.area == pytest.approx(min(extents), abs=1e-4)
    # Clockwise as one sees it, y down, from the uppermost corner.
    x, y = points.T
    assert (x * np.roll(y, -1) - np.roll(x, -1) * y).sum() > 0
    assert y[0] <= y.min() + 2e-6


@pytest.mark.parametrize("name", NAMES)
def test_dota_and_kitti(name: str, made: Callable[[str], Made]) -> None:
    done = made(name)
    names = {c["id"]: c["name"].replace(" ", "-") for c in done.classes}
    for chip in done.chips:
        split, stem = chip.row["split"], chip.row["chip"]
        assert (done.out / f"dota/{split}/images/{stem}.tif").samefile(done.out / chip.row["image"])
        lines = (done.out / f"dota/{split}/labelTxt/{stem}.txt").read_text().splitlines()
        for line, shape, value in zip(lines, chip.shapes, chip.classes, strict=True):
            *corners, label, difficulty = line.split()
            assert (label, difficulty) == (names[value], "0")
            _is_smallest_turned_box(np.array(corners, dtype=np.float64).reshape(-1, 2), shape)
        assert (done.out / f"kitti/{split}/image_2/{stem}.tif").samefile(done.out / chip.row["image"])
        lines = (done.out / f"kitti/{split}/label_2/{stem}.txt").read_text().splitlines()
        for line, shape, value, cut in zip(lines, chip.shapes, chip.classes, chip.truncated, strict=True):
            label, truncated, occluded, *numbers = line.split(" ")
            assert (label, float(truncated), int(occluded)) == (names[value], float(cut), 0)
            alpha, left, top, right, bottom, *solid = map(float, numbers)
            assert (left, top, right, bottom) == pytest.approx(shape.bounds, abs=1e-6)
            assert (alpha, solid) == (-10, [-1, -1, -1, -1000, -1000, -1000, -10])


def parse_voc_xml(node: ET.Element) -> dict[str, Any]:
    """As torchvision.datasets.VOCDetection does: children by tag, lists where there are several, and for `object`."""
    children = list(node)
    if not children:
        return {node.tag: (node.text or "").strip()}
    gathered: dict[str, list[Any]] = {}
    for child in children:
        for tag, value in parse_voc_xml(child).items():
            gathered.setdefault(tag, []).append(value)
    found = {tag: values[0] if len(values) == 1 and tag != "object" else values for tag, values in gathered.items()}
    return {node.tag: found}


@pytest.mark.parametrize("name", NAMES)
def test_voc(name: str, made: Callable[[str], Made]) -> None:
    done = made(name)
    names = {c["id"]: c["name"] for c in done.classes}
    voc = done.out / "voc"
    for split in ("train", "val", "test"):
        listed = [chip.row["chip"] for chip in done.chips if chip.row["split"] == split]
        for task in ("Main", "Segmentation"):
            assert (voc / f"ImageSets/{task}/{split}.txt").read_text().splitlines() == listed
    for chip in done.chips:
        stem = chip.row["chip"]
        tree = parse_voc_xml(ET.parse(voc / f"Annotations/{stem}.xml").getroot())["annotation"]
        assert (voc / "JPEGImages" / tree["filename"]).samefile(done.out / chip.row["image"])
        assert [int(tree["size"][axis]) for axis in ("width", "height", "depth")] == [
            *chip.size,
            len(chip.row["bands"]),
        ]
        with Image.open(voc / f"SegmentationClass/{stem}.png") as picture:
            assert picture.mode == "P"
            classes = np.asarray(picture)
            palette = np.reshape(picture.getpalette(), (-1, 3))
            for c in done.classes:
                assert palette[c["id"]].tolist() == list(bytes.fromhex(c["color"][1:]))
        with rasterio.open(done.out / f"masks/semantic/{chip.row['split']}/{stem}.tif") as mask:
            assert np.array_equal(classes, mask.read(1))
        with Image.open(voc / f"SegmentationObject/{stem}.png") as picture:
            objects = np.asarray(picture)
        assert np.array_equal(objects == 255, classes == 255)
        found = tree.get("object", [])
        for number, (entry, shape, value, cut) in enumerate(
            zip(found, chip.shapes, chip.classes, chip.truncated, strict=True), start=1
        ):
            assert (entry["name"], entry["truncated"]) == (names[value], str(int(cut)))
            x0, y0, x1, y1 = shape.bounds
            xmin, ymin, xmax, ymax = (int(entry["bndbox"][side]) for side in ("xmin", "ymin", "xmax", "ymax"))
            assert xmin - 1 <= x0 + 1e-6 < xmin + 2e-6
            assert ymin - 1 <= y0 + 1e-6 < ymin + 2e-6
            assert xmax - 1 - 2e-6 < x1 - 1e-6 <= xmax
            assert ymax - 1 - 2e-6 < y1 - 1e-6 <= ymax
            rows, cols = np.nonzero(objects == number)
            assert (classes[rows, cols] == value).all()
            if len(rows):
                assert xmin - 1 <= cols.min() <= cols.max() < xmax
                assert ymin - 1 <= rows.min() <= rows.max() < ymax


@pytest.mark.parametrize("name", NAMES)
def test_instance_masks_are_what_rasterio_burns(name: str, made: Callable[[str], Made]) -> None:
    done = made(name)
    tables = pd.concat([pd.read_csv(done.out / f"masks/instance/{s}.csv") for s in ("train", "val", "test")])
    with rasterio.open(done.done.raster) as scene:
        frame = done.done.frame.to_crs(scene.crs)
        for chip in done.chips:
            table = tables[tables.chip == chip.row["chip"]]
            assert table.annotation.tolist() == chip.ids
            assert table.value.tolist() == list(range(1, len(chip.ids) + 1))
            assert table.class_id.tolist() == chip.classes
            assert table.truncated.astype(bool).tolist() == chip.truncated
            path = f"masks/instance/{chip.row['split']}/{chip.row['chip']}.tif"
            assert path in chip.row["masks"]
            with rasterio.open(done.out / path) as mask:
                ours = mask.read(1)
                assert (mask.dtypes, mask.crs, mask.nodata) == (("uint16",), scene.crs, 65535)
                assert mask.transform[:6] == pytest.approx(chip.row["transform"], rel=1e-15)
            window = Window(chip.row["col"], chip.row["row"], chip.row["width"], chip.row["height"])
            values = {number: value for value, number in enumerate(chip.ids, start=1)}
            theirs = rasterio.features.rasterize(
                [(shape, values.get(number, 0)) for number, shape in enumerate(frame.geometry, start=1)],
                out_shape=ours.shape,
                transform=scene.window_transform(window),
                dtype="uint16",
            )
            with rasterio.open(done.out / f"masks/semantic/{chip.row['split']}/{chip.row['chip']}.tif") as semantic:
                theirs[semantic.read(1) == 255] = 65535
            assert np.array_equal(ours, theirs)
            assert table.pixels.tolist() == [int((ours == value).sum()) for value in table.value]


@pytest.mark.parametrize("name", NAMES)
def test_panoptic_passes_the_checks_of_panopticapi(name: str, made: Callable[[str], Made]) -> None:
    """What panopticapi's evaluation and detection converter demand of a ground truth."""
    done = made(name)
    segments = 0
    for split in ("train", "val", "test"):
        file = json.loads((done.out / f"masks/panoptic/{split}.json").read_text())
        categories = {c["id"]: c for c in file["categories"]}
        assert all(c["isthing"] == 1 and len(c["color"]) == 3 for c in categories.values())
        images = {image["id"]: image for image in file["images"]}
        truths = {chip.row["chip"]: chip for chip in done.chips if chip.row["split"] == split}
        assert len(file["annotations"]) == len(images) == len(truths)
        for annotation in file["annotations"]:
            image = images[annotation["image_id"]]
            with Image.open(done.out / f"masks/panoptic/{split}/{annotation['file_name']}") as picture:
                assert picture.mode == "RGB"
                colors = np.asarray(picture).astype(np.uint32)
            assert colors.shape[:2] == (image["height"], image["width"])
            ids = colors[..., 0] + 256 * colors[..., 1] + 256 * 256 * colors[..., 2]
            infos = {info["id"]: info for info in annotation["segments_info"]}
            assert len(infos) == len(annotation["segments_info"])
            assert set(np.unique(ids)) - {0} == set(infos)
            stem = annotation["file_name"].removesuffix(".png")
            with rasterio.open(done.out / f"masks/instance/{split}/{stem}.tif") as instances:
                values = instances.read(1)
            assert np.array_equal(ids, np.where(values == 65535, 0, values))  # every class is a thing here
            for number, info in infos.items():
                segments += 1
                rows, cols = np.nonzero(ids == number)
                assert info["category_id"] in categories
                assert info["area"] == len(rows)
                x, y, width, height = info["bbox"]
                assert (x, y, x + width, y + height) == (cols.min(), rows.min(), cols.max() + 1, rows.max() + 1)
                assert info["geo"]["annotation"] == truths[stem].ids[number - 1]
    assert segments > 5


@pytest.mark.parametrize("name", NAMES)
def test_image_folders(name: str, made: Callable[[str], Made]) -> None:
    done = made(name)
    names = [c["name"] for c in done.classes]
    for split in ("train", "val", "test"):
        folder = done.out / "imagefolder" / split
        # torchvision's ImageFolder: sorted names of folders are the classes, what lies in them the samples.
        assert sorted(p.name for p in folder.iterdir()) == sorted(names)
        placed = {p.stem: p.parent.name for p in folder.glob("*/*.tif")}
        with (done.out / f"imagefolder/{split}.csv").open(newline="") as file:
            table = list(csv.DictReader(file))
        chips = [chip for chip in done.chips if chip.row["split"] == split]
        for row, chip in zip(table, chips, strict=True):
            assert (folder.parent / row["image"]).samefile(done.out / chip.row["image"])
            with rasterio.open(done.out / f"masks/semantic/{split}/{chip.row['chip']}.tif") as mask:
                counts = np.bincount(mask.read(1).ravel(), minlength=256)[[c["id"] for c in done.classes]]
            assert [int(row[n]) for n in names] == (counts > 0).astype(int).tolist()
            largest = {n for n, count in zip(names, counts, strict=True) if count == counts.max() > 0}
            assert placed.pop(chip.row["chip"], None) in (largest or {None})
        assert not placed


def test_the_same_labels_give_the_same_bytes(made: Callable[[str], Made], tmp_path: Path) -> None:
    one = made("kampala")
    workflows.export(one.done.store, one.done.project, tmp_path / "two", FORMATS, one.done.spec)
    first, second = (
        {p.relative_to(out): hashlib.sha256(p.read_bytes()).digest() for p in sorted(out.rglob("*")) if p.is_file()}
        for out in (one.out, tmp_path / "two")
    )
    assert first == second


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
