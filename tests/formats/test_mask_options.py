"""Masks whose labels own every pixel that they touch, and what `chips.parquet` says of the ground: by rasterio, on real pairs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.parquet as pq
import pytest
import rasterio
import rasterio.features
from rasterio.windows import Window
from shapely.geometry import box

from geolabel import workflows
from geolabel.chips.spec import ChipSpec
from geolabel.errors import InvalidSpec
from geolabel.model import COVERAGE, NewAnnotation
from geolabel.store import open_store

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.formats.conftest import Exported


@pytest.mark.parametrize("name", ["kampala", "swellendam-roads"])
def test_all_touched_is_what_rasterio_burns(name: str, exported: Callable[[str], Exported], tmp_path: Path) -> None:
    done = exported(name)
    spec = replace(done.spec, all_touched=True)
    workflows.export(done.store, done.project, tmp_path / "out", ["mask-semantic", "mask-instance"], spec)
    rows = pq.read_table(tmp_path / "out/chips.parquet").to_pylist()
    more = 0
    with rasterio.open(done.raster) as scene:
        shapes = [(shape, 1) for shape in done.frame.to_crs(scene.crs).geometry]
        for row in rows:
            with rasterio.open(tmp_path / "out" / row["masks"][0]) as mask:
                ours = mask.read(1)
            with rasterio.open(done.out / f"masks/semantic/{row['split']}/{row['chip']}.tif") as mask:
                by_centres = mask.read(1)
            window = Window(row["col"], row["row"], row["width"], row["height"])
            options = {"out_shape": ours.shape, "transform": scene.window_transform(window), "dtype": "uint8"}
            theirs = rasterio.features.rasterize(shapes, all_touched=True, **options)
            theirs[by_centres == 255] = 255
            # Where an outline runs along the edge of a pixel, the last bit says whether it touches the next one.
            assert (ours != theirs).sum() <= 2e-5 * ours.size
            if (
                name == "kampala"
            ):  # areas; a line that is one pixel wide may step to a pixel that it touches at a corner
                assert ((by_centres == 1) <= (ours == 1)).all()
            more += int((ours == 1).sum() - (by_centres == 1).sum())
            with rasterio.open(tmp_path / "out" / row["masks"][1]) as mask:
                assert np.array_equal((mask.read(1) > 0) & (ours != 255), ours == 1)
    assert more > 100


def test_coverage_says_what_can_be_learnt_from(tmp_path: Path) -> None:
    transform = rasterio.Affine(1, 0, 500_000, 0, -1, 5_000_000)
    profile = {"width": 96, "height": 32, "count": 1, "dtype": "uint8", "crs": "EPSG:32633", "transform": transform}
    with rasterio.open(tmp_path / "s.tif", "w", driver="GTiff", **profile) as target:
        target.write(np.ones((1, 32, 96), dtype=np.uint8))

    def ground(col: int, row: int, width: int, height: int) -> object:
        return box(500_000 + col, 5_000_000 - row - height, 500_000 + col + width, 5_000_000 - row)

    with open_store(tmp_path / "ws", create=True) as store:
        scene = workflows.add_scene(store, tmp_path / "s.tif")
        workflows.create_project(store, "P", scenes=[scene.id], classes=["x"])
        store.create("p", [NewAnnotation(ground(8, 8, 4, 4), "x"), NewAnnotation(ground(70, 8, 4, 4), "x")])
        spec = ChipSpec(size=32)

        def said(name: str) -> list[str]:
            workflows.export(store, "p", tmp_path / name, ["mask-semantic"], spec)
            return pq.read_table(tmp_path / name / "chips.parquet").column("coverage").to_pylist()

        assert said("complete") == ["seen", "seen", "seen"]
        store.create("p" + COVERAGE, [NewAnnotation(ground(40, 0, 8, 32), "ignore")])
        assert said("ignored") == ["seen", "partial", "seen"]
        store.change_project("p", lambda p: replace(p, unlabelled="ignore"))
        store.create("p" + COVERAGE, [NewAnnotation(ground(0, 0, 32, 32), "seen")])
        assert said("seen") == ["seen", "partial"]  # the one in the middle has nothing to learn from


def test_all_touched_is_true_or_false() -> None:
    with pytest.raises(InvalidSpec, match="all_touched must be true or false, got 'yes'"):
        ChipSpec(all_touched="yes")  # type: ignore[arg-type]
