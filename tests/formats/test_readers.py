"""Shapes that only some tools have, and files that come a second time."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import shapely
from shapely.geometry import box

from geolabel import intake, workflows
from geolabel.errors import InvalidInput
from geolabel.formats.cvat_reader import read_cvat
from geolabel.formats.labelme_reader import read_labelme, read_vott
from geolabel.formats.labelstudio_reader import read_labelstudio
from geolabel.formats.pictures import Guide
from geolabel.formats.places import Place, Places, places_of
from geolabel.formats.text_readers import read_dota, read_kitti, read_yolo
from geolabel.model import Grid
from geolabel.store.store import open_store

if TYPE_CHECKING:
    from pathlib import Path

    from tests.formats.conftest import Manifest


def guide() -> Guide:
    grid = Grid("EPSG:32633", (1, 0, 0, 0, -1, 100), 100, 50)
    place = Place("a", "s", grid)
    return Guide(Places("The project", (place,), ((1, "x"), (2, "y")), True, {"a": place, "a.png": place}))


def shapes(pictures: Any) -> list[Any]:
    return [shape for picture in pictures for shape in picture.shapes]


def cvat(body: str, tmp_path: Path) -> list[Any]:
    file = tmp_path / "a.xml"
    file.write_text(f'<annotations><image name="a.png" width="100" height="50">{body}</image></annotations>')
    return shapes(read_cvat(file, guide()))


def test_cvat_turns_boxes_about_their_middle(tmp_path: Path) -> None:
    (shape,) = cvat('<box label="x" xtl="10" ytl="20" xbr="30" ybr="30" rotation="90"/>', tmp_path)
    assert shape.bounds == pytest.approx((15, 15, 25, 35))


def test_cvat_has_ellipses_and_masks(tmp_path: Path) -> None:
    (shape,) = cvat('<ellipse label="x" cx="50" cy="25" rx="20" ry="10"/>', tmp_path)
    assert shape.area == pytest.approx(math.pi * 200, rel=0.01)
    # Row by row: two pixels of nothing, three of the mask, one of nothing.
    (shape,) = cvat('<mask label="x" left="10" top="20" width="3" height="2" rle="2, 3, 1"/>', tmp_path)
    assert shape.area == 3
    assert shape.symmetric_difference(shapely.union_all([box(12, 20, 13, 21), box(10, 21, 12, 22)])).area == 0


def test_label_studio_turns_rectangles_about_their_corner(tmp_path: Path) -> None:
    value = {"x": 10, "y": 20, "width": 20, "height": 10, "rotation": 90, "rectanglelabels": ["x"]}
    result = {"type": "rectanglelabels", "original_width": 100, "original_height": 50, "value": value}
    ellipse = {"x": 50, "y": 50, "radiusX": 10, "radiusY": 20, "ellipselabels": ["x"]}
    other = {**result, "type": "ellipselabels", "value": ellipse}
    task = {"data": {"image": "/data/upload/1/0a1b2c3d-a.png"}, "annotations": [{"result": [result, other]}]}
    (tmp_path / "a.json").write_text(json.dumps([task]))
    told = guide()
    (picture,) = read_labelstudio(tmp_path / "a.json", told)
    assert told.places.find(picture.name) is not None
    # From (10, 10): 20 to the right and 5 down, a quarter of a turn clockwise as seen on the picture.
    assert picture.shapes[0].bounds == pytest.approx((5, 10, 10, 30))
    assert picture.shapes[1].bounds == pytest.approx((40, 15, 60, 35))


def test_predictions_of_label_studio_have_a_score(tmp_path: Path) -> None:
    value = {"x": 10, "y": 20, "width": 20, "height": 10, "rectanglelabels": ["x"]}
    result = {"type": "rectanglelabels", "original_width": 100, "original_height": 50, "value": value}
    task = {"data": {"image": "a.png"}, "predictions": [{"score": 0.7, "result": [result]}]}
    (tmp_path / "a.json").write_text(json.dumps([task]))
    (picture,) = read_labelstudio(tmp_path / "a.json", guide())
    assert picture.scores == [0.7]


def test_labelme_json_and_vott(tmp_path: Path) -> None:
    found = [
        {"label": "x", "shape_type": "polygon", "points": [[0, 0], [10, 0], [10, 10]]},
        {"label": "x", "shape_type": "rectangle", "points": [[20, 20], [10, 10]]},
        {"label": "x", "shape_type": "circle", "points": [[50, 25], [50, 35]]},
        {"label": "x", "shape_type": "linestrip", "points": [[1, 1], [2, 2], [3, 1]]},
        {"label": "x", "shape_type": "point", "points": [[5, 5]]},
        {"label": "x", "shape_type": "polygon", "points": [[0, 0], [10, "a"]]},
    ]
    file = tmp_path / "a.json"
    file.write_text(json.dumps({"shapes": found, "imagePath": "a.png", "imageWidth": 100, "imageHeight": 50}))
    told = guide()
    kinds = [shape.geom_type for shape in shapes(read_labelme(file, told))]
    assert kinds == ["Polygon", "Polygon", "Polygon", "LineString", "Point"]
    assert told.refused[0].pointer == "a.json/shapes/5/points"
    points = [{"x": 1, "y": 1}, {"x": 9, "y": 1}, {"x": 9, "y": 9}]
    asset = {
        "asset": {"name": "a.png", "size": {"width": 100, "height": 50}},
        "regions": [{"tags": ["x", "y"], "points": points}],
    }
    file.write_text(json.dumps({"assets": {"k": asset}, "tags": []}))
    assert [s.area for s in shapes(read_vott(file, told))] == [32]
    assert told.left_out["further tags of a region"] == 1


@pytest.mark.parametrize(
    ("read", "line", "words"),
    [
        (read_yolo, "0 0.5 0.5 0.2", "the line has 4 numbers"),
        (read_yolo, "7 0.5 0.5 0.2 0.2", "no class has the number '7'"),
        (read_yolo, "-1 0.5 0.5 0.2 0.2", "no class has the number '-1'"),
        (read_yolo, "0 nan 0.5 0.2 0.2", "expected finite numbers, got 'nan'"),
        (read_yolo, "0 0.5 0.5 0 0.2", "the box has no area"),
        (read_yolo, "0 0.5 0.5 0.2 0.2 7", "a confidence is from 0 to 1, got 7"),
        (read_yolo, "0 1_0 0.5 0.2 0.2", "expected finite numbers, got '1_0'"),
        (read_dota, "1 1 2 2 3 3 x", "the line has 7 words"),
        (read_dota, "1 1 2 2 3 3 4 4 x 0", "the corners enclose no area"),
        (read_dota, "1 1 2 2 3 3 4 inf x 0", "expected finite numbers, got 'inf'"),
        (read_kitti, "x 0 0 0 1 1 2 2", "the line has 8 words"),
        (read_kitti, "x 0 0 -10 9 1 2 2 -1 -1 -1 -1000 -1000 -1000 -10", "the box has no area"),
    ],
)
def test_a_line_that_cannot_be_is_refused_by_its_number(read: Any, line: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(f"\n{line}\n")
    told = guide()
    assert shapes(read(tmp_path / "a.txt", told)) == []
    assert told.refused[0].pointer == "a.txt, line 2"
    assert words in told.refused[0].message


def records(*boxes: list[float], size: tuple[int, int] = (100, 50)) -> dict[str, Any]:
    return {
        "images": [{"id": 7, "file_name": "a.png", "width": size[0], "height": size[1]}],
        "categories": [{"id": 1, "name": "x"}],
        "annotations": [{"id": i, "image_id": 7, "category_id": 1, "bbox": b} for i, b in enumerate(boxes, start=1)],
    }


def test_the_same_file_three_times_has_the_same_labels(tmp_path: Path, manifest: Manifest) -> None:
    """Hardening row 31."""
    file = tmp_path / "labels.json"
    file.write_text(json.dumps(records([1, 2, 3, 4], [20, 10, 5, 5])))
    with open_store(tmp_path / "ws", create=True) as store:
        project = workflows.create_project(store, "P", scenes=[], classes=["x"], crs="EPSG:32633")
        chips = manifest(tmp_path, {"a.png": (100, 50)})
        reports = [workflows.import_file(store, project.id, file, manifest=chips) for _ in range(3)]
        assert [(r.imported, r.unchanged) for r in reports] == [(2, 0), (0, 2), (0, 2)]
        assert [a.id for a in store.query(project.id)] == [1, 2]


@pytest.mark.parametrize("size", [(99, 50), (100, 51), (50, 100), (1, 1), (200, 100)])
def test_a_picture_of_another_size_is_refused(size: tuple[int, int], tmp_path: Path, manifest: Manifest) -> None:
    """Hardening row 30: tolerance 0 px."""
    file = tmp_path / "labels.json"
    file.write_text(json.dumps(records([0, 0, 1, 1], size=size)))
    with open_store(tmp_path / "ws", create=True) as store:
        project = workflows.create_project(store, "P", scenes=[], classes=["x"], crs="EPSG:32633")
        with pytest.raises(InvalidInput, match=f"a is {size[0]} x {size[1]} pixels, and it is 100 x 50"):
            workflows.import_file(store, project.id, file, manifest=manifest(tmp_path, {"a.png": (100, 50)}))


def test_boxes_beside_and_over_the_edge(tmp_path: Path, manifest: Manifest) -> None:
    """Hardening row 30: 50 boxes: inside, over an edge by a little or a lot, beside it; refused or cut off by choice."""
    chance = np.random.default_rng(5)
    boxes = [[float(v) for v in (chance.uniform(-40, 120), chance.uniform(-30, 60), 15, 12)] for _ in range(50)]
    area = box(0, 0, 100, 50)
    whole = [box(x, y, x + w, y + h) for x, y, w, h in boxes]
    inside = [b for b in whole if area.covers(b)]
    touching = [b for b in whole if b.intersection(area).area > 0]
    assert 5 < len(inside) < len(touching) < 45
    file = tmp_path / "labels.json"
    file.write_text(json.dumps(records(*boxes)))
    with open_store(tmp_path / "ws", create=True) as store:
        chips = manifest(tmp_path, {"a.png": (100, 50)})
        for outside, want in (("refuse", inside), ("clip", touching)):
            project = workflows.create_project(store, outside, scenes=[], classes=["x"], crs="EPSG:32633")
            with pytest.raises(InvalidInput, match=r"labels\.json/annotations/\d+"):
                workflows.import_file(store, project.id, file, manifest=chips)
            options = intake.Options(on_invalid="skip")
            report = workflows.import_file(
                store,
                project.id,
                file,
                manifest=chips,
                options=options,
                outside=outside,  # type: ignore[arg-type]
            )
            assert report.imported == len(want)
            areas = sum(a.geometry.area for a in store.query(project.id)) / 0.25
            assert areas == pytest.approx(sum(b.intersection(area).area for b in want))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"classes": 3}, "expected an object with the list 'classes'"),
        ({"classes": [{"id": "1"}]}, "/classes/0 has no 'id' and 'name'"),
    ],
)
def test_a_manifest_that_is_none(change: dict[str, Any], words: str, tmp_path: Path, manifest: Manifest) -> None:
    folder = manifest(tmp_path, {"a.png": (100, 50)})
    (folder / "manifest.json").write_text(json.dumps({"classes": [], **change}))
    with pytest.raises(InvalidInput, match=words):
        places_of(folder)


def test_a_manifest_without_its_chips(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text('{"classes": []}')
    with pytest.raises(InvalidInput, match=r"There is no chips\.parquet beside the manifest"):
        places_of(tmp_path / "manifest.json")
    (tmp_path / "chips.parquet").write_bytes(b"PAR1 nothing PAR1")
    with pytest.raises(InvalidInput, match=r"chips\.parquet cannot be read"):
        places_of(tmp_path / "manifest.json")
