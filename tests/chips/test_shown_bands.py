"""Which bands of a chip people look at: those that the web map shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import rasterio
from rasterio.enums import ColorInterp
from rasterio.transform import from_origin

from geolabel import scenes
from geolabel.chips.read import open_scene
from tiles.bands import default_bands
from tiles.sources import inspect, local_source

if TYPE_CHECKING:
    from pathlib import Path

SENTINEL = ("B02", "B03", "B04", "B08", "SCL")


@pytest.mark.parametrize(
    ("names", "alpha", "asked", "shown"),
    [
        (SENTINEL, None, None, (2, 1, 0)),
        (SENTINEL, None, (4, 3, 2, 1), (1, 2, 3)),
        (SENTINEL, None, (4, 5), (0,)),
        (SENTINEL, None, (4, 2, 5, 1), (0, 1, 2)),
        (("height",), None, None, (0,)),
        (("one", "two", "three"), None, None, (0, 1, 2)),
        (("gray", "alpha"), 2, None, (0,)),
    ],
)
def test_red_green_and_blue_where_they_are_known(
    tmp_path: Path,
    names: tuple[str, ...],
    alpha: int | None,
    asked: tuple[int, ...] | None,
    shown: tuple[int, ...],
) -> None:
    path = tmp_path / "scene.tif"
    with rasterio.open(
        path, "w", driver="GTiff", width=40, height=30, count=len(names), dtype="uint16", photometric="MINISBLACK",
        crs="EPSG:32633", transform=from_origin(500_000, 4_000_000, 10, 10),
    ) as out:  # fmt: skip
        out.write(np.ones((len(names), 30, 40), dtype="uint16"))
        out.descriptions = names
        if alpha:
            out.colorinterp = [ColorInterp.gray, ColorInterp.alpha]
    scene = scenes.inspect(path)
    with open_scene(scene, asked) as reader:
        assert reader.shown == shown
        on_the_map = default_bands(inspect(local_source(path)))
        if asked is None:
            assert tuple(reader.bands[at] for at in reader.shown) == on_the_map
