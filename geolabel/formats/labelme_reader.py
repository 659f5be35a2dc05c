"""Read LabelMe: XML of the web tool, JSON of the desktop tool; and VoTT's JSON, which is much alike."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely

from geolabel.errors import InvalidInput
from geolabel.formats.coco_reader import files_in
from geolabel.formats.masks_reader import read_colors
from geolabel.formats.outlines import outline_of
from geolabel.formats.pictures import (
    LARGEST,
    Guide,
    Picture,
    check_size,
    inside,
    numbers_of,
    outline,
    points_of,
    upright,
)
from geolabel.formats.strict import number, read_json, read_xml

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from xml.etree import ElementTree as ET

    from shapely.geometry.base import BaseGeometry


class _Bad(Exception):
    """A shape that cannot be."""


def read_labelme(path: Path, guide: Guide) -> Iterator[Picture]:
    """Read LabelMe's files: `.xml` (with its masks, where they lie beside it in `Masks/`) and `.json`."""
    if not path.is_dir():
        files = [path]
    else:
        files = sorted(p for p in path.rglob("*") if p.suffix.lower() in {".xml", ".json"})
        if not files:
            raise InvalidInput(f"The folder {path.name} has no file of LabelMe (.xml or .json).")
    for file in files:
        yield _from_json(file, guide) if file.suffix.lower() == ".json" else _from_xml(file, guide)


def _from_xml(file: Path, guide: Guide) -> Picture:
    root = read_xml(file)
    if root.tag != "annotation" or root.find("imagesize") is None:
        raise InvalidInput(
            f"{file.name} is not LabelMe: expected the element 'annotation' with 'imagesize', got {root.tag!r:.40}."
        )
    width, height = (number(root.findtext(f"imagesize/{tag}")) for tag in ("ncols", "nrows"))
    size = check_size(_whole(width), _whole(height), f"{file.name}/annotation/imagesize")
    picture = Picture(root.findtext("filename") or file.stem, file.name, size)
    for index, found in enumerate(root.findall("object"), start=1):
        where = f"{file.name}/annotation/object[{index}]"
        if found.findtext("deleted") == "1":
            guide.left_out["deleted objects"] += 1
            continue
        name = guide.class_name or (found.findtext("name") or "").strip()
        if not name:
            guide.refuse(f"{where}/name", "the object has no name", reason="it has no class")
            continue
        try:
            shape = _polygon(found) if found.find("polygon") is not None else _mask(found, file)
        except (_Bad, InvalidInput) as bad:
            guide.refuse(where, str(bad).removesuffix("."), reason="its shape cannot be")
            continue
        picture.add(shape, name, where)
    return picture


def _polygon(found: ET.Element) -> BaseGeometry:
    values = [number(p.findtext(axis)) for p in found.findall("polygon/pt") for axis in ("x", "y")]
    if len(values) < 6 or any(v is None or abs(v) > LARGEST for v in values):
        raise _Bad("a polygon is three or more points with finite x and y")
    ring = outline(np.array(values, dtype=np.float64).reshape(-1, 2))
    if ring is None:
        raise _Bad("the polygon encloses no area")
    return ring


def _mask(found: ET.Element, file: Path) -> BaseGeometry:
    name = found.findtext("segm/mask")
    if not name:
        raise _Bad("the object has neither a polygon nor a mask")
    folders = [
        file.parent,
        *(p / "Masks" / file.parent.name for p in list(file.parents)[:3]),
        file.parent.parent / "Masks",
    ]
    mask = next((m for folder in folders if folder.is_dir() and (m := inside(folder, name))), None)
    if mask is None:
        raise _Bad(f"its mask {name!r:.80} is neither beside the file nor in Masks")
    shape = outline_of(read_colors(mask)[0])
    if shape is None:
        raise _Bad(f"its mask {name!r:.80} has no pixel")
    return shape


