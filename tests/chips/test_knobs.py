"""What the knobs of a ChipSpec do to the labels, the pixels and the choice of chips."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.parquet as pq
import pytest
import rasterio
import shapely
from rasterio.features import rasterize
from rasterio.transform import from_origin
from shapely.geometry import LineString, Point, Polygon, box

from geolabel import plugins, workflows
from geolabel.chips.clouds import finders
from geolabel.chips.spec import ChipSpec
from geolabel.errors import InvalidSpec
from geolabel.geo import crs as crs_
from geolabel.model import CRS84, AnnotationPatch, NewAnnotation, Status
from geolabel.store import open_store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any

    from geolabel.store import Store

X, Y, SIZE = 500_000.0, 4_000_000.0, 96
TRANSFORM = from_origin(X, Y, 1, 1)


def ground(col: float, row: float, width: float, height: float) -> Polygon:
    return box(X + col, Y - row - height, X + col + width, Y - row)


def degrees(shape: Polygon) -> dict[str, Any]:
    moved = crs_.transform_geometries(np.array([shape, None], dtype=object)[:-1], "EPSG:32633", CRS84)
    return json.loads(shapely.to_geojson(moved[0]))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A 96 px scene of 1 m, its right third without data, a mask of clouds, and labels of three classes."""
    image = np.random.default_rng(1).integers(100, 3000, (3, SIZE, SIZE), dtype=np.uint16)
    image[:, :, 64:] = 0
    clouds = np.zeros((1, SIZE, SIZE), np.uint8)
    clouds[0, :32, :20] = 7
    for name, pixels in (("s", image), ("clouds", clouds)):
        profile = {"driver": "GTiff", "width": SIZE, "height": SIZE, "count": len(pixels), "dtype": pixels.dtype}
        nodata = 0 if name == "s" else None
        with rasterio.open(
            tmp_path / f"{name}.tif", "w", crs="EPSG:32633", transform=TRANSFORM, nodata=nodata, **profile
        ) as target:
            target.write(pixels)
    with open_store(tmp_path / "ws", create=True) as store:
        for name in ("s", "clouds"):
            workflows.add_scene(store, tmp_path / f"{name}.tif", datetime="2024-06-01")
        attributes = [{"name": "height", "kind": "number"}]
        workflows.create_project(store, "P", scenes=["s"], classes=["hut", "house", "tree"], attributes=attributes)
        store.create(
            "p",
            [
                NewAnnotation(ground(4, 4, 10, 10), "hut", attributes={"height": 2.0}),
                NewAnnotation(ground(20, 40, 20, 12), "house", attributes={"height": 6.0}),
                NewAnnotation(Point(X + 50, Y - 20), "tree"),
                NewAnnotation(LineString([(X + 5, Y - 80), (X + 55, Y - 80)]), "tree"),
                NewAnnotation(ground(45, 45, 6, 6), "hut", status=Status.SUGGESTED),
            ],
        )
        yield store


def export(store: Store, out: Path, spec: ChipSpec, formats: tuple[str, ...] = ("coco", "mask-semantic")) -> Any:
    return workflows.export(store, "p", out, formats, spec)


def coco(out: Path, split: str = "train") -> dict[str, Any]:
    return json.loads((out / f"coco/{split}.json").read_bytes())


def rows(out: Path) -> dict[str, dict[str, Any]]:
    return {row["chip"]: row for row in pq.read_table(out / "chips.parquet").to_pylist()}


def read(out: Path, path: str) -> np.ndarray:
    with rasterio.open(out / path) as file:
        return file.read()


def test_classes_are_renamed_joined_and_left_out(store: Store, tmp_path: Path) -> None:
    spec = ChipSpec(size=96, classes={"hut": "house", "tree": None})
    report = export(store, tmp_path / "out", spec, ("coco", "mask-semantic", "geojson"))
    found = coco(tmp_path / "out")
    assert [(c["id"], c["name"]) for c in found["categories"]] == [(2, "house")]
    assert [a["category_id"] for a in found["annotations"]] == [2, 2]
    assert "2 annotations of the class 'tree' left out." in report.notes
    mask = read(tmp_path / "out", rows(tmp_path / "out")["s_0_0"]["masks"][0])[0]
    shapes = [(ground(4, 4, 10, 10), 2), (ground(20, 40, 20, 12), 2)]
    expected = rasterize(shapes, out_shape=(SIZE, SIZE), transform=TRANSFORM, dtype=np.uint8)
    expected[:, 64:] = 255
    np.testing.assert_array_equal(mask, expected)
    features = json.loads((tmp_path / "out/geojson/p.geojson").read_bytes())["features"]
    assert [f["properties"]["class"] for f in features] == ["house", "house"]


