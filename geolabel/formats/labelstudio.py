"""Label Studio: `tasks.json` to import with its annotations, and the labelling interface that fits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import numpy as np
import orjson
import shapely

from geolabel.formats.areas import many
from geolabel.formats.base import ChipWriter, Piece
from geolabel.formats.consumer import pictures
from geolabel.formats.keyhole import one_ring

if TYPE_CHECKING:
    from geolabel.chips.build import Chip
    from geolabel.chips.planned import PlannedChip

_TASKS = "labelstudio/tasks.json"


class LabelStudioWriter(ChipWriter):
    """Writes `labelstudio/tasks.json`, a task a chip, and `labelstudio/label_config.xml`.

    Pictures are named as its local storage does: serve the dataset's folder as LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT.
    """

    def begin(self) -> None:
        """Write the interface, and the head of the tasks."""
        view = ET.Element("View")
        ET.SubElement(view, "Image", name="image", value="$image")
        for tag, name in (("PolygonLabels", "polygon"), ("KeyPointLabels", "point")):
            labels = ET.SubElement(view, tag, name=name, toName="image")
            for c in self.context.project.classes:
                ET.SubElement(labels, "Label", value=c.name, background=c.color)
        ET.indent(view)
        self.context.files.write("labelstudio/label_config.xml", bytes(ET.tostring(view, encoding="utf-8")) + b"\n")
        self.context.files.open(_TASKS).write(b"[")

    def write(self, chip: Chip) -> Piece:
        """The task of a chip."""
        labels = chip.labels
        names = {c.id: c.name for c in self.context.project.classes}
        size = np.array((chip.grid.width, chip.grid.height), dtype=np.float64)
        counts = {"line": 0, "holed": 0, "parted": 0, "points": 0}
        results: list[dict[str, Any]] = []
        for shape, annotation, class_id in zip(
            labels.geometries, labels.ids.tolist(), labels.class_ids.tolist(), strict=True
        ):
            value: dict[str, Any]
            dimension = shapely.get_dimensions(shape)
            if dimension == 1:
                counts["line"] += 1
                continue
            if dimension == 0:
                first, *others = shapely.get_coordinates(shape) / size * 100
                counts["points"] += len(others)
                kind, name = "keypointlabels", "point"
                value = {"x": first[0], "y": first[1], "width": 0.5}
            else:
                counts["holed"] += int(shapely.get_num_interior_rings(shapely.get_parts(shape)).any())
                counts["parted"] += int(shapely.get_num_geometries(shape) > 1)
                kind, name = "polygonlabels", "polygon"
                value = {"points": (one_ring(shape) / size * 100).tolist(), "closed": True}
            results.append(
                {
                    "id": f"a{annotation}",
                    "type": kind,
                    "from_name": name,
                    "to_name": "image",
                    "original_width": chip.grid.width,
                    "original_height": chip.grid.height,
                    "image_rotation": 0,
                    "value": {**value, kind: [names[class_id]]},
                }
            )
        task = {
            "data": {
                "image": f"/data/local-files/?d={self.context.image_path(chip)}",
                "chip": chip.name,
                "split": chip.split,
            },
            "annotations": [{"result": results}],
        }
        return Piece(lines={_TASKS: orjson.dumps(task, option=orjson.OPT_SERIALIZE_NUMPY)}, counts=counts)

    def add(self, chip: PlannedChip, piece: Piece) -> None:
        """Write the task."""
        self.context.files.open(_TASKS).write((b",\n" if chip.number else b"\n") + piece.lines[_TASKS])
        self.counts.update(piece.counts)

    def close(self) -> tuple[str, ...]:
        """Finish the tasks; say what Label Studio could not hold."""
        self.context.files.open(_TASKS).write(b"\n]\n")
        said = (
            ("line", "Label Studio has no lines: {} on chips left out."),
            ("holed", "Label Studio's polygons have no holes: {} with holes cut open by bridges of no width."),
            ("parted", "Label Studio's polygons have one part: {} of several joined by bridges of no width."),
            ("points", "A key point is one point: {} of several left out of it."),
        )
        nouns = {"line": "line", "holed": "area", "parted": "area", "points": "point"}
        notes = tuple(text.format(many(self.counts[what], nouns[what])) for what, text in said if self.counts[what])
        return (*notes, *pictures(self.context, "Label Studio"))
