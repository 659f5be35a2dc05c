"""Chips that are turned, resampled, stacked, stretched: every mask and every pixel against an independent oracle."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import geopandas as gpd
import numpy as np
import pyarrow.parquet as pq
import pytest
import rasterio
import shapely
from affine import Affine
from rasterio.features import rasterize
from rasterio.transform import from_origin
from rasterio.warp import transform as warp_points
from shapely.geometry import LineString, Point, Polygon, box

from geolabel import workflows
from geolabel.chips.spec import ChipSpec
from geolabel.errors import InvalidSpec
from geolabel.geo.pixels import PixelGeometry, pixel_to_map
from geolabel.model import NewAnnotation
from geolabel.store import open_store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any

    from geolabel.store import Store

KINDS: dict[str, tuple[str, Affine]] = {
    "utm": ("EPSG:32633", from_origin(500_000, 4_000_000, 2, 2)),
    "degrees": ("EPSG:4326", from_origin(15.0, 36.0, 2e-5, 2e-5)),
    "south-up": ("EPSG:32633", Affine(2, 0, 500_000, 0, 2, 3_999_800)),
    "rotated": ("EPSG:32633", Affine.translation(500_000, 4_000_000) @ Affine.rotation(20) @ Affine.scale(2, -3)),
    "polar": ("EPSG:3413", from_origin(-300_000, -900_000, 10, 10)),
}
SPECS = {
    "turned": ChipSpec(size=48, stride=40, rotate=(0, 90, 180, 270, 30), edges="pad"),
    "resampled": ChipSpec(size=(40, 24), resolution=3.1, edges="pad"),
    "mercator": ChipSpec(size=48, crs="EPSG:3857", edges="drop"),
    "features": ChipSpec(size=31, layout="features"),
    "boxes": ChipSpec(layout="boxes", margin=3, rotate=(45,)),
    "random": ChipSpec(size=20, layout="random", count=9, size_range=(12, 40)),
    "metres": ChipSpec(size=90, units="m", pad_side="both"),
}
WIDTH, HEIGHT = 130, 100


def shapes() -> list[Any]:
    """Areas, a hole, parts, a line and a point, in pixels of the scene; no edge runs through the centres of pixels."""
    return [
        Polygon([(5.3, 6.1), (60.2, 9.7), (55.6, 52.3), (20.1, 40.6)], [[(20.1, 15.2), (40.3, 18.7), (35.2, 30.9)]]),
        shapely.union(box(70.4, 10.2, 90.7, 33.3), box(95.1, 50.6, 126.6, 90.9)),
        Polygon([(30.1, 60.2), (80.9, 65.4), (62.3, 97.8)]),
        LineString([(3.2, 95.1), (128.4, 4.6)]),
        Point(100.3, 20.7),
    ]


def make(folder: Path, kind: str, *, names: tuple[str, ...] = ("s",), date: str = "2024-06-0") -> Store:
    crs, transform = KINDS[kind]
    store = open_store(folder / "ws", create=True)
    random = np.random.default_rng(3)
    for number, name in enumerate(names):
        profile = {"driver": "GTiff", "width": WIDTH, "height": HEIGHT, "count": 2, "dtype": "uint16", "nodata": 0}
        with rasterio.open(folder / f"{name}.tif", "w", crs=crs, transform=transform, **profile) as target:
            target.write(random.integers(1, 4000, (2, HEIGHT, WIDTH), dtype=np.uint16))
        workflows.add_scene(store, folder / f"{name}.tif", datetime=f"{date}{number + 1}")
    project = workflows.create_project(store, "P", scenes=names, classes=["area", "line", "point"])
    grid = store.scene(names[0]).grid
    ground = pixel_to_map(PixelGeometry(np.array([*shapes(), None], dtype=object)[:-1], grid), project.crs).geometries
    classes = ["area", "area", "area", "line", "point"]
    store.create("p", [NewAnnotation(g, c) for g, c in zip(ground, classes, strict=True)])
    return store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with make(tmp_path, "utm") as store:
        yield store


def rows(out: Path) -> list[dict[str, Any]]:
    return pq.read_table(out / "chips.parquet").to_pylist()


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        *(("utm", name) for name in SPECS),
        *((k, n) for k in KINDS if k != "utm" for n in ("turned", "mercator", "metres")),
    ],
)
def test_masks_are_what_rasterio_burns_on_the_chips_own_transform(tmp_path: Path, kind: str, name: str) -> None:
    spec = replace(SPECS[name], crs="EPSG:3995") if (kind, name) == ("polar", "mercator") else SPECS[name]
    with make(tmp_path, kind) as store:
        workflows.export(store, "p", tmp_path / "out", ["mask-semantic"], spec)
        labels = store.query("p")
    frame = gpd.GeoDataFrame(
        {"value": [{"area": 1, "line": 2, "point": 3}[a.class_name] for a in labels]},
        geometry=[a.geometry for a in labels],
        crs=KINDS[kind][0],
    )
    burnt = 0
    for row in rows(tmp_path / "out"):
        with rasterio.open(tmp_path / "out" / row["masks"][0]) as mask:
            ours = mask.read(1)
            assert mask.transform.almost_equals(Affine(*row["transform"]), precision=1e-9)
            crs = mask.crs
        # Edges bend from one CRS to the other: many vertices stand for them.
        dense = (
            frame.geometry.segmentize(np.ptp(frame.total_bounds[[0, 2]]) / 500) if crs != frame.crs else frame.geometry
        )
        theirs = rasterize(
            zip(dense.to_crs(crs), frame["value"], strict=True),
            out_shape=ours.shape,
            transform=Affine(*row["transform"]),
            dtype="uint8",
        )
        there = ours != 255
        if crs != frame.crs:  # a line of one pixel takes others where its vertices lie elsewhere
            there &= (ours <= 1) & (theirs <= 1)
        wrong = int((ours[there] != theirs[there]).sum())
        # Where edges bend, vertices are set until a quarter of a pixel is left.
        assert wrong <= (0.003 * ours.size if crs != frame.crs else 0)
        burnt += int((ours[there] > 0).sum())
    assert burnt > 300


@pytest.mark.parametrize(
    ("kind", "name"),
    [("utm", "turned"), ("utm", "resampled"), ("degrees", "mercator"), ("rotated", "mercator"), ("rotated", "turned")],
)
def test_pixels_are_those_of_the_scene_at_their_place(tmp_path: Path, kind: str, name: str) -> None:
    spec = replace(SPECS[name], resampling="nearest")
    with make(tmp_path, kind) as store:
        workflows.export(store, "p", tmp_path / "out", ["mask-semantic"], spec)
    with rasterio.open(tmp_path / "s.tif") as source:
        scene, to_pixel, crs = source.read(), ~source.transform, source.crs
    compared = 0
    for row in rows(tmp_path / "out"):
        with rasterio.open(tmp_path / "out" / row["image"]) as chip:
            image = chip.read()
            col, line = np.meshgrid(np.arange(chip.width) + 0.5, np.arange(chip.height) + 0.5)
            x, y = Affine(*row["transform"]) @ (col.ravel(), line.ravel())
            x, y = warp_points(chip.crs, crs, x, y) if chip.crs != crs else (x, y)
        px, py = (np.array(v) for v in to_pixel @ (np.array(x), np.array(y)))
        on = (px > 0) & (px < WIDTH) & (py > 0) & (py < HEIGHT)
        # What lies on the line between two pixels may be either.
        clear = (np.abs(px - np.round(px)) > 1e-3) & (np.abs(py - np.round(py)) > 1e-3)
        ours = image.reshape(2, -1)
        chosen = on & clear
        theirs = scene[:, np.floor(py[chosen]).astype(int), np.floor(px[chosen]).astype(int)]
        np.testing.assert_array_equal(ours[:, chosen], theirs)
        assert (ours[:, ~on & clear] == 0).all(), "padding is nodata"
        compared += int(chosen.sum())
    assert compared > 2000


def test_smooth_resampling_stays_at_its_place(tmp_path: Path) -> None:
    """A plane, resampled by any smooth method, is the same plane: a shift by a tenth of a pixel would show."""
    transform = from_origin(500_000, 4_000_000, 2, 2)
    col, row = np.meshgrid(np.arange(200) + 0.5, np.arange(200) + 0.5)
    with rasterio.open(
        tmp_path / "p.tif",
        "w",
        driver="GTiff",
        width=200,
        height=200,
        count=1,
        dtype="float64",
        crs="EPSG:32633",
        transform=transform,
    ) as target:
        target.write((3 * col + 5 * row)[np.newaxis])
    with open_store(tmp_path / "ws", create=True) as store:
        scene = workflows.add_scene(store, tmp_path / "p.tif")
        workflows.create_project(store, "P", scenes=[scene.id], classes=["a"])
        for number, spec in enumerate(
            (
                ChipSpec(size=40, rotate=(30,), edges="drop"),
                ChipSpec(size=20, resolution=3.7, edges="drop", resampling="cubic"),
                ChipSpec(size=10, resolution=14, edges="drop", resampling="average"),
            )
        ):
            out = tmp_path / f"out{number}"
            workflows.export(store, "p", out, ["mask-semantic"], spec)
            for found in rows(out):
                with rasterio.open(out / found["image"]) as chip:
                    image = chip.read(1)
                x, y = np.meshgrid(np.arange(image.shape[1]) + 0.5, np.arange(image.shape[0]) + 0.5)
                px, py = ~transform @ (Affine(*found["transform"]) @ (x, y))
                inside = (px > 6) & (px < 194) & (py > 6) & (py < 194)
                assert np.abs(image - (3 * px + 5 * py))[inside].max() < 0.2, spec


def test_quarter_turns_are_copies(store: Store, tmp_path: Path) -> None:
    workflows.export(
        store, "p", tmp_path / "out", ["mask-semantic"], ChipSpec(size=32, rotate=(0, 90, 180, 270), edges="drop")
    )
    by_name = {row["chip"]: row for row in rows(tmp_path / "out")}
    for name in [n for n in by_name if "_r" not in n]:
        for folder in ("image", "masks"):

            def read(chip: str, folder: str = folder) -> np.ndarray:
                path = by_name[chip][folder]
                with rasterio.open(tmp_path / "out" / (path if folder == "image" else path[0])) as file:
                    return file.read()

            for turn in (90, 180, 270):
                turned = read(f"{name}_r{turn}")
                if folder == "image":
                    np.testing.assert_array_equal(turned, np.rot90(read(name), turn // 90, axes=(1, 2)))
                else:  # a line owns other pixels when it is burnt along another axis; areas do not
                    areas = np.rot90(read(name), turn // 90, axes=(1, 2))
                    assert ((turned != areas) & ~np.isin(areas, (2, 3)) & ~np.isin(turned, (2, 3))).sum() == 0


def test_a_stack_holds_all_dates_on_one_grid(tmp_path: Path) -> None:
    with make(tmp_path, "utm", names=("a", "b")) as store:
        one = store.query("p")[0]
        store.create("p", [NewAnnotation(one.geometry, "area", valid_to="2024-06-01")])
        store.create("p", [NewAnnotation(one.geometry, "area", valid_to="2023-06-01")])
        report = workflows.export(
            store, "p", tmp_path / "out", ["coco"], ChipSpec(size=64, stack=(("a", "b"),), edges="drop")
        )
    assert report.left_out["unmatched"] == 1, "what holds at neither date"
    with rasterio.open(tmp_path / "a.tif") as a, rasterio.open(tmp_path / "b.tif") as b:
        both = np.concatenate([a.read(), b.read()])
    for row in rows(tmp_path / "out"):
        with rasterio.open(tmp_path / "out" / row["image"]) as chip:
            part = both[:, row["row"] : row["row"] + 64, row["col"] : row["col"] + 64]
            np.testing.assert_array_equal(chip.read(), part)
    coco = json.loads((tmp_path / "out/coco/train.json").read_bytes())
    assert {a["geo"]["annotation"] for a in coco["annotations"]} >= {6}
    assert 7 not in {a["geo"]["annotation"] for a in coco["annotations"]}


def test_one_grid_gives_the_same_transform_to_both_dates(tmp_path: Path) -> None:
    with make(tmp_path, "utm", names=("a", "b")) as store:
        workflows.export(store, "p", tmp_path / "out", ["coco"], ChipSpec(size=32, resolution=4, crs="EPSG:32633"))
    found = rows(tmp_path / "out")
    places = [{(r["col"], r["row"], tuple(r["transform"])) for r in found if r["scene"] == s} for s in ("a", "b")]
    assert places[0] == places[1]
    assert all(r["col"] % 32 == 0 and r["transform"][0] == 4 for r in found)


def test_what_is_not_there_is_a_sentence(store: Store, tmp_path: Path) -> None:
    for spec, sentence in (
        (ChipSpec(stack=(("s", "t"),)), "stack names scene 't'; the project has s"),
        (ChipSpec(classes={"tree": "x"}), "classes names 'tree', which project 'p' does not have"),
        (ChipSpec(classes={"area": None, "line": None, "point": None}), "leaves out every class"),
        (ChipSpec(filter="klass = 3"), "filter: There is no property 'klass'"),
        (ChipSpec(cloud_mask={"s": "clouds"}), "cloud_mask names 'clouds', which is not registered"),
        (ChipSpec(cloud_mask="magic"), "cloud_mask names no plugin: expected one of ukis-csmask, got 'magic'"),
        (ChipSpec(within=json.loads(shapely.to_geojson(box(0, 0, 1, 1)))), "No chip of 512 px lies in `within`"),
        (ChipSpec(max_nodata=0.0), "Every chip of project 'p' has too much without data"),
        (ChipSpec(split_by="attribute", split_attribute="part"), "is no attribute of 'p'; it has: none"),
    ):
        with pytest.raises(InvalidSpec, match=sentence):
            workflows.export(store, "p", tmp_path / "out", ["coco"], spec)
    assert not (tmp_path / "out").exists()
