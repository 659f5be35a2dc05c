"""What a tile shows, against PROJ per pixel: positions on ramps, values and masks on every shared raster."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import rasterio
from affine import Affine
from pyproj import Transformer
from rio_tiler.io import Reader

from tiles import grid, matrix, warp
from tiles.errors import NotOnMap, SourceUnreadable
from tiles.handles import Handles
from tiles.read import Pixels, read_preview, read_tile, sample_channels
from tiles.settings import TilesSettings
from tiles.sources import inspect, local_source
from tiles.style import Style, make_style

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from tiles.info import RasterInfo

TMS = "WebMercatorQuad"
SIZE = 256
SETTINGS = TilesSettings()
HANDLES = Handles(8)

NOT_ON_MAP = {"rotated.tif", "cog_hirise_mars.tif"}
BY_POINTS = {"cog_gcps.tif"}


def read(path: Path, tile: matrix.Tile, style: Style, size: int = SIZE) -> Pixels | None:
    source = local_source(path)
    info = inspect(source)
    placement = grid.place(info, TMS, path.name)
    return read_tile(source, info, placement, tile, style, size=size, settings=SETTINGS, handles=HANDLES)


def tiles_over(info: RasterInfo, zoom: int) -> list[matrix.Tile]:
    """The tiles under the middle and two corners of a raster, by PROJ."""
    a, b, c, d, e, f = info.transform
    columns, rows = np.array([0.5, 0.02, 0.98]) * info.width, np.array([0.5, 0.02, 0.95]) * info.height
    lon, lat = Transformer.from_crs(info.crs_wkt, "OGC:CRS84", always_xy=True).transform(
        a * columns + b * rows + c, d * columns + e * rows + f
    )
    lat = np.clip(lat, -84, 84)
    n = 2**zoom
    x = (((lon + 180) % 360) / 360 * n).astype(int)
    y = ((1 - np.arcsinh(np.tan(np.radians(lat))) / np.pi) / 2 * n).astype(int)
    return sorted({matrix.find(TMS).tile(zoom, int(i), int(j)) for i, j in zip(x, y, strict=True)}, key=repr)


def source_positions(
    info: RasterInfo, tile: matrix.Tile, size: int = SIZE, part: slice = slice(None)
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Continuous (column, row) of the raster under every output pixel's centre, by PROJ: the oracle."""
    left, bottom, right, top = matrix.find(TMS).bounds(tile)
    x = left + (np.arange(size) + 0.5) * (right - left) / size
    y = top + (np.arange(size) + 0.5) * (bottom - top) / size
    x, y = np.meshgrid(x[part], y[part])
    x, y = Transformer.from_crs("EPSG:3857", info.crs_wkt, always_xy=True).transform(x, y)
    a, b, c, d, e, f = info.transform
    if info.crs == "EPSG:4326":
        x = np.where(x < c, x + 360, x)
    a, b, c, d, e, f = tuple(~Affine(a, b, c, d, e, f))[:6]
    return a * x + b * y + c, d * x + e * y + f


# Positions: a ramp whose two bands hold the column and the row of each pixel's centre. Any symmetric interpolation, and
# averaging into overviews, gives back the position that was sampled, so the warp's error can be read off in pixels.

RAMPS = {
    "utm": ("EPSG:32636", (10, 0, 500_000, 0, -10, 4_000_000), 1000, 800),
    "utm far from its meridian": ("EPSG:32636", (10, 0, 780_000, 0, -10, 6_900_000), 1000, 800),
    "kampala": ("EPSG:3857", (0.149, 0, 3628312.3, 0, -0.149, 39151.3), 1536, 1024),
    "swellendam": ("EPSG:4326", (2.5e-05, 0, 20.49886478, 0, -2.5e-05, -33.998854), 1098, 3039),
    "south-up": ("EPSG:32736", (10, 0, 500_000, 0, 10, 6_000_000), 900, 900),
    "rotated": ("EPSG:32636", (8.66, 5, 500_000, 5, -8.66, 4_000_000), 900, 900),
    "anisotropic": ("EPSG:4326", (0.0003, 0, 20, 0, -0.0001, -34), 900, 900),
    "polar": ("EPSG:3413", (100, 0, 300_000, 0, -100, -2_000_000), 900, 900),
    "dateline": ("EPSG:32660", (100, 0, 569206.3, 0, -100, 5848505.4), 2325, 2355),
    "past 180": ("EPSG:4326", (0.01, 0, 176, 0, -0.01, 4), 900, 900),
}


