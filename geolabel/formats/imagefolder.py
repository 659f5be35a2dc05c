"""Chips for classification: a folder a class, by the class that owns most pixels; and tables of all classes on a chip."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

import numpy as np

from geolabel.formats.areas import many
from geolabel.formats.consumer import folders, link_image, pictures, renamed

if TYPE_CHECKING:
    from geolabel.chips.build import Chip
    from geolabel.formats.base import Context


class ImageFolderWriter:
    """Writes `imagefolder/{split}/{class}/{chip}` and `imagefolder/{split}.csv`, one column of 0 and 1 a class.

    What owns a pixel is what the semantic mask says. The table lists every chip, with its path under `images/`.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._folders = folders(context, "an image folder")
        self._ids = [c.id for c in context.project.classes]
        self._tables = {split: context.open(f"imagefolder/{split}.csv") for split in context.splits}
        for split, file in self._tables.items():
            file.write(_line(["image", *(c.name for c in context.project.classes)]))
            for folder in self._folders.values():  # a reader numbers the folders that it finds: all, in every split
                (context.out / "imagefolder" / split / folder).mkdir(parents=True)
        self._empty = self._mixed = 0

    def add(self, chip: Chip) -> tuple[str, ...]:
        """Link the chip into its class's folder, if it has one, and write its row."""
        pixels = np.bincount(chip.semantic.ravel(), minlength=chip.ignore + 1)[self._ids]
        self._tables[chip.split].write(_line([f"../{self._context.image_path(chip)}", *(pixels > 0).astype(int)]))
        self._mixed += int((pixels > 0).sum() > 1)
        if not pixels.any():
            self._empty += 1
            return ()
        folder = self._folders[self._ids[int(pixels.argmax())]]
        name = f"{chip.name}.{self._context.spec.image_format}"
        link_image(self._context, chip, f"imagefolder/{chip.split}/{folder}/{name}")
        return ()

    def close(self) -> tuple[str, ...]:
        """Finish the tables; say what one class a chip could not hold."""
        for file in self._tables.values():
            file.close()
        said = (
            (self._empty, f"{many(self._empty, 'chip')} without a class on any pixel left out of the image folders."),
            (
                self._mixed,
                f"{many(self._mixed, 'chip')} with several classes put into the folder of the largest; the tables beside the folders name all.",
            ),
        )
        notes = tuple(sentence for count, sentence in said if count)
        names = renamed(self._context, self._folders, "a folder")
        return (*notes, *names, *pictures(self._context, "image folders"))


def _line(values: list[object]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(values)
    return text.getvalue().encode()
