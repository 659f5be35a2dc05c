"""Chips for classification: a folder a class, by the class that owns most pixels; and tables of all classes on a chip."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from geolabel.formats.areas import many
from geolabel.formats.base import ChipWriter, Piece
from geolabel.formats.cells import csv_lines
from geolabel.formats.consumer import folders, link_image, pictures, renamed

if TYPE_CHECKING:
    from geolabel.chips.build import Chip
    from geolabel.formats.base import Context


class ImageFolderWriter(ChipWriter):
    """Writes `imagefolder/{split}/{class}/{chip}` and `imagefolder/{split}.csv`, one column of 0 and 1 a class.

    What owns a pixel is what the semantic mask says. The table lists every chip, with its path under `images/`.
    """

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._folders = folders(context, "an image folder")
        self._ids = [c.id for c in context.project.classes]

    def begin(self) -> None:
        """Make the folders and the heads of the tables."""
        files, classes = self.context.files, self.context.project.classes
        for split in self.context.splits:
            files.open(f"imagefolder/{split}.csv").write(csv_lines([["image", *(c.name for c in classes)]]))
            for folder in self._folders.values():  # a reader numbers the folders that it finds: all, in every split
                files.folder(f"imagefolder/{split}/{folder}")

    def write(self, chip: Chip) -> Piece:
        """Link the chip into its class's folder, if it has one; its row of the table."""
        pixels = np.bincount(chip.semantic.ravel(), minlength=chip.ignore + 1)[self._ids]
        row = csv_lines([[f"../{self.context.image_path(chip)}", *(pixels > 0).astype(int)]])
        if pixels.any():
            folder = self._folders[self._ids[int(pixels.argmax())]]
            name = f"{chip.name}.{self.context.spec.image_format}"
            link_image(self.context, chip, f"imagefolder/{chip.split}/{folder}/{name}")
        counts = {"mixed": int((pixels > 0).sum() > 1), "empty": int(not pixels.any())}
        return Piece(lines={f"imagefolder/{chip.split}.csv": row}, counts=counts)

    def close(self) -> tuple[str, ...]:
        """Say what one class a chip could not hold."""
        empty, mixed = self.counts["empty"], self.counts["mixed"]
        said = (
            (empty, f"{many(empty, 'chip')} without a class on any pixel left out of the image folders."),
            (
                mixed,
                f"{many(mixed, 'chip')} with several classes put into the folder of the largest; the tables beside the folders name all.",
            ),
        )
        notes = tuple(sentence for count, sentence in said if count)
        names = renamed(self.context, self._folders, "a folder")
        return (*notes, *names, *pictures(self.context, "image folders"))
