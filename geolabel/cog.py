"""A Cloud Optimized GeoTIFF beside a raster, with the same pixels; on a grid where control points placed them."""

from __future__ import annotations

import os
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rasterio.enums import Resampling
from rasterio.errors import RasterioError
from rasterio.vrt import WarpedVRT
from rio_cogeo.cogeo import cog_translate
from rio_cogeo.profiles import cog_profiles

from geolabel.errors import AlreadyExists, InvalidRaster
from tiles.crs import is_geographic
from tiles.errors import TilesError
from tiles.sources import describe, find_source, open_raster

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from rasterio.io import DatasetReader

    from tiles.info import RasterInfo

_IDENTITY = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


def write_cog(path: str | Path, *, progress: Callable[[float, str], None] | None = None) -> Path:
    """Write a Cloud Optimized GeoTIFF with the same pixels beside a raster.

    Args:
        path: the raster.
        progress: called with a share and a sentence at the start and at the end.

    Returns:
        `{stem}.cog.tif` in the same folder.

    Raises:
        AlreadyExists: that file is there.
        InvalidRaster: the raster cannot be read, or the folder cannot be written to.
    """
    try:
        source = find_source(path)
        if source.members:
            raise InvalidRaster(
                "Several files are not written as one COG: write one of each first (--cog without --stack), or leave --cog out."
            )
        if source.is_remote:
            raise InvalidRaster(
                f"There is no folder to write to beside {source.href!r}: copy the file to this machine first."
            )
        info = describe(source)
    except TilesError as error:
        raise InvalidRaster(str(error)) from error
    original = Path(source.href)
    target = original.with_name(f"{original.stem}.cog.tif")
    if target.exists():
        raise AlreadyExists(f"{target.name} is already there, beside {original.name}. Register it, or remove it first.")
    if progress:
        progress(0.0, f"Writing {target.name}")
    staged = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        # Lossless, so that chips cut from the copy are the pixels of the original.
        with open_raster(source) as dataset, _placed(dataset, info) as pixels_:
            options: dict[str, Any] = {"in_memory": False, "quiet": True, "forward_band_tags": True}
            if pixels_.count > dataset.count:  # the alpha of what a warp leaves empty: a mask, and no band
                options |= {"indexes": dataset.indexes, "add_mask": True}
            cog_translate(pixels_, str(staged), dict(cog_profiles["deflate"]), **options)
        with staged.open("rb+") as file:
            os.fsync(file.fileno())
        staged.rename(target)
    except (OSError, RasterioError) as error:
        raise InvalidRaster(f"{target.name} cannot be written beside {original.name}: {error}") from error
    finally:
        staged.unlink(missing_ok=True)
    if progress:
        progress(1.0, f"Wrote {target.name}")
    return target


def _placed(dataset: DatasetReader, info: RasterInfo) -> AbstractContextManager[DatasetReader]:
    """The same pixels, placed by the transform alone; without one, brought to a grid by the control points.

    rio-cogeo goes by the control points, even where a driver (JPEG 2000) names a CRS for points and has none.
    """
    if info.gcps and info.transform == _IDENTITY and info.gcp_crs:
        nodata = info.bands[0].nodata
        warped: AbstractContextManager[DatasetReader] = WarpedVRT(
            dataset,
            src_crs=dataset.gcps[1],
            crs=_grid_crs(info.gcp_crs, info.gcp_points),
            resampling=Resampling.bilinear,
            add_alpha=nodata is None and info.alpha is None,
            nodata=nodata,
            SRC_METHOD="GCP_TPS",
        )
        return warped
    return WarpedVRT(dataset) if dataset.gcps[1] else nullcontext(dataset)


def _grid_crs(crs: str, points: Sequence[tuple[float, float, float, float]]) -> str:
    """A CRS with square pixels for what is placed by points: theirs, or the UTM zone or pole of their middle."""
    if not is_geographic(crs):
        return crs
    lon, lat = (float(v) for v in np.mean([point[2:] for point in points], axis=0))
    if abs(lat) > 82:
        return "EPSG:3413" if lat > 0 else "EPSG:3031"
    return f"EPSG:{326 if lat >= 0 else 327}{int((lon + 180) % 360 // 6) + 1:02d}"
