"""CVAT's XML 1.1 "for images": polygons, lines and points with their attributes, to upload beside the pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import shapely

from geolabel.formats.areas import many
from geolabel.formats.base import ChipWriter, Piece
from geolabel.formats.consumer import link_image, pictures
from geolabel.formats.keyhole import one_ring

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from shapely.geometry.base import BaseGeometry

    from geolabel.chips.build import Chip

_FILE = "cvat/annotations.xml"
_TYPES = {"enum": "select", "text": "text", "number": "text", "boolean": "checkbox"}


class CvatWriter(ChipWriter):
    """Writes `cvat/annotations.xml` and `cvat/images/{split}/{chip}`, as CVAT exports a project whose subsets are the splits."""

    def begin(self) -> None:
        """Write the labels and their attributes."""
        project = self.context.project
        meta = ET.Element("meta")
        # Of a project, as only its images have subsets.
        top = ET.SubElement(meta, "project")
        ET.SubElement(top, "name").text = project.title
        tasks = ET.SubElement(top, "tasks")
        for number, split in enumerate(self.context.splits):
            task = ET.SubElement(tasks, "task")
            for name, text in (("id", str(number)), ("name", split), ("mode", "annotation"), ("subset", split)):
                ET.SubElement(task, name).text = text
        ET.SubElement(top, "subsets").text = "\n".join(self.context.splits)
        labels = ET.SubElement(top, "labels")
        for c in project.classes:
            label = ET.SubElement(labels, "label")
            ET.SubElement(label, "name").text = c.name
            ET.SubElement(label, "color").text = c.color
            attributes = ET.SubElement(label, "attributes")
            for a in project.attributes:
                if not a.is_for(c.name):
                    continue
                attribute = ET.SubElement(attributes, "attribute")
                ET.SubElement(attribute, "name").text = a.name
                ET.SubElement(attribute, "mutable").text = "False"
                ET.SubElement(attribute, "input_type").text = _TYPES[a.kind]
                ET.SubElement(attribute, "values").text = "\n".join(map(str, a.values or ()))
        ET.indent(meta, level=1)
        head = b'<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n  <version>1.1</version>\n  '
        self.context.files.open(_FILE).write(head + ET.tostring(meta, encoding="utf-8") + b"\n")

    def write(self, chip: Chip) -> Piece:
        """The picture of a chip and what is on it."""
        labels, names = chip.labels, {c.id: c.name for c in self.context.project.classes}
        name = f"{chip.name}.{self.context.spec.image_format}"
        link_image(self.context, chip, f"cvat/images/{chip.split}/{name}")
        image = ET.Element(
            "image",
            id=str(chip.number - 1),
            name=name,
            subset=chip.split,
            task_id=str(self.context.splits.index(chip.split)),
            width=str(chip.grid.width),
            height=str(chip.grid.height),
        )
        columns = {a.name: chip.columns[a.name] for a in self.context.project.attributes if a.name in chip.columns}
        counts = {"holed": 0, "parted": 0}
        for row, (shape, class_id) in enumerate(zip(labels.geometries, labels.class_ids.tolist(), strict=True)):
            for element in _elements(shape, counts):
                element.attrib |= {"label": names[class_id], "source": "manual", "occluded": "0", "z_order": str(row)}
                for attribute, values in columns.items():
                    if values[row] is not None:
                        ET.SubElement(element, "attribute", name=attribute).text = _text(values[row])
                image.append(element)
        ET.indent(image, level=1)
        return Piece(lines={_FILE: b"  " + ET.tostring(image, encoding="utf-8") + b"\n"}, counts=counts)

    def close(self) -> tuple[str, ...]:
        """Finish the file; say what CVAT could not hold."""
        self.context.files.open(_FILE).write(b"</annotations>\n")
        said = (
            (self.counts["holed"], "with holes cut open: a bridge of no width leads to each hole."),
            (self.counts["parted"], "of several parts joined to one polygon by bridges of no width."),
        )
        notes = tuple(f"CVAT's polygons have one outline: {many(n, 'area')} {what}" for n, what in said if n)
        return (*notes, *pictures(self.context, "CVAT"))


def _elements(shape: BaseGeometry, counts: dict[str, int]) -> list[ET.Element]:
    dimension = shapely.get_dimensions(shape)
    if dimension == 0:
        return [ET.Element("points", points=_points(shapely.get_coordinates(shape)))]
    if dimension == 1:
        return [ET.Element("polyline", points=_points(shapely.get_coordinates(p))) for p in shapely.get_parts(shape)]
    counts["holed"] += int(shapely.get_num_interior_rings(shapely.get_parts(shape)).any())
    counts["parted"] += int(shapely.get_num_geometries(shape) > 1)
    return [ET.Element("polygon", points=_points(one_ring(shape)))]


def _points(xy: NDArray[np.float64]) -> str:
    return ";".join(f"{x!r},{y!r}" for x, y in xy.tolist())


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
