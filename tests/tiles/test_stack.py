"""Single-band files on one grid as one raster, against the raster that they were cut from."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np
import pytest
import rasterio

from tiles import grid, stack
from tiles.bands import default_bands, roles
from tiles.errors import SourceChanged, SourceNotFound, SourceRefused, SourceUnreadable
from tiles.handles import Handles
from tiles.measure import at_pixel, statistics
from tiles.read import read_preview, read_tile
from tiles.settings import TilesSettings
from tiles.sources import describe, find_source, inspect, open_raster
from tiles.stack import Stack, name_bands, read_stack
from tiles.style import make_style

if TYPE_CHECKING:
    from pathlib import Path

SETTINGS = TilesSettings()
BANDS = ("B02", "B03", "B04", "B08")


@pytest.fixture(scope="module")
def whole(data: Path) -> Path:
    return data / "pairs/beaufort_s2_landcover/s2b_20181013_b2348_uint8.tif"


@pytest.fixture(scope="module")
def files(whole: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("s2")
    paths = [folder / f"T18SUD_20181013_{name}_10m.tif" for name in BANDS]
    with rasterio.open(whole) as source:
        for index, path in enumerate(paths, 1):
            profile = {
                **source.profile,
                "count": 1,
                "compress": "deflate",
                "tiled": True,
                "blockxsize": 256,
                "blockysize": 256,
            }
            profile.pop("photometric", None)
            with rasterio.open(path, "w", **profile) as out:
                out.write(source.read(index), 1)
                out.build_overviews([2, 4], rasterio.enums.Resampling.average)
    return paths


def text(paths: list[Path]) -> str:
    return str(Stack(tuple(map(str, paths)), name_bands([str(path) for path in paths])))


def test_a_stack_is_the_raster_of_all_bands(whole: Path, files: list[Path]) -> None:
    source = find_source(text(files))
    info = describe(source)
    assert [band.description for band in info.bands] == list(BANDS)
    assert [band.index for band in info.bands] == [1, 2, 3, 4]
    assert info.overviews == (2, 4)
    one = describe(find_source(whole))
    assert (info.width, info.height, info.crs, info.transform) == (one.width, one.height, one.crs, one.transform)
    assert roles(info) == {"blue": 1, "green": 2, "red": 3, "nir": 4}
    assert default_bands(info) == (3, 2, 1)
    with open_raster(source) as ours, rasterio.open(whole) as theirs:
        assert (ours.read() == theirs.read()).all()
        window = rasterio.windows.Window(500, 600, 64, 32)
        assert (ours.read((4, 1), window=window) == theirs.read((4, 1), window=window)).all()
        assert (ours.read(2, window=window) == theirs.read(2, window=window)).all()
        assert (ours.read_masks((4, 1), window=window) == theirs.read_masks((4, 1), window=window)).all()
        assert (ours.width, ours.height, ours.count, ours.dtypes) == (
            theirs.width,
            theirs.height,
            theirs.count,
            theirs.dtypes,
        )


def test_tiles_and_numbers_of_a_stack_are_those_of_the_raster(whole: Path, files: list[Path]) -> None:
    ours, theirs = find_source(text(files)), find_source(whole)
    found = []
    for source in (ours, theirs):
        info = inspect(source)
        placement = grid.place(info, "WebMercatorQuad", source.name)
        style = make_style(info, expression=["(b4-b3)/(b4+b3)"])
        x, y = (np.mean(placement.box()[i::2]) for i in (0, 1))
        level = placement.matrices.level(placement.maxzoom)
        tile = placement.matrices.tile(level.z, int((x - level.left) / level.side), int((level.top - y) / level.side))
        pixels = read_tile(source, info, placement, tile, style, size=256, settings=SETTINGS, handles=Handles(9))
        assert pixels is not None
        preview = read_preview(source, info, make_style(info), max_size=200, settings=SETTINGS)
        values = at_pixel(source, info, 700.5, 800.5, settings=SETTINGS)["values"]
        [channel] = statistics(source, info, make_style(info, bidx=["4"]), settings=SETTINGS)
        found.append((pixels, preview, values, channel["mean"]))
    (a, b, c, d), (e, f, g, h) = found
    assert (a.data == e.data).all()
    assert (a.mask == e.mask).all()
    assert b.data.shape == f.data.shape
    assert (c, d) == (g, pytest.approx(h, rel=0.02))


def test_a_stack_changes_with_any_of_its_files(files: list[Path], tmp_path: Path) -> None:
    copies = [tmp_path / path.name for path in files[:2]]
    for path, copy in zip(files, copies, strict=False):
        copy.write_bytes(path.read_bytes())
    before = find_source(text(copies))
    assert find_source(text(copies)) == before
    os.utime(copies[1], ns=(5, 5))
    after = find_source(text(copies))
    assert after.version != before.version
    with pytest.raises(SourceChanged, match="was replaced"), open_raster(before) as dataset:
        dataset.read()
    copies[1].unlink()
    with pytest.raises(SourceNotFound, match="cannot be found"):
        find_source(text(copies))


def test_files_on_other_grids_are_refused_with_what_differs(files: list[Path], tmp_path: Path) -> None:
    coarse = tmp_path / "B11.tif"
    with rasterio.open(files[0]) as source:
        shape = (source.height // 2, source.width // 2)
        transform = source.transform @ source.transform.scale(2)
        profile = {**source.profile, "height": shape[0], "width": shape[1], "transform": transform}
        with rasterio.open(coarse, "w", **profile) as out:
            out.write(source.read(1, out_shape=shape), 1)
    with pytest.raises(
        SourceRefused,
        match=r"'B11.tif' does not lie on the grid of 'T18SUD_20181013_B02_10m.tif': expected 2629 x 2201 pixels .* got 1314 x 1100 pixels.*gdalwarp",
    ):
        inspect(find_source(text([files[0], coarse])))
    shifted = tmp_path / "shifted.tif"
    with (
        rasterio.open(files[0]) as source,
        rasterio.open(
            shifted, "w", **{**source.profile, "transform": source.transform @ source.transform.translation(0.5, 0)}
        ) as out,
    ):
        out.write(source.read())
    with pytest.raises(SourceRefused, match="does not lie on the grid"):
        inspect(find_source(text([files[0], shifted])))
    cut = tmp_path / "cut.tif"
    cut.write_bytes(files[1].read_bytes()[:9000])
    with pytest.raises(SourceUnreadable, match="cut"):
        describe(find_source(text([files[0], cut])))


@pytest.mark.parametrize("wrong", ["stack:", "stack:{}", 'stack:{"files": [], "names": []}', 'stack:{"files": ["/a"], "names": []}', 'stack:{"files": [1], "names": ["a"]}', "stack:[[[["])  # fmt: skip
def test_a_text_that_is_no_stack(wrong: str) -> None:
    with pytest.raises(SourceRefused, match=r"A stack of files cannot be read: expected stack:\{files, names\}; got"):
        read_stack(wrong)


@pytest.mark.parametrize(
    ("files", "names"),
    [
        (["T32UMU_20240501T103021_B04_10m.jp2", "T32UMU_20240501T103021_B03_10m.jp2"], ("B04", "B03")),
        (["LC09_L2SP_017033_20240102_SR_B4.TIF", "LC09_L2SP_017033_20240102_SR_B5.TIF"], ("B4", "B5")),
        (["red.tif", "green.tif"], ("red", "green")),
        (["a_1_x.tif", "a_2_y.tif"], ("1_x", "2_y")),
        (["a/x.tif", "b/x.tif"], ("x", "x")),
        (["one.tif"], ("one",)),
        (["a_b.tif", "a.tif"], ("a_b", "a")),
    ],
)
def test_bands_are_called_by_what_is_their_own_in_the_names(files: list[str], names: tuple[str, ...]) -> None:
    assert name_bands(files) == names


def test_a_text_is_read_as_it_was_written() -> None:
    made = Stack(("/a/ü {}.tif", '/b/"c".tif'), ("x", "y"))
    assert read_stack(str(made)) == made
    assert str(made).startswith(stack.PREFIX)
