"""Points as models of poses take them: COCO keypoints and YOLO pose. An annotation of several points is one object."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import orjson
import shapely
import yaml

from geolabel.formats.areas import many
from geolabel.formats.base import ChipWriter, Piece
from geolabel.formats.coco import CocoFiles, image_record
from geolabel.formats.consumer import link_image, pictures

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geolabel.chips.build import Chip
    from geolabel.chips.planned import PlannedChip
    from geolabel.formats.base import Context

MOST = 17
"""Points of an object: as many as COCO's person has. Further ones are left out, and counted."""

BOX = 8.0
"""In pixels: how far the box of an object reaches around its points."""


def point_objects(
    chip: Chip,
) -> tuple[NDArray[np.int64], list[NDArray[np.float64]], NDArray[np.float64], dict[str, int]]:
    """The objects of points on a chip.

    Returns:
        Their positions in the chip's labels; the points of each, (k, 2) pixels; a box around each, (n, 4); and what to
        count.
    """
    labels = chip.labels
    dimensions = shapely.get_dimensions(labels.geometries)
    chosen = np.flatnonzero(dimensions == 0)
    points = [shapely.get_coordinates(shape) for shape in labels.geometries[chosen]]
    boxes = np.array([[*p.min(axis=0) - BOX, *p.max(axis=0) + BOX] for p in points]).reshape(-1, 4)
    size = (chip.grid.width, chip.grid.height)
    boxes = np.clip(boxes, 0, np.array((*size, *size)))
    counts = {
        "line": int((dimensions == 1).sum()),
        "area": int((dimensions == 2).sum()),
        "beyond": sum(max(0, len(p) - MOST) for p in points),
    }
    return chosen, [p[:MOST] for p in points], boxes, counts


def losses(name: str, counts: dict[str, int]) -> tuple[str, ...]:
    """What a format of points could not hold."""
    said = tuple(
        f"{name} holds points only: {many(counts[kind], kind)} on chips left out of it."
        for kind in ("line", "area")
        if counts[kind]
    )
    beyond = counts["beyond"]
    return (*said, f"{name} holds {MOST} points an object: {many(beyond, 'point')} left out.") if beyond else said


class CocoKeypointsWriter(ChipWriter):
    """Writes `coco-keypoints/{split}.json`."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._files = CocoFiles(context.files, "coco-keypoints")

    def begin(self) -> None:
        """Write the heads of the files."""
        names = [f"p{n}" for n in range(1, MOST + 1)]
        self._files.begin(self.context, lambda _: {"keypoints": names, "skeleton": []})

    def write(self, chip: Chip) -> Piece:
        """The points on a chip: each is seen (2); what an object has less than the most is not there (0)."""
        chosen, points, boxes, counts = point_objects(chip)
        annotations = []
        for index, xy, (x0, y0, x1, y1) in zip(chosen.tolist(), points, boxes.tolist(), strict=True):
            flat = np.zeros((MOST, 3))
            flat[: len(xy), :2], flat[: len(xy), 2] = xy, 2
            annotations.append(
                {
                    "image_id": chip.number,
                    "category_id": int(chip.labels.class_ids[index]),
                    "bbox": [x0, y0, x1 - x0, y1 - y0],
                    "area": (x1 - x0) * (y1 - y0),
                    "iscrowd": 0,
                    "num_keypoints": len(xy),
                    "keypoints": [v if place % 3 < 2 else int(v) for place, v in enumerate(flat.ravel().tolist())],
                    "geo": {"annotation": int(chip.labels.ids[index])},
                }
            )
        return Piece(
            lines=self._files.lines(
                image_record(chip, self.context.image_path(chip)), (orjson.dumps(each)[1:] for each in annotations)
            ),
            counts=counts,
        )

    def add(self, chip: PlannedChip, piece: Piece) -> None:
        """Number the annotations of a chip, and write them."""
        self._files.add(chip.split, piece.lines)
        self.counts.update(piece.counts)

    def close(self) -> tuple[str, ...]:
        """Finish the files."""
        self._files.end()
        return losses("COCO keypoints", self.counts)


class YoloPoseWriter(ChipWriter):
    """Writes `yolo-pose/`: a line an object, `class cx cy w h`, then `x y seen` of each point, in shares of the chip's size."""

    def begin(self) -> None:
        """Write `data.yaml`."""
        context = self.context
        for split in context.splits:
            context.files.folder(f"yolo-pose/images/{split}")
        named = {key: key if key in context.splits else context.splits[0] for key in ("train", "val")}
        content = {key: f"images/{split}" for key, split in (named | {s: s for s in context.splits}).items()}
        names = dict(enumerate(c.name for c in context.project.classes))
        text = yaml.safe_dump({**content, "kpt_shape": [MOST, 3], "names": names}, sort_keys=False, allow_unicode=True)
        context.files.write("yolo-pose/data.yaml", text.encode())

    def write(self, chip: Chip) -> Piece:
        """Write the points on a chip, and link its image."""
        index_of = {c.id: index for index, c in enumerate(self.context.project.classes)}
        inside = f"{chip.split}/{chip.name}"
        link_image(self.context, chip, f"yolo-pose/images/{inside}.{self.context.spec.image_format}")
        chosen, points, boxes, counts = point_objects(chip)
        size = np.array((chip.grid.width, chip.grid.height), dtype=np.float64)
        lines = []
        for index, xy, box in zip(chosen.tolist(), points, boxes, strict=True):
            low, high = box[:2], box[2:]
            flat = np.zeros((MOST, 3))
            flat[: len(xy), :2], flat[: len(xy), 2] = xy / size, 2
            numbers = [*((low + high) / 2 / size).tolist(), *((high - low) / size).tolist(), *flat.ravel().tolist()]
            lines.append(f"{index_of[int(chip.labels.class_ids[index])]} {' '.join(map(repr, numbers))}\n")
        self.context.files.write(f"yolo-pose/labels/{inside}.txt", "".join(lines).encode())
        return Piece(counts=counts)

    def close(self) -> tuple[str, ...]:
        """Say what YOLO pose could not hold."""
        return (*losses("YOLO pose", self.counts), *pictures(self.context, "YOLO pose"))
