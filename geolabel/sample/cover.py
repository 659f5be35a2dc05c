"""What covers each pixel of the demo scene: polygons burnt with GDAL's rule, a pixel is what is at its centre."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from rasterio.features import rasterize
from rasterio.transform import from_origin

from geolabel.sample.place import SIDE, SOUTH, WEST

if TYPE_CHECKING:
    from collections.abc import Sequence

    from affine import Affine
    from numpy.typing import NDArray

    from geolabel.sample.place import Patch, Place

CLASS_NAMES = ("water", "forest", "cropland", "grassland", "road", "building")
"""In the order of their values in a class raster: 1 is water; 0 is ground of no class."""
PRIORITY = {"water": 1, "road": 2, "building": 3}
"""Where polygons overlap, the class of higher priority is what is seen; the others are 0 and never overlap."""


def transform_of(size: int) -> Affine:
    """The affine transform of a picture that is `size` pixels wide, from pixels to metres of the place's CRS."""
    transform: Affine = from_origin(WEST, SOUTH + SIDE, SIDE / size, SIDE / size)
    return transform


def burn_classes(patches: Sequence[Patch], size: int) -> tuple[NDArray[np.uint16], NDArray[np.uint8]]:
    """Burn the truth.

    Returns:
        Which patch is seen at each pixel (its place in `patches`, from 1; 0 for none), and of which class it is.
    """
    order = sorted(range(len(patches)), key=lambda i: PRIORITY.get(patches[i].class_name or "", 0))
    seen = _burn([(patches[i], i + 1) for i in order], size)
    return seen, _class_values(patches)[seen]


def burn_place(place: Place, size: int) -> tuple[list[Patch | None], NDArray[np.uint16], NDArray[np.uint8]]:
    """Burn everything: ground below, the truth over it, marks only on the class that they name.

    Returns:
        The patches (the first, None, is for ground that nothing covers), which of them covers each pixel, and the class
        of each pixel.
    """
    below, between = len(place.ground), len(place.ground) + len(place.truth)
    cover = _burn([(patch, i + 1) for i, patch in enumerate(place.ground)], size)
    truth, classes = burn_classes(place.truth, size)
    np.copyto(cover, truth + np.uint16(below), where=truth > 0)
    marks = _burn([(patch, i + 1) for i, patch in enumerate(place.marks)], size)
    on = _class_values(place.marks)
    np.copyto(cover, marks + np.uint16(between), where=(marks > 0) & (on[marks] == classes))
    return [None, *place.ground, *place.truth, *place.marks], cover, classes


def _burn(patches: Sequence[tuple[Patch, int]], size: int) -> NDArray[np.uint16]:
    shapes = [(patch.geometry, value) for patch, value in patches if not patch.geometry.is_empty]
    burnt: NDArray[np.uint16] = rasterize(shapes, (size, size), transform=transform_of(size), dtype="uint16")
    return burnt


def _class_values(patches: Sequence[Patch]) -> NDArray[np.uint8]:
    return np.array([0, *[CLASS_NAMES.index(patch.class_name or "") + 1 for patch in patches]], np.uint8)
