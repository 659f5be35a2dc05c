"""DOTA: a text file a chip, each object by the four corners of its smallest turned box, clockwise."""

from __future__ import annotations

from typing import TYPE_CHECKING

from geolabel.formats.areas import areas_of, areas_only, left_out
from geolabel.formats.base import ChipWriter, Piece
from geolabel.formats.boxes import turned_boxes
from geolabel.formats.consumer import difficulties, link_image, pictures, renamed, words

if TYPE_CHECKING:
    from geolabel.chips.build import Chip
    from geolabel.formats.base import Context


class DotaWriter(ChipWriter):
    """Writes `dota/{split}/images` and `dota/{split}/labelTxt`: lines `x1 y1 x2 y2 x3 y3 x4 y4 class difficulty`."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._names = words(context, "DOTA")

    def write(self, chip: Chip) -> Piece:
        """Write the labels of a chip and link its image."""
        folder = f"dota/{chip.split}"
        link_image(self.context, chip, f"{folder}/images/{chip.name}.{self.context.spec.image_format}")
        chosen = areas_of(chip)
        levels = difficulties(self.context, chip)
        lines = [
            f"{' '.join(map(repr, corners.ravel().tolist()))} {self._names[class_id]} {levels[index]}\n"
            for index, class_id, corners in zip(
                chosen,
                chip.labels.class_ids[chosen].tolist(),
                turned_boxes(chip.labels.geometries[chosen]),
                strict=True,
            )
        ]
        self.context.files.write(f"{folder}/labelTxt/{chip.name}.txt", "".join(lines).encode())
        return Piece(counts=left_out(chip))

    def close(self) -> tuple[str, ...]:
        """Say what DOTA could not hold."""
        names = renamed(self.context, self._names, "DOTA")
        return (*areas_only("DOTA", self.counts), *names, *pictures(self.context, "DOTA"))
