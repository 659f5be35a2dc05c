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
from shapely.geometry import Polygon, box

from geolabel import workflows

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
