from __future__ import annotations

import hashlib
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import pytest
import rasterio
import shapely
from rasterio.enums import ColorInterp
from rasterio.features import rasterize
from rio_cogeo import cog_validate

from geolabel import sample
from geolabel.classes import make_classes
from geolabel.errors import InvalidInput

if TYPE_CHECKING:
    from pathlib import Path

SIZE = 1024
SCENE = shapely.box(482_000, 5_425_952, 484_048, 5_428_000)
VALUES = {cls.name: cls.id for cls in make_classes(sample.CLASSES)}


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sample") / "scene.tif"
    sample.write_scene(path, size=SIZE)
    return path


@pytest.fixture(scope="module")
def mask(scene: Path) -> np.ndarray:
    """The truth burnt by the classes' own priorities, independently of the painter."""
    with rasterio.open(scene) as dataset:
        transform = dataset.transform
    priority = {cls.name: cls.priority for cls in make_classes(sample.CLASSES)}
    burnt = sorted(sample.truth(), key=lambda label: priority[label[0]])
    return rasterize([(shape, VALUES[name]) for name, shape in burnt], (SIZE, SIZE), transform=transform)


def inside(mask: np.ndarray, value: int) -> np.ndarray:
    """Pixels of a class whose neighbours all are of it: the lens blurs over one pixel."""
    same = mask == value
    for axis in (0, 1):
        same = same & np.roll(same, 1, axis) & np.roll(same, -1, axis)
    return same


def test_the_same_seed_gives_the_same_bytes_and_another_one_does_not(tmp_path: Path) -> None:
    digests = []
    for name, seed in (("a.tif", 7), ("b.tif", 7), ("c.tif", 8)):
        sample.write_scene(tmp_path / name, size=512, seed=seed)
        digests.append(hashlib.sha256((tmp_path / name).read_bytes()).hexdigest())
    assert digests[0] == digests[1] != digests[2]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.tif", "b.tif", "c.tif"]


def test_scene_says_what_it_is_and_where(scene: Path) -> None:
    with rasterio.open(scene) as dataset:
        assert dataset.crs.to_epsg() == 32633
        assert tuple(dataset.bounds) == SCENE.bounds
        assert dataset.res == (2.0, 2.0)
        assert dataset.dtypes == ("uint8",) * 4
        assert dataset.descriptions == ("red", "green", "blue", "near infrared")
        assert dataset.colorinterp == (ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.undefined)
        assert dataset.tags()["GEOLABEL_SYNTHETIC"] == "YES"
        assert dataset.tags()["TIFFTAG_DATETIME"] == "2024:07:09 09:12:00"
        assert dataset.block_shapes == [(512, 512)] * 4


def test_scene_is_a_cog(scene: Path) -> None:
    assert cog_validate(scene, strict=True) == (True, [], [])


def test_size_sets_the_resolution_and_not_the_place(tmp_path: Path) -> None:
    sample.write_scene(tmp_path / "small.tif", size=200)
    with rasterio.open(tmp_path / "small.tif") as dataset:
        assert dataset.shape == (200, 200)
        assert tuple(dataset.bounds) == pytest.approx(SCENE.bounds, abs=1e-9)


@pytest.mark.parametrize("size", [63, 16385])
def test_size_out_of_range_is_refused(size: int, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=rf"64 to 16384 pixels wide, got {size}"):
        sample.write_scene(tmp_path / "no.tif", size=size)
    assert not list(tmp_path.iterdir())


def test_progress_never_goes_back(tmp_path: Path) -> None:
    told: list[float] = []
    sample.write_scene(tmp_path / "p.tif", size=300, progress=lambda share, _message: told.append(share))
    assert told == sorted(told)
    assert told[-1] == 1.0


@pytest.mark.parametrize("seed", [0, 1, 2, 3, 7])
def test_truth_is_valid_simple_and_inside_the_scene(seed: int) -> None:
    truth = sample.truth(seed=seed)
    assert {name for name, _ in truth} == set(VALUES)
    for name, shape in truth:
        assert shape.geom_type == "Polygon"
        assert shape.is_valid, name
        assert shapely.covers(SCENE, shape), name
        assert shapely.get_num_coordinates(shape) < 500, name
    for name in ("water", "forest", "building"):
        assert any(shape.interiors for of, shape in truth if of == name), f"no {name} with a hole"


@pytest.mark.parametrize("seed", [0, 7])
def test_classes_of_one_priority_do_not_overlap(seed: int) -> None:
    priority = {cls.name: cls.priority for cls in make_classes(sample.CLASSES)}
    truth = sample.truth(seed=seed)
    tree = shapely.STRtree([shape for _, shape in truth])
    for i, j in tree.query(tree.geometries, predicate="intersects").T:
        (one, a), (two, b) = truth[i], truth[j]
        if i < j and priority[one] == priority[two]:
            # Rounding to centimetres may push neighbours over each other by a hair.
            assert a.intersection(b).area < 0.5, (one, two)


def test_partial_labels_are_the_truth_wholly_in_the_west() -> None:
    truth, part = sample.truth(), sample.partial_labels()
    border = 482_000 + 0.55 * 2048
    assert part == [label for label in truth if label[1].bounds[2] <= border]
    assert 0.3 * len(truth) < len(part) < 0.7 * len(truth)
    assert {name for name, _ in part} == set(VALUES)


def test_what_is_drawn_is_the_truth_pixel_by_pixel(scene: Path, mask: np.ndarray) -> None:
    with rasterio.open(scene) as dataset:
        red, infrared = dataset.read([1, 4]).astype(float)
    water = inside(mask, VALUES["water"])
    # Water is the only thing that is dark in the infrared and has no shadow of its own to hide in.
    assert np.percentile(infrared[water], 99) < 50
    land = inside(mask, VALUES["cropland"]) | inside(mask, VALUES["grassland"])
    assert np.mean(infrared[land] > 60) > 0.98
    ndvi = (infrared - red) / (infrared + red)
    means = [ndvi[inside(mask, VALUES[name])].mean() for name in ("forest", "grassland", "cropland", "road", "water")]
    assert means == sorted(means, reverse=True)


def test_the_mask_that_the_painter_uses_is_gdals(mask: np.ndarray) -> None:
    from geolabel.sample.cover import CLASS_NAMES, burn_place
    from geolabel.sample.survey import lay_out

    assert {name: i + 1 for i, name in enumerate(CLASS_NAMES)} == VALUES
    patches, cover, classes = burn_place(lay_out(7), SIZE)
    np.testing.assert_array_equal(classes, mask)
    shown = np.array([0, *[VALUES.get(patch.class_name or "", 0) for patch in patches if patch]])
    np.testing.assert_array_equal(shown[cover], mask)


def test_an_offset_of_one_pixel_would_be_seen(scene: Path, mask: np.ndarray) -> None:
    """The edge between water and land in the picture lies where the truth says, not a pixel beside it."""
    with rasterio.open(scene) as dataset:
        infrared = dataset.read(4).astype(float)
    water = mask == VALUES["water"]

    def agreement(rows: int, columns: int) -> float:
        return float(np.mean((infrared < 60) == np.roll(water, (rows, columns), (0, 1))))

    beside = [agreement(r, c) for r in (-1, 0, 1) for c in (-1, 0, 1) if (r, c) != (0, 0)]
    assert agreement(0, 0) > max(beside)


def test_buildings_stand_apart() -> None:
    buildings = [shape for name, shape in sample.truth() if name == "building"]
    assert len(buildings) > 80
    assert all(a.distance(b) > 1 for a, b in combinations(buildings, 2))
