"""Scenes: look at a raster once, say what it is and what is odd about it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, date
from datetime import datetime as datetime_
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from shapely.geometry import LineString

from geolabel.errors import InvalidCRS, InvalidInput, InvalidRaster
from geolabel.geo import crs as crs_
from geolabel.geo import pixels
from geolabel.model import CRS84, Band, Bounds, Grid, Scene, slugify
from geolabel.stacitem import is_item, read_item
from tiles.allow import is_address
from tiles.errors import InvalidParameter, TilesError
from tiles.georef import ByPoints, locate
from tiles.sources import describe, find_source, open_raster
from tiles.sources import inspect as read_header
from tiles.stack import Stack, common_name, name_bands
from tiles.style import PARAMETERS, make_style

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tiles.info import BandInfo, RasterInfo

SYNTHETIC_TAG = "GEOLABEL_SYNTHETIC"
"""Metadata item of a raster that was generated, not taken: `YES`."""

_IDENTITY = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
_LARGE_PX = 2048


@dataclass(frozen=True, slots=True)
class Found:
    """What a scene is made of.

    Attributes:
        href: a path, an address, or several files as one text.
        id: slug; None for that of the file's name.
        datetime: RFC 3339, or None for that of the file.
    """

    href: str
    id: str | None = None
    datetime: str | None = None


def find_files(
    path: str | Path | Sequence[str | Path], assets: Sequence[str] = (), check: Callable[[str], str] = str
) -> Found:
    """Find what a scene is made of.

    Args:
        path: a raster, several single-band files on one grid, or a STAC item.
        assets: of a STAC item, which to take.
        check: looks at each file that a STAC item names, and raises when it may not be opened.

    Raises:
        InvalidRaster: a STAC item cannot be read.
        InvalidInput: no file at all, an asset that is not there, or assets of what is no STAC item.
    """
    if not isinstance(path, str | Path):
        files = [_absolute(str(file)) for file in path]
        if not files:
            raise InvalidInput("A stack needs at least one file.")
        return Found(str(Stack(tuple(files), name_bands(files))), slugify(common_name(files)))
    text = str(path)
    if is_item(text):
        item = read_item(text, assets)
        files = [_absolute(check(file)) for file in item.files]
        return Found(str(Stack(tuple(files), item.names)), slugify(item.id), item.datetime)
    if assets:
        raise InvalidInput(f"Assets are those of a STAC item (.json), and {Path(text).name!r} is none.")
    return Found(text)


def _absolute(file: str) -> str:
    return file if is_address(file) else str(Path(file).resolve())


def inspect(path: str | Path, *, scene_id: str | None = None, datetime: str | None = None) -> Scene:
    """Look at a raster file and describe it as a scene; nothing is registered and nothing is written.

    Args:
        path: a file that this machine can read, or an address (`https://`, `s3://`, `gs://`, `az://`).
        scene_id: slug; from the file name when None.
        datetime: RFC 3339 date or date-time; from the file's tags when None.

    Raises:
        InvalidRaster: the file is damaged, has no CRS, or cannot be placed on the Earth; the sentence says what to do.
        InvalidInput: the date cannot be read.
    """
    try:
        source = find_source(path)
        info = describe(source)
        with open_raster(source) as dataset:
            synthetic = dataset.tags().get(SYNTHETIC_TAG) == "YES"
    except TilesError as error:
        raise InvalidRaster(str(error)) from error
    name = source.name
    grid = _grid(name, info)
    return Scene(
        id=scene_id or slugify(Path(name).stem),
        href=source.href,
        grid=grid,
        bands=tuple(_band(band) for band in info.bands),
        version=source.version,
        datetime=read_datetime(datetime) if datetime else info.datetime,
        bounds=_bounds(name, grid),
        resolution=_resolution(grid),
        synthetic=synthetic,
        warnings=(*_no_place(name, grid), *_warnings(info)),
    )


def _band(info: BandInfo) -> Band:
    name = info.description or f"Band {info.index}"
    return Band(info.index, info.dtype, name, info.nodata, info.color_interp, info.scale, info.offset, info.unit)


def check_rendering(scene: Scene, rendering: Mapping[str, str]) -> None:
    """Refuse a saved look that tiles of a scene cannot be drawn with.

    Args:
        scene: whose file says which bands there are.
        rendering: query parameters of its tiles.

    Raises:
        InvalidInput: one is not known, or cannot be used.
        InvalidRaster: the file cannot be read.
    """
    unknown = sorted(set(rendering) - set(PARAMETERS))
    if unknown:
        raise InvalidInput(f"A rendering has no {unknown[0][:64]!r}: expected any of {', '.join(PARAMETERS)}.")
    try:
        given: dict[str, Any] = {name: [text] for name, text in rendering.items()}
        make_style(read_header(find_source(scene.href)), **given)
    except InvalidParameter as error:
        raise InvalidInput(str(error)) from error
    except TilesError as error:
        raise InvalidRaster(str(error)) from error


def _grid(name: str, info: RasterInfo) -> Grid:
    if info.gcps and info.transform == _IDENTITY:
        raise InvalidRaster(
            f"{name} has {info.gcps} ground control points and no transform, so labels on its own pixels have no exact place. "
            "`geolabel scene add --cog` brings it onto a grid, once, by a thin plate spline through the points"
            f"{_fit_words(name, info)}, and registers that.",
        )
    if info.crs_wkt is None and info.transform == _IDENTITY:
        return Grid(None, info.transform, info.width, info.height)
    if info.crs_wkt is None:
        raise InvalidRaster(
            f"{name} has a transform and no CRS, so its coordinates could be anywhere. "
            f"Give it the CRS first: gdal_edit.py -a_srs EPSG:n {name}, or rio edit-info --crs EPSG:n {name}",
        )
    try:
        crs = crs_.normalise(info.crs or info.crs_wkt)
    except InvalidCRS as error:
        raise InvalidRaster(f"{name} has a CRS that cannot be used: {error}") from error
    if info.transform == _IDENTITY:
        raise InvalidRaster(
            f"{name} has the CRS {crs_.label(crs)} and no transform, so its pixels have no place. "
            f"Give it one first: gdal_translate -a_ullr ulx uly lrx lry {name} placed.tif",
        )
    grid = Grid(crs, info.transform, info.width, info.height)
    if pixels.pixel_area(grid) == 0 or not all(map(math.isfinite, grid.transform)):
        raise InvalidRaster(f"{name} has the transform {info.transform}, which maps its pixels onto no area.")
    return grid


def _fit_words(name: str, info: RasterInfo) -> str:
    """How good a fit to the points would be."""
    fit = locate(info, name)
    typical, worst = fit.left_out if isinstance(fit, ByPoints) else (0.0, 0.0)
    return f" (each is found from the others to within {typical:.2g} pixels, the worst to {worst:.2g})"


def _bounds(name: str, grid: Grid) -> Bounds | None:
    if grid.crs is None or not crs_.on_earth(grid.crs):
        return None
    try:
        return crs_.bounds_to(pixels.footprint(grid).bounds, grid.crs, CRS84)
    except InvalidCRS as error:
        raise InvalidRaster(f"{name} lies where its own CRS does not reach: {error}") from error


def _resolution(grid: Grid) -> float:
    """Ground size of the pixel at the centre in metres: the geometric mean of its two edges; 1 for one without ground."""
    a, b, c, d, e, f = grid.transform
    col, row = grid.width / 2, grid.height / 2

    def place(x: float, y: float) -> tuple[float, float]:
        return (a * x + b * y + c, d * x + e * y + f)

    # A tenth of each edge: a pixel may be as large as the Earth, and all the way around it is no distance.
    edges = np.array(
        [LineString([place(col, row), place(col + 0.1, row)]), LineString([place(col, row), place(col, row + 0.1)])],
        dtype=object,
    )
    across, down = crs_.ground_length(edges, grid.crs or crs_.PIXELS)
    return float(np.sqrt(across * down) * 10)


def _no_place(name: str, grid: Grid) -> list[str]:
    """What it means that a scene is not on the Earth."""
    if grid.crs is None:
        return [
            (
                "It has no CRS, so it has no place on any map: its labels are pixels, the web map cannot draw it yet, and formats of "
                f"map space refuse it. If it has a place: gdal_translate -a_srs EPSG:n -a_ullr ulx uly lrx lry {name} placed.tif"
            ),
        ]
    if not crs_.on_earth(grid.crs):
        return [
            (
                f"It lies on another body than the Earth ({crs_.label(grid.crs)}): its labels rest in that CRS and are served in no other, "
                "and the web map cannot draw it yet."
            ),
        ]
    return []


def _warnings(info: RasterInfo) -> list[str]:
    notes = []
    large = max(info.width, info.height) > _LARGE_PX
    if large and not info.overviews:
        megabytes = info.width * info.height * sum(np.dtype(b.dtype).itemsize for b in info.bands) / 1e6
        notes.append(
            f"It has no overviews: a zoomed-out tile reads up to {megabytes:.0f} MB of pixels. "
            "`geolabel scene add --cog` writes a Cloud Optimized GeoTIFF beside it, once, and registers that.",
        )
    if large and not info.is_tiled:
        notes.append(
            "It is stored in strips, not in tiles: a small window reads whole rows. `geolabel scene add --cog` cures it.",
        )
    if info.gcps:
        notes.append(f"It has {info.gcps} ground control points beside its transform; the transform is used.")
    if any(b.dtype.startswith("complex") for b in info.bands):
        notes.append("Its values are complex: the map shows their magnitude.")
    scaled = [b for b in info.bands if (b.scale, b.offset) != (1.0, 0.0)]
    if scaled:
        notes.append(
            f"Its values are stored with a scale and an offset (band {scaled[0].index}: {scaled[0].scale:g} x value + {scaled[0].offset:g}"
            f"{' ' + scaled[0].unit if scaled[0].unit else ''}): stretches, expressions and chips are in stored values, unscale=true shows the others."
        )
    return notes


def read_datetime(text: str) -> str:
    """A date or a moment as RFC 3339 in UTC.

    Raises:
        InvalidInput: it is neither.
    """
    try:
        if len(text) == len("2018-10-13"):
            return f"{date.fromisoformat(text).isoformat()}T00:00:00Z"
        moment = datetime_.fromisoformat(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
    except (ValueError, OverflowError) as error:
        raise InvalidInput(
            f"The date {text!r} cannot be read: expected '2018-10-13' or '2018-10-13T10:20:30Z'."
        ) from error
