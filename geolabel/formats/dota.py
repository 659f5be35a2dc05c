"""DOTA: a text file a chip, each object by the four corners of its smallest turned box, clockwise."""

from __future__ import annotations

from typing import TYPE_CHECKING

from geolabel.formats.areas import Areas
from geolabel.formats.boxes import turned_boxes
from geolabel.formats.consumer import difficulties, link_image, pictures, renamed, words
from geolabel.formats.images import write_file

if TYPE_CHECKING:
    from geolabel.chips.build import Chip
    from geolabel.formats.base import Context


class DotaWriter:
    """Writes `dota/{split}/images` and `dota/{split}/labelTxt`: lines `x1 y1 x2 y2 x3 y3 x4 y4 class difficulty`."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._names = words(context, "DOTA")
        self._areas = Areas("DOTA")

    def add(self, chip: Chip) -> tuple[str, ...]:
        """Write the labels of a chip and link its image."""
        folder = f"dota/{chip.split}"
        link_image(self._context, chip, f"{folder}/images/{chip.name}.{self._context.spec.image_format}")
        chosen = self._areas.of(chip)
        levels = difficulties(self._context, chip)
        lines = [
            f"{' '.join(map(repr, corners.ravel().tolist()))} {self._names[class_id]} {levels[index]}\n"
            for index, class_id, corners in zip(
                chosen,
                chip.labels.class_ids[chosen].tolist(),
                turned_boxes(chip.labels.geometries[chosen]),
                strict=True,
            )
        ]
        write_file(self._context.out / folder / f"labelTxt/{chip.name}.txt", "".join(lines).encode())
        return ()

    def close(self) -> tuple[str, ...]:
        """Say what DOTA could not hold."""
        names = renamed(self._context, self._names, "DOTA")
        return (*self._areas.sentences(), *names, *pictures(self._context, "DOTA"))
