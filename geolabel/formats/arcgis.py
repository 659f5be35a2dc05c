"""The layout of ArcGIS Pro's Export Training Data: images/, labels/, map.txt, stats.txt and the model definition."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import orjson

from geolabel.chips.burn import mask_type
from geolabel.formats.areas import areas_of, areas_only, left_out
from geolabel.formats.base import ChipWriter, Piece
from geolabel.formats.consumer import link_image
from geolabel.formats.images import geotiff

if TYPE_CHECKING:
    from geolabel.chips.build import Chip
    from geolabel.chips.planned import PlannedChip
    from geolabel.formats.base import Context


class ArcGisWriter(ChipWriter):
    """Writes `arcgis/{split}/` as "Classified Tiles": `images/`, masks of class ids in `labels/`, `map.txt`, `stats.txt`, `esri_model_definition.emd`."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._size = (0, 0)

    def begin(self) -> None:
        """Begin the maps: one a split, also where it has no chips."""
        for split in self.context.splits:
            self.context.files.open(f"arcgis/{split}/map.txt")

    def write(self, chip: Chip) -> Piece:
        """Write the mask of a chip, and link its image."""
        folder = f"arcgis/{chip.split}"
        image = f"images/{chip.name}.{self.context.spec.image_format}"
        link_image(self.context, chip, f"{folder}/{image}")
        self.context.files.write(
            f"{folder}/labels/{chip.name}.tif", geotiff(chip.semantic[np.newaxis], chip.grid, nodata=chip.ignore)
        )
        counts = {f"{chip.split}:chips": 1, **left_out(chip)}
        class_ids = chip.labels.class_ids[areas_of(chip)]
        for class_id, number in zip(*np.unique(class_ids, return_counts=True), strict=True):
            counts[f"{chip.split}:{class_id}:features"] = int(number)
            counts[f"{chip.split}:{class_id}:images"] = 1
        return Piece(lines={f"{folder}/map.txt": f"{image} labels/{chip.name}.tif\n".encode()}, counts=counts)

    def add(self, chip: PlannedChip, piece: Piece) -> None:
        """Write the line of the map."""
        self._size = (chip.grid.width, chip.grid.height)
        super().add(chip, piece)

    def close(self) -> tuple[str, ...]:
        """Write the statistics and the definition."""
        dtype, _ = mask_type(self.context.project.classes)
        width, height = self._size
        for split in self.context.splits:
            classes = [
                (c, self.counts[f"{split}:{c.id}:images"], self.counts[f"{split}:{c.id}:features"])
                for c in self.context.project.classes
            ]
            chips, features = self.counts[f"{split}:chips"], sum(n for _, _, n in classes)
            lines = [
                f"image size = {width}*{height}",
                f"images = {chips}",
                f"features = {features}",
                f"features per image = {features / max(chips, 1):.2f}",
                f"classes = {len(classes)}",
                "cls_name\tcls_value\timages\tfeatures",
                *(f"{c.name}\t{c.id}\t{images}\t{number}" for c, images, number in classes),
            ]
            self.context.files.write(f"arcgis/{split}/stats.txt", ("\n".join(lines) + "\n").encode())
            definition = {
                "ImageHeight": height,
                "ImageWidth": width,
                "MetaDataMode": "Classified_Tiles",
                "PixelType": {1: "U8", 2: "U16"}[np.dtype(dtype).itemsize],
                "ImageSpaceUsed": "MAP_SPACE",
                "Classes": [
                    {"Value": c.id, "Name": c.name, "Color": list(bytes.fromhex(c.color[1:]))} for c, _, _ in classes
                ],
            }
            self.context.files.write(
                f"arcgis/{split}/esri_model_definition.emd",
                orjson.dumps(definition, option=orjson.OPT_INDENT_2) + b"\n",
            )
        return areas_only("ArcGIS's count of features", self.counts)
