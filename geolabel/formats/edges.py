"""Masks of edges: where objects end, and how far inside them a pixel lies; and class masks as PNG with a world file."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import cv2
import numpy as np
from PIL import Image

from geolabel.formats.base import ChipWriter, Piece
from geolabel.formats.images import geotiff
from geolabel.geo import crs as crs_

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geolabel.chips.build import Chip
    from geolabel.model import Grid

IGNORE = 255
NODATA = -1.0


def boundary_of(instances: NDArray[np.int32]) -> NDArray[np.uint8]:
    """Pixels of objects beside a pixel of something else, (height, width): 1, 0, and 255 where nothing is known.

    What lies beyond the chip, or is not known, is nobody's edge.
    """
    edge = np.zeros(instances.shape, dtype=bool)
    for axis in (0, 1):
        before, behind = (
            np.take(instances, s, axis) for s in (range(instances.shape[axis] - 1), range(1, instances.shape[axis]))
        )
        differ = (before != behind) & (before >= 0) & (behind >= 0)
        low, high = ((slice(None),) * axis + (part,) for part in (slice(None, -1), slice(1, None)))
        edge[low] |= differ
        edge[high] |= differ
    mask = (edge & (instances > 0)).astype(np.uint8)
    mask[instances < 0] = IGNORE
    return mask


def distance_of(instances: NDArray[np.int32]) -> NDArray[np.float32]:
    """How far the centre of each pixel of an object is from that of the nearest pixel of something else, in pixels.

    0 outside of objects, -1 where nothing is known. What lies beyond the chip is nobody's edge.
    """
    result = np.zeros(instances.shape, dtype=np.float32)
    height, width = instances.shape
    rows, cols = np.nonzero(instances > 0)
    owner = instances[rows, cols]
    order = np.argsort(owner, kind="stable")
    starts = np.flatnonzero(np.diff(owner[order], prepend=-1))
    for begin, end in zip(starts, np.append(starts[1:], len(owner)), strict=bool(len(starts))):
        own = order[begin:end]
        top, left = max(rows[own].min() - 1, 0), max(cols[own].min() - 1, 0)
        window = (slice(top, min(rows[own].max() + 2, height)), slice(left, min(cols[own].max() + 2, width)))
        # What is not known counts as the object's own: its edge is not there.
        inside = (instances[window] == owner[own[0]]) | (instances[window] < 0)
        if inside.all():
            distance = np.full(inside.shape, np.hypot(height, width), dtype=np.float32)
        else:
            found = cv2.distanceTransform(inside.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
            # OpenCV's last bits depend on where in memory the mask lies; a distance squared is a whole number.
            distance = np.sqrt(np.rint(found.astype(np.float64) ** 2)).astype(np.float32)
        mine = instances[window] == owner[own[0]]
        result[window][mine] = distance[mine]
    result[instances < 0] = NODATA
    return result


class BoundaryWriter(ChipWriter):
    """Writes `masks/boundary/{split}/{chip}.tif`: 1 on the edge of an object, else 0; 255 ignore."""

    def write(self, chip: Chip) -> Piece:
        """Write the mask of a chip."""
        path = f"masks/boundary/{chip.split}/{chip.name}.tif"
        self.context.files.write(path, geotiff(boundary_of(chip.instances)[np.newaxis], chip.grid, nodata=IGNORE))
        return Piece(masks=(path,))


class DistanceWriter(ChipWriter):
    """Writes `masks/distance/{split}/{chip}.tif` in 32-bit floats: pixels to the edge of the object; -1 ignore."""

    def write(self, chip: Chip) -> Piece:
        """Write the mask of a chip."""
        path = f"masks/distance/{chip.split}/{chip.name}.tif"
        self.context.files.write(path, geotiff(distance_of(chip.instances)[np.newaxis], chip.grid, nodata=NODATA))
        return Piece(masks=(path,))


class PngMaskWriter(ChipWriter):
    """Writes `masks/png/{split}/{chip}.png` with its palette, the world file `.pgw`, and the CRS in `.png.aux.xml`."""

    def write(self, chip: Chip) -> Piece:
        """Write the class mask of a chip."""
        path = f"masks/png/{chip.split}/{chip.name}.png"
        picture = Image.fromarray(chip.semantic)
        if chip.semantic.dtype == np.uint8:
            colors = {c.id: tuple(bytes.fromhex(c.color[1:])) for c in self.context.project.classes}
            colors[chip.ignore] = (128, 128, 128)
            picture.putpalette([part for value in range(256) for part in colors.get(value, (0, 0, 0))])
        stream = io.BytesIO()
        picture.save(stream, "PNG")
        self.context.files.write(path, stream.getvalue())
        self.context.files.write(f"{path[:-4]}.pgw", world_file(chip.grid))
        if chip.grid.crs is not None:
            root = ET.Element("PAMDataset")
            ET.SubElement(root, "SRS").text = crs_.to_wkt(chip.grid.crs)
            self.context.files.write(f"{path}.aux.xml", bytes(ET.tostring(root, encoding="utf-8")) + b"\n")
        return Piece(masks=(path,))


def world_file(grid: Grid) -> bytes:
    """Six lines: the sizes and turns of a pixel, and the centre of the first one."""
    a, b, c, d, e, f = grid.transform
    values = (a, d, b, e, c + (a + b) / 2, f + (d + e) / 2)
    return "".join(f"{value!r}\n" for value in values).encode()
