"""A table for classification with several labels a chip: one row a chip, one column of 0 and 1 a class."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from geolabel.formats.base import ChipWriter, Piece
from geolabel.formats.cells import csv_lines

if TYPE_CHECKING:
    from geolabel.chips.build import Chip


class MultiLabelWriter(ChipWriter):
    """Writes `multilabel.csv`: `image,split`, and whether each class owns a pixel of the chip."""

    def begin(self) -> None:
        """Write the head."""
        head = ["image", "split", *(c.name for c in self.context.project.classes)]
        self.context.files.open("multilabel.csv").write(csv_lines([head]))

    def write(self, chip: Chip) -> Piece:
        """The row of a chip."""
        ids = [c.id for c in self.context.project.classes]
        owned = np.bincount(chip.semantic.ravel(), minlength=chip.ignore + 1)[ids] > 0
        row = [self.context.image_path(chip), chip.split, *owned.astype(int).tolist()]
        return Piece(lines={"multilabel.csv": csv_lines([row])}, counts={"empty": int(not owned.any())})

    def close(self) -> tuple[str, ...]:
        """Say how many chips have no class."""
        empty = self.counts["empty"]
        return (f"{empty:,} chips have no class in multilabel.csv: all their columns are 0.",) if empty else ()