def test_filter_and_status(store: Store, tmp_path: Path) -> None:
    export(store, tmp_path / "tall", ChipSpec(size=96, filter="height > 3"))
    assert [a["geo"]["annotation"] for a in coco(tmp_path / "tall")["annotations"]] == [2]
    place = shapely.to_wkt(shapely.from_geojson(json.dumps(degrees(ground(0, 0, 16, 16)))), rounding_precision=9)
    export(store, tmp_path / "there", ChipSpec(size=96, filter=f"S_INTERSECTS(geometry, {place})"))
    assert [a["geo"]["annotation"] for a in coco(tmp_path / "there")["annotations"]] == [1]
    export(store, tmp_path / "all", ChipSpec(size=96, status=("labelled", "suggested")))
    assert [a["geo"]["annotation"] for a in coco(tmp_path / "all")["annotations"]] == [1, 2, 5]
    store.create_snapshot("p", "then")
    export(store, tmp_path / "same", replace(ChipSpec(size=96), filter="height > 3"))
    store.create("p", [NewAnnotation(ground(0, 60, 5, 5), "hut")])
    store.update("p", 2, AnnotationPatch(attributes={"height": 1.0}))
    store.delete("p", 1)
    spec = ChipSpec(size=96, filter="height > 3")
    export(store, tmp_path / "now", spec)
    assert coco(tmp_path / "now")["annotations"] == []
    workflows.export(store, "p", tmp_path / "then", ["coco"], spec, snapshot="then")
    assert coco(tmp_path / "then") == coco(tmp_path / "tall"), "a filter of a snapshot looks at the labels of then"


def test_points_and_lines_become_areas_of_metres(store: Store, tmp_path: Path) -> None:
    export(store, tmp_path / "out", ChipSpec(size=96, buffer=3))
    areas = {a["geo"]["annotation"]: a["geo"]["area_m2"] for a in coco(tmp_path / "out")["annotations"]}
    assert areas[3] == pytest.approx(np.pi * 9, rel=0.01)
    assert areas[4] == pytest.approx(50 * 6 + np.pi * 9, rel=0.01)
    assert areas[1] == pytest.approx(100, rel=0.01), "an area stays what it is"


def test_chips_within_an_area(store: Store, tmp_path: Path) -> None:
    area = ground(0, 0, 64, 40)
    export(store, tmp_path / "whole", ChipSpec(size=32, within=degrees(area)))
    assert set(rows(tmp_path / "whole")) == {"s_0_0", "s_32_0"}
    report = export(store, tmp_path / "some", ChipSpec(size=32, within=degrees(area), within_share=0.2))
    assert set(rows(tmp_path / "some")) == {"s_0_0", "s_32_0", "s_0_32", "s_32_32"}
    assert report.left_out["area"] == 5
    mask = read(tmp_path / "some", rows(tmp_path / "some")["s_0_32"]["masks"][0])[0]
    assert (mask[8:] == 255).all(), "ground beyond the area is not learnt from"
    assert (mask[:8] != 255).all()
    ids = {a["geo"]["annotation"] for a in coco(tmp_path / "some")["annotations"]}
    assert 2 not in ids, "nor is what lies there an object"


def test_objects_on_ignored_ground_are_none(store: Store, tmp_path: Path) -> None:
    store.create(
        "p.coverage",
        [
            NewAnnotation(ground(0, 0, 11, 30), "ignore"),
            NewAnnotation(ground(20, 40, 9, 12), "ignore"),
            NewAnnotation(ground(0, 0, 96, 96), "ignore", valid_to="2020-01-01"),
        ],
    )
    report = export(store, tmp_path / "out", ChipSpec(size=96))
    assert [a["geo"]["annotation"] for a in coco(tmp_path / "out")["annotations"]] == [2], (
        "less than half of it is ignored"
    )
    assert report.left_out["ignored"] == 1
    assert any("more than half on ignored ground" in note for note in report.notes)
    mask = read(tmp_path / "out", rows(tmp_path / "out")["s_0_0"]["masks"][0])[0]
    assert (mask[:30, :11] == 255).all()
    assert (mask[4:14, 11:14] == 1).all(), "what is clear of it keeps its class"
    assert mask[60, 60] == 0, "ignored ground of another time counts for nothing"


def test_negatives_on_seen_ground_alone(store: Store, tmp_path: Path) -> None:
    store.create("p.coverage", [NewAnnotation(ground(33, 65, 20, 20), "seen")])
    report = export(store, tmp_path / "out", ChipSpec(size=32, negatives="seen", classes={"tree": None}))
    assert set(rows(tmp_path / "out")) == {"s_0_0", "s_0_32", "s_32_32", "s_32_64"}
    assert report.left_out["negatives"] == 5


def test_chips_without_data_or_under_clouds(store: Store, tmp_path: Path) -> None:
    spec = ChipSpec(size=32, max_nodata=0.5, cloud_mask={"s": "clouds"}, max_cloud=0.5)
    report = export(store, tmp_path / "out", spec)
    assert set(rows(tmp_path / "out")) == {"s_32_0", "s_0_32", "s_32_32", "s_0_64", "s_32_64"}
    assert (report.left_out["nodata"], report.left_out["cloud"]) == (3, 1)
    export(store, tmp_path / "all", ChipSpec(size=32, cloud_mask={"s": "clouds"}))
    mask = read(tmp_path / "all", rows(tmp_path / "all")["s_0_0"]["masks"][0])[0]
    assert (mask[:, :20] == 255).all()
    assert (mask[:, 20:] != 255).all()
    image = read(tmp_path / "all", rows(tmp_path / "all")["s_0_0"]["image"])
    assert (image > 0).all(), "clouds stay in the image"