@pytest.fixture(scope="module", params=RAMPS)
def ramp(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    crs, transform, width, height = RAMPS[request.param]
    path = tmp_path_factory.mktemp("ramp") / "ramp.tif"
    columns, rows = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        count=2,
        width=width,
        height=height,
        dtype="float32",
        crs=crs,
        transform=Affine(*transform),
        tiled=True,
    ) as out:
        out.write(np.stack([columns, rows]).astype("float32"))
    with rasterio.open(path, "r+") as out:
        out.build_overviews([2, 4, 8], rasterio.enums.Resampling.average)
    return path


@pytest.mark.parametrize("below", [-1, 0, 1, 2, 3, 4])
def test_positions_are_those_of_proj(ramp: Path, below: int) -> None:
    """Within 0.05 pixels of the overview level that is read, from twice the native zoom to a sixteenth of it.

    Nearest neighbour gives the centre of a whole pixel, half a pixel off at most. Bilinear gives the position itself;
    where it scales down, GDAL's sampled tent kernel adds a ripple of up to 0.11 pixels, which is even: its mean is not.
    """
    info = inspect(local_source(ramp))
    placement = grid.place(info, TMS, "ramp")
    compared = 0
    for tile in tiles_over(info, placement.maxzoom - below):
        nearest = read(ramp, tile, Style((1, 2, 2), None, palette=False, resampling="nearest"))
        bilinear = read(ramp, tile, Style((1, 2, 2), None, palette=False, resampling="bilinear"))
        if nearest is None or bilinear is None:
            continue
        columns, rows = source_positions(info, tile)
        nets = [
            warp.cast(placement.locator(shift), matrix.find(TMS).bounds(tile), SIZE) for shift in placement.shifts(tile)
        ]
        step = np.nanmax([min(net.steps(info.width, info.height)) for net in nets])
        level = max([1, *(factor for factor in info.overviews if factor <= step * 1.01)])
        # Away from the edge, where the kernel has both its sides.
        rim = 3 * max(step, 1) + level
        inside = (columns > rim) & (columns < info.width - rim) & (rows > rim) & (rows < info.height - rim)
        if inside.sum() < 500:
            continue
        assert (nearest.mask[inside] == 255).all()
        assert (bilinear.mask[inside] == 255).all()
        for band, position in enumerate((columns, rows)):
            assert (abs(nearest.data[band] - position)[inside] / level).max() <= 0.55
            error = ((bilinear.data[band] - position)[inside]) / level
            assert abs(error.mean()) <= 0.01
            assert abs(error).max() <= (0.05 if below < 0 else 0.15)
        compared += inside.sum()
    assert compared


def test_dateline_ramp_shows_on_both_sides(tmp_path: Path) -> None:
    """One tile that spans the world shows the two parts of a raster beyond 180 at its two edges."""
    path = tmp_path / "a.tif"
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        count=1,
        width=400,
        height=400,
        dtype="uint8",
        crs="EPSG:4326",
        transform=Affine(0.1, 0, 160, 0, -0.1, 20),
    ) as out:
        out.write(np.full((1, 400, 400), 9, np.uint8))
    pixels = read(path, matrix.find(TMS).tile(0, 0, 0), Style((1,), None, palette=False, resampling="bilinear"))
    assert pixels is not None
    columns = np.flatnonzero((pixels.mask == 255).any(axis=0))
    assert set(columns) >= {*range(14), *range(242, 256)}
    assert not set(columns) & set(range(16, 240))
    assert (pixels.data[0][pixels.mask == 255] == 9).all()


# Values: with nearest neighbour, beyond the native zoom, every output pixel is one pixel of the file: the one that PROJ
# says, except within 0.05 pixels of a border between two.


def shared_rasters(data: Path) -> list[Path]:
    found = [path for folder in ("images", "pairs") for path in sorted((data / folder).rglob("*.tif"))]
    return [path for path in found if path.name not in NOT_ON_MAP | BY_POINTS | {"corrupt.tif"}]


