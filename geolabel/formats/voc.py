"""Pascal VOC: XML boxes, class and object masks, lists of chips by split."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import numpy as np
from PIL import Image

from geolabel.chips.burn import mask_type
from geolabel.formats.areas import areas_of, areas_only, left_out, many
from geolabel.formats.base import ChipWriter, Piece
from geolabel.formats.boxes import inclusive_boxes
from geolabel.formats.consumer import difficulties, link_image, pictures

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geolabel.chips.build import Chip
    from geolabel.formats.base import Context

_MOST = 254
_VOID = (224, 224, 192)
_BLACK = (0, 0, 0)
_TASKS = ("Main", "Segmentation")

Color = tuple[int, int, int]


class VocWriter(ChipWriter):
    """Writes `voc/`: `JPEGImages`, `Annotations`, `SegmentationClass`, `SegmentationObject`, `ImageSets`, `labelmap.txt`.

    A mask has 8 bits and a palette, 255 is void. More than 254 classes, or objects on a chip, take 16 bits without one,
    and void is 65535.
    """

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._names = {c.id: c.name for c in context.project.classes}
        self._colors = {c.id: _rgb(c.color) for c in context.project.classes}
        self._deep_classes = mask_type(context.project.classes)[1] != 255

    def begin(self) -> None:
        """Write the colors of the classes, and a list for each split."""
        context = self.context
        for split in context.splits:
            for task in _TASKS:
                context.files.open(_list(task, split))
        lines = [("background", _BLACK), *((c.name, self._colors[c.id]) for c in context.project.classes)]
        text = "".join(f"{name}:{','.join(map(str, color))}::\n" for name, color in (*lines, ("ignored", _VOID)))
        context.files.write("voc/labelmap.txt", f"# label:color_rgb:parts:actions\n{text}".encode())

    def write(self, chip: Chip) -> Piece:
        """Write a chip: its object number n in the XML is the value n in the object mask."""
        chosen = areas_of(chip)
        picture = f"{chip.name}.{self.context.spec.image_format}"
        link_image(self.context, chip, f"voc/JPEGImages/{picture}")
        self._write(f"Annotations/{chip.name}.xml", self._xml(chip, chosen, picture))
        classes = _png(chip.semantic, {**self._colors, chip.ignore: _VOID})
        self._write(f"SegmentationClass/{chip.name}.png", classes)
        objects = _objects(chip, chosen)
        palette = {value: voc_color(value) for value in range(1, _MOST + 1)}
        self._write(f"SegmentationObject/{chip.name}.png", _png(objects, {**palette, 255: _VOID}))
        line = f"{chip.name}\n".encode()
        counts = {"deep": int(len(chosen) > _MOST), "hidden": _hidden(chip, chosen)}
        return Piece(lines={_list(task, chip.split): line for task in _TASKS}, counts=left_out(chip) | counts)

    def close(self) -> tuple[str, ...]:
        """Say what VOC could not hold."""
        deep, hidden = self.counts["deep"], self.counts["hidden"]
        said = (
            (self._deep_classes, "SegmentationClass has 16 bits and no palette: there are class ids above 254."),
            (
                deep,
                f"SegmentationObject has 16 bits and no palette on {many(deep, 'chip')}: more than {_MOST} objects.",
            ),
            (
                hidden,
                f"Without a pixel of its own in SegmentationObject (too small, or under others): {many(hidden, 'object')}.",
            ),
        )
        notes = tuple(sentence for happened, sentence in said if happened)
        return (*areas_only("Pascal VOC", self.counts), *notes, *pictures(self.context, "Pascal VOC"))

    def _write(self, path: str, content: bytes) -> None:
        self.context.files.write(f"voc/{path}", content)

    def _xml(self, chip: Chip, chosen: NDArray[np.int64], picture: str) -> bytes:
        root = ET.Element("annotation")
        _texts(root, folder="voc", filename=picture)
        _texts(ET.SubElement(root, "source"), database=self.context.project.id)
        size = ET.SubElement(root, "size")
        _texts(size, width=chip.grid.width, height=chip.grid.height, depth=len(chip.bands))
        _texts(root, segmented=1)
        labels, levels = chip.labels, difficulties(self.context, chip)
        for index, box in zip(chosen, inclusive_boxes(labels.geometries[chosen]).tolist(), strict=True):
            found = ET.SubElement(root, "object")
            _texts(found, name=self._names[int(labels.class_ids[index])], pose="Unspecified")
            _texts(found, truncated=int(labels.truncated[index]), difficult=int(levels[index] > 0))
            corners = dict(zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True))
            _texts(ET.SubElement(found, "bndbox"), **corners)
        ET.indent(root)
        return bytes(ET.tostring(root, encoding="utf-8")) + b"\n"


def _objects(chip: Chip, chosen: NDArray[np.int64]) -> NDArray[np.uint8 | np.uint16]:
    """The object mask: numbers count the areas alone, as the XML does."""
    dtype: type[np.uint8 | np.uint16] = np.uint16 if len(chosen) > _MOST else np.uint8
    number = np.zeros(len(chip.labels) + 2, dtype=dtype)
    number[chosen + 1] = np.arange(1, len(chosen) + 1)
    number[-1] = np.iinfo(dtype).max  # the last: -1 is ignore
    objects: NDArray[np.uint8 | np.uint16] = number[chip.instances]
    return objects


def _hidden(chip: Chip, chosen: NDArray[np.int64]) -> int:
    """How many objects have no pixel of their own."""
    return len(chosen) - len(np.intersect1d(chip.instances, chosen + 1))


def _list(task: str, split: str) -> str:
    return f"voc/ImageSets/{task}/{split}.txt"


def voc_color(value: int) -> Color:
    """VOC's color of a mask value: its bits, three at a time, from the highest down. Source: VOCcode/VOClabelcolormap.m."""
    red = green = blue = 0
    for bit in range(8):
        red |= (value >> 3 * bit & 1) << 7 - bit
        green |= (value >> 3 * bit + 1 & 1) << 7 - bit
        blue |= (value >> 3 * bit + 2 & 1) << 7 - bit
    return red, green, blue


def _rgb(color: str) -> Color:
    red, green, blue = bytes.fromhex(color[1:])
    return red, green, blue


def _texts(parent: ET.Element, **texts: object) -> None:
    for tag, text in texts.items():
        ET.SubElement(parent, tag).text = str(text)


def _png(mask: NDArray[np.uint8 | np.uint16], colors: dict[int, Color]) -> bytes:
    picture = Image.fromarray(mask)
    if mask.dtype == np.uint8:
        picture.putpalette([part for value in range(256) for part in colors.get(value, _BLACK)])
    stream = io.BytesIO()
    picture.save(stream, "PNG")
    return stream.getvalue()
