"""TrainingDML-AI: one JSON file in OGC's markup that says what the dataset is and what lies on each chip."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from geolabel.formats.base import ChipWriter, Piece
from geolabel.formats.ground import check_earth, features_of, outline_in_degrees

if TYPE_CHECKING:
    from geolabel.chips.build import Chip
    from geolabel.chips.planned import PlannedChip
    from geolabel.formats.base import Context

_FILE = "trainingdml/dataset.json"
_SPLITS = {"train": "training", "val": "validation", "test": "test"}


class TrainingDmlWriter(ChipWriter):
    """Writes `trainingdml/dataset.json`: an `AI_EOTrainingDataset` whose data are the chips, with a label for each object."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        check_earth(context, "TrainingDML-AI")
        self._scenes = {scene.id: scene for scene in context.scenes}
        self._sizes: set[str] = set()

    def begin(self) -> None:
        """Write what is known of the dataset before its chips."""
        project, scenes = self.context.project, self.context.scenes
        boxes = [outline_in_degrees(scene.grid)[1] for scene in scenes]
        bands = scenes[0].bands if scenes else ()
        chosen = [b for b in bands if self.context.spec.bands is None or b.index in self.context.spec.bands]
        head: dict[str, Any] = {
            "type": "AI_EOTrainingDataset",
            "id": project.id,
            "name": project.title,
            "description": f"Chips and labels of {project.title}",
            "license": "proprietary",
            "version": "1.0",
            "classes": [{"key": c.name, "value": c.id} for c in project.classes],
            "numberOfClasses": len(project.classes),
            "bands": [{"name": [{"code": b.name}]} for b in chosen],
            "extent": [
                min(b[0] for b in boxes),
                min(b[1] for b in boxes),
                max(b[2] for b in boxes),
                max(b[3] for b in boxes),
            ],
            "tasks": [
                {
                    "type": "AI_EOTask",
                    "id": f"{project.id}-task",
                    "description": "Find the objects and the ground of these classes",
                    "taskType": "Object Detection",
                }
            ],
        }
        self.context.files.open(_FILE).write(orjson.dumps(head)[:-1] + b',"data":[')

    def write(self, chip: Chip) -> Piece:
        """The chip and its labels."""
        names = {c.id: c.name for c in self.context.project.classes}
        labels: list[dict[str, Any]] = [
            {
                "type": "AI_ObjectLabel",
                "class": feature["properties"]["class"],
                "object": feature,
            }
            for feature in features_of(chip, names)
        ]
        scene = self._scenes[chip.scene]
        assert chip.grid.crs is not None
        one: dict[str, Any] = {
            "type": "AI_EOTrainingData",
            "id": chip.name,
            "datasetId": self.context.project.id,
            "dataURL": [f"../{self.context.image_path(chip)}"],
            "extent": outline_in_degrees(chip.grid)[1],
            "numberOfLabels": len(labels),
            # The schema wants one label at least: a chip without any says so.
            "labels": labels or [{"type": "AI_AbstractLabel", "isNegative": True}],
        }
        if chip.split in _SPLITS:
            one["trainingType"] = _SPLITS[chip.split]
        if scene.datetime:
            one["dataTime"] = [scene.datetime if "T" in scene.datetime else f"{scene.datetime}T00:00:00Z"]
        return Piece(lines={_FILE: orjson.dumps(one)}, counts={"chips": 1, "negative": int(not labels)})

    def add(self, chip: PlannedChip, piece: Piece) -> None:
        """Write the chip."""
        self._sizes.add(f"{chip.grid.width}x{chip.grid.height}")
        self.context.files.open(_FILE).write((b",\n" if chip.number else b"\n") + piece.lines[_FILE])
        self.counts.update(piece.counts)

    def close(self) -> tuple[str, ...]:
        """Write what is known after the chips."""
        tail: dict[str, Any] = {"amountOfTrainingData": self.counts["chips"]}
        if len(self._sizes) == 1:
            tail["imageSize"] = self._sizes.pop()
        self.context.files.open(_FILE).write(b"\n]," + orjson.dumps(tail)[1:] + b"\n")
        negative = self.counts["negative"]
        if not negative:
            return ()
        return (
            f"TrainingDML-AI wants a label on every chip: {negative:,} chips without any have one that says so (isNegative).",
        )
