"""COCO panoptic: one PNG a chip whose colors are numbers of segments, one JSON file a split that says what they are."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
from PIL import Image

from geolabel.formats.areas import many
from geolabel.formats.base import ChipWriter, Piece
from geolabel.formats.coco import CocoFiles, image_record

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geolabel.chips.build import Chip
    from geolabel.chips.planned import PlannedChip
    from geolabel.classes import LabelClass
    from geolabel.formats.base import Context


class PanopticWriter(ChipWriter):
    """Writes `masks/panoptic/{split}/{chip}.png` and `masks/panoptic/{split}.json`.

    A thing is a segment of its own, numbered from 1 in order of annotation id; all ground of a stuff class on a chip is
    one segment. The number is R + 256 G + 65536 B; 0 is void.
    """

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        classes = context.project.classes
        self._stuff = [c.id for c in classes if c.kind == "stuff"]
        self._files = CocoFiles(context.files, "masks/panoptic")

    def begin(self) -> None:
        """Write the heads of the JSON files."""
        self._files.begin(self.context, _category)

    def write(self, chip: Chip) -> Piece:
        """Write the PNG of a chip; what its segments are."""
        path = f"masks/panoptic/{chip.split}/{chip.name}.png"
        labels = chip.labels
        segments = self._segments(chip)
        stream = io.BytesIO()
        Image.fromarray(_colors(segments)).save(stream, "PNG")
        self.context.files.write(path, stream.getvalue())
        infos = []
        for info in _measured(segments):
            position = info["id"] - 1
            if position < len(labels):
                own = {"annotation": int(labels.ids[position]), "truncated": bool(labels.truncated[position])}
                infos.append({**info, "category_id": int(labels.class_ids[position]), "geo": own})
            else:
                infos.append({**info, "category_id": self._stuff[position - len(labels)]})
        annotation = {"image_id": chip.number, "file_name": f"{chip.name}.png", "segments_info": infos}
        lines = self._files.lines(image_record(chip, self.context.image_path(chip)), [orjson.dumps(annotation)[1:]])
        counts = {
            "hidden": int((~np.isin(labels.class_ids, self._stuff)).sum()) - sum("geo" in info for info in infos),
            "ignored": bool((chip.semantic == chip.ignore).any()),
            "background": bool((chip.semantic == 0).any()),
        }
        return Piece((path,), lines, counts)

    def add(self, chip: PlannedChip, piece: Piece) -> None:
        """Number the annotation of a chip, and write it."""
        self._files.add(chip.split, piece.lines)
        self.counts.update(piece.counts)

    def close(self) -> tuple[str, ...]:
        """Finish the files; say what panoptic segments could not hold."""
        self._files.end()
        hidden, ignored, background = (self.counts[what] for what in ("hidden", "ignored", "background"))
        said = (
            (
                hidden,
                f"Without a pixel of its own and so no panoptic segment (too small, or under others): {many(hidden, 'thing')}.",
            ),
            (
                ignored and background,
                (
                    f"COCO panoptic has one value, void, for ground without labels (on {many(background, 'chip')}) and for "
                    f"ground to be ignored (on {many(ignored, 'chip')}); semantic masks tell them apart."
                ),
            ),
        )
        return tuple(sentence for count, sentence in said if count)

    def _segments(self, chip: Chip) -> NDArray[np.int64]:
        """(height, width) numbers of segments: things as in `instances`, then a number for each stuff class."""
        number = np.zeros(chip.ignore + 1, dtype=np.int64)
        number[self._stuff] = len(chip.labels) + 1 + np.arange(len(self._stuff))
        on_stuff = number[chip.semantic]
        return np.where(on_stuff, on_stuff, np.maximum(chip.instances, 0))


def _colors(segments: NDArray[np.int64]) -> NDArray[np.uint8]:
    return np.stack([segments >> shift & 255 for shift in (0, 8, 16)], axis=-1).astype(np.uint8)


def _measured(segments: NDArray[np.int64]) -> list[dict[str, Any]]:
    """Number, area and box of each segment, in pixels, in order of number."""
    rows, cols = np.nonzero(segments)
    ids, owner, areas = np.unique(segments[rows, cols], return_inverse=True, return_counts=True)
    low = np.full((len(ids), 2), max(segments.shape))
    high = np.zeros((len(ids), 2), dtype=np.int64)
    for axis, places in enumerate((cols, rows)):
        np.minimum.at(low[:, axis], owner, places)
        np.maximum.at(high[:, axis], owner, places + 1)
    boxes = np.hstack((low, high - low)).tolist()
    return [
        {"id": number, "area": area, "bbox": box, "iscrowd": 0}
        for number, area, box in zip(ids.tolist(), areas.tolist(), boxes, strict=True)
    ]


def _category(c: LabelClass) -> dict[str, Any]:
    color = list(bytes.fromhex(c.color[1:]))
    return {"supercategory": c.parent or c.name, "isthing": int(c.kind == "thing"), "color": color}
