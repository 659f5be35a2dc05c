"""What a raster holds, in numbers: statistics, values at a point, the outline of its data, the legend of a style."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import rasterio.features
import shapely
from affine import Affine
from rasterio.windows import Window
from shapely.geometry import mapping

from tiles import grid, look
from tiles.bands import data_bands
from tiles.blocks import read_values
from tiles.errors import OutsideRaster
from tiles.read import read_sample, sample_channels
from tiles.sources import open_raster
from tiles.style import percentile_range

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from shapely.geometry.base import BaseGeometry

    from tiles.info import BandInfo, RasterInfo
    from tiles.matrix import Bounds
    from tiles.settings import TilesSettings
    from tiles.sources import Source
    from tiles.style import Range, Style

BINS: Final = 64
_STEPS: Final = 16


def statistics(
    source: Source, info: RasterInfo, style: Style, *, settings: TilesSettings, bbox: Bounds | None = None
) -> list[dict[str, Any]]:
    """Statistics of each channel of a style, from a sample of at most 1024 x 1024 pixels.

    Args:
        source: the raster.
        info: its header.
        style: what is looked at; its `percentiles` make the stretch.
        settings: limits for opening.
        bbox: (west, south, east, north), CRS84: only the pixels in the box of the raster's grid that holds it; west > east
            crosses the antimeridian. The whole raster when None.

    Returns:
        `count` of valid pixels in the sample, `min max mean std median percentile_2 percentile_98` (None without any),
        `stretch` (what the automatic stretch would make black and white), and a `histogram` with `counts` (64) between
        `edges` (65). A channel that is a band has its `band`, `name`, `unit`, `scale` and `offset`.

    Raises:
        NotOnMap: there is a box, and the raster has no place on Earth.
    """
    box = None if bbox is None else grid.pixels_of(info, bbox, source.name)
    channels = [
        {**_describe(values), "stretch": list(percentile_range(values, style.percentiles))}
        for values in sample_channels(source, style, settings=settings, box=box)
    ]
    if style.expression is None:
        for channel, index in zip(channels, style.bands, strict=True):
            channel |= {"band": index, **_named(info.bands[index - 1])}
    return channels


def _named(band: BandInfo) -> dict[str, Any]:
    return {"name": band.description, "unit": band.unit, "scale": band.scale, "offset": band.offset}


def _describe(values: NDArray[Any]) -> dict[str, Any]:
    if values.size == 0:
        names = ("min", "max", "mean", "std", "median", "percentile_2", "percentile_98")
        return {"count": 0, **dict.fromkeys(names), "histogram": None}
    exact = values.astype(np.float64)
    low, median, high = np.percentile(exact, (2, 50, 98))
    counts, edges = np.histogram(exact, BINS)
    return {
        "count": int(exact.size),
        "min": float(exact.min()),
        "max": float(exact.max()),
        "mean": float(exact.mean()),
        "std": float(exact.std()),
        "median": float(median),
        "percentile_2": float(low),
        "percentile_98": float(high),
        "histogram": {"counts": counts.tolist(), "edges": edges.tolist()},
    }


def point(source: Source, info: RasterInfo, lon: float, lat: float, *, settings: TilesSettings) -> dict[str, Any]:
    """The values of all bands under a place.

    Args:
        source: the raster.
        info: its header.
        lon: longitude, CRS84.
        lat: latitude, CRS84.
        settings: limits for opening.

    Returns:
        `coordinates` and what `at_pixel` gives.

    Raises:
        OutsideRaster: nothing of the raster lies there.
        NotOnMap: it has no place on Earth.
    """
    column, row = grid.pixel_of(info, lon, lat, source.name)
    if not (0 <= column < info.width and 0 <= row < info.height):
        raise OutsideRaster(f"({lon:g}, {lat:g}) lies outside {source.name!r}.")
    return {"coordinates": [lon, lat], **at_pixel(source, info, column, row, settings=settings)}


def at_pixel(source: Source, info: RasterInfo, column: float, row: float, *, settings: TilesSettings) -> dict[str, Any]:
    """The values of all bands at a position of a raster, which need not lie anywhere.

    Args:
        source: the raster.
        info: its header.
        column: continuous, from the outer corner of the first pixel.
        row: likewise.
        settings: limits for opening.

    Returns:
        `pixel` (continuous column and row), `values` as they are stored, one per band, None where there is no data, and
        `bands`: what each is. When any has a scale, an offset or a unit, `scaled`: the values in it.

    Raises:
        OutsideRaster: it has no such pixel.
    """
    if not (0 <= column < info.width and 0 <= row < info.height):
        raise OutsideRaster(
            f"{source.name!r} has {info.width} columns and {info.height} rows; there is no pixel at ({column:g}, {row:g})."
        )
    window = Window(math.floor(column), math.floor(row), 1, 1)
    with open_raster(source, settings=settings) as dataset:
        values = read_values(dataset, info, tuple(dataset.indexes), window)[:, 0, 0]
        seen = dataset.read_masks(window=window)[:, 0, 0] > 0
    shown = [float(v) if s and np.isfinite(v) else None for v, s in zip(values, seen, strict=True)]
    found = {
        "pixel": [column, row],
        "values": shown,
        "bands": [{"index": band.index, **_named(band)} for band in info.bands],
    }
    if any((band.scale, band.offset, band.unit) != (1.0, 0.0, None) for band in info.bands):
        found["scaled"] = [
            None if v is None else v * b.scale + b.offset for v, b in zip(shown, info.bands, strict=True)
        ]
    return found


def footprint(source: Source, info: RasterInfo, *, settings: TilesSettings) -> dict[str, Any]:
    """The outline of what has data, to within two pixels of a sample of 1024 x 1024, as a GeoJSON geometry in longitude and latitude.

    Across the antimeridian it is cut in two, as RFC 7946 asks.

    Raises:
        NotOnMap: it has no place on Earth.
    """
    _, valid = read_sample(source, data_bands(info)[:4], settings=settings)
    seen = valid.any(axis=0)
    height, width = seen.shape
    to_pixels = Affine.scale(info.width / width, info.height / height)
    parts = rasterio.features.shapes(seen.astype(np.uint8), mask=seen, transform=to_pixels, connectivity=8)
    outline = shapely.union_all([shapely.geometry.shape(part) for part, _ in parts])
    # Edges get vertices, because straight ones in the raster bend on the globe.
    spacing = max(info.width, info.height) / 32
    outline = shapely.segmentize(outline.simplify(max(info.width / width, info.height / height)), spacing)
    placed = shapely.transform(outline, lambda xy: grid.lonlat_of(info, xy, source.name))
    geometry: dict[str, Any] = mapping(shapely.set_precision(_cut(placed), 1e-7))
    return geometry


def _cut(shape: BaseGeometry) -> BaseGeometry:
    """Cut at the antimeridian what goes across it."""
    west, _, east, _ = shape.bounds if not shape.is_empty else (0, 0, 0, 0)
    if east - west <= 180 and west >= -180 and east <= 180:
        return shapely.make_valid(shape)
    if west >= -180 and east <= 180:  # vertices on both sides of the seam
        shape = shapely.transform(shape, lambda xy: np.where([True, False] * (xy < 0), xy + 360, xy))
    shape = shapely.make_valid(shape)
    pieces = [
        shapely.transform(shape & shapely.box(at - 180, -90, at + 180, 90), lambda xy, at=at: xy - [at, 0])  # type: ignore[misc]
        for at in (-360, 0, 360)
    ]
    return shapely.union_all([piece for piece in pieces if not piece.is_empty])


def legend(style: Style, stretch: Sequence[Range] | None, info: RasterInfo) -> dict[str, Any]:
    """What the colors of one band mean: `entries` of `value` and `color`; `type` says whether they are mixed between.

    Args:
        style: of one channel.
        stretch: what it comes to on the raster.
        info: its header.
    """
    colormap = style.look.colormap
    if style.palette:
        colors = enumerate(info.palette or ())
        return {"type": "values", "entries": [{"value": v, "color": _hex(c)} for v, c in colors if c[3]]}
    if colormap is not None and colormap.stops:
        return {"type": "mixed", "entries": [{"value": v, "color": _hex(c)} for v, c in colormap.stops]}
    low, high = stretch[0] if stretch else (0.0, 255.0)
    table = style.look.table()
    ramp = np.arange(256) if table is None else table
    colors_ = (
        np.stack([ramp] * 3 + [np.full(256, 255)], axis=1) if colormap is None else look.named(str(colormap.name))[ramp]
    )
    at = np.linspace(0, 255, _STEPS).astype(int)
    entries = [{"value": low + (high - low) * i / 255, "color": _hex(colors_[i])} for i in at]
    return {"type": "mixed", "entries": entries}


def _hex(color: Sequence[int]) -> str:
    red, green, blue, alpha = (int(v) for v in color)
    return f"#{red:02x}{green:02x}{blue:02x}" + ("" if alpha == 255 else f"{alpha:02x}")