def test_values_and_masks_are_those_of_the_file(data: Path) -> None:
    for path in shared_rasters(data):
        info = inspect(local_source(path))
        with rasterio.open(path) as oracle:
            values, masks = oracle.read(), oracle.read_masks()
        zoom = grid.place(info, TMS, path.name).maxzoom + 1
        style = make_style(info, resampling=["nearest"])
        compared = 0
        for tile in tiles_over(info, zoom):
            pixels = read(path, tile, style)
            columns, rows = source_positions(info, tile)
            inside = (columns > 0) & (columns < info.width) & (rows > 0) & (rows < info.height)
            sure = (abs(columns - np.rint(columns)) > 0.05) & (abs(rows - np.rint(rows)) > 0.05)
            outside = ~inside & sure
            i, j = rows[inside & sure].astype(int), columns[inside & sure].astype(int)
            bands = [band - 1 for band in style.bands]
            expected = values[bands][:, i, j]
            valid = (masks[bands][:, i, j] > 0).any(axis=0) & np.isfinite(expected).any(axis=0)
            if pixels is None:
                assert not valid.any(), (path.name, tile)
                continue
            assert (pixels.mask[outside] == 0).all(), (path.name, tile)
            assert ((pixels.mask[inside & sure] > 0) == valid).all(), (path.name, tile)
            got = pixels.data[:, inside & sure]
            assert (got[:, valid] == expected[:, valid]).all(), (path.name, tile)
            compared += valid.sum()
        assert compared > 1000, path.name


# Pictures: beside rio-tiler's on every shared raster. Scaled down, the truth is the mean over the output pixel's area,
# here of 4 x 4 positions found by PROJ.

FINE = 4
MIDDLE = slice(64, 192)  # of the tile, in pixels: PROJ for every sample takes its time


@pytest.mark.filterwarnings(
    "ignore::rio_tiler.errors.NoOverviewWarning", "ignore:Adjusting dataset latitudes:UserWarning"
)
def test_pictures_are_as_good_as_rio_tilers(data: Path) -> None:
    compared = 0
    for path in shared_rasters(data):
        info = inspect(local_source(path))
        if info.palette:
            continue
        style = make_style(info, resampling=["bilinear"])
        placement = grid.place(info, TMS, path.name)
        for below in range(2 if info.overviews else 3):
            for tile in tiles_over(info, max(placement.maxzoom - below, 0))[:1]:
                ours = read(path, tile, style)
                if ours is None:
                    continue
                with Reader(str(path)) as reader:
                    theirs = reader.tile(
                        tile.x,
                        tile.y,
                        tile.z,
                        indexes=style.bands,
                        resampling_method="bilinear",
                        reproject_method="bilinear",
                    )
                both = ((ours.mask == 255) & (theirs.mask == 255))[MIDDLE, MIDDLE]
                if both.sum() < 500:
                    continue
                mine, peer = (
                    array[:, MIDDLE, MIDDLE][:, both].astype(float) for array in (ours.data, theirs.array.data)
                )
                levels = 1 if info.bands[0].dtype == "uint8" else max(np.ptp(np.percentile(peer, [2, 98])), 1) / 255
                truth = area_means(path, info, tile, style)[:, both]
                ours_off, theirs_off = (abs(values - truth).mean() / levels for values in (mine, peer))
                if below == 0:
                    assert abs(mine - peer).mean() / levels <= 2, (path.name, tile)
                assert ours_off <= theirs_off * 1.05 + 0.3, (path.name, tile, ours_off, theirs_off)
                compared += 1
    assert compared > 20


def area_means(path: Path, info: RasterInfo, tile: matrix.Tile, style: Style) -> NDArray[np.float64]:
    with rasterio.open(path) as oracle:
        values = oracle.read(style.bands).astype(float)
    fine = slice(MIDDLE.start * FINE, MIDDLE.stop * FINE)
    columns, rows = source_positions(info, tile, SIZE * FINE, fine)
    i = np.clip(rows.astype(int), 0, info.height - 1)
    j = np.clip(columns.astype(int), 0, info.width - 1)
    return values[:, i, j].reshape(len(values), i.shape[0] // FINE, FINE, -1, FINE).mean(axis=(2, 4))


def test_a_tile_beside_the_raster_is_none(data: Path) -> None:
    path = data / "images/cog_rgb_mask.tif"
    info = inspect(local_source(path))
    assert read(path, matrix.find(TMS).tile(18, 0, 0), make_style(info)) is None


def test_a_raster_that_has_no_place(data: Path) -> None:
    for name in NOT_ON_MAP:
        path = data / "images" / name
        with pytest.raises(NotOnMap):
            read(path, matrix.find(TMS).tile(0, 0, 0), make_style(inspect(local_source(path))))


def test_a_damaged_block_is_typed(data: Path) -> None:
    path = data / "images/corrupt.tif"
    info = inspect(local_source(path))
    # Under the last block, which lies beyond the end of the file.
    tile = max(tiles_over(info, 20), key=lambda tile: (tile.x, tile.y))
    with pytest.raises(SourceUnreadable, match=r"'corrupt\.tif' cannot be read"):
        read(path, tile, make_style(info))


# Made rasters for what the shared ones do not have.


def made(
    path: Path, array: NDArray[np.generic], colorinterp: tuple[rasterio.enums.ColorInterp, ...] = (), **profile
) -> Path:
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        count=len(array),
        width=array.shape[2],
        height=array.shape[1],
        dtype=array.dtype,
        crs="EPSG:3857",
        transform=Affine(10, 0, 0, 0, -10, 0),
        **profile,
    ) as out:
        if colorinterp:
            out.colorinterp = colorinterp
        out.write(array)
    return path


