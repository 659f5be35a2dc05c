"""Instance masks: one GeoTIFF of annotation numbers a chip, and a table that says which annotation a number is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from geolabel.formats.areas import areas_of, many
from geolabel.formats.base import ChipWriter, Piece
from geolabel.formats.cells import csv_lines
from geolabel.formats.images import geotiff

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geolabel.chips.build import Chip
    from geolabel.formats.base import Context

IGNORE = 65535
COLUMNS = ("chip", "value", "annotation", "class_id", "class", "pixels", "truncated")


class InstanceWriter(ChipWriter):
    """Writes `masks/instance/{split}/{chip}.tif` in 16 bits, and `masks/instance/{split}.csv`.

    A value is the annotation's number on the chip, from 1 in order of id; 0 is background, 65535 ignore.
    """

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._names = {c.id: c.name for c in context.project.classes}

    def begin(self) -> None:
        """Write the heads of the tables."""
        for split in self.context.splits:
            self.context.files.open(_table(split)).write(csv_lines([COLUMNS]))

    def write(self, chip: Chip) -> Piece:
        """Write the mask of a chip; its rows of the table."""
        path = f"masks/instance/{chip.split}/{chip.name}.tif"
        labels = chip.labels
        mask = _in_16_bits(chip.instances)
        self.context.files.write(path, geotiff(mask[np.newaxis], chip.grid, nodata=IGNORE))
        pixels = np.bincount(mask.ravel(), minlength=len(labels) + 1)[1 : len(labels) + 1]
        held = min(len(labels), IGNORE - 1)
        rows = csv_lines(
            [
                chip.name,
                n + 1,
                labels.ids[n],
                labels.class_ids[n],
                self._names[int(labels.class_ids[n])],
                pixels[n],
                int(labels.truncated[n]),
            ]
            for n in range(held)
        )
        counts = {
            "beyond": len(labels) - held,
            "hidden": int((pixels[:held] == 0).sum()),
            "thin": len(labels) - len(areas_of(chip)),
        }
        return Piece((path,), {_table(chip.split): rows}, counts)

    def close(self) -> tuple[str, ...]:
        """Say what instance masks could not hold."""
        hidden, thin, beyond = (self.counts[what] for what in ("hidden", "thin", "beyond"))
        said = (
            (
                hidden,
                f"Without a pixel of its own in instance masks (too small, or under others): {many(hidden, 'annotation')}.",
            ),
            (
                thin,
                f"Instance masks hold pixels: {thin:,} lines and points on chips were burnt one pixel wide.",
            ),
            (
                beyond,
                f"An instance mask holds {IGNORE - 1:,} annotations: {beyond:,} more are left out of theirs.",
            ),
        )
        return tuple(sentence for count, sentence in said if count)


def _table(split: str) -> str:
    return f"masks/instance/{split}.csv"


def _in_16_bits(instances: NDArray[np.int32]) -> NDArray[np.uint16]:
    """The numbers that 16 bits hold; -1 is ignore, those beyond are background."""
    fitting = np.where(instances < IGNORE, instances, 0)
    return np.where(fitting < 0, IGNORE, fitting).astype(np.uint16)
