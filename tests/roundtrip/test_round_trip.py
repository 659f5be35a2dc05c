"""Labels go out as a dataset of overlapping chips and come back: what was one object is one again, where it was."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import rasterio.features
import shapely
from shapely import affinity
from shapely.geometry import MultiPolygon, Point, Polygon, box

from geolabel import intake, workflows
from geolabel.chips.spec import ChipSpec
from geolabel.formats import vector
from geolabel.formats.memory import labels_from_frame
from geolabel.store.store import open_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from geolabel.store.store import Store

FLOATS = ("coco", "yolo-seg")
BOXES = ("yolo", "kitti")
TURNED = ("dota", "yolo-obb")
MASKS = ("mask-instance", "coco-panoptic", "voc-segmentation")
WRITTEN = (*FLOATS, *BOXES, *TURNED, "mask-instance", "coco-panoptic", "mask-semantic", "voc")
FOLDERS = {
    "coco": "coco",
    "mask-instance": "masks/instance",
    "coco-panoptic": "masks/panoptic",
    "mask-semantic": "masks/semantic",
    "voc-segmentation": "voc",
}
SCENES = ("atlanta", "elkton", "kampala", "rotated", "south-up")
PAIRS = {
    "atlanta": (
        "atlanta_pan16_buildings/atlanta_pan.tif",
        "atlanta_pan16_buildings/buildings_epsg32616.geojson",
        None,
        300,
    ),
    "elkton": (
        "elkton_l8_uint16_landcover/l8_elkton_uint16.tif",
        "elkton_l8_uint16_landcover/labels.geojson",
        None,
        64,
    ),
    "kampala": ("kampala_rgb_buildings/kampala_z19_rgb.tif", "kampala_rgb_buildings/buildings.geojson", None, 256),
}


@dataclass(frozen=True)
class Trip:
    """A dataset, and what the labels are in pixels of the scene by geopandas and rasterio, cut to it by shapely."""

    store: Store
    scene: str
    raster: Path
    classes: list[str]
    out: Path
    truth: list[Any]
    all: list[Any]

    def pixels(self, shapes: gpd.GeoSeries) -> list[Any]:
        with rasterio.open(self.raster) as opened:
            a, b, c, d, e, f = (~opened.transform)[:6]
            moved = shapes.to_crs(opened.crs) if opened.crs else shapes
        return list(gpd.GeoSeries(moved.array, crs=None).affine_transform([a, b, d, e, c, f]))

    def back(self, format_name: str) -> list[Any]:
        """The shapes that come back, in pixels of the scene."""
        project = workflows.create_project(
            self.store, f"{self.scene} {format_name}", scenes=[self.scene], classes=self.classes
        )
        path = self.out / FOLDERS.get(format_name, format_name)
        options = intake.Options(on_invalid="repair")
        report = workflows.import_file(
            self.store,
            project.id,
            path,
            format_name=format_name,
            manifest=self.out,
            options=options,
            outside="clip",
        )
        assert report.read == report.imported + report.skipped
        shapes = [a.geometry for a in self.store.query(project.id)]
        assert len(shapes) == report.imported
        return self.pixels(gpd.GeoSeries(shapes, crs=project.crs))


@pytest.fixture(scope="module")
def trips(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Trip]]:
    made: dict[str, Trip] = {}

    def make(name: str) -> Trip:
        if name not in made:
            made[name] = _trip(name, data / "pairs", tmp_path_factory.mktemp(name))
        return made[name]

    yield make
    for trip in made.values():
        trip.store.close()


def _trip(name: str, pairs: Path, folder: Path) -> Trip:
    store = open_store(folder / "ws", create=True)
    if name in PAIRS:
        raster, labels_file, field, size = PAIRS[name]
        path = pairs / raster
        frame = gpd.read_file(pairs / labels_file)
        labels = vector.read_labels(pairs / labels_file)
    else:
        path, field, size = folder / f"{name}.tif", "kind", 128
        frame = _drawn(path, pairs / PAIRS["kampala"][0], turned=name == "rotated")
        labels = labels_from_frame(frame)
    classes = sorted(set(frame[field])) if field else ["thing"]
    scene = workflows.add_scene(store, path)
    project = workflows.create_project(store, name, scenes=[scene.id], classes=classes)
    workflows.import_labels(
        store, project.id, labels, class_field=field, class_name=None if field else "thing", on_invalid="repair"
    )
    out = folder / "out"
    workflows.export(store, project.id, out, WRITTEN, ChipSpec(size=size, stride=size * 3 // 4, edges="shift"))
    trip = Trip(store, scene.id, path, classes, out, [], [])
    shapes = frame.geometry.make_valid(method="structure", keep_collapsed=False).where(
        ~frame.geometry.is_valid, frame.geometry
    )
    area = box(0, 0, scene.grid.width, scene.grid.height)
    cut = [shape.intersection(area) for shape in trip.pixels(shapes)]
    trip.all.extend(shape for shape in cut if not shape.is_empty)
    trip.truth.extend(shape for shape in cut if shape.area > 100)
    assert len(trip.truth) > 2
    return trip


def _drawn(path: Path, source: Path, *, turned: bool) -> gpd.GeoDataFrame:
    """A scene on a turned and sheared grid, or one with its first row in the south; and shapes with holes and parts."""
    with rasterio.open(source) as opened:
        pixels = opened.read(window=((0, 400), (0, 400)))
    transform = rasterio.Affine(0.4, 0.13, 500_000, -0.11, -0.55, 5_000_000)
    if not turned:
        transform = rasterio.Affine(0.5, 0, 500_000, 0, 0.5, 5_000_000)
    with rasterio.open(
        path, "w", driver="GTiff", width=400, height=400, count=3, dtype="uint8", crs="EPSG:32633", transform=transform
    ) as target:
        target.write(pixels)
    holed = Polygon([(20.3, 20.7), (180.2, 30.1), (150.9, 190.4), (30.6, 170.2)], [Point(90, 90).buffer(20.3).exterior])
    parts = MultiPolygon([box(210.5, 20.25, 260.125, 80.5), box(290.2, 30, 330.7, 75.5)])
    shapes = [holed, parts, Point(300, 300).buffer(61.7), affinity.rotate(box(40, 220, 140, 260), 27)]
    a, b, c, d, e, f = transform[:6]
    ground = gpd.GeoSeries(shapes).affine_transform([a, b, d, e, c, f])
    return gpd.GeoDataFrame({"kind": ["field", "field", "pond", "barn"]}, geometry=ground.array, crs="EPSG:32633")


def nearest(shape: Any, found: list[Any]) -> Any:
    """What has most in common with a shape."""
    valid = [f if f.is_valid else f.buffer(0) for f in found]
    best = int(
        np.argmax([shapely.area(f.intersection(shape)) / max(shapely.area(f.union(shape)), 1e-9) for f in valid])
    )
    return valid[best]


@pytest.mark.parametrize("name", SCENES)
@pytest.mark.parametrize("format_name", FLOATS)
def test_floats_come_back_to_the_millionth_of_a_pixel(
    name: str, format_name: str, trips: Callable[[str], Trip]
) -> None:
    trip = trips(name)
    found = trip.back(format_name)
    for shape in trip.truth:
        if format_name == "coco" and _holed(shape):
            continue  # COCO says holes in pixels, not in floats
        same = nearest(shape, found)
        assert shapely.hausdorff_distance(shape.boundary, same.boundary) < 1e-6


def _holed(shape: Any) -> bool:
    return bool(sum(shapely.get_num_interior_rings(shapely.get_parts(shape))))


@pytest.mark.parametrize("name", SCENES)
@pytest.mark.parametrize("format_name", BOXES)
def test_boxes_come_back_whole(name: str, format_name: str, trips: Callable[[str], Trip]) -> None:
    trip = trips(name)
    found = trip.back(format_name)
    # Parts on different chips are different boxes.
    wanted = [np.array(shape.bounds) for shape in trip.truth if shape.geom_type == "Polygon"]
    same = sum(min(np.abs(np.array(f.bounds) - want).max() for f in found) < 1e-6 for want in wanted)
    # Of two neighbours whose boxes overlap, and that the edge of a chip cuts, no box says which piece is whose.
    assert same >= 0.97 * len(wanted)


@pytest.mark.parametrize("name", SCENES)
def test_voc_boxes_are_the_whole_pixels_that_a_shape_touches(name: str, trips: Callable[[str], Trip]) -> None:
    trip = trips(name)
    found = np.array([f.bounds for f in trip.back("voc")])
    bounds = np.array([shape.bounds for shape in trip.truth if shape.geom_type == "Polygon"])
    wanted = np.hstack((np.floor(bounds[:, :2] + 1e-6), np.ceil(bounds[:, 2:] - 1e-6)))
    same = sum(np.abs(found - want).max(axis=1).min() < 1e-6 for want in wanted)
    assert same >= 0.97 * len(wanted)


@pytest.mark.parametrize("name", SCENES)
@pytest.mark.parametrize("format_name", TURNED)
def test_turned_boxes_lie_on_their_objects(name: str, format_name: str, trips: Callable[[str], Trip]) -> None:
    trip = trips(name)
    found = trip.back(format_name)
    for shape in trip.truth:
        # An object that chips cut has a box around each piece, that is larger than the piece.
        same = nearest(shape, found)
        assert same.buffer(1e-6).covers(shape) or same.intersection(shape).area > 0.8 * shape.area


@pytest.mark.parametrize("name", SCENES)
@pytest.mark.parametrize("format_name", MASKS)
def test_masks_come_back_to_the_pixel(name: str, format_name: str, trips: Callable[[str], Trip]) -> None:
    """The pixels that GDAL burns for a label and for what came back are the same: IoU >= 0.995, and 1 for nearly all."""
    trip = trips(name)
    found = trip.back(format_name)
    with rasterio.open(trip.raster) as scene:
        size, valid = scene.shape, scene.dataset_mask() > 0
    alone = [s for s in trip.truth if sum(s.intersects(o) for o in trip.truth) == 1]
    assert alone
    exact = 0
    for shape in alone:
        want = _burnt(shape, size) & valid
        if want.sum() <= 100:
            continue
        got = _burnt(nearest(shape, found), size)
        iou = (want & got).sum() / (want | got).sum()
        assert iou >= 0.995
        exact += iou == 1
    # Elkton's labels are in degrees: their edges bend a little on the way, as geopandas' do not.
    assert exact >= 0.9 * len(alone) or name == "elkton"


def _burnt(shape: Any, size: tuple[int, int]) -> np.ndarray:
    return rasterio.features.rasterize([shape], out_shape=size).astype(bool)


@pytest.mark.parametrize("name", SCENES)
def test_semantic_masks_burn_to_the_same_mask(name: str, trips: Callable[[str], Trip]) -> None:
    trip = trips(name)
    found = trip.back("mask-semantic")
    with rasterio.open(trip.raster) as scene:
        size, valid = scene.shape, scene.dataset_mask() > 0
    want = rasterio.features.rasterize(trip.all, out_shape=size).astype(bool) & valid
    got = rasterio.features.rasterize(found, out_shape=size).astype(bool)
    small = (want != got).sum() / want.sum()
    assert small < 0.005
