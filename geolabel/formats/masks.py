"""Semantic masks: one GeoTIFF of class ids a chip, with the class colours as its palette."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from geolabel.chips.burn import mask_type
from geolabel.formats.areas import areas_of
from geolabel.formats.base import ChipWriter, Piece
from geolabel.formats.images import geotiff

if TYPE_CHECKING:
    from geolabel.chips.build import Chip
    from geolabel.classes import LabelClass
    from geolabel.formats.base import Context
    from geolabel.formats.images import Palette

_IGNORE_COLOR = (128, 128, 128, 255)


class SemanticWriter(ChipWriter):
    """Writes `masks/semantic/{split}/{chip}.tif`: 0 background, class id, 255 (65535 in 16 bits) ignore."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        dtype, self._ignore = mask_type(context.project.classes)
        self._palette = _palette(context.project.classes, self._ignore) if dtype is np.uint8 else None

    def write(self, chip: Chip) -> Piece:
        """Write the mask of a chip."""
        path = f"masks/semantic/{chip.split}/{chip.name}.tif"
        content = geotiff(chip.semantic[np.newaxis], chip.grid, nodata=self._ignore, palette=self._palette)
        self.context.files.write(path, content)
        return Piece(masks=(path,), counts={"thin": len(chip.labels) - len(areas_of(chip))})

    def close(self) -> tuple[str, ...]:
        """Say what lines and points became."""
        thin = self.counts["thin"]
        if not thin:
            return ()
        return (f"Masks hold pixels: {thin:,} lines and points on chips were burnt one pixel wide.",)


def _palette(classes: tuple[LabelClass, ...], ignore: int) -> Palette:
    palette: Palette = {0: (0, 0, 0, 255), ignore: _IGNORE_COLOR}
    for c in classes:
        red, green, blue = bytes.fromhex(c.color[1:])
        palette[c.id] = (red, green, blue, 255)
    return palette
