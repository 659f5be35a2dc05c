"""What an export promises: the same bytes, all or nothing, sentences."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.parquet as pq
import pytest
import rasterio
import shapely
from affine import Affine
from PIL import Image
from shapely.geometry import LineString, Point, Polygon, box

from geolabel import workflows
from geolabel.chips.spec import ChipSpec
from geolabel.errors import (
    AlreadyExists,
    Cancelled,
    InvalidInput,
    InvalidRaster,
    InvalidSpec,
    NotAllowed,
    NotFound,
)
from geolabel.formats import rle
from geolabel.model import NewAnnotation, Provenance, Status
from geolabel.store.store import open_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from geolabel.store.store import Store
    from tests.formats.conftest import Exported

EVERY = ("coco", "geojson", "mask-semantic")
ORIGIN = (500_000.0, 5_000_000.0)


def write_raster(
    path: Path,
    *,
    bands: int = 3,
    dtype: str = "uint8",
    width: int = 300,
    height: int = 200,
    nodata: float | None = None,
) -> Path:
    pixels = (np.arange(bands * height * width).reshape(bands, height, width) % 251 + 1).astype(dtype)
    if nodata is not None:
        pixels[:, :20, :20] = nodata
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        width=width,
        height=height,
        count=bands,
        dtype=dtype,
        crs="EPSG:32633",
        nodata=nodata,
        photometric="MINISBLACK",
        transform=Affine(0.5, 0, ORIGIN[0], 0, -0.5, ORIGIN[1]),
    ) as target:
        target.write(pixels)
    return path


def on_ground(shape: shapely.Geometry) -> shapely.Geometry:
    """From pixels of the raster to its CRS."""
    return shapely.transform(shape, lambda xy: np.column_stack((ORIGIN[0] + xy[:, 0] / 2, ORIGIN[1] - xy[:, 1] / 2)))


HOLED = Polygon(box(120, 20, 180, 80).exterior, [box(135, 35, 165, 65).exterior, box(122, 22, 130, 30).exterior])
SHAPES = [
    ("water", box(10, 10, 60, 60)),
    ("forest", box(40, 40, 120, 90)),
    ("forest", HOLED),
    ("road", LineString([(0, 150), (299, 160)])),
    ("road", Point(5, 190)),
    ("water", box(290, 190, 330, 230)),
    ("water", box(400, 400, 420, 420)),
]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path / "ws", create=True) as opened:
        scene = workflows.add_scene(opened, write_raster(tmp_path / "scene.tif"))
        classes = [{"name": "water", "priority": 1}, "forest", "road"]
        project = workflows.create_project(opened, "Land", scenes=[scene.id], classes=classes)
        opened.create(project.id, [NewAnnotation(on_ground(shape), name) for name, shape in SHAPES])
        yield opened


def digests(folder: Path) -> dict[str, str]:
    return {
        str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(folder.rglob("*"))
        if p.is_file()
    }


def test_two_exports_are_the_same_bytes(store: Store, tmp_path: Path) -> None:
    spec = ChipSpec(size=64, stride=48, split=(0.6, 0.2, 0.2), split_block=2, negatives=0.5, seed=3)
    one = workflows.export(store, "land", tmp_path / "one", EVERY, spec)
    two = workflows.export(store, "land", tmp_path / "elsewhere" / "two", EVERY, spec)
    assert one == two
    files = digests(tmp_path / "one")
    assert files == digests(tmp_path / "elsewhere" / "two")
    assert {"manifest.json", "chips.parquet", "report.json", "report.html", "contact-sheet.png"} <= set(files)
    assert {"coco/train.json", "coco/val.json", "coco/test.json", "geojson/land.geojson"} <= set(files)


@pytest.mark.parametrize("name", ["kampala", "elkton"])
def test_real_exports_are_the_same_bytes(name: str, exported: Callable[[str], Exported], tmp_path: Path) -> None:
    done = exported(name)
    workflows.export(done.store, done.project, tmp_path / "again", EVERY, done.spec)
    assert digests(done.out) == digests(tmp_path / "again")


def test_no_file_names_this_machine_or_the_time(store: Store, tmp_path: Path) -> None:
    workflows.export(store, "land", tmp_path / "out", EVERY, ChipSpec(size=64))
    for path in (tmp_path / "out").rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert str(tmp_path).encode() not in content
            assert b"created_at" not in content


def test_the_table_and_the_manifest_lead_to_every_file(store: Store, tmp_path: Path) -> None:
    out = tmp_path / "out"
    workflows.export(store, "land", out, EVERY, ChipSpec(size=64, split=(0.5, 0.3, 0.2), split_block=1))
    manifest = json.loads((out / "manifest.json").read_text())
    rows = pq.read_table(out / "chips.parquet").to_pylist()
    listed = {"manifest.json", "chips.parquet", "report.json", "report.html", "contact-sheet.png"}
    listed |= {f"coco/{split}.json" for split in manifest["chips"]} | {"geojson/land.geojson"}
    for row in rows:
        assert row["chip"] == f"scene_{row['col']}_{row['row']}"
        assert row["image"] == f"images/{row['split']}/{row['chip']}.tif"
        assert row["masks"] == [f"masks/semantic/{row['split']}/{row['chip']}.tif"]
        assert row["sha256"] == hashlib.sha256((out / row["image"]).read_bytes()).hexdigest()
        with rasterio.open(out / row["image"]) as image:
            assert list(image.transform[:6]) == row["transform"]
            assert image.crs == rasterio.CRS.from_user_input(row["crs"])
        listed |= {row["image"], *row["masks"]}
    assert listed == set(digests(out))
    assert sum(manifest["chips"].values()) == len(rows)
    assert [(c["id"], c["name"]) for c in manifest["classes"]] == [(1, "water"), (2, "forest"), (3, "road")]
    assert manifest["format_version"] == 1
    assert ChipSpec.from_json(manifest["chip_spec"]).size == 64
    assert {p.name for p in out.iterdir()} == {p.split("/")[0] for p in listed}


def test_the_snapshot_changes_with_the_labels_only(store: Store, tmp_path: Path) -> None:
    first = workflows.export(store, "land", tmp_path / "1", ["geojson"], ChipSpec()).snapshot
    assert workflows.export(store, "land", tmp_path / "2", ["coco"], ChipSpec(size=99), dry_run=True).snapshot == first
    store.create("land", [NewAnnotation(on_ground(box(1, 1, 2, 2)), "water")])
    assert workflows.export(store, "land", tmp_path / "3", ["geojson"], ChipSpec()).snapshot != first


def test_a_polygon_with_holes_is_an_rle_of_exactly_the_mask(store: Store, tmp_path: Path) -> None:
    workflows.export(store, "land", tmp_path / "out", ["coco", "mask-semantic"], ChipSpec(size=300))
    coco = json.loads((tmp_path / "out" / "coco" / "train.json").read_text())
    found = next(a for a in coco["annotations"] if a["geo"]["annotation"] == 3)
    height, width = found["segmentation"]["size"]
    decoded = rle.decode(rle.decompress(found["segmentation"]["counts"]), height, width)
    with rasterio.open(tmp_path / "out" / "masks" / "semantic" / "train" / "scene_0_0.tif") as mask:
        semantic = mask.read(1)
        assert mask.nodata == 255
        assert mask.colormap(1)[1][:3] == (0xE1, 0x3C, 0x62)
    own = semantic.copy()
    own[40:90, 40:120] = 0
    assert np.array_equal(decoded[:200][own[:200] == 2], np.ones((own[:200] == 2).sum()))
    assert decoded.sum() == HOLED.area == found["area"]
    assert found["bbox"] == [120, 20, 60, 60]
    # Water has the higher priority: it is drawn over forest, although its id is lower.
    assert (semantic[45:60, 45:60] == 1).all()
    assert (semantic[:200, :300] == 3).sum() > 290
    assert (semantic[200:] == 255).all()


def test_a_polygon_with_holes_is_a_keyhole_when_asked_for(store: Store, tmp_path: Path) -> None:
    workflows.export(store, "land", tmp_path / "out", ["coco"], ChipSpec(size=300, coco_holes="keyhole"))
    coco = json.loads((tmp_path / "out" / "coco" / "train.json").read_text())
    (ring,) = next(a for a in coco["annotations"] if a["geo"]["annotation"] == 3)["segmentation"]
    assert Polygon(np.reshape(ring, (-1, 2))).area == pytest.approx(HOLED.area)


def test_the_report_counts_what_was_left_out(store: Store, tmp_path: Path) -> None:
    report = workflows.export(store, "land", tmp_path / "out", EVERY, ChipSpec(size=300))
    assert report.annotations == 7
    assert report.exported == 6
    assert report.left_out["outside"] == 1
    assert report.labels == {"train": {"water": 2, "forest": 2, "road": 2}}
    text = "\n".join(report.notes)
    assert "1 annotation outside every scene" in text
    assert "COCO holds areas only: 1 point on chips left out" in text
    assert "1 line on chips" in text
    assert "2 lines and points on chips were burnt one pixel wide" in text
    assert json.loads((tmp_path / "out" / "report.json").read_text()) == json.loads(json.dumps(report.to_json()))
    page = (tmp_path / "out" / "report.html").read_text()
    assert "outside every scene of the project" in page
    assert "http" not in page.replace("http-equiv", "")
    with Image.open(tmp_path / "out" / "contact-sheet.png") as sheet:
        assert sheet.mode == "RGB"
        assert min(sheet.size) > 400


def test_the_report_says_when_a_split_is_not_what_was_asked_for(store: Store, tmp_path: Path) -> None:
    spec = ChipSpec(size=100, split=(0.7, 0.2, 0.1), split_block=1)
    notes = workflows.export(store, "land", tmp_path / "out", ["coco"], spec, dry_run=True).notes
    assert "Blocks of 1 x 1 chips give 67/17/17, not 70/20/10; there are too few chips for that." in notes
    assert any(note.startswith("Split ") and "has no " in note and "another seed" in note for note in notes)


def test_names_with_markup_stay_text(store: Store, tmp_path: Path) -> None:
    workflows.create_project(store, "<script>alert(1)</script>", scenes=["scene"], classes=["<b>x</b>"])
    name = next(p.id for p in store.projects() if p.id != "land")
    workflows.export(store, name, tmp_path / "out", ["coco"], ChipSpec(size=300))
    page = (tmp_path / "out" / "report.html").read_text()
    assert "<script" not in page
    assert "<b>x" not in page


def test_a_dry_run_counts_the_same_and_writes_nothing(store: Store, tmp_path: Path) -> None:
    spec = ChipSpec(size=64, split=(0.5, 0.3, 0.2), split_block=1)
    plan = workflows.export(store, "land", tmp_path / "out", ["coco"], spec, dry_run=True)
    assert not (tmp_path / "out").exists()
    made = workflows.export(store, "land", tmp_path / "out", ["coco"], spec)
    assert (plan.chips, plan.labels, plan.left_out) == (made.chips, made.labels, made.left_out)
    assert plan.lines()[0].startswith("Would write coco of project land: 20 chips")
    assert made.lines()[0].startswith("Wrote coco")


def test_map_formats_alone_cut_no_chips(store: Store, tmp_path: Path) -> None:
    report = workflows.export(store, "land", tmp_path / "out", ["geojson"], ChipSpec())
    assert report.exported == 7
    assert set(digests(tmp_path / "out")) == {
        "manifest.json", "chips.parquet", "report.json", "report.html", "geojson/land.geojson",
    }  # fmt: skip
    assert pq.read_table(tmp_path / "out" / "chips.parquet").num_rows == 0


def test_negatives(store: Store, tmp_path: Path) -> None:
    spec = {"size": 32}
    full = workflows.export(store, "land", tmp_path / "x", ["coco"], ChipSpec(**spec), dry_run=True)
    none = workflows.export(store, "land", tmp_path / "x", ["coco"], ChipSpec(**spec, negatives="none"), dry_run=True)
    half = workflows.export(store, "land", tmp_path / "x", ["coco"], ChipSpec(**spec, negatives=0.5), dry_run=True)
    positive = full.chips_with_labels["train"]
    assert none.chips["train"] == positive
    assert half.chips["train"] == positive + -(-positive // 2)
    assert half.left_out["negatives"] == full.chips["train"] - half.chips["train"]


def test_png_chips_and_chosen_bands(store: Store, tmp_path: Path) -> None:
    workflows.export(store, "land", tmp_path / "out", ["coco"], ChipSpec(size=100, bands=(3, 2, 1), image_format="png"))
    with Image.open(tmp_path / "out" / "images" / "train" / "scene_100_0.png") as image:
        pixels = np.asarray(image)
    with rasterio.open(tmp_path / "scene.tif") as scene:
        assert np.array_equal(pixels, np.moveaxis(scene.read([3, 2, 1])[:, :100, 100:200], 0, -1))


@pytest.mark.parametrize(
    ("bands", "dtype", "nodata"),
    [(4, "uint8", None), (1, "float32", float("nan")), (5, "int16", -9999), (2, "uint16", 0)],
)
def test_any_dtype_and_nodata_is_kept(bands: int, dtype: str, nodata: float | None, tmp_path: Path) -> None:
    path = write_raster(tmp_path / "other.tif", bands=bands, dtype=dtype, nodata=nodata)
    with open_store(tmp_path / "ws", create=True) as store:
        scene = workflows.add_scene(store, path)
        workflows.create_project(store, "p", scenes=[scene.id], classes=["a"])
        workflows.export(store, "p", tmp_path / "out", ["mask-semantic"], ChipSpec(size=256))
    with (
        rasterio.open(path) as scene_,
        rasterio.open(tmp_path / "out" / "images" / "train" / "other_256_0.tif") as image,
    ):
        assert image.dtypes == scene_.dtypes
        assert image.nodata == scene_.nodata or np.isnan(image.nodata)
        assert np.array_equal(image.read()[:, :200, :44], scene_.read()[:, :, 256:])
        assert not image.dataset_mask()[200:].any()
        assert not image.dataset_mask()[:, 44:].any()
        assert image.dataset_mask()[:200, :44].all()
    with rasterio.open(tmp_path / "out" / "masks" / "semantic" / "train" / "other_0_0.tif") as mask:
        assert (mask.read(1)[:20, :20] == (0 if nodata is None else 255)).all()


def test_unlabelled_ground_can_be_ignored(store: Store, tmp_path: Path) -> None:
    from dataclasses import replace

    store.update_project(replace(store.project("land"), unlabelled="ignore"))
    workflows.export(store, "land", tmp_path / "out", ["mask-semantic"], ChipSpec(size=300))
    with rasterio.open(tmp_path / "out" / "masks" / "semantic" / "train" / "scene_0_0.tif") as mask:
        assert set(np.unique(mask.read(1))) == {1, 2, 3, 255}


def test_many_classes_need_16_bits(tmp_path: Path) -> None:
    with open_store(tmp_path / "ws", create=True) as store:
        scene = workflows.add_scene(store, write_raster(tmp_path / "scene.tif"))
        workflows.create_project(store, "p", scenes=[scene.id], classes=[{"name": "a"}, {"name": "z", "id": 300}])
        store.create("p", [NewAnnotation(on_ground(box(10, 10, 60, 60)), "z")])
        workflows.export(store, "p", tmp_path / "out", ["mask-semantic"], ChipSpec(size=300))
    with rasterio.open(tmp_path / "out" / "masks" / "semantic" / "train" / "scene_0_0.tif") as mask:
        assert mask.dtypes == ("uint16",)
        assert set(np.unique(mask.read(1))) == {0, 300, 65535}


# What goes wrong


def test_an_existing_folder_is_never_touched(store: Store, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(AlreadyExists, match="out exists already, and a dataset never changes"):
        workflows.export(store, "land", tmp_path / "out", ["coco"], ChipSpec())
    assert list((tmp_path / "out").iterdir()) == []


def test_cancelling_leaves_nothing(store: Store, tmp_path: Path) -> None:
    def stop(share: float, _message: str) -> None:
        if share > 0.5:
            raise Cancelled("Stopped.")

    before = sorted(tmp_path.iterdir())
    with pytest.raises(Cancelled):
        workflows.export(store, "land", tmp_path / "a" / "b" / "out", EVERY, ChipSpec(size=64), progress=stop)
    assert sorted(tmp_path.iterdir()) == before


def test_a_bug_leaves_nothing(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("geolabel.formats.dataset.manifest", fail)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(OSError, match="Input/output error"):
        workflows.export(store, "land", tmp_path / "out", EVERY, ChipSpec(size=64))
    assert sorted(tmp_path.iterdir()) == before


def test_a_changed_scene_is_refused(store: Store, tmp_path: Path) -> None:
    write_raster(tmp_path / "scene.tif", width=301)
    with pytest.raises(
        InvalidRaster, match="The file of scene 'scene' \\(scene.tif\\) changed after it was registered"
    ):
        workflows.export(store, "land", tmp_path / "out", ["coco"], ChipSpec())
    assert not (tmp_path / "out").exists()


def test_a_missing_scene_is_refused(store: Store, tmp_path: Path) -> None:
    (tmp_path / "scene.tif").unlink()
    with pytest.raises(InvalidRaster, match="cannot be found"):
        workflows.export(store, "land", tmp_path / "out", ["coco"], ChipSpec())
    assert not (tmp_path / "out").exists()


def test_wrong_questions_get_sentences(store: Store, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(
        InvalidSpec,
        match="Nothing can be written as 'yolov9'; the formats are: arcgis, coco, coco-keypoints, coco-panoptic",
    ):
        workflows.export(store, "land", out, ["yolov9"], ChipSpec())
    with pytest.raises(InvalidSpec, match="at least one format"):
        workflows.export(store, "land", out, [], ChipSpec())
    with pytest.raises(NotFound):
        workflows.export(store, "sea", out, ["coco"], ChipSpec())
    with pytest.raises(InvalidSpec, match="Band 4 was asked for, but scene 'scene' has bands 1 to 3"):
        workflows.export(store, "land", out, ["coco"], ChipSpec(bands=(4,)))
    with pytest.raises(InvalidSpec, match="No chip of 1024 px fits into any of the 1 scenes"):
        workflows.export(store, "land", out, ["coco"], ChipSpec(size=1024, edges="drop"))
    with pytest.raises(InvalidSpec, match="PNG holds 8-bit pixels in 1, 3 or 4 bands; scene 'scene' gives 2 bands"):
        workflows.export(store, "land", out, ["coco"], ChipSpec(bands=(1, 2), image_format="png"))
    workflows.create_project(store, "Empty", scenes=[], classes=["a"], crs="EPSG:32633")
    with pytest.raises(InvalidInput, match="Project 'empty' has no scenes to cut chips from"):
        workflows.export(store, "empty", out, ["coco"], ChipSpec())
    assert not out.exists()
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".out")]


def test_a_project_without_annotations_gives_empty_chips(store: Store, tmp_path: Path) -> None:
    workflows.create_project(store, "Empty", scenes=["scene"], classes=["a"])
    report = workflows.export(store, "empty", tmp_path / "out", EVERY, ChipSpec(size=256))
    assert report.chips == {"train": 2}
    assert "The project has no annotations: every chip is empty." in report.notes
    assert json.loads((tmp_path / "out" / "geojson" / "empty.geojson").read_text())["features"] == []
    assert json.loads((tmp_path / "out" / "coco" / "train.json").read_text())["annotations"] == []


def test_what_is_no_label_yet_or_no_more_stays_out_and_is_counted(store: Store, tmp_path: Path) -> None:
    shapes = [box(200, 100, 210, 110), box(220, 100, 230, 110), box(240, 100, 250, 110)]
    states = [Status.SUGGESTED, Status.REJECTED, Status.ACCEPTED]
    store.create(
        "land",
        [
            NewAnnotation(
                on_ground(s), "water", note="by the mill", status=status, provenance=Provenance(confidence=0.5)
            )
            for s, status in zip(shapes, states, strict=True)
        ],
    )
    report = workflows.export(store, "land", tmp_path / "out", ["geojson", "coco"], ChipSpec(size=100))
    features = json.loads((tmp_path / "out/geojson/land.geojson").read_text())["features"]
    assert len(features) == len(SHAPES) + 1
    assert features[-1]["properties"] == {
        "class": "water",
        "note": "by the mill",
        "status": "accepted",
        "source": "api",
        "confidence": 0.5,
        "scene": None,
        "version": 1,
    }
    said = " ".join(report.lines())
    assert "1 annotations with the status 'rejected' left out." in said
    assert "1 annotations with the status 'suggested' left out." in said
    files = [json.loads(p.read_text()) for p in (tmp_path / "out/coco").iterdir()]
    used = {a["geo"]["annotation"] for file in files for a in file["annotations"]}
    assert len(SHAPES) + 3 in used
    assert not used & {len(SHAPES) + 1, len(SHAPES) + 2}


def test_notes_come_back_from_geojson(store: Store, tmp_path: Path) -> None:
    store.create("land", [NewAnnotation(on_ground(box(200, 100, 210, 110)), "water", note="by the mill")])
    workflows.export(store, "land", tmp_path / "out", ["geojson"], ChipSpec())
    labels = workflows.read_labels(tmp_path / "out/geojson/land.geojson")
    report = workflows.import_labels(store, "land", labels)
    assert report.imported == len(SHAPES) + 1
    assert report.dropped_columns == ()
    assert set(report.external_columns) == {"source", "scene", "version"}
    assert store.query("land")[-1].note == "by the mill"


def test_not_a_number_is_no_data_also_where_the_file_does_not_say_so(tmp_path: Path) -> None:
    path = write_raster(tmp_path / "other.tif", dtype="float32", bands=2)
    with rasterio.open(path, "r+") as raster:
        pixels = raster.read()
        pixels[:, :20, :20] = np.nan
        pixels[0, 30, 30] = np.nan
        raster.write(pixels)
    with open_store(tmp_path / "ws", create=True) as store:
        scene = workflows.add_scene(store, path)
        workflows.create_project(store, "p", scenes=[scene.id], classes=["a"])
        workflows.export(store, "p", tmp_path / "out", ["mask-semantic"], ChipSpec(size=256))
    with rasterio.open(tmp_path / "out/masks/semantic/train/other_0_0.tif") as mask:
        burnt = mask.read(1)
    assert (burnt[:20, :20] == 255).all()
    assert burnt[30, 30] == 0
    assert (burnt == 255).sum() == 400 + 56 * 256


def test_complex_integers_are_exported(tmp_path: Path) -> None:
    path = write_raster(tmp_path / "other.tif", dtype="complex64")
    with (
        rasterio.open(path) as raster,
        rasterio.open(tmp_path / "radar.tif", "w", **raster.profile | {"dtype": "complex_int16"}) as radar,
    ):
        radar.write(raster.read())
    with open_store(tmp_path / "ws", create=True) as store:
        scene = workflows.add_scene(store, tmp_path / "radar.tif")
        workflows.create_project(store, "p", scenes=[scene.id], classes=["a"])
        workflows.export(store, "p", tmp_path / "out", ["coco"], ChipSpec(size=300))
    with rasterio.open(tmp_path / "out/images/train/radar_0_0.tif") as image, rasterio.open(path) as raster:
        assert np.array_equal(image.read()[:, :200], raster.read())


@pytest.mark.parametrize("name", ["a\0b", "a" * 300])
def test_a_name_that_no_folder_can_have_is_said(store: Store, tmp_path: Path, name: str) -> None:
    with pytest.raises(NotAllowed, match="cannot be the name of a new folder"):
        workflows.export(store, "land", tmp_path / name, ["coco"], ChipSpec())
