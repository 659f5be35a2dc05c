"""Instance masks: one GeoTIFF of annotation numbers a chip, and a table that says which annotation a number is."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

import numpy as np

from geolabel.formats.areas import many
from geolabel.formats.images import geotiff, write_file

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geolabel.chips.build import Chip
    from geolabel.formats.base import Context

IGNORE = 65535
COLUMNS = ("chip", "value", "annotation", "class_id", "class", "pixels", "truncated")


class InstanceWriter:
    """Writes `masks/instance/{split}/{chip}.tif` in 16 bits, and `masks/instance/{split}.csv`.

    A value is the annotation's number on the chip, from 1 in order of id; 0 is background, 65535 ignore.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._names = {c.id: c.name for c in context.project.classes}
        self._tables = {split: context.open(f"masks/instance/{split}.csv") for split in context.splits}
        for file in self._tables.values():
            file.write(_rows([COLUMNS]))
        self._hidden = self._beyond = self._thin = 0

    def add(self, chip: Chip) -> tuple[str, ...]:
        """Write the mask of a chip and its rows of the table."""
        path = f"masks/instance/{chip.split}/{chip.name}.tif"
        labels = chip.labels
        mask = _in_16_bits(chip.instances)
        write_file(self._context.out / path, geotiff(mask[np.newaxis], chip.grid, nodata=IGNORE))
        pixels = np.bincount(mask.ravel(), minlength=len(labels) + 1)[1 : len(labels) + 1]
        held = min(len(labels), IGNORE - 1)
        self._beyond += len(labels) - held
        self._hidden += int((pixels[:held] == 0).sum())
        self._thin += sum(1 for g in labels.geometries if "Polygon" not in g.geom_type)
        self._tables[chip.split].write(
            _rows(
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
        )
        return (path,)

    def close(self) -> tuple[str, ...]:
        """Finish the tables; say what instance masks could not hold."""
        for file in self._tables.values():
            file.close()
        said = (
            (
                self._hidden,
                f"Without a pixel of its own in instance masks (too small, or under others): {many(self._hidden, 'annotation')}.",
            ),
            (
                self._thin,
                f"Instance masks hold pixels: {self._thin:,} lines and points on chips were burnt one pixel wide.",
            ),
            (
                self._beyond,
                f"An instance mask holds {IGNORE - 1:,} annotations: {self._beyond:,} more are left out of theirs.",
            ),
        )
        return tuple(sentence for count, sentence in said if count)


def _in_16_bits(instances: NDArray[np.int32]) -> NDArray[np.uint16]:
    """The numbers that 16 bits hold; -1 is ignore, those beyond are background."""
    fitting = np.where(instances < IGNORE, instances, 0)
    return np.where(fitting < 0, IGNORE, fitting).astype(np.uint16)


def _rows(rows: object) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)  # type: ignore[arg-type]
    return text.getvalue().encode()
