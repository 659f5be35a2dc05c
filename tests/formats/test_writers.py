"""The formats of tools and of maps: each read by its own reader, or by a parser that knows nothing of ours."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import tarfile
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import cv2
import geopandas as gpd
import numpy as np
import pyarrow.parquet as pq
import pyogrio
import pystac
import pytest
import rasterio
import shapely
import yaml
from pycocotools.coco import COCO
from shapely.geometry import LineString, MultiPoint, MultiPolygon, Point, Polygon, box

from geolabel import intake, workflows
from geolabel.chips.spec import ChipSpec
from geolabel.errors import InvalidSpec
from geolabel.model import NewAnnotation
from geolabel.store.store import open_store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from geolabel.store.store import Store

MAPS = ("flatgeobuf", "gpkg", "kml", "shapefile")
PIXELS = (
    "arcgis", "coco", "coco-keypoints", "cvat", "labelstudio", "mask-boundary", "mask-distance", "mask-instance", "mask-png",
    "mask-semantic", "multilabel", "stac", "trainingdml", "webdataset", "yolo-pose",
)  # fmt: skip
TRANSFORM = rasterio.Affine(0.5, 0.1, 400_000, 0.1, -0.5, 5_000_000)
SIZE = 200
SHAPES: list[tuple[str, Any, dict[str, Any]]] = [
    ("field", Polygon([(10, 10), (90, 15), (85, 95), (12, 80)], [[(30, 30), (60, 30), (60, 60), (30, 60)]]), {"crop": "rye"}),
    ("field", MultiPolygon([box(110, 10, 150, 60), box(155, 20, 190, 50)]), {"crop": "a text that is " + "long " * 80}),
    ("house", box(80, 110, 130, 150), {"a_long_name_of_a_column": 3.5}),
    ("road", LineString([(5, 190), (195, 130)]), {}),
    ("tree", Point(20.5, 120.25), {}),
    ("tree", MultiPoint([(150.5, 160), (160, 170.25), (170, 180)]), {}),
]  # fmt: skip


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    folder = tmp_path_factory.mktemp("writers")
    pixels = np.random.default_rng(1).integers(0, 255, (3, SIZE, SIZE), dtype=np.uint8)
    with rasterio.open(
        folder / "town.tif",
        "w",
        driver="GTiff",
        width=SIZE,
        height=SIZE,
        count=3,
        dtype="uint8",
        crs="EPSG:32633",
        transform=TRANSFORM,
    ) as target:
        target.write(pixels)
    with open_store(folder / "ws", create=True) as store:
        scene = workflows.add_scene(store, folder / "town.tif", datetime="2024-05-06")
        project = workflows.create_project(
            store,
            "Town",
            scenes=[scene.id],
            classes=["field", "house", "road", "tree"],
            attributes=["crop", {"name": "a_long_name_of_a_column", "kind": "number"}],
        )
        store.create(project.id, [NewAnnotation(on_map(shape), name, attributes=said) for name, shape, said in SHAPES])
        yield store


def on_map(shape: Any) -> Any:
    a, b, c, d, e, f = TRANSFORM[:6]
    return shapely.transform(
        shape, lambda v: np.column_stack((a * v[:, 0] + b * v[:, 1] + c, d * v[:, 0] + e * v[:, 1] + f))
    )


@pytest.fixture(scope="module")
def out(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dataset") / "out"
    spec = ChipSpec(size=100, image_format="png")
    workflows.export(store, "town", out, (*MAPS, *PIXELS), spec)
    return out


def notes(out: Path) -> str:
    return "\n".join(json.loads((out / "report.json").read_text())["notes"])


def chips(out: Path) -> list[dict[str, Any]]:
    return pq.read_table(out / "chips.parquet").to_pylist()


def back(store: Store, out: Path, format_name: str, path: str) -> dict[str, int]:
    project = workflows.create_project(
        store, f"back {format_name}", scenes=["town"], classes=["field", "house", "road", "tree"]
    )
    options = intake.Options(on_invalid="repair")
    workflows.import_file(store, project.id, out / path, format_name=format_name, manifest=out, options=options)
    return {name: count for name, count in store.counts(project.id).items() if count}


def test_the_same_labels_give_the_same_bytes(store: Store, out: Path, tmp_path: Path) -> None:
    spec = ChipSpec(size=100, image_format="png")
    os.environ["TZ"] = "Pacific/Chatham"
    try:
        workflows.export(store, "town", tmp_path / "out", (*MAPS, *PIXELS), spec)
    finally:
        del os.environ["TZ"]

    def sums(folder: Path) -> dict[str, str]:
        files = (p for p in folder.rglob("*") if p.is_file())
        return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}

    assert sums(out) == sums(tmp_path / "out")


@pytest.mark.parametrize(("name", "file"), [("gpkg", "town.gpkg"), ("flatgeobuf", "town.fgb")])
def test_gdal_reads_the_stored_doubles(name: str, file: str, store: Store, out: Path) -> None:
    frame = pyogrio.read_dataframe(out / name / file).sort_values("id")
    assert frame.crs.to_epsg() == 32633
    stored = store.query("town")
    assert list(frame["id"]) == [a.id for a in stored]
    assert list(frame["class"]) == [a.class_name for a in stored]
    assert shapely.equals_identical(frame.geometry.array, np.array([a.geometry for a in stored], dtype=object)).all()
    assert frame["crop"].iloc[0] == "rye"
    assert list(frame["a_long_name_of_a_column"].dropna()) == [3.5]
    assert back(store, out, name, f"{name}/{file}") == {"field": 2, "house": 1, "road": 1, "tree": 2}


def test_shapefiles_hold_one_sort_each_and_say_what_they_cut(out: Path) -> None:
    found = {
        sort: pyogrio.read_dataframe(out / f"shapefile/town-{sort}.shp") for sort in ("points", "lines", "polygons")
    }
    assert {sort: len(frame) for sort, frame in found.items()} == {"points": 2, "lines": 1, "polygons": 3}
    assert "a_long_nam" in found["polygons"].columns
    assert len(found["polygons"]["crop"].iloc[1].encode()) == 254
    assert "'a_long_name_of_a_column' is 'a_long_nam' there" in notes(out)
    assert "A Shapefile's texts have 254 bytes: 1 text cut off." in notes(out)


def test_kml_is_longitude_and_latitude(store: Store, out: Path) -> None:
    frame = pyogrio.read_dataframe(out / "kml/town.kml")
    stored = gpd.GeoSeries([a.geometry for a in store.query("town")], crs="EPSG:32633").to_crs("OGC:CRS84")
    assert list(frame["Name"]) == [name for name, _, _ in SHAPES]
    assert shapely.hausdorff_distance(frame.geometry.array, stored.array).max() < 1e-7


def test_attributes_are_written_or_missed(out: Path) -> None:
    said = notes(out)
    assert "No place for attributes in arcgis, coco-keypoints, labelstudio, " in said
    assert "crop, a_long_name_of_a_column of 3 annotations left out there." in said
    coco = json.loads((out / "coco/train.json").read_text())
    values = [annotation.get("attributes") for annotation in coco["annotations"]]
    assert {"crop": "rye"} in values
    assert {"a_long_name_of_a_column": 3.5} in values
    assert "attributes" not in coco["annotations"][0] or coco["annotations"][0]["attributes"]


def test_label_studio(store: Store, out: Path) -> None:
    tasks = json.loads((out / "labelstudio/tasks.json").read_text())
    assert [t["data"]["image"] for t in tasks] == [f"/data/local-files/?d={c['image']}" for c in chips(out)]
    kinds = [r["type"] for t in tasks for r in t["annotations"][0]["result"]]
    config = ET.parse(out / "labelstudio/label_config.xml").getroot()
    names = {c.get("name"): {label.get("value") for label in c} for c in config if c.get("toName") == "image"}
    for task in tasks:
        for result in task["annotations"][0]["result"]:
            (label,) = result["value"][result["type"]]
            assert label in names[result["from_name"]]
            for x, y in result["value"].get("points", []):
                assert 0 <= x <= 100
                assert 0 <= y <= 100
    assert set(kinds) == {"polygonlabels", "keypointlabels"}
    assert "Label Studio has no lines" in notes(out)
    assert "Label Studio's polygons have no holes" in notes(out)
    assert "A key point is one point: 2 points" in notes(out)
    found = back(store, out, "labelstudio", "labelstudio/tasks.json")
    assert found == {"field": 2, "house": 1, "tree": 2}


def test_cvat(store: Store, out: Path) -> None:
    root = ET.parse(out / "cvat/annotations.xml").getroot()
    assert root.findtext("version") == "1.1"
    assert [i.get("name") for i in root.findall("image")] == [f"{c['chip']}.png" for c in chips(out)]
    assert {i.get("subset") for i in root.findall("image")} == {c["split"] for c in chips(out)}
    field = next(p for p in root.iter("polygon") if p.get("label") == "field" and p.find("attribute") is not None)
    assert field.findtext("attribute[@name='crop']") == "rye"
    assert len(root.findall("image/polyline")) >= 2
    points = [p.get("points") for p in root.iter("points")]
    assert sorted(p.count(",") for p in points if p) == [1, 3]
    assert "CVAT's polygons have one outline" in notes(out)
    assert back(store, out, "cvat", "cvat/annotations.xml")["house"] == 1


def test_coco_keypoints_load_in_pycocotools(store: Store, out: Path) -> None:
    count = 0
    for file in sorted((out / "coco-keypoints").glob("*.json")):
        coco = COCO(str(file))
        for annotation in coco.loadAnns(coco.getAnnIds()):
            points = np.array(annotation["keypoints"]).reshape(-1, 3)
            assert (points[:, 2] > 0).sum() == annotation["num_keypoints"]
            x, y, width, height = annotation["bbox"]
            seen = points[points[:, 2] > 0]
            assert ((seen[:, :2] >= (x, y)) & (seen[:, :2] <= (x + width, y + height))).all()
            count += annotation["num_keypoints"]
    assert count == 4
    assert "COCO keypoints holds points only" in notes(out)
    assert back(store, out, "coco-keypoints", "coco-keypoints") == {"tree": 2}


def test_yolo_pose_is_as_ultralytics_checks_it(store: Store, out: Path) -> None:
    config = yaml.safe_load((out / "yolo-pose/data.yaml").read_text())
    number, dimensions = config["kpt_shape"]
    lines = [
        line.split() for file in (out / "yolo-pose/labels").rglob("*.txt") for line in file.read_text().splitlines()
    ]
    assert lines
    for line in lines:
        values = np.array(line, dtype=float)
        assert len(values) == 5 + number * dimensions
        assert (values[1:5] >= 0).all()
        assert (values[1:5] <= 1).all()
        assert (values[5:].reshape(-1, 3)[:, :2] <= 1).all()
        assert config["names"][int(values[0])] == "tree"
    assert len(list((out / "yolo-pose/images").rglob("*.png"))) == len(chips(out))
    assert back(store, out, "yolo-pose", "yolo-pose") == {"tree": 2}


def test_a_png_mask_lies_where_its_chip_lies(out: Path) -> None:
    for chip in chips(out):
        with (
            rasterio.open(out / f"masks/png/{chip['split']}/{chip['chip']}.png") as png,
            rasterio.open(out / f"masks/semantic/{chip['split']}/{chip['chip']}.tif") as tif,
        ):
            assert png.crs == tif.crs
            assert np.allclose(png.transform, tif.transform, rtol=0, atol=1e-9)
            assert (png.read(1) == tif.read(1)).all()
            for value in np.unique(tif.read(1)).tolist():
                assert png.colormap(1)[value][:3] == tif.colormap(1)[value][:3]


def test_boundaries_and_distances_are_those_of_the_objects(out: Path) -> None:
    for chip in chips(out):
        inside = f"{chip['split']}/{chip['chip']}.tif"
        with rasterio.open(out / f"masks/instance/{inside}") as opened:
            instances = opened.read(1).astype(np.int32)
        with rasterio.open(out / f"masks/boundary/{inside}") as opened:
            boundary = opened.read(1)
        with rasterio.open(out / f"masks/distance/{inside}") as opened:
            distance = opened.read(1)
        assert (boundary[instances == 0] == 0).all()
        assert (distance[instances == 0] == 0).all()
        for value in np.unique(instances[instances > 0]).tolist():
            own = instances == value
            # A pixel of the object that an erosion by a cross takes away, borders of the chip left aside.
            eroded = cv2.erode(own.astype(np.uint8), cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3)), borderValue=1)
            assert ((boundary == 1) & own == own & (eroded == 0)).all()
            rows, cols = np.nonzero(own)
            others = np.argwhere(~own)
            for row, col in list(zip(rows.tolist(), cols.tolist(), strict=True))[::97]:
                nearest = np.sqrt(((others - (row, col)) ** 2).sum(axis=1)).min()
                assert distance[row, col] == pytest.approx(nearest, abs=0.01)


def test_the_table_of_all_classes(out: Path) -> None:
    rows = list(csv.DictReader(io.StringIO((out / "multilabel.csv").read_text())))
    assert [row["image"] for row in rows] == [chip["image"] for chip in chips(out)]
    names = ["field", "house", "road", "tree"]
    for row, chip in zip(rows, chips(out), strict=True):
        with rasterio.open(out / f"masks/semantic/{chip['split']}/{chip['chip']}.tif") as opened:
            found = set(np.unique(opened.read(1)).tolist())
        assert {name for name in names if row[name] == "1"} == {n for i, n in enumerate(names, start=1) if i in found}


def test_arcgis(out: Path) -> None:
    total = 0
    for folder in sorted((out / "arcgis").iterdir()):
        lines = [line.split() for line in (folder / "map.txt").read_text().splitlines()]
        assert all((folder / image).is_file() and (folder / label).is_file() for image, label in lines)
        stats = (folder / "stats.txt").read_text()
        assert f"images = {len(lines)}\n" in stats
        total += len(lines)
        definition = json.loads((folder / "esri_model_definition.emd").read_text())
        assert [c["Name"] for c in definition["Classes"]] == ["field", "house", "road", "tree"]
        assert (definition["ImageHeight"], definition["ImageWidth"]) == (100, 100)
    assert total == len(chips(out))


def test_webdataset_is_a_tar_of_samples(out: Path) -> None:
    seen = []
    for file in sorted((out / "webdataset").glob("*.tar")):
        with tarfile.open(file) as archive:
            members = {m.name: archive.extractfile(m).read() for m in archive.getmembers()}  # type: ignore[union-attr]
        keys = list(dict.fromkeys(name.partition(".")[0] for name in members))
        for key in keys:
            described = json.loads(members[f"{key}.json"])
            split = file.name.partition("-")[0]
            assert members[f"{key}.png"] == (out / f"images/{split}/{key}.png").read_bytes()
            with rasterio.MemoryFile(members[f"{key}.mask.tif"]) as memory, memory.open() as opened:
                assert opened.read(1).shape == (100, 100)
            assert all(shapely.from_geojson(json.dumps(label["geometry"])).is_valid for label in described["labels"])
        seen += keys
    assert sorted(seen) == sorted(chip["chip"] for chip in chips(out))


def test_stac_is_read_by_pystac_and_fits_its_schemas(out: Path, data: Path) -> None:
    from jsonschema import Draft7Validator

    label = Draft7Validator(json.loads((data / "formats/stac_label/json-schema/schema.json").read_text()))
    collection = pystac.Collection.from_file(str(out / "stac/collection.json"))
    items = list(collection.get_items())
    assert [item.id for item in items] == [chip["chip"] for chip in chips(out)]
    splits = {"train": "train", "val": "validate", "test": "test"}
    for item, chip in zip(items, chips(out), strict=True):
        assert item.properties["ml-aoi:split"] == splits[chip["split"]]
        assert item.datetime is not None
        assert item.datetime.isoformat() == "2024-05-06T00:00:00+00:00"
        assert shapely.geometry.shape(item.geometry).is_valid
        assert list(label.iter_errors(json.loads((out / f"stac/items/{item.id}.json").read_text()))) == []
        a, b, c, d, e, f = chip["transform"]
        corners = gpd.GeoSeries(
            [Point(c, f), Point(100 * a + 100 * b + c, 100 * d + 100 * e + f)], crs=chip["crs"]
        ).to_crs(4326)
        assert shapely.distance(shapely.geometry.shape(item.geometry).boundary, corners.array).max() < 1e-9
        for asset in item.get_assets().values():
            assert (out / "stac/items" / asset.href).is_file()
        source = next(link for link in item.links if link.rel == "source")
        assert pystac.Item.from_file(source.get_absolute_href()).id == "scene-town"
    count = sum(len(json.loads((out / f"stac/items/{i.id}.geojson").read_text())["features"]) for i in items)
    assert count == sum(chip["labels"] for chip in chips(out))


def test_stac_fits_the_schemas_of_its_core(out: Path) -> None:
    """Those of STAC 1.1 and of GeoJSON, which pystac brings: nothing is fetched."""
    from jsonschema import Draft7Validator
    from pystac.validation.local_validator import get_local_schema_cache
    from referencing import Registry, Resource

    cache = get_local_schema_cache()
    registry: Any = Registry().with_resources((uri, Resource.from_contents(schema)) for uri, schema in cache.items())
    for folder, kind in (("collection.json", "collection"), ("items/*.json", "item"), ("scenes/*.json", "item")):
        schema = next(schema for uri, schema in cache.items() if uri.endswith(f"/{kind}.json"))
        files = sorted((out / "stac").glob(folder))
        assert files
        for file in files:
            errors = Draft7Validator(schema, registry=registry).iter_errors(json.loads(file.read_text()))
            assert [f"{'/'.join(map(str, e.absolute_path))}: {e.message[:200]}" for e in errors] == []


def test_trainingdml_fits_ogcs_schemas(out: Path, data: Path) -> None:
    from jsonschema import Draft7Validator
    from referencing import Registry, Resource
    from referencing.jsonschema import DRAFT7

    folder = data / "formats/trainingdml/schemas/1.0/json_schema"
    schemas = {s["$id"]: s for s in (json.loads(f.read_text()) for f in folder.glob("*.json")) if "$id" in s}
    geojson = {
        "https://geojson.org/schema/Feature.json": {"type": "object", "required": ["type", "geometry", "properties"]}
    }
    registry: Any = Registry().with_resources(
        (uri, Resource(contents=schema, specification=DRAFT7)) for uri, schema in (schemas | geojson).items()
    )
    main = next(s for uri, s in schemas.items() if uri.endswith("/ai_eoTrainingDataset.json"))
    value = json.loads((out / "trainingdml/dataset.json").read_text())
    errors = [
        f"{'/'.join(map(str, e.absolute_path))}: {e.message[:200]}"
        for e in Draft7Validator(main, registry=registry).iter_errors(value)
    ]
    assert errors == []
    assert value["amountOfTrainingData"] == len(chips(out)) == len(value["data"])
    assert sum(d["numberOfLabels"] for d in value["data"]) == sum(chip["labels"] for chip in chips(out))


@pytest.mark.parametrize("name", [*MAPS, "stac", "trainingdml"])
def test_pixels_without_a_place_are_refused(name: str, store: Store, tmp_path: Path) -> None:
    with rasterio.open(tmp_path / "p.png", "w", driver="PNG", width=50, height=50, count=1, dtype="uint8") as target:
        target.write(np.zeros((1, 50, 50), dtype=np.uint8))
    scene = workflows.add_scene(store, tmp_path / "p.png")
    project = workflows.create_project(store, f"pixels {name}", scenes=[scene.id], classes=["x"])
    store.create(project.id, [NewAnnotation(box(1, 1, 9, 9), "x")])
    with pytest.raises(InvalidSpec, match="place|pixels"):
        workflows.export(store, project.id, tmp_path / "out", [name], ChipSpec(size=50))
    assert not (tmp_path / "out").exists()
