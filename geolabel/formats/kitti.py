"""KITTI's object detection: a text file a chip, 15 columns an object, those of the third dimension unknown."""

from __future__ import annotations

from typing import TYPE_CHECKING

import shapely

from geolabel.formats.areas import areas_of, areas_only, left_out
from geolabel.formats.base import ChipWriter, Piece
from geolabel.formats.consumer import link_image, pictures, renamed, words

if TYPE_CHECKING:
    from geolabel.chips.build import Chip
    from geolabel.formats.base import Context

# What KITTI itself writes where it knows no angle, no dimensions, no place and no heading.
_ANGLE, _SOLID = "-10", "-1 -1 -1 -1000 -1000 -1000 -10"


class KittiWriter(ChipWriter):
    """Writes `kitti/{split}/image_2` and `kitti/{split}/label_2`: `type truncated occluded alpha left top right bottom ...`."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._names = words(context, "KITTI")

    def write(self, chip: Chip) -> Piece:
        """Write the labels of a chip and link its image."""
        folder, labels = f"kitti/{chip.split}", chip.labels
        link_image(self.context, chip, f"{folder}/image_2/{chip.name}.{self.context.spec.image_format}")
        chosen = areas_of(chip)
        bounds = shapely.bounds(labels.geometries[chosen]).reshape(-1, 4)
        lines = [
            f"{self._names[class_id]} {int(truncated)} 0 {_ANGLE} {' '.join(map(repr, box))} {_SOLID}\n"
            for class_id, truncated, box in zip(
                labels.class_ids[chosen].tolist(), labels.truncated[chosen], bounds.tolist(), strict=True
            )
        ]
        self.context.files.write(f"{folder}/label_2/{chip.name}.txt", "".join(lines).encode())
        return Piece(counts=left_out(chip))

    def close(self) -> tuple[str, ...]:
        """Say what KITTI could not hold."""
        names = renamed(self.context, self._names, "KITTI")
        return (*areas_only("KITTI", self.counts), *names, *pictures(self.context, "KITTI"))