def native_tile(path: Path) -> Pixels:
    info = inspect(local_source(path))
    tile = tiles_over(info, grid.place(info, TMS, "made").maxzoom)[0]
    pixels = read(path, tile, make_style(info))
    assert pixels is not None
    return pixels


@pytest.mark.filterwarnings("ignore::rasterio.errors.NodataShadowWarning")
def test_nodata_and_alpha_both_hide(tmp_path: Path) -> None:
    ci = rasterio.enums.ColorInterp
    array = np.full((4, 200, 200), 90, np.uint8)
    array[:3, :, :60] = 0
    array[3] = 255
    array[3, :, 100:] = 0
    pixels = native_tile(made(tmp_path / "a.tif", array, (ci.red, ci.green, ci.blue, ci.alpha), nodata=0))
    shown = pixels.mask > 0
    assert shown.any()
    # Along the nodata area's edge values mix.
    assert (pixels.data[:, pixels.mask == 255] == 90).mean() > 0.97
    whole = native_tile(made(tmp_path / "b.tif", np.full((3, 200, 200), 90, np.uint8)))
    assert 0.15 < shown.sum() / (whole.mask > 0).sum() < 0.25


def test_a_pixel_shows_when_any_band_has_a_value(tmp_path: Path) -> None:
    array = np.zeros((3, 200, 200), np.uint8)
    array[0, :, :100] = 200
    pixels = native_tile(made(tmp_path / "a.tif", array, nodata=0))
    assert 0.4 < (pixels.mask > 0).sum() / (200 * 10 / 9.554628535) ** 2 < 0.6


def test_nan_is_no_data_without_being_declared(tmp_path: Path) -> None:
    array = np.full((1, 200, 200), 3.5, np.float32)
    array[:, :, 100:] = np.nan
    pixels = native_tile(made(tmp_path / "a.tif", array))
    assert (pixels.data[0][pixels.mask > 0] == 3.5).all()
    assert 0.4 < (pixels.mask > 0).sum() / (200 * 10 / 9.554628535) ** 2 < 0.6


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16", "int32", "uint32", "float32", "float64"])
def test_every_type_is_read(tmp_path: Path, dtype: str) -> None:
    pixels = native_tile(made(tmp_path / "a.tif", np.full((1, 200, 200), 5, dtype)))
    assert (pixels.mask > 0).mean() > 0.5
    assert np.allclose(pixels.data[0][pixels.mask > 0], 5)


@pytest.mark.parametrize("dtype", ["complex_int16", "complex64"])
def test_complex_values_show_their_magnitude(tmp_path: Path, dtype: str) -> None:
    path = tmp_path / "a.tif"
    profile = {"crs": "EPSG:3857", "transform": Affine(10, 0, 0, 0, -10, 0), "width": 200, "height": 200, "count": 1}
    with rasterio.open(path, "w", driver="GTiff", dtype=dtype, **profile) as out:
        out.write(np.full((1, 200, 200), 3 + 4j, "complex64"))
    pixels = native_tile(path)
    assert (pixels.data[0][pixels.mask > 0] == 5).all()
    source = local_source(path)
    info = inspect(source)
    small = read_preview(source, info, make_style(info), max_size=64, settings=SETTINGS)
    assert np.allclose(small.data, 5)


def test_a_preview_needs_no_crs(data: Path) -> None:
    for name in ("cog_gcps.tif", "rotated.tif", "cog_hirise_mars.tif"):
        source = local_source(data / "images" / name)
        info = inspect(source)
        pixels = read_preview(source, info, make_style(info), max_size=64, settings=SETTINGS)
        assert max(pixels.mask.shape) == min(64, max(info.width, info.height))
        assert (pixels.mask == 255).all()


def test_a_sample_leaves_out_what_does_not_show(data: Path) -> None:
    source = local_source(data / "images/cog_nodata_nan.tif")
    [values] = sample_channels(source, make_style(inspect(source)), settings=SETTINGS)
    with rasterio.open(data / "images/cog_nodata_nan.tif") as oracle:
        array = oracle.read(1)
    assert np.array_equal(np.sort(values), np.sort(array[np.isfinite(array) & (array != 0)]))
