"""Read Pascal VOC: boxes in XML, and the object masks of its segmentations."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING

import numpy as np

from geolabel.errors import InvalidInput
from geolabel.formats.coco_reader import files_in
from geolabel.formats.masks_reader import read_colors
from geolabel.formats.outlines import outline_of
from geolabel.formats.pictures import LARGEST, Guide, Picture, check_size, score_of, upright
from geolabel.formats.strict import number, read_xml
from geolabel.formats.voc import voc_color

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from xml.etree import ElementTree as ET

    from numpy.typing import NDArray

_CORNERS = ("xmin", "ymin", "xmax", "ymax")
_VOID = {255, 65535}
_OWN_CLASSES = (
    *("aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable", "dog"),
    *("horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor"),
)
"""What the values mean where nothing else says it. Source: VOC2012's development kit, VOCinit.m."""


def read_voc(path: Path, guide: Guide) -> Iterator[Picture]:
    """Read the boxes of Pascal VOC: one XML file, a folder of them, or a dataset with `Annotations/`.

    A box of whole pixels counts both its ends in: (1, 1, 1, 1) is the first pixel, from (0, 0) to (1, 1).
    """
    for file in _annotations(path):
        yield _read(read_xml(file), file, guide)


def read_segmentation(path: Path, guide: Guide) -> Iterator[Picture]:
    """Read the outlines of a VOC segmentation: `SegmentationObject/` says where objects are, `SegmentationClass/` of which class.

    Where the XML of a picture has as many objects as the mask, they are taken from it in order: its object n is the value n.
    """
    objects, classes = path / "SegmentationObject", path / "SegmentationClass"
    if not objects.is_dir() or not classes.is_dir():
        raise InvalidInput(
            f"{path.name} is no VOC segmentation: expected a folder with SegmentationObject and SegmentationClass."
        )
    names = _labelmap(path) or guide.places.class_names() or dict(enumerate(_OWN_CLASSES, start=1))
    for file in sorted(objects.glob("*.png")):
        numbers = _values(file)
        other = classes / file.name
        if not other.is_file():
            raise InvalidInput(f"SegmentationClass has no {file.name}, and SegmentationObject has.")
        values = _values(other)
        if values.shape != numbers.shape:
            raise InvalidInput(
                f"{file.name} has two sizes: {_size(numbers)} in SegmentationObject, {_size(values)} in SegmentationClass."
            )
        picture = Picture(file.stem, file.name, (numbers.shape[1], numbers.shape[0]))
        for value in np.unique(numbers).tolist():
            if value == 0 or value in _VOID:
                continue
            where = f"{file.name}, value {value}"
            inside = values[numbers == value]
            inside = inside[(inside != 0) & ~np.isin(inside, list(_VOID))]
            class_id = int(np.bincount(inside).argmax()) if len(inside) else 0
            name = guide.class_name or names.get(class_id)
            shape = outline_of(numbers == value)
            if name is None or shape is None:
                guide.refuse(where, f"no class has the value {class_id}", reason="its class is not known")
                continue
            picture.add(shape, name, where)
        yield picture


def _values(file: Path) -> NDArray[np.int64]:
    """The numbers of a mask: palette indices, or VOC's colors where somebody has saved it without its palette."""
    found, colored = read_colors(file)
    if not colored:
        return found
    known = {r + 256 * g + 65536 * b: value for value, (r, g, b) in enumerate(map(voc_color, range(256)))}
    known[224 + 256 * 224 + 65536 * 192] = 255  # what VOC itself draws for void
    colors, places = np.unique(found, return_inverse=True)
    strange = [color for color in colors.tolist() if color not in known]
    if strange:
        r, g, b = (strange[0] >> shift & 255 for shift in (0, 8, 16))
        raise InvalidInput(f"{file.name} has the color ({r}, {g}, {b}), which stands for no number in VOC's palette.")
    numbers = np.array([known[color] for color in colors.tolist()], dtype=np.int64)
    return numbers[places].reshape(found.shape)


def _annotations(path: Path) -> list[Path]:
    return files_in(path, ("Annotations",), "*.xml")


def _size(mask: np.ndarray) -> str:
    return f"{mask.shape[1]} x {mask.shape[0]}"


def _labelmap(path: Path) -> dict[int, str]:
    """Class names by mask value, from `labelmap.txt`: one a line, background first."""
    file = path / "labelmap.txt"
    if not file.is_file():
        return {}
    lines = [
        line for line in file.read_text(encoding="utf-8").splitlines() if line.strip() and not line.startswith("#")
    ]
    return {index: line.rsplit(":", 3)[0] for index, line in enumerate(lines) if index}


def _read(root: ET.Element, file: Path, guide: Guide) -> Picture:
    if root.tag != "annotation" or root.find("imagesize") is not None:
        raise InvalidInput(
            f"{file.name} is not Pascal VOC: expected the element 'annotation' with 'size', got {root.tag!r:.40}."
        )
    size = None
    if root.find("size/width") is not None:
        width, height = (number(root.findtext(f"size/{tag}")) for tag in ("width", "height"))
        # Some tools write 0 x 0 for pictures that they never opened.
        if width or height or width is None:
            size = check_size(_whole(width), _whole(height), f"{file.name}/annotation/size")
    named = PurePath((root.findtext("filename") or "").replace("\\", "/")).name
    picture = Picture(named if named and guide.places.find(named) else file.stem, file.name, size)
    for index, found in enumerate(root.findall("object"), start=1):
        where = f"{file.name}/annotation/object[{index}]"
        name = guide.class_name or (found.findtext("name") or "").strip()
        if not name:
            guide.refuse(f"{where}/name", "the object has no name", reason="it has no class")
            continue
        corners = [number(found.findtext(f"bndbox/{tag}")) for tag in _CORNERS]
        if any(c is None or abs(c) > LARGEST for c in corners):
            guide.refuse(
                f"{where}/bndbox",
                "a box is four finite numbers xmin, ymin, xmax, ymax",
                reason="its box is not four numbers",
            )
            continue
        x0, y0, x1, y1 = (c for c in corners if c is not None)
        if x1 < x0 or y1 < y0:
            guide.refuse(
                f"{where}/bndbox",
                f"a box ends behind its beginning, got {x0:g} {y0:g} {x1:g} {y1:g}",
                reason="its box has no area",
            )
            continue
        score = number(found.findtext("score") or found.findtext("confidence"))
        if score is not None and score_of(score) is None:
            guide.refuse(
                f"{where}/score",
                f"a score is a number from 0 to 1, got {score:g}",
                reason="its score is not from 0 to 1",
            )
            continue
        base = guide.voc_base
        said = {"difficult": True} if found.findtext("difficult") == "1" else None
        picture.add(upright(x0 - base, y0 - base, x1 - base + 1, y1 - base + 1), name, where, score=score, said=said)
    return picture


def _whole(value: float | None) -> object:
    return int(value) if value is not None and value == int(value) else value
