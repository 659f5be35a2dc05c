"""Images of chips, and every other raster of a dataset: the same pixels give the same bytes."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import rasterio
from affine import Affine
from PIL import Image
from rasterio.enums import ColorInterp
from rasterio.io import MemoryFile

from geolabel.chips.read import chosen_bands
from geolabel.chips.values import dataset_dtype
from geolabel.errors import InvalidSpec
from geolabel.formats import tiff

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from geolabel.chips.build import Chip
    from geolabel.chips.spec import ChipSpec
    from geolabel.chips.stored import Stored
    from geolabel.model import Grid, Scene

Palette = dict[int, tuple[int, int, int, int]]

_PNG_LEVEL = 3
_MODES = {1: "L", 3: "RGB", 4: "RGBA"}
_JPEG_QUALITY = 95


def check_images(scenes: Sequence[Scene], spec: ChipSpec) -> None:
    """Refuse an image format that cannot hold the pixels of a scene.

    Raises:
        InvalidSpec: PNG or JPEG was asked for, and the dataset has other than 8 bits, or a number of bands that it cannot hold.
    """
    modes = {"png": _MODES, "jpg": {1: "L", 3: "RGB"}}.get(spec.image_format)
    if modes is None:
        return
    for scene in scenes:
        bands = chosen_bands(scene, spec.bands)
        dtype = str(dataset_dtype([band.dtype for band in scene.bands if band.index in bands], spec))
        stacked = len(bands) * max((len(group) for group in spec.stack if scene.id in group), default=1)
        if dtype != "uint8" or stacked not in modes:
            name = {"png": "PNG", "jpg": "JPEG"}[spec.image_format]
            raise InvalidSpec(
                f"{name} holds 8-bit pixels in {_listed(modes)} bands; scene {scene.id!r} gives {stacked} bands of "
                f"{dtype}. Use image_format='tif', choose bands, or stretch them to 8 bits.",
            )


def _listed(modes: Mapping[int, str]) -> str:
    *most, last = map(str, modes)
    return f"{', '.join(most)} or {last}"


def image_bytes(chip: Chip, image_format: str) -> bytes:
    """The image file of a chip: GeoTIFF with CRS, transform, nodata (or a mask) inside, PNG, JPEG, or numpy's own."""
    if image_format == "png":
        return _png(chip)
    if image_format == "jpg":
        return _jpeg(chip)
    if image_format == "npy":
        stream = io.BytesIO()
        np.save(stream, np.ascontiguousarray(chip.image), allow_pickle=False)
        return stream.getvalue()
    needs_mask = chip.nodata is None and "alpha" not in chip.colors and not chip.valid.all()
    if chip.stored is not None and not needs_mask:
        return _copied(chip, chip.stored)
    return geotiff(
        chip.image,
        chip.grid,
        nodata=chip.nodata,
        colors=chip.colors,
        palette=chip.palette,
        mask=chip.valid if needs_mask else None,
    )


def _copied(chip: Chip, stored: Stored) -> bytes:
    kind = tiff.kind_of(
        chip.sight,
        chip.grid.crs,
        chip.grid.transform,
        nodata=chip.nodata,
        colors=chip.colors if stored.photometric != "YCBCR" else (),
        palette=chip.palette,
    )
    return tiff.with_blocks(stored, replace(kind, block=(*stored.shape, stored.photometric)), chip.grid.transform)


def geotiff(
    image: NDArray[Any],
    grid: Grid,
    *,
    nodata: float | None = None,
    colors: Sequence[str] = (),
    palette: Mapping[int, tuple[int, int, int, int]] | None = None,
    mask: NDArray[np.bool_] | None = None,
) -> bytes:
    """A GeoTIFF, losslessly compressed.

    Args:
        image: (bands, height, width).
        grid: gives CRS and transform.
        nodata: value that means "no data".
        colors: what each band is; red, green, blue come first in an RGB picture, alpha comes last.
        palette: RGBA per value, of one band of 8 bits.
        mask: (height, width) False where there is no data, when no value says so.
    """
    kind = tiff.kind_of(image, grid.crs, grid.transform, nodata=nodata, colors=colors, palette=palette)
    content = None if mask is not None or image.dtype.kind == "c" else tiff.deflated(image, kind, grid.transform)
    return _through_gdal(image, kind, grid, mask) if content is None else content


def _through_gdal(image: NDArray[Any], kind: tiff.Kind, grid: Grid, mask: NDArray[np.bool_] | None) -> bytes:
    bands, height, width = image.shape
    options = {
        "driver": "GTiff",
        "width": width,
        "height": height,
        "count": bands,
        "dtype": image.dtype,
        "crs": grid.crs and rasterio.CRS.from_user_input(grid.crs),
        "transform": Affine(*grid.transform),
        "nodata": kind.nodata,
        "compress": "deflate",
        "zlevel": tiff.LEVEL,
        "predictor": kind.predictor,
        "photometric": "RGB" if kind.colors[:3] == ("red", "green", "blue") else "MINISBLACK",
        # Without this GDAL takes the fourth of four 8-bit bands for alpha.
        "ALPHA": "UNSPECIFIED" if "alpha" in kind.colors else "NO",
        "BIGTIFF": "IF_SAFER",
    }
    if kind.palette is not None:
        del options["photometric"], options["ALPHA"]
    with rasterio.Env(GDAL_PAM_ENABLED="NO", GDAL_TIFF_INTERNAL_MASK="YES"), MemoryFile() as memory:
        with memory.open(**options) as target:
            if kind.palette is not None:
                target.write_colormap(1, dict(kind.palette))
            elif "alpha" in kind.colors:
                target.colorinterp = [ColorInterp[color] for color in kind.colors]
            target.write(image)
            if mask is not None:
                target.write_mask(mask)
        return bytes(memory.getbuffer())


def _jpeg(chip: Chip) -> bytes:
    pixels = np.moveaxis(chip.image, 0, -1)
    picture = Image.fromarray(pixels[..., 0] if len(chip.image) == 1 else pixels, _MODES[len(chip.image)])
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=_JPEG_QUALITY, subsampling=0)
    return stream.getvalue()


def _png(chip: Chip) -> bytes:
    pixels = np.moveaxis(chip.image, 0, -1)
    picture = Image.fromarray(pixels[..., 0] if len(chip.image) == 1 else pixels, _MODES[len(chip.image)])
    if chip.palette is not None:
        picture = picture.convert("L")
        picture.putpalette([part for value in range(256) for part in chip.palette.get(value, (0, 0, 0, 255))[:3]])
    stream = io.BytesIO()
    picture.save(stream, "PNG", compress_level=_PNG_LEVEL)
    return stream.getvalue()
