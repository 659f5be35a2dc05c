"""Read CVAT's XML 1.1 "for images": boxes, polygons, lines, points, ellipses and masks, with their attributes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from shapely import affinity

from geolabel.errors import InvalidInput
from geolabel.formats import rle
from geolabel.formats.coco_reader import files_in
from geolabel.formats.outlines import outline_of
from geolabel.formats.pictures import (
    LARGEST,
    Guide,
    Picture,
    check_mask_size,
    check_size,
    mended,
    outline,
    points_of,
    upright,
)
from geolabel.formats.strict import number, read_xml

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from xml.etree import ElementTree as ET

    from numpy.typing import NDArray
    from shapely.geometry.base import BaseGeometry

_QUARTER = 16


class _Bad(Exception):
    """A shape that cannot be."""


def read_cvat(path: Path, guide: Guide) -> Iterator[Picture]:
    """Read the images of an `annotations.xml`; tags, cuboids, skeletons and the tracks of videos are counted."""
    for file in files_in(path, ("cvat",), "*.xml"):
        root = read_xml(file)
        if root.tag != "annotations":
            raise InvalidInput(
                f"{file.name} is not CVAT's XML: expected the element 'annotations', got {root.tag!r:.40}."
            )
        tracks = len(root.findall("track"))
        if tracks:
            guide.left_out["tracks of videos"] += tracks
        for index, image in enumerate(root.findall("image"), start=1):
            yield _image(image, f"{file.name}/annotations/image[{index}]", guide)


def _image(image: ET.Element, where: str, guide: Guide) -> Picture:
    width, height = (_whole(image.get(name)) for name in ("width", "height"))
    picture = Picture(image.get("name") or "", where, check_size(width, height, where))
    counts: dict[str, int] = {}
    for element in image:
        counts[element.tag] = counts.get(element.tag, 0) + 1
        pointer = f"{where}/{element.tag}[{counts[element.tag]}]"
        read = _READERS.get(element.tag)
        if read is None:
            guide.left_out[f"elements {element.tag!r:.40}"] += 1
            continue
        name = guide.class_name or element.get("label")
        if not name:
            guide.refuse(f"{pointer}/@label", "the label is empty", reason="it has no class")
            continue
        try:
            shape = read(element)
        except (_Bad, InvalidInput) as bad:
            guide.refuse(pointer, str(bad).removesuffix("."), reason="its shape cannot be")
            continue
        said: dict[str, Any] = {}
        for attribute in element.findall("attribute"):
            if attribute.get("name"):
                said[str(attribute.get("name"))] = _typed(attribute.text or "")
        picture.add(shape, name, pointer, said=said)
    return picture


def _typed(text: str) -> Any:
    """CVAT writes every value as a text."""
    if text in {"true", "false"}:
        return text == "true"
    # A code such as 0003 stays a text.
    value = number(text) if not (text.startswith("0") and text[1:2].isdigit()) else None
    return text if value is None else value


def _whole(text: str | None) -> object:
    value = number(text)
    return int(value) if value is not None and value == int(value) else text


def _numbers(element: ET.Element, *names: str) -> list[float]:
    values = []
    for name in names:
        value = number(element.get(name))
        if value is None or abs(value) > LARGEST:
            raise _Bad(f"the attribute {name!r} is a finite number, got {element.get(name)!r:.40}")
        values.append(value)
    return values


def _points(element: ET.Element, least: int) -> NDArray[np.float64]:
    pairs = [pair.split(",") for pair in (element.get("points") or "").split(";") if pair.strip()]
    values = [number(part) for pair in pairs for part in pair]
    if (
        len(pairs) < least
        or any(len(pair) != 2 for pair in pairs)
        or any(v is None or abs(v) > LARGEST for v in values)
    ):
        raise _Bad(
            f"the attribute 'points' is {least} or more pairs x,y with ; between, got {(element.get('points') or '')!r:.40}"
        )
    return np.array(values, dtype=np.float64).reshape(-1, 2)


def _turned(shape: BaseGeometry, element: ET.Element) -> BaseGeometry:
    """Turned clockwise as seen on the picture, about its middle."""
    if not element.get("rotation"):
        return shape
    (angle,) = _numbers(element, "rotation")
    turned: BaseGeometry = affinity.rotate(shape, math.fmod(angle, 360), origin="center")
    return turned


def _box(element: ET.Element) -> BaseGeometry:
    x0, y0, x1, y1 = _numbers(element, "xtl", "ytl", "xbr", "ybr")
    if x0 == x1 or y0 == y1:
        raise _Bad("the box has no area")
    return _turned(upright(x0, y0, x1, y1), element)


def _ellipse(element: ET.Element) -> BaseGeometry:
    cx, cy, rx, ry = _numbers(element, "cx", "cy", "rx", "ry")
    if rx <= 0 or ry <= 0:
        raise _Bad("the ellipse has no area")
    round_ = shapely.Point(cx, cy).buffer(1, quad_segs=_QUARTER)
    return _turned(affinity.scale(round_, rx, ry, origin=(cx, cy)), element)


def _polygon(element: ET.Element) -> BaseGeometry:
    ring = outline(_points(element, 3))
    if ring is None:
        raise _Bad("the polygon encloses no area")
    return mended(ring)


def _polyline(element: ET.Element) -> BaseGeometry:
    return shapely.LineString(_points(element, 2))


def _keypoints(element: ET.Element) -> BaseGeometry:
    return points_of(_points(element, 1))


def _mask(element: ET.Element) -> BaseGeometry:
    """Runs row by row, of the window (left, top, width, height)."""
    left, top, width, height = (int(v) for v in _numbers(element, "left", "top", "width", "height"))
    if width < 1 or height < 1:
        raise _Bad("the mask has no pixels")
    check_mask_size(width, height, "mask")
    words = [word.strip() for word in (element.get("rle") or "").split(",")]
    counts = rle.counts_of([int(word) if word.isdecimal() and len(word) < 12 else -1 for word in words], width * height)
    shape = outline_of(rle.decode(counts, width, height).T)  # row by row is column by column of the mirrored mask
    if shape is None:
        raise _Bad("the mask has no pixels")
    moved: BaseGeometry = shapely.transform(shape, lambda xy: xy + np.array((left, top)))
    return moved


_READERS = {
    "box": _box,
    "ellipse": _ellipse,
    "mask": _mask,
    "points": _keypoints,
    "polygon": _polygon,
    "polyline": _polyline,
}
