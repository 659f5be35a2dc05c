"""COCO object detection: one JSON file a split, polygons with their full doubles, RLE where a polygon has holes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import shapely

from geolabel.chips.burn import burn_one
from geolabel.formats import rle
from geolabel.formats.areas import Areas
from geolabel.formats.keyhole import keyhole
from geolabel.geo import crs as crs_
from geolabel.geo.pixels import PixelGeometry, pixel_to_map

if TYPE_CHECKING:
    from typing import BinaryIO

    import numpy as np
    from numpy.typing import NDArray
    from shapely.geometry import Polygon
    from shapely.geometry.base import BaseGeometry

    from geolabel.chips.build import Chip
    from geolabel.formats.base import Context
    from geolabel.model import Grid


class CocoWriter:
    """Writes `coco/{split}.json`; annotations go to the disk as they come, images are kept until the end."""

    def __init__(self, context: Context) -> None:
        self._context = context
        head = {
            "info": {"description": context.project.title, "version": "1.0"},
            "licenses": [],
            "categories": [
                {"id": c.id, "name": c.name, "supercategory": c.parent or "", "color": c.color}
                for c in context.project.classes
            ],
        }
        self._files = {split: CocoFile(context.open(f"coco/{split}.json"), head) for split in context.splits}
        self._areas = Areas("COCO")
        self._chips = 0

    def add(self, chip: Chip) -> tuple[str, ...]:
        """Write the polygons on a chip; lines and points have no area and are counted."""
        file = self._files[chip.split]
        self._chips += 1
        image = file.add_image(self._chips, image_record(chip, self._context.image_path(chip)))
        labels = chip.labels
        areas = shapely.area(labels.geometries)
        bounds = shapely.bounds(labels.geometries).reshape(-1, 4)
        chosen = self._areas.of(chip)
        ground = _ground_areas(labels.geometries[chosen], chip.grid)
        for index, area_m2 in zip(chosen, ground, strict=True):
            x0, y0, x1, y1 = bounds[index].tolist()
            file.add_annotation(
                {
                    "image_id": image,
                    "category_id": int(labels.class_ids[index]),
                    "bbox": [x0, y0, x1 - x0, y1 - y0],
                    "area": float(areas[index]),
                    "iscrowd": 0,
                    "segmentation": self._segmentation(labels.geometries[index], chip.grid),
                    "geo": {
                        "annotation": int(labels.ids[index]),
                        "area_m2": area_m2,
                        "truncated": bool(labels.truncated[index]),
                    },
                },
            )
        return ()

    def _segmentation(self, geometry: BaseGeometry, grid: Grid) -> list[list[float]] | dict[str, Any]:
        parts: list[Polygon] = list(shapely.get_parts(geometry))
        holed = any(len(part.interiors) for part in parts)
        if holed and self._context.spec.coco_holes == "rle":
            return rle.to_json(burn_one(geometry, grid.width, grid.height))
        rings = (keyhole(p) if len(p.interiors) else shapely.get_coordinates(p.exterior)[:-1] for p in parts)
        return [ring.ravel().tolist() for ring in rings]

    def close(self) -> tuple[str, ...]:
        """Finish the files."""
        for file in self._files.values():
            file.close()
        return self._areas.sentences()


class CocoFile:
    """One COCO file, its annotations streamed: `{head, "annotations": [...], "images": [...]}`; ids of annotations count from 1."""

    def __init__(self, stream: BinaryIO, head: dict[str, Any]) -> None:
        self._images: list[bytes] = []
        self._annotations = 0
        self._stream = stream
        self._stream.write(orjson.dumps(head)[:-1] + b',"annotations":[')

    def add_image(self, number: int, image: dict[str, Any]) -> int:
        """Keep an image until the end; gives its id.

        Args:
            number: of the chip in `chips.parquet`, from 1: by it, results on any split find their chip again.
            image: what COCO says of it.
        """
        self._images.append(orjson.dumps({"id": number, **image}))
        return number

    def add_annotation(self, annotation: dict[str, Any]) -> None:
        """Write an annotation, with the next id."""
        self._annotations += 1
        comma = b",\n" if self._annotations > 1 else b"\n"
        self._stream.write(comma + orjson.dumps({"id": self._annotations, **annotation}))

    def close(self) -> None:
        """Write the images and end the file."""
        self._stream.write(b'\n],"images":[\n' + b",\n".join(self._images) + b"\n]}\n")
        self._stream.close()


def image_record(chip: Chip, path: str) -> dict[str, Any]:
    """What COCO says of a chip, but for its id; `geo` brings what is found on it back to the map."""
    return {
        "file_name": path,
        "width": chip.grid.width,
        "height": chip.grid.height,
        "geo": {
            "crs": chip.grid.crs,
            "transform": list(chip.grid.transform),
            "scene": chip.scene,
            "window": list(chip.window),
        },
    }


def _ground_areas(geometries: NDArray[np.object_], grid: Grid) -> list[float | None]:
    """Area on the ground in m2 of what lies on the chip; None where there is no ground to measure."""
    if grid.crs is None or not len(geometries):
        return [None] * len(geometries)
    on_ground = pixel_to_map(PixelGeometry(geometries, grid)).geometries
    return [float(area) for area in crs_.ground_area(on_ground, grid.crs)]