def _from_json(file: Path, guide: Guide) -> Picture:
    value = read_json(file)
    if not isinstance(value, dict) or not isinstance(value.get("shapes"), list):
        raise InvalidInput(f"{file.name} is not LabelMe: expected an object with the list 'shapes' (at /).")
    size = None
    if value.get("imageWidth") is not None:
        size = check_size(value.get("imageWidth"), value.get("imageHeight"), file.name)
    named = value.get("imagePath")
    picture = Picture(
        PurePath(named.replace("\\", "/")).name if isinstance(named, str) and named else file.stem, file.name, size
    )
    for index, found in enumerate(value["shapes"]):
        where = f"{file.name}/shapes/{index}"
        if not isinstance(found, dict) or not isinstance(found.get("label"), str):
            guide.refuse(where, "a shape is an object with a 'label' and 'points'", reason="it has no class")
            continue
        try:
            shape = _from_points(str(found.get("shape_type", "polygon")), found.get("points"))
        except _Bad as bad:
            guide.refuse(f"{where}/points", str(bad), reason="its shape cannot be")
            continue
        if shape is None:
            guide.left_out[f"shapes of the type {str(found.get('shape_type'))[:40]!r}"] += 1
            continue
        picture.add(shape, guide.class_name or found["label"], where)
    return picture


def _from_points(kind: str, points: Any) -> BaseGeometry | None:
    flat = None
    if isinstance(points, list) and all(isinstance(p, list) and len(p) == 2 for p in points):
        flat = numbers_of([v for p in points for v in p], least=2)
    if flat is None:
        raise _Bad("points are a list of [x, y] with finite numbers")
    xy = flat.reshape(-1, 2)
    if kind == "polygon":
        ring = outline(xy)
        if ring is None:
            raise _Bad("a polygon has three or more points that enclose an area")
        return ring
    if kind == "rectangle" and len(xy) == 2 and (xy[0] != xy[1]).all():
        return upright(*xy[0], *xy[1])
    if kind == "circle" and len(xy) == 2 and (xy[0] != xy[1]).any():
        round_: BaseGeometry = shapely.Point(xy[0]).buffer(float(np.hypot(*(xy[1] - xy[0]))), quad_segs=16)
        return round_
    if kind in {"line", "linestrip"} and len(xy) > 1:
        return shapely.LineString(xy)
    if kind in {"point", "points"}:
        return points_of(xy)
    if kind in {"rectangle", "circle", "line", "linestrip"}:
        raise _Bad(f"a {kind} has two points that differ, got {len(xy)}")
    return None


def read_vott(path: Path, guide: Guide) -> Iterator[Picture]:
    """Read an export of VoTT: `{"assets": {id: {"asset": ..., "regions": [...]}}}`."""
    for file in files_in(path, (), "*.json"):
        value = read_json(file)
        assets = value.get("assets") if isinstance(value, dict) else None
        if not isinstance(assets, dict):
            raise InvalidInput(f"{file.name} is not VoTT's JSON: expected an object with 'assets' (at /).")
        for key, one in assets.items():
            yield _asset(one, f"{file.name}/assets/{key[:80]}", guide)


def _asset(one: Any, where: str, guide: Guide) -> Picture:
    asset = one.get("asset") if isinstance(one, dict) else None
    if not isinstance(asset, dict) or not isinstance(asset.get("name"), str):
        raise InvalidInput(f"{where}/asset: expected an object with a 'name'.")
    extent = asset.get("size")
    size = (
        check_size(extent.get("width"), extent.get("height"), f"{where}/asset/size")
        if isinstance(extent, dict)
        else None
    )
    picture = Picture(asset["name"], where, size)
    regions = one.get("regions")
    for index, region in enumerate(regions if isinstance(regions, list) else []):
        at = f"{where}/regions/{index}"
        tags = region.get("tags") if isinstance(region, dict) else None
        points = region.get("points") if isinstance(region, dict) else None
        if not isinstance(tags, list) or not tags or not isinstance(tags[0], str):
            guide.refuse(f"{at}/tags", "a region has a list of tags", reason="it has no class")
            continue
        if len(tags) > 1:
            guide.left_out["further tags of a region"] += len(tags) - 1
        try:
            pairs = (
                [[p.get("x"), p.get("y")] for p in points]
                if isinstance(points, list) and all(isinstance(p, dict) for p in points)
                else None
            )
            shape = _from_points("polygon", pairs)
        except _Bad as bad:
            guide.refuse(f"{at}/points", str(bad), reason="its shape cannot be")
            continue
        assert shape is not None
        picture.add(shape, guide.class_name or tags[0], at)
    return picture


def _whole(value: float | None) -> object:
    return int(value) if value is not None and value == int(value) else value
