"""The demo scene as a file, and the labels that go with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rasterio.enums import ColorInterp
from rasterio.io import MemoryFile
from rasterio.shutil import copy

from geolabel.errors import InvalidInput
from geolabel.sample.cover import PRIORITY, transform_of
from geolabel.sample.paint import paint
from geolabel.sample.place import CRS, SIDE, WEST
from geolabel.sample.survey import lay_out

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from shapely.geometry.base import BaseGeometry

SHARE = 0.55
"""How much of the scene, from the west, the demo project starts with labels on."""

CLASSES: list[dict[str, Any]] = [
    {
        "name": name,
        "color": color,
        "kind": "thing" if name == "building" else "stuff",
        "geometries": geometries,
        "priority": PRIORITY.get(name, 0),
        "description": description,
    }
    for name, color, geometries, description in (
        ("water", "#4478ff", ("polygon",), "Rivers, lakes and ponds, without sand bars and banks."),
        ("forest", "#2a8b6c", ("polygon",), "Closed woodland, without hedges and single trees."),
        ("cropland", "#f0c107", ("polygon",), "Fields that are ploughed, sown or harvested."),
        ("grassland", "#a3fa94", ("polygon",), "Meadows and pastures, without gardens and verges."),
        ("road", "#c559ad", ("line", "polygon"), "Roads, lanes and farm tracks, from edge to edge."),
        ("building", "#e13c62", ("polygon",), "The outline of one building, without its shadow."),
    )
]
"""The classes of the demo project, for `geolabel.classes.make_classes`."""


def truth(*, seed: int = 7) -> list[tuple[str, BaseGeometry]]:
    """What the picture is drawn from: class name and polygon, in EPSG:32633, in centimetres, inside the scene.

    Where polygons overlap, the class of higher priority in `CLASSES` is what the picture shows; classes of the same
    priority do not overlap. Burnt with GDAL's rule (pixel centres), they give the class of each pixel exactly.
    Ground of no class (verges, gardens, sand) is not listed.
    """
    return [(patch.class_name or "", patch.geometry) for patch in lay_out(seed).truth]


def partial_labels(*, seed: int = 7) -> list[tuple[str, BaseGeometry]]:
    """The labels that the demo project starts with: those of `truth` that lie wholly in the western 55 % of the scene."""
    border = WEST + SHARE * SIDE
    return [(name, geometry) for name, geometry in truth(seed=seed) if geometry.bounds[2] <= border]


def write_scene(
    path: Path, *, size: int = 4096, seed: int = 7, progress: Callable[[float, str], None] | None = None
) -> None:
    """Write the demo scene: a Cloud Optimized GeoTIFF with red, green, blue and near infrared, uint8, EPSG:32633.

    The ground is 2048 m wide whatever the size: 4096 pixels are 0.5 m each. The same size and seed give the same bytes.

    Args:
        path: the file; it appears when it is whole. One that is there is replaced.
        size: width and height in pixels, 64 to 16384.
        seed: which place; the labels of `truth` belong to the same seed.
        progress: told how far it is, 0..1, and what it is doing.

    Raises:
        InvalidInput: the size is out of range.
    """
    if not 64 <= size <= 16384:
        raise InvalidInput(f"The sample scene is 64 to 16384 pixels wide, got {size}.")
    picture = paint(seed, size, progress)
    if progress:
        progress(0.95, "Writing the file")
    # The COG driver copies a whole picture, so that the overviews come first in the file.
    with MemoryFile() as memory:
        with memory.open(
            driver="GTiff",
            width=size,
            height=size,
            count=4,
            dtype="uint8",
            crs=CRS,
            transform=transform_of(size),
            photometric="RGB",
        ) as whole:
            whole.write(picture)
            whole.descriptions = ("red", "green", "blue", "near infrared")
            whole.colorinterp = (ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.undefined)
            whole.update_tags(GEOLABEL_SYNTHETIC="YES", TIFFTAG_DATETIME="2024:07:09 09:12:00")
        part = path.with_name(f".{path.name}.part")
        try:
            copy(
                memory.name,
                part,
                driver="COG",
                COMPRESS="JPEG",
                QUALITY=90,
                BLOCKSIZE=512,
                OVERVIEW_RESAMPLING="AVERAGE",
            )
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    if progress:
        progress(1.0, "Done")
