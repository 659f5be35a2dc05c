"""Our own GeoTIFF against GDAL's reading of it: pixels, place, colours; blocks that are copied lose nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from rasterio.io import MemoryFile
from rasterio.windows import Window

from geolabel import workflows
from geolabel.chips.build import chips
from geolabel.chips.spec import ChipSpec
from geolabel.errors import InvalidRaster
from geolabel.formats.images import geotiff
from geolabel.model import Grid, NewAnnotation
from geolabel.planning import plan_export
from geolabel.store.store import open_store

if TYPE_CHECKING:
    from pathlib import Path

UTM = (0.5, 0.0, 500_000.0, 0.0, -0.5, 5_000_000.0)
TYPES = ["uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64", "float32", "float64"]


@settings(max_examples=40)
@given(
    st.sampled_from([*TYPES, "complex64"]),
    st.integers(1, 5),
    st.integers(1, 40),
    st.integers(1, 900),
    st.integers(0, 2**32 - 1),
)
def test_pixels(dtype: str, bands: int, height: int, width: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    image = random.integers(0, 256, (bands, height, width * np.dtype(dtype).itemsize), dtype=np.uint8).view(dtype)
    with MemoryFile(geotiff(image, Grid("EPSG:32633", UTM, width, height))) as memory, memory.open() as read:
        assert read.dtypes == (dtype,) * bands
        assert read.read().tobytes() == image.tobytes()
        assert read.transform == Affine(*UTM)
        assert read.crs.to_epsg() == 32633


@pytest.mark.parametrize(
    "transform",
    [
        UTM,
        (1.0, 0.0, 0.0, 0.0, 1.0, 0.0),
        (1.0, 0.0, 64.0, 0.0, 1.0, 128.0),
        (2.0, 0.0, 0.0, 0.0, -2.0, 0.0),
        (0.3, 0.4, 7.0, 0.4, -0.3, 9.0),
        (0.5, 0.0, 10.0, 0.0, 0.5, 20.0),
    ],
)
@pytest.mark.parametrize("crs", ["EPSG:32633", None])
def test_the_place_is_the_one_that_gdal_would_write(transform: tuple[float, ...], crs: str | None) -> None:
    image = np.zeros((1, 8, 8), dtype=np.uint8)
    for shift in (0.0, 512.0):  # the second file takes the head of the first
        a, b, c, d, e, f = transform
        moved = (a, b, c + shift, d, e, f - shift)
        options = {"width": 8, "height": 8, "count": 1, "dtype": "uint8", "crs": crs, "transform": Affine(*moved)}
        with MemoryFile() as by_gdal:
            with by_gdal.open(driver="GTiff", **options) as target:
                target.write(image)
            with (
                MemoryFile(geotiff(image, Grid(crs, moved, 8, 8))) as memory,
                memory.open() as ours,
                by_gdal.open() as theirs,
            ):
                assert ours.transform == theirs.transform
                assert ours.crs == theirs.crs


def test_strips_of_a_large_image() -> None:
    image = np.random.default_rng(0).integers(0, 9, (4, 700, 900)).astype(np.uint16)
    with MemoryFile(geotiff(image, Grid("EPSG:32633", UTM, 900, 700))) as memory, memory.open() as read:
        assert read.block_shapes[0][0] < 700
        assert np.array_equal(read.read(), image)


def test_nodata_colours_and_palette() -> None:
    image = np.arange(4 * 6 * 6, dtype=np.uint8).reshape(4, 6, 6)
    grid = Grid("EPSG:32633", UTM, 6, 6)
    with MemoryFile(geotiff(image, grid, colors=("red", "green", "blue", "alpha"))) as memory, memory.open() as read:
        assert [c.name for c in read.colorinterp] == ["red", "green", "blue", "alpha"]
    with (
        MemoryFile(geotiff(image, grid, colors=("red", "green", "blue", "undefined"))) as memory,
        memory.open() as read,
    ):
        assert "alpha" not in [c.name for c in read.colorinterp]
    palette = {0: (0, 0, 0, 255), 7: (1, 2, 3, 255), 255: (128, 128, 128, 255)}
    with MemoryFile(geotiff(image[:1], grid, nodata=255, palette=palette)) as memory, memory.open() as read:
        assert read.nodata == 255
        # GDAL itself makes the color of the nodata value transparent.
        assert {value: read.colormap(1)[value][:3] for value in palette} == {v: c[:3] for v, c in palette.items()}
    mask = np.eye(6, dtype=bool)
    with MemoryFile(geotiff(image, grid, mask=mask)) as memory, memory.open() as read:
        assert np.array_equal(read.read(), image)
        assert np.array_equal(read.dataset_mask() > 0, mask)


def test_other_readers_read_it() -> None:
    image = np.random.default_rng(1).integers(0, 255, (3, 30, 50), dtype=np.uint8)
    content = geotiff(image, Grid("EPSG:32633", UTM, 50, 30), colors=("red", "green", "blue"))
    with MemoryFile(content) as memory, Image.open(memory) as picture:
        assert np.array_equal(np.asarray(picture), np.moveaxis(image, 0, -1))


@pytest.mark.parametrize(
    ("bands", "photometric", "size"), [(3, "YCBCR", 128), (3, "RGB", 64), (1, "MINISBLACK", 64), (3, "YCBCR", 96)]
)
def test_chips_of_whole_jpeg_blocks_are_copied(bands: int, photometric: str, size: int, tmp_path: Path) -> None:
    """No pixel differs from what GDAL decodes; a chip that is not whole blocks is decoded and written anew."""
    scene = tmp_path / "scene.tif"
    x, y = np.meshgrid(np.arange(300), np.arange(200))
    pixels = np.stack([(x * (band + 2) + y * 3) % 251 for band in range(bands)]).astype(np.uint8)
    options = {"tiled": True, "blockxsize": 64, "blockysize": 64, "compress": "JPEG", "photometric": photometric}
    with rasterio.open(
        scene, "w", driver="GTiff", width=300, height=200, count=bands, dtype="uint8", crs="EPSG:32633",
        transform=Affine(*UTM), jpeg_quality=90, **options,
    ) as target:  # fmt: skip
        target.write(pixels)
    with open_store(tmp_path / "ws", create=True) as store:
        added = workflows.add_scene(store, scene)
        workflows.create_project(store, "Land", scenes=[added.id], classes=["water"])
        store.create("land", [NewAnnotation(_box(10, 10, 90, 90), "water")])
        workflows.export(store, "land", tmp_path / "out", ["coco"], ChipSpec(size=size))
    copied = 0
    with rasterio.open(scene) as source:
        for path in sorted((tmp_path / "out/images/train").glob("*.tif")):
            col, row = map(int, path.stem.split("_")[-2:])
            window = Window(col, row, size, size)
            with rasterio.open(path) as chip:
                copied += chip.profile["compress"] == "jpeg"
                assert np.array_equal(chip.read(), source.read(window=window, boundless=True, fill_value=0))
                assert chip.transform == source.window_transform(window)
                assert chip.colorinterp == source.colorinterp
    whole = 0 if size % 64 else (300 // size) * (200 // size)
    assert copied == whole


def test_a_chip_that_is_copied_is_looked_at_by_another_decoder_and_read_by_gdal(tmp_path: Path) -> None:
    """`sight`, of which statistics are, is near `image`, which is what GDAL reads to the last bit."""
    x, y = np.meshgrid(np.arange(128), np.arange(128))
    ground = 90 + 60 * np.sin(x / 9) * np.cos(y / 7) + np.random.default_rng(8).normal(0, 4, (128, 128))
    smooth = np.stack([ground, ground * 0.8 + 0.3 * x, ground * 1.2 - 20])
    for photometric, bands, mean, most in (("YCBCR", 3, 1, 15), ("MINISBLACK", 1, 0.1, 2), ("RGB", 3, 0, 0)):
        pixels = np.clip(smooth[:bands], 0, 255).astype(np.uint8)
        scene = tmp_path / f"{photometric}.tif"
        with rasterio.open(
            scene, "w", driver="GTiff", width=128, height=128, count=bands, dtype="uint8", crs="EPSG:32633", tiled=True,
            transform=Affine(*UTM), compress="JPEG", photometric=photometric, blockxsize=64, blockysize=64,
        ) as target:  # fmt: skip
            target.write(pixels)
        with open_store(tmp_path / photometric, create=True) as store:
            added = workflows.add_scene(store, scene)
            workflows.create_project(store, "Land", scenes=[added.id], classes=["water"])
            found = plan_export(store, "land", ChipSpec(size=128))
            [chip] = chips(found.plan)
            seen, read = chip.sight.astype(int), chip.image
            with rasterio.open(scene) as source:
                assert np.array_equal(read, source.read())
            assert seen.shape == read.shape
            assert np.abs(seen - read).mean() <= mean
            assert np.abs(seen - read).max() <= most
            assert np.allclose(seen.mean(axis=(1, 2)), read.mean(axis=(1, 2)), rtol=0, atol=0.1)


def test_a_damaged_block_is_gdals_to_tell(tmp_path: Path) -> None:
    scene = tmp_path / "scene.tif"
    pixels = np.random.default_rng(8).integers(0, 255, (1, 64, 128), dtype=np.uint8)
    with rasterio.open(
        scene, "w", driver="GTiff", width=128, height=64, count=1, dtype="uint8", crs="EPSG:32633", tiled=True,
        transform=Affine(*UTM), compress="JPEG", blockxsize=64, blockysize=64,
    ) as target:  # fmt: skip
        target.write(pixels)
    content = bytearray(scene.read_bytes())
    start = content.rindex(b"\xff\xda") + 40
    content[start : start + 400] = bytes(400)
    scene.write_bytes(content)
    with open_store(tmp_path / "ws", create=True) as store:
        added = workflows.add_scene(store, scene)
        workflows.create_project(store, "Land", scenes=[added.id], classes=["water"])
        _, chip = chips(plan_export(store, "land", ChipSpec(size=64)).plan)
        assert chip.stored is not None
        with rasterio.open(scene) as source:
            try:
                expected = source.read(window=Window(64, 0, 64, 64))
            except rasterio.errors.RasterioIOError:
                with pytest.raises(InvalidRaster, match="scene"):
                    chip.sight  # noqa: B018
            else:
                assert np.array_equal(chip.sight, expected)


def _box(x0: float, y0: float, x1: float, y1: float) -> object:
    import shapely

    a, _, c, _, e, f = UTM
    return shapely.box(c + a * x0, f + e * y1, c + a * x1, f + e * y0)
