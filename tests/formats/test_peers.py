"""Datumaro, supervision, webdataset and stac-valid (once stac-validator) read what we write: in an environment of their own, for they are heavy."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
import rasterio
import shapely
from pystac.validation.local_validator import get_local_schema_cache
from shapely.geometry import Polygon, box

from geolabel import workflows
from geolabel.chips.spec import ChipSpec
from geolabel.model import NewAnnotation
from geolabel.store.store import open_store

if TYPE_CHECKING:
    from pathlib import Path

FORMATS = ("coco", "cvat", "dota", "kitti", "stac", "voc", "webdataset", "yolo", "yolo-obb", "yolo-seg")
PACKAGES = ("datumaro>=1.10", "stac-valid>=4.2", "supervision>=0.25")

SCRIPT = """
import json, shutil, sys
from pathlib import Path

out, work = Path(sys.argv[1]), Path(sys.argv[2])
found = {}

import supervision as sv

def objects(dataset):
    return [len(dataset), sum(len(a) for a in dataset.annotations.values()), list(dataset.classes)]

found["sv coco"] = objects(sv.DetectionDataset.from_coco(str(out), str(out / "coco/train.json"), force_masks=True))
for name in ("yolo", "yolo-seg", "yolo-obb"):
    folder = out / name
    found[f"sv {name}"] = objects(sv.DetectionDataset.from_yolo(
        str(folder / "images/train"), str(folder / "labels/train"), str(folder / "data.yaml"),
        is_obb=name == "yolo-obb", force_masks=name == "yolo-seg"))
found["sv voc"] = objects(sv.DetectionDataset.from_pascal_voc(str(out / "voc/JPEGImages"), str(out / "voc/Annotations")))

import datumaro as dm

(work / "annotations").mkdir()
(work / "images").mkdir()
shutil.copy(out / "coco/train.json", work / "annotations/instances_train.json")
for path, name in ((work, "coco_instances"), (out / "yolo", "yolo"), (out / "dota", "dota"),
                   (out / "kitti", "kitti_detection"), (out / "cvat", "cvat")):
    items = list(dm.Dataset.import_from(str(path), name))
    # COCO's objects come as an outline and a box each.
    twice = 2 if name == "coco_instances" else 1
    found[f"dm {name}"] = [len(items), sum(len(item.annotations) for item in items) / twice]
items = list(dm.Dataset.import_from(str(out / "voc"), "voc"))
boxes = [a for item in items for a in item.annotations if a.type.name == "bbox"]
found["dm voc"] = [len(items), len(boxes)]

import webdataset as wds

samples = list(wds.WebDataset(str(out / "webdataset/train-000000.tar"), shardshuffle=False))
found["wds"] = [len(samples), sum(len(json.loads(s["json"])["labels"]) for s in samples)]

from stac_validator.validate import StacValidate

schemas = json.loads((work / "schemas.json").read_text())
checks = [StacValidate(str(path), core=True, schema_map=schemas) for path in sorted((out / "stac").rglob("*.json"))]
for check in checks:
    check.run()
found["stac"] = [len(checks), *(check.message for check in checks if not check.valid)]
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A Python that has the peers: that of GEOLABEL_PEERS, or a new environment's."""
    if "GEOLABEL_PEERS" in os.environ:
        return os.environ["GEOLABEL_PEERS"]
    folder = tmp_path_factory.mktemp("peers")
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    install = [str(folder / "bin/python"), "-m", "pip", "install", "--quiet"]
    subprocess.run([*install, *PACKAGES], check=True)
    subprocess.run([*install, "--no-deps", "webdataset>=0.2", "braceexpand"], check=True)  # it would bring torch
    return str(folder / "bin/python")


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_peers_find_every_chip_and_every_object(python: str, tmp_path: Path) -> None:
    transform = rasterio.Affine(0.5, 0, 400_000, 0, -0.5, 5_000_000)
    with rasterio.open(
        tmp_path / "s.tif",
        "w",
        driver="GTiff",
        width=256,
        height=192,
        count=3,
        dtype="uint8",
        crs="EPSG:32633",
        transform=transform,
    ) as target:
        target.write(np.random.default_rng(2).integers(0, 255, (3, 192, 256), dtype=np.uint8))
    shapes = [
        box(10, 10, 40, 30),
        Polygon([(60, 20), (100, 40), (70, 80)]),
        box(150, 100, 190, 150),
        box(200, 20, 230, 50),
    ]
    with open_store(tmp_path / "ws", create=True) as store:
        scene = workflows.add_scene(store, tmp_path / "s.tif", datetime="2024-01-02")
        project = workflows.create_project(store, "P", scenes=[scene.id], classes=["barn", "pond"])
        on_map = [
            shapely.transform(s, lambda v: np.column_stack((400_000 + v[:, 0] / 2, 5_000_000 - v[:, 1] / 2)))
            for s in shapes
        ]
        store.create(project.id, [NewAnnotation(s, ("barn", "pond")[i % 2]) for i, s in enumerate(on_map)])
        out = tmp_path / "out"
        workflows.export(store, project.id, out, FORMATS, ChipSpec(size=64, image_format="png"))
    coco = json.loads((out / "coco/train.json").read_text())
    chips, objects = len(coco["images"]), len(coco["annotations"])
    (tmp_path / "work").mkdir()
    # Those of STAC's core, which pystac brings: nothing is fetched.
    schemas = {url: tmp_path / f"schema-{i}.json" for i, url in enumerate(get_local_schema_cache())}
    for url, schema in get_local_schema_cache().items():
        schemas[url].write_text(json.dumps(schema))
    (tmp_path / "work/schemas.json").write_text(json.dumps({url: str(path) for url, path in schemas.items()}))
    (tmp_path / "read.py").write_text(SCRIPT)
    done = subprocess.run(
        [python, "-W", "ignore", str(tmp_path / "read.py"), str(out), str(tmp_path / "work")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.strip().splitlines()[-1])
    # A collection, the scene and its chips, and nothing to say against one of them.
    assert found.pop("stac") == [chips + 2]
    assert {name: value[:2] for name, value in found.items()} == {name: [chips, objects] for name in found}
    assert found["sv coco"][2] == ["barn", "pond"]
