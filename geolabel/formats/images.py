"""Images of chips, and every other raster of a dataset: the same pixels give the same bytes."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
import rasterio
from affine import Affine
from PIL import Image
from rasterio.enums import ColorInterp
from rasterio.io import MemoryFile

from geolabel.chips.read import chosen_bands
from geolabel.errors import InvalidSpec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from geolabel.chips.build import Chip
    from geolabel.chips.spec import ChipSpec
    from geolabel.model import Grid, Scene

Palette = dict[int, tuple[int, int, int, int]]

_MODES = {1: "L", 3: "RGB", 4: "RGBA"}


def check_images(scenes: Sequence[Scene], spec: ChipSpec) -> None:
    """Refuse an image format that cannot hold the pixels of a scene.

    Raises:
        InvalidSpec: PNG was asked for, and the scene has other than 8 bits or 1, 3 or 4 bands.
    """
    if spec.image_format != "png":
        return
    for scene in scenes:
        bands = chosen_bands(scene, spec.bands)
        types = sorted({band.dtype for band in scene.bands if band.index in bands})
        if types != ["uint8"] or len(bands) not in _MODES:
            raise InvalidSpec(
                f"PNG holds 8-bit pixels in 1, 3 or 4 bands; scene {scene.id!r} gives {len(bands)} bands of "
                f"{', '.join(types)}. Use image_format='tif', or choose bands.",
            )


def image_bytes(chip: Chip, image_format: str) -> bytes:
    """The image file of a chip: GeoTIFF with CRS, transform, nodata (or a mask) inside, or PNG."""
    if image_format == "png":
        return _png(chip)
    needs_mask = chip.nodata is None and "alpha" not in chip.colors and not chip.valid.all()
    return geotiff(
        chip.image,
        chip.grid,
        nodata=chip.nodata,
        colors=chip.colors,
        palette=chip.palette,
        mask=chip.valid if needs_mask else None,
    )


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
    bands, height, width = image.shape
    options = {
        "driver": "GTiff",
        "width": width,
        "height": height,
        "count": bands,
        "dtype": image.dtype,
        "crs": grid.crs and rasterio.CRS.from_user_input(grid.crs),
        "transform": Affine(*grid.transform),
        "nodata": nodata,
        "compress": "deflate",
        "zlevel": 6,
        "predictor": 3 if image.dtype.kind == "f" else 2 if image.dtype.kind in "iu" and palette is None else 1,
        "photometric": "RGB" if tuple(colors[:3]) == ("red", "green", "blue") else "MINISBLACK",
        # Without this GDAL takes the fourth of four 8-bit bands for alpha.
        "ALPHA": "UNSPECIFIED" if "alpha" in colors else "NO",
    }
    if palette is not None:
        del options["photometric"], options["ALPHA"]
    with rasterio.Env(GDAL_PAM_ENABLED="NO", GDAL_TIFF_INTERNAL_MASK="YES"), MemoryFile() as memory:
        with memory.open(**options) as target:
            if palette is not None:
                target.write_colormap(1, dict(palette))
            elif "alpha" in colors:
                target.colorinterp = [ColorInterp[color] for color in colors]
            target.write(image)
            if mask is not None:
                target.write_mask(mask)
        return bytes(memory.getbuffer())


def _png(chip: Chip) -> bytes:
    pixels = np.moveaxis(chip.image, 0, -1)
    picture = Image.fromarray(pixels[..., 0] if len(chip.image) == 1 else pixels, _MODES[len(chip.image)])
    if chip.palette is not None:
        picture = picture.convert("L")
        picture.putpalette([part for value in range(256) for part in chip.palette.get(value, (0, 0, 0, 255))[:3]])
    stream = io.BytesIO()
    picture.save(stream, "PNG")
    return stream.getvalue()
