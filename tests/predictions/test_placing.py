"""Predictions on overlapping chips: cut objects are joined, duplicates left out, people's labels never touched."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
import rasterio
import rasterio.features
from PIL import Image

from geolabel.errors import InvalidInput, UnknownClass
from geolabel.model import AnnotationPatch, Status
from geolabel.predictions import BackOptions

if TYPE_CHECKING:
    from tests.predictions.conftest import Lab


def test_a_box_comes_to_its_place_with_what_the_model_said(lab: Lab) -> None:
    at = lab.number(80, 0)
    report = lab.place(lab.results({"image_id": at, "category_id": 1, "bbox": [30, 20, 10, 15], "score": 0.8}))
    assert (report.read, report.placed, report.by_class) == (1, 1, {"house": 1})
    (found,) = lab.suggestions()
    assert lab.pixels() == [(110, 20, 120, 35)]
    assert found.status is Status.SUGGESTED
    assert (found.provenance.source, found.provenance.confidence, found.provenance.scene) == (
        "model:unet@3",
        0.8,
        "scene",
    )
    assert lab.store.changesets(lab.project)[0].kind == "import"


def test_an_object_that_chips_cut_is_one_again(lab: Lab) -> None:
    """It lies from x = 70 to x = 130: the chips are 0..100 and 80..180."""
    report = lab.place(
        lab.results(
            {"image_id": lab.number(0, 0), "category_id": 1, "bbox": [70, 20, 30, 15], "score": 0.7},
            {"image_id": lab.number(80, 0), "category_id": 1, "bbox": [0, 20, 50, 15], "score": 0.9},
        )
    )
    assert (report.placed, report.merged, report.suppressed) == (1, 1, 0)
    assert lab.pixels() == [(70, 20, 130, 35)]
    assert lab.suggestions()[0].provenance.confidence == 0.9


def test_a_piece_at_the_edge_of_a_chip_yields_to_the_whole(lab: Lab) -> None:
    report = lab.place(
        lab.results(
            {"image_id": lab.number(0, 0), "category_id": 1, "bbox": [85, 20, 15, 15.5], "score": 0.9},
            {"image_id": lab.number(80, 0), "category_id": 1, "bbox": [5, 20, 25, 15], "score": 0.6},
        )
    )
    assert (report.placed, report.merged) == (1, 1)
    assert lab.pixels() == [(85, 20, 110, 35)]


def test_of_two_that_say_the_same_the_surer_one_stays(lab: Lab) -> None:
    report = lab.place(
        lab.results(
            {"image_id": lab.number(0, 0), "category_id": 1, "bbox": [84, 20, 10, 10], "score": 0.6},
            {"image_id": lab.number(80, 0), "category_id": 1, "bbox": [4.5, 20, 10, 10], "score": 0.9},
            {"image_id": lab.number(80, 0), "category_id": 2, "bbox": [4.5, 20, 10, 10], "score": 0.5},
        )
    )
    assert (report.placed, report.suppressed, report.merged) == (2, 1, 0)
    assert lab.pixels() == [(84.5, 20, 94.5, 30), (84.5, 20, 94.5, 30)]
    assert sorted((a.class_name, a.provenance.confidence) for a in lab.suggestions()) == [("house", 0.9), ("tree", 0.5)]


def test_what_one_chip_says_twice_is_left_alone(lab: Lab) -> None:
    at = lab.number(0, 0)
    twice = [{"image_id": at, "category_id": 1, "bbox": [20, 20, 10, 10], "score": s} for s in (0.6, 0.6)]
    assert lab.place(lab.results(*twice)).placed == 2


def test_neighbours_that_only_touch_at_the_edge_stay_apart(lab: Lab) -> None:
    report = lab.place(
        lab.results(
            {"image_id": lab.number(0, 0), "category_id": 1, "bbox": [85, 20, 15, 10], "score": 0.9},
            {"image_id": lab.number(80, 0), "category_id": 1, "bbox": [0, 29.5, 25, 20], "score": 0.9},
        )
    )
    assert (report.placed, report.merged, report.suppressed) == (2, 0, 0)


def test_without_merging_all_are_taken_as_they_are(lab: Lab) -> None:
    records = [
        {"image_id": lab.number(0, 0), "category_id": 1, "bbox": [84, 20, 10, 10], "score": 0.6},
        {"image_id": lab.number(80, 0), "category_id": 1, "bbox": [4, 20, 10, 10], "score": 0.9},
    ]
    report = lab.place(lab.results(*records), options=BackOptions(merge=False, min_score=0.5))
    assert report.placed == 2


def test_the_same_file_again_changes_nothing_and_says_so(lab: Lab) -> None:
    records = [
        {"image_id": lab.number(0, 0), "category_id": 1, "bbox": [10 * k, 20, 8, 8], "score": 0.5} for k in range(4)
    ]
    first = lab.place(lab.results(*records))
    accepted, rejected, deleted, _ = lab.suggestions()
    lab.store.update(lab.project, accepted.id, AnnotationPatch(status=Status.ACCEPTED), expected=1)
    lab.store.update(lab.project, rejected.id, AnnotationPatch(status=Status.REJECTED), expected=1)
    lab.store.delete(lab.project, deleted.id, expected=1)
    before = {a.id: a for a in lab.store.query(lab.project)}
    again = lab.place(lab.results(*records))
    assert (first.placed, again.placed, again.unchanged, again.kept) == (4, 0, 1, 3)
    assert {a.id: a for a in lab.store.query(lab.project)} == before
    assert "1 are here already, from this model and just so" in "\n".join(again.lines("town"))
    other = lab.place(lab.results(*records), model="unet@4")
    assert other.placed == 4, "another model has suggestions of its own"


def test_former_suggestions_go_when_that_is_asked_for_and_nobody_has_touched_them(lab: Lab) -> None:
    at = lab.number(0, 0)
    old = [{"image_id": at, "category_id": 1, "bbox": [10 * k, 20, 8, 8], "score": 0.5} for k in range(3)]
    lab.place(lab.results(*old))
    kept = lab.suggestions()[0]
    lab.store.update(lab.project, kept.id, AnnotationPatch(status=Status.ACCEPTED), expected=1)
    new = lab.results({"image_id": at, "category_id": 2, "bbox": [50, 50, 8, 8], "score": 0.5})
    report = lab.place(new)
    assert (report.placed, report.stale, report.replaced) == (1, 3, 0)
    assert "3 suggestions of this model from before are not in the file" in "\n".join(report.lines("town"))
    report = lab.place(new, replace_former=True)
    assert (report.placed, report.unchanged, report.replaced, report.stale) == (0, 1, 2, 1)
    assert sorted(a.class_name for a in lab.suggestions()) == ["house", "tree"]
    assert lab.store.count(lab.project) == 3, "the person's label is there"


def test_what_cannot_be_placed_is_refused_with_its_place_and_the_rest_is_placed(lab: Lab) -> None:
    at = lab.number(0, 0)
    report = lab.place(
        lab.results(
            {"image_id": at, "category_id": 1, "bbox": [10, 20, 8, 8], "score": 0.5},
            {"image_id": 999, "category_id": 1, "bbox": [10, 20, 8, 8], "score": 0.5},
            {"image_id": at, "category_id": 7, "bbox": [10, 20, 8, 8], "score": 0.5},
            {"image_id": at, "category_id": 1, "bbox": [10, 20, -8, 8], "score": 0.5},
            {"image_id": at, "category_id": 1, "bbox": [10, 20, 8, 8], "score": 1.5},
            {"image_id": at, "category_id": 1, "bbox": [300, 20, 8, 8], "score": 0.5},
            {"image_id": at, "category_id": 1, "bbox": [95, 50, 8, 8], "score": 0.5},
            {"image_id": at, "category_id": 1, "bbox": [1, 1, 0.5, 0.5], "score": 0.5},
        )
    )
    assert (report.read, report.placed, report.refused, report.clipped, report.small) == (8, 2, 5, 1, 1)
    assert [p.pointer for p in report.problems] == [
        "pred.json/2/category_id",
        "pred.json/3/bbox",
        "pred.json/4/score",
        "pred.json/5",
        "pred.json/1",
    ]
    assert "manifest.json knows no picture '999'; it has scene_0_0" in report.problems[-1].message
    assert sum(report.reasons.values()) == 5
    assert lab.pixels()[-1] == (95, 50, 100, 58)


@pytest.mark.parametrize(
    ("record", "words"),
    [
        ({"image_id": 999, "category_id": 1, "bbox": [1, 1, 5, 5]}, "None of the objects of pred.json can be placed"),
        (
            {"image_id": 1, "category_id": 9, "bbox": [1, 1, 5, 5]},
            "no category has the id 9 at pred.json/0/category_id",
        ),
    ],
)
def test_a_file_of_which_nothing_can_be_placed_is_refused(lab: Lab, record: dict[str, object], words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        lab.place(lab.results(record))
    assert lab.suggestions() == []


def test_masks_are_polygons_of_pixels_with_holes_and_join_over_chips(lab: Lab) -> None:
    folder = lab.folder / "masks"
    folder.mkdir()
    scene = np.zeros((180, 260), dtype=np.uint8)
    scene[20:60, 60:140] = 1
    scene[30:40, 85:95] = 0
    scene[100:120, 10:30] = 2
    for chip in lab.chips:
        col, row = chip["col"], chip["row"]
        Image.fromarray(scene[row : row + 100, col : col + 100]).save(folder / f"{chip['chip']}.png")
    report = lab.place(folder, format_name="mask-semantic")
    assert report.placed == 2
    house = next(a for a in lab.suggestions() if a.class_name == "house")
    assert house.geometry.area == 4 * (40 * 80 - 100)
    assert len(house.geometry.interiors) == 1
    assert len(house.geometry.exterior.coords) == 5, "where chips met there are no vertices left"


def test_probabilities_have_a_threshold_and_a_confidence(lab: Lab) -> None:
    chip = lab.chips[0]
    values = np.zeros((3, 100, 100), dtype=np.float32)
    values[0] = 0.3
    values[1, 10:20, 10:20] = 0.7
    values[2, 40:50, 40:50] = 0.9
    values[2, 60:70, 60:70] = 0.4
    file = lab.folder / f"{chip['chip']}.tif"
    with rasterio.open(file, "w", driver="GTiff", width=100, height=100, count=3, dtype="float32") as target:
        target.write(values)
    assert lab.place(file, format_name="mask-semantic").placed == 2
    assert sorted((a.class_name, round(a.provenance.confidence, 3)) for a in lab.suggestions()) == [
        ("house", 0.7),
        ("tree", 0.9),
    ]
    assert lab.place(file, format_name="mask-semantic", threshold=0.35, model="unet@4").placed == 3


def test_geojson_needs_no_manifest(lab: Lab) -> None:
    file = lab.folder / "found.geojson"
    x, y = 15.0, 45.15
    ring = [[x, y], [x + 1e-3, y], [x + 1e-3, y + 1e-3], [x, y + 1e-3], [x, y]]
    shape = {"type": "Polygon", "coordinates": [ring]}
    features = [
        {"type": "Feature", "geometry": shape, "properties": {"class": "house", "score": s}} for s in (0.4, 0.9)
    ]
    features.append({"type": "Feature", "geometry": shape, "properties": {"class": "ship", "score": 0.2}})
    file.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    with pytest.raises(InvalidInput, match="touches a scene"):
        lab.place(file, manifest=None)
    scene = lab.store.scene("scene")
    assert scene.bounds is not None
    for feature in features:
        feature["geometry"] = {"type": "Point", "coordinates": list(scene.bounds[:2])}
        feature["geometry"] = {
            "type": "Polygon",
            "coordinates": [[[scene.bounds[i], scene.bounds[j]] for i, j in ((0, 1), (2, 1), (2, 3), (0, 3), (0, 1))]],
        }
    file.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    report = lab.place(file, manifest=None)
    assert (report.placed, report.suppressed, report.refused) == (1, 1, 1)
    assert lab.suggestions()[0].provenance.confidence == 0.9
    file.write_text(json.dumps({"type": "FeatureCollection", "features": features[2:]}))
    with pytest.raises(UnknownClass, match="classes that project 'town' does not have: 'ship'"):
        lab.place(file, manifest=None)


@pytest.mark.parametrize(
    ("folder", "format_name", "line"),
    [
        ("labels", "yolo", "0 0.5 0.5 0.2 0.1 0.75"),
        ("labels", "yolo-seg", "0 0.4 0.45 0.6 0.45 0.6 0.55 0.4 0.55 0.75"),
        ("labels", "yolo-obb", "0 0.4 0.45 0.6 0.45 0.6 0.55 0.4 0.55 0.75"),
        ("labelTxt", "dota", "40 45 60 45 60 55 40 55 house 0"),
        ("label_2", "kitti", "house 0 0 -10 40 45 60 55 -1 -1 -1 -1000 -1000 -1000 -10 0.75"),
    ],
)
def test_text_formats(lab: Lab, folder: str, format_name: str, line: str) -> None:
    (lab.folder / folder).mkdir()
    (lab.folder / folder / "scene_80_0.txt").write_text(line + "\n")
    assert lab.place(lab.folder / folder, format_name=format_name).placed == 1
    assert lab.pixels() == [(120, 45, 140, 55)]
    assert lab.suggestions()[0].provenance.confidence == (None if format_name == "dota" else 0.75)


def test_dota_results_name_picture_and_confidence(lab: Lab) -> None:
    file = lab.folder / "Task1_tree.txt"
    file.write_text("scene_80_0 0.5 40 45 60 45 60 55 40 55\n")
    assert lab.place(file, format_name="dota").by_class == {"tree": 1}
    assert lab.pixels() == [(120, 45, 140, 55)]


@pytest.mark.parametrize(("base", "first"), [(1, 120), (0, 121)])
def test_voc_counts_pixels_from_one_or_from_zero(lab: Lab, base: int, first: int) -> None:
    box_ = "<bndbox><xmin>41</xmin><ymin>46</ymin><xmax>60</xmax><ymax>55</ymax></bndbox>"
    (lab.folder / "scene_80_0.xml").write_text(
        f"<annotation><filename>x.png</filename><size><width>100</width><height>100</height></size>"
        f"<object><name>house</name><score>0.5</score>{box_}</object></annotation>"
    )
    lab.place(lab.folder / "scene_80_0.xml", voc_base=base)
    assert lab.pixels() == [(first, 45 + 1 - base, first + 20, 55 + 1 - base)]


def test_outlines_of_masks_can_have_fewer_vertices(lab: Lab) -> None:
    rows, cols = np.mgrid[:100, :100]
    Image.fromarray(((rows - 50) ** 2 + (cols - 50) ** 2 < 900).astype(np.uint8)).save(lab.folder / "scene_0_0.png")
    lab.place(lab.folder / "scene_0_0.png", format_name="mask-semantic")
    exact = lab.suggestions()[0].geometry
    lab.place(
        lab.folder / "scene_0_0.png", format_name="mask-semantic", model="b@1", options=BackOptions(simplify_px=1.0)
    )
    simple = next(a.geometry for a in lab.suggestions() if a.provenance.source == "model:b@1")
    assert len(simple.exterior.coords) < len(exact.exterior.coords) / 3
    assert exact.symmetric_difference(simple).area < 0.05 * exact.area


def test_outlines_that_touch_themselves_and_their_zone_come_in(lab: Lab) -> None:
    """Pixel outlines touch zones in points and lines; GEOS cannot intersect what is left of that as it is."""
    rng = np.random.default_rng(3)
    scene = rng.random((180, 260)) < 0.38
    records = []
    for number, chip in enumerate(lab.chips, start=1):
        part = scene[chip["row"] : chip["row"] + 100, chip["col"] : chip["col"] + 100].astype(np.uint8)
        for shape, value in rasterio.features.shapes(part, mask=part > 0, connectivity=8):
            outline = [v for point in shape["coordinates"][0] for v in point]
            if value and len(outline) > 12:
                records.append({"image_id": number, "category_id": 1, "segmentation": [outline], "score": 0.5})
    report = lab.place(lab.results(*records))
    assert report.read == len(records) > 100
    assert report.placed + report.merged + report.suppressed + report.refused == report.read
    assert all(a.geometry.is_valid for a in lab.suggestions())