def test_stretch_and_type(store: Store, tmp_path: Path) -> None:
    whole = read(tmp_path, "s.tif").astype(float)
    export(store, tmp_path / "fixed", ChipSpec(size=96, stretch=(100, 2100), image_format="tif"))
    row = rows(tmp_path / "fixed")["s_0_0"]
    expected = np.rint(np.clip((whole - 100) / 2000, 0, 1) * 255)
    expected[:, :, 64:] = 0
    np.testing.assert_array_equal(read(tmp_path / "fixed", row["image"]), expected)
    with rasterio.open(tmp_path / "fixed" / row["image"]) as file:
        assert file.nodata is None
        assert (file.dataset_mask()[:, 64:] == 0).all()
    export(store, tmp_path / "auto", ChipSpec(size=96, stretch="auto", image_format="png"))
    low, high = np.percentile(whole[0, :, :64], (2, 98))
    ours = read(tmp_path / "auto", rows(tmp_path / "auto")["s_0_0"]["image"])[0, :, :64].astype(float)
    theirs = np.clip((whole[0, :, :64] - low) / (high - low), 0, 1) * 255
    assert np.abs(ours - theirs).max() <= 1
    report = export(store, tmp_path / "cut", ChipSpec(size=96, dtype="uint8"))
    np.testing.assert_array_equal(read(tmp_path / "cut", "images/train/s_0_0.tif"), np.clip(whole, 0, 255))
    assert any("beyond the range of uint8 are cut off" in note for note in report.notes)
    export(store, tmp_path / "npy", ChipSpec(size=96, dtype="float32", image_format="npy"))
    np.testing.assert_array_equal(np.load(tmp_path / "npy/images/train/s_0_0.npy"), whole.astype(np.float32))
    with pytest.raises(InvalidSpec, match="JPEG holds 8-bit pixels in 1 or 3 bands; scene 's' gives 3 bands of uint16"):
        export(store, tmp_path / "jpg", ChipSpec(image_format="jpg"))


def test_around_labels(store: Store, tmp_path: Path) -> None:
    inside = rasterize([ground(4, 4, 10, 10)], out_shape=(32, 32), transform=TRANSFORM, dtype=np.uint8) > 0
    export(store, tmp_path / "black", ChipSpec(size=32, around="black"))
    image = read(tmp_path / "black", "images/train/s_0_0.tif")
    assert (image[:, ~inside] == 0).all()
    np.testing.assert_array_equal(image[:, inside], read(tmp_path, "s.tif")[:, :32, :32][:, inside])
    export(store, tmp_path / "ignore", ChipSpec(size=32, around="ignore"))
    mask = read(tmp_path / "ignore", "masks/semantic/train/s_0_0.tif")[0]
    np.testing.assert_array_equal(mask, np.where(inside, 1, 255))


def test_padding_has_its_value(store: Store, tmp_path: Path) -> None:
    export(store, tmp_path / "out", ChipSpec(size=80, padding=9, pad_side="start", edges="pad"))
    image = read(tmp_path / "out", rows(tmp_path / "out")["s_-64_-64"]["image"])
    assert (image[:, :64] == 9).all()
    assert (image[:, :, :64] == 9).all()
    np.testing.assert_array_equal(image[:, 64:, 64:], read(tmp_path, "s.tif")[:, :16, :16])


class _Bright:
    """A plugin: what is bright in the first band is cloud."""

    @plugins.hookimpl
    def register_cloud_masks(self, register: Any) -> None:
        register("bright", lambda image, valid, _bands, _scene: (image[0] > 2000) & valid)


def test_a_plugin_finds_clouds(store: Store, tmp_path: Path) -> None:
    plugins.manager().register(_Bright(), name="bright")
    finders.cache_clear()
    try:
        export(store, tmp_path / "out", ChipSpec(size=96, bands=(2,), cloud_mask="bright"))
    finally:
        plugins.manager().unregister(name="bright")
        finders.cache_clear()
    mask = read(tmp_path / "out", "masks/semantic/train/s_0_0.tif")[0]
    bright = read(tmp_path, "s.tif")[0] > 2000
    assert (mask[bright] == 255).all()
    assert (mask[~bright & (np.arange(SIZE) < 64)] != 255).all()
    report = json.loads((tmp_path / "out/report.json").read_bytes())
    assert report["statistics"]["hidden"] == int(bright.sum())
    with pytest.raises(InvalidSpec, match="needs the package: pip install 'ukis-csmask|needs bands named blue"):
        export(store, tmp_path / "x", ChipSpec(size=96, cloud_mask="ukis-csmask"))
