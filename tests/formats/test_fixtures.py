"""Every format fixture that we have comes in, or is refused with a sentence that names the file."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from geolabel import intake, workflows
from geolabel.errors import InvalidInput
from geolabel.store.store import open_store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from geolabel.store.store import Store
    from tests.formats.conftest import Manifest

FORMATS = (
    Path(os.environ.get("GEOLABEL_TEST_DATA", Path(__file__).resolve().parents[3] / "shared" / "data")) / "formats"
)
FILES = sorted(str(p.relative_to(FORMATS)) for p in FORMATS.rglob("*") if p.is_file())


@dataclass(frozen=True)
class Case:
    """A fixture that comes in when somebody says where its pictures lie.

    Attributes:
        path: a file or a folder.
        pictures: width and height of each picture, by name.
        found: how many labels come in, by class.
        format_name: what to call it, where it does not say itself.
        refused: how many objects are left out, by where they stand in the file.
    """

    path: str
    pictures: dict[str, tuple[int, int]]
    found: dict[str, int]
    format_name: str = "auto"
    refused: tuple[str, ...] = ()


A, B = {"a.jpg": (10, 5)}, {"b.jpg": (5, 10)}
COCO = "datumaro/coco_dataset/coco/annotations"
PHOTOS = {"000000142238.jpg": (640, 427), "000000439180.jpg": (640, 360)}
CVAT = {"img0.jpg": (8, 8), "img1.jpg": (10, 10)}
PANOPTIC = {
    "grass-merged": 2,
    "gravel": 1,
    "horse": 12,
    "person": 28,
    "sky-other-merged": 2,
    "sports ball": 1,
    "tree-merged": 2,
    "truck": 2,
}
CASES = (
    Case(f"{COCO}/instances_train.json", A, {"b": 1}),
    Case(f"{COCO}/instances_val.json", B, {"a": 1, "b": 1}),
    Case(f"{COCO}/person_keypoints_train.json", A, {"b": 1}),
    Case(f"{COCO}/person_keypoints_val.json", B, {"a": 1, "b": 1}, "coco-keypoints"),
    Case(f"{COCO}/stuff_train.json", A, {"a": 1}),
    Case(f"{COCO}/stuff_val.json", B, {"b": 1}),
    Case(f"{COCO}/panoptic_train.json", A, {"a": 1}),
    Case(f"{COCO}/panoptic_val.json", B, {"a": 1, "b": 1}),
    Case("datumaro/coco_dataset/coco_instances/annotations", A | B, {"a": 1, "b": 2}),
    Case("datumaro/coco_dataset/coco_panoptic/annotations/panoptic_train.json", {"a.jpg": (5, 5)}, {"a": 1}),
    Case("coco_panoptic/panoptic_examples.json", PHOTOS, PANOPTIC),
    Case("coco_panoptic/panoptic_coco_detection_format.json", PHOTOS, PANOPTIC),
    Case("datumaro/voc_dataset/voc_dataset1", {"2007_000001.jpg": (20, 10)}, {"cat": 1, "person": 1}),
    Case(
        "datumaro/voc_dataset/voc_dataset1",
        {"2007_000001.jpg": (20, 10)},
        {"bicycle": 1},
        "voc-segmentation",
    ),
    Case(
        "datumaro/dota_dataset",
        {"train_001.jpg": (10, 5), "train_002.jpg": (10, 5), "val_001.jpg": (10, 5)},
        {"label_0": 2, "label_1": 2},
        refused=(),
    ),
    Case("datumaro/yolo_dataset/strict", {"1.jpg": (15, 10)}, {"label_2": 1, "label_4": 1}),
    Case("datumaro/cvat_dataset/for_images/export_project", CVAT, {"label1": 2, "label2": 6}),
    Case(
        "datumaro/cvat_dataset/for_images/export_task/train.xml",
        CVAT,
        {"label1": 1, "label2": 1},
        refused=(
            "train.xml/annotations/image[1]/polyline[1]/@label",
            "train.xml/annotations/image[2]/polygon[1]/@label",
        ),
    ),
    Case(
        "datumaro/labelme_dataset/Annotations/subset1/img1.xml",
        {"img1.png": (102, 77)},
        {"b1": 1, "hg": 1, "license plate": 1, "m1": 1, "o1": 1, "q1": 1, "window": 1},
    ),
    Case(
        "label_studio/test_export_yolo/data.json",
        {"image1": (2800, 2800), "image2": (2800, 2800)},
        {"parasites": 2, "white": 4},
    ),
    Case("label_studio/test_export_yolo/data_polygons.json", {"image2": (640, 426)}, {"Airplane": 1}),
    Case("label_studio/test_export_json_min/data.json", {"example.png": (128, 128)}, {"Airplane": 1}),
)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with open_store(tmp_path_factory.mktemp("fixtures") / "ws", create=True) as store:
        yield store


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.path}-{case.format_name}")
def test_a_fixture_comes_in(case: Case, store: Store, tmp_path: Path, manifest: Manifest) -> None:
    name = f"p{len(store.projects())}"
    project = workflows.create_project(store, name, scenes=[], classes=sorted(case.found), crs="EPSG:32633")
    options = intake.Options(on_invalid="skip" if case.refused else "repair")
    report = workflows.import_file(
        store,
        project.id,
        FORMATS / case.path,
        format_name=case.format_name,
        manifest=manifest(tmp_path, case.pictures),
        options=options,
        outside="clip",
    )
    assert {name: count for name, count in store.counts(project.id).items() if count} == case.found
    assert tuple(p.pointer for p in report.problems) == case.refused


@pytest.mark.parametrize("path", FILES)
def test_every_file_comes_in_or_is_refused_by_name(path: str, store: Store) -> None:
    project = next((p for p in store.projects() if p.id == "any"), None) or workflows.create_project(
        store, "any", scenes=[], classes=["thing"], crs="EPSG:32633"
    )
    file = FORMATS / path
    try:
        report = workflows.import_file(store, project.id, file, options=intake.Options(class_name="thing"))
    except InvalidInput as error:
        said = str(error)
    else:
        assert path.endswith(".geojson")
        assert report.imported == report.read > 0
        return
    assert file.name in said
    assert said.endswith((".", ")"))
    assert str(FORMATS) not in said
