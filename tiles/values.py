"""Pixels and mask -> GeoTIFF and NumPy bytes: the values themselves, for programs and for GIS."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

import numpy as np
import rasterio
from affine import Affine
from rasterio.io import MemoryFile

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from typing_extensions import TypeIs

    from tiles.info import RasterInfo
    from tiles.matrix import MatrixSet, Tile
    from tiles.read import Pixels
    from tiles.style import Style

Format = Literal["tif", "npy"]
FORMATS: Final[tuple[Format, ...]] = get_args(Format)
MEDIA_TYPES: Final[dict[Format, str]] = {"tif": "image/tiff; application=geotiff", "npy": "application/x-binary"}

Place = tuple[str | None, tuple[float, float, float, float, float, float]]
"""Name or WKT of a CRS, or None, and a transform (a, b, c, d, e, f)."""

MAX_VALUES: Final = 32 * 2**20
"""Most values in one file."""


def is_format(text: str) -> TypeIs[Format]:
    """Whether it is one of these, and not a picture."""
    return text in FORMATS


def write(fmt: Format, pixels: Pixels, info: RasterInfo, style: Style, placed: Place) -> bytes:
    """Write a file.

    Args:
        fmt: which.
        pixels: in the order of the style's bands.
        info: the raster's header.
        style: says what was read.
        placed: CRS and transform, for what has them.
    """
    return _npy(pixels) if fmt == "npy" else _geotiff(pixels, info, style, placed)


def _npy(pixels: Pixels) -> bytes:
    """A NumPy file: (bands + 1, height, width), the last plane 255 where there is data and 0 elsewhere, as rio-tiler has it."""
    out = BytesIO()
    np.save(out, np.concatenate([pixels.data, pixels.mask[np.newaxis]]))
    return out.getvalue()


def _geotiff(
    pixels: Pixels,
    info: RasterInfo,
    style: Style,
    placed: Place,
) -> bytes:
    """A georeferenced GeoTIFF.

    What has no data is the raster's nodata value; NaN in floating point without one; hidden by a mask inside the file otherwise.

    Args:
        pixels: in the order of the style's bands.
        info: the raster's header.
        style: says what was read.
        placed: CRS and transform.
    """
    made = style.expression is not None or style.unscale is not None
    nodata = None if made else _nodata(info, style.bands)
    if nodata is None and pixels.data.dtype.kind == "f":
        nodata = float("nan")
    data, hidden = pixels.data, pixels.mask == 0
    if nodata is not None and hidden.any():
        data = data.copy()
        data[:, hidden] = nodata
    crs, transform = placed
    profile: dict[str, Any] = {
        "driver": "GTiff", "count": len(data), "height": data.shape[1], "width": data.shape[2], "dtype": data.dtype,
        "crs": crs, "transform": Affine(*transform), "nodata": nodata, "compress": "deflate", "zlevel": 1,
    }  # fmt: skip
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), MemoryFile() as memory:
        with memory.open(**profile) as out:
            out.write(data)
            if nodata is None and hidden.any():
                out.write_mask(~hidden)
            if style.expression is None:
                _name_bands(out, info, style)
        return bytes(memory.read())


def _nodata(info: RasterInfo, bands: tuple[int, ...]) -> float | None:
    found = {info.bands[band - 1].nodata for band in bands}
    complex_ = any(info.bands[band - 1].dtype.startswith("complex") for band in bands)
    return None if len(found) != 1 or complex_ else found.pop()


def _name_bands(out: Any, info: RasterInfo, style: Style) -> None:
    bands = [info.bands[band - 1] for band in style.bands]
    out.descriptions = [band.description or "" for band in bands]
    if style.unscale is None and any((band.scale, band.offset) != (1.0, 0.0) for band in bands):
        out.scales, out.offsets = [band.scale for band in bands], [band.offset for band in bands]
    for index, band in enumerate(bands, 1):
        if band.unit:
            out.set_band_unit(index, band.unit)


def empty(info: RasterInfo, style: Style, size: int) -> tuple[NDArray[Any], NDArray[np.uint8]]:
    """Data and mask where nothing shows."""
    kinds = [info.bands[band - 1].dtype for band in style.bands]
    float_ = style.expression is not None or style.unscale is not None or any(kind[0] == "c" for kind in kinds)
    kind = np.dtype("float32") if float_ else np.result_type(*kinds)
    return np.zeros((style.channels, size, size), dtype=kind), np.zeros((size, size), dtype=np.uint8)


def place(matrices: MatrixSet, info: RasterInfo, tile: Tile, size: int) -> Place:
    """CRS and transform of a tile; of one of the raster's own pixels, the raster's, further on."""
    left, bottom, right, top = matrices.bounds(tile)
    step = (right - left) / size
    if matrices.crs is not None:
        return matrices.crs, (step, 0.0, left, 0.0, (bottom - top) / size, top)
    own = Affine(*info.transform) if info.crs_wkt else Affine.identity()
    moved = own @ Affine.translation(left, -top) @ Affine.scale(step, step)
    return info.crs_wkt, (moved.a, moved.b, moved.c, moved.d, moved.e, moved.f)
