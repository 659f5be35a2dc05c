"""What a raster's header says, in plain values."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from rasterio.enums import ColorInterp, MaskFlags

if TYPE_CHECKING:
    from pathlib import Path

    from rasterio.io import DatasetReader

_SIDECARS = (".ovr", ".msk", ".aux.xml", ".tfw", ".tifw", ".jgw", ".jpgw", ".pgw", ".pngw", ".wld")


@dataclass(frozen=True, slots=True)
class BandInfo:
    """One band.

    Attributes:
        index: 1-based, as GDAL counts.
        dtype: numpy's name.
        description: the band's own name in the file, or None.
        nodata: the value that means "no data", or None.
        color_interp: `red`, `alpha`, `palette`, `gray`, `undefined`...
        scale: what a stored value is multiplied by to get one in `unit`.
        offset: what is added to it then.
        unit: of the values that scale and offset give, or None.
    """

    index: int
    dtype: str
    description: str | None
    nodata: float | None
    color_interp: str
    scale: float = 1.0
    offset: float = 0.0
    unit: str | None = None


@dataclass(frozen=True, slots=True)
class RasterInfo:
    """What a raster's header says. An odd georeference is data here, not an error.

    Attributes:
        driver: GDAL's name of the format.
        width: in pixels.
        height: in pixels.
        crs_wkt: WKT2 of its CRS, or None.
        crs: `EPSG:n` when the CRS is exactly that one, else None.
        transform: (a, b, c, d, e, f), x = a col + b row + c, y = d col + e row + f, from continuous pixel coordinates;
            the identity when the file has none.
        gcps: number of ground control points; when there are any, `transform` means nothing.
        gcp_points: their (col, row, x, y), x and y in `gcp_crs`.
        gcp_crs: `EPSG:n` or WKT2, or None.
        rpcs: whether it carries rational polynomial coefficients.
        bands: in file order, an alpha band included.
        is_tiled: whether its blocks are tiles, so that a part can be read alone.
        block_shape: (rows, columns) of a block.
        overviews: decimation factors of the overviews inside the file, finest first.
        has_mask: whether it carries a mask band inside the file.
        interleave: `pixel`, `band` or `line`.
        compression: `deflate`, `jpeg`..., or None.
        palette: RGBA per pixel value of the first band, or None.
        datetime: the TIFF's date as `YYYY-MM-DDTHH:MM:SS`, without a time zone, or None.
        sidecars: names of files beside it that GDAL would read and that are left unread here.
    """

    driver: str
    width: int
    height: int
    crs_wkt: str | None
    crs: str | None
    transform: tuple[float, float, float, float, float, float]
    gcps: int
    gcp_points: tuple[tuple[float, float, float, float], ...] = field(repr=False)
    gcp_crs: str | None
    rpcs: bool
    bands: tuple[BandInfo, ...]
    is_tiled: bool
    block_shape: tuple[int, int]
    overviews: tuple[int, ...]
    has_mask: bool
    interleave: str
    compression: str | None
    palette: tuple[tuple[int, int, int, int], ...] | None = field(repr=False)
    datetime: str | None
    sidecars: tuple[str, ...]

    @property
    def alpha(self) -> int | None:
        """1-based index of the alpha band, or None."""
        return next((band.index for band in self.bands if band.color_interp == "alpha"), None)


def read_info(dataset: DatasetReader, file: Path | None) -> RasterInfo:
    """What the header of an open raster says.

    Args:
        dataset: that is open.
        file: where it lies on this machine, for what lies beside it; None when it is elsewhere.
    """
    points, gcp_crs = dataset.gcps
    crs = dataset.crs
    transform = dataset.transform
    colors = [interp.name for interp in dataset.colorinterp]
    flags = dataset.mask_flag_enums[0]
    interleave = dataset.interleaving
    compression = dataset.compression
    return RasterInfo(
        driver=dataset.driver,
        width=dataset.width,
        height=dataset.height,
        crs_wkt=crs.to_wkt(version="WKT2_2019") if crs else None,
        crs=_crs_name(crs) if crs else None,
        transform=(transform.a, transform.b, transform.c, transform.d, transform.e, transform.f),
        gcps=len(points),
        gcp_points=tuple((p.col, p.row, p.x, p.y) for p in points),
        gcp_crs=(_crs_name(gcp_crs) or gcp_crs.to_wkt(version="WKT2_2019")) if gcp_crs else None,
        rpcs=dataset.rpcs is not None,
        bands=tuple(
            BandInfo(
                index,
                str(dtype),
                description or None,
                None if nodata is None else float(nodata),
                color,
                *_scaling(scale, offset),
                unit or None,
            )
            for index, dtype, description, nodata, color, scale, offset, unit in zip(
                dataset.indexes,
                dataset.dtypes,
                dataset.descriptions,
                dataset.nodatavals,
                colors,
                dataset.scales,
                dataset.offsets,
                dataset.units,
                strict=True,
            )
        ),
        is_tiled=bool(dataset.profile.get("tiled")),
        block_shape=tuple(dataset.block_shapes[0]),
        overviews=tuple(dataset.overviews(1)),
        has_mask=MaskFlags.per_dataset in flags and MaskFlags.alpha not in flags,
        interleave=interleave.value.lower() if interleave else "band",
        compression=compression.value.lower() if compression else None,
        palette=_palette(dataset),
        datetime=_datetime(dataset.tags().get("TIFFTAG_DATETIME")),
        sidecars=() if file is None else _sidecars(file),
    )


def _crs_name(crs: Any) -> str | None:
    authority = crs.to_authority(confidence_threshold=100)
    return f"EPSG:{authority[1]}" if authority and authority[0] == "EPSG" else None


def _scaling(scale: float, offset: float) -> tuple[float, float]:
    """As they are, unless they are nonsense: a band times zero, or by what is no number."""
    usable = math.isfinite(scale) and math.isfinite(offset) and scale != 0
    return (float(scale), float(offset)) if usable else (1.0, 0.0)


def _palette(dataset: DatasetReader) -> tuple[tuple[int, int, int, int], ...] | None:
    if dataset.colorinterp[0] != ColorInterp.palette:
        return None
    colors = dataset.colormap(1)
    return tuple(colors.get(value, (0, 0, 0, 0)) for value in range(max(colors) + 1))


def _datetime(tag: str | None) -> str | None:
    """TIFF writes `YYYY:MM:DD HH:MM:SS`; scanners write anything."""
    digits = (tag or "").strip()
    if len(digits) == len("YYYY:MM:DD HH:MM:SS") and digits[4] == digits[7] == ":":
        try:
            return str(np.datetime64(f"{digits[:10].replace(':', '-')}T{digits[11:]}", "s"))
        except ValueError:
            return None
    return None


def _sidecars(file: Path) -> tuple[str, ...]:
    beside = {file.with_name(file.name + suffix) for suffix in _SIDECARS} | {
        file.with_suffix(suffix) for suffix in _SIDECARS
    }
    return tuple(sorted(path.name for path in beside if path.exists()))
